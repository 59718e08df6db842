#include <ocitk/spec/number_list.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
using mask = spec::bit_mask;

TEST_CASE("number list: numbers and ranges are bits") {
  CHECK(*spec::number_list("") == mask{});
  CHECK(*spec::number_list("0") == mask{1});
  CHECK(*spec::number_list("0-3,7") == mask{0x8f});
  CHECK(*spec::number_list("63-64") == mask{1UL << 63, 1});
  CHECK(*spec::number_list(" 1 ,, 2-2 ,") == mask{6});
  CHECK(spec::count(*spec::number_list("0-65536")) == 65537);
}

TEST_CASE("number list: what is none says why") {
  for (const auto* text : {",", " ", "a", "1-", "-1", "1-2-3", "0x1", "+1", "3-1", "65537", "0-9876543210", "99999999999999999999999"}) {
    CAPTURE(text);
    const auto refused = spec::number_list(text);
    REQUIRE_FALSE(refused);
    CHECK_FALSE(refused.error().detail.empty());
  }
}
