#include <ocitk/stages/scheduler.hpp>

#include "../../support/in_child.hpp"

#include <doctest/doctest.h>

#include <sched.h>
#include <sys/resource.h>

using namespace ocitk;
namespace scheduler = stages::scheduler;

static_assert(stage<stages::set_scheduler>);

TEST_CASE("scheduler: words become numbers") {
  const auto fair = scheduler::plan({.policy = "SCHED_BATCH", .nice = 19, .flags = {"SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_KEEP_PARAMS"}});
  REQUIRE(fair);
  CHECK(*fair == scheduler::attributes{.policy = SCHED_BATCH, .flags = 0x11, .nice = 19});
  const auto real_time = scheduler::plan({.policy = "SCHED_RR", .priority = 99});
  REQUIRE(real_time);
  CHECK(*real_time == scheduler::attributes{.policy = SCHED_RR, .priority = 99});
  const auto deadline = scheduler::plan({.policy = "SCHED_DEADLINE", .nice = 19, .runtime = 1, .deadline = 2, .period = 3});
  REQUIRE(deadline);
  CHECK(*deadline == scheduler::attributes{.policy = 6, .runtime = 1, .deadline = 2, .period = 3});
}

TEST_CASE("scheduler: every rule has its text and its place") {
  struct row {
    spec::scheduler wanted{};
    std::string_view text{}, pointer{};
  };
  const row rows[] = {
      {{}, "scheduler policy is required", "/process/scheduler/policy"},
      {{.policy = "SCHED_FAIR"}, "invalid scheduler policy: SCHED_FAIR", "/process/scheduler/policy"},
      {{.policy = "SCHED_OTHER", .nice = 20}, "invalid scheduler.nice: 20 when scheduler.policy is SCHED_OTHER", "/process/scheduler/nice"},
      {{.policy = "SCHED_BATCH", .nice = -21}, "invalid scheduler.nice: -21", "/process/scheduler/nice"},
      {{.policy = "SCHED_OTHER", .priority = 1}, "scheduler.priority can only be specified for", "/process/scheduler/priority"},
      {{.policy = "SCHED_DEADLINE", .priority = -1}, "scheduler.priority can only be specified for", "/process/scheduler/priority"},
      {{.policy = "SCHED_FIFO"}, "invalid scheduler.priority: 0", "/process/scheduler/priority"},
      {{.policy = "SCHED_RR", .priority = 100}, "invalid scheduler.priority: 100", "/process/scheduler/priority"},
      {{.policy = "SCHED_IDLE", .runtime = 1}, "runtime/deadline/period can only be specified for", "/process/scheduler/runtime"},
      {{.policy = "SCHED_OTHER", .deadline = 1}, "runtime/deadline/period can only be specified for", "/process/scheduler/deadline"},
      {{.policy = "SCHED_FIFO", .priority = 1, .period = 1}, "runtime/deadline/period can only", "/process/scheduler/period"},
      {{.policy = "SCHED_OTHER", .flags = {"SCHED_FLAG_RECLAIM", "RECLAIM"}}, "invalid scheduler flag: RECLAIM", "/process/scheduler/flags/1"},
  };
  for (const auto& r : rows) {
    const auto refused = scheduler::plan(r.wanted);
    CAPTURE(r.text);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail.find(r.text) != std::string::npos);
    CHECK(refused.error().pointer == r.pointer);
  }
  for (const auto& [word, number] : scheduler::policies) {
    CAPTURE(word);
    CHECK(scheduler::plan({.policy = std::string{word}, .priority = number == SCHED_FIFO || number == SCHED_RR ? 1 : 0}));
  }
}

TEST_CASE("scheduler: a policy without privileges is set, nice value included") {
  CHECK(in_child([] {
          if (!scheduler::apply({.policy = SCHED_BATCH, .nice = 19}, false)) return 1;
          return ::sched_getscheduler(0) == SCHED_BATCH && ::getpriority(PRIO_PROCESS, 0) == 19 ? 0 : 2;
        }) == 0);
}

TEST_CASE("scheduler: a refusal within some cpus says why") {
  CHECK(in_child([] {
          const ::rlimit none{};
          if (::setrlimit(RLIMIT_RTPRIO, &none) != 0 || (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0)) return 1;
          const scheduler::attributes wanted{.policy = SCHED_FIFO, .priority = 1};
          const auto within = scheduler::apply(wanted, true), anywhere = scheduler::apply(wanted, false);
          if (within || anywhere || within.error().code != EPERM) return 2;
          if (within.error().detail != "process scheduler can't be used together with AllowedCPUs") return 3;
          return anywhere.error().detail.empty() ? 0 : 4;
        }) == 0);
}
