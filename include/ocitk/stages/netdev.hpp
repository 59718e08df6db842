#ifndef OCITK_STAGES_NETDEV_HPP
#define OCITK_STAGES_NETDEV_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/sys/netlink.hpp>
#include <ocitk/sys/procfs.hpp>
#include <ocitk/text.hpp>

#include <linux/if_addr.h>
#include <net/if.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ocitk::stages {

namespace netdev {

/// One device to move.
struct device {
  std::string from{};     ///< its name on the host
  std::string to{};       ///< its name in the container; may be a template: "eth%d"
  std::string pointer{};
  bool operator==(const device&) const = default;
};

namespace detail {

/// As the kernel has it (dev_valid_name), with one `%d` allowed in what is a template.
inline auto is_name(std::string_view name, bool or_template) -> bool {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..") return false;
  if (name.find_first_of("/: \t\n\v\f\r") != name.npos) return false;
  const auto percent = name.find('%');
  if (percent == name.npos) return true;
  return or_template && name.substr(percent, 2) == "%d" && name.find('%', percent + 1) == name.npos;
}

}  // namespace detail

/// Fails    `invalid network device name "X"`
inline auto plan(const std::map<std::string, spec::net_device>& wanted) -> result<std::vector<device>> {
  std::vector<device> all;
  for (const auto& [name, settings] : wanted) {
    device d{.from = name, .to = settings.name.empty() ? name : settings.name, .pointer = "/linux/netDevices/" + name};
    if (!detail::is_name(name, false)) return failure(filled("invalid network device name \"{}\"", name), "/linux/netDevices");
    if (!detail::is_name(d.to, true))
      return failure(filled("invalid network device name \"{}\"", d.to), d.pointer + "/name");
    all.push_back(std::move(d));
  }
  return all;
}

/// The first name of a template that is not taken, as the kernel would choose it.
inline auto choose_name(const std::string& wanted, const std::set<std::string>& taken) -> result<std::string> {
  const auto hole = wanted.find("%d");
  for (int n = 0;; ++n) {
    const auto name = hole == wanted.npos ? wanted : wanted.substr(0, hole) + std::to_string(n) + wanted.substr(hole + 2);
    if (!detail::is_name(name, false)) break;
    if (!taken.contains(name)) return name;
    if (hole == wanted.npos) break;
  }
  return std::unexpected(error{.code = EEXIST, .detail = filled("the name {} is taken in the container's network namespace", wanted)});
}

/// An address that goes along.
struct address {
  std::uint8_t family = 0, prefix = 0;
  std::uint32_t flags = 0;  ///< IFA_F_*
  std::string local{}, peer{}, broadcast{};
  bool operator==(const address&) const = default;
};

namespace detail {

namespace netlink = sys::netlink;

inline auto link_called(fd_ref socket, const std::string& name) -> result<int> {
  netlink::message m{RTM_GETLINK, NLM_F_ACK, ifinfomsg{}};
  m.name(IFLA_IFNAME, name);
  const auto answers = OCITK_TRY(netlink::ask(socket, m, effect::asks, "RTM_GETLINK"));
  if (answers.empty()) return failure("the kernel says nothing about the network device " + name);
  return netlink::read_as<ifinfomsg>(answers[0].body).ifi_index;
}

inline auto names_in(fd_ref socket) -> result<std::set<std::string>> {
  std::set<std::string> names;
  for (const auto& a : OCITK_TRY(netlink::ask(socket, {RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}}, effect::asks, "RTM_GETLINK"))) {
    const auto name = netlink::attribute(a.body, sizeof(ifinfomsg), IFLA_IFNAME);
    names.emplace(name.substr(0, name.find('\0')));
  }
  return names;
}

}  // namespace detail

/// Does an address go along? Only what somebody has set for good, and what means something outside of this machine.
inline auto address_from(std::string_view body, int link) -> std::pair<bool, address> {
  namespace netlink = sys::netlink;
  const auto head = netlink::read_as<ifaddrmsg>(body);
  const auto value = [&](std::uint16_t type) { return std::string{netlink::attribute(body, sizeof(ifaddrmsg), type)}; };
  const auto more = value(IFA_FLAGS);
  const auto flags = more.empty() ? std::uint32_t{head.ifa_flags} : netlink::read_as<std::uint32_t>(more);
  const bool goes = static_cast<int>(head.ifa_index) == link && (flags & IFA_F_PERMANENT) != 0 && head.ifa_scope == RT_SCOPE_UNIVERSE;
  return {goes, {.family = head.ifa_family, .prefix = head.ifa_prefixlen, .flags = flags & (IFA_F_NODAD | IFA_F_NOPREFIXROUTE),
                 .local = value(IFA_LOCAL), .peer = value(IFA_ADDRESS), .broadcast = value(IFA_BROADCAST)}};
}

namespace detail {

inline auto addresses_of(fd_ref socket, int link) -> result<std::vector<address>> {
  std::vector<address> all;
  for (const auto& a : OCITK_TRY(netlink::ask(socket, {RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}}, effect::asks, "RTM_GETADDR")))
    if (auto [goes, found] = address_from(a.body, link); goes) all.push_back(std::move(found));
  return all;
}

