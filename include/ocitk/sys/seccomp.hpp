#ifndef OCITK_SYS_SECCOMP_HPP
#define OCITK_SYS_SECCOMP_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace ocitk::sys {

/// A filter as the kernel takes it.
struct seccomp_filter {
  std::vector<sock_filter> program{};  ///< empty: nothing to load
  unsigned long flags = 0;             ///< SECCOMP_FILTER_FLAG_*
  bool listens = false;                ///< some calls wait for the answer of who holds the listener
  bool sendmsg_waits = false;          ///< sendmsg(2) is one of them: the listener cannot be sent, only named
};

/// Returns  the listener, close-on-exec, if the filter wants one
/// Fails    EACCES without CAP_SYS_ADMIN and without no_new_privs; EINVAL: bad program or unknown flag; EBUSY: there is
///          a listener already
inline auto set_seccomp_filter(const seccomp_filter& filter) -> result<unique_fd> {
  const sock_fprog program{.len = static_cast<unsigned short>(filter.program.size()),
                           .filter = const_cast<sock_filter*>(filter.program.data())};  // the kernel only reads
  const auto flags = filter.flags | (filter.listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0UL);
  const long answer = kernel::seccomp(SECCOMP_SET_MODE_FILTER, flags, program);
  if (answer < 0) return failed("seccomp");
  return filter.listens ? unique_fd{static_cast<int>(answer)} : unique_fd{};
}

/// Does the kernel know the flag? It looks at flags before it looks at the program, which is none here.
inline auto knows_seccomp_flag(unsigned long flag) -> bool {
  if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;  // means nothing without
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, nullptr) == -1 && errno == EFAULT;
}

}  // namespace ocitk::sys

#endif
