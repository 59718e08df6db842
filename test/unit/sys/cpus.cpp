#include <ocitk/sys/cpus.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
using sys::cpu_mask;
using sys::cpus_from;

TEST_CASE("cpus: a list is numbers and ranges") {
  CHECK(cpus_from("0").value() == cpu_mask{1});
  CHECK(cpus_from("0-3,7").value() == cpu_mask{0x8f});
  CHECK(cpus_from("1,1-2").value() == cpu_mask{6});
  CHECK(cpus_from("63-64").value() == cpu_mask{1UL << 63U, 1});
  CHECK(cpus_from("16383").value().size() == 256);
}

TEST_CASE("cpus: anything else is refused") {
  for (const auto* bad : {"", ",", "0,", ",0", "a", "3-1", "0-", "-1", "0 ", "0-1-2", "16384", "99999999999"}) CHECK_FALSE(cpus_from(bad));
}
