#include <ocitk/stages/rlimits.hpp>

#include <doctest/doctest.h>

#include <limits>

using namespace ocitk;
namespace rlimits = stages::rlimits;

static_assert(stage<stages::set_rlimits>);

TEST_CASE("rlimits: names become numbers in the order of the spec") {
  const std::vector<spec::rlimit> wanted{{"RLIMIT_NOFILE", 10, 20},
                                         {"RLIMIT_CORE", 0, std::numeric_limits<std::uint64_t>::max()}};
  const auto plan = rlimits::plan(wanted);
  REQUIRE(plan);
  REQUIRE(plan->size() == 2);
  CHECK((*plan)[0] == rlimits::limit{RLIMIT_NOFILE, 10, 20, 0});
  CHECK((*plan)[1] == rlimits::limit{RLIMIT_CORE, 0, RLIM_INFINITY, 1});
}

TEST_CASE("rlimits: an unknown type names its entry") {
  const auto plan = rlimits::plan(std::vector<spec::rlimit>{{"RLIMIT_AS", 1, 1}, {"RLIMIT_PAPER", 1, 1}});
  REQUIRE_FALSE(plan);
  CHECK(plan.error().detail == "wrong rlimit value: RLIMIT_PAPER");
  CHECK(plan.error().pointer == "/process/rlimits/1");
}

TEST_CASE("rlimits: a type given twice is an error") {
  const auto plan = rlimits::plan(std::vector<spec::rlimit>{{"RLIMIT_AS", 1, 1}, {"RLIMIT_AS", 2, 2}});
  REQUIRE_FALSE(plan);
  CHECK(plan.error().pointer == "/process/rlimits/1");
}

TEST_CASE("rlimits: applying sets soft and hard, and a refusal names its entry") {
  ::rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_CORE, &before) == 0);
  const std::vector<rlimits::limit> same{{RLIMIT_CORE, 0, before.rlim_max, 0}};
  REQUIRE(rlimits::apply(same));
  ::rlimit now{};
  REQUIRE(::getrlimit(RLIMIT_CORE, &now) == 0);
  CHECK(now.rlim_cur == 0);
  CHECK(now.rlim_max == before.rlim_max);
  REQUIRE(::setrlimit(RLIMIT_CORE, &before) == 0);

  const std::vector<rlimits::limit> crossed{{RLIMIT_CORE, 2, 1, 7}};
  const auto refused = rlimits::apply(crossed);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EINVAL);
  CHECK(refused.error().pointer == "/process/rlimits/7");
}
