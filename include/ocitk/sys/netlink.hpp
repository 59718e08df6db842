#ifndef OCITK_SYS_NETLINK_HPP
#define OCITK_SYS_NETLINK_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// Requests to the kernel's network configuration, see rtnetlink(7). A socket speaks of the network namespace it was
/// made in, wherever its owner goes.
namespace ocitk::sys::netlink {

inline constexpr std::size_t alignment = 4;

template <class T>
  requires std::is_trivially_copyable_v<T>
auto bytes_of(const T& value) -> std::string_view {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A header of the message's own kind, out of bytes that are not aligned for it.
template <class T>
auto read_as(std::string_view bytes) -> T {
  T value{};
  std::memcpy(&value, bytes.data(), bytes.size() < sizeof value ? bytes.size() : sizeof value);
  return value;
}

/// One message in the making.
class message {
 public:
  template <class Header>
  message(std::uint16_t type, std::uint16_t flags, const Header& header) {
    bytes_ = std::string{bytes_of(nlmsghdr{.nlmsg_len = 0, .nlmsg_type = type, .nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST), .nlmsg_seq = 1, .nlmsg_pid = 0})};
    add(bytes_of(header));
  }
  auto attribute(std::uint16_t type, std::string_view value) -> message& {
    add(bytes_of(rtattr{.rta_len = static_cast<std::uint16_t>(sizeof(rtattr) + value.size()), .rta_type = type}));
    add(value);
    return *this;
  }
  /// A name, with the NUL the kernel expects.
  auto name(std::uint16_t type, const std::string& value) -> message& {
    return attribute(type, {value.c_str(), value.size() + 1});
  }
  auto number(std::uint16_t type, std::uint32_t value) -> message& { return attribute(type, bytes_of(value)); }

  [[nodiscard]] auto bytes() const -> std::string {
    auto whole = bytes_;
    const auto size = static_cast<std::uint32_t>(whole.size());
    std::memcpy(whole.data(), &size, sizeof size);  // nlmsg_len comes first
    return whole;
  }

 private:
  auto add(std::string_view part) -> void {
    bytes_ += part;
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
  }
  std::string bytes_{};
};

/// One message of an answer, without its netlink header.
struct answer {
  std::uint16_t type = 0;
  std::string body{};
};

/// The value of an attribute behind a header of `skip` bytes; empty if it is not there.
inline auto attribute(std::string_view body, std::size_t skip, std::uint16_t wanted) -> std::string_view {
  skip = (skip + alignment - 1) / alignment * alignment;
  while (skip + sizeof(rtattr) <= body.size()) {
    const auto head = read_as<rtattr>(body.substr(skip));
    if (head.rta_len < sizeof(rtattr) || skip + head.rta_len > body.size()) break;
    if ((head.rta_type & NLA_TYPE_MASK) == wanted) return body.substr(skip + sizeof(rtattr), head.rta_len - sizeof(rtattr));
    skip += (head.rta_len + alignment - 1) / alignment * alignment;
  }
  return {};
}

namespace detail {

/// Takes a datagram apart. True when the answer is complete.
inline auto take(std::string_view datagram, std::vector<answer>& all) -> result<bool> {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const auto head = read_as<nlmsghdr>(datagram);
    if (head.nlmsg_len < sizeof(nlmsghdr) || head.nlmsg_len > datagram.size()) return failure("netlink: a message is cut short");
    const auto body = datagram.substr(sizeof(nlmsghdr), head.nlmsg_len - sizeof(nlmsghdr));
    if (head.nlmsg_type == NLMSG_DONE) return true;
    if (head.nlmsg_type == NLMSG_ERROR) {
      const int code = -read_as<int>(body);
      if (code == 0) return true;
      return std::unexpected(error{.code = code});
    }
    all.push_back({.type = head.nlmsg_type, .body = std::string{body}});
    const auto step = (head.nlmsg_len + alignment - 1) / alignment * alignment;
    datagram.remove_prefix(step < datagram.size() ? step : datagram.size());
  }
  return false;
}

}  // namespace detail

inline auto open() -> result<unique_fd> {
  unique_fd socket{kernel::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC)};  // protocol 0 is NETLINK_ROUTE
  if (!socket) return failed("socket", "netlink");
  return socket;
}

/// Sends one request and waits for the whole answer. `what` names it in errors, and for a watcher.
///
/// Calls  sendto(2), recvmsg(2)
/// Fails  with the kernel's errno
inline auto ask(fd_ref socket, const message& m, effect does, std::string_view what) -> result<std::vector<answer>> {
  constexpr std::size_t longest = 256 * 1024;
  const auto bytes = m.bytes();
  if (kernel::request(does, socket.get(), bytes, what) < 0) return failed("sendto", std::string{what});
  std::vector<answer> all;
  if (does == effect::changes && rehearsing()) return all;
  for (std::string buffer(longest, '\0');;) {
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    const auto n = kernel::recvmsg(socket.get(), header, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("recvmsg", std::string{what});
    if ((header.msg_flags & MSG_TRUNC) != 0) return failure("netlink: an answer is too long");
    auto complete = detail::take(std::string_view{buffer}.substr(0, static_cast<std::size_t>(n)), all);
    if (!complete) {
      complete.error().call = what;
      return std::unexpected(std::move(complete).error());
    }
    if (*complete) return all;
  }
}

}  // namespace ocitk::sys::netlink

#endif
