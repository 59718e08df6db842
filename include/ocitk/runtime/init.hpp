#ifndef OCITK_RUNTIME_INIT_HPP
#define OCITK_RUNTIME_INIT_HPP

#include <ocitk/context.hpp>
#include <ocitk/runtime/explain.hpp>
#include <ocitk/runtime/handshake.hpp>
#include <ocitk/runtime/hooks.hpp>
#include <ocitk/runtime/listener.hpp>
#include <ocitk/runtime/pause.hpp>
#include <ocitk/runtime/pipelines.hpp>
#include <ocitk/runtime/progress.hpp>
#include <ocitk/runtime/start_gate.hpp>
#include <ocitk/spec/environment.hpp>
#include <ocitk/sys/credentials.hpp>
#include <ocitk/sys/directory.hpp>
#include <ocitk/sys/process.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <vector>

/// The life of init, from its birth to the payload. It runs in a copy of the parent's memory, alone in its
/// process; it leaves by execve(2) or _exit(2) only.
namespace ocitk::runtime {

/// What init is born with, apart from its context.
struct newborn {
  channel parent{};                       ///< to its parent
  unique_fd gate{};                       ///< of `create`: opened by `start`; empty: go at once
  std::array<unique_fd, 3> stdio{};       ///< ends of pipes; empty ones: the caller's are inherited
  int preserved = 0;                      ///< descriptors from 3 on that the payload keeps
  bool has_listen_fds = false;            ///< some of them are LISTEN_FDS
  int listen_fds = 0;
  bool waits_for_maps = false;            ///< born into a new user namespace, or the parent does more from outside
  bool meets_parent = false;              ///< when everything is mounted: the parent has hooks to run then
  pause_request pause{};
  const progress* published = nullptr;    ///< shared with the parent

