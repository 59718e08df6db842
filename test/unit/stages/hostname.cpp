#include <ocitk/stages/hostname.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace ocitk;

static_assert(stage<stages::set_hostname>);

TEST_CASE("hostname: empty names leave the host alone") {
  const spec::config config{};
  init_context ctx{config};
  CHECK(stages::set_hostname{}(ctx));
}

TEST_CASE("hostname: a refused name points at its line of the spec") {
  const std::string long_name(65, 'x');  // the kernel takes 64 bytes: EINVAL for root, EPERM for others
  const auto host = stages::hostname::apply(long_name, {});
  REQUIRE_FALSE(host);
  CHECK(host.error().call == "sethostname");
  CHECK(host.error().pointer == "/hostname");
  const auto domain = stages::hostname::apply({}, long_name);
  REQUIRE_FALSE(domain);
  CHECK(domain.error().call == "setdomainname");
  CHECK(domain.error().pointer == "/domainname");
}
