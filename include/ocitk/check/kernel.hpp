#ifndef OCITK_CHECK_KERNEL_HPP
#define OCITK_CHECK_KERNEL_HPP

#include <ocitk/check/finding.hpp>
#include <ocitk/check/host.hpp>
#include <ocitk/check/mount_entries.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/nearest.hpp>
#include <ocitk/stages/seccomp.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a config asks of the kernel that this one does not have.
namespace ocitk::check {

namespace detail {

template <class Words>
auto lists(const Words& words, std::string_view word) -> bool {
  return std::ranges::find(words, word) != std::ranges::end(words);
}

/// Calls that no container can do without, and the part of the spec they serve.
inline void missing_calls(findings& all, const host& h) {
  for (const auto& call : h.missing_calls) {
    const std::string_view name = std::string_view{call}.substr(0, call.find(' '));
    const auto* pointer = name == "openat2"    ? "/root/path"
                          : name == "clone3"   ? "/linux/namespaces"
                          : name == "pidfd_open" || name == "close_range" ? "/process"
                                                                           : "/mounts";
    all.push_back({.pointer = pointer, .message = fmt::format("the kernel does not have {}", name), .needs = call});
  }
}

inline void missing_namespaces(findings& all, const spec::linux_& l, const host& h) {
  for (std::size_t i = 0; i < l.namespaces.size(); ++i) {
    const auto& type = l.namespaces[i].type;
    if (sys::kind_of(type) != nullptr && !lists(h.namespaces, type))
      all.push_back({.pointer = fmt::format("/linux/namespaces/{}", i),
                     .message = fmt::format("the kernel has no {} namespaces", type),
                     .needs = type + " namespaces"});
  }
}

/// What fsopen(2) will be asked for: a subtype after a dot is the file system's own business, and on a unified host
/// an entry of type cgroup becomes cgroup2.
inline auto wanted_filesystem(const spec::mount& m, bool unified) -> std::string {
  if (m.type == "cgroup" && unified) return "cgroup2";
  return m.type.substr(0, m.type.find('.'));
}

inline void missing_filesystems(findings& all, const std::vector<spec::mount>& mounts, const host& h) {
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    if (mounts[i].type.empty() || is_bind(mounts[i]) || is_remount(mounts[i])) continue;
    const auto type = wanted_filesystem(mounts[i], h.cgroups.pure_v2);
    if (lists(h.filesystems, type)) continue;
    all.push_back({.pointer = fmt::format("/mounts/{}/type", i),
                   .message = fmt::format("the kernel has no file system \"{}\"", type),
                   .suggestion = spec::nearest(type, h.filesystems).value_or(""),
                   .needs = "file system " + type});
  }
}

inline void missing_labels(findings& all, const spec::config& c, const host& h) {
  const auto add = [&](std::string pointer, std::string_view what, std::string needs) {
    all.push_back({.pointer = std::move(pointer), .message = fmt::format("{} on this host", what), .needs = std::move(needs)});
  };
  if (!c.linux.mount_label.empty() && !h.selinux) add("/linux/mountLabel", "SELinux is off", "SELinux");
  if (c.linux.intel_rdt && !h.resctrl) add("/linux/intelRdt", "resctrl is not mounted", "Intel RDT");
  if (!c.process) return;
  const auto& profile = c.process->apparmor_profile;
  if (!profile.empty() && !h.apparmor)
    add("/process/apparmorProfile", "AppArmor is off", "AppArmor");
  else if (!profile.empty() && profile != "unconfined" && h.profiles && !lists(*h.profiles, profile))
    add("/process/apparmorProfile", fmt::format("profile \"{}\" is not loaded", profile), "AppArmor profile " + profile);
  if (!c.process->selinux_label.empty() && !h.selinux) add("/process/selinuxLabel", "SELinux is off", "SELinux");
}

inline void missing_seccomp(findings& all, const spec::seccomp& s, const host& h) {
  const auto add = [&](std::string pointer, const std::string& word) {
    all.push_back({.pointer = std::move(pointer),
                   .message = fmt::format("the kernel's filters do not know {}", word),
                   .needs = word});
  };
  const auto check_action = [&](std::string pointer, const std::string& word) {
    const auto action = stages::seccomp::action_of(word, std::nullopt);
    if (action && !std::ranges::count(h.seccomp_actions, *action & SECCOMP_RET_ACTION_FULL)) add(std::move(pointer), word);
  };
  check_action("/linux/seccomp/defaultAction", s.default_action);
  for (std::size_t i = 0; i < s.syscalls.size(); ++i)
    check_action(fmt::format("/linux/seccomp/syscalls/{}/action", i), s.syscalls[i].action);
  if (!s.flags) return;
  for (std::size_t i = 0; i < s.flags->size(); ++i) {
    const auto flag = stages::seccomp::flags_of(spec::strings{(*s.flags)[i]}, true, false);
    if (flag && (*flag & ~h.seccomp_flags) != 0) add(fmt::format("/linux/seccomp/flags/{}", i), (*s.flags)[i]);
  }
}

}  // namespace detail

/// Reads  /linux/namespaces, /linux/seccomp, /linux/mountLabel, /linux/intelRdt, /mounts/N/type,
///        /process/apparmorProfile, /process/selinuxLabel
inline auto kernel_findings(const spec::config& c, const host& h) -> findings {
  findings all;
  detail::missing_calls(all, h);
  detail::missing_namespaces(all, c.linux, h);
  detail::missing_filesystems(all, c.mounts, h);
  detail::missing_labels(all, c, h);
  if (c.linux.seccomp) detail::missing_seccomp(all, *c.linux.seccomp, h);
  return all;
}

}  // namespace ocitk::check

#endif
