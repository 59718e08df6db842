#ifndef OCITK_STAGES_CGROUP_HPP
#define OCITK_STAGES_CGROUP_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/cgroups/limits.hpp>
#include <ocitk/sys/cgroup_tree.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/text.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ocitk::stages::cgroup {

namespace fs = sys::cgroupfs;
namespace devices = cgroups::devices;
using cgroups::place;
using cgroups::plan;
using cgroups::scope;
using cgroups::write;

/// v1 hierarchies in the order a process joins them.
inline constexpr std::array<std::string_view, 15> join_order{
    "cpuset",  "devices",  "memory",     "cpu",     "cpuacct", "pids",         "blkio", "hugetlb",
    "net_cls", "net_prio", "perf_event", "freezer", "rdma",    "name=systemd", "misc"};

/// A path without `.` and empty components and without a slash in front. `..` is refused: the path comes from the
/// bundle and stays below the hierarchy (threat R23).
inline auto normalised(std::string_view path) -> result<std::string> {
  std::string clean;
  for (const auto& part : fs::split(path, '/')) {
    if (part == ".") continue;
    if (part == ".." || part.find('\0') != std::string::npos || part.find('\n') != std::string::npos)
      return failure(filled("cgroup path \"{}\" leaves its hierarchy", path), "/linux/cgroupsPath");
    clean += (clean.empty() ? "" : "/") + part;
  }
  return clean;
}

namespace detail {

/// v2 starts from the parent of the caller's cgroup: the caller's own holds processes, and such a cgroup cannot
/// hand controllers down. v1 has no such rule.
inline auto place_in(const fs::hierarchy& h, const std::string& path, bool pure_v2) -> result<place> {
  std::string full = path;
  if (!path.starts_with('/')) {
    auto base = h.own;
    if (pure_v2) base.resize(std::min(base.rfind('/'), base.size()));
    full = base + "/" + path;
  }
  auto below = OCITK_TRY(normalised(full));
  if (below.empty()) return failure("the cgroup path names the root of a hierarchy", "/linux/cgroupsPath");
  return place{.controllers = h.controllers, .mountpoint = h.mountpoint, .below = std::move(below), .is_v2 = h.is_v2,
               .limits = !h.is_v2 || pure_v2};
}

}  // namespace detail

/// The container's cgroups, before any of them exists: the state on disk names them first.
///
/// Reads  /linux/cgroupsPath: absolute below each hierarchy, relative to the caller's cgroup, empty for the id
/// Fails  `..` in the path; a path that names the root
inline auto resolve(const fs::layout& layout, const std::string& cgroups_path, const std::string& id)
    -> result<std::vector<place>> {
  const auto& path = cgroups_path.empty() ? id : cgroups_path;
  std::vector<place> places;
  const auto add = [&](const fs::hierarchy& h) -> result<> {
    auto next = OCITK_TRY(detail::place_in(h, path, layout.pure_v2));
    for (const auto& p : places)
      if (p.mountpoint == next.mountpoint) return {};  // cpu and cpuacct may share one
    places.push_back(std::move(next));
    return {};
  };
  for (const auto controller : join_order)
    if (const auto* h = layout.find(controller); h != nullptr && !h->is_v2) OCITK_TRY(add(*h));
  if (const auto* h = layout.unified()) OCITK_TRY(add(*h));
  return places;
}

inline auto paths_of(const std::vector<place>& places) -> std::vector<std::string> {
  std::vector<std::string> all;
  for (const auto& p : places) all.push_back(p.path());
  return all;
}

/// The places with descriptors of them; removes what it made unless told to keep it.
class cgroup_guard {
 public:
  explicit cgroup_guard(std::vector<place> places) : places_{std::move(places)}, made_(places_.size()) {}
  cgroup_guard(cgroup_guard&& other) noexcept
      : places_{std::exchange(other.places_, {})}, made_{std::exchange(other.made_, {})} {}
  auto operator=(cgroup_guard&& other) noexcept -> cgroup_guard& {
    std::swap(places_, other.places_);
    std::swap(made_, other.made_);
    return *this;
  }
  cgroup_guard(const cgroup_guard&) = delete;
  auto operator=(const cgroup_guard&) -> cgroup_guard& = delete;
  ~cgroup_guard() { undo(); }

