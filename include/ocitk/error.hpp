#ifndef OCITK_ERROR_HPP
#define OCITK_ERROR_HPP

#include <ocitk/watch.hpp>

#include <cerrno>
#include <cstring>
#include <concepts>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace ocitk {

/// Why a step failed, told to someone whose bundle will not start.
struct error {
  int code = 0;           ///< errno value; 0 if no system call failed
  std::string call{};     ///< the call that failed: "mount"
  std::string detail{};   ///< what was tried, lower case, no full stop
  std::string pointer{};  ///< RFC 6901 pointer into config.json: "/mounts/3"
  std::string stage{};    ///< set by the pipeline; a stage never names itself

  auto operator==(const error&) const -> bool = default;
};

/// A value or an error. Dropping one on the floor is a compiler warning.
template <class T = void>
struct [[nodiscard]] result : std::expected<T, error> {
  using std::expected<T, error>::expected;
};

/// An error of our own making: no system call failed.
inline auto failure(std::string detail, std::string pointer = {}) -> std::unexpected<error> {
  return std::unexpected(error{.detail = std::move(detail), .pointer = std::move(pointer)});
}

/// An error from a call that reports through errno; reads errno, so nothing may stand between the two.
inline auto failed(std::string_view call, std::string detail = {}) -> std::unexpected<error> {
  const int code = errno;
  return std::unexpected(error{.code = code, .call = std::string{call}, .detail = std::move(detail)});
}

/// Judges a call that reports through -1 and errno. Wrap the call itself: one
/// statement later errno may tell of something else.
inline auto checked(long ret, std::string_view call) -> result<> {
  if (const int code = errno; ret == -1)
    return std::unexpected(error{.code = code, .call = std::string{call}});
  return {};
}

/// Notes which part of the spec asked for the step. The innermost note stays.
template <class T>
auto at(std::string_view pointer, result<T> r) -> result<T> {
  if (!r && r.error().pointer.empty()) r.error().pointer = pointer;
  return r;
}

/// The same around a step: a watcher hears who asked for its calls. `step` returns a result.
template <std::invocable Step>
auto at(std::string_view pointer, Step&& step) {
  const standing_at noted{&standpoint::pointer, pointer};
  return at(pointer, std::forward<Step>(step)());
}

/// Says what was tried when the call failed. The innermost note stays.
template <class T>
auto trying(std::string_view detail, result<T> r) -> result<T> {
  if (!r && r.error().detail.empty()) r.error().detail = detail;
  return r;
}

/// Says which stage failed, where no pipeline does. The innermost note stays.
template <class T>
auto in_stage(std::string_view stage, result<T> r) -> result<T> {
  if (!r && r.error().stage.empty()) r.error().stage = stage;
  return r;
}

/// The same around a step: for what a watcher sees, it is a stage.
template <std::invocable Step>
auto in_stage(std::string_view stage, Step&& step) {
  const standing_at noted{&standpoint::stage, stage};
  if (watching != nullptr) watching->stage_begins(stage);
  auto r = in_stage(stage, std::forward<Step>(step)());
  if (watching != nullptr) watching->stage_ends(stage, r.has_value());
  return r;
}

/// The text of an errno value as the C library spells it, lower case first letter as Go and runc print it.
inline auto errno_text(int code) -> std::string {
  std::string text{::strerrordesc_np(code) != nullptr ? ::strerrordesc_np(code) : "unknown error"};
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z' && (text.size() < 2 || text[1] < 'A' || text[1] > 'Z'))
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

/// `rootfs: mount: bind /srv on /data: permission denied (config.json#/mounts/3)`
inline auto to_string(const error& e) -> std::string {
  std::string text;
  const auto add = [&](std::string_view part) {
    if (part.empty()) return;
    if (!text.empty()) text += ": ";
    text += part;
  };
  add(e.stage);
  add(e.call);
  add(e.detail);
  if (e.code != 0) add(errno_text(e.code));
  if (!e.pointer.empty()) text += " (config.json#" + e.pointer + ")";
  return text;
}

}  // namespace ocitk

/// Yields the value of a result or returns its error from the enclosing function.
/// The one macro of the project: g++ 12 has no and_then on std::expected.
#define OCITK_TRY(expr)                                                              \
  __extension__({                                                                    \
    auto ocitk_tried = (expr);                                                       \
    if (!ocitk_tried) return std::unexpected(std::move(ocitk_tried).error());        \
    ::ocitk::detail::take(std::move(ocitk_tried));                                   \
  })

namespace ocitk::detail {
template <class T>
auto take(result<T>&& r) -> T {
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}
}  // namespace ocitk::detail

#endif
