#ifndef OCITK_CHECK_PERMISSIONS_HPP
#define OCITK_CHECK_PERMISSIONS_HPP

#include <ocitk/check/finding.hpp>
#include <ocitk/check/host.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/stages/caps.hpp>
#include <ocitk/stages/rlimits.hpp>

#include <fmt/core.h>
#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a config asks for that the caller may not do.
namespace ocitk::check {

namespace detail {

inline auto lies_in(const std::vector<id_range>& ranges, std::uint32_t first, std::uint32_t size) -> bool {
  return std::ranges::any_of(ranges, [&](const id_range& r) {
    return first >= r.first && std::uint64_t{first} + size <= std::uint64_t{r.first} + r.size;
  });
}

/// One of the two maps of a new user namespace, with what the caller has to write it.
struct map_request {
  const std::vector<spec::id_mapping>& maps;
  const char* pointer;
  std::uint32_t own;  ///< the caller's id, which it may always map
  const std::vector<id_range>& here;
  const std::vector<id_range>& subordinate;
  bool privileged, helper;
  std::string_view helper_name, file;
};

/// Without privileges the kernel takes one line that maps the own id; more needs the helper, which goes by the file.
inline void judge_map(findings& all, const map_request& r) {
  const bool alone = r.maps.size() == 1 && r.maps[0].host_id == r.own && r.maps[0].size == 1;
  for (std::size_t i = 0; i < r.maps.size(); ++i) {
    const auto& m = r.maps[i];
    const auto pointer = fmt::format("{}/{}", r.pointer, i);
    const auto ids = fmt::format("{} to {}", m.host_id, std::uint64_t{m.host_id} + m.size - 1);
    const bool own = m.host_id == r.own && m.size == 1;
    if (!lies_in(r.here, m.host_id, m.size))
      all.push_back({.pointer = pointer,
                     .message = fmt::format("host ids {} do not exist in this user namespace", ids),
                     .needs = "a user namespace that has them"});
    else if (!r.privileged && !own && !lies_in(r.subordinate, m.host_id, m.size))
      all.push_back({.pointer = pointer,
                     .message = fmt::format("the caller may not map host ids {}", ids),
                     .needs = fmt::format("a line in {} that covers them", r.file)});
  }
  if (!r.privileged && !alone && !r.helper)
    all.push_back({.pointer = r.pointer,
                   .message = fmt::format("{} is not in PATH", r.helper_name),
                   .needs = std::string{r.helper_name}});
}

inline void judge_user_namespace(findings& all, const spec::linux_& l, const host& h) {
  const auto refuse = [&](std::string message, std::string needs, severity how = severity::error) {
    all.push_back({.how = how, .pointer = "/linux/namespaces", .message = std::move(message), .needs = std::move(needs)});
  };
  const bool privileged = h.holds(CAP_SYS_ADMIN);
  if (h.setting("user/max_user_namespaces") == 0U)
    refuse("user namespaces are switched off", "user.max_user_namespaces above 0");
  if (!privileged && h.setting("kernel/unprivileged_userns_clone") == 0U)
    refuse("user namespaces are for root only here", "kernel.unprivileged_userns_clone = 1");
  if (!privileged && h.setting("kernel/apparmor_restrict_unprivileged_userns").value_or(0) != 0)
    refuse("AppArmor takes the capabilities from user namespaces of programs without a profile",
           "an AppArmor profile that allows userns", severity::warning);
  judge_map(all, {.maps = l.uid_mappings, .pointer = "/linux/uidMappings", .own = h.euid, .here = h.uids,
                  .subordinate = h.sub_uids, .privileged = h.holds(CAP_SETUID), .helper = h.newuidmap,
                  .helper_name = "newuidmap", .file = "/etc/subuid"});
  judge_map(all, {.maps = l.gid_mappings, .pointer = "/linux/gidMappings", .own = h.egid, .here = h.gids,
                  .subordinate = h.sub_gids, .privileged = h.holds(CAP_SETGID), .helper = h.newgidmap,
                  .helper_name = "newgidmap", .file = "/etc/subgid"});
}

/// Without a user namespace of its own the container is set up with what the caller holds.
inline void judge_held(findings& all, const spec::config& c, const host& h) {
  const auto need = [&](int capability, const char* pointer, std::string_view to) {
    if (h.holds(capability)) return;
    const auto name = stages::caps::name_of(capability);
    all.push_back({.pointer = pointer, .message = fmt::format("the caller does not hold {} {}", name, to), .needs = name});
  };
  if (!c.linux.namespaces.empty()) need(CAP_SYS_ADMIN, "/linux/namespaces", "to make namespaces and mounts");
  if (!c.process) return;
  need(CAP_SETGID, "/process/user", "to set groups");
  if (c.process->user.uid != h.euid) need(CAP_SETUID, "/process/user/uid", "to become that user");
  const auto asked = stages::caps::plan(c.process->capabilities, h.capabilities).wanted.bounding;
  if ((h.capabilities.held.bounding & ~asked) != 0)
    need(CAP_SETPCAP, "/process/capabilities/bounding", "to drop the other ones");
  if (c.linux.seccomp && !c.process->no_new_privileges)
    need(CAP_SYS_ADMIN, "/linux/seccomp", "to load a filter without noNewPrivileges");
}

/// The runtime leaves out what cannot be had, so these are warnings.
inline void judge_capabilities(findings& all, const spec::config& c, const host& h) {
  if (!c.process || !c.process->capabilities) return;
  const auto& asked = *c.process->capabilities;
  const bool own_namespace = c.linux.has("user");
  const auto judge = [&](std::string_view key, const spec::strings& set) {
    for (std::size_t i = 0; i < set.size(); ++i) {
      const auto number = stages::caps::number_of(set[i]);
      if (!number) continue;  // told as a word that does not exist
      const bool known = (h.capabilities.known & stages::caps::bit(*number)) != 0;
      const bool held = own_namespace || (h.capabilities.held.bounding & stages::caps::bit(*number)) != 0;
      if (known && held) continue;
      all.push_back({.how = severity::warning,
                     .pointer = fmt::format("/process/capabilities/{}/{}", key, i),
                     .message = fmt::format("{} {}", known ? "the caller cannot give away" : "the kernel does not know", set[i]),
                     .needs = set[i]});
    }
  };
  judge("bounding", asked.bounding);
  judge("effective", asked.effective);
  judge("permitted", asked.permitted);
  judge("inheritable", asked.inheritable);
  judge("ambient", asked.ambient);
}

/// CAP_SYS_RESOURCE counts in the initial user namespace only.
inline void judge_resources(findings& all, const spec::process& p, const host& h) {
  const bool may_raise = h.initial_user_namespace && h.holds(CAP_SYS_RESOURCE);
  for (std::size_t i = 0; i < p.rlimits.size(); ++i) {
    const auto& r = p.rlimits[i];
    const auto resource = stages::rlimits::resource_of(r.type);
    if (!resource) continue;
    const auto pointer = fmt::format("/process/rlimits/{}/hard", i);
    const auto now = h.hard_limits.find(*resource);
    if (!may_raise && now != h.hard_limits.end() && r.hard > now->second)
      all.push_back({.pointer = pointer,
                     .message = fmt::format("the caller cannot raise {} above {}", r.type, now->second),
                     .needs = "CAP_SYS_RESOURCE"});
    if (const auto most = h.setting("fs/nr_open"); *resource == RLIMIT_NOFILE && most && r.hard > *most)
      all.push_back({.pointer = pointer,
                     .message = fmt::format("RLIMIT_NOFILE cannot be above {}", *most),
                     .needs = fmt::format("fs.nr_open of {}", r.hard)});
  }
  if (p.oom_score_adj && *p.oom_score_adj < h.oom_score_adj && !may_raise)
    all.push_back({.pointer = "/process/oomScoreAdj",
                   .message = fmt::format("the caller cannot go below its own {}", h.oom_score_adj),
                   .needs = "CAP_SYS_RESOURCE"});
}

}  // namespace detail

/// Reads  /linux/namespaces, /linux/uidMappings, /linux/gidMappings, /linux/seccomp, /process/user,
///        /process/capabilities, /process/rlimits, /process/oomScoreAdj
inline auto permission_findings(const spec::config& c, const host& h) -> findings {
  findings all;
  if (c.linux.creates("user"))
    detail::judge_user_namespace(all, c.linux, h);
  else if (!c.linux.has("user") && h.euid == 0)  // others are refused without a user namespace, whatever they hold
    detail::judge_held(all, c, h);
  detail::judge_capabilities(all, c, h);
  if (c.process) detail::judge_resources(all, *c.process, h);
  return all;
}

}  // namespace ocitk::check

#endif
