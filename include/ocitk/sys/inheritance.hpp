#ifndef OCITK_SYS_INHERITANCE_HPP
#define OCITK_SYS_INHERITANCE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>

/// What the next program would get from us through execve(2), and must not: signals and descriptors.
namespace ocitk::sys {

/// Sets every signal to its default action and blocks none: the payload starts like a login's first process.
inline void reset_signals() {
  // The kernel is asked directly, since glibc hides signals 32 and 33, which a caller may have ignored. All
  // zero is the default action with no flags, whatever the order of members in the kernel's struct.
  const std::array<unsigned long, 8> default_action{};
  for (int number = 1; number < _NSIG; ++number)
    (void)::syscall(SYS_rt_sigaction, number, default_action.data(), nullptr, _NSIG / 8);  // KILL and STOP refuse
  sigset_t none;
  ::sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);  // fails only for a bad first argument
}

namespace detail {

struct close_directory {
  void operator()(DIR* listing) const { ::closedir(listing); }
};

/// For kernels before 5.11 and filters that forbid close_range(2).
inline auto close_on_exec_by_listing(unsigned first) -> result<> {
  const std::unique_ptr<DIR, close_directory> listing{::opendir("/proc/self/fd")};
  if (!listing) return failed("opendir", "/proc/self/fd");
  struct statfs info {};
  OCITK_TRY(checked(::fstatfs(::dirfd(listing.get()), &info), "fstatfs"));
  if (info.f_type != PROC_SUPER_MAGIC) return failure("/proc/self/fd is not on a proc file system");
  while (const dirent* entry = ::readdir(listing.get())) {
    const int fd = std::atoi(entry->d_name);
    if (fd >= 0 && static_cast<unsigned>(fd) >= first) (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);  // "." gives 0
  }
  return {};
}

}  // namespace detail

/// Marks every descriptor from `first` on close-on-exec, whoever opened it.
inline auto close_on_exec(unsigned first) -> result<> {
  if (kernel::close_range(first, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return {};
  return detail::close_on_exec_by_listing(first);
}

}  // namespace ocitk::sys

#endif
