#ifndef OCITK_WATCH_GUARD_HPP
#define OCITK_WATCH_GUARD_HPP

#include <ocitk/error.hpp>
#include <ocitk/owned.hpp>

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/mount.h>

#include <array>
#include <string>

/// A rehearsal must do nothing, whatever a stage may have forgotten: its processes are kept by the kernel from every
/// call that changes something beyond themselves.
namespace ocitk::watch {

namespace detail {

inline constexpr std::array<const char*, 85> changing_calls{
    "mount", "umount2", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "pivot_root", "chroot",
    "sethostname", "setdomainname", "setns", "unshare", "fork", "vfork", "mkdir", "mkdirat", "mknod", "mknodat", "symlink",
    "symlinkat", "link", "linkat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "chown", "fchown",
    "lchown", "fchownat", "chmod", "fchmod", "fchmodat", "truncate", "ftruncate", "setrlimit", "keyctl", "add_key",
    "request_key", "bpf", "capset", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
    "setsid", "execve", "execveat", "creat", "connect", "bind", "setxattr", "lsetxattr", "fsetxattr", "removexattr",
    "sched_setaffinity", "sched_setscheduler", "sched_setattr", "ioprio_set", "set_mempolicy", "personality",
    "init_module", "finit_module", "reboot", "open_by_handle_at", "io_uring_setup", "utimensat", "futimesat", "utimes",
    "fallocate", "fchmodat2", "lremovexattr", "fremovexattr", "settimeofday", "clock_settime", "swapon", "swapoff", "acct"};

inline auto judged(int ret, std::string call) -> result<> {
  if (ret < 0) return std::unexpected(error{.code = -ret, .call = std::move(call)});
  return {};
}

inline auto deny(scmp_filter_ctx ctx, const char* name) -> result<> {
  const int number = ::seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return {};  // newer than the library
  return judged(::seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), number, 0), name);
}

/// open(2) and openat(2) for writing, for each of the flags. openat2(2) has them in memory, where no filter can look:
/// whoever uses it in a rehearsal must not ask for them.
inline auto deny_writing(scmp_filter_ctx ctx) -> result<> {
  for (const int flag : {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC}) {
    const auto bit = static_cast<scmp_datum_t>(flag);
    if (const int number = ::seccomp_syscall_resolve_name("open"); number >= 0)  // some architectures have none
      OCITK_TRY(judged(::seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), number, 1, SCMP_A1(SCMP_CMP_MASKED_EQ, bit, bit)), "open"));
    OCITK_TRY(judged(::seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, bit, bit)), "openat"));
  }
  return judged(::seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open_tree), 1,
                                   SCMP_A2(SCMP_CMP_MASKED_EQ, OPEN_TREE_CLONE, OPEN_TREE_CLONE)), "open_tree");
}

}  // namespace detail

/// From here on the calling process and its children change nothing but themselves and what they hold open.
///
/// Calls  seccomp(2), prctl(2) PR_SET_NO_NEW_PRIVS
inline auto deny_changes() -> result<> {
  const owned<scmp_filter_ctx, ::seccomp_release> ctx{::seccomp_init(SCMP_ACT_ALLOW)};
  if (!ctx) return failure("libseccomp gives no filter");
  for (const auto* name : detail::changing_calls) OCITK_TRY(detail::deny(ctx.get(), name));
  OCITK_TRY(detail::deny_writing(ctx.get()));
  return detail::judged(::seccomp_load(ctx.get()), "seccomp_load");
}

}  // namespace ocitk::watch

#endif
