#ifndef OCITK_SPEC_DRAFT_HPP
#define OCITK_SPEC_DRAFT_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/defaults.hpp>
#include <ocitk/spec/detail/fields.hpp>
#include <ocitk/spec/detail/read.hpp>
#include <ocitk/spec/read.hpp>
#include <ocitk/spec/write.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

/// A document that survives its own mistakes. Readers and planners stop at the first error; here each error is noted,
/// what it is about is mended, and the same judge is asked again.
namespace ocitk::spec {

namespace detail {

/// The keys of an RFC 6901 pointer, unescaped.
inline auto steps_of(std::string_view pointer) -> std::vector<std::string> {
  std::vector<std::string> steps;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      steps.emplace_back();
    } else if (!steps.empty()) {
      const bool escaped = pointer[i] == '~' && i + 1 < pointer.size();
      steps.back() += escaped ? (pointer[++i] == '1' ? '/' : '~') : pointer[i];
    }
  }
  return steps;
}

inline auto index_of(std::string_view step) -> std::optional<std::size_t> {
  std::size_t index = 0;
  const auto [end, problem] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (problem != std::errc{} || end != step.data() + step.size()) return std::nullopt;
  return index;
}

/// The value some steps below another one, or nullptr.
inline auto value_at(json& from, const std::vector<std::string>& steps, std::size_t count) -> json* {
  json* now = &from;
  for (std::size_t i = 0; i < count; ++i) {
    if (now->is_object() && now->contains(steps[i])) {
      now = &(*now)[steps[i]];
    } else if (const auto index = index_of(steps[i]); now->is_array() && index && *index < now->size()) {
      now = &(*now)[*index];
    } else {
      return nullptr;
    }
  }
  return now;
}

}  // namespace detail

/// Is one pointer the other, or inside of what it points to?
inline auto within(std::string_view inner, std::string_view outer) -> bool {
  return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
}

class draft {
 public:
  explicit draft(nlohmann::json document) : document_(std::move(document)) {}  // braces would make an array of it

  /// The text of a config.json.
  ///
  /// Fails  broken JSON, as parse_config does
  static auto parse(std::string_view text) -> result<draft> {
    auto document = detail::parse_document(text, "config.json");
    if (!document) return std::unexpected(document.error());
    return draft{std::move(*document)};
  }

  [[nodiscard]] auto document() const -> const nlohmann::json& { return document_; }

  /// What the document says now.
  [[nodiscard]] auto read() const -> result<config> {
    config c;
    OCITK_TRY(detail::read(detail::place{.value = document_}, c));
    return c;
  }

  /// Where something of the draft stands in the text: entries that were taken out have moved those behind them.
  [[nodiscard]] auto original(std::string_view pointer) const -> std::string {
    std::string way;
    for (auto& step : detail::steps_of(pointer)) {
      const auto gone = gone_.find(way);
      if (const auto index = detail::index_of(step); gone != gone_.end() && index) {
        auto shifted = *index;
        for (const auto earlier : gone->second) shifted += earlier <= shifted ? 1 : 0;
        step = std::to_string(shifted);
      }
      way = detail::below(way, step);
    }
    return way;
  }

  /// Was something there taken out or replaced? What is said of it, or of the entry of a list that it was part of,
  /// is no longer about the text.
  [[nodiscard]] auto spoilt(const std::string& original_pointer) const -> bool {
    const auto steps = detail::steps_of(original_pointer);
    const bool entry = !steps.empty() && detail::index_of(steps.back());
    return std::ranges::any_of(spoilt_, [&](const std::string& s) {
      return within(original_pointer, s) || (entry && within(s, original_pointer));
    });
  }

  /// Puts the right word where a wrong one was.
  void correct(std::string_view pointer, const std::string& word) {
    const auto steps = detail::steps_of(pointer);
    if (auto* value = detail::value_at(document_, steps, steps.size())) *value = word;
  }

  /// Makes that nothing is wrong there any more: an entry of a list goes, a member gets its default value, or goes
  /// if it has none or has it already.
  ///
  /// Returns  false where nothing is left to try
  auto mend(const std::string& pointer) -> bool {
    const auto told = original(pointer);
    constexpr int tries = 3;
    if (++tries_[told] > tries) return false;
    auto steps = detail::steps_of(pointer);
    if (steps.empty()) return false;
    spoilt_.insert(told);
    const auto missing = detail::value_at(document_, steps, steps.size()) == nullptr;
    if (set_default(steps)) return true;
    if (missing && !climb_to_entry(steps)) return false;
    erase(steps);
    return true;
  }

 private:
  /// Only members outside of lists have a default worth the name.
  auto set_default(const std::vector<std::string>& steps) -> bool {
    static const nlohmann::json defaults = nlohmann::json::parse(to_json_text(default_config(false, false, 0, 0)));
    if (std::ranges::any_of(steps, [](const auto& s) { return detail::index_of(s).has_value(); })) return false;
    auto copy = defaults;
    const auto* wanted = detail::value_at(copy, steps, steps.size());
    auto* above = detail::value_at(document_, steps, steps.size() - 1);
    if (wanted == nullptr || above == nullptr || !above->is_object()) return false;
    auto& member = (*above)[steps.back()];
    if (member == *wanted) return false;
    member = *wanted;
    return true;
  }
  /// Shortens the steps to the innermost list entry that is there.
  auto climb_to_entry(std::vector<std::string>& steps) -> bool {
    while (!steps.empty()) {
      const auto* above = detail::value_at(document_, steps, steps.size() - 1);
      const bool there = detail::value_at(document_, steps, steps.size()) != nullptr;
      if (there && above != nullptr && above->is_array()) return true;
      steps.pop_back();
    }
    return false;
  }
  void erase(const std::vector<std::string>& steps) {
    auto& above = *detail::value_at(document_, steps, steps.size() - 1);
    if (above.is_object()) {
      above.erase(steps.back());
      return;
    }
    std::string list;
    for (std::size_t i = 0; i + 1 < steps.size(); ++i) list = detail::below(list, steps[i]);
    const auto entry = detail::steps_of(original(detail::below(list, steps.back()))).back();
    gone_[original(list)].insert(*detail::index_of(entry));
    above.erase(*detail::index_of(steps.back()));
  }

  nlohmann::json document_;
  std::map<std::string, std::set<std::size_t>, std::less<>> gone_{};  ///< by list, as the text counts
  std::set<std::string, std::less<>> spoilt_{};
  std::map<std::string, int, std::less<>> tries_{};
};

/// How many errors one judge is heard out for: who needs more has another kind of problem.
inline constexpr std::size_t most_errors = 100;

/// Everything a judge has to say of a document, and not only the first thing. The draft ends up such that the judge
/// has nothing to say, or cannot be helped.
///
/// Reads    judge(const draft&) -> result<>
/// Returns  its errors, with pointers into the text
template <class Judge>
auto hear_out(draft& d, Judge&& judge) -> std::vector<error> {
  std::vector<error> errors;
  for (;;) {
    auto verdict = judge(std::as_const(d));
    if (verdict) return errors;
    error e = std::move(verdict).error();
    const auto here = std::exchange(e.pointer, d.original(e.pointer));
    if (!d.spoilt(e.pointer)) errors.push_back(std::move(e));
    if (errors.size() == most_errors || !d.mend(here)) return errors;
  }
}

}  // namespace ocitk::spec

#endif
