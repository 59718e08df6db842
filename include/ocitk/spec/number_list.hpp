#ifndef OCITK_SPEC_NUMBER_LIST_HPP
#define OCITK_SPEC_NUMBER_LIST_HPP

#include <ocitk/error.hpp>
#include <ocitk/text.hpp>

#include <charconv>
#include <cstddef>
#include <string_view>
#include <vector>

/// Lists of cpus and memory nodes: "0-3,7".
namespace ocitk::spec {

/// A bit for each number, as the kernel takes them.
using bit_mask = std::vector<unsigned long>;

inline constexpr std::size_t bits_of_word = 8 * sizeof(unsigned long);
inline constexpr std::size_t highest_number = 64 * 1024;  ///< beyond any kernel's; keeps a mask small

namespace detail {

inline auto trimmed(std::string_view text) -> std::string_view {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

inline auto list_number(std::string_view text) -> result<std::size_t> {
  std::size_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc::result_out_of_range) return failure(filled("{} is above {}", text, highest_number));
  if (problem != std::errc{} || end != text.data() + text.size()) return failure(filled("\"{}\" is not a number", text));
  if (number > highest_number) return failure(filled("{} is above {}", text, highest_number));
  return number;
}

inline auto set_range(bit_mask& mask, std::string_view range) -> result<> {
  const auto dash = range.find('-');
  const auto first = OCITK_TRY(list_number(range.substr(0, dash)));
  const auto last = dash == range.npos ? first : OCITK_TRY(list_number(range.substr(dash + 1)));
  if (first > last) return failure(filled("{} is no range", range));
  if (mask.size() <= last / bits_of_word) mask.resize(last / bits_of_word + 1);
  for (auto n = first; n <= last; ++n) mask[n / bits_of_word] |= 1UL << (n % bits_of_word);
  return {};
}

}  // namespace detail

/// Spaces around a range, and empty ranges, are taken as runc does. An empty text is an empty mask.
///
/// Fails    what is no number, a range that ends before it starts, numbers above 65536, a text of commas only
inline auto number_list(std::string_view text) -> result<bit_mask> {
  bit_mask mask;
  for (auto rest = text; !rest.empty();) {
    const auto end = rest.find(',');
    if (const auto range = detail::trimmed(rest.substr(0, end)); !range.empty()) OCITK_TRY(detail::set_range(mask, range));
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  }
  if (mask.empty() && !text.empty()) return failure(filled("no number in \"{}\"", text));
  return mask;
}

inline auto count(const bit_mask& mask) -> std::size_t {
  std::size_t n = 0;
  for (const auto word : mask) n += static_cast<std::size_t>(__builtin_popcountl(word));
  return n;
}

}  // namespace ocitk::spec

#endif
