#ifndef OCITK_TEXT_HPP
#define OCITK_TEXT_HPP

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace ocitk {

namespace detail {

inline void append(std::string& text, std::string_view part) { text += part; }
inline void append(std::string& text, char letter) { text += letter; }
template <std::integral Number>
  requires(!std::same_as<Number, bool>)
void append(std::string& text, Number number) {
  text += std::to_string(number);
}

/// A pattern with one `{}` for each argument, counted by the compiler.
template <class... Args>
struct pattern {
  template <std::size_t Size>
  consteval pattern(const char (&wanted)[Size]) : text{wanted, Size - 1} {  // NOLINT(google-explicit-constructor): a literal is a pattern
    std::size_t holes = 0;
    for (std::size_t i = 0; i + 1 < Size; ++i)  // by hand: what string_view does takes the compiler long
      if (wanted[i] == '{' && wanted[i + 1] == '}') ++holes;
    if (holes != sizeof...(Args)) throw "as many {} as arguments are needed";
  }
  std::string_view text;
};

}  // namespace detail

/// The pattern with each `{}` replaced by an argument, in order: a text, a character or an integer. All that messages
/// and pointers of a stage need; {fmt} as headers costs every file that includes a stage half a second.
template <class... Args>
auto filled(std::type_identity_t<detail::pattern<Args...>> pattern, const Args&... args) -> std::string {
  std::string text;
  std::string_view rest = pattern.text;
  [[maybe_unused]] const auto fill = [&](const auto& arg) {
    const auto hole = rest.find("{}");
    text += rest.substr(0, hole);
    detail::append(text, arg);
    rest.remove_prefix(hole + 2);
  };
  (fill(args), ...);
  return text.append(rest);
}

}  // namespace ocitk

#endif
