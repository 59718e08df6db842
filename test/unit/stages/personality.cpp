#include <ocitk/stages/personality.hpp>

#include "../../support/in_child.hpp"

#include <doctest/doctest.h>

using namespace ocitk;

static_assert(stage<stages::set_personality>);

TEST_CASE("personality: the domain is set, flags are only a warning") {
  CHECK(in_child([] {
          const spec::config config{.linux = {.personality = spec::personality{.domain = "LINUX32", .flags = {"X"}}}};
          init_context ctx{config};
          if (!stages::set_personality{}(ctx) || ctx.warnings.size() != 1) return 1;
          return ::personality(0xffffffff) == PER_LINUX32 ? 0 : 2;
        }) == 0);
}

TEST_CASE("personality: an unknown domain is refused") {
  for (const auto* word : {"", "linux", "LINUX64"}) {
    const auto refused = stages::personality::plan({.domain = word});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail == filled("invalid personality domain {}", std::string_view{word}));
    CHECK(refused.error().pointer == "/linux/personality/domain");
  }
}

TEST_CASE("personality: none asked for is none set") {
  const spec::config config{};
  init_context ctx{config};
  const auto before = ::personality(0xffffffff);
  CHECK(stages::set_personality{}(ctx));
  CHECK(::personality(0xffffffff) == before);
}
