#ifndef OCITK_CHECK_REPORT_HPP
#define OCITK_CHECK_REPORT_HPP

#include <ocitk/check/finding.hpp>
#include <ocitk/spec/write.hpp>

#include <fmt/core.h>

#include <string>
#include <string_view>

/// Findings in the forms they are printed in.
namespace ocitk::check {

namespace detail {

inline auto plural(std::size_t n, std::string_view what) -> std::string {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

/// One line each, whatever is in the document: a control character could rewrite what the terminal shows.
inline auto printable(std::string_view text) -> std::string {
  std::string plain;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      plain += fmt::format("\\x{:02x}", byte);
    else
      plain += c;
  }
  return plain;
}

inline auto line_of(const finding& f) -> std::string {
  auto line = fmt::format("{}: {}{}{}", word_for(f.how), f.pointer, f.pointer.empty() ? "" : ": ", f.message);
  if (!f.suggestion.empty()) line += fmt::format(", did you mean \"{}\"?", f.suggestion);
  if (!f.needs.empty()) line += fmt::format(" (needs {})", f.needs);
  return printable(line) + "\n";
}

inline auto object_of(const finding& f) -> std::string {
  const auto member = [](std::string_view key, const std::string& value) {
    return value.empty() ? std::string{} : fmt::format(",\"{}\":{}", key, spec::quoted(value));
  };
  return fmt::format("{{\"severity\":\"{}\",\"pointer\":{},\"message\":{}{}{}}}", word_for(f.how), spec::quoted(f.pointer),
                     spec::quoted(f.message), member("suggestion", f.suggestion), member("needs", f.needs));
}

}  // namespace detail

/// `error: /mounts/3/options/1: ...`, one line a finding, and a line that sums up.
inline auto to_text(const findings& all) -> std::string {
  std::string text;
  for (const auto& f : all) text += detail::line_of(f);
  const auto errors = count(all, severity::error), warnings = count(all, severity::warning);
  if (errors + warnings == 0) return text + "no errors, no warnings\n";
  return text + fmt::format("{}, {}\n", detail::plural(errors, "error"), detail::plural(warnings, "warning"));
}

/// `{"findings":[{"severity","pointer","message","suggestion"?,"needs"?}],"errors":N,"warnings":N}`
inline auto to_json(const findings& all) -> std::string {
  std::string list;
  for (const auto& f : all) list += (list.empty() ? "" : ",") + detail::object_of(f);
  return fmt::format("{{\"findings\":[{}],\"errors\":{},\"warnings\":{}}}\n", list, count(all, severity::error),
                     count(all, severity::warning));
}

}  // namespace ocitk::check

#endif
