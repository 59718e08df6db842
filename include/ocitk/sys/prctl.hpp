#ifndef OCITK_SYS_PRCTL_HPP
#define OCITK_SYS_PRCTL_HPP

#include <ocitk/error.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <sys/prctl.h>

/// prctl(2), one function per question. All of it is about the calling thread.
namespace ocitk::sys {

/// Do permitted capabilities outlive the change from uid 0 to another? Cleared by execve.
inline auto keep_capabilities(bool keep) -> result<> {
  return checked(kernel::prctl("PR_SET_KEEPCAPS", PR_SET_KEEPCAPS, keep ? 1UL : 0UL), "prctl(PR_SET_KEEPCAPS)");
}

/// Fails  EINVAL if the kernel knows no capability of that number: the way to learn how many there are
inline auto in_bounding_set(int capability) -> result<bool> {
  const int ret = kernel::prctl_asking("PR_CAPBSET_READ", PR_CAPBSET_READ, static_cast<unsigned long>(capability));
  if (ret < 0) return failed("prctl(PR_CAPBSET_READ)");
  return ret == 1;
}

/// Fails  EPERM without CAP_SETPCAP
inline auto drop_from_bounding_set(int capability) -> result<> {
  return checked(kernel::prctl("PR_CAPBSET_DROP", PR_CAPBSET_DROP, static_cast<unsigned long>(capability)),
                 "prctl(PR_CAPBSET_DROP)");
}

inline auto in_ambient_set(int capability) -> result<bool> {
  const int ret =
      kernel::prctl_asking("PR_CAP_AMBIENT", PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, static_cast<unsigned long>(capability));
  if (ret < 0) return failed("prctl(PR_CAP_AMBIENT_IS_SET)");
  return ret == 1;
}

/// Fails  EPERM unless the capability is both permitted and inheritable
inline auto raise_ambient(int capability) -> result<> {
  return checked(kernel::prctl("PR_CAP_AMBIENT", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, static_cast<unsigned long>(capability)),
                 "prctl(PR_CAP_AMBIENT_RAISE)");
}

inline auto clear_ambient() -> result<> {
  return checked(kernel::prctl("PR_CAP_AMBIENT", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL),
                 "prctl(PR_CAP_AMBIENT_CLEAR_ALL)");
}

/// From here on no execve grants anything; there is no way back.
inline auto forbid_new_privileges() -> result<> {
  return checked(kernel::prctl("PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS, 1UL), "prctl(PR_SET_NO_NEW_PRIVS)");
}

}  // namespace ocitk::sys

#endif
