#ifndef OCITK_STAGE_HPP
#define OCITK_STAGE_HPP

#include <ocitk/error.hpp>

#include <array>
#include <concepts>
#include <string_view>
#include <tuple>
#include <utility>

namespace ocitk {

/// Base of every stage: ties it to the process it runs in, and lets `|` be found.
template <class Context>
struct stage_in {
  using context = Context;
};

/// One step of container setup: a process to run in, a name, a call operator.
template <class S>
concept stage = requires(const S& s, typename S::context& ctx) {
  { S::name } -> std::convertible_to<std::string_view>;
  { s(ctx) } -> std::same_as<result<>>;
};

namespace detail {

/// No stage stands before one that its `after` names.
template <class S, class... Later>
consteval auto in_order() -> bool {
  if constexpr (requires { S::after; })
    for (std::string_view earlier : S::after)
      if (((earlier == Later::name) || ...)) return false;
  if constexpr (sizeof...(Later) > 0) return in_order<Later...>();
  return true;
}

}  // namespace detail

/// What an observer wants done with the stage that is next.
enum class verdict { run, skip, stop };

/// Is asked before each stage of a pipeline: `bool` for run or stop, or a verdict.
template <class O>
concept stage_observer = std::predicate<O, std::string_view> || requires(O o) {
  { o(std::string_view{}) } -> std::same_as<verdict>;
};

/// Lets every stage run: the observer for who does not care.
inline constexpr auto always = [](std::string_view) { return true; };

/// Runs one stage on its own: its name goes into an error, and to a watcher.
template <stage S>
auto run_stage(const S& s, typename S::context& ctx) -> result<> {
  return in_stage(S::name, [&] { return s(ctx); });
}

namespace detail {
inline constexpr auto as_verdict(verdict v) -> verdict { return v; }
inline constexpr auto as_verdict(bool go_on) -> verdict { return go_on ? verdict::run : verdict::stop; }
}  // namespace detail

/// Stages of one process, run left to right up to the first failure.
template <stage... Ss>
class pipeline {
 public:
  using context = typename std::tuple_element_t<0, std::tuple<Ss...>>::context;
  static_assert((std::same_as<typename Ss::context, context> && ...), "stages of different processes");
  static_assert(detail::in_order<Ss...>(), "a stage stands before one named in its `after`");

  /// The words of its stages, in order.
  static constexpr std::array<std::string_view, sizeof...(Ss)> names{std::string_view{Ss::name}...};

  constexpr explicit pipeline(std::tuple<Ss...> stages) : stages_{std::move(stages)} {}

  /// Asks `go_on(name)` before each stage: --stop-before, progress.
  template <stage_observer GoOn>
  auto operator()(context& ctx, GoOn&& go_on) const -> result<> {
    result<> outcome;
    const auto step = [&](const auto& s) {
      const auto wanted = detail::as_verdict(go_on(std::string_view{s.name}));
      if (wanted != verdict::run) return wanted == verdict::skip;
      outcome = run_stage(s, ctx);
      return outcome.has_value();
    };
    std::apply([&](const auto&... s) { (void)(step(s) && ...); }, stages_);
    return outcome;
  }
  auto operator()(context& ctx) const -> result<> { return (*this)(ctx, always); }

  [[nodiscard]] constexpr auto stages() const -> const std::tuple<Ss...>& { return stages_; }

 private:
  std::tuple<Ss...> stages_;
};

namespace detail {
template <stage S>
constexpr auto stages_of(const S& s) {
  return std::tuple<S>{s};
}
template <class... Ss>
constexpr auto stages_of(const pipeline<Ss...>& p) {
  return p.stages();
}
template <class T>
inline constexpr bool is_pipeline = false;
template <class... Ss>
inline constexpr bool is_pipeline<pipeline<Ss...>> = true;
template <class T>
concept pipeable = stage<T> || is_pipeline<T>;
template <class... Ss>
constexpr auto pipeline_of(std::tuple<Ss...> stages) {
  return pipeline<Ss...>{std::move(stages)};
}
}  // namespace detail

/// Puts stages in a row: `load_filter{} | set_user{} | drop_capabilities{}`.
template <detail::pipeable A, detail::pipeable B>
constexpr auto operator|(const A& a, const B& b) {
  return detail::pipeline_of(std::tuple_cat(detail::stages_of(a), detail::stages_of(b)));
}

}  // namespace ocitk

#endif
