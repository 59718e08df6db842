#include <ocitk/runtime/handshake.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>

using namespace ocitk;
using runtime::word;

TEST_CASE("handshake: an error arrives whole") {
  const auto [mine, theirs] = *runtime::make_channel();
  const error sent{.code = ENOENT, .call = "open_tree", .detail = "bind /a on /b", .pointer = "/mounts/3", .stage = "rootfs"};
  REQUIRE(theirs.fail(sent));
  const auto heard = mine.listen();
  REQUIRE(heard);
  CHECK(heard->said == word::error);
  CHECK(heard->failure == sent);
}

TEST_CASE("handshake: a long error is cut, not lost") {
  const auto [mine, theirs] = *runtime::make_channel();
  REQUIRE(theirs.fail({.detail = std::string(100'000, 'x'), .pointer = "/p"}));
  const auto heard = mine.listen();
  REQUIRE(heard);
  CHECK(heard->failure.detail.size() > 1000);
  CHECK(heard->failure.pointer == "/p");
}

TEST_CASE("handshake: a birth carries pid and descriptor, ready a terminal or none") {
  const auto [mine, theirs] = *runtime::make_channel();
  const unique_fd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  REQUIRE(theirs.say_born(77, null));
  REQUIRE(theirs.say_ready(unique_fd{}, ""));
  const auto born = mine.listen();
  REQUIRE(born);
  CHECK(born->pid == 77);
  CHECK(born->passed);
  const auto ready = mine.listen();
  REQUIRE(ready);
  CHECK(ready->said == word::ready);
  CHECK_FALSE(ready->passed);
}

TEST_CASE("handshake: a closed end is told from a message, garbage is refused") {
  auto [mine, theirs] = *runtime::make_channel();
  REQUIRE(sys::send_message(theirs.end(), "\x63"));
  CHECK_FALSE(mine.listen());
  REQUIRE(sys::send_message(theirs.end(), std::string{static_cast<char>(word::error)} + "\x01\x02"));
  CHECK_FALSE(mine.listen());
  theirs.close();
  const auto end = mine.listen();
  REQUIRE(end);
  CHECK(end->gone);
}
