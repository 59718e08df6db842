#ifndef OCITK_SPEC_NEAREST_HPP
#define OCITK_SPEC_NEAREST_HPP

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What somebody meant who misspelt a word.
namespace ocitk::spec {

namespace detail {
constexpr auto lower(char c) -> char { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
}  // namespace detail

/// How many letters two words differ by: left out, put in, replaced or swapped with a neighbour. Case counts nothing.
inline auto distance(std::string_view a, std::string_view b) -> std::size_t {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) now[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, now);
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const char left = detail::lower(a[i - 1]), right = detail::lower(b[j - 1]);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (left == right ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && left == detail::lower(b[j - 2]) && detail::lower(a[i - 2]) == right;
      if (swapped) now[j] = std::min(now[j], before_last[j - 2] + 1);
    }
  }
  return now[b.size()];
}

/// The words of a table: its first column.
template <class Table>
auto first_column(const Table& table) -> std::vector<std::string> {
  std::vector<std::string> all;
  for (const auto& row : table) all.emplace_back(row.first);
  return all;
}

/// The known word nearest to another one, the first of equals; nothing where more than every third letter differs,
/// or more than two: that would be guessing.
template <class Words>
auto nearest(std::string_view word, const Words& known) -> std::optional<std::string> {
  constexpr std::size_t longest = 64, most = 2;
  if (word.size() > longest) return std::nullopt;
  std::optional<std::string> best;
  std::size_t least = most + 1;
  for (const auto& candidate : known) {
    const std::string_view other{candidate};
    const auto longer = std::max(word.size(), other.size()), shorter = std::min(word.size(), other.size());
    if (longer - shorter > most || other == word) continue;
    const auto d = distance(word, other);
    if (d >= least || d > longer / 3) continue;
    least = d;
    best = std::string{other};
  }
  return best;
}

}  // namespace ocitk::spec

#endif