  /// From now on the cgroups outlive this object.
  auto keep() -> void {
    for (auto& m : made_) m.created = 0;
  }
  /// Removes what was made: the cgroup with all in it, and the levels above it unless somebody uses them.
  auto undo() -> void;

  [[nodiscard]] auto places() const -> const std::vector<place>& { return places_; }
  /// O_PATH; empty where a rootless caller may not make one.
  [[nodiscard]] auto dir(std::size_t index) const -> const unique_fd& { return made_[index].dir; }
  [[nodiscard]] auto was_there(std::size_t index) const -> bool {
    return made_[index].dir && made_[index].created == 0;
  }
  [[nodiscard]] auto made_at(std::size_t index) const -> const fs::made& { return made_[index]; }
  auto set(std::size_t index, fs::made made) -> void { made_[index] = std::move(made); }

  /// The v1 `tasks` files, open for init to write "0" to.
  [[nodiscard]] auto join_fds() const -> result<std::vector<unique_fd>>;
  /// For clone3(2) CLONE_INTO_CGROUP: the cgroup2 directory; empty without one.
  [[nodiscard]] auto unified() const -> const unique_fd& {
    static const unique_fd none;
    for (std::size_t i = 0; i < places_.size(); ++i)
      if (places_[i].is_v2) return made_[i].dir;
    return none;
  }

 private:
  std::vector<place> places_;
  std::vector<fs::made> made_;
};

inline auto cgroup_guard::undo() -> void {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    auto path = places_[i].path();
    const auto created = std::exchange(made_[i].created, 0);
    if (created == 0) continue;
    (void)fs::remove(path);  // a failure is already on its way to the user
    for (std::size_t level = 1; level < created; ++level) {
      path.resize(path.rfind('/'));
      (void)sys::kernel::unlinkat(AT_FDCWD, path.c_str(), AT_REMOVEDIR);  // EBUSY: a neighbour moved in
    }
  }
}

inline auto cgroup_guard::join_fds() const -> result<std::vector<unique_fd>> {
  std::vector<unique_fd> files;
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (!places_[i].is_v2 && made_[i].dir)
      files.push_back(OCITK_TRY(trying(places_[i].path(), sys::open_at(made_[i].dir, "tasks", O_WRONLY))));
  return files;
}

namespace detail {

/// A new cpuset has no cpus and takes no process: it starts with its parent's.
class cpuset_levels {
 public:
  auto operator()(fd_ref parent, fd_ref dir, fs::level at) -> result<> {
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (values_[i].empty()) values_[i] = fs::trimmed(OCITK_TRY(fs::read_file(parent, files[i])));
      auto own = at.created ? std::string{} : fs::trimmed(OCITK_TRY(fs::read_file(dir, files[i])));
      if (own.empty())
        OCITK_TRY(fs::write_file(dir, files[i], values_[i]));
      else
        values_[i] = std::move(own);
    }
    return {};
  }

 private:
  static constexpr std::array<const char*, 2> files{"cpuset.cpus", "cpuset.mems"};
  std::array<std::string, 2> values_{};
};

/// Hands every controller that is there down to the next level. What cannot be handed down shows when a limit
/// needs it, so failures count only then.
inline auto hand_down(fd_ref parent) -> result<> {
  std::string all;
  const auto names = fs::split(fs::trimmed(OCITK_TRY(fs::read_file(parent, "cgroup.controllers"))), ' ');
  for (const auto& name : names) all += " +" + name;
  if (all.empty() || fs::write_file(parent, "cgroup.subtree_control", all)) return {};
  for (const auto& name : names) (void)fs::write_file(parent, "cgroup.subtree_control", "+" + name);
  return {};
}