inline auto add_address(fd_ref socket, int link, const address& a) -> result<> {
  const ifaddrmsg head{.ifa_family = a.family, .ifa_prefixlen = a.prefix, .ifa_flags = 0, .ifa_scope = RT_SCOPE_UNIVERSE,
                       .ifa_index = static_cast<std::uint32_t>(link)};
  netlink::message m{RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, head};
  if (!a.local.empty()) m.attribute(IFA_LOCAL, a.local);
  if (!a.peer.empty()) m.attribute(IFA_ADDRESS, a.peer);
  if (!a.broadcast.empty()) m.attribute(IFA_BROADCAST, a.broadcast);
  if (a.flags != 0) m.number(IFA_FLAGS, a.flags);
  OCITK_TRY(netlink::ask(socket, m, effect::changes, "RTM_NEWADDR"));
  return {};
}

/// Moves and renames in one step: no other device can take the name in between.
inline auto move_link(fd_ref socket, int link, const std::string& name, fd_ref ns) -> result<> {
  netlink::message m{RTM_NEWLINK, NLM_F_ACK, ifinfomsg{.ifi_family = AF_UNSPEC, .__ifi_pad = 0, .ifi_type = 0, .ifi_index = link, .ifi_flags = 0, .ifi_change = 0}};
  m.name(IFLA_IFNAME, name).number(IFLA_NET_NS_FD, static_cast<std::uint32_t>(ns.get()));
  OCITK_TRY(netlink::ask(socket, m, effect::changes, "RTM_NEWLINK"));
  return {};
}

inline auto set_up(fd_ref socket, int link) -> result<> {
  const ifinfomsg head{.ifi_family = AF_UNSPEC, .__ifi_pad = 0, .ifi_type = 0, .ifi_index = link, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  OCITK_TRY(netlink::ask(socket, {RTM_NEWLINK, NLM_F_ACK, head}, effect::changes, "RTM_NEWLINK"));
  return {};
}

/// A socket of another network namespace: there and back. The calling process has to be single-threaded.
inline auto socket_in(fd_ref ns) -> result<unique_fd> {
  const auto proc = OCITK_TRY(sys::open_proc());
  const auto own = OCITK_TRY(sys::open_at(proc, "self/ns/net", O_RDONLY));
  OCITK_TRY(sys::join_namespace(ns, CLONE_NEWNET));
  auto socket = netlink::open();
  OCITK_TRY(sys::join_namespace(own, CLONE_NEWNET));
  return socket;
}

inline auto move_one(const device& d, fd_ref outside, fd_ref inside, fd_ref ns) -> result<> {
  auto found = link_called(outside, d.from);
  if (!found && found.error().code == ENODEV) found.error().detail = filled("link not found for interface {} on runtime namespace", d.from);
  const auto link = OCITK_TRY(std::move(found));
  const auto keeps = OCITK_TRY(addresses_of(outside, link));
  const auto taken = rehearsing() ? std::set<std::string>{} : OCITK_TRY(names_in(inside));  // in a rehearsal both are one
  const auto name = OCITK_TRY(choose_name(d.to, taken));
  OCITK_TRY(trying(filled("move {} as {}", d.from, name), move_link(outside, link, name, ns)));
  const auto there = rehearsing() ? link : OCITK_TRY(link_called(inside, name));  // its number may have changed
  for (const auto& a : keeps) OCITK_TRY(trying("give " + name + " its address", add_address(inside, there, a)));
  return trying("set " + name + " up", set_up(inside, there));
}

}  // namespace detail

/// Moves devices into a network namespace: renamed, with their permanent global addresses, up. They are not moved back:
/// what is not virtual returns to the host when the namespace ends.
///
/// Calls    setns(2) there and back, rtnetlink(7) RTM_NEWLINK, RTM_NEWADDR
inline auto apply(const std::vector<device>& devices, fd_ref ns) -> result<> {
  const auto outside = OCITK_TRY(sys::netlink::open());
  const auto inside = OCITK_TRY(detail::socket_in(ns));
  for (const auto& d : devices) OCITK_TRY(at(d.pointer, [&] { return detail::move_one(d, outside, inside, ns); }));
  return {};
}

}  // namespace netdev

/// Moves network devices of the host into the container's network namespace.
///
/// Reads    /linux/netDevices
/// Process  parent, on the pid in its context
/// Calls    as netdev::apply() does
/// Fails    ENODEV: no such device; EEXIST: the name is taken; EINVAL: the device does not leave its namespace
struct move_net_devices : stage_in<parent_context> {
  static constexpr std::string_view name = "netdev";
  static constexpr std::string_view reads = "/linux/netDevices";
  static constexpr std::string_view summary = "moves network devices into the container";
  auto operator()(parent_context& ctx) const -> result<> {
    if (ctx.spec.linux.net_devices.empty()) return {};
    const auto move = [&]() -> result<> {
      const auto devices = OCITK_TRY(netdev::plan(ctx.spec.linux.net_devices));
      const auto proc = OCITK_TRY(sys::open_proc());
      const auto ns = OCITK_TRY(sys::open_at(proc, filled("{}/ns/net", ctx.pid), O_RDONLY));
      return netdev::apply(devices, ns);
    };
    return at("/linux/netDevices", move);
  }
};

}  // namespace ocitk::stages

#endif
