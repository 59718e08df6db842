#ifndef OCITK_STAGES_NETWORK_HPP
#define OCITK_STAGES_NETWORK_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <net/if.h>

#include <array>
#include <cstring>
#include <string_view>

namespace ocitk::stages {

namespace network {

/// Calls    socket(2), ioctl(2) SIOCSIFFLAGS
inline auto bring_up_loopback() -> result<> {
  const unique_fd socket{sys::kernel::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)};
  if (!socket) return failed("socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  return checked(sys::kernel::ioctl(socket.get(), SIOCSIFFLAGS, "SIOCSIFFLAGS", &request, "{ifr_name=\"lo\", ifr_flags=IFF_UP}"), "ioctl(SIOCSIFFLAGS)");
}

}  // namespace network

/// Brings up the loopback interface of a new network namespace: it is born down.
///
/// Reads    /linux/namespaces
/// Process  init, inside the new namespace
/// Calls    socket(2), ioctl(2) SIOCSIFFLAGS, see netdevice(7)
/// Fails    EPERM without CAP_NET_ADMIN over the namespace
struct start_loopback : stage_in<init_context> {
  static constexpr std::string_view name = "network";
  static constexpr std::string_view reads = "/linux/namespaces";
  static constexpr std::string_view summary = "brings up the loopback interface";
  static constexpr std::array<std::string_view, 1> after{"unshare"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.linux.creates("network")) return {};
    return at("/linux/namespaces", [] { return trying("bring up lo", network::bring_up_loopback()); });
  }
};

}  // namespace ocitk::stages

#endif
