#include <ocitk/cli/become.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

TEST_CASE("become: names of tools are known, paths and others are not") {
  REQUIRE(cli::find_applet("ocitk-caps") != nullptr);
  CHECK(cli::find_applet("ocitk-caps")->word == "caps");
  for (const auto* name : {"ocitk", "ocitk-", "caps", "ocitk-cap", "/usr/bin/ocitk-caps", ""}) {
    CAPTURE(name);
    CHECK(cli::find_applet(name) == nullptr);
  }
}

TEST_CASE("become: one entry of PATH is taken out, the others stay where they stand") {
  using cli::detail::without_entry;
  CHECK(without_entry("/proc/self/fd/64:/usr/bin:/bin", "/proc/self/fd/64") == "/usr/bin:/bin");
  CHECK(without_entry("/bin::/sbin", "/proc/self/fd/64") == "/bin::/sbin");
  CHECK(without_entry("/proc/self/fd/64", "/proc/self/fd/64") == "");
  CHECK(without_entry("/proc/self/fd/640:/bin", "/proc/self/fd/64") == "/proc/self/fd/640:/bin");
}