  auto publish(std::string_view stage) const -> void {
    if (published != nullptr) published->publish("init", stage);
  }
};

namespace detail {

inline constexpr int failed_at_start = 255;

/// Closes what the parent had open and init does not need: not marked, closed, before any path of the container
/// is walked (threat R6).
inline auto close_strangers(int first, std::vector<int> keep) -> result<> {
  std::ranges::sort(keep);
  unsigned from = static_cast<unsigned>(first);
  const auto close_up_to = [&](unsigned last) -> result<> {
    if (from > last) return {};
    return checked(sys::kernel::close_range(from, last, 0), "close_range");
  };
  for (const int fd : keep) {
    if (fd < first) continue;
    if (fd > first) OCITK_TRY(close_up_to(static_cast<unsigned>(fd) - 1));
    from = static_cast<unsigned>(fd) + 1;
  }
  return close_up_to(~0U);
}

inline auto numbers_of(const newborn& n, const init_context& ctx) -> std::vector<int> {
  std::vector<int> all{n.parent.end().get(), n.gate.get(), ctx.rootfs.get()};
  for (const auto& fd : n.stdio) all.push_back(fd.get());
  for (const auto& fd : n.pause.stdio) all.push_back(fd.get());
  all.push_back(n.pause.host.get());
  for (const auto& fd : ctx.mount_sources) all.push_back(fd.get());
  for (const auto& fd : ctx.device_sources) all.push_back(fd.get());
  for (const auto& fd : ctx.cgroup_joins) all.push_back(fd.get());
  if (watching != nullptr) std::ranges::copy(watching->needs(), std::back_inserter(all));
  std::erase(all, -1);
  return all;
}

/// Waits for one word; the parent's death ends us too: nobody would know of this container (threat F2).
inline auto await(const channel& parent, word wanted, unique_fd* passed = nullptr) -> result<> {
  auto heard = OCITK_TRY(parent.listen());
  if (heard.gone) ::_exit(failed_at_start);
  if (heard.said != wanted) return failure("the parent said something else than expected");
  if (passed != nullptr) *passed = std::move(heard.passed);
  return {};
}

/// The parent's hooks see the mounts, and may add some, before init goes on to the last ones.
inline auto wait_for_hooks(const newborn& n) -> result<> {
  n.publish("waits for hooks of the parent");
  OCITK_TRY(n.parent.say(word::prepared));
  return await(n.parent, word::hooked);
}

/// A filter with a listener cannot be the last of all: the parent has to be there to take it.
inline auto loads_last(const init_context& ctx) -> bool {
  return ctx.spec.process->no_new_privileges && !(ctx.filter && ctx.filter->listens);
}

/// Nothing else is done between the filter and this. A shell's copy of init keeps its listener from the agent, which
/// was told of no such process: what would have to wait then fails with ENOSYS.
inline auto hand_over_listener(init_context& ctx, const newborn& n, const pause_watch& pauses) -> result<> {
  const auto listener = std::move(ctx.listener);
  if (!listener || pauses.is_shell()) return {};
  return in_stage(stages::load_filter::name, [&]() -> result<> {
    OCITK_TRY(give_listener(n.parent, *ctx.filter, listener));
    return await(n.parent, word::taken);
  });
}

/// In a new user namespace init is nobody until the maps are there, in a joined one until it says who it is.
inline auto become_root_inside() -> result<> {
  OCITK_TRY(sys::set_gid(0));
  return sys::set_uid(0);
}

inline auto take_stdio(std::array<unique_fd, 3>& ends) -> result<> {
  for (int number = 0; number < 3; ++number) {
    auto& end = ends[static_cast<std::size_t>(number)];
    if (!end) continue;
    OCITK_TRY(checked(sys::kernel::dup2(end.get(), number), "dup2"));
    end.reset();
  }
  return {};
}

/// What a caller may have set for itself and the kernel would hand down.
inline auto forget_callers_settings() -> void {
  (void)sys::reset_cpu_affinity();           // the cpuset decides; without the right to ask, the caller's mask stays
  (void)sys::kernel::prctl("PR_SET_TIMERSLACK", PR_SET_TIMERSLACK);  // cannot fail
}

/// Standard streams on the host's null device move to the container's, recognised by number (threat R16).
inline auto change_null_devices() -> result<> {
  unique_fd null;
  for (const int number : {0, 1, 2}) {
    const auto st = sys::status_of(fd_ref::of(number));
    if (!st || !sys::is_char_device(*st, 1, 3)) continue;
    if (!null) {
      const auto root = OCITK_TRY(sys::open_at(fd_ref::cwd(), "/", O_PATH | O_DIRECTORY));
      auto inside = sys::open_in_root(root, "/dev/null", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
      if (!inside || !sys::is_char_device(OCITK_TRY(sys::status_of(*inside)), 1, 3)) return {};  // no null device there
      null = std::move(*inside);
    }
    OCITK_TRY(checked(sys::kernel::dup2(null.get(), number), "dup2"));
  }
  return {};
}

/// The program, ready to be executed: no more than close, load and execve are left to do.
struct payload {
  std::string path{};
  spec::strings env{};
};

inline auto find_payload(const init_context& ctx, const newborn& n) -> result<payload> {
  const auto& process = *ctx.spec.process;
  OCITK_TRY(sys::change_directory(process.cwd));
  payload p;
  p.env = spec::environment(process, stages::exec::home(process.user.uid));
  if (n.has_listen_fds) {
    p.env.push_back(fmt::format("LISTEN_FDS={}", n.listen_fds));
    p.env.emplace_back("LISTEN_PID=1");
  }
  p.path = OCITK_TRY(stages::exec::find_program(process.args[0], p.env, process.cwd));
  return p;
}

/// Tells who looks from outside what comes, and whether it is waited for.
inline auto arrive(std::string_view stage, newborn& n, pause_watch& pauses) -> verdict {
  if (!pauses.stops_before(stage)) n.publish(stage);
  else n.publish("stopped before " + std::string{stage});
  const auto then = pauses(stage);
  if (pauses.is_shell()) n.published = nullptr;  // a copy of init: only one of the two may speak for it
  if (pauses.stops_before(stage)) n.publish(stage);
  return then;
}

/// The row of stages that fits the process, with what is due before and after it.
template <class Early, class Late>
auto confine(init_context& ctx, newborn& n, pause_watch& pauses, const Early& early, const Late& late) -> result<> {
  OCITK_TRY(take_stdio(n.stdio));
  forget_callers_settings();
  result<> met;
  const auto next = [&](std::string_view stage) {
    if (met = hand_over_listener(ctx, n, pauses); !met) return verdict::stop;
    const auto then = arrive(stage, n, pauses);
    if (then != verdict::run || !n.meets_parent || stage != stages::run_create_container_hooks::name) return then;
    met = wait_for_hooks(n);
    n.publish(stage);
    return met ? then : verdict::stop;
  };
  OCITK_TRY(ctx.spec.process->no_new_privileges ? late(ctx, next) : early(ctx, next));
  OCITK_TRY(std::move(met));
  OCITK_TRY(pauses.problem());
  OCITK_TRY(sys::set_dumpable(false));  // a change of ids may have set it again
  return change_null_devices();
}

inline auto set_up(init_context& ctx, newborn& n, pause_watch& pauses) -> result<> {
  OCITK_TRY(close_strangers(3 + n.preserved, numbers_of(n, ctx)));
  if (n.waits_for_maps) {
    n.publish(ctx.spec.linux.creates("user") ? "waits for its id maps" : "waits for its parent");
    OCITK_TRY(await(n.parent, word::mapped, &ctx.clock_offsets));
  }
  if (ctx.spec.linux.has("user")) OCITK_TRY(in_stage("idmap", [] { return become_root_inside(); }));
  OCITK_TRY(sys::set_dumpable(false));  // processes inside must not look into us while we hold what is the host's
  return confine(ctx, n, pauses, confine_early, confine_late);
}

/// The last two words: with noNewPrivileges the filter comes after the parent let go, and only execve(2) after it. A
/// shell that is to see the container complete loads it for itself.
inline auto pause_at_the_end(init_context& ctx, newborn& n, pause_watch& pauses) -> result<> {
  const bool late = ctx.spec.process->no_new_privileges;
  if (late) (void)arrive(stages::load_filter::name, n, pauses);  // nothing is run or left out here; problem() tells
  OCITK_TRY(pauses.problem());
  if (late && pauses.is_shell()) {
    init_context rest{.spec = ctx.spec, .filter = ctx.filter};
    OCITK_TRY(run_stage(stages::load_filter{}, rest));
  } else if (late && !loads_last(ctx)) {
    OCITK_TRY(run_stage(stages::load_filter{}, ctx));
    OCITK_TRY(hand_over_listener(ctx, n, pauses));
  }
  (void)arrive(stages::execute::name, n, pauses);
  return pauses.problem();
}

inline auto report_warnings(const init_context& ctx, const channel& parent) -> result<> {
  for (const auto& text : ctx.warnings) OCITK_TRY(parent.warn(text));
  return {};
}

/// One line on the container's stderr, in the words that callers of runc know.
[[noreturn]] inline auto die_at_start(const std::string& path, const error& why, const spec::config& spec) -> void {
  constexpr std::size_t longest = 4096;
  const auto line = why.call == "execve" ? line_of_failed_exec(path, why.code, spec)
                                         : sys::printable(to_string(why), longest) + "\n";
  [[maybe_unused]] const auto ignored = ::write(2, line.data(), line.size());  // nobody is left to be told
  ::_exit(failed_at_start);
}

/// The last hooks, with the rights, the environment and the directory of the payload, and under its filter.
inline auto run_last_hooks(const init_context& ctx, const payload& p) -> result<> {
  const auto commands = stages::hooks::plan(ctx.spec.hooks, stages::hooks::moment::start_container);
  if (commands.empty()) return {};
  const auto state = hook_state(ctx, status::created);
  const auto confine = [&]() -> result<> {
    if (!loads_last(ctx)) return {};  // in force for long
    init_context rest{.spec = ctx.spec, .filter = ctx.filter};
    return run_stage(stages::load_filter{}, rest);
  };
  return stages::hooks::run_in_order(
      commands, {.state = state, .environment = p.env, .longest_output = stages::hooks::quoted_by_init}, confine);
}

/// Everything after the parent let go. Returns only to tell why not.
inline auto start(const init_context& ctx, const newborn& n, const payload& p) -> result<> {
  const auto program = stages::exec::lay_out(p.path, ctx.spec.process->args, p.env);
  init_context rest{.spec = ctx.spec, .filter = ctx.filter};
  if (n.gate) OCITK_TRY(wait_at_gate(n.gate));
  n.publish(stages::run_create_container_hooks::name);
  OCITK_TRY(in_stage(stages::run_create_container_hooks::name, [&] { return run_last_hooks(ctx, p); }));
  n.publish("exec");
  for (int fd = 3; fd < 3 + n.preserved; ++fd) OCITK_TRY(pass_on(fd_ref::of(fd)));
  OCITK_TRY(stages::exec::close_on_exec(static_cast<unsigned>(3 + n.preserved)));
  stages::exec::reset_signals();
  if (loads_last(ctx))  // a filter loaded any earlier would have to allow all the above
    OCITK_TRY(run_stage(stages::load_filter{}, rest));
  return in_stage("exec", [&] { return at("/process/args", [&] { return stages::exec::become(program); }); });
}

/// From birth to the payload. Failures before `go` travel to the parent, whole.
template <class SetUp>
[[noreturn]] auto live(init_context& ctx, newborn& n, SetUp set_up) -> void {
  standing = {.process = "init"};
  const auto give_up = [&](const error& why) {
    (void)n.parent.fail(explained(why, ctx));  // a parent that is gone needs no reason
    ::_exit(failed_at_start);
  };
  pause_watch pauses{n.pause, n.parent, ctx};
  if (!ctx.spec.hooks.create_container.empty()) ctx.state = hook_state(ctx, status::creating);
  if (auto done = set_up(ctx, n, pauses); !done) give_up(done.error());
  n.publish("exec");
  const auto payload = in_stage("exec", [&] { return find_payload(ctx, n); });
  if (!payload) give_up(payload.error());
  if (auto done = report_warnings(ctx, n.parent); !done) give_up(done.error());
  if (auto done = pause_at_the_end(ctx, n, pauses); !done) give_up(done.error());
  if (n.gate)  // before anybody hears of a container that could be sent one
    if (auto done = die_of_signals(); !done) give_up(done.error());
  n.publish("waits to be let go");
  if (auto done = n.parent.say_ready(ctx.console, ctx.console_name); !done) give_up(done.error());
  for (auto* of_setup : {&ctx.console, &ctx.devpts, &ctx.rootfs}) of_setup->reset();  // the gate may stay shut for days
  if (auto done = await(n.parent, word::go); !done) give_up(done.error());
  if (n.gate) n.parent.close();  // else it tells by its end when the payload runs
  n.publish(n.gate ? "waits at the gate for start" : "exec");
  const auto done = start(ctx, n, *payload);
  die_at_start(payload->path, done.error(), ctx.spec);
}

}  // namespace detail

[[noreturn]] inline auto init_main(init_context& ctx, newborn& n) -> void { detail::live(ctx, n, detail::set_up); }

}  // namespace ocitk::runtime

#endif
