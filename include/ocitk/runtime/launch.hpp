#ifndef OCITK_RUNTIME_LAUNCH_HPP
#define OCITK_RUNTIME_LAUNCH_HPP

#include <ocitk/context.hpp>
#include <ocitk/mounts/sources.hpp>
#include <ocitk/runtime/bridge.hpp>
#include <ocitk/runtime/explain.hpp>
#include <ocitk/runtime/handshake.hpp>
#include <ocitk/runtime/init.hpp>
#include <ocitk/runtime/listener.hpp>
#include <ocitk/stages/idmap.hpp>
#include <ocitk/stages/netdev.hpp>
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/stages/time.hpp>
#include <ocitk/stages/unshare.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/sys/threads.hpp>

#include <fmt/core.h>
#include <poll.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The parent's side of a birth: from the cgroups that are there to an init that is ready for its payload.
namespace ocitk::runtime {

/// A process that dies with this object, unless it is let go.
class kept_child {
 public:
  kept_child() = default;
  explicit kept_child(sys::child c) : child_{std::move(c)} {}
  kept_child(kept_child&& other) noexcept : child_{std::exchange(other.child_, {})} {}
  auto operator=(kept_child&& other) noexcept -> kept_child& {
    std::swap(child_, other.child_);
    return *this;
  }
  kept_child(const kept_child&) = delete;
  auto operator=(const kept_child&) -> kept_child& = delete;
  ~kept_child() {
    if (!child_.pidfd) return;
    (void)sys::send_signal(child_.pidfd, SIGKILL);  // dead already is as good
    (void)sys::exit_status(child_.pid);
  }
  [[nodiscard]] auto pid() const -> int { return child_.pid; }
  [[nodiscard]] auto pidfd() const -> const unique_fd& { return child_.pidfd; }
  /// From now on it lives on its own.
  auto let_go() -> sys::child { return std::exchange(child_, {}); }

