#include <ocitk/stages/ioprio.hpp>

#include "../../support/in_child.hpp"

#include <doctest/doctest.h>

using namespace ocitk;
namespace ioprio = stages::ioprio;

static_assert(stage<stages::set_io_priority>);

TEST_CASE("ioprio: class and level become one number") {
  CHECK(*ioprio::plan({.class_ = "IOPRIO_CLASS_RT", .priority = 0}) == 0x2000);
  CHECK(*ioprio::plan({.class_ = "IOPRIO_CLASS_BE", .priority = 7}) == 0x4007);
  CHECK(*ioprio::plan({.class_ = "IOPRIO_CLASS_IDLE", .priority = 0}) == 0x6000);
}

TEST_CASE("ioprio: every rule has its text and its place") {
  struct row {
    spec::io_priority wanted{};
    std::string_view text{}, pointer{};
  };
  const row rows[] = {
      {{.class_ = "IOPRIO_CLASS_BE", .priority = 8}, "invalid ioPriority.Priority: 8", "/process/ioPriority/priority"},
      {{.class_ = "IOPRIO_CLASS_BE", .priority = -1}, "invalid ioPriority.Priority: -1", "/process/ioPriority/priority"},
      {{.class_ = "BE"}, "invalid ioPriority.Class: \"BE\"", "/process/ioPriority/class"},
      {{}, "invalid ioPriority.Class: \"\"", "/process/ioPriority/class"},
  };
  for (const auto& r : rows) {
    const auto refused = ioprio::plan(r.wanted);
    CAPTURE(r.text);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail == r.text);
    CHECK(refused.error().pointer == r.pointer);
  }
}

TEST_CASE("ioprio: the whole process group gets it") {
  CHECK(in_child([] {
          if (::setpgid(0, 0) != 0) return 1;
          int ends[2];
          if (::pipe(ends) != 0) return 2;
          const pid_t other = ::fork();  // in the same group
          if (other == 0) {
            char byte;
            ::close(ends[1]);
            ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);
          }
          const auto done = ioprio::apply(static_cast<int>(IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6U)));
          const long of_other = ::syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, other);
          ::close(ends[1]);
          ::waitpid(other, nullptr, 0);
          return done && of_other == 0x4006 ? 0 : 3;
        }) == 0);
}
