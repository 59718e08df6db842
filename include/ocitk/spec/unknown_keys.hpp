#ifndef OCITK_SPEC_UNKNOWN_KEYS_HPP
#define OCITK_SPEC_UNKNOWN_KEYS_HPP

#include <ocitk/spec/config.hpp>
#include <ocitk/spec/detail/fields.hpp>
#include <ocitk/spec/nearest.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>

/// Keys of a config.json that nobody reads. The specification has every runtime ignore them, so a misspelt one
/// costs its value in silence.
namespace ocitk::spec {

struct unknown_key {
  std::string pointer{};              ///< of the member itself
  std::string key{};
  std::optional<std::string> near{};  ///< a key that this object could have
  std::vector<std::string> homes{};   ///< objects that have a key of exactly this name: "/linux", "/mounts/*"
};

namespace detail {

/// Keys of the specification for other platforms, which this runtime has no members for.
template <class Struct>
inline constexpr std::array<std::string_view, 0> foreign_keys{};
template <>
inline constexpr std::array<std::string_view, 5> foreign_keys<config>{"solaris", "windows", "vm", "zos", "freebsd"};
template <>
inline constexpr std::array<std::string_view, 1> foreign_keys<process>{"commandLine"};
template <>
inline constexpr std::array<std::string_view, 1> foreign_keys<user>{"username"};

using key_homes = std::map<std::string_view, std::vector<std::string>>;

/// Notes for every key of a type, and of the types within, which object it belongs to.
template <class T>
void note_homes(const T& example, const std::string& pattern, key_homes& homes) {
  if constexpr (is_optional<T>) {
    note_homes(typename T::value_type{}, pattern, homes);
  } else if constexpr (is_vector<T>) {
    note_homes(typename T::value_type{}, pattern + "/*", homes);
  } else if constexpr (is_map<T>) {
    note_homes(typename T::mapped_type{}, pattern + "/*", homes);
  } else if constexpr (described<const T>) {
    const auto note = [&](const auto& f) {
      homes[f.key].push_back(pattern.empty() ? "/" : pattern);
      note_homes(f.value, below(pattern, f.key), homes);
    };
    std::apply([&](const auto&... f) { (note(f), ...); }, fields(example));
  }
}

/// Walks a document along the types that the reader fills from it.
class key_search {
 public:
  key_search() { note_homes(config{}, "", homes_); }

  template <class T>
  void look(const nlohmann::json& value, const T& example, const std::string& pointer) {
    if constexpr (is_optional<T>) {
      look(value, typename T::value_type{}, pointer);
    } else if constexpr (is_vector<T>) {
      if (value.is_array())
        for (std::size_t i = 0; i < value.size(); ++i) look(value[i], typename T::value_type{}, below(pointer, i));
    } else if constexpr (is_map<T>) {
      if (value.is_object())
        for (const auto& [key, inner] : value.items()) look(inner, typename T::mapped_type{}, below(pointer, key));
    } else if constexpr (described<const T>) {
      if (value.is_object()) look_into(value, example, pointer);
    }
  }

  std::vector<unknown_key> found{};

 private:
  template <class T>
  void look_into(const nlohmann::json& object, const T& example, const std::string& pointer) {
    std::vector<std::string_view> known;
    const auto step = [&](const auto& f) {
      known.push_back(f.key);
      if (const auto member = object.find(f.key); member != object.end()) look(*member, f.value, below(pointer, f.key));
    };
    std::apply([&](const auto&... f) { (step(f), ...); }, fields(example));
    for (const auto& [key, value] : object.items())
      if (std::ranges::find(known, key) == known.end() && std::ranges::find(foreign_keys<T>, key) == foreign_keys<T>.end())
        note(key, known, pointer);
  }
  void note(const std::string& key, const std::vector<std::string_view>& known, const std::string& pointer) {
    unknown_key u{.pointer = below(pointer, key), .key = key, .near = nearest(key, known)};
    if (const auto home = homes_.find(key); home != homes_.end()) u.homes = home->second;
    found.push_back(std::move(u));
  }

  key_homes homes_{};
};

}  // namespace detail

/// Every key that the reader passes over, in the order of the document's keys (sorted within an object).
inline auto unknown_keys(const nlohmann::json& document) -> std::vector<unknown_key> {
  detail::key_search search;
  search.look(document, config{}, "");
  return std::move(search.found);
}

}  // namespace ocitk::spec

#endif
