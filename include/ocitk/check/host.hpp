#ifndef OCITK_CHECK_HOST_HPP
#define OCITK_CHECK_HOST_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/stages/caps.hpp>
#include <ocitk/stages/rlimits.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/sys/probe.hpp>
#include <ocitk/sys/seccomp.hpp>

#include <dirent.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// This machine and the caller, as far as a container could need something of them. Looking changes nothing.
namespace ocitk::check {

/// A row of ids: of /etc/subuid, or of those that the caller's user namespace has.
struct id_range {
  std::uint32_t first = 0, size = 0;
  bool operator==(const id_range&) const = default;
};

/// The facts; judged in kernel.hpp and permissions.hpp.
struct host {
  // The kernel
  std::vector<std::string> missing_calls{};  ///< "clone3 (Linux 5.3)"
  std::vector<std::string> namespaces{};     ///< types, as the spec calls them
  std::vector<std::string> filesystems{};    ///< registered, or in a module that can be loaded
  std::vector<std::uint32_t> seccomp_actions{};
  unsigned long seccomp_flags = 0;
  bool apparmor = false, selinux = false, resctrl = false;
  std::optional<std::vector<std::string>> profiles{};  ///< AppArmor's, where the caller may see them
  sys::cgroupfs::layout cgroups{};
  // The caller
  ::uid_t euid = 0;
  ::gid_t egid = 0;
  bool initial_user_namespace = true;
  stages::caps::offer capabilities{};
  std::vector<id_range> uids{}, gids{};          ///< that the caller's user namespace has
  std::vector<id_range> sub_uids{}, sub_gids{};  ///< /etc/subuid, /etc/subgid
  bool newuidmap = false, newgidmap = false;
  std::map<int, rlim_t> hard_limits{};           ///< by RLIMIT_*
  int oom_score_adj = 0;
  // Settings
  std::map<std::string, std::uint64_t> settings{};  ///< of /proc/sys, by path; absent where the kernel has none

