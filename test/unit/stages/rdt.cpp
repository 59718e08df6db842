#include <ocitk/stages/rdt.hpp>

#include "../../support/scratch.hpp"

#include <doctest/doctest.h>

using namespace ocitk;
namespace rdt = stages::rdt;

static_assert(stage<stages::join_resctrl_group>);

namespace {

auto content(const std::string& path) -> std::string { return *sys::read_file(fd_ref::cwd(), path, 4096); }

/// A resctrl as far as the stage looks at one. Its groups have their files when they are made, as in the kernel: a test
/// makes those it needs beforehand.
struct fake_resctrl : support::scratch {
  fake_resctrl() {
    for (const auto* name : {"/info", "/info/L3", "/info/MB", "/mon_groups"}) directory(name);
    file("/info/MB/bandwidth_gran", "10\n");
    file("/info/last_cmd_status", "ok\n");
    file("/schemata", "    L3:0=7ff;1=7ff\n    MB:0=100;1=100\n");
    file("/tasks", "");
  }
  auto group(const std::string& name, std::string_view schemata) const -> void {
    directory("/" + name);
    directory("/" + name + "/mon_groups");
    file("/" + name + "/schemata", schemata);
    file("/" + name + "/tasks", "");
  }
};

auto planned(const spec::intel_rdt& wanted) -> rdt::group { return *rdt::plan(wanted, "box"); }

}  // namespace

TEST_CASE("rdt: the group is closID, or the container, or the root") {
  CHECK(planned({}) == rdt::group{.name = "box"});
  CHECK(planned({.clos_id = "gold"}) == rdt::group{.name = "gold", .is_given = true});
  CHECK(planned({.clos_id = "/", .enable_monitoring = true}) == rdt::group{.is_given = true, .monitor = "box"});
  CHECK(planned({.clos_id = "/", .enable_monitoring = true}).monitor_path() == "mon_groups/box");
  CHECK(planned({.enable_monitoring = true}).monitor_path() == "box/mon_groups/box");
}

TEST_CASE("rdt: cache, then bandwidth, then the other lines") {
  CHECK(planned({.l3_cache_schema = "L3:0=7f0\nMB:0=50", .mem_bw_schema = "MB:0=20", .schemata = {"L2:0=f", "L3CODE:0=3"}}).schemata ==
        "L3:0=7f0\nMB:0=20\nL2:0=f\nL3CODE:0=3\n");
  CHECK(planned({.l3_cache_schema = "L3:0=7f0\nMB:0=50"}).schemata == "L3:0=7f0\nMB:0=50\n");
}

TEST_CASE("rdt: every rule of the document has its text and its place") {
  struct row {
    spec::intel_rdt wanted{};
    std::string_view text{}, pointer{};
  };
  const row rows[] = {
      {{.clos_id = "."}, "invalid intelRdt.ClosID \".\"", "/linux/intelRdt/closID"},
      {{.clos_id = ".."}, "invalid intelRdt.ClosID \"..\"", "/linux/intelRdt/closID"},
      {{.clos_id = "a/b"}, "invalid intelRdt.ClosID \"a/b\"", "/linux/intelRdt/closID"},
      {{.clos_id = "//"}, "invalid intelRdt.ClosID", "/linux/intelRdt/closID"},
      {{.clos_id = "info"}, "invalid intelRdt.ClosID", "/linux/intelRdt/closID"},
      {{.mem_bw_schema = "L3:0=1"}, "does not start with MB:", "/linux/intelRdt/memBwSchema"},
      {{.mem_bw_schema = "MB:0=1\nL3:0=1"}, "a schema is one line", "/linux/intelRdt/memBwSchema"},
      {{.schemata = {"L3:0=1", "L3:0=1\nMB:0=1"}}, "a schema is one line", "/linux/intelRdt/schemata/1"},
  };
  for (const auto& r : rows) {
    const auto refused = rdt::plan(r.wanted, "box");
    CAPTURE(r.pointer);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail.find(r.text) != std::string::npos);
    CHECK(refused.error().pointer == r.pointer);
  }
}

