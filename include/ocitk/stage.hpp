#ifndef OCITK_STAGE_HPP
#define OCITK_STAGE_HPP

#include <ocitk/error.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>

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

template <class First, class Second>
class pipeline;

namespace detail {

template <class T>
inline constexpr bool is_pipeline = false;
template <class First, class Second>
inline constexpr bool is_pipeline<pipeline<First, Second>> = true;
template <class T>
concept pipeable = stage<T> || is_pipeline<T>;

/// Told once per stage or row, not per stage of every row it is in: the compiler has to make each of these.
template <class T>
inline constexpr std::array names_of{std::string_view{T::name}};
template <class T>
inline constexpr std::array<std::string_view, 0> words_after{};
template <class T>
  requires requires { T::after; }
inline constexpr auto words_after<T> = T::after;

template <std::size_t N, std::size_t M>
consteval auto joined(const std::array<std::string_view, N>& first, const std::array<std::string_view, M>& second) {
  std::array<std::string_view, N + M> all{};
  for (std::size_t i = 0; i < N; ++i) all[i] = first[i];
  for (std::size_t i = 0; i < M; ++i) all[N + i] = second[i];
  return all;
}
template <class First, class Second>
inline constexpr auto names_of<pipeline<First, Second>> = joined(names_of<First>, names_of<Second>);
template <class First, class Second>
inline constexpr auto words_after<pipeline<First, Second>> = joined(words_after<First>, words_after<Second>);

/// None of the words of one list is in the other.
template <std::size_t N, std::size_t M>
consteval auto apart(const std::array<std::string_view, N>& some, const std::array<std::string_view, M>& others) -> bool {
  for (std::size_t i = 0; i < N; ++i)
    for (std::size_t j = 0; j < M; ++j)
      if (some[i] == others[j]) return false;
  return true;
}

/// `visit` sees each stage from left to right, until it says false.
template <class T, class Visit>
constexpr auto each_of(const T& stages, Visit& visit) -> bool {
  if constexpr (is_pipeline<T>)
    return each_of(stages.first, visit) && each_of(stages.second, visit);
  else
    return visit(stages);
}

/// What happens between two stages, whichever they are.
template <class GoOn>
auto wanted(GoOn& go_on, std::string_view name, bool& stopped) -> bool {
  const auto v = as_verdict(go_on(name));
  stopped = v == verdict::stop;
  return v == verdict::run;
}

template <pipeable Stages, class Context, stage_observer GoOn>
auto run_each(const Stages& stages, Context& ctx, GoOn&& go_on) -> result<> {
  result<> outcome;
  bool stopped = false;
  const auto step = [&]<class S>(const S& s) {
    if (wanted(go_on, S::name, stopped)) outcome = run_stage(s, ctx);
    return !stopped && outcome.has_value();
  };
  each_of(stages, step);
  return outcome;
}

}  // namespace detail

/// Two stages, or rows of them, of one process: run left to right up to the first failure.
template <class First, class Second>
class pipeline {
 public:
  using context = typename First::context;
  static_assert(std::same_as<context, typename Second::context>, "stages of different processes");
  static_assert(detail::apart(detail::words_after<First>, detail::names_of<Second>), "a stage stands before one named in its `after`");

  /// The words of its stages, in order.
  static constexpr auto names = detail::names_of<pipeline>;

  /// Asks `go_on(name)` before each stage: --stop-before, progress.
  template <stage_observer GoOn>
  auto operator()(context& ctx, GoOn&& go_on) const -> result<> {
    return detail::run_each(*this, ctx, go_on);
  }
  auto operator()(context& ctx) const -> result<> { return (*this)(ctx, always); }

  First first;
  Second second;
};

/// Puts stages in a row: `load_filter{} | set_user{} | drop_capabilities{}`.
template <detail::pipeable A, detail::pipeable B>
constexpr auto operator|(const A& a, const B& b) {
  return pipeline<A, B>{.first = a, .second = b};
}

}  // namespace ocitk

#endif
