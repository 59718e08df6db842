#ifndef OCITK_SYS_KERNEL_CALL_HPP
#define OCITK_SYS_KERNEL_CALL_HPP

#include <ocitk/sys/kernel/pretence.hpp>
#include <ocitk/watch.hpp>

#include <cerrno>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// The one seam between ocitk and the kernel. The functions of sys/kernel/ are called, return and set errno like the
/// system calls they are named after; whoever watches sees them go by, and a rehearsal answers in the kernel's place.
namespace ocitk::sys::kernel {

/// A bit and its name in the manual page.
struct word {
  std::uint64_t bits = 0;
  std::string_view name{};
};

/// `A|B|0x40`; `none` if no bit is set.
inline auto spelled(std::uint64_t value, std::span<const word> words, std::string_view none = "0") -> std::string {
  if (value == 0) return std::string{none};
  std::string text;
  const auto add = [&](std::string_view part) { text.append(text.empty() ? "" : "|").append(part); };
  for (const auto& w : words) {
    if (w.bits == 0 || (value & w.bits) != w.bits) continue;
    add(w.name);
    value &= ~w.bits;
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string rest;
  for (; value != 0; value >>= 4U) rest.insert(rest.begin(), digits[value & 15U]);
  if (!rest.empty()) add("0x" + rest);
  return text;
}

/// How an argument is shown: a descriptor by what it is of, a text in quotes, flags by name.
struct descriptor { int number; };
struct flags { std::uint64_t value; std::span<const word> words; };
struct octal { std::uint64_t value; };
struct text { std::string_view value; };

inline auto shown(descriptor fd) -> std::string { return watching->name_of(fd.number); }
inline auto shown(const flags& f) -> std::string { return spelled(f.value, f.words); }
inline auto shown(octal mode) -> std::string {
  std::string digits;
  for (auto rest = mode.value; rest != 0; rest >>= 3U) digits.insert(digits.begin(), static_cast<char>('0' + (rest & 7U)));
  return "0" + digits;
}
/// As C would write it: nothing in it that a terminal might obey, whoever wrote it (threat R24).
inline auto escaped(std::string_view value) -> std::string {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string safe;
  const auto add_hex = [&](unsigned char c) { ((safe += "\\x") += digits[c >> 4U]) += digits[c & 15U]; };
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    const auto next = i + 1 < value.size() ? static_cast<unsigned char>(value[i + 1]) : 0U;
    if (c == '\n') safe += "\\n";
    else if (c == '"' || c == '\\') (safe += '\\') += value[i];
    else if (c < 0x20 || c == 0x7f) add_hex(c);
    else if (c == 0xc2 && next >= 0x80 && next < 0xa0) safe += "\\xc2";  // a control character of eight bits
    else if (c >= 0x80 && c < 0xa0 && i > 0 && value[i - 1] == '\xc2') add_hex(c);
    else safe += value[i];
  }
  return safe;
}
inline auto shown(text t) -> std::string {
  constexpr std::size_t enough = 96;
  return "\"" + escaped(t.value.substr(0, enough)) + (t.value.size() > enough ? "\"..." : "\"");
}
/// What takes time to spell out is a function, called only for a watcher.
auto shown(const std::invocable auto& spell) -> std::string { return std::string{spell()}; }
auto shown(std::integral auto number) -> std::string { return std::to_string(number); }

/// What a rehearsal does with a call that needs no answer of its own: it succeeds, or it is harmless and made.
inline constexpr auto succeed = [](pretence&) -> long { return 0; };
struct make_it {};
inline constexpr make_it really{};

namespace detail {

template <class Number>
auto judged(long answer) -> Number {
  if (answer >= 0) return static_cast<Number>(answer);
  errno = static_cast<int>(-answer);
  return static_cast<Number>(-1);
}

template <class Number, class Make, class Pretend>
auto made_or_pretended(Make& make, Pretend& pretend) -> Number {
  if constexpr (!std::same_as<std::remove_cvref_t<Pretend>, make_it>)
    if (auto* stand_in = watching->pretends()) return judged<Number>(pretend(*stand_in));
  return make();
}

}  // namespace detail

/// Makes a call with somebody watching, or has it pretended.
template <class Make, class Pretend, class... Args>
auto call(effect does, std::string_view name, Make&& make, Pretend&& pretend, const Args&... args) {
  using number = decltype(make());
  if (watching == nullptr) [[likely]]
    return make();
  const operation op{.call = name, .does = does, .args = {shown(args)...}};
  watching->before(op);
  const number returned = detail::made_or_pretended<number>(make, pretend);
  const int code = errno;
  watching->after(op, static_cast<long>(returned), returned == static_cast<number>(-1) ? code : 0);
  errno = code;  // the watcher's own calls must not be taken for this one
  return returned;
}

}  // namespace ocitk::sys::kernel

#endif