TEST_CASE("rdt: resctrl is found by its kind, or in the list of mounts") {
  const support::scratch dir;
  const auto mounts = dir.file("/mounts", "21 1 0:5 / /proc rw - proc proc rw\n33 1 0:9 / /srv/res\\040ctrl rw - resctrl resctrl rw\n");
  CHECK(*rdt::find_root(dir.path(), mounts) == "/srv/res ctrl");
  for (const auto& usual : {dir.path(), dir.path("/missing")}) {
    const auto refused = rdt::find_root(usual, dir.path("/missing"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail == "intelRdt is specified in config, but Intel RDT is not enabled");
    CHECK(refused.error().pointer == "/linux/intelRdt");
  }
}

TEST_CASE("rdt: what is refused has not been made") {
  const fake_resctrl fs;
  REQUIRE(::rmdir(fs.path("/info/L3").c_str()) == 0);
  const spec::intel_rdt cache{.l3_cache_schema = "L3:0=f"};
  const auto no_cache = rdt::apply(cache, planned(cache), fs.path(), 42);
  REQUIRE_FALSE(no_cache);
  CHECK(no_cache.error().detail.find("Intel RDT/CAT is not enabled") != std::string::npos);
  const spec::intel_rdt given{.clos_id = "gold"};
  const auto missing = rdt::apply(given, planned(given), fs.path(), 42);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().detail.find("must be pre-created when schemata, l3CacheSchema and memBwSchema are empty") != std::string::npos);
  CHECK_FALSE(sys::open_at(fs.root(), "gold", O_PATH));
  // The fake group has no `tasks`: the write fails after the directory is made, and the guard takes it away.
  const auto unwound = rdt::apply({}, planned({}), fs.path(), 42);
  REQUIRE_FALSE(unwound);
  CHECK_FALSE(sys::open_at(fs.root(), "box", O_PATH));
}

TEST_CASE("rdt: a group that is there is joined if it has what is wanted") {
  const fake_resctrl fs;
  fs.group("gold", "    L3:0=7f0;1=01f\n    MB:0= 20;1=100\n");
  const auto joins = [&](const spec::intel_rdt& wanted) {
    const auto done = rdt::apply(wanted, planned(wanted), fs.path(), 42);
    return done ? std::string{"joined"} : done.error().detail;
  };
  CHECK(joins({.clos_id = "gold"}) == "joined");
  CHECK(content(fs.path("/gold/tasks")) == "42");
  CHECK(joins({.clos_id = "gold", .l3_cache_schema = "L3:1=1F;0=07F0"}) == "joined");
  CHECK(joins({.clos_id = "gold", .mem_bw_schema = "MB:0=15"}) == "joined");  // in steps of 10
  CHECK(joins({.clos_id = "gold", .l3_cache_schema = "L3:0=7ff"}) == "group \"gold\" is there with other schemata");
  CHECK(joins({.clos_id = "gold", .mem_bw_schema = "MB:0=30"}) == "group \"gold\" is there with other schemata");
  CHECK(joins({.clos_id = "gold", .schemata = {"L2:0=1"}}) == "group \"gold\" is there with other schemata");
  CHECK(joins({.clos_id = "/", .mem_bw_schema = "MB:0=30"}) == "group \"/\" is there with other schemata");
  CHECK(joins({.clos_id = "/"}) == "joined");
  CHECK(content(fs.path("/tasks")) == "42");
  CHECK(content(fs.path("/gold/schemata")).find("7f0") != std::string::npos);
}

TEST_CASE("rdt: a monitoring group is entered too") {
  const fake_resctrl fs;
  fs.group("gold", "");
  fs.directory("/gold/mon_groups/box");
  fs.file("/gold/mon_groups/box/tasks", "");
  const spec::intel_rdt wanted{.clos_id = "gold", .enable_monitoring = true};
  REQUIRE(rdt::apply(wanted, planned(wanted), fs.path(), 42));
  CHECK(content(fs.path("/gold/mon_groups/box/tasks")) == "42");
}

TEST_CASE("rdt: only what is ours is removed later") {
  const fake_resctrl fs;
  using paths = std::vector<std::string>;
  const auto removed = [&](const spec::intel_rdt& wanted) { return *rdt::to_be_removed(planned(wanted), fs.path()); };
  CHECK(removed({}) == paths{fs.path("/box")});
  CHECK(removed({.enable_monitoring = true}) == paths{fs.path("/box"), fs.path("/box/mon_groups/box")});
  CHECK(removed({.clos_id = "gold", .schemata = {"L3:0=1"}}) == paths{});
  CHECK(removed({.clos_id = "gold", .enable_monitoring = true}) == paths{fs.path("/gold/mon_groups/box")});
  CHECK(removed({.clos_id = "/", .enable_monitoring = true}) == paths{fs.path("/mon_groups/box")});
  fs.directory("/box");
  CHECK(removed({}) == paths{});
  fs.directory("/box/inner");
  REQUIRE(rdt::remove({fs.path("/box"), fs.path("/box/inner"), fs.path("/missing")}));
  CHECK_FALSE(sys::open_at(fs.root(), "box", O_PATH));
}

TEST_CASE("rdt: a refusal tells what resctrl says to it") {
  const fake_resctrl fs;
  fs.file("/info/last_cmd_status", "Mask out of range\n");
  fs.directory("/box");  // without files
  const auto refused = rdt::apply({}, planned({}), fs.path(), 42);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail.ends_with(", last_cmd_status: Mask out of range"));
}
