#include <ocitk/stages/sysctl.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>

using namespace ocitk;
namespace sysctl = stages::sysctl;

static_assert(stage<stages::set_sysctls>);

TEST_CASE("sysctl: keys become files, each with its place in the spec") {
  const auto plan = sysctl::plan_for({{"kernel.msgmax", "1"}, {"net/ipv4/conf/eth0.5/forwarding", "0"}});
  REQUIRE(plan);
  REQUIRE(plan->size() == 2);
  CHECK((*plan)[0] == sysctl::write{"kernel/msgmax", "1", "/linux/sysctl/kernel.msgmax"});
  CHECK((*plan)[1] == sysctl::write{"net/ipv4/conf/eth0.5/forwarding", "0", "/linux/sysctl/net~1ipv4~1conf~1eth0.5~1forwarding"});
}

TEST_CASE("sysctl: a key that leads out of /proc/sys is refused by name") {
  for (const auto* key : {"kernel/../../self/mem", "..", "", "net..ipv4"}) {
    CAPTURE(key);
    const auto plan = sysctl::plan_for({{key, "1"}});
    REQUIRE_FALSE(plan);
    CHECK(plan.error().pointer.starts_with("/linux/sysctl/"));
  }
}

TEST_CASE("sysctl: a tilde in a key is escaped") { CHECK(sysctl::pointer_to("a~b") == "/linux/sysctl/a~0b"); }

TEST_CASE("sysctl: the value is written below the handle, and a missing parameter is named") {
  std::string dir = "/tmp/ocitk-sysctl-XXXXXX";
  REQUIRE(::mkdtemp(dir.data()) != nullptr);
  REQUIRE(::mkdir((dir + "/sys").c_str(), 0755) == 0);
  const unique_fd file{::open((dir + "/sys/x").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
  const unique_fd handle{::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  CHECK(sysctl::apply({{"x", "42", "/p"}}, handle));
  std::array<char, 8> text{};
  CHECK(::pread(file.get(), text.data(), text.size(), 0) == 2);
  CHECK(std::string{text.data()} == "42");
  const auto missing = sysctl::apply({{"y", "1", "/linux/sysctl/y"}}, handle);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ENOENT);
  CHECK(missing.error().pointer == "/linux/sysctl/y");
  REQUIRE(::symlink("/etc/hostname", (dir + "/sys/out").c_str()) == 0);
  CHECK_FALSE(sysctl::apply({{"out", "1", "/p"}}, handle));
  for (const auto* name : {"/sys/out", "/sys/x"}) (void)::unlink((dir + name).c_str());
  for (const auto* name : {"/sys", ""}) (void)::rmdir((dir + name).c_str());
}
