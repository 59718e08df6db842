#include <ocitk/sys/process.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

TEST_CASE("process: a name with parentheses does not hide the start time") {
  const auto s = sys::stat_from("42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3");
  REQUIRE(s);
  CHECK(s->state == 'S');
  CHECK(s->start_time == 987654);
  CHECK(s->flags == 4194560);
  for (const char* text : {"", "42 (x)", "42 (x) S 1 2"}) CHECK_FALSE(sys::stat_from(text));
}

TEST_CASE("process: signals by number and by any spelling") {
  CHECK(sys::signal_number("15") == 15);
  CHECK(sys::signal_number("0") == 0);
  CHECK(sys::signal_number("SIGKILL") == 9);
  CHECK(sys::signal_number("term") == 15);
  CHECK(sys::signal_number("RTMIN+1") == 35);
  CHECK(sys::signal_number("SIGRTMAX") == 64);
  for (const char* word : {"", "SIG", "NONSENSE", "-1", "65", "9x", "RTMIN+99"}) CHECK_FALSE(sys::signal_number(word));
}

TEST_CASE("process: a child is watched and reaped by its descriptor") {
  const auto child = sys::clone_process({});
  REQUIRE(child);
  if (child->pid == 0) ::_exit(7);
  CHECK(*sys::wait_exit(child->pidfd, 10'000));
  CHECK(*sys::exit_status(child->pid) == 7);
}
