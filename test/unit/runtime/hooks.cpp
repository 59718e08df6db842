#include <ocitk/runtime/hooks.hpp>
#include <ocitk/spec/read.hpp>

#include "../../support/scratch.hpp"

#include <doctest/doctest.h>

using namespace ocitk;
using runtime::status;

namespace {

auto known_container() -> runtime::record {
  runtime::record r;
  r.id = "web";
  r.pid = 42;
  r.bundle = "/b";
  return r;
}

}  // namespace

TEST_CASE("runtime hooks: the state has the keys of the specification, and a pid only if there is one") {
  auto known = known_container();
  CHECK(runtime::hook_state(known, status::creating, 42) ==
        R"({"ociVersion":")" + std::string{spec::oci_version} + R"(","id":"web","status":"creating","pid":42,"bundle":"/b"})");
  known.annotations["k"] = "v\n";
  CHECK(runtime::hook_state(known, status::stopped, 0).ends_with(R"("status":"stopped","bundle":"/b","annotations":{"k":"v\n"}})"));
  const spec::config config;
  const init_context init{.spec = config, .id = "x", .bundle = "/c"};
  CHECK(runtime::hook_state(init, status::created).find("\"pid\":" + std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE("runtime hooks: a record keeps them whole") {
  auto known = known_container();
  CHECK(spec::record_text(known).find("hooks") == std::string::npos);
  known.hooks.poststop = {{.path = "/a", .args = {"x", "y"}, .env = spec::strings{}, .timeout = 7}, {.path = "/b"}};
  const auto again = spec::parse_record(spec::record_text(known));
  REQUIRE(again);
  REQUIRE(again->hooks.poststop.size() == 2);
  CHECK(again->hooks.poststop[0].args == spec::strings{"x", "y"});
  CHECK(again->hooks.poststop[0].env == spec::strings{});  // empty is not absent
  CHECK_FALSE(again->hooks.poststop[1].env);
  CHECK(again->hooks.poststop[0].timeout == 7);
}

TEST_CASE("runtime hooks: init meets its parent only where something depends on it") {
  spec::hooks all;
  CHECK_FALSE(runtime::meet_parent(all));
  all.create_container = all.start_container = all.poststart = {{.path = "/x"}};
  CHECK_FALSE(runtime::meet_parent(all));
  all.poststop = {{.path = "/x"}};
  CHECK(runtime::meet_parent(all));
}

TEST_CASE("runtime hooks: the guard runs poststop hooks once, if armed and not kept, and hands on what fails") {
  const support::scratch s;
  auto known = known_container();
  known.hooks.poststop = {{.path = "/bin/sh", .args = {"sh", "-c", "echo >> " + s.path("/ran") + "; exit 1"}}};
  std::vector<error> warned;
  const auto warn = [&](error why) { warned.push_back(std::move(why)); };
  {
    runtime::poststop_guard idle{warn};
    runtime::poststop_guard kept{warn};
    kept.arm(known);
    kept.keep();
  }
  CHECK(warned.empty());
  {
    runtime::poststop_guard armed{warn};
    armed.arm(known);
    const runtime::poststop_guard moved{std::move(armed)};
  }
  REQUIRE(warned.size() == 1);
  CHECK(warned[0].stage == "hooks");
  CHECK(warned[0].detail == "error running poststop hook #0: exit status 1, stdout: , stderr: ");
  CHECK(*sys::read_file(fd_ref::cwd(), s.path("/ran"), 100) == "\n");
}
