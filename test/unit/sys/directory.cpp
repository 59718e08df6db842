#include <ocitk/sys/directory.hpp>

#include "../../support/in_child.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <string>

using namespace ocitk;

TEST_CASE("directory: the working directory is entered and seen") {
  const std::string tmp = "/tmp";
  CHECK(in_child([&] {
          const auto moved = sys::change_directory(tmp);
          const auto here = sys::current_directory();
          return moved && here && *here == tmp ? 0 : 1;
        }) == 0);
  const auto none = sys::change_directory(tmp + "/none-of-this-name");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ENOENT);
  CHECK(none.error().pointer == "/process/cwd");
}

TEST_CASE("directory: a working directory that no path leads to is a breakout") {
  CHECK(in_child([] {
          std::string gone = "/tmp/ocitk-gone-XXXXXX";
          if (::mkdtemp(gone.data()) == nullptr || ::chdir(gone.c_str()) != 0 || ::rmdir(gone.c_str()) != 0) return 1;
          const auto seen = sys::verify_directory();
          return !seen && seen.error().detail.find("possible container breakout detected") != std::string::npos ? 0 : 2;
        }) == 0);
}
