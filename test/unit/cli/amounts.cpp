#include <ocitk/cli/amounts.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>
#include <utility>

using ocitk::cli::bytes_from;

TEST_CASE("amounts: bytes with and without a unit") {
  const std::pair<std::string_view, std::int64_t> table[] = {
      {"-1", -1}, {"0", 0}, {"1048577", 1048577}, {"9007199254740993", 9007199254740993}, {"1k", 1024}, {"64m", 64 << 20}, {"64MB", 64 << 20},
      {"64MiB", 64 << 20}, {"1.5g", 3LL << 29}, {"2 GiB", 2LL << 30}, {"1T", 1LL << 40}, {"7b", 7}};
  for (const auto& [text, bytes] : table) CHECK_MESSAGE(bytes_from(text) == bytes, text);
}

TEST_CASE("amounts: what is no amount is none") {
  for (const std::string_view text : {"", "m", "-2", "-1k", "1x", "1mm", "1 m b", "nan", "inf", "1e30", "9999999999g", "0x10"})
    CHECK_MESSAGE(!bytes_from(text), text);
}

TEST_CASE("amounts: durations as Go writes them, in milliseconds") {
  using ocitk::cli::milliseconds_from;
  CHECK(milliseconds_from("5s") == 5000);
  CHECK(milliseconds_from("1m30s") == 90000);
  CHECK(milliseconds_from("1.5h") == 5400000);
  CHECK(milliseconds_from("500ms") == 500);
  CHECK(milliseconds_from("1us") == 1);
  CHECK(milliseconds_from("0s") == 0);
  for (const std::string_view text : {"", "5", "s", "-5s", "5x", "5s5", "1e3s"}) CHECK_MESSAGE(!milliseconds_from(text), text);
}
