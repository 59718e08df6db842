#ifndef OCITK_RUNTIME_UPDATE_HPP
#define OCITK_RUNTIME_UPDATE_HPP

#include <ocitk/cgroups/merge.hpp>
#include <ocitk/cgroups/previous.hpp>
#include <ocitk/stages/cgroup.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/text.hpp>

#include <charconv>
#include <string>
#include <utility>
#include <vector>

/// Limits of a container that is there: all of the new ones, or the old ones.
namespace ocitk::runtime {

/// The recorded cgroups, opened, each with what its hierarchy has. Nothing of them is removed with the guard.
///
/// Fails  ENOENT: the cgroup went away
inline auto open_cgroups(const sys::cgroupfs::layout& layout, const std::vector<std::string>& paths)
    -> result<stages::cgroup::cgroup_guard> {
  std::vector<cgroups::place> places;
  for (const auto& path : paths)
    for (const auto& h : layout.hierarchies)
      if (path.starts_with(h.mountpoint + "/"))
        places.push_back({.controllers = h.controllers, .mountpoint = h.mountpoint, .below = path.substr(h.mountpoint.size() + 1),
                          .is_v2 = h.is_v2, .limits = !h.is_v2 || layout.pure_v2});
  stages::cgroup::cgroup_guard guard{std::move(places)};
  for (std::size_t i = 0; i < guard.places().size(); ++i)
    guard.set(i, {.dir = OCITK_TRY(sys::cgroupfs::open_dir(guard.places()[i].path())), .levels = 1, .created = 0});
  return guard;
}

/// checkBeforeUpdate: v2 would kill processes where v1 refuses the write.
///
/// Reads  /linux/resources/memory/{limit,swap,checkBeforeUpdate} (bytes)
/// Fails  `rejecting memory limit N <= usage M`, `rejecting memory+swap limit N <= usage M`
inline auto check_usage(const spec::resources& wanted, const stages::cgroup::cgroup_guard& at) -> result<> {
  if (!wanted.memory || !wanted.memory->check_before_update.value_or(false)) return {};
  for (std::size_t i = 0; i < at.places().size(); ++i) {
    if (!at.places()[i].is_v2 || !at.places()[i].limits) continue;
    const auto text = sys::cgroupfs::read_file(at.dir(i), "memory.current");
    if (!text) continue;  // no memory controller: the limit itself will be refused
    std::int64_t usage = 0;
    std::from_chars(text->data(), text->data() + text->size(), usage);
    const auto limit = wanted.memory->limit.value_or(0), both = wanted.memory->swap.value_or(0);
    if (both > 0 && both <= usage)
      return failure(filled("rejecting memory+swap limit {} <= usage {}", both, usage), "/linux/resources/memory/swap");
    if (limit > 0 && limit <= usage)
      return failure(filled("rejecting memory limit {} <= usage {}", limit, usage), "/linux/resources/memory/limit");
  }
  return {};
}

/// Writes limits and remembers what was there.
class limits_change {
 public:
  explicit limits_change(const stages::cgroup::cgroup_guard& at) : at_{at} {}

  /// Writes what differs from what is there. On failure everything is as it was.
  ///
  /// Calls  read(2), write(2) on cgroupfs
  /// Fails  as stages::cgroup::apply does; the error tells if the old values could not be written back
  auto apply(const std::vector<cgroups::write>& plan) -> result<> {
    auto done = stages::cgroup::apply(plan, at_, [this](const cgroups::write& w) { return note(w); });
    if (!done) undo(done.error());
    return done;
  }
  /// For a failure after apply().
  auto undo(error& why) -> void {
    for (bool progress = true; progress && !before_.empty();) {  // an order that works may take more than one round
      progress = false;
      for (auto i = before_.size(); i-- > 0;) {
        const auto& old = before_[i];
        if (!sys::cgroupfs::write_file(at_.dir(old.dir), old.file, old.value)) continue;
        before_.erase(before_.begin() + static_cast<std::ptrdiff_t>(i));
        progress = true;
      }
    }
    for (const auto& old : before_) why.detail += filled("; {} could not be set back to {}", old.file, old.value);
  }

 private:
  /// Is the write needed? Where the file cannot be read the write itself tells why.
  auto note(const cgroups::write& w) -> bool {
    if (!at_.dir(w.dir)) return true;
    const auto now = sys::cgroupfs::read_file(at_.dir(w.dir), w.file);
    if (!now) return true;
    auto value = cgroups::value_before(w.file, w.value, *now);
    if (value == w.value) return false;
    before_.push_back({.dir = w.dir, .file = w.file, .value = std::move(value), .pointer = w.pointer});
    return true;
  }

  const stages::cgroup::cgroup_guard& at_;
  std::vector<cgroups::write> before_{};
};

/// Puts other device rules in the place of the ones that are there, without a moment in which what both allow is denied.
///
/// Reads  /linux/resources/devices, the old and the new
/// Calls  bpf(2) on v2, write(2) to devices.allow and devices.deny on v1
/// Fails  rules that v1 cannot hold
inline auto replace_devices(const spec::resources& from, const spec::resources& to, const stages::cgroup::cgroup_guard& at)
    -> result<> {
  namespace devices = cgroups::devices;
  OCITK_TRY(stages::cgroup::filter_devices(to, at));
  for (std::size_t i = 0; i < at.places().size(); ++i) {
    if (!stages::cgroup::detail::has(at.places()[i], "devices")) continue;
    const auto old_rules = OCITK_TRY(devices::rules_of(from.devices)), new_rules = OCITK_TRY(devices::rules_of(to.devices));
    const auto old_list = OCITK_TRY(devices::as_exceptions(old_rules)), new_list = OCITK_TRY(devices::as_exceptions(new_rules));
    for (const auto& step : devices::transition(old_list, new_list))
      OCITK_TRY(ocitk::at("/linux/resources/devices",
                           sys::cgroupfs::write_file(at.dir(i), step.allow ? "devices.allow" : "devices.deny", devices::is_everything(step) ? "a" : devices::to_line(step))));
  }
  return {};
}

}  // namespace ocitk::runtime

#endif
