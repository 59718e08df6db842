#ifndef OCITK_SPEC_DETAIL_READ_HPP
#define OCITK_SPEC_DETAIL_READ_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/detail/fields.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

/// How read.hpp does it.
namespace ocitk::spec {

namespace detail {

using json = nlohmann::json;

/// Line and column, in bytes from 1, of the last byte a parser has read.
inline auto line_and_column(std::string_view text, std::size_t read) -> std::string {
  const auto before = text.substr(0, read == 0 ? 0 : read - 1);
  const auto line = 1 + std::ranges::count(before, '\n');
  const auto start = before.rfind('\n');
  const auto column = 1 + before.size() - (start == before.npos ? 0 : start + 1);
  return fmt::format("line {}, column {}", line, column);
}

/// The parser's reason without its own prefix and position, cut to a length fit for a log line.
inline auto plain_reason(std::string_view what) -> std::string {
  if (const auto end = what.find("] "); end != what.npos) what.remove_prefix(end + 2);
  if (what.starts_with("parse error at "))
    if (const auto end = what.find(": "); end != what.npos) what.remove_prefix(end + 2);
  constexpr std::size_t enough = 160;
  if (what.size() <= enough) return std::string{what};
  std::size_t cut = enough;
  while (cut > 0 && (static_cast<unsigned char>(what[cut]) & 0xC0U) == 0x80U) --cut;  // whole UTF-8 characters only
  return std::string{what.substr(0, cut)} + "...";
}

/// Builds the document from parser events. The parser loops instead of recursing, and so does this: the depth
/// limit is checked before a level is opened.
class document_builder {
 public:
  explicit document_builder(std::string_view text) : text_{text} {}

  auto null() -> bool { return put(nullptr); }
  auto boolean(bool value) -> bool { return put(value); }
  auto number_integer(json::number_integer_t value) -> bool { return put(value); }
  auto number_unsigned(json::number_unsigned_t value) -> bool { return put(value); }
  auto number_float(json::number_float_t value, const json::string_t&) -> bool { return put(value); }
  auto string(json::string_t& value) -> bool { return put(std::move(value)); }
  auto binary(json::binary_t&) -> bool { return false; }  // JSON text has none
  auto start_object(std::size_t) -> bool { return open(json::object()); }
  auto start_array(std::size_t) -> bool { return open(json::array()); }
  auto end_object() -> bool { return close(); }
  auto end_array() -> bool { return close(); }
  auto key(json::string_t& name) -> bool {
    key_ = std::move(name);
    return true;
  }
  auto parse_error(std::size_t read, const std::string&, const json::exception& e) -> bool {
    reason_ = fmt::format("{}: {}", line_and_column(text_, read), plain_reason(e.what()));
    return false;
  }

  [[nodiscard]] auto reason() const -> const std::string& { return reason_; }
  [[nodiscard]] auto document() -> json& { return document_; }

 private:
  auto place(json value) -> json& {
    if (open_.empty()) return document_ = std::move(value);
    json& inside = *open_.back();
    if (inside.is_object()) return inside[key_] = std::move(value);
    return inside.emplace_back(std::move(value));
  }
  auto put(json value) -> bool {
    place(std::move(value));
    return true;
  }
  auto open(json value) -> bool {
    if (open_.size() == deepest_json) {
      reason_ = fmt::format("nested deeper than {} levels", deepest_json);
      return false;
    }
    open_.push_back(&place(std::move(value)));
    return true;
  }
  auto close() -> bool {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  json document_;
  std::vector<json*> open_;  // an array grows only while none of its elements is open
  json::string_t key_;
  std::string reason_;
};

/// JSON text to a document. `file` is what messages call the text.
inline auto parse_document(std::string_view text, std::string_view file) -> result<json> {
  if (text.size() > largest_json) return failure(fmt::format("{}: larger than {} bytes", file, largest_json));
  document_builder builder{text};
  if (!json::sax_parse(text.begin(), text.end(), &builder))
    return failure(fmt::format("{}: {}", file, builder.reason()));
  return std::move(builder.document());
}

/// A value and the way to it; the way is spelled out only for an error.
struct place {
  const json& value;
  const place* above = nullptr;
  std::string_view key{};
  std::optional<std::size_t> index{};
  bool is_id = false;  ///< 4294967295 is refused

