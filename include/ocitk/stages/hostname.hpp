#ifndef OCITK_STAGES_HOSTNAME_HPP
#define OCITK_STAGES_HOSTNAME_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <array>
#include <string_view>

namespace ocitk::stages {

namespace hostname {

/// Names the UTS namespace of the calling process; an empty name is left as it is.
inline auto apply(std::string_view host, std::string_view domain) -> result<> {
  if (!host.empty())
    OCITK_TRY(at("/hostname", [&] { return checked(sys::kernel::sethostname(host), "sethostname"); }));
  if (!domain.empty())
    OCITK_TRY(at("/domainname", [&] { return checked(sys::kernel::setdomainname(domain), "setdomainname"); }));
  return {};
}

}  // namespace hostname

/// Names the container's UTS namespace.
///
/// Reads    /hostname, /domainname (up to 64 bytes each)
/// Process  init, inside the new UTS namespace: anywhere else it would rename the host
/// Calls    sethostname(2), setdomainname(2)
/// Fails    EPERM without CAP_SYS_ADMIN over that namespace; EINVAL if too long
struct set_hostname : stage_in<init_context> {
  static constexpr std::string_view name = "hostname";
  static constexpr std::string_view reads = "/hostname, /domainname";
  static constexpr std::string_view summary = "names the UTS namespace";
  static constexpr std::array<std::string_view, 1> after{"unshare"};
  auto operator()(init_context& ctx) const -> result<> {
    return hostname::apply(ctx.spec.hostname, ctx.spec.domainname);
  }
};

}  // namespace ocitk::stages

#endif
