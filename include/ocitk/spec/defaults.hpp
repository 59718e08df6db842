#ifndef OCITK_SPEC_DEFAULTS_HPP
#define OCITK_SPEC_DEFAULTS_HPP

#include <ocitk/spec/config.hpp>

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

/// The document that `ocitk spec` writes: runc's, field by field.
namespace ocitk::spec {

/// The version of the specification that this runtime speaks.
inline constexpr std::string_view oci_version = "1.3.0";

namespace detail {

inline auto default_process() -> process {
  const strings caps{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  return {.terminal = true,
          .args = {"sh"},
          .env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"},
          .cwd = "/",
          .capabilities = capabilities{.bounding = caps, .effective = caps, .permitted = caps},
          .rlimits = {{.type = "RLIMIT_NOFILE", .soft = 1024, .hard = 1024}},
          .no_new_privileges = true};
}

inline auto default_mount(std::string destination, std::string type, std::string source, strings options) -> mount {
  return {.destination = std::move(destination),
          .type = std::move(type),
          .source = std::move(source),
          .options = std::move(options)};
}

/// Rootless has no right to a fresh sysfs without a network namespace of its own, and maps no group 5.
inline auto default_mounts(bool rootless) -> std::vector<mount> {
  strings pts{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  if (!rootless) pts.emplace_back("gid=5");
  auto sys = rootless ? default_mount("/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"})
                      : default_mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"});
  return {default_mount("/proc", "proc", "proc", {}),
          default_mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
          default_mount("/dev/pts", "devpts", "devpts", std::move(pts)),
          default_mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
          default_mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
          std::move(sys),
          default_mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"})};
}

inline auto default_namespaces(bool cgroup2, bool rootless) -> std::vector<ns> {
  std::vector<ns> all{{.type = "pid"}};
  if (!rootless) all.push_back({.type = "network"});
  for (const auto* type : {"ipc", "uts", "mount"}) all.push_back({.type = type});
  if (cgroup2) all.push_back({.type = "cgroup"});
  if (rootless) all.push_back({.type = "user"});
  return all;
}

inline auto default_linux(bool cgroup2, bool rootless, ::uid_t uid, ::gid_t gid) -> linux_ {
  linux_ l;
  l.namespaces = default_namespaces(cgroup2, rootless);
  if (rootless) {
    l.uid_mappings = {{.container_id = 0, .host_id = uid, .size = 1}};
    l.gid_mappings = {{.container_id = 0, .host_id = gid, .size = 1}};
  } else {
    l.resources.devices = {{.allow = false, .access = "rwm"}};
  }
  l.masked_paths = {"/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
                    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"};
  l.readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  return l;
}

}  // namespace detail

/// A config that runs `sh` in a bundle's `rootfs`. The ids are the caller's, mapped to 0 when rootless and
/// unused otherwise.
inline auto default_config(bool cgroup2, bool rootless, ::uid_t uid, ::gid_t gid) -> config {
  return {.oci_version = std::string{oci_version},
          .root = root{.path = "rootfs", .readonly = true},
          .process = detail::default_process(),
          .hostname = "runc",
          .mounts = detail::default_mounts(rootless),
          .linux = detail::default_linux(cgroup2, rootless, uid, gid)};
}

}  // namespace ocitk::spec

#endif
