#include <ocitk/sys/mountinfo.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

TEST_CASE("mountinfo: a line becomes a mount, whatever optional fields it has") {
  const auto all = sys::mounts_from(
      "36 35 98:0 /a /b\\040c rw,noatime shared:7 master:2 - ext4 /dev/x rw\n"
      "37 36 0:5 / /proc rw - proc proc rw\n"
      "38 36 0:6 / /m rw master:3 propagate_from:2 - tmpfs t rw\n");
  REQUIRE(all.size() == 3);
  CHECK(all[0].id == 36);
  CHECK(all[0].parent == 35);
  CHECK(all[0].root == "/a");
  CHECK(all[0].mountpoint == "/b c");
  CHECK(all[0].shared);
  CHECK(all[0].type == "ext4");
  CHECK(all[1].type == "proc");
  CHECK_FALSE(all[2].shared);
}

TEST_CASE("mountinfo: what is no line is left out") {
  CHECK(sys::mounts_from("").empty());
  CHECK(sys::mounts_from("\n\n36 35 98:0 /\n36 35 98:0 / /x rw shared:1 ext4\n").empty());
}

TEST_CASE("mountinfo: only octal escapes are undone") {
  CHECK(sys::unescaped("a\\040b\\134c") == "a b\\c");
  CHECK(sys::unescaped("a\\09\\04") == "a\\09\\04");
}