inline auto v2_level(fd_ref dir, fs::level at) -> result<> {
  const auto type = fs::trimmed(OCITK_TRY(fs::read_file(dir, "cgroup.type")));
  if (type != "domain" && type != "domain threaded")
    return failure(filled("cannot enter a cgroup that is in {} mode", type), "/linux/cgroupsPath");
  if (type == "domain threaded" && !at.last)
    return failure("cannot enter a cgroup below one in domain threaded mode", "/linux/cgroupsPath");
  return at.last ? result<>{} : hand_down(dir);
}

inline auto has(const place& p, std::string_view controller) -> bool {
  return fs::lists(p.controllers, controller);
}

inline auto make_one(const place& p) -> result<fs::made> {
  const auto root = OCITK_TRY(fs::open_dir(p.mountpoint));
  if (has(p, "cpuset")) return fs::make_below(root, p.below, cpuset_levels{});
  if (p.is_v2 && p.limits) {
    OCITK_TRY(hand_down(root));
    return fs::make_below(root, p.below, [](fd_ref, fd_ref dir, fs::level at) { return v2_level(dir, at); });
  }
  return fs::make_below(root, p.below, [](fd_ref, fd_ref, fs::level) { return result<>{}; });
}

/// root over the machine's cgroups, or over a user namespace only?
inline auto rootless() -> bool {
  if (::geteuid() != 0) return true;
  const auto map = fs::read_file(fd_ref::cwd(), "/proc/self/uid_map");
  return map && map->find("4294967295") == std::string::npos;
}

inline auto not_permitted(const error& e) -> bool {
  return e.code == EACCES || e.code == EPERM || e.code == EROFS;
}

/// In a frozen cgroup init would hang the moment it joins. A new cgroup is frozen if the one above it is.
inline auto check_thawed(const place& p, const fs::made& m) -> result<> {
  const bool can_freeze = p.is_v2 || has(p, "freezer");
  const bool inherits = m.levels > 1;
  if (!can_freeze || (m.created != 0 && !inherits)) return {};
  const auto state = fs::read_file(m.dir, p.is_v2 ? "cgroup.events" : "freezer.state");
  if (state && state->find(p.is_v2 ? "frozen 1" : "FR") != std::string::npos)
    return failure("container's cgroup unexpectedly frozen", "/linux/cgroupsPath");
  return {};
}

}  // namespace detail

/// Refuses cgroups that somebody lives in.
///
/// Fails  `container's cgroup is not empty: N process(es) found`, `container's cgroup unexpectedly frozen`
inline auto check_unused(fs::paths all) -> result<> {
  if (const auto found = OCITK_TRY(fs::pids(all)); !found.empty())
    return failure(filled("container's cgroup is not empty: {} process(es) found", found.size()),
                   "/linux/cgroupsPath");
  if (OCITK_TRY(fs::frozen(all))) return failure("container's cgroup unexpectedly frozen", "/linux/cgroupsPath");
  return {};
}

/// Makes the cgroups. What was there already must be empty and thawed. Where a rootless caller may not make one,
/// and the spec asks for no path, it does without: limits are refused later, one by one.
///
/// Reads   /linux/cgroupsPath, for errors only: `places` come from resolve()
/// Calls   mkdirat(2) for each hierarchy and level; cpuset.cpus and cpuset.mems are copied down
/// Fails   EACCES, EPERM, EROFS; busy or frozen cgroups
inline auto make(std::vector<place> places, bool path_asked_for) -> result<cgroup_guard> {
  cgroup_guard guard{std::move(places)};
  std::vector<std::string> old;
  for (std::size_t i = 0; i < guard.places().size(); ++i) {
    const auto& p = guard.places()[i];
    auto made = at("/linux/cgroupsPath", [&] { return trying(p.path(), detail::make_one(p)); });
    if (!made && detail::not_permitted(made.error()) && !path_asked_for && detail::rootless()) continue;
    if (!made) return std::unexpected(made.error());
    guard.set(i, std::move(*made));
    OCITK_TRY(detail::check_thawed(p, guard.made_at(i)));
    if (guard.was_there(i)) old.push_back(p.path());
  }
  if (!old.empty()) OCITK_TRY(check_unused(old));
  return guard;
}

