#include <ocitk/watch/recording.hpp>

#include <doctest/doctest.h>

#include <sys/wait.h>

#include <algorithm>

using namespace ocitk;
using watch::recorded;

namespace {
auto fresh() -> watch::recording {
  auto made = watch::recording::make();
  REQUIRE(made);
  return std::move(*made);
}
auto entries_of(const watch::recording& tape) -> std::vector<recorded> {
  const auto all = tape.all();
  REQUIRE(all);
  return *all;
}
}  // namespace

TEST_CASE("recording: what is written down is read again, whole and in order") {
  const auto tape = fresh();
  CHECK(entries_of(tape).empty());
  const recorded call{.does = effect::asks, .process = "init", .stage = "rootfs", .pointer = "/mounts/3", .call = "openat",
                      .args = {"<a>", "", std::string(5000, 'x'), std::string("\0\n\xff", 3)}, .started = 1'795'560'605'644'115'413,
                      .duration = 0x1'2345'6789, .returned = -1, .code = 2};
  const recorded stage{.is_stage = true, .process = "parent", .stage = "cgroup", .started = -5, .duration = 7, .code = 1};
  tape.add(call);
  tape.add(stage);
  CHECK(entries_of(tape) == std::vector{call, stage});
  CHECK(entries_of(tape) == std::vector{call, stage});  // reading takes nothing away
}

TEST_CASE("recording: entries of several processes do not mix") {
  const auto tape = fresh();
  constexpr int writers = 4, each = 200;
  std::vector<pid_t> children;
  for (int w = 0; w < writers; ++w) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 0; i < each; ++i)
        tape.add({.process = std::to_string(w), .call = std::string(static_cast<std::size_t>(i), 'c'), .returned = i});
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const auto child : children) REQUIRE(::waitpid(child, nullptr, 0) == child);
  const auto all = entries_of(tape);
  REQUIRE(all.size() == writers * each);
  for (int w = 0; w < writers; ++w) {
    long next = 0;
    for (const auto& r : all) {
      if (r.process != std::to_string(w)) continue;
      CHECK(r.returned == next);
      CHECK(r.call.size() == static_cast<std::size_t>(next));
      ++next;
    }
    CHECK(next == each);
  }
}

TEST_CASE("recording: a second descriptor is of the same file") {
  const auto tape = fresh();
  const auto other = tape.again();
  REQUIRE(other);
  CHECK(other->number() != tape.number());
  other->add({.call = "a"});
  tape.add({.call = "b"});
  const auto all = entries_of(*other);
  REQUIRE(all.size() == 2);
  CHECK(all[1].call == "b");
}

TEST_CASE("recording: it is out of the way and goes with an exec") {
  const auto tape = fresh();
  CHECK(tape.number() >= 100);
  CHECK((::fcntl(tape.number(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("recording: an execve that failed counts once, one that did not too") {
  const auto tape = fresh();
  tape.add({.process = "init", .call = "execve", .args = {"a"}});
  tape.add({.process = "init", .call = "execve", .args = {"a"}, .duration = 9, .returned = -1, .code = 2});
  tape.add({.process = "other", .call = "execve", .args = {"b"}});
  const auto all = entries_of(tape);
  REQUIRE(all.size() == 2);
  CHECK(all[0].code == 2);
  CHECK(all[1].process == "other");
}

TEST_CASE("recording: a torn one is an error") {
  const auto tape = fresh();
  tape.add({.call = "a"});
  REQUIRE(::write(tape.number(), "\x20\0\0\0abc", 7) == 7);
  const auto all = tape.all();
  REQUIRE_FALSE(all);
  CHECK(all.error().detail == "the recording is cut short");
}
