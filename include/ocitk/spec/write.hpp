#ifndef OCITK_SPEC_WRITE_HPP
#define OCITK_SPEC_WRITE_HPP

#include <ocitk/spec/config.hpp>
#include <ocitk/spec/detail/fields.hpp>

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <nlohmann/json.hpp>

/// The structs of config.hpp to JSON text, keys in the order of the specification, as runc prints them.
namespace ocitk::spec {

namespace detail {

using ordered_json = nlohmann::ordered_json;

template <class T>
auto as_json(const T& value) -> ordered_json;

template <class T>
auto object_from(const T& value) -> ordered_json {
  auto out = ordered_json::object();
  const auto add = [&](const auto& f) {
    if (f.always() || is_set(f.value)) out[std::string{f.key}] = as_json(f.value);
  };
  std::apply([&](const auto&... f) { (add(f), ...); }, fields(value));
  return out;
}

template <class T>
auto array_from(const T& value) -> ordered_json {
  auto out = ordered_json::array();
  for (const auto& item : value) out.push_back(as_json(item));
  return out;
}

template <class T>
auto map_from(const T& value) -> ordered_json {
  auto out = ordered_json::object();
  for (const auto& [key, item] : value) out[key] = as_json(item);
  return out;
}

/// Never handed an empty optional: those are not written.
template <class T>
auto as_json(const T& value) -> ordered_json {
  if constexpr (is_optional<T>)
    return as_json(*value);
  else if constexpr (is_vector<T>)
    return array_from(value);
  else if constexpr (is_map<T>)
    return map_from(value);
  else if constexpr (described<const T>)
    return object_from(value);
  else
    return value;
}

/// Bytes that are not UTF-8 (a path of the host) become U+FFFD instead of an exception.
template <class T>
auto text_of(const T& value, int indent, char fill) -> std::string {
  return as_json(value).dump(indent, fill, false, ordered_json::error_handler_t::replace);
}

}  // namespace detail

/// A config.json, one tab per level as `runc spec` writes it, no newline at the end. Indent -1: one line.
inline auto to_json_text(const config& c, int indent = 1, char fill = '\t') -> std::string {
  return detail::text_of(c, indent, fill);
}
inline auto to_json_text(const process& p, int indent = 1, char fill = '\t') -> std::string {
  return detail::text_of(p, indent, fill);
}
inline auto to_json_text(const resources& r, int indent = 1, char fill = '\t') -> std::string {
  return detail::text_of(r, indent, fill);
}

/// The state document; `ocitk state` prints it with an indent of 2.
inline auto state_text(const state& s, int indent) -> std::string { return detail::text_of(s, indent, ' '); }

/// What a hook gets: one line.
inline auto state_text(const hook_state& s) -> std::string { return detail::text_of(s, -1, ' '); }

/// The text of a state.json.
inline auto record_text(const record& r) -> std::string { return detail::text_of(r, -1, ' '); }

/// A string as JSON: quoted and escaped.
inline auto quoted(std::string_view text) -> std::string { return detail::text_of(std::string{text}, -1, ' '); }

}  // namespace ocitk::spec

#endif