  [[nodiscard]] auto holds(int capability) const -> bool {
    return (capabilities.held.permitted & stages::caps::bit(capability)) != 0;
  }
  [[nodiscard]] auto setting(const std::string& path) const -> std::optional<std::uint64_t> {
    const auto found = settings.find(path);
    return found == settings.end() ? std::nullopt : std::optional{found->second};
  }
};

inline constexpr std::array<std::string_view, 4> watched_settings{
    "fs/nr_open", "user/max_user_namespaces", "kernel/unprivileged_userns_clone",
    "kernel/apparmor_restrict_unprivileged_userns"};

namespace detail {

using sys::cgroupfs::split;
using sys::cgroupfs::trimmed;

/// The text of a file of the kernel's or of /etc; empty if it cannot be read: then it tells nothing.
inline auto text_of(const std::string& path) -> std::string {
  constexpr std::size_t enough = std::size_t{64} << 20;
  return sys::read_file(fd_ref::cwd(), path, enough).value_or(std::string{});
}

template <class T>
auto number_in(std::string_view text) -> std::optional<T> {
  T number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// /proc/filesystems: an optional "nodev" and a name.
inline auto registered_filesystems(std::string_view proc_filesystems) -> std::vector<std::string> {
  std::vector<std::string> all;
  for (const auto& line : split(proc_filesystems, '\n'))
    if (const auto words = split(line, '\t'); !words.empty()) all.push_back(words.back());
  return all;
}

/// Modules say `alias fs-xfs xfs`.
inline auto filesystems_of_modules(std::string_view modules_alias) -> std::vector<std::string> {
  constexpr std::string_view start = "alias fs-";
  std::vector<std::string> all;
  for (std::size_t at = 0; (at = modules_alias.find(start, at)) != modules_alias.npos;) {
    const bool at_line = at == 0 || modules_alias[at - 1] == '\n';
    at += start.size();
    if (at_line) all.emplace_back(modules_alias.substr(at, modules_alias.find(' ', at) - at));
  }
  return all;
}

/// The first and the third column of /proc/self/uid_map: ids that exist here.
inline auto ranges_in_map(std::string_view uid_map) -> std::vector<id_range> {
  std::vector<id_range> all;
  for (const auto& line : split(uid_map, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() != 3) continue;
    const auto first = number_in<std::uint32_t>(words[0]), size = number_in<std::uint32_t>(words[2]);
    if (first && size) all.push_back({*first, *size});
  }
  return all;
}

/// Lines `name:first:size` of /etc/subuid for a user, by name or number.
inline auto subordinate_ids(std::string_view subuid, std::string_view name, std::uint32_t uid) -> std::vector<id_range> {
  std::vector<id_range> all;
  for (const auto& line : split(subuid, '\n')) {
    const auto words = split(line, ':');
    if (words.size() != 3 || (words[0] != name && words[0] != std::to_string(uid))) continue;
    const auto first = number_in<std::uint32_t>(words[1]), size = number_in<std::uint32_t>(words[2]);
    if (first && size) all.push_back({*first, *size});
  }
  return all;
}

/// The name that a passwd file gives a uid.
inline auto name_in(std::string_view passwd, std::uint32_t uid) -> std::string {
  for (const auto& line : split(passwd, '\n')) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const auto id = std::string_view{line}.substr(second + 1, line.find(':', second + 1) - second - 1);
    if (id == std::to_string(uid)) return line.substr(0, first);
  }
  return {};
}

inline auto in_path(const std::string& program) -> bool {
  const char* path = std::getenv("PATH");
  for (const auto& dir : split(path != nullptr ? path : "", ':'))
    if (::access((dir + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

/// "docker-default (enforce)", one a line; only root may look.
inline auto apparmor_profiles() -> std::optional<std::vector<std::string>> {
  const auto text = sys::read_file(fd_ref::cwd(), "/sys/kernel/security/apparmor/profiles", std::size_t{16} << 20);
  if (!text) return std::nullopt;
  std::vector<std::string> all;
  for (const auto& line : split(*text, '\n')) all.push_back(line.substr(0, line.rfind(" (")));
  return all;
}

inline auto is_mounted(std::string_view mountinfo, std::string_view type) -> bool {
  return mountinfo.find(fmt::format(" - {} ", type)) != mountinfo.npos;
}

inline void survey_kernel(host& h) {
  for (const auto& call : sys::recent_calls())
    if (!call.there) h.missing_calls.push_back(fmt::format("{} (Linux {})", call.name, call.since));
  for (const auto& kind : sys::namespace_kinds)
    if (::access(fmt::format("/proc/self/ns/{}", kind.file).c_str(), F_OK) == 0) h.namespaces.emplace_back(kind.type);
  h.filesystems = registered_filesystems(text_of("/proc/filesystems"));
  struct utsname name {};
  if (::uname(&name) == 0)
    for (auto& type : filesystems_of_modules(text_of(fmt::format("/lib/modules/{}/modules.alias", name.release))))
      h.filesystems.push_back(std::move(type));
  for (const std::uint32_t action : {SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP,
                                     SECCOMP_RET_ERRNO, SECCOMP_RET_TRACE, SECCOMP_RET_ALLOW, SECCOMP_RET_LOG,
                                     SECCOMP_RET_USER_NOTIF})
    if (sys::knows_seccomp_action(action)) h.seccomp_actions.push_back(action);
  for (const unsigned long flag : {SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW})
    if (sys::knows_seccomp_flag(flag)) h.seccomp_flags |= flag;
  h.apparmor = text_of("/sys/module/apparmor/parameters/enabled").starts_with('Y');
  if (h.apparmor) h.profiles = apparmor_profiles();
  const auto mountinfo = text_of("/proc/self/mountinfo");
  h.selinux = is_mounted(mountinfo, "selinuxfs");
  h.resctrl = is_mounted(mountinfo, "resctrl");
}

inline void survey_ids(host& h) {
  const auto uid_map = text_of("/proc/self/uid_map");
  h.initial_user_namespace = uid_map.find("4294967295") != uid_map.npos;
  h.uids = ranges_in_map(uid_map);
  h.gids = ranges_in_map(text_of("/proc/self/gid_map"));
  const auto name = name_in(text_of("/etc/passwd"), h.euid);
  h.sub_uids = subordinate_ids(text_of("/etc/subuid"), name, h.euid);
  h.sub_gids = subordinate_ids(text_of("/etc/subgid"), name, h.euid);
  h.newuidmap = in_path("newuidmap");
  h.newgidmap = in_path("newgidmap");
}

inline auto survey_caller(host& h) -> result<> {
  h.euid = ::geteuid();
  h.egid = ::getegid();
  h.capabilities = OCITK_TRY(stages::caps::available());
  survey_ids(h);
  for (const auto& [word, resource] : stages::rlimits::resources) {
    ::rlimit64 now{};
    OCITK_TRY(trying(word, checked(::syscall(SYS_prlimit64, 0, resource, nullptr, &now), "prlimit")));
    h.hard_limits[resource] = now.rlim_max;
  }
  h.oom_score_adj = number_in<int>(trimmed(text_of("/proc/self/oom_score_adj"))).value_or(0);
  for (const auto setting : watched_settings)
    if (const auto value = number_in<std::uint64_t>(trimmed(text_of("/proc/sys/" + std::string{setting}))))
      h.settings[std::string{setting}] = *value;
  return {};
}

}  // namespace detail

/// Looks at the machine.
///
/// Calls  reads below /proc, /sys, /etc and /lib/modules; prctl(2), capget(2), prlimit(2) to ask; sys/probe.hpp
inline auto survey() -> result<host> {
  host h;
  detail::survey_kernel(h);
  OCITK_TRY(detail::survey_caller(h));
  h.cgroups = OCITK_TRY(sys::cgroupfs::detect());
  return h;
}

}  // namespace ocitk::check

#endif
