#ifndef OCITK_SYS_INHERITANCE_HPP
#define OCITK_SYS_INHERITANCE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/kernel/file.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/sys/listing.hpp>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

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

/// For kernels before 5.11 and filters that forbid close_range(2).
inline auto close_on_exec_by_listing(unsigned first) -> result<> {
  const unique_fd all{kernel::openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!all) return failed("open", "/proc/self/fd");
  if (OCITK_TRY(filesystem_of(all)) != PROC_SUPER_MAGIC) return failure("/proc/self/fd is not on a proc file system");
  for (const auto& entry : OCITK_TRY(list_directory(all))) {
    const int fd = std::atoi(entry.name.c_str());
    if (static_cast<unsigned>(fd) >= first) (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);  // the listing's own is closed already
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