  [[nodiscard]] auto pointer() const -> std::string {
    if (above == nullptr) return std::string{key};
    return index ? below(above->pointer(), *index) : below(above->pointer(), key);
  }
};

/// What a value is, with its article: "a string".
inline auto kind_of(const json& value) -> std::string_view {
  switch (value.type()) {
    case json::value_t::null: return "null";
    case json::value_t::object: return "an object";
    case json::value_t::array: return "an array";
    case json::value_t::string: return "a string";
    case json::value_t::boolean: return "a boolean";
    default: return "a number";
  }
}

inline auto mismatch(const place& at, std::string_view wanted) {
  return failure(fmt::format("expected {}, found {}", wanted, kind_of(at.value)), at.pointer());
}

// The overloads below call each other through argument-dependent lookup on `place`, in any order.

inline auto read(const place& at, bool& out) -> result<> {
  if (!at.value.is_boolean()) return mismatch(at, "a boolean");
  out = at.value.get<bool>();
  return {};
}

template <std::integral T>
auto read(const place& at, T& out) -> result<> {
  if (!at.value.is_number()) return mismatch(at, "a number");
  constexpr T low = std::numeric_limits<T>::min();
  const T high = at.is_id ? std::numeric_limits<T>::max() - 1 : std::numeric_limits<T>::max();
  const auto fits = [&](auto n) { return std::cmp_less_equal(low, n) && std::cmp_less_equal(n, high); };
  const bool fine = at.value.is_number_unsigned()  ? fits(at.value.get<std::uint64_t>())
                    : at.value.is_number_integer() ? fits(at.value.get<std::int64_t>())
                                                   : false;
  if (!fine)
    return failure(fmt::format("expected a whole number from {} to {}, found {}", low, high, at.value.dump()),
                   at.pointer());
  out = at.value.get<T>();
  return {};
}

/// Text on its way to the kernel, which would stop at a NUL where we looked at the whole.
inline auto read(const place& at, std::string& out) -> result<> {
  if (!at.value.is_string()) return mismatch(at, "a string");
  const auto& text = at.value.get_ref<const std::string&>();
  if (text.find('\0') != text.npos) return failure("must not contain a NUL byte", at.pointer());
  out = text;
  return {};
}

template <class T>
auto read(const place& at, std::optional<T>& out) -> result<> {
  return read(at, out.emplace());
}

template <class T>
auto read(const place& at, std::vector<T>& out) -> result<> {
  if (!at.value.is_array()) return mismatch(at, "an array");
  out.assign(at.value.size(), T{});
  for (std::size_t i = 0; i < out.size(); ++i)
    OCITK_TRY(read(place{.value = at.value[i], .above = &at, .index = i, .is_id = at.is_id}, out[i]));
  return {};
}

template <class T>
auto read(const place& at, std::map<std::string, T>& out) -> result<> {
  if (!at.value.is_object()) return mismatch(at, "an object");
  out.clear();
  for (const auto& [key, value] : at.value.template get_ref<const json::object_t&>()) {
    const place inside{.value = value, .above = &at, .key = key};
    if (key.find('\0') != key.npos) return failure("a key must not contain a NUL byte", at.pointer());
    if (!value.is_null()) OCITK_TRY(read(inside, out[key]));
  }
  return {};
}

/// One member of an object, left as it is where the object does not have it.
template <class Field>
auto read_field(const place& at, Field& f) -> result<> {
  const auto found = at.value.find(f.key);
  if (found == at.value.end() || found->is_null()) return {};
  return read(place{.value = *found, .above = &at, .key = f.key, .is_id = f.is_id()}, f.value);
}

template <described T>
auto read(const place& at, T& out) -> result<> {
  if (!at.value.is_object()) return mismatch(at, "an object");
  auto members = fields(out);
  result<> outcome;
  const auto step = [&](auto& f) {
    outcome = read_field(at, f);
    return outcome.has_value();
  };
  std::apply([&](auto&... f) { (void)(step(f) && ...); }, members);
  return outcome;
}

/// `base` is the pointer of the text itself: a process alone is still shown as /process.
template <class T>
auto parse_as(std::string_view text, std::string_view file, std::string_view base) -> result<T> {
  try {
    const auto document = parse_document(text, file);
    if (!document) return std::unexpected(document.error());
    T out;
    OCITK_TRY(read(place{.value = *document, .key = base}, out));
    return out;
  } catch (const std::exception& e) {
    return failure(fmt::format("{}: {}", file, e.what()));
  }
}

}  // namespace detail

}  // namespace ocitk::spec

#endif
