#ifndef OCITK_SYS_SECCOMP_HPP
#define OCITK_SYS_SECCOMP_HPP

#include <ocitk/error.hpp>
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
};

/// Fails  EACCES without CAP_SYS_ADMIN and without no_new_privs; EINVAL: bad program or unknown flag
inline auto set_seccomp_filter(const seccomp_filter& filter) -> result<> {
  const sock_fprog program{.len = static_cast<unsigned short>(filter.program.size()),
                           .filter = const_cast<sock_filter*>(filter.program.data())};  // the kernel only reads
  return checked(kernel::seccomp(SECCOMP_SET_MODE_FILTER, filter.flags, program), "seccomp");
}

/// Does the kernel know the flag? It looks at flags before it looks at the program, which is none here.
inline auto knows_seccomp_flag(unsigned long flag) -> bool {
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, nullptr) == -1 && errno == EFAULT;
}

}  // namespace ocitk::sys

#endif
