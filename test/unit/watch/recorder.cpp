#include <ocitk/watch/recorder.hpp>

#include "../../support/watching.hpp"

#include <doctest/doctest.h>

using namespace ocitk;

namespace {
auto fresh(pretence* answers = nullptr) -> watch::recorder { return watch::recorder{std::move(*watch::recording::make()), answers}; }
}  // namespace

TEST_CASE("recorder: a call is noted with who stood where, and why") {
  auto scribe = fresh();
  standing = {.process = "init", .stage = "rootfs", .pointer = "/mounts/1"};
  const operation op{.call = "mkdirat", .args = {"<root>", "\"a\"", "0755"}};
  scribe.before(op);
  scribe.after(op, -1, 13);
  standing = {};
  const auto all = scribe.tape().all();
  REQUIRE(all);
  REQUIRE(all->size() == 1);
  const auto& r = all->front();
  CHECK(r.process == "init");
  CHECK(r.stage == "rootfs");
  CHECK(r.pointer == "/mounts/1");
  CHECK(r.args == op.args);
  CHECK(r.returned == -1);
  CHECK(r.code == 13);
  CHECK(r.started > 0);
  CHECK(r.duration >= 0);
}

TEST_CASE("recorder: stages lie within each other and know their failure") {
  auto scribe = fresh();
  scribe.stage_begins("outer");
  scribe.stage_begins("inner");
  scribe.stage_ends("inner", false);
  scribe.stage_ends("outer", true);
  const auto all = *scribe.tape().all();
  REQUIRE(all.size() == 2);
  CHECK(all[0].stage == "inner");
  CHECK(all[0].code == 1);
  CHECK(all[1].stage == "outer");
  CHECK(all[1].code == 0);
  CHECK(all[1].started <= all[0].started);
  CHECK(all[0].started + all[0].duration <= all[1].started + all[1].duration);
}

TEST_CASE("recorder: a clone neither tells of its own birth nor ends the stage it was made in") {
  auto scribe = fresh();
  scribe.stage_begins("unshare");
  const operation op{.call = "clone3", .args = {"0", "SIGCHLD", "no cgroup"}};
  scribe.before(op);
  scribe.after(op, 0, 0);
  scribe.stage_ends("unshare", true);
  CHECK(scribe.tape().all()->empty());
  scribe.stage_begins("rootfs");
  scribe.stage_ends("rootfs", true);
  CHECK(scribe.tape().all()->size() == 1);
}

TEST_CASE("recorder: an execve is noted before nobody is left to") {
  auto scribe = fresh();
  scribe.before({.call = "execve", .args = {"\"/bin/true\""}});
  CHECK(scribe.tape().all()->at(0).call == "execve");
}

TEST_CASE("recorder: what a descriptor is of is learned from calls, copies and hints") {
  auto scribe = fresh();
  const operation op{.call = "openat", .args = {"AT_FDCWD", "\"/run\"", "O_PATH", "0"}};
  scribe.before(op);
  scribe.after(op, 40, 0);
  scribe.duplicated(40, 41);
  scribe.learn(42, "channel");
  CHECK(scribe.name_of(41) == "</run>");
  CHECK(scribe.name_of(42) == "<channel>");
}

TEST_CASE("recorder: watching ends with its scope") {
  auto scribe = fresh();
  CHECK(watching == nullptr);
  {
    const watch::watched_by in_scope{scribe};
    CHECK(watching == &scribe);
    CHECK_FALSE(rehearsing());
    CHECK(watching->needs() == std::vector<int>{scribe.tape().number()});
  }
  CHECK(watching == nullptr);
  support::one_answer stands_in{0};
  auto player = fresh(&stands_in);
  const watch::watched_by in_scope{player};
  CHECK(rehearsing());
}
