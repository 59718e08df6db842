#ifndef OCITK_STAGES_NETWORK_HPP
#define OCITK_STAGES_NETWORK_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <string_view>

namespace ocitk::stages {

/// Brings up the loopback interface of a new network namespace: it is born down.
///
/// Reads    /linux/namespaces
/// Process  init, inside the new namespace
/// Calls    socket(2), ioctl(2) SIOCSIFFLAGS, see netdevice(7)
/// Fails    EPERM without CAP_NET_ADMIN over the namespace
struct start_loopback : stage_in<init_context> {
  static constexpr std::string_view name = "network";
  static constexpr std::array<std::string_view, 1> after{"unshare"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.linux.creates("network")) return {};
    const unique_fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (!socket) return at("/linux/namespaces", result<>{failed("socket", "bring up lo")});
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    return at("/linux/namespaces",
              trying("bring up lo", checked(::ioctl(socket.get(), SIOCSIFFLAGS, &request), "ioctl(SIOCSIFFLAGS)")));
  }
};

}  // namespace ocitk::stages

#endif
