#ifndef OCITK_SYS_PROBE_HPP
#define OCITK_SYS_PROBE_HPP

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string_view>

/// What the kernel can do, asked without doing it: each call gets arguments that it refuses before all else.
namespace ocitk::sys {

/// A system call newer than the kernels this could run on.
struct recent_call {
  std::string_view name;
  std::string_view since;  ///< the Linux version that brought it
  bool there = false;
};

namespace detail {
/// Any answer but ENOSYS comes from the call itself, or from a filter that knows it.
inline auto is_there(long ret) -> bool { return ret != -1 || errno != ENOSYS; }
}  // namespace detail

/// Calls  each with a size, a flag or a descriptor that it answers EINVAL, EBADF or EPERM to
inline auto recent_calls() -> std::array<recent_call, 8> {
  using detail::is_there;
  constexpr unsigned bad = ~0U;
  return {{{"open_tree", "5.2", is_there(::syscall(SYS_open_tree, -1, "", bad))},
           {"move_mount", "5.2", is_there(::syscall(SYS_move_mount, -1, "", -1, "", bad))},
           {"fsopen", "5.2", is_there(::syscall(SYS_fsopen, nullptr, bad))},
           {"pidfd_open", "5.3", is_there(::syscall(SYS_pidfd_open, -1, bad))},
           {"clone3", "5.3", is_there(::syscall(SYS_clone3, nullptr, 0))},
           {"openat2", "5.6", is_there(::syscall(SYS_openat2, -1, nullptr, nullptr, 0))},
           {"close_range", "5.9", is_there(::syscall(SYS_close_range, 1, 0, 0))},
           {"mount_setattr", "5.12", is_there(::syscall(SYS_mount_setattr, -1, "", bad, nullptr, 0))}}};
}

/// Does seccomp(2) know what a filter is to return? False for all on a kernel without filters.
inline auto knows_seccomp_action(std::uint32_t action) -> bool {
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace ocitk::sys

#endif