namespace detail {

/// Adds what a user needs to judge a refused value.
inline auto told(const write& w, const place& p, fd_ref dir, result<> done) -> result<> {
  if (done || !done.error().pointer.empty()) return done;
  auto& e = done.error();
  e.detail = filled("{} to {}", w.value, w.file);
  if (p.is_v2 && e.code == ENOENT)
    e.detail += filled(", controller \"{}\" not available", w.file.substr(0, w.file.find('.')));
  if (const auto now = fs::read_file(dir, w.file)) e.detail += filled(" (now {})", fs::trimmed(*now));
  if (w.file == "memory.limit_in_bytes" || w.file == "memory.max")
    if (const auto usage = fs::read_file(dir, w.file == "memory.max" ? "memory.current" : "memory.usage_in_bytes"))
      e.detail += filled(" (current usage: {})", fs::trimmed(*usage));
  e.pointer = w.pointer;
  return done;
}

inline auto check_clamped(const write& w, fd_ref dir) -> result<> {
  const auto now = fs::trimmed(OCITK_TRY(at(w.pointer, fs::read_file(dir, w.file))));
  if (now == w.value) return {};
  const bool lowered = now.size() < w.value.size() || (now.size() == w.value.size() && now < w.value);
  return failure(filled("the {} allowed cpu-shares is {}", lowered ? "maximum" : "minimum", now), w.pointer);
}

/// Keeps the last file open: a list of device rules goes to one or two files.
class writer {
 public:
  auto operator()(const write& w, const unique_fd& dir) -> result<> {
    if (!dir)
      return failure(filled("cannot set {}: container could not join or create cgroup", w.file), w.pointer);
    if (!file_ || w.dir != dir_ || w.file != name_) OCITK_TRY(open(w, dir));
    return fs::write_to(file_, w.value);
  }

 private:
  auto open(const write& w, const unique_fd& dir) -> result<> {
    file_ = OCITK_TRY(sys::open_at(dir, w.file, O_WRONLY));
    dir_ = w.dir;
    name_ = w.file;
    return {};
  }
  unique_fd file_{};
  std::size_t dir_ = 0;
  std::string name_{};
};

}  // namespace detail

/// As apply() below; `is_needed(write)` is asked before each of them.
template <std::predicate<const write&> IsNeeded>
auto apply(const std::vector<write>& plan, const cgroup_guard& guard, IsNeeded&& is_needed) -> result<> {
  detail::writer put;
  std::vector<const write*> later;
  bool skip = false;
  const auto told = [&](const write& w, result<> done) {
    return detail::told(w, guard.places()[w.dir], guard.dir(w.dir), std::move(done));
  };
  for (const auto& w : plan) {
    if (std::exchange(skip, false)) continue;
    if (!is_needed(w)) {
      skip = w.or_next;
      continue;
    }
    const standing_at asked{&standpoint::pointer, w.pointer};
    auto done = put(w, guard.dir(w.dir));
    skip = w.or_next && done;
    if (!done && (w.if_present || w.or_next) && done.error().code == ENOENT) continue;
    if (!done && w.again_at_end && done.error().code == EINVAL) {
      later.push_back(&w);
      continue;
    }
    OCITK_TRY(told(w, std::move(done)));
    if (w.read_back) OCITK_TRY(detail::check_clamped(w, guard.dir(w.dir)));
  }
  for (const auto* w : later) {
    const standing_at asked{&standpoint::pointer, w->pointer};
    OCITK_TRY(told(*w, put(*w, guard.dir(w->dir))));
  }
  return {};
}

/// Writes the limits. A write that may only have come too early is tried again at the end.
///
/// Calls  write(2) on cgroupfs
/// Fails  with the spec pointer, the value wanted and the value there
inline auto apply(const std::vector<write>& plan, const cgroup_guard& guard) -> result<> {
  return cgroup::apply(plan, guard, [](const write&) { return true; });
}

