#include <ocitk/stages/bounding.hpp>
#include <ocitk/stages/caps.hpp>

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

using namespace ocitk;
namespace caps = stages::caps;
using caps::bit;

static_assert(stage<stages::limit_capabilities>);
static_assert(stage<stages::drop_capabilities>);

namespace {

constexpr caps::mask all = bit(CAP_LAST_CAP + 1) - 1;
const caps::offer root{.known = all, .held = {.bounding = all, .permitted = all, .effective = all}};
const caps::mask kill_and_chown = bit(CAP_KILL) | bit(CAP_CHOWN);

}  // namespace

TEST_CASE("caps: names are spelled as in capabilities(7) and no other way") {
  CHECK(caps::number_of("CAP_KILL") == CAP_KILL);
  CHECK(caps::number_of("CAP_CHECKPOINT_RESTORE") == CAP_CHECKPOINT_RESTORE);
  CHECK_FALSE(caps::number_of("cap_kill"));
  CHECK_FALSE(caps::number_of("KILL"));
  CHECK_FALSE(caps::number_of("5"));
  CHECK_FALSE(caps::number_of(""));
  CHECK(caps::name_of(CAP_SYS_ADMIN) == "CAP_SYS_ADMIN");
}

TEST_CASE("caps: no capabilities object means none, bounding set included") {
  const auto chosen = caps::plan(std::nullopt, root);
  CHECK(chosen.wanted == caps::sets{});
  CHECK(chosen.warnings.empty());
}

TEST_CASE("caps: an empty bounding set drops every capability") {
  CHECK(caps::plan(spec::capabilities{}, root).wanted == caps::sets{});
}

TEST_CASE("caps: each set gets what it lists and nothing else") {
  const spec::capabilities asked{.bounding = {"CAP_KILL", "CAP_CHOWN"},
                                 .effective = {"CAP_KILL"},
                                 .permitted = {"CAP_KILL", "CAP_CHOWN"},
                                 .inheritable = {"CAP_CHOWN"},
                                 .ambient = {"CAP_CHOWN"}};
  const auto chosen = caps::plan(asked, root);
  CHECK(chosen.wanted == caps::sets{.bounding = kill_and_chown,
                                    .permitted = kill_and_chown,
                                    .effective = bit(CAP_KILL),
                                    .inheritable = bit(CAP_CHOWN),
                                    .ambient = bit(CAP_CHOWN)});
  CHECK(chosen.warnings.empty());
}

TEST_CASE("caps: unknown and unavailable names become one sorted warning") {
  caps::offer old_kernel = root;
  old_kernel.known &= ~bit(CAP_BPF);
  const spec::capabilities asked{.bounding = {"CAP_ZZZ", "CAP_KILL"}, .permitted = {"CAP_ZZZ", "CAP_BPF"}};
  const auto chosen = caps::plan(asked, old_kernel);
  REQUIRE(chosen.warnings.size() == 1);
  CHECK(chosen.warnings[0] == "ignoring unknown or unavailable capabilities: [CAP_BPF CAP_ZZZ]");
  CHECK(chosen.wanted == caps::sets{.bounding = bit(CAP_KILL)});
}

TEST_CASE("caps: what the runtime does not hold is left out and told") {
  const caps::offer poor{.known = all, .held = {.bounding = all, .permitted = bit(CAP_KILL)}};
  const spec::strings both{"CAP_KILL", "CAP_CHOWN"};
  const auto chosen = caps::plan(spec::capabilities{.bounding = both, .effective = both, .permitted = both}, poor);
  CHECK(chosen.wanted == caps::sets{.bounding = kill_and_chown, .permitted = bit(CAP_KILL), .effective = bit(CAP_KILL)});
  REQUIRE(chosen.warnings.size() == 2);
  CHECK(chosen.warnings[0] == "capabilities cannot be made permitted, left out: [CAP_CHOWN]");
}

TEST_CASE("caps: effective needs permitted, inheritable needs bounding") {
  const spec::capabilities asked{.effective = {"CAP_KILL"}, .permitted = {"CAP_CHOWN"}, .inheritable = {"CAP_CHOWN"}};
  const auto chosen = caps::plan(asked, root);
  CHECK(chosen.wanted == caps::sets{.permitted = bit(CAP_CHOWN)});
  CHECK(chosen.warnings.size() == 2);
}

TEST_CASE("caps: the kernel tells what it knows without /proc") {
  const auto have = caps::available();
  REQUIRE(have);
  CHECK((have->known & bit(CAP_KILL)) != 0);
  CHECK((have->held.effective & ~have->held.permitted) == 0);
  CHECK((have->held.bounding & ~have->known) == 0);
}

TEST_CASE("caps: giving up everything works without privileges") {
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<std::string> warnings;
    const bool done = caps::apply({}, warnings).has_value() && warnings.empty();
    const auto have = caps::available();
    ::_exit(done && have && have->held.permitted == 0 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("caps: an ambient capability that cannot be raised is a warning") {
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<std::string> warnings;
    const bool done = caps::apply({.ambient = bit(CAP_KILL)}, warnings).has_value();
    ::_exit(done && warnings.size() == 1 &&
                    warnings[0] == "can't raise ambient capability CAP_KILL: operation not permitted"
                ? 0
                : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
