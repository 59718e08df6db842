#ifndef OCITK_STAGES_HOOKS_HPP
#define OCITK_STAGES_HOOKS_HPP

#include <ocitk/context.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/program.hpp>
#include <ocitk/text.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <concepts>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ocitk::stages {

namespace hooks {

/// When in the life of a container a list of hooks is due.
enum class moment { prestart, create_runtime, create_container, start_container, poststart, poststop };

/// As the specification spells it.
inline constexpr auto to_string(moment when) -> std::string_view {
  switch (when) {
    case moment::prestart: return "prestart";
    case moment::create_runtime: return "createRuntime";
    case moment::create_container: return "createContainer";
    case moment::start_container: return "startContainer";
    case moment::poststart: return "poststart";
    case moment::poststop: return "poststop";
  }
  return "?";
}

/// One hook, ready to be run.
struct command {
  std::string title{};    ///< "createRuntime hook #1"
  std::string pointer{};  ///< "/hooks/createRuntime/1"
  std::string path{};
  spec::strings args{};                 ///< its name first
  std::optional<spec::strings> env{};   ///< all of it; absent: what the moment has for it
  std::optional<int> seconds{};
  auto operator==(const command&) const -> bool = default;
};

inline auto listed(const spec::hooks& all, moment when) -> const std::vector<spec::hook>& {
  switch (when) {
    case moment::prestart: return all.prestart;
    case moment::create_runtime: return all.create_runtime;
    case moment::create_container: return all.create_container;
    case moment::start_container: return all.start_container;
    case moment::poststart: return all.poststart;
    case moment::poststop: return all.poststop;
  }
  return all.prestart;
}

/// Reads  /hooks (timeout in seconds), as spec::validate() lets it pass
inline auto plan(const spec::hooks& all, moment when) -> std::vector<command> {
  std::vector<command> commands;
  for (const auto& hook : listed(all, when)) {
    const auto index = commands.size();
    commands.push_back({.title = filled("{} hook #{}", to_string(when), index),
                        .pointer = filled("/hooks/{}/{}", to_string(when), index),
                        .path = hook.path,
                        .args = hook.args.empty() ? spec::strings{hook.path} : hook.args,
                        .env = hook.env,
                        .seconds = hook.timeout});
  }
  return commands;
}

/// What the hooks of one moment share.
struct setting {
  std::string_view state{};       ///< the state of the container, one line of JSON
  spec::strings environment{};    ///< of a hook that names none
  int directory = -1;             ///< a descriptor of where they start; -1: the caller's working directory
  std::size_t longest_output = std::string_view::npos;  ///< bytes of each stream that a failure quotes
};

/// The environment of the calling process.
inline auto inherited_environment() -> spec::strings {
  spec::strings env;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) env.emplace_back(*entry);
  return env;
}

