#ifndef OCITK_SYS_PRIVILEGE_HPP
#define OCITK_SYS_PRIVILEGE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/sys/procfs.hpp>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What EPERM and EACCES are about: the capability a call needs, over which user namespace, and whether the calling
/// process has it there. See capabilities(7), user_namespaces(7).
namespace ocitk::sys {

/// Over which user namespace a capability has to be held.
enum class realm {
  own,      ///< the calling process'
  initial,  ///< the host's: no container with a user namespace has it
  owner,    ///< the one that owns the namespace or object the call changes
};

struct capability_word {
  unsigned number = 0;  ///< CAP_*
  std::string_view name{};
};

struct privilege {
  std::string_view call{};   ///< as errors name it
  std::string_view about{};  ///< a part of the error's detail; empty: any
  capability_word needs{};
  realm where = realm::own;
  std::uint64_t kind = 0;     ///< of `owner`: CLONE_NEW* of the namespace in question; 0: nobody can ask
  std::string_view object{};  ///< of `owner`: "the mount namespace"
  int code = EPERM;           ///< or what this call says instead
};

namespace detail {

inline constexpr std::string_view mount_ns = "the mount namespace", uts_ns = "the uts namespace",
                                  pid_ns = "the pid namespace", net_ns = "the network namespace",
                                  ipc_ns = "the ipc namespace", cgroup_ns = "the cgroup namespace",
                                  host_ids = "the user namespace the host ids are of";
inline constexpr capability_word cap_sys_admin{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, cap_sys_nice{CAP_SYS_NICE, "CAP_SYS_NICE"},
    cap_sys_resource{CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"}, cap_net_admin{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
    cap_setuid{CAP_SETUID, "CAP_SETUID"}, cap_setgid{CAP_SETGID, "CAP_SETGID"}, cap_setpcap{CAP_SETPCAP, "CAP_SETPCAP"},
    cap_kill{CAP_KILL, "CAP_KILL"};

/// The first match counts.
inline constexpr std::array privileges = std::to_array<privilege>({
    {.call = "mount", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWNS, .object = mount_ns},
    {.call = "umount2", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWNS, .object = mount_ns},
    {.call = "open_tree", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWNS, .object = mount_ns},
    {.call = "move_mount", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWNS, .object = mount_ns},
    {.call = "mount_setattr", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWNS, .object = mount_ns},
    {.call = "fsopen", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWNS, .object = mount_ns},
    {.call = "fsmount", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWNS, .object = mount_ns},
    {.call = "pivot_root", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWNS, .object = mount_ns},
    {.call = "fsconfig", .about = "proc on ", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWPID, .object = pid_ns},
    {.call = "fsconfig", .about = "sysfs on ", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWNET, .object = net_ns},
    {.call = "fsconfig", .about = "mqueue on ", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWIPC, .object = ipc_ns},
    {.call = "fsconfig", .about = "cgroup", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWCGROUP, .object = cgroup_ns},
    {.call = "fsconfig", .about = "tmpfs on ", .needs = cap_sys_admin},
    {.call = "fsconfig", .about = "devpts on ", .needs = cap_sys_admin},
    {.call = "fsconfig", .about = "overlay on ", .needs = cap_sys_admin},
    {.call = "fsconfig", .about = "fuse", .needs = cap_sys_admin},
    {.call = "fsconfig", .about = " on ", .needs = cap_sys_admin, .where = realm::initial},  // most file systems
    {.call = "sethostname", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWUTS, .object = uts_ns},
    {.call = "setdomainname", .needs = cap_sys_admin, .where = realm::owner, .kind = CLONE_NEWUTS, .object = uts_ns},
    {.call = "setns", .needs = cap_sys_admin, .where = realm::owner, .object = "the namespace to be joined"},
    {.call = "unshare", .needs = cap_sys_admin},
    {.call = "clone3", .needs = cap_sys_admin},
    {.call = "chroot", .needs = {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"}},
    {.call = "setresuid", .needs = cap_setuid},
    {.call = "setresgid", .needs = cap_setgid},
    {.call = "setgroups", .needs = cap_setgid},
    {.call = "capset", .needs = cap_setpcap},
    {.call = "prctl(PR_CAPBSET_DROP)", .needs = cap_setpcap},
    {.call = "prlimit", .needs = cap_sys_resource, .where = realm::initial},  // to raise a hard limit
    {.call = "seccomp", .needs = cap_sys_admin, .code = EACCES},  // or no_new_privs
    {.call = "mknod", .needs = {CAP_MKNOD, "CAP_MKNOD"}, .where = realm::initial},
    {.call = "chown", .needs = {CAP_CHOWN, "CAP_CHOWN"}, .where = realm::owner, .object = "the file"},
    {.call = "fchmod", .needs = {CAP_FOWNER, "CAP_FOWNER"}, .where = realm::owner, .object = "the file"},
    {.call = "keyctl", .needs = cap_sys_admin, .where = realm::initial},
    {.call = "bpf", .needs = cap_sys_admin, .where = realm::initial},  // or CAP_BPF with CAP_NET_ADMIN
    {.call = "write", .about = "uid_map", .needs = cap_setuid, .where = realm::owner, .object = host_ids},
    {.call = "write", .about = "gid_map", .needs = cap_setgid, .where = realm::owner, .object = host_ids},
    {.call = "write", .about = "oom_score_adj", .needs = cap_sys_resource, .where = realm::initial, .code = EACCES},  // to lower it
    {.call = "sched_setattr", .needs = cap_sys_nice, .where = realm::initial},
    {.call = "sched_setscheduler", .needs = cap_sys_nice, .where = realm::initial},
    {.call = "sched_setaffinity", .needs = cap_sys_nice},
    {.call = "setpriority", .needs = cap_sys_nice, .where = realm::initial, .code = EACCES},
    {.call = "ioprio_set", .needs = cap_sys_nice, .where = realm::initial},
    {.call = "ioctl(SIOCSIFFLAGS)", .needs = cap_net_admin, .where = realm::owner, .kind = CLONE_NEWNET, .object = net_ns},
    {.call = "pidfd_send_signal", .needs = cap_kill, .where = realm::owner, .object = "the process"},
    {.call = "kill", .needs = cap_kill, .where = realm::owner, .object = "the process"},
});

}  // namespace detail

/// What a failed call would have needed, or nullptr where no capability is known to decide.
inline auto privilege_for(const error& e) -> const privilege* {
  for (const auto& row : detail::privileges)
    if (row.code == e.code && row.call == e.call && e.detail.find(row.about) != std::string::npos) return &row;
  return nullptr;
}

/// What the calling process may do, as far as it can be found out.
struct rights {
  std::uint64_t effective = 0;             ///< capabilities, a bit each
  std::optional<bool> initial{};           ///< is it in the initial user namespace? nothing: not known
  std::optional<std::uint64_t> strange{};  ///< CLONE_NEW* of those namespaces another user namespace owns
  bool filtered = false;                   ///< a seccomp filter is in force
  bool no_new_privileges = false;
};

namespace detail {

inline auto effective_now() -> std::uint64_t {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return 0;
  return std::uint64_t{data[1].effective} << 32 | data[0].effective;
}

inline constexpr std::string_view initial_user_namespace = "user:[4026531837]";  // PROC_USER_INIT_INO of the kernel

inline auto is_strange(fd_ref proc, const namespace_kind& kind) -> std::optional<bool> {
  const auto ns = open_at(proc, fmt::format("self/ns/{}", kind.file), O_RDONLY);
  if (!ns && ns.error().code == ENOENT) return false;  // the kernel has none of that kind
  if (!ns) return std::nullopt;
  const unique_fd owner{::ioctl(ns->get(), NS_GET_USERNS)};
  if (!owner) return errno == EPERM ? std::optional{true} : std::nullopt;  // it is above or beside our own
  return false;
}

inline auto strange_namespaces(fd_ref proc) -> std::optional<std::uint64_t> {
  std::uint64_t strange = 0;
  for (const auto& kind : namespace_kinds) {
    if (kind.flag == CLONE_NEWUSER) continue;  // its owner is its parent, which is another one always
    const auto answer = is_strange(proc, kind);
    if (!answer) return std::nullopt;
    if (*answer) strange |= kind.flag;
  }
  return strange;
}

}  // namespace detail

/// Asks the kernel; of what needs a procfs only if one is given: open_proc(), or an empty descriptor.
///
/// Calls  capget(2), prctl(2) PR_GET_SECCOMP and PR_GET_NO_NEW_PRIVS, readlink(2), ioctl_ns(2)
inline auto rights_now(const unique_fd& proc) -> rights {
  rights s{.effective = detail::effective_now()};
  s.filtered = ::prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
  s.no_new_privileges = ::prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL) == 1;
  if (!proc) return s;
  if (const auto link = read_link_at(proc, "self/ns/user")) s.initial = *link == detail::initial_user_namespace;
  s.strange = detail::strange_namespaces(proc);
  return s;
}

namespace detail {

inline auto elsewhere(const privilege& p, const rights& s) -> std::string {
  if (s.initial.value_or(true)) return {};
  const auto here = fmt::format("this process has {} only in its own user namespace", p.needs.name);
  if (p.where == realm::initial) return fmt::format("{}; {} needs it in the initial one", here, p.call);
  if (p.where != realm::owner) return {};
  const bool sure = p.kind != 0 && s.strange.has_value();
  if (sure && (*s.strange & p.kind) == 0) return {};
  return fmt::format("{}; {} {} to another", here, p.object, sure ? "belongs" : "may belong");
}

/// The capability is there, where it has to be: something else said no.
inline auto not_for_lack_of(const privilege& p, const rights& s) -> std::string {
  const auto there = fmt::format("this process has {}, which {} needs", p.needs.name, p.call);
  if (s.filtered)
    return there + "; a seccomp filter is in force, of this container or of one around it, and may refuse the call";
  return there + ": something else refuses it, a security module (SELinux, AppArmor) for one";
}

}  // namespace detail

/// One clause on why a call was not permitted; empty for other errors, and where nothing is known.
inline auto why_not_permitted(const error& e, const rights& s) -> std::string {
  const auto* row = privilege_for(e);
  if (row == nullptr) {
    if (e.code != EPERM || e.call.empty() || !s.filtered) return {};
    return "a seccomp filter is in force, of this container or of one around it, and may refuse the call";
  }
  const bool has = (s.effective >> row->needs.number & 1U) != 0;
  if (!has) {
    const auto* where =
        row->where == realm::initial && !s.initial.value_or(true) ? " in the initial user namespace" : "";
    return fmt::format("{} needs {}{}, which this process does not have", row->call, row->needs.name, where);
  }
  const auto why = detail::elsewhere(*row, s);
  return why.empty() ? detail::not_for_lack_of(*row, s) : why;
}

}  // namespace ocitk::sys

#endif
