#include <ocitk/stages/netdev.hpp>

#include "../../support/in_child.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace ocitk;
namespace netdev = stages::netdev;
namespace netlink = sys::netlink;

static_assert(stage<stages::move_net_devices>);

TEST_CASE("netdev: a device keeps its name unless it gets another") {
  const auto plan = netdev::plan({{"eth1", {}}, {"eth2", {.name = "wan%d"}}});
  REQUIRE(plan);
  CHECK(*plan == std::vector<netdev::device>{{"eth1", "eth1", "/linux/netDevices/eth1"}, {"eth2", "wan%d", "/linux/netDevices/eth2"}});
}

TEST_CASE("netdev: names the kernel would not take are refused") {
  for (const auto* bad : {"", ".", "..", "a/b", "a:b", "a b", "a\tb", "sixteen-letters-", "%d"}) {
    CAPTURE(bad);
    const auto refused = netdev::plan({{bad, {}}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail == filled("invalid network device name \"{}\"", std::string_view{bad}));
    CHECK(refused.error().pointer == "/linux/netDevices");
  }
  for (const auto* bad : {"..", "a/b", "a b", "sixteen-letters-", "a%", "a%s", "a%d%d"}) {
    CAPTURE(bad);
    const auto refused = netdev::plan({{"eth1", {.name = bad}}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().pointer == "/linux/netDevices/eth1/name");
  }
  CHECK(netdev::plan({{"fifteen-letters", {.name = "fifteen-letters"}}}));
}

TEST_CASE("netdev: a template takes the first name that is free") {
  CHECK(*netdev::choose_name("eth1", {"lo"}) == "eth1");
  CHECK(*netdev::choose_name("eth%d", {"lo"}) == "eth0");
  CHECK(*netdev::choose_name("e%dx", {"e0x", "e1x", "e3x"}) == "e2x");
  const auto taken = netdev::choose_name("eth1", {"eth1"});
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == EEXIST);
  std::set<std::string> all;
  for (int n = 0; n < 100; ++n) all.insert("thirteen-char" + std::to_string(n));
  CHECK_FALSE(netdev::choose_name("thirteen-char%d", all));  // three digits do not fit
}

TEST_CASE("netdev: permanent global addresses go along") {
  const auto told = [](std::uint8_t flags, std::uint8_t scope, unsigned link, std::uint32_t more) {
    netlink::message m{RTM_NEWADDR, 0, ifaddrmsg{.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_flags = flags, .ifa_scope = scope, .ifa_index = link}};
    m.attribute(IFA_LOCAL, {"\x0a\0\0\1", 4}).attribute(IFA_ADDRESS, {"\x0a\0\0\1", 4}).attribute(IFA_BROADCAST, {"\x0a\0\0\xff", 4});
    if (more != 0) m.number(IFA_FLAGS, more);
    return netdev::address_from(m.bytes().substr(sizeof(nlmsghdr)), 7);
  };
  const auto [goes, found] = told(IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, 7, 0);
  CHECK(goes);
  CHECK(found == netdev::address{.family = AF_INET, .prefix = 24, .local = {"\x0a\0\0\1", 4}, .peer = {"\x0a\0\0\1", 4}, .broadcast = {"\x0a\0\0\xff", 4}});
  CHECK_FALSE(told(0, RT_SCOPE_UNIVERSE, 7, 0).first);
  CHECK_FALSE(told(IFA_F_PERMANENT, RT_SCOPE_LINK, 7, 0).first);
  CHECK_FALSE(told(IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, 8, 0).first);
  CHECK(told(0, RT_SCOPE_UNIVERSE, 7, IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE).second.flags == unsigned{IFA_F_NOPREFIXROUTE});
}

TEST_CASE("netdev: an answer that is cut short is refused") {
  const auto whole = netlink::message{RTM_GETLINK, 0, ifinfomsg{}}.bytes();
  std::vector<netlink::answer> all;
  CHECK(*netlink::detail::take(whole, all) == false);
  CHECK(all.size() == 1);
  auto longer = whole;
  longer[0] = 127;
  CHECK_FALSE(netlink::detail::take(longer, all));
  const auto error_body = nlmsgerr{.error = -EPERM, .msg = {}};
  const auto refused = netlink::detail::take(netlink::message{NLMSG_ERROR, 0, error_body}.bytes(), all);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EPERM);
}

namespace {

/// The inside of an attribute that holds others.
auto nested(std::uint16_t type, std::string_view value) -> std::string {
  std::string bytes{netlink::bytes_of(rtattr{.rta_len = static_cast<std::uint16_t>(sizeof(rtattr) + value.size()), .rta_type = type})};
  bytes += value;
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return bytes;
}

auto make_veth(fd_ref socket, const std::string& name) -> bool {
  netlink::message m{RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{}};
  m.name(IFLA_IFNAME, name).attribute(IFLA_LINKINFO, nested(IFLA_INFO_KIND, "veth"));
  return netlink::ask(socket, m, effect::changes, "RTM_NEWLINK").has_value();
}

}  // namespace

TEST_CASE("netdev: a device is moved, renamed, keeps its address, is up") {
  const int outcome = in_child([] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return 77;  // forbidden here
    const auto host = netlink::open();
    const unique_fd own{::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
    if (!host || !own || !make_veth(*host, "test1") || !make_veth(*host, "test2")) return 77;  // no veth
    const auto link = netdev::detail::link_called(*host, "test1");
    if (!link || !netdev::detail::add_address(*host, *link, {.family = AF_INET, .prefix = 24, .local = {"\x0a\0\0\1", 4}, .peer = {"\x0a\0\0\1", 4}})) return 1;
    if (::unshare(CLONE_NEWNET) != 0) return 2;
    const unique_fd other{::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
    const auto inside = netlink::open();
    if (::setns(own.get(), CLONE_NEWNET) != 0 || !inside) return 3;
    const auto devices = netdev::plan({{"test1", {.name = "wan%d"}}});
    if (const auto done = netdev::apply(*devices, other); !done) return 4;
    if (netdev::detail::link_called(*host, "test1")) return 5;
    const auto moved = netdev::detail::link_called(*inside, "wan0");
    if (!moved) return 6;
    const auto kept = netdev::detail::addresses_of(*inside, *moved);
    if (!kept || kept->size() != 1 || kept->front().local != std::string{"\x0a\0\0\1", 4} || kept->front().prefix != 24) return 7;
    const auto told = netlink::ask(*inside, std::move(netlink::message{RTM_GETLINK, NLM_F_ACK, ifinfomsg{}}.name(IFLA_IFNAME, "wan0")), effect::asks, "RTM_GETLINK");
    if (!told || (netlink::read_as<ifinfomsg>((*told)[0].body).ifi_flags & IFF_UP) == 0) return 8;
    const auto again = netdev::apply(*netdev::plan({{"test2", {.name = "wan0"}}}), other);
    if (again || again.error().code != EEXIST || again.error().pointer != "/linux/netDevices/test2") return 9;
    if (!netdev::detail::link_called(*host, "test2")) return 10;  // it stays where it is
    const auto missing = netdev::apply(*netdev::plan({{"none", {}}}), other);
    return !missing && missing.error().code == ENODEV ? 0 : 11;
  });
  if (outcome != 77) CHECK(outcome == 0);
}
