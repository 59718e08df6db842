#ifndef OCITK_CHECK_FINDING_HPP
#define OCITK_CHECK_FINDING_HPP

#include <ocitk/error.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What `ocitk check` has to say: of the document, or of this host with regard to it.
namespace ocitk::check {

enum class severity { error, warning, note };

struct finding {
  severity how = severity::error;
  std::string pointer{};     ///< RFC 6901, into config.json; empty: the whole document
  std::string message{};     ///< lower case, no full stop
  std::string suggestion{};  ///< the word that was probably meant
  std::string needs{};       ///< what the host lacks; empty: the document itself is at fault
  auto operator==(const finding&) const -> bool = default;
};

using findings = std::vector<finding>;

inline auto word_for(severity how) -> std::string_view {
  return how == severity::error ? "error" : how == severity::warning ? "warning" : "note";
}

inline auto count(const findings& all, severity how) -> std::size_t {
  return static_cast<std::size_t>(std::ranges::count(all, how, &finding::how));
}

/// A finding from an error of the library: what failed in which stage is of no interest before anything runs.
inline auto from_error(const error& e, severity how = severity::error) -> finding {
  return {.how = how, .pointer = e.pointer, .message = to_string(error{.code = e.code, .call = e.call, .detail = e.detail})};
}

inline void append(findings& all, findings more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// The exit status of a verdict: 1 for errors of the document, 2 where only this host is in the way, else 0.
inline auto exit_status(const findings& all, bool strict) -> int {
  int status = 0;
  for (const auto& f : all) {
    if (f.how == severity::note || (f.how == severity::warning && !strict)) continue;
    if (f.needs.empty()) return 1;
    status = 2;
  }
  return status;
}

}  // namespace ocitk::check

#endif
