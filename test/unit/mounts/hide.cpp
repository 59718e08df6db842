#include <ocitk/mounts/hide.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

TEST_CASE("hide: whole procfs and sysfs mounts of the host, last mounted first, and none of the container's") {
  const auto all = sys::mounts_from(
      "20 1 8:1 / / rw - ext4 x rw\n"
      "21 20 0:1 / /proc rw - proc proc rw\n"
      "22 20 0:2 / /sys rw - sysfs sysfs rw\n"
      "23 20 0:3 /sys /masked rw - proc proc rw\n"
      "24 20 0:4 / /run rw - tmpfs tmpfs rw\n"
      "50 20 8:1 /images/x / rw - ext4 x rw\n"
      "51 50 0:5 / /proc rw - proc proc rw\n"
      "52 51 0:5 /sys /proc/sys rw - proc proc rw\n"
      "53 24 0:1 / /run/again rw - proc proc rw\n");
  CHECK(mounts::plan_hidden(all, 50) == std::vector<std::string>{"/run/again", "/sys", "/proc"});
}

TEST_CASE("hide: a list whose parents form a ring ends") {
  const auto ring = sys::mounts_from("1 2 0:1 / /a rw - proc p rw\n2 1 0:1 / /b rw - proc p rw\n");
  CHECK(mounts::plan_hidden(ring, 9).size() == 2);
}
