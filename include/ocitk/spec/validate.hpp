#ifndef OCITK_SPEC_VALIDATE_HPP
#define OCITK_SPEC_VALIDATE_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/detail/fields.hpp>
#include <ocitk/spec/id_maps.hpp>
#include <ocitk/spec/sysctl.hpp>
#include <ocitk/text.hpp>

#include <sys/types.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What can be said about a config by reading it: nothing here asks the system. What a stage understands anyway
/// (mount options, limits, seccomp words, rlimits) is judged there.
namespace ocitk::spec {

/// What the verdict depends on beside the document.
struct circumstances {
  ::uid_t euid = 0;
  bool no_pivot = false;
};

namespace detail {

inline auto check_env(const strings& env) -> result<> {
  for (std::size_t i = 0; i < env.size(); ++i) {
    const auto pointer = filled("/process/env/{}", i);
    const auto equals = env[i].find('=');
    if (equals == std::string::npos) return failure("invalid environment variable: missing '='", pointer);
    if (equals == 0) return failure("invalid environment variable: name cannot be empty", pointer);
  }
  return {};
}

inline auto check_process(const process& p) -> result<> {
  if (p.cwd.empty()) return failure("Cwd property must not be empty", "/process/cwd");
  if (!p.cwd.starts_with('/')) return failure("Cwd must be an absolute path", "/process/cwd");
  if (p.args.empty()) return failure("args must not be empty", "/process/args");
  constexpr int most = 1000;
  if (p.oom_score_adj && (*p.oom_score_adj < -most || *p.oom_score_adj > most))
    return failure("oomScoreAdj must be from -1000 to 1000", "/process/oomScoreAdj");
  return check_env(p.env);
}

inline auto check_namespaces(const linux_& l) -> result<> {
  constexpr std::array<std::string_view, 8> known{"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"};
  for (std::size_t i = 0; i < l.namespaces.size(); ++i) {
    const auto& n = l.namespaces[i];
    const auto pointer = filled("/linux/namespaces/{}", i);
    if (std::ranges::find(known, n.type) == known.end())
      return failure(filled("namespace \"{}\" does not exist", n.type), pointer + "/type");
    if (l.find(n.type) != &n) return failure("malformed spec file: duplicated ns", pointer);
    if (!n.path.empty() && !n.path.starts_with('/')) return failure("namespace path must be absolute", pointer + "/path");
  }
  return {};
}

inline auto check_maps(const linux_& l, ::uid_t euid) -> result<> {
  const bool maps = !l.uid_mappings.empty() || !l.gid_mappings.empty();
  if (maps && !l.has("user"))
    return failure("user namespace mappings specified, but user namespace isn't enabled in the config", "/linux/uidMappings");
  if (l.creates("user") && (l.uid_mappings.empty() || l.gid_mappings.empty()))
    return failure("user namespaces enabled, but no namespace path to join nor mappings to apply specified", "/linux/namespaces");
  if (euid != 0 && !l.has("user")) return failure("rootless container requires user namespaces", "/linux/namespaces");
  return {};
}

inline auto check_clocks(const linux_& l) -> result<> {
  if (l.time_offsets.empty()) return {};
  const auto* time = l.find("time");
  if (time == nullptr)
    return failure("time namespace offsets specified, but time namespace isn't enabled in the config", "/linux/timeOffsets");
  if (!time->path.empty())
    return failure("time namespace enabled, but both namespace path and time offsets specified -- you may only provide one",
                   "/linux/timeOffsets");
  return {};
}

inline auto check_needs(const config& c) -> result<> {
  if (!c.hostname.empty() && !c.linux.has("uts"))
    return failure("unable to set hostname without a private UTS namespace", "/hostname");
  if (!c.domainname.empty() && !c.linux.has("uts"))
    return failure("unable to set domainname without a private UTS namespace", "/domainname");
  if (!c.linux.net_devices.empty() && !c.linux.has("network"))
    return failure("unable to move network devices without a NET namespace", "/linux/netDevices");
  if (c.linux.has("mount")) return {};
  if (!c.linux.masked_paths.empty() || !c.linux.readonly_paths.empty())
    return failure("unable to restrict sys entries without a private MNT namespace", "/linux/maskedPaths");
  if (!c.mounts.empty()) return failure("unable to mount without a private MNT namespace", "/mounts");
  return {};
}

/// An option for a file system that names an id: `gid=5`, alone or among others.
inline auto check_mount_ids(const linux_& l, std::string_view option, ::uid_t euid) -> result<> {
  while (!option.empty()) {
    const auto end = option.find(',');
    const auto word = option.substr(0, end);
    option = end == option.npos ? std::string_view{} : option.substr(end + 1);
    const bool of_user = word.starts_with("uid=");
    if (!of_user && !word.starts_with("gid=")) continue;
    std::uint32_t id = 0;
    const auto digits = word.substr(4);
    const auto [last, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (problem != std::errc{} || last != digits.data() + digits.size()) continue;  // the file system says what it thinks of it
    if (run_on_host(of_user ? l.uid_mappings : l.gid_mappings, id, 1)) continue;
    return failure(filled("cannot specify {} mount option for {} container: the id is not mapped in its user namespace", word,
                          euid != 0 ? "rootless" : "this"));
  }
  return {};
}

inline auto check_mounts(const config& c, const circumstances& about) -> result<> {
  for (std::size_t i = 0; i < c.mounts.size(); ++i) {
    const auto& m = c.mounts[i];
    const auto pointer = filled("/mounts/{}", i);
    const bool maps = !m.uid_mappings.empty() || !m.gid_mappings.empty();
    const auto asks_for_ids = [](const std::string& o) {
      return o == "idmap" || o == "ridmap" || o.starts_with("idmap=") || o.starts_with("ridmap=");
    };
    if (about.euid != 0 && (maps || std::ranges::any_of(m.options, asks_for_ids)))
      return failure("id-mapped mounts are not supported for rootless containers", pointer);
    if (!c.linux.creates("user")) continue;
    for (const auto& option : m.options) OCITK_TRY(at(pointer + "/options", check_mount_ids(c.linux, option, about.euid)));
  }
  return {};
}

inline auto check_paths(const strings& paths, std::string_view pointer) -> result<> {
  for (std::size_t i = 0; i < paths.size(); ++i)
    if (!paths[i].starts_with('/')) return failure("must be an absolute path", filled("{}/{}", pointer, i));
  return {};
}

/// Only what a namespace of the container's own isolates (threat R13).
inline auto check_sysctl(const linux_& l, const std::string& key) -> result<> {
  constexpr std::array<std::string_view, 8> ipc{"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
                                                "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced"};
  const auto path = OCITK_TRY(sysctl_path(key));
  if (std::ranges::find(ipc, path) != ipc.end() || path.starts_with("fs/mqueue/")) {
    if (l.has("ipc")) return {};
    return failure(filled("sysctl \"{}\" is not allowed in the hosts ipc namespace", key));
  }
  if (path.starts_with("net/")) {
    if (l.has("network")) return {};
    return failure(filled("sysctl \"{}\" not allowed in host network namespace", key));
  }
  if (path == "kernel/domainname" && l.has("uts")) return {};
  if (path == "kernel/hostname") return failure(filled("sysctl \"{}\" conflicts with the OCI \"hostname\" field", key));
  if (path.starts_with("user/")) {
    if (l.has("user")) return {};
    return failure("setting ucounts without a user namespace not allowed: " + key);
  }
  return failure(filled("sysctl \"{}\" is not in a separate kernel namespace", key));
}

inline auto check_linux(const linux_& l, const circumstances& about) -> result<> {
  OCITK_TRY(check_namespaces(l));
  OCITK_TRY(check_maps(l, about.euid));
  OCITK_TRY(check_clocks(l));
  OCITK_TRY(check_paths(l.masked_paths, "/linux/maskedPaths"));
  OCITK_TRY(check_paths(l.readonly_paths, "/linux/readonlyPaths"));
  for (const auto& [key, value] : l.sysctl) OCITK_TRY(at(below("/linux/sysctl", key), check_sysctl(l, key)));
  constexpr std::array<std::string_view, 9> words{"", "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"};
  if (std::ranges::find(words, l.rootfs_propagation) == words.end())
    return failure(filled("rootfsPropagation={} is not supported", l.rootfs_propagation), "/linux/rootfsPropagation");
  if (about.no_pivot && l.rootfs_propagation.ends_with("private"))
    return failure("rootfsPropagation of [r]private is not safe with no_pivot_root", "/linux/rootfsPropagation");
  return {};
}

inline auto check_hooks(const std::vector<hook>& list, std::string_view pointer) -> result<> {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].path.starts_with('/')) return failure("the path of a hook must be absolute", filled("{}/{}/path", pointer, i));
    if (list[i].timeout && *list[i].timeout <= 0)
      return failure("the timeout of a hook must be greater than zero", filled("{}/{}/timeout", pointer, i));
  }
  return {};
}

