#ifndef OCITK_RUNTIME_CONTAINER_HPP
#define OCITK_RUNTIME_CONTAINER_HPP

#include <ocitk/context.hpp>
#include <ocitk/runtime/explain.hpp>
#include <ocitk/runtime/hooks.hpp>
#include <ocitk/runtime/judge.hpp>
#include <ocitk/runtime/launch.hpp>
#include <ocitk/runtime/oom.hpp>
#include <ocitk/runtime/start_gate.hpp>
#include <ocitk/runtime/status.hpp>
#include <ocitk/runtime/store.hpp>
#include <ocitk/stages/cgroup.hpp>
#include <ocitk/stages/rdt.hpp>
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/sys/cgroup_tree.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/sys/process.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <utility>

/// A container from its first trace on disk to the last: create, and destroy.
namespace ocitk::runtime {

/// What `create` and `run` want beyond the spec.
struct birth {
  const spec::config& spec;
  std::string id{};
  std::string bundle{};             ///< absolute
  std::string text{};               ///< of config.json: what `exec` starts from, whatever becomes of the bundle
  bool new_keyring = true;
  bool no_pivot = false;
  bool no_cgroups = false;          ///< it stays in the caller's
  bool with_gate = false;           ///< stop before the payload, until `start`
  int preserved = 0;                ///< descriptors from 3 on for the payload
  int listen_fds = 0;               ///< how many of them are socket activation's
  std::array<unique_fd, 3> stdio{};  ///< for the payload; empty ones: the caller's
  pause_request pause{};
  at_pause when_paused{};
  warn_to warn{};
};

/// A container whose init waits for `go`; undone in reverse order unless kept.
struct nascent {
  entry where;
  poststop_guard afterwards;
  stages::cgroup::cgroup_guard cgroups;
  stages::rdt::group_guard rdt_groups;
  ready_init init{};
  record known{};
  progress published{};
};

namespace detail {

/// RFC 3339 in UTC, with nanoseconds.
inline auto time_text(const timespec& when) -> std::string {
  tm utc{};
  ::gmtime_r(&when.tv_sec, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, when.tv_nsec);
}

inline auto now_text() -> std::string {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return time_text(now);
}

inline auto first_record(const birth& b) -> record {
  record r;
  r.id = b.id;
  r.created = now_text();
  r.bundle = b.bundle;
  if (b.spec.root) r.rootfs = b.spec.root->path.starts_with('/') ? b.spec.root->path : b.bundle + "/" + b.spec.root->path;
  r.oci_version = b.spec.oci_version;
  r.annotations = b.spec.annotations;
  r.own_pid_namespace = b.spec.linux.creates("pid");
  r.callers_keyring = !b.new_keyring;
  return r;
}

inline auto namespaces_of(int pid) -> spec::string_map {
  spec::string_map paths;
  for (const auto& kind : sys::namespace_kinds)
    paths[std::string{kind.key}] = fmt::format("/proc/{}/ns/{}", pid, kind.file);
  return paths;
}

/// What init needs of its cgroups: descriptors to join by, names to mount.
inline auto lend_cgroups(init_context& ctx, const stages::cgroup::cgroup_guard& guard) -> result<> {
  ctx.cgroup_joins = OCITK_TRY(guard.join_fds());
  for (std::size_t i = 0; i < guard.places().size(); ++i)
    if (const auto& p = guard.places()[i]; guard.dir(i))
      ctx.cgroups.push_back({.controllers = p.controllers, .mountpoint = p.mountpoint, .below = p.below});
  return {};
}

inline auto new_init(birth& b, const stages::cgroup::cgroup_guard& cgroups, unique_fd gate,
                     std::optional<sys::seccomp_filter> filter, const progress& published, const replies& to) -> result<ready_init> {
  init_context ctx{.spec = b.spec, .id = b.id, .bundle = b.bundle, .new_keyring = b.new_keyring, .no_pivot = b.no_pivot, .filter = std::move(filter)};
  OCITK_TRY(in_stage("cgroup", [&] { return lend_cgroups(ctx, cgroups); }));
  newborn n{.gate = std::move(gate),
            .stdio = std::move(b.stdio),
            .preserved = b.preserved,
            .has_listen_fds = b.listen_fds > 0,
            .listen_fds = b.listen_fds,
            .pause = std::move(b.pause),
            .published = &published};
  const auto& unified = cgroups.unified();
  return launch(ctx, n, unified ? unified.get() : -1, to);
}

/// While init waits with everything mounted: `poststop` is due from now on, then the hooks that may set up more.
inline auto run_hooks_of_creation(const birth& b, const entry& where, record& known, poststop_guard& afterwards) -> result<> {
  known.hooks = b.spec.hooks;
  OCITK_TRY(where.write_intent(known));
  afterwards.arm(known);
  parent_context here{.spec = b.spec, .id = b.id, .bundle = b.bundle, .pid = known.pid,
                      .state = hook_state(known, status::creating, known.pid)};
  return explaining(run_stage(stages::run_create_runtime_hooks{}, here));
}

/// Where the container's share of cache and memory bandwidth is to be had.
struct resctrl_place {
  std::string root{};  ///< empty: none is asked for
  stages::rdt::group group{};
};

/// Notes what will have to be removed, while nothing of it is there.
inline auto find_resctrl(const birth& b, record& known) -> result<resctrl_place> {
  if (!b.spec.linux.intel_rdt) return resctrl_place{};
  const auto find = [&]() -> result<resctrl_place> {
    resctrl_place p{.root = OCITK_TRY(stages::rdt::find_root()),
                    .group = OCITK_TRY(stages::rdt::plan(*b.spec.linux.intel_rdt, b.id))};
    known.rdt_groups = OCITK_TRY(stages::rdt::to_be_removed(p.group, p.root));
    return p;
  };
  return in_stage(stages::join_resctrl_group::name, [&] { return at("/linux/intelRdt", find); });
}

inline auto join_resctrl(const birth& b, const resctrl_place& p, int pid) -> result<stages::rdt::group_guard> {
  return in_stage(stages::join_resctrl_group::name, [&] {
    return at("/linux/intelRdt", [&] { return stages::rdt::apply(*b.spec.linux.intel_rdt, p.group, p.root, pid); });
  });
}

/// A setup that died of its own memory limit says so.
inline auto blaming_memory(result<ready_init> init, const std::vector<std::string>& cgroup_paths) -> result<ready_init> {
  if (init || oom_kills(cgroup_paths) == 0) return init;
  return failure("container init was OOM-killed (memory limit too low?)", "/linux/resources/memory/limit");
}

}  // namespace detail

/// From nothing to an init that waits for `go`. The intent is on disk before the first cgroup is made, so that
/// `delete` finds everything whenever we are killed (threat F1).
///
/// Process  parent
/// Fails    `container with given ID already exists`; whatever a stage tells. Nothing is left behind then.
inline auto conceive(const store& where, birth b) -> result<nascent> {
  auto filter = OCITK_TRY(detail::compiled_filter(b.spec));
  OCITK_TRY(judge(b.spec));
  auto made = OCITK_TRY(explaining(where.create(b.id)));
  const auto layout = OCITK_TRY(in_stage("cgroup", [] { return sys::cgroupfs::detect(); }));
  auto places = b.no_cgroups ? std::vector<stages::cgroup::place>{}
                             : OCITK_TRY(in_stage("cgroup", stages::cgroup::resolve(layout, b.spec.linux.cgroups_path, b.id)));
  auto known = detail::first_record(b);
  known.cgroup_paths = stages::cgroup::paths_of(places);
  const auto resctrl = OCITK_TRY(detail::find_resctrl(b, known));
  auto published = OCITK_TRY(progress::make(made.dir()));
  published.born("parent", ::getpid());
  published.publish("parent", "writes what it intends");
  OCITK_TRY(made.write_intent(known));
  OCITK_TRY(made.write_config(b.text));
  published.publish("parent", "cgroup");
  poststop_guard afterwards{b.warn};
  auto cgroups = OCITK_TRY(explaining(in_stage("cgroup", [&] { return stages::cgroup::make_with_limits(std::move(places), b.spec.linux); })));
  unique_fd gate;
  if (b.with_gate) gate = OCITK_TRY(make_gate(made.dir()));
  const auto when_prepared = [&](const ready_init& init) {
    published.publish("parent", stages::run_create_runtime_hooks::name);
    known.pid = init.process.pid();
    return detail::run_hooks_of_creation(b, made, known, afterwards);
  };
  stages::rdt::group_guard rdt_groups;
  const auto join_resctrl = [&](int pid) -> result<> {
    published.publish("parent", stages::join_resctrl_group::name);
    rdt_groups = OCITK_TRY(detail::join_resctrl(b, resctrl, pid));
    return {};
  };
  const auto when_listening = [&](int pid, const unique_fd& listener) {
    return tell_agent(*b.spec.linux.seccomp, state_for_others(known, status::creating, pid), pid, listener);
  };
  const replies to{.born = resctrl.root.empty() ? at_birth{} : at_birth{join_resctrl},
                   .paused = b.when_paused, .prepared = when_prepared, .listening = when_listening};
  auto init = OCITK_TRY(detail::blaming_memory(
      detail::new_init(b, cgroups, std::move(gate), std::move(filter), published, to), known.cgroup_paths));
  known.hooks = b.spec.hooks;
  std::erase_if(known.rdt_groups, [&](const auto& path) {  // somebody else was quicker: not ours to remove
    return std::ranges::find(rdt_groups.made(), path) == rdt_groups.made().end();
  });
  known.pid = init.process.pid();
  known.start_time = OCITK_TRY(sys::stat_of(known.pid)).start_time;
  known.namespace_paths = detail::namespaces_of(known.pid);
  published.publish("parent", "hands over what callers wait for");
  return nascent{.where = std::move(made), .afterwards = std::move(afterwards), .cgroups = std::move(cgroups), .rdt_groups = std::move(rdt_groups), .init = std::move(init), .known = std::move(known), .published = std::move(published)};
}

/// Writes the state and lets init go on: to its gate, or to its payload. From here on the container outlives us.
inline auto deliver(nascent& n) -> result<sys::child> {
  OCITK_TRY(n.where.write_state(n.known));
  OCITK_TRY(n.init.talk.say(word::go));
  n.cgroups.keep();
  n.rdt_groups.keep();
  n.afterwards.keep();
  n.where.keep();
  return n.init.process.let_go();
}

/// Waits until the payload runs, then runs the poststart hooks. Where one fails, nothing of the container is left.
inline auto follow_up(nascent& n, const sys::child& init, const warn_to& warn) -> result<>;

/// The processes, cgroups and resctrl groups of a container whose init is dead or about to be killed; then its hooks;
/// last of all its name and files: whoever is killed in the middle can be called again.
///
/// Calls  kill(2), rmdir(2), unlinkat(2)
/// Fails  EBUSY naming processes that would not die
inline auto destroy(entry& where, const record& known, const warn_to& warn) -> result<> {
  if (!known.own_pid_namespace) OCITK_TRY(sys::cgroupfs::kill_all(known.cgroup_paths));
  OCITK_TRY(sys::cgroupfs::remove(known.cgroup_paths));
  OCITK_TRY(stages::rdt::remove(known.rdt_groups));
  run_poststop_hooks(known, warn);
  return where.remove();
}

inline auto follow_up(nascent& n, const sys::child& init, const warn_to& warn) -> result<> {
  if (n.known.hooks.poststart.empty()) return {};
  n.published.publish("parent", "waits for the payload to begin");
  while (!OCITK_TRY(n.init.talk.listen()).gone) {}  // init's end closes when it becomes the payload
  n.published.publish("parent", stages::run_create_runtime_hooks::name);
  auto done = run_poststart_hooks(n.known, sys::has_exited(init.pidfd) ? status::stopped : status::running);
  if (done) return done;
  (void)sys::send_signal(init.pidfd, SIGKILL);  // dead already is as good
  (void)sys::exit_status(init.pid);
  if (auto gone = destroy(n.where, n.known, warn); !gone && warn) warn(std::move(gone.error()));
  return done;
}

}  // namespace ocitk::runtime

#endif
