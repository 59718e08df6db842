#ifndef OCITK_CHECK_MOUNT_ENTRIES_HPP
#define OCITK_CHECK_MOUNT_ENTRIES_HPP

#include <ocitk/check/finding.hpp>
#include <ocitk/mounts/options.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/nearest.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

/// Entries of /mounts, each for itself. What a file system makes of its own options only the kernel knows.
namespace ocitk::check {

namespace detail {

/// Every option that is not the file system's own.
inline auto mount_words() -> std::vector<std::string> {
  auto words = mounts::option_words();
  for (const char* word : {"idmap", "ridmap"}) words.emplace_back(word);
  for (const auto& row : mounts::detail::switch_words) words.emplace_back(row.word);
  for (const auto word : mounts::detail::same_without_r) words.emplace_back(word);
  return words;
}

/// What a file system's option that looks like one of ours was meant to be; nothing for those that really exist.
inline auto misspelt(const std::string& option, const std::vector<std::string>& known) -> std::string {
  static constexpr std::array<std::string_view, 3> real{"nouuid", "wsync", "i_version"};  // xfs, xfs, ext4
  if (option.find_first_of("=,") != std::string::npos || std::ranges::find(known, option) != known.end()) return {};
  if (std::ranges::find(real, option) != real.end()) return {};
  return spec::nearest(option, known).value_or("");
}

inline auto is_bind(const spec::mount& m) -> bool {
  return m.type == "bind" || std::ranges::any_of(m.options, [](const auto& o) { return o == "bind" || o == "rbind"; });
}

inline auto is_remount(const spec::mount& m) -> bool { return std::ranges::find(m.options, "remount") != m.options.end(); }

/// The entry with one option only, in a place where nothing else can be wrong.
inline auto alone(const spec::mount& m, const std::string& option) -> spec::mount {
  return {.destination = "/alone", .type = is_bind(m) ? "bind" : m.type, .source = m.source, .options = {option}};
}

}  // namespace detail

/// What is wrong with one entry of /mounts: each bad option, or else the entry as a whole.
inline auto mount_entry(const spec::mount& m, std::size_t index) -> findings {
  static const auto known = detail::mount_words();
  const auto pointer = fmt::format("/mounts/{}", index);
  findings all;
  for (std::size_t i = 0; i < m.options.size(); ++i) {
    const auto& option = m.options[i];
    const auto verdict = mounts::plan_for(detail::alone(m, option));
    auto meant = detail::misspelt(option, known);
    if (verdict && meant.empty()) continue;
    auto f = verdict ? finding{.how = severity::warning, .message = "the file system gets this option as its own"}
                     : from_error(verdict.error());
    f.pointer = fmt::format("{}/options/{}", pointer, i);
    f.message = fmt::format("\"{}\": {}", option, f.message);
    f.suggestion = std::move(meant);
    all.push_back(std::move(f));
  }
  const bool options_are_fine = count(all, severity::error) == 0;
  const auto whole = mounts::plan_for(m);
  if (!whole && options_are_fine) all.push_back(from_error(at(pointer, whole).error()));
  if (whole && whole->remount && !whole->data.empty())
    all.push_back({.pointer = pointer + "/options", .message = "a remount cannot change options of the file system"});
  if (m.type.empty() && !detail::is_bind(m) && !detail::is_remount(m))
    all.push_back({.pointer = pointer, .message = "neither a bind mount nor a type of file system"});
  if (detail::is_bind(m) && !detail::is_remount(m) && m.source.empty())
    all.push_back({.pointer = pointer, .message = "a bind mount without a source"});
  return all;
}

}  // namespace ocitk::check

#endif
