#ifndef OCITK_SPEC_DETAIL_WRITE_HPP
#define OCITK_SPEC_DETAIL_WRITE_HPP

#include <ocitk/spec/detail/fields.hpp>

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <nlohmann/json.hpp>

/// How write.hpp does it.
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

}  // namespace ocitk::spec

#endif
