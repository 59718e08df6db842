#include <ocitk/watch/trace_text.hpp>

#include <doctest/doctest.h>

#include <sstream>

using namespace ocitk;
using watch::recorded;

namespace {
auto lines_of(const std::string& text) -> std::vector<std::string> {
  std::istringstream in{text};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}
const std::vector<recorded> setup{
    {.process = "parent", .stage = "cgroup", .call = "mkdirat", .started = 1'000'000, .duration = 500'000},
    {.is_stage = true, .process = "parent", .stage = "cgroup", .started = 1'000'000, .duration = 1'000'000},
    {.process = "init", .stage = "rootfs", .pointer = "/mounts/0", .call = "open_tree", .args = {"\"/a\""}, .started = 3'000'000, .duration = 1'500, .returned = -1, .code = ENOENT},
    {.process = "init", .stage = "rootfs", .call = "umask", .started = 3'500'000, .duration = 100},
    {.is_stage = true, .process = "init", .stage = "rootfs", .started = 2'000'000, .duration = 2'000'000, .code = 1},
    {.process = "init", .stage = "rootfs", .call = "late", .started = 5'000'000, .duration = 0},
};
}  // namespace

TEST_CASE("trace text: a call is a complete event, in microseconds, with all that is known of it") {
  const auto text = watch::trace_json({setup[2]});
  CHECK(text.starts_with("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"));
  CHECK(text.ends_with("\n]}\n"));
  const auto lines = lines_of(text);
  REQUIRE(lines.size() == 6);
  CHECK(lines[1] == R"({"name":"process_name","ph":"M","pid":1,"tid":1,"args":{"name":"parent"}},)");
  CHECK(lines[3] == R"({"name":"process_name","ph":"M","pid":3,"tid":1,"args":{"name":"init"}},)");
  CHECK(lines[4] == R"({"name":"open_tree","cat":"call","ph":"X","ts":3000.000,"dur":1.500,"pid":3,"tid":1,"args":{"process":"init","stage":"rootfs",)"
                    R"("args":["\"/a\""],"pointer":"/mounts/0","start_ns":3000000,"duration_ns":1500,"result":-1,"errno":2,"error":"no such file or directory"}})");
}

TEST_CASE("trace text: a stage that failed has no errno text of its own") {
  const auto lines = lines_of(watch::trace_json({setup[4]}));
  CHECK(lines.at(4).find(R"("name":"rootfs","cat":"stage")") != std::string::npos);
  CHECK(lines.at(4).find(R"("errno":1,"error":"")") != std::string::npos);
}

TEST_CASE("trace text: the time line has a row for each stage, its calls and a bar") {
  const auto lines = lines_of(watch::timeline(setup));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "process stage             at ms   took ms calls");
  CHECK(lines[1] == "parent  cgroup            0.000     1.000     1 ████████████");
  CHECK(lines[2] == "init    rootfs            1.000     2.000     2 " + std::string(12, ' ') + "████████████████████████ failed");
  CHECK(lines[3] == "in all                    4.000               4");
}

TEST_CASE("trace text: a bar is never empty and never ends beyond the others") {
  CHECK(watch::detail::drawn(0, 0, 100) == "█");
  CHECK(watch::detail::drawn(100, 100, 100) == std::string(47, ' ') + "█");
  CHECK(watch::detail::drawn(0, 0, 0) == "█");
  CHECK(watch::timeline({}) == "nothing was traced\n");
}
