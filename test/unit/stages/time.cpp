#include <ocitk/stages/time.hpp>
#include <ocitk/stages/unshare.hpp>

#include "../../support/in_child.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <ctime>

using namespace ocitk;

static_assert(stage<stages::shift_clocks>);

TEST_CASE("time: offsets become the kernel's lines") {
  CHECK(*stages::time::plan({}) == "");
  CHECK(*stages::time::plan({{"monotonic", {7881, 2718281}}, {"boottime", {-1337, 0}}}) == "boottime -1337 0\nmonotonic 7881 2718281\n");
}

TEST_CASE("time: every rule has its text and its place") {
  const auto clock = stages::time::plan({{"realtime", {1, 0}}});
  REQUIRE_FALSE(clock);
  CHECK(clock.error().detail.find("\"realtime\"") != std::string::npos);
  CHECK(clock.error().pointer == "/linux/timeOffsets/realtime");
  const auto second = stages::time::plan({{"monotonic", {1, 1'000'000'000}}});
  REQUIRE_FALSE(second);
  CHECK(second.error().pointer == "/linux/timeOffsets/monotonic/nanosecs");
}

TEST_CASE("time: with offsets the namespace is made by init itself") {
  const std::vector<spec::ns> wanted{{.type = "time"}, {.type = "uts"}};
  const auto plain = stages::unshare::plan_for(wanted), shifted = stages::unshare::plan_for(wanted, true);
  REQUIRE(plain);
  CHECK(plain->at_birth == (CLONE_NEWTIME | CLONE_NEWUTS));
  CHECK(plain->in_init == 0);
  REQUIRE(shifted);
  CHECK(shifted->at_birth == CLONE_NEWUTS);
  CHECK(shifted->in_init == CLONE_NEWTIME);
}

TEST_CASE("time: nothing is done without offsets, or in a joined namespace") {
  const spec::config plain{.linux = {.namespaces = {{.type = "time"}}}};
  init_context ctx{plain};
  CHECK(stages::shift_clocks{}(ctx));
  const spec::config joined{.linux = {.namespaces = {{.type = "time", .path = "/x"}}, .time_offsets = {{"monotonic", {1, 0}}}}};
  init_context other{joined};
  CHECK(stages::shift_clocks{}(other));
}

TEST_CASE("time: the calling process itself is in the new namespace, its clock ahead") {
  const int outcome = in_child([] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWTIME) != 0) return 77;  // forbidden here
    const auto now = [] {
      timespec t{};
      ::clock_gettime(CLOCK_MONOTONIC, &t);
      return t.tv_sec;
    };
    struct stat before{}, after{};
    if (::stat("/proc/self/ns/time", &before) != 0) return 77;
    const auto was = now();
    const auto proc = sys::open_proc();
    if (!proc) return 1;
    const auto file = stages::time::open_offsets(*proc, 0);
    if (!file) return 2;
    if (!stages::time::apply("monotonic 100000 0\n", *file, *proc)) return 3;
    if (::stat("/proc/self/ns/time", &after) != 0 || sys::same_file(before, after)) return 4;
    return now() - was >= 100000 ? 0 : 5;
  });
  if (outcome != 77) CHECK(outcome == 0);
}
