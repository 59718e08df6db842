#ifndef OCITK_CHECK_LIMITS_HPP
#define OCITK_CHECK_LIMITS_HPP

#include <ocitk/cgroups/limits.hpp>
#include <ocitk/check/document.hpp>
#include <ocitk/check/finding.hpp>
#include <ocitk/check/host.hpp>
#include <ocitk/spec/draft.hpp>
#include <ocitk/stages/cgroup.hpp>

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The cgroups of this host, against the limits of a config.
namespace ocitk::check {

namespace detail {

using cgroups::place;

/// Those who may not make cgroups everywhere go without one if nothing in the config asks for it.
inline auto rootless(const host& h) -> bool { return h.euid != 0 || !h.initial_user_namespace; }

/// The innermost directory on the way to a cgroup that exists already.
inline auto deepest_existing(const place& p) -> std::string {
  auto path = p.path();
  while (path.size() > p.mountpoint.size() && ::access(path.c_str(), F_OK) != 0) path.resize(path.rfind('/'));
  return path;
}

/// What v1 planners call a controller is the first word of a v2 file's name.
inline auto missing_controller(const error& e) -> std::string {
  const auto start = e.detail.find('"'), end = e.detail.find('"', start + 1);
  if (!e.detail.starts_with("controller \"")) return "cgroup v2";
  return "cgroup controller " + e.detail.substr(start + 1, end - start - 1);
}

/// On v2 a plan is the same whatever is there; what is there says one file. Root hands down what the top has, others
/// use what was handed down to them.
inline void missing_v2_controllers(findings& all, const std::vector<cgroups::write>& writes,
                                   const std::vector<place>& places, bool rootless) {
  std::set<std::string> told;
  for (const auto& w : writes) {
    const auto& p = places[w.dir];
    const auto controller = w.file.substr(0, w.file.find('.'));
    if (!p.is_v2 || w.if_present || controller == "cgroup" || !told.insert(controller + w.pointer).second) continue;
    const auto top = rootless ? deepest_existing(p) : p.mountpoint;
    const auto there = split(trimmed(text_of(top + "/cgroup.controllers")), ' ');
    if (std::ranges::find(there, controller) != there.end()) continue;
    all.push_back({.pointer = w.pointer,
                   .message = fmt::format("controller \"{}\" not available", controller),
                   .needs = "cgroup controller " + controller});
  }
}

/// A cgroup can be made only where the caller may write.
inline void judge_places(findings& all, const std::vector<place>& places, const std::string& pointer) {
  std::set<std::string> told;
  for (const auto& p : places) {
    const auto dir = deepest_existing(p);
    if (::access(dir.c_str(), W_OK) == 0 || !told.insert(dir).second) continue;
    auto f = from_error({.code = errno, .detail = "no cgroup can be made in " + dir, .pointer = pointer});
    f.needs = "write access to " + dir;
    all.push_back(std::move(f));
  }
}

inline void judge_use(findings& all, const std::vector<place>& places) {
  std::vector<std::string> there;
  for (const auto& p : places)
    if (::access(p.path().c_str(), F_OK) == 0) there.push_back(p.path());
  if (const auto unused = stages::cgroup::check_unused(there); !unused) {
    auto f = from_error(unused.error());
    f.needs = "a cgroup that nobody is in";
    all.push_back(std::move(f));
  }
}

}  // namespace detail

/// What the limits need that this host's hierarchies do not have, for the config of an examined document.
///
/// Reads  /linux/cgroupsPath, /linux/resources
/// Calls  access(2), reads below the cgroup mounts
inline void judge_cgroups(examined& e, const host& h) {
  const auto& linux = e.config->linux;
  const auto places = stages::cgroup::resolve(h.cgroups, linux.cgroups_path, "ocitk-check");
  if (!places) return e.add({from_error(places.error())});
  auto draft = e.draft;
  std::vector<cgroups::write> writes;
  const auto errors = spec::hear_out(draft, [&](const spec::draft& d) -> result<> {
    const auto c = OCITK_TRY(d.read());
    writes = OCITK_TRY(cgroups::plan(*places, c.linux.resources, {.devices = !detail::rootless(h)}));
    return {};
  });
  for (const auto& err : errors) {
    auto f = from_error(err);
    if (std::ranges::find(e.all, f) != e.all.end()) continue;  // wrong anywhere
    f.needs = detail::missing_controller(err);
    e.all.push_back(std::move(f));
  }
  findings more;
  detail::missing_v2_controllers(more, writes, *places, detail::rootless(h));
  const bool asked = !linux.cgroups_path.empty();
  if (asked || !writes.empty() || !detail::rootless(h))
    detail::judge_places(more, *places, asked || writes.empty() ? "/linux/cgroupsPath" : writes[0].pointer);
  if (asked) detail::judge_use(more, *places);
  for (auto& f : more) {
    f.pointer = draft.original(f.pointer);
    if (!draft.spoilt(f.pointer)) e.all.push_back(std::move(f));
  }
}

}  // namespace ocitk::check

#endif
