#include <ocitk/sys/kernel/call.hpp>

#include "../../../support/watching.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace ocitk;
namespace kernel = ocitk::sys::kernel;

TEST_CASE("call: bits are spelled by name, what has none in hexadecimal") {
  static constexpr std::array<kernel::word, 4> words{{{7, "ALL"}, {1, "ONE"}, {2, "TWO"}, {0, "NOTHING"}}};
  CHECK(kernel::spelled(0, words) == "0");
  CHECK(kernel::spelled(0, words, "none") == "none");
  CHECK(kernel::spelled(3, words) == "ONE|TWO");
  CHECK(kernel::spelled(7, words) == "ALL");
  CHECK(kernel::spelled(0x81, words) == "ONE|0x80");
  CHECK(kernel::spelled(~0ULL, words) == "ALL|0xfffffffffffffff8");
}

TEST_CASE("call: modes are octal, with a zero in front") {
  CHECK(kernel::shown(kernel::octal{0}) == "0");
  CHECK(kernel::shown(kernel::octal{022}) == "022");
  CHECK(kernel::shown(kernel::octal{01777}) == "01777");
}

TEST_CASE("call: a text is shown as C would write it, and no longer than it helps") {
  using kernel::text;
  CHECK(kernel::shown(text{"plain ü"}) == "\"plain ü\"");
  CHECK(kernel::shown(text{"a\"b\\c\nd"}) == R"("a\"b\\c\nd")");
  CHECK(kernel::shown(text{"\x1b[31m\x7f"}) == R"("\x1b[31m\x7f")");
  CHECK(kernel::shown(text{"\xc2\x9b"}) == R"("\xc2\x9b")");    // CSI in one character
  CHECK(kernel::shown(text{"\xc3\x9b"}) == "\"\xc3\x9b\"");  // a letter
  CHECK(kernel::shown(text{std::string_view{"\0", 1}}) == R"("\x00")");
  CHECK(kernel::shown(text{std::string(96, 'x')}) == '"' + std::string(96, 'x') + '"');
  CHECK(kernel::shown(text{std::string(97, 'x')}) == '"' + std::string(96, 'x') + "\"...");
}

TEST_CASE("call: with nobody watching the call is just made") {
  int made = 0;
  const int got = kernel::call(effect::changes, "name", [&] { return ++made; }, kernel::succeed, 1);
  CHECK(got == 1);
  CHECK(made == 1);
}

TEST_CASE("call: a watcher sees what went by, and errno stays the call's") {
  support::listener all;
  const auto fail = [] {
    errno = ENOENT;
    return -1;
  };
  CHECK(kernel::call(effect::asks, "look", fail, kernel::succeed, kernel::descriptor{7}, 5, kernel::text{"x"}) == -1);
  CHECK(errno == ENOENT);
  REQUIRE(all.calls.size() == 1);
  CHECK(all.begun == 1);
  CHECK(all.calls[0].call == "look");
  CHECK(all.calls[0].does == effect::asks);
  CHECK(all.calls[0].args == std::vector<std::string>{"<7>", "5", "\"x\""});
  CHECK(all.calls[0].returned == -1);
  CHECK(all.calls[0].code == ENOENT);
}

TEST_CASE("call: in a rehearsal the answer is pretended, a negative one is an errno") {
  support::one_answer stands_in{0};
  support::listener all{&stands_in};
  int made = 0;
  const auto make = [&] { return ++made; };
  SUBCASE("it fails") {
    CHECK(kernel::call(effect::changes, "name", make, [](pretence&) -> long { return -EACCES; }) == -1);
    CHECK(errno == EACCES);
    CHECK(all.calls.at(0).code == EACCES);
  }
  SUBCASE("it succeeds") {
    errno = 0;
    CHECK(kernel::call(effect::changes, "name", make, [](pretence&) -> long { return 42; }) == 42);
    CHECK(errno == 0);
    CHECK(all.calls.at(0).code == 0);
    CHECK(all.calls.at(0).returned == 42);
  }
  CHECK(made == 0);
}

TEST_CASE("call: what is harmless is made in a rehearsal too") {
  support::one_answer stands_in{-EIO};
  support::listener all{&stands_in};
  CHECK(kernel::call(effect::asks, "name", [] { return 3; }, kernel::really) == 3);
}
