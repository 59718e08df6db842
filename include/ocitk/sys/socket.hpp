#ifndef OCITK_SYS_SOCKET_HPP
#define OCITK_SYS_SOCKET_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/text.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

/// Unix sockets that carry messages, with a descriptor now and then; see unix(7).
namespace ocitk::sys {

inline auto seqpacket_pair() -> result<std::pair<unique_fd, unique_fd>> {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return failed("socketpair");
  for (const int end : ends) learn_name(end, "channel");
  return std::pair{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

namespace detail {

inline auto connect_to(fd_ref socket, std::string_view path) -> result<> {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::unexpected(error{.code = ENAMETOOLONG, .call = "connect"});
  std::memcpy(address.sun_path, path.data(), path.size());
  for (;;) {
    if (kernel::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address, path) == 0) return {};
    if (errno != EINTR) return failed("connect");
  }
}

/// A name that no file system has: everything behind the `@`, not ended by a zero.
inline auto connect_to_abstract(fd_ref socket, std::string_view name) -> result<> {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() > sizeof address.sun_path) return std::unexpected(error{.code = ENAMETOOLONG, .call = "connect"});
  std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  return checked(kernel::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size, name), "connect");
}

}  // namespace detail

/// Connects to a stream socket of the host; a name too long for the address goes through its directory's descriptor,
/// one that starts with `@` is of the abstract kind, as to runc.
/// Nothing sent or received on it blocks for more than 5 s (threat F35).
///
/// Calls  socket(2), connect(2), setsockopt(2) SO_SNDTIMEO, SO_RCVTIMEO
/// Fails  ENOENT, ECONNREFUSED: nobody listens; EAGAIN: its queue stays full
inline auto connect_unix(const std::string& path) -> result<unique_fd> {
  unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket) return failed("socket");
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  for (const int which : {SO_SNDTIMEO, SO_RCVTIMEO})
    OCITK_TRY(checked(::setsockopt(socket.get(), SOL_SOCKET, which, &patience, sizeof patience), "setsockopt"));
  if (path.starts_with('@')) {
    OCITK_TRY(trying(path, detail::connect_to_abstract(socket, path)));
    return socket;
  }
  if (path.size() < sizeof(sockaddr_un::sun_path)) {
    OCITK_TRY(trying(path, detail::connect_to(socket, path)));
    return socket;
  }
  const auto [parent, name] = split(path);
  const auto dir = OCITK_TRY(open_at(fd_ref::cwd(), parent, O_PATH | O_DIRECTORY));
  OCITK_TRY(trying(path, detail::connect_to(socket, filled("/proc/self/fd/{}/{}", dir.get(), name))));
  return socket;
}

namespace detail {

inline auto send_some(fd_ref socket, std::string_view bytes, int passed, std::string_view seen_as) -> result<std::size_t> {
  iovec payload{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};  // only read
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &payload;
  message.msg_iovlen = 1;
  if (passed >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
  }
  for (;;) {
    const auto sent = kernel::sendmsg(socket.get(), message, bytes.size(), seen_as.empty() ? bytes : seen_as);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno != EINTR) return failed("sendmsg");
  }
}

}  // namespace detail

/// One message, with a descriptor unless `passed` is -1. A watcher is shown `seen_as` in place of bytes that are no text.
///
/// Fails  EPIPE: the other side is gone (and no SIGPIPE)
inline auto send_message(fd_ref socket, std::string_view bytes, int passed = -1, std::string_view seen_as = {}) -> result<> {
  OCITK_TRY(detail::send_some(socket, bytes, passed, seen_as));
  return {};
}

/// All bytes over a stream, however many calls it takes; the descriptor comes with the first.
///
/// Fails  EPIPE; EAGAIN: nobody reads for as long as the socket waits
inline auto send_stream(fd_ref socket, std::string_view bytes, fd_ref passed) -> result<> {
  for (int with = passed.get(); !bytes.empty(); with = -1) bytes.remove_prefix(OCITK_TRY(detail::send_some(socket, bytes, with, {})));
  return {};
}

struct message {
  std::string bytes{};
  unique_fd fd{};
  bool end = false;  ///< the other side closed: no message
};

namespace detail {

/// The first descriptor that came along; others are closed.
inline auto take_descriptor(msghdr& message) -> unique_fd {
  unique_fd first;
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(h) + i * sizeof number, sizeof number);
      unique_fd came{number};
      if (!first) first = std::move(came);
    }
  }
  return first;
}

}  // namespace detail

/// The next message of up to `limit` bytes.
///
/// Calls  recvmsg(2) MSG_CMSG_CLOEXEC
/// Fails  EMSGSIZE: it was longer
inline auto receive_message(fd_ref socket, std::size_t limit) -> result<message> {
  message came;
  came.bytes.resize(limit);
  iovec payload{.iov_base = came.bytes.data(), .iov_len = limit};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &payload;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t n = -1;
  do n = kernel::recvmsg(socket.get(), header, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno != ECONNRESET) return failed("recvmsg");
  if (n > 0) came.fd = detail::take_descriptor(header);
  if (n > 0 && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return std::unexpected(error{.code = EMSGSIZE, .call = "recvmsg"});
  came.end = n <= 0;
  came.bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return came;
}

}  // namespace ocitk::sys

#endif
