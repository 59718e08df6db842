#ifndef OCITK_SYS_IO_HPP
#define OCITK_SYS_IO_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>

#include <poll.h>
#include <unistd.h>

#include <span>
#include <string>
#include <string_view>

/// Reading and writing to the end: interrupted and short calls never surface (threat F40).
namespace ocitk::sys {

/// Waits for news of a descriptor: POLLIN and the like, or 0 for its other end's end alone. -1 milliseconds: for ever.
/// False when the time is over first.
///
/// Calls  poll(2)
inline auto wait_for(fd_ref fd, short events, int milliseconds) -> result<bool> {
  pollfd p{.fd = fd.get(), .events = events, .revents = 0};
  for (;;) {
    const int n = ::poll(&p, 1, milliseconds);
    if (n >= 0) return n > 0;
    if (errno != EINTR) return failed("poll");
  }
}

/// One read(2); 0 is the end.
inline auto read_some(fd_ref fd, std::span<char> into) -> result<std::size_t> {
  for (;;) {
    const auto n = kernel::read(fd.get(), into.data(), into.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) return failed("read");
  }
}

/// Fails  EFBIG above `limit` bytes
inline auto read_all(fd_ref fd, std::size_t limit) -> result<std::string> {
  constexpr std::size_t step = 16 * 1024;
  std::string text;
  for (;;) {
    const auto filled = text.size();
    text.resize(filled + step);
    const auto n = OCITK_TRY(read_some(fd, std::span{text}.subspan(filled)));
    text.resize(filled + n);
    if (n == 0) return text;
    if (text.size() > limit) return std::unexpected(error{.code = EFBIG, .call = "read"});
  }
}

inline auto read_file(fd_ref dir, const std::string& path, std::size_t limit) -> result<std::string> {
  const auto file = OCITK_TRY(open_at(dir, path, O_RDONLY));
  return trying(path, read_all(file, limit));
}

inline auto write_all(fd_ref fd, std::string_view text) -> result<> {
  while (!text.empty()) {
    const auto n = kernel::write(fd.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace ocitk::sys

#endif