 private:
  sys::child child_{};
};

/// Init, in the middle of its setup or with it all done, waiting for `go`.
struct ready_init {
  kept_child process{};
  channel talk{};
  unique_fd terminal{};        ///< master, where a terminal was asked for
  std::string terminal_name{};
  spec::strings warnings{};
  std::string_view who = "container init";  ///< for messages
};

/// What the parent does while init waits at a stage: returns to let it go on, fails to have it torn down.
using at_pause = std::function<result<>(std::string_view stage, ready_init& init)>;

/// What the parent does while init waits with everything mounted; fails to have it torn down.
using at_prepared = std::function<result<>(const ready_init& init)>;

/// What the parent does to init before it sets anything up.
using at_birth = std::function<result<>(int pid)>;

/// What the parent does with the listener of init's filter; fails to have init torn down.
using at_listener = std::function<result<>(int pid, const unique_fd& listener)>;

/// What the parent does on the way, each if it is there.
struct replies {
  at_birth born{};
  at_pause paused{};
  at_prepared prepared{};
  at_listener listening{};
};

namespace detail {

/// Where a user namespace keeps init out of host directories, it may use mounts the parent cloned.
inline auto lend_mounts(init_context& ctx, bool privileged) -> result<> {
  if (!privileged || !ctx.spec.linux.has("mount")) return {};
  const auto lend_root = [&]() -> result<> {
    ctx.rootfs = OCITK_TRY(sys::clone_mount(fd_ref::cwd(), mounts::host_path(ctx, ctx.spec.root->path), true));
    return sys::set_attributes(ctx.rootfs, {.propagation = MS_PRIVATE}, true);
  };
  const auto lend = [&]() -> result<> {
    if (ctx.spec.root && ctx.spec.linux.has("user")) OCITK_TRY(at("/root/path", lend_root));
    return mounts::lend_sources(ctx);
  };
  return explaining(in_stage("rootfs", lend), ctx);
}

/// Written from outside: inside, /proc is the container's or shows nothing of us.
inline auto set_oom_score(const spec::process& process, int pid) -> result<> {
  if (!process.oom_score_adj) return {};
  const auto path = fmt::format("/proc/{}/oom_score_adj", pid);
  const auto apply = [&]() -> result<> {
    const auto file = OCITK_TRY(sys::open_at(fd_ref::cwd(), path, O_WRONLY));
    return trying(path, sys::write_all(file, std::to_string(*process.oom_score_adj)));
  };
  return at("/process/oomScoreAdj", apply);
}

/// A child said nothing and is gone.
inline auto silent_death(std::string_view who, int status) -> error {
  if (status == 128 + SIGKILL)
    return {.detail = fmt::format("{} was killed while it set up", who)};
  return {.detail = fmt::format("{} died while it set up (status {})", who, status)};
}

/// The bridge's word of where init is; the bridge itself is reaped.
inline auto meet_init(kept_child& bridge, const channel& talk, std::string_view who) -> result<kept_child> {
  auto heard = OCITK_TRY(talk.listen());
  if (!heard.gone && heard.said == word::error) return std::unexpected(std::move(heard.failure));
  const int status = OCITK_TRY(sys::exit_status(bridge.let_go().pid));
  if (heard.gone) return std::unexpected(silent_death(who, status));
  if (heard.said != word::born || !heard.passed) return failure("the bridge said something else than expected");
  return kept_child{sys::child{.pid = heard.pid, .pidfd = std::move(heard.passed)}};
}

inline auto clone_into(std::uint64_t flags, int cgroup) -> result<sys::child> {
  return in_stage("unshare", [&] {
    return at("/linux/namespaces", [&] { return sys::clone_process({.flags = flags, .cgroup = cgroup}); });
  });
}

inline constexpr std::string_view waits_for_init = "waits for init to be ready";

/// What can be judged without the kernel is judged before anything exists.
inline auto compiled_filter(const spec::config& spec) -> result<std::optional<sys::seccomp_filter>> {
  if (!spec.linux.seccomp) return std::optional<sys::seccomp_filter>{};
  const auto& profile = *spec.linux.seccomp;
  auto filter = OCITK_TRY(in_stage("seccomp", [&] { return stages::seccomp::compile(profile); }));
  OCITK_TRY(in_stage("seccomp", [&] { return stages::seccomp::require_of_kernel(profile); }));
  return std::optional{std::move(filter)};
}

inline auto shifts_clocks(const spec::linux_& linux) -> bool { return !linux.time_offsets.empty() && linux.creates("time"); }

/// Is there something that only the parent can do for init?
inline auto needs_parent(const spec::linux_& linux) -> bool {
  return linux.creates("user") || shifts_clocks(linux) || !linux.net_devices.empty();
}

/// In a user namespace its own file is not init's to open: it belongs to root of the host. A rehearsal does without.
inline auto lend_clocks(int pid) -> result<unique_fd> {
  if (rehearsing()) return unique_fd{};
  return at("/linux/timeOffsets", [&]() -> result<unique_fd> { return stages::time::open_offsets(OCITK_TRY(sys::open_proc()), pid); });
}

/// What init waits for, done from outside.
inline auto equip(init_context& ctx, const ready_init& init, const progress& published, const at_birth& when_born)
    -> result<> {
  parent_context here{.spec = ctx.spec, .pid = init.process.pid()};
  const auto run = [&](const auto& stage) {
    published.publish("parent", stage.name);
    return run_stage(stage, here);
  };
  if (when_born) OCITK_TRY(when_born(here.pid));
  if (ctx.spec.linux.creates("user")) {
    OCITK_TRY(run(stages::map_ids{}));
    OCITK_TRY(in_stage("rootfs", [&] { return mounts::lend_ids(ctx, here.pid); }));
  }
  if (!ctx.spec.linux.net_devices.empty()) OCITK_TRY(run(stages::move_net_devices{}));
  unique_fd offsets;
  if (shifts_clocks(ctx.spec.linux)) offsets = OCITK_TRY(in_stage(stages::shift_clocks::name, [&] { return lend_clocks(here.pid); }));
  return init.talk.say_mapped(offsets);
}

/// What init calls under a filter with a listener may wait for the agent, which may never answer (threat F36): it has 5 s
/// from word to word, as it has to accept us.
///
/// Calls  poll(2)
/// Fails  ETIMEDOUT
inline auto wait_for_agent(const channel& talk) -> result<> {
  constexpr int patience = 5000;  // ms
  const auto wait = [&]() -> result<> {
    if (OCITK_TRY(sys::wait_for(talk.end(), POLLIN, patience))) return {};
    return std::unexpected(error{.code = ETIMEDOUT, .call = {}, .detail = "init waits for an answer of the seccomp agent"});
  };
  return in_stage(stages::load_filter::name, [&] { return at("/linux/seccomp/listenerPath", wait); });
}

/// Init goes on first, and waits by itself where the agent has to answer; then the agent hears of it.
inline auto hand_on_listener(told& heard, const ready_init& init, const at_listener& tell, const progress& published) -> result<> {
  const auto listener = OCITK_TRY(in_stage(stages::load_filter::name, [&] { return take_listener(heard, init.process.pidfd()); }));
  OCITK_TRY(init.talk.say(word::taken));
  published.publish("parent", "tells the seccomp agent");
  return tell(init.process.pid(), listener);
}

/// Does what a word of init's asks for; false where it is none that anybody here replies to.
inline auto reply_to(told& heard, ready_init& init, const replies& to, const progress& published) -> result<bool> {
  if (heard.said == word::warning) {
    init.warnings.push_back(std::move(heard.text));
    return true;
  }
  if (heard.said == word::paused && to.paused) {
    published.publish("parent", "stopped before " + heard.text);
    OCITK_TRY(to.paused(heard.text, init));
    (void)init.talk.say(word::resume);  // if init is gone meanwhile, the next listen tells
  } else if (heard.said == word::prepared && to.prepared) {
    OCITK_TRY(to.prepared(init));
    OCITK_TRY(init.talk.say(word::hooked));
  } else if (heard.said == word::listener && to.listening) {
    OCITK_TRY(hand_on_listener(heard, init, to.listening, published));
  } else {
    return false;
  }
  published.publish("parent", waits_for_init);
  return true;
}

/// Listens until init is ready.
inline auto await_ready(ready_init& init, const replies& to, const progress& published) -> result<> {
  for (bool under_agent = false;;) {
    if (under_agent) OCITK_TRY(wait_for_agent(init.talk));
    auto heard = OCITK_TRY(init.talk.listen());
    if (heard.gone) return std::unexpected(silent_death(init.who, OCITK_TRY(sys::exit_status(init.process.let_go().pid))));
    if (heard.said == word::error) return std::unexpected(std::move(heard.failure));
    if (OCITK_TRY(reply_to(heard, init, to, published))) {
      under_agent = under_agent || (heard.said == word::listener && !rehearsing());
      continue;
    }
    if (heard.said != word::ready) return failure("init said something else than expected");
    init.terminal = std::move(heard.passed);
    init.terminal_name = std::move(heard.text);
    return {};
  }
}

}  // namespace detail

/// Makes init and sees it through its setup. On failure nothing of it lives on.
///
/// Reads    /linux/namespaces, /linux/uidMappings, /linux/gidMappings, /linux/timeOffsets, /process/oomScoreAdj
/// Process  parent
/// Calls    clone3(2) with every new namespace but the cgroup's, CLONE_INTO_CGROUP where there is a cgroup2
/// Fails    with what init or the bridge told, or that they died in silence
inline auto launch(init_context& ctx, newborn& n, int cgroup2, const replies& to = {}) -> result<ready_init> {
  OCITK_TRY(sys::refuse_threads());
  const auto namespaces = OCITK_TRY(in_stage("unshare", stages::unshare::plan_for(ctx.spec.linux.namespaces, !ctx.spec.linux.time_offsets.empty())));
  const bool by_bridge = !namespaces.joins.empty();
  static const progress nobody_looks;
  const auto& published = n.published != nullptr ? *n.published : nobody_looks;
  published.publish("parent", "rootfs");
  OCITK_TRY(detail::lend_mounts(ctx, ::geteuid() == 0));
  published.publish("parent", "unshare");
  n.waits_for_maps = to.born || detail::needs_parent(ctx.spec.linux);
  n.meets_parent = to.prepared && meet_parent(ctx.spec.hooks);
  auto [mine, theirs] = OCITK_TRY(make_channel());
  n.parent = std::move(theirs);
  const auto flags = by_bridge ? 0 : namespaces.at_birth;
  published.publish(by_bridge ? "bridge" : "init", "being born");  // before it is there: then it speaks for itself
  ready_init init;
  init.process = kept_child{OCITK_TRY(explaining(detail::clone_into(flags, cgroup2), ctx.spec.linux))};
  if (init.process.pid() == 0) {
    if (by_bridge) bridge_main(namespaces, ctx, n);
    init_main(ctx, n);
  }
  const bool waits = n.waits_for_maps;
  published.born(by_bridge ? "bridge" : "init", init.process.pid());
  n = {};  // init's ends are init's: their end must show when it dies
  init.talk = std::move(mine);
  if (by_bridge) {
    published.publish("parent", "waits for the bridge to make init");
    init.process = OCITK_TRY(detail::meet_init(init.process, init.talk, init.who));
    published.born("init", init.process.pid());
  }
  OCITK_TRY(explaining(detail::set_oom_score(*ctx.spec.process, init.process.pid())));
  if (waits) OCITK_TRY(explaining(detail::equip(ctx, init, published, to.born)));
  published.publish("parent", detail::waits_for_init);
  OCITK_TRY(detail::await_ready(init, to, published));
  return init;
}

}  // namespace ocitk::runtime

#endif