/// As Go prints it, whose words callers know: "exit status 1", "signal: killed".
inline auto text_of_status(int wait_status) -> std::string {
  if (!WIFSIGNALED(wait_status)) return filled("exit status {}", WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  const char* known = number < SIGRTMIN ? ::sigdescr_np(number) : nullptr;
  std::string name = known != nullptr ? known : filled("signal {}", number);
  const auto is = [&](std::size_t i, char from, char to) { return i < name.size() && name[i] >= from && name[i] <= to; };
  if (is(0, 'A', 'Z') && is(1, 'a', 'z')) name[0] = static_cast<char>(name[0] - 'A' + 'a');  // "CPU time limit exceeded" stays
  return "signal: " + name + (WCOREDUMP(wait_status) ? " (core dumped)" : "");
}

namespace detail {

inline auto shortened(const std::string& text, std::size_t longest) -> std::string {
  if (text.size() <= longest) return text;
  const auto half = longest / 2;
  return text.substr(0, half) + "..." + text.substr(text.size() - half);
}

}  // namespace detail

/// Why a hook that ran counts as failed.
inline auto text_of(const sys::ending& e, const command& hook, std::size_t longest_output) -> std::string {
  if (e.overran) return filled("hook ran past specified timeout of {}.0s", hook.seconds.value_or(0));
  return filled("{}, stdout: {}, stderr: {}", text_of_status(e.wait_status), detail::shortened(e.out, longest_output),
                detail::shortened(e.err, longest_output));
}

/// Runs one hook to its end; see sys::run_program() for `last`.
///
/// Fails    `error running createRuntime hook #1: exit status 1, stdout: ..., stderr: ...`
template <std::invocable Last = decltype(sys::nothing_more)>
auto run(const command& hook, const setting& with, Last&& last = Last{}) -> result<> {
  const sys::task program{.path = hook.path,
                             .args = hook.args,
                             .env = hook.env.value_or(with.environment),
                             .input = std::string{with.state},
                             .directory = with.directory,
                             .seconds = hook.seconds};
  return at(hook.pointer, [&]() -> result<> {
    auto ended = sys::run_program(program, last);
    if (!ended && ended.error().call == "execve")
      return std::unexpected(error{.code = ended.error().code, .detail = filled("error running {}: fork/exec {}", hook.title, hook.path)});
    if (!ended) return std::unexpected(error{.code = ended.error().code,
                                             .call = ended.error().call,
                                             .detail = filled("error running {}: {}", hook.title, ended.error().detail)});
    if (ended->fine()) return {};
    return failure(filled("error running {}: {}", hook.title, text_of(*ended, hook, with.longest_output)));
  });
}

/// Runs them in order, up to the first failure.
template <std::invocable Last = decltype(sys::nothing_more)>
auto run_in_order(const std::vector<command>& commands, const setting& with, Last&& last = Last{}) -> result<> {
  for (const auto& hook : commands) OCITK_TRY(hooks::run(hook, with, last));
  return {};
}

/// Runs them all in order, whatever fails.
///
/// Returns  the failures
inline auto run_all(const std::vector<command>& commands, const setting& with) -> std::vector<error> {
  std::vector<error> failures;
  for (const auto& hook : commands)
    if (auto done = hooks::run(hook, with); !done) failures.push_back(std::move(done.error()));
  return failures;
}

inline constexpr std::size_t quoted_by_init = 512;  ///< bytes of each stream; the whole error has to fit into a message

}  // namespace hooks

/// Runs the hooks that prepare the runtime's side: the old `prestart` and `createRuntime`, in the bundle, with the
/// caller's environment unless they name their own.
///
/// Reads    /hooks/prestart, /hooks/createRuntime
/// Process  parent, while init waits between `rootfs` and the pivot; the state in the context says `creating`
/// Calls    those of sys::run_program()
/// Fails    at the first hook that fails
struct run_create_runtime_hooks : stage_in<parent_context> {
  static constexpr std::string_view name = "hooks";
  static constexpr std::string_view reads = "/hooks/prestart, /hooks/createRuntime";
  static constexpr std::string_view summary = "runs the hooks of the runtime";
  auto operator()(parent_context& ctx) const -> result<> {
    auto commands = hooks::plan(ctx.spec.hooks, hooks::moment::prestart);
    for (auto& hook : hooks::plan(ctx.spec.hooks, hooks::moment::create_runtime)) commands.push_back(std::move(hook));
    if (commands.empty()) return {};
    unique_fd bundle;
    if (!ctx.bundle.empty()) bundle = OCITK_TRY(sys::open_at(fd_ref::cwd(), ctx.bundle, O_PATH | O_DIRECTORY));
    return hooks::run_in_order(
        commands, {.state = ctx.state, .environment = hooks::inherited_environment(), .directory = bundle.get()});
  }
};

/// Runs the hooks that work on the container from inside its namespaces, with the host's files still in sight: paths
/// are the host's, the working directory is the container's root. A hook that names no environment gets an empty one.
///
/// Reads    /hooks/createContainer
/// Process  init, when all mounts are there and before the first of them is closed for writing
/// Calls    those of sys::run_program()
/// Fails    at the first hook that fails
struct run_create_container_hooks : stage_in<init_context> {
  static constexpr std::string_view name = "hooks";
  static constexpr std::string_view reads = "/hooks/createContainer";
  static constexpr std::string_view summary = "runs the hooks inside the container's namespaces";
  static constexpr std::array<std::string_view, 1> after{"rootfs"};
  auto operator()(init_context& ctx) const -> result<> {
    return hooks::run_in_order(
        hooks::plan(ctx.spec.hooks, hooks::moment::create_container),
        {.state = ctx.state, .directory = ctx.rootfs.get(), .longest_output = hooks::quoted_by_init});
  }
};

}  // namespace ocitk::stages

#endif