/// Puts the device rules on a v2 cgroup; on v1 they are part of the plan.
///
/// Reads  /linux/resources/devices
inline auto filter_devices(const spec::resources& wanted, const cgroup_guard& guard) -> result<> {
  for (std::size_t i = 0; i < guard.places().size(); ++i) {
    if (!guard.places()[i].is_v2 || !guard.places()[i].limits || !guard.dir(i)) continue;
    const auto code = devices::compile(OCITK_TRY(devices::rules_of(wanted.devices)));
    auto done = at("/linux/resources/devices", [&] { return devices::attach(guard.dir(i), code, guard.was_there(i)); });
    if (!done && (done.error().code != EPERM || !detail::rootless())) return done;
  }
  return {};
}

/// Makes the cgroups with their limits, ready to be joined.
inline auto make_with_limits(std::vector<place> places, const spec::linux_& linux) -> result<cgroup_guard> {
  const auto writes = OCITK_TRY(plan(places, linux.resources, {.devices = !detail::rootless()}));
  auto guard = OCITK_TRY(make(std::move(places), !linux.cgroups_path.empty()));
  OCITK_TRY(cgroup::apply(writes, guard));  // std::apply would like these arguments too
  OCITK_TRY(filter_devices(linux.resources, guard));
  return guard;
}

/// Joins the calling process, which has to be the only thread of its process. The join through `tasks` takes 0.1 ms
/// for nine hierarchies; through `cgroup.procs` it waits 14 ms for an RCU grace period.
inline auto join(std::span<const unique_fd> tasks) -> result<> {
  for (const auto& file : tasks) OCITK_TRY(trying("join a cgroup", fs::write_to(file, "0")));
  return {};
}

/// Moves another process with all its threads, 0: the calling one, into cgroups that exist.
inline auto enter(fs::paths all, int pid) -> result<> {
  for (const auto& path : all) {
    const auto dir = OCITK_TRY(fs::open_dir(path));
    OCITK_TRY(trying(path, fs::write_file(dir, "cgroup.procs", std::to_string(pid))));
  }
  return {};
}

}  // namespace ocitk::stages::cgroup

namespace ocitk::stages {

/// Makes the container's cgroups with their limits and moves the process of the context there. On failure nothing
/// of them stays.
///
/// Reads    /linux/cgroupsPath, /linux/resources
/// Process  parent
/// Calls    mkdirat(2), write(2) on cgroupfs, bpf(2) for devices on v2
/// Fails    EACCES, EBUSY, EINVAL with the value wanted and the value there
struct make_cgroup : stage_in<parent_context> {
  static constexpr std::string_view name = "cgroup";
  static constexpr std::string_view reads = "/linux/cgroupsPath, /linux/resources";
  static constexpr std::string_view summary = "makes the cgroups with their limits";
  auto operator()(parent_context& ctx) const -> result<> {
    const auto layout = OCITK_TRY(sys::cgroupfs::detect());
    auto places = OCITK_TRY(cgroup::resolve(layout, ctx.spec.linux.cgroups_path, ctx.id));
    auto guard = OCITK_TRY(cgroup::make_with_limits(std::move(places), ctx.spec.linux));
    std::vector<std::string> there;
    for (std::size_t i = 0; i < guard.places().size(); ++i)
      if (guard.dir(i)) there.push_back(guard.places()[i].path());
    OCITK_TRY(cgroup::enter(there, ctx.pid));
    ctx.cgroup_paths = std::move(there);
    guard.keep();
    return {};
  }
};

/// Puts init into the v1 cgroups, by files that the parent opened. Into cgroup2 it was born.
///
/// Process  init, single threaded
/// Calls    write(2) of "0" to each `tasks`
struct join_cgroup : stage_in<init_context> {
  static constexpr std::string_view name = "cgroup";
  static constexpr std::string_view reads = "/linux/cgroupsPath";
  static constexpr std::string_view summary = "joins them";
  auto operator()(init_context& ctx) const -> result<> {
    OCITK_TRY(at("/linux/cgroupsPath", [&] { return cgroup::join(ctx.cgroup_joins); }));
    ctx.cgroup_joins.clear();
    return {};
  }
};

}  // namespace ocitk::stages

#endif