inline auto check_hooks(const hooks& all) -> result<> {
  OCITK_TRY(check_hooks(all.prestart, "/hooks/prestart"));
  OCITK_TRY(check_hooks(all.create_runtime, "/hooks/createRuntime"));
  OCITK_TRY(check_hooks(all.create_container, "/hooks/createContainer"));
  OCITK_TRY(check_hooks(all.start_container, "/hooks/startContainer"));
  OCITK_TRY(check_hooks(all.poststart, "/hooks/poststart"));
  return check_hooks(all.poststop, "/hooks/poststop");
}

}  // namespace detail

/// The same for a process alone, as `exec` starts one.
inline auto validate_process(const process& p, const circumstances& about) -> result<> {
  OCITK_TRY(detail::check_process(p));
  if (about.euid != 0 && !p.user.additional_gids.empty())
    return failure("cannot set any additional groups in a rootless container", "/process/user/additionalGids");
  return {};
}

/// The rules of the specification and of the kernel, as far as the document alone shows them.
///
/// Returns  warnings
/// Fails    with the pointer of what is wrong, in the words callers of runc know
inline auto validate(const config& c, const circumstances& about) -> result<strings> {
  if (!c.root) return failure("root must be specified", "/root");
  if (!c.process) return failure("process property must not be empty", "/process");
  OCITK_TRY(validate_process(*c.process, about));
  OCITK_TRY(detail::check_linux(c.linux, about));
  OCITK_TRY(detail::check_needs(c));
  OCITK_TRY(detail::check_mounts(c, about));
  OCITK_TRY(detail::check_hooks(c.hooks));
  if (about.euid != 0 && !c.linux.net_devices.empty())
    return failure("network devices are not supported for rootless containers", "/linux/netDevices");
  strings warnings;
  for (const auto& m : c.mounts)
    if (!m.destination.starts_with('/')) warnings.push_back(filled("mount destination {} is not absolute", m.destination));
  return warnings;
}

}  // namespace ocitk::spec

#endif
