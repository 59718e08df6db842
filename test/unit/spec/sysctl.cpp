#include <ocitk/spec/sysctl.hpp>

#include <doctest/doctest.h>

using ocitk::spec::sysctl_path;

TEST_CASE("sysctl: the first separator decides") {
  CHECK(*sysctl_path("net.ipv4.ip_forward") == "net/ipv4/ip_forward");
  CHECK(*sysctl_path("net/ipv4/conf/eth0.5/forwarding") == "net/ipv4/conf/eth0.5/forwarding");
  CHECK(*sysctl_path("net.ipv4.conf.eth0/5.forwarding") == "net/ipv4/conf/eth0.5/forwarding");
}

TEST_CASE("sysctl: what could leave the directory is no name") {
  for (const char* key : {"", "net..x", "net/../kernel", ".net", "net.", "/net", "net/./x"}) CHECK_FALSE(sysctl_path(key));
  CHECK_FALSE(sysctl_path(std::string_view{"net\0.x", 6}));
}
