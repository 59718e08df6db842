#ifndef OCITK_SYS_USER_NAMESPACE_HPP
#define OCITK_SYS_USER_NAMESPACE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/sys/socket.hpp>
#include <ocitk/text.hpp>

#include <sched.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

/// User namespaces that nobody lives in: tables of ids, for mounts.
namespace ocitk::sys {

namespace detail {

/// A map is one write(2), or the kernel refuses it.
inline auto write_map(fd_ref proc_of_pid, const std::string& file, std::string_view text) -> result<> {
  const auto map = OCITK_TRY(open_at(proc_of_pid, file, O_WRONLY));
  return trying(file, checked(kernel::write(map.get(), text.data(), text.size()), "write"));
}

/// Tells its number in the procfs that both sides see, which may not count as the caller does; stays until the other
/// side is gone.
[[noreturn]] inline auto hold_namespace(fd_ref caller) -> void {
  const auto number = read_link_at(fd_ref::cwd(), "/proc/self");
  if (number && send_message(caller, *number)) (void)receive_message(caller, 16);  // its end is all it says
  ::_exit(0);
}

inline auto fill_namespace(fd_ref helper, const std::string& uids, const std::string& gids) -> result<unique_fd> {
  const auto number = OCITK_TRY(receive_message(helper, 16));
  if (number.end) return failure("no procfs on /proc shows this process");
  const auto proc = OCITK_TRY(open_at(fd_ref::cwd(), "/proc/" + number.bytes, O_PATH | O_DIRECTORY));
  OCITK_TRY(write_map(proc, "uid_map", uids));
  OCITK_TRY(write_map(proc, "gid_map", gids));
  return open_at(proc, "ns/user", O_RDONLY);
}

}  // namespace detail

/// A user namespace with these maps (lines of user_namespaces(7)); it lasts as long as something refers to it.
///
/// Process  one with a single thread; its helper is gone when this returns
/// Calls    clone3(2) CLONE_NEWUSER, write(2) on /proc/PID/{uid_map,gid_map}
/// Fails    EINVAL for maps that overlap, EPERM for ids the caller may not map
inline auto make_user_namespace(const std::string& uids, const std::string& gids) -> result<unique_fd> {
  auto [mine, theirs] = OCITK_TRY(seqpacket_pair());
  const auto helper = OCITK_TRY(clone_process({.flags = CLONE_NEWUSER}));
  if (helper.pid == 0) {
    mine.reset();
    detail::hold_namespace(theirs);
  }
  theirs.reset();
  auto made = detail::fill_namespace(mine, uids, gids);
  mine.reset();
  (void)exit_status(helper.pid);  // ECHILD where the caller ignores SIGCHLD: gone all the same
  return made;
}

}  // namespace ocitk::sys

#endif
