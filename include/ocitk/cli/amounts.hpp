#ifndef OCITK_CLI_AMOUNTS_HPP
#define OCITK_CLI_AMOUNTS_HPP

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

/// Numbers of a command line, as runc's options take them.
namespace ocitk::cli {

/// A decimal number that fills the whole text and fits.
template <class T>
auto number_from(std::string_view text) -> std::optional<T> {
  T number{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "1024", "1.5g", "64MB", "2 GiB": bytes, in steps of 1024; "-1": no limit.
inline auto bytes_from(std::string_view text) -> std::optional<std::int64_t> {
  if (text == "-1") return -1;
  double number = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || !(number >= 0)) return std::nullopt;
  std::string unit;
  for (const char c : text.substr(static_cast<std::size_t>(stop - text.data())))
    unit += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (unit.starts_with(' ')) unit.erase(0, 1);
  constexpr std::string_view powers = "kmgtp";
  double factor = 1;
  if (!unit.empty() && unit != "b") {
    const auto power = powers.find(unit[0]);
    const auto rest = std::string_view{unit}.substr(1);
    if (power == powers.npos || (!rest.empty() && rest != "b" && rest != "ib")) return std::nullopt;
    factor = std::pow(1024.0, static_cast<double>(power + 1));
  }
  const double bytes = number * factor;
  if (bytes >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  if (factor == 1)  // exactly, where a double is not
    if (const auto whole = number_from<std::int64_t>(text.substr(0, static_cast<std::size_t>(stop - text.data())))) return whole;
  return static_cast<std::int64_t>(bytes);
}

/// "5s", "1m30s", "500ms", "1.5h": milliseconds, as Go's programs take durations.
inline auto milliseconds_from(std::string_view text) -> std::optional<std::int64_t> {
  if (text.empty()) return std::nullopt;
  double sum = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (problem != std::errc{} || !(number >= 0)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    const auto end = std::min(text.find_first_of("0123456789."), text.size());
    const auto unit = text.substr(0, end);
    const double factor = unit == "h" ? 3'600'000 : unit == "m" ? 60'000 : unit == "s" ? 1000 : unit == "ms" ? 1 : unit == "us" ? 1e-3 : unit == "ns" ? 1e-6 : 0;
    if (factor == 0) return std::nullopt;
    sum += number * factor;
    text.remove_prefix(end);
  }
  constexpr double longest = 1e15;
  if (sum > longest) return std::nullopt;
  return static_cast<std::int64_t>(std::ceil(sum));
}

}  // namespace ocitk::cli

#endif
