#include <ocitk/text.hpp>

#include <doctest/doctest.h>

#include <cstdint>

using namespace ocitk;

TEST_CASE("text: each hole takes the next argument") {
  CHECK(filled("nothing to fill") == "nothing to fill");
  CHECK(filled("/linux/seccomp/syscalls/{}/args/{}", 3U, std::size_t{0}) == "/linux/seccomp/syscalls/3/args/0");
  CHECK(filled("{}{}", std::string{"a"}, std::string_view{"b"}) == "ab");
  CHECK(filled("\"{}\" is {} and {}", "x", 'y', -1) == "\"x\" is y and -1");
  CHECK(filled("{}", UINT64_MAX) == "18446744073709551615");
  CHECK(filled("{}", std::uint8_t{65}) == "65");
}

TEST_CASE("text: braces in an argument are no holes") {
  CHECK(filled("{} and {}", "{}", "b") == "{} and b");
  CHECK(filled("{ } {}", 1) == "{ } 1");
}
