#ifndef OCITK_SYS_PASSWD_HPP
#define OCITK_SYS_PASSWD_HPP

#include <ocitk/fd.hpp>
#include <ocitk/sys/kernel/file.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <charconv>
#include <string>
#include <string_view>

/// /etc/passwd of a container, read by hand: NSS would run the image's code, and static glibc has none.
namespace ocitk::sys {

namespace detail {

inline constexpr std::size_t passwd_cap = std::size_t{1} << 20;  // bytes; the image chooses the size

/// Cuts the text before `separator` off the front of `rest`.
inline auto cut(std::string_view& rest, char separator) -> std::string_view {
  const auto end = rest.find(separator);
  const auto front = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return front;
}

inline auto open_passwd(fd_ref root) -> unique_fd {
  // O_NONBLOCK: a FIFO planted there must not hang us. RESOLVE_IN_ROOT: links stay inside the image.
  const open_how how{.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY,
                     .mode = 0,
                     .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  return unique_fd{kernel::openat2(root.get(), "etc/passwd", how)};
}

/// The whole file, or nothing if it is no regular file or above the cap.
inline auto read_passwd(fd_ref root) -> std::string {
  const unique_fd file = open_passwd(root);
  struct stat info {};
  if (!file || kernel::fstat(file.get(), info) != 0 || !S_ISREG(info.st_mode)) return {};
  std::string text(passwd_cap + 1, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = kernel::read(file.get(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {};
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  if (filled > passwd_cap) return {};
  text.resize(filled);
  return text;
}

}  // namespace detail

/// The home directory that the text of a passwd file gives a uid: first match; "/" if there is none to be had.
inline auto home_in(std::string_view passwd, uid_t uid) -> std::string {
  while (!passwd.empty()) {
    std::string_view line = detail::cut(passwd, '\n');
    (void)detail::cut(line, ':');  // name
    (void)detail::cut(line, ':');  // password
    const std::string_view id = detail::cut(line, ':');
    uid_t found = 0;
    const auto [end, problem] = std::from_chars(id.data(), id.data() + id.size(), found);
    if (problem != std::errc{} || end != id.data() + id.size() || found != uid) continue;
    (void)detail::cut(line, ':');  // gid
    (void)detail::cut(line, ':');  // comment
    const std::string_view home = detail::cut(line, ':');
    // It becomes an environment entry: a NUL would cut it, and no program expects a relative HOME.
    return home.starts_with('/') && home.find('\0') == std::string_view::npos ? std::string{home} : "/";
  }
  return "/";
}

/// The home directory of a uid by etc/passwd beneath `root`; "/" whenever that cannot be told.
///
/// Calls    openat2(2) with RESOLVE_IN_ROOT; only a regular file of up to 1 MiB counts
inline auto home_of(uid_t uid, fd_ref root) -> std::string { return home_in(detail::read_passwd(root), uid); }

}  // namespace ocitk::sys

#endif
