#include <ocitk/check/host.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace ocitk;
namespace in = check::detail;
using list = std::vector<std::string>;
using ranges = std::vector<check::id_range>;

TEST_CASE("host: file systems that are there, and those that a module brings") {
  CHECK(in::registered_filesystems("nodev\tsysfs\nnodev\ttmpfs\n\text4\n") == list{"sysfs", "tmpfs", "ext4"});
  CHECK(in::filesystems_of_modules("# x\nalias fs-xfs xfs\nalias pci:fs-no x\nalias fs-9p 9p\n") == list{"xfs", "9p"});
  CHECK(in::filesystems_of_modules("").empty());
}

TEST_CASE("host: ids that a map has") {
  CHECK(in::ranges_in_map("         0          0 4294967295\n") == ranges{{0, 4294967295U}});
  CHECK(in::ranges_in_map("0 1000 1\n1 100000 65536\n") == ranges{{0, 1}, {1, 65536}});
  CHECK(in::ranges_in_map("nonsense").empty());
}

TEST_CASE("host: subordinate ids by name or number") {
  constexpr auto text = "root:1:2\napp:100000:65536\n1000:300000:10\nother:5:5\napp:x:1\n";
  CHECK(in::subordinate_ids(text, "app", 1000) == ranges{{100000, 65536}, {300000, 10}});
  CHECK(in::subordinate_ids(text, "nobody", 7).empty());
}

TEST_CASE("host: a name for a uid") {
  constexpr auto text = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:100::/:\nbroken\n";
  CHECK(in::name_in(text, 1000) == "app");
  CHECK(in::name_in(text, 100).empty());
}

TEST_CASE("host: a mount is found by its type, not by its path") {
  constexpr auto text = "30 23 0:25 / /sys/fs/resctrl rw - tmpfs tmpfs rw\n31 23 0:26 / /x rw - selinuxfs none rw\n";
  CHECK(in::is_mounted(text, "selinuxfs"));
  CHECK_FALSE(in::is_mounted(text, "resctrl"));
}

TEST_CASE("host: this one can be surveyed") {
  const auto h = check::survey();
  REQUIRE(h);
  CHECK(h->missing_calls.empty());  // or no container would start here
  CHECK(std::ranges::count(h->namespaces, "mount") == 1);
  CHECK(std::ranges::count(h->filesystems, "proc") == 1);
  CHECK(h->capabilities.known != 0);
  CHECK_FALSE(h->uids.empty());
  CHECK(h->hard_limits.size() == stages::rlimits::resources.size());
  CHECK(h->setting("fs/nr_open").value_or(0) > 0);
  CHECK_FALSE(h->setting("no/such"));
}
