#include <ocitk/runtime/stats_table.hpp>

#include <doctest/doctest.h>

#include <string>

namespace runtime = ocitk::runtime;
namespace detail = ocitk::runtime::detail;

TEST_CASE("stats table: sizes and bars") {
  CHECK(detail::size_text(0) == "0B");
  CHECK(detail::size_text(1023) == "1023B");
  CHECK(detail::size_text(1536) == "1.5KiB");
  CHECK(detail::size_text(3ULL << 30) == "3.0GiB");
  CHECK(detail::bar(0) == "[..........]");
  CHECK(detail::bar(0.44) == "[####......]");
  CHECK(detail::bar(1) == "[##########]");
  CHECK(detail::bar(7) == "[##########]");
}

TEST_CASE("stats table: a line for each container, in columns") {
  runtime::usage_row one{.id = "web1", .status = "running", .nanoseconds = 1'000'000'000};
  one.before.cpu.total = 1'000'000'000;
  one.now.cpu.total = 1'500'000'000;
  one.now.memory.usage = {.limit = 100 << 20, .usage = 40 << 20};
  one.now.pids = {.current = 3, .limit = 50};
  one.now.block.service_bytes = {{.op = "Read", .value = 2048}, {.op = "Write", .value = 1}, {.op = "Read", .value = 1024}};
  runtime::usage_row two{.id = "b", .status = "paused"};
  two.now.memory.usage = {.limit = ocitk::cgroups::no_limit, .usage = 1 << 20};
  CHECK(runtime::stats_table({one, two}, 2ULL << 30) ==
        "ID    STATUS     CPU  MEMORY                                   PIDS      READ  WRITTEN\n"
        "web1  running  50.0%  40.0MiB / 100.0MiB  [####......]  40.0%  3 / 50  3.0KiB       1B\n"
        "b     paused    0.0%  1.0MiB / no limit   [..........]   0.0%  0           0B       0B\n");
}

TEST_CASE("stats table: a counter that went back is no share of time") {
  runtime::usage_row r{.id = "x", .status = "running", .nanoseconds = 5};
  r.before.cpu.total = 10;
  CHECK(detail::cpu_percent(r) == 0);
}
