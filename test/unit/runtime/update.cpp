#include <ocitk/runtime/update.hpp>

#include "../../support/scratch.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>

#include <fstream>
#include <iterator>
#include <string>

namespace runtime = ocitk::runtime;
namespace cgroup = ocitk::stages::cgroup;

namespace {

/// A plain directory that stands for a cgroup: what is written can be read back.
struct stand_in {
  support::scratch dir{};
  cgroup::cgroup_guard guard{{{.mountpoint = dir.path(""), .below = "c", .is_v2 = true}}};

  stand_in() {
    dir.directory("/c");
    guard.set(0, {.dir = ocitk::unique_fd{::open(dir.path("/c").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}, .levels = 1, .created = 0});
  }
  auto put(const std::string& file, const std::string& text) -> void { std::ofstream{dir.path("/c/") + file} << text; }
  auto text(const std::string& file) -> std::string {
    std::ifstream in{dir.path("/c/") + file};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
};

auto memory(ocitk::spec::memory m) -> ocitk::spec::resources {
  ocitk::spec::resources r;
  r.memory = m;
  return r;
}

}  // namespace

TEST_CASE("update: a limit below the usage is refused on v2 if it is asked for") {
  stand_in at;
  at.put("memory.current", "1000\n");
  CHECK(runtime::check_usage(memory({.limit = 1000}), at.guard));
  CHECK(runtime::check_usage(memory({.limit = 1000, .check_before_update = true}), at.guard).error().detail == "rejecting memory limit 1000 <= usage 1000");
  CHECK(runtime::check_usage(memory({.limit = 2000, .swap = 900, .check_before_update = true}), at.guard).error().detail ==
        "rejecting memory+swap limit 900 <= usage 1000");
  CHECK(runtime::check_usage(memory({.limit = 1001, .swap = -1, .check_before_update = true}), at.guard));
  CHECK(runtime::check_usage(memory({.limit = -1, .check_before_update = true}), at.guard));
}

TEST_CASE("update: what is right already is not written, what is refused takes the rest back") {
  stand_in at;
  at.put("pids.max", "max\n");
  at.put("cpu.weight", "100\n");
  runtime::limits_change change{at.guard};
  const auto failed = change.apply({{.file = "pids.max", .value = "5"}, {.file = "cpu.weight", .value = "100"}, {.file = "no.such.file", .value = "1", .pointer = "/p"}});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().pointer == "/p");
  CHECK(at.text("pids.max").starts_with("max"));
  CHECK(at.text("cpu.weight") == "100\n");
  runtime::limits_change again{at.guard};
  CHECK(again.apply({{.file = "pids.max", .value = "777"}}));
  CHECK(at.text("pids.max").starts_with("777"));
  ocitk::error later{.detail = "later"};
  again.undo(later);
  CHECK(at.text("pids.max").starts_with("max"));
  CHECK(later.detail == "later");
}

TEST_CASE("update: the recorded cgroups get their controllers back") {
  const ocitk::sys::cgroupfs::layout layout{.hierarchies = {{.controllers = {"cpu"}, .mountpoint = "/cg/cpu"}, {.mountpoint = "/cg/unified", .is_v2 = true}}};
  CHECK(runtime::open_cgroups(layout, {"/nowhere/x"})->places().empty());
  CHECK(runtime::open_cgroups(layout, {"/cg/cpu/x"}).error().code == ENOENT);
}
