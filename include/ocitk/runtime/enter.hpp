#ifndef OCITK_RUNTIME_ENTER_HPP
#define OCITK_RUNTIME_ENTER_HPP

#include <ocitk/cgroups/sub_path.hpp>
#include <ocitk/context.hpp>
#include <ocitk/runtime/bridge.hpp>
#include <ocitk/runtime/explain.hpp>
#include <ocitk/runtime/init.hpp>
#include <ocitk/runtime/judge.hpp>
#include <ocitk/runtime/launch.hpp>
#include <ocitk/runtime/pipelines.hpp>
#include <ocitk/runtime/status.hpp>
#include <ocitk/stages/cgroup.hpp>
#include <ocitk/stages/unshare.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/sys/cpus.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/sys/threads.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// Another process for a container that is there: what `exec` does. It lives as init does, from a bridge on (the
/// parent stays where it is), through a row of stages of its own.
namespace ocitk::runtime {

/// A container to be entered. All of it is opened before anything of it is entered: what it shows on its /proc is not
/// to be trusted (threat R5).
struct destination {
  int pid = 0;                   ///< of init
  unique_fd init{};              ///< its pidfd
  std::uint64_t namespaces = 0;  ///< CLONE_NEW* of those that are not ours
  unique_fd cgroup_namespace{};  ///< entered last: in there, the cgroup2 to be born into could not be named
  unique_fd root{};              ///< init's, where the mount namespace is ours
  unique_fd cgroup2{};           ///< to be born into
  std::vector<unique_fd> tasks{};  ///< v1, to join by
  bool by_wish = false;          ///< the cgroups were named by the caller: no others will do
};

/// What `exec` wants beyond the spec.
struct visit {
  const spec::config& spec;          ///< the container's, with the process to be started
  std::string id{};
  std::string bundle{};              ///< absolute
  bool new_keyring = true;
  int preserved = 0;                 ///< descriptors from 3 on for the payload
  int listen_fds = 0;
  std::array<unique_fd, 3> stdio{};  ///< for the payload; empty ones: the caller's
  pause_request pause{};
  at_pause when_paused{};
};

inline constexpr std::string_view is_stopped = "cannot exec in a stopped container";

namespace detail {

inline auto namespaces_apart(int pid) -> result<std::uint64_t> {
  const auto theirs = OCITK_TRY(sys::open_at(fd_ref::cwd(), fmt::format("/proc/{}/ns", pid), O_PATH | O_DIRECTORY));
  const auto ours = OCITK_TRY(sys::open_at(fd_ref::cwd(), "/proc/self/ns", O_PATH | O_DIRECTORY));
  std::uint64_t apart = 0;
  for (const auto& kind : sys::namespace_kinds) {
    const auto own = sys::read_link_at(ours, std::string{kind.file});
    if (!own && own.error().code == ENOENT) continue;  // the kernel has none of that kind
    if (!own) return std::unexpected(own.error());
    if (OCITK_TRY(sys::read_link_at(theirs, std::string{kind.file})) != *own) apart |= kind.flag;
  }
  return apart;
}

/// Where init is now, in the hierarchy that a cgroup of the container is of.
inline auto cgroup_of_init(int pid, const std::string& path, const sys::cgroupfs::layout& layout) -> result<std::string> {
  namespace fs = sys::cgroupfs;
  const auto all = fs::detail::memberships(OCITK_TRY(fs::read_file(fd_ref::cwd(), fmt::format("/proc/{}/cgroup", pid))));
  for (const auto& h : layout.hierarchies) {
    if (!path.starts_with(h.mountpoint + "/")) continue;
    for (const auto& m : all)
      if (m.is_v2 == h.is_v2 && m.controllers == h.controllers) return h.mountpoint + m.path;
  }
  return failure("cannot find the cgroup that init is in: " + path);
}

/// The path below one cgroup of the container that `--cgroup` asks for; nothing: it does not say.
inline auto wanted_below(const cgroups::sub_paths& below, const sys::cgroupfs::hierarchy& h) -> const std::string* {
  for (const auto& controller : h.controllers)
    if (const auto found = below.find(controller); found != below.end()) return &found->second;
  const auto all = below.find("");
  return all == below.end() ? nullptr : &all->second;
}

inline auto check_controllers(const cgroups::sub_paths& below, const sys::cgroupfs::layout& layout) -> result<> {
  for (const auto& [controller, path] : below)
    if (!controller.empty() && layout.find(controller) == nullptr)
      return failure(fmt::format("unknown controller {} in --cgroup", controller));
  return {};
}

inline auto open_sub_cgroup(const std::string& path, const cgroups::sub_paths& below, const sys::cgroupfs::layout& layout)
    -> result<unique_fd> {
  auto dir = OCITK_TRY(sys::cgroupfs::open_dir(path));
  for (const auto& h : layout.hierarchies) {
    if (!path.starts_with(h.mountpoint + "/")) continue;
    const auto* sub = wanted_below(below, h);
    if (sub == nullptr || sub->empty()) return dir;
    auto inner = sys::open_beneath(dir, *sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    // Beside v1 the cgroup2 tree holds no controllers; who makes sub-cgroups need not make them there.
    if (!inner && h.is_v2 && !layout.pure_v2) return dir;
    if (!inner) inner.error().detail = fmt::format("adding pid of a new process to cgroups: {}/{}", path, *sub);
    return inner;
  }
  return dir;
}

/// The container's cgroups. Where one is gone init has moved, and the newcomer goes where init is.
inline auto open_cgroup(const std::string& path, int pid) -> result<unique_fd> {
  auto dir = sys::cgroupfs::open_dir(path);
  if (dir || !sys::cgroupfs::means_gone(dir.error())) return dir;
  const auto layout = OCITK_TRY(sys::cgroupfs::detect());
  const auto now = OCITK_TRY(cgroup_of_init(pid, path, layout));
  return sys::cgroupfs::open_dir(now);
}

inline auto open_cgroups(destination& d, const spec::strings& paths, const cgroups::sub_paths& below) -> result<> {
  sys::cgroupfs::layout layout;
  d.by_wish = !below.empty();
  if (d.by_wish) layout = OCITK_TRY(sys::cgroupfs::detect());
  OCITK_TRY(check_controllers(below, layout));
  for (const auto& path : paths) {
    auto dir = d.by_wish ? open_sub_cgroup(path, below, layout) : open_cgroup(path, d.pid);
    if (!dir && stages::cgroup::detail::rootless()) continue;  // it may have been made without
    if (!dir) return std::unexpected(dir.error());
    if (OCITK_TRY(sys::filesystem_of(*dir)) == CGROUP2_SUPER_MAGIC)
      d.cgroup2 = std::move(*dir);
    else
      d.tasks.push_back(OCITK_TRY(trying(path, sys::open_at(*dir, "tasks", O_WRONLY))));
  }
  return {};
}

inline auto numbers_of(const destination& d) -> std::vector<int> {
  return {d.init.get(), d.cgroup_namespace.get(), d.root.get(), d.cgroup2.get()};
}

/// For kernels before 5.8, which know no setns(2) by pidfd.
inline auto join_by_files(const destination& d, std::uint64_t flags) -> result<> {
  std::vector<stages::unshare::joined> joins;
  for (const auto& kind : sys::namespace_kinds)
    if ((flags & kind.flag) != 0)
      joins.push_back({.flag = kind.flag, .path = fmt::format("/proc/{}/ns/{}", d.pid, kind.file), .pointer = {}});
  std::ranges::stable_partition(joins, [](const auto& j) { return j.flag == CLONE_NEWUSER; });
  return stages::unshare::join(joins);
}

/// All namespaces in one call: the kernel judges our rights over each of them before it enters the first.
///
/// Calls  setns(2) by pidfd
/// Fails  ESRCH: init is dead
inline auto join(const destination& d) -> result<> {
  const auto flags = d.namespaces & ~std::uint64_t{CLONE_NEWCGROUP};
  if (flags == 0) return {};
  auto joined = trying("the container's namespaces", sys::join_namespace(d.init, flags));
  if (joined || (joined.error().code != EINVAL && joined.error().code != ENOSYS && joined.error().code != EBADF)) return joined;
  return join_by_files(d, flags);
}

/// Of /process/execCPUAffinity. Nothing is named: nothing is done.
inline auto keep_to_cpus(int pid, const std::string& list, std::string_view pointer) -> result<> {
  if (list.empty()) return {};
  return at(pointer, [&]() -> result<> { return sys::set_cpus(pid, OCITK_TRY(sys::cpus_from(list))); });
}

/// In the bridge. A shell of --shell-at wants to see the host.
inline auto cross_over(const destination& d, const spec::process& process, pause_request& pause) -> result<> {
  if (const auto& cpus = process.exec_cpu_affinity)
    OCITK_TRY(keep_to_cpus(0, cpus->initial, "/process/execCPUAffinity/initial"));
  if (pause.shell) pause.host = OCITK_TRY(sys::clone_mount(fd_ref::cwd(), "/", true));
  return join(d);
}

/// The last steps in, which only the newcomer itself can take.
inline auto step_in(destination& d, init_context& ctx) -> result<> {
  if ((d.namespaces & CLONE_NEWUSER) != 0) OCITK_TRY(become_root_inside());
  OCITK_TRY(sys::set_dumpable(false));
  if (d.cgroup_namespace)
    OCITK_TRY(trying("the container's cgroup namespace", sys::join_namespace(d.cgroup_namespace, CLONE_NEWCGROUP)));
  d.cgroup_namespace.reset();
  if (d.root) {
    OCITK_TRY(checked(sys::kernel::fchdir(d.root.get()), "fchdir"));
    OCITK_TRY(checked(sys::kernel::chroot("."), "chroot"));
    d.root.reset();
  }
  ctx.rootfs = OCITK_TRY(sys::open_at(fd_ref::cwd(), "/", O_PATH | O_DIRECTORY));
  return {};
}

inline auto set_up_visitor(destination& d, init_context& ctx, newborn& n, pause_watch& pauses) -> result<> {
  auto keep = numbers_of(n, ctx);
  for (const auto* fd : {&d.cgroup_namespace, &d.root})
    if (*fd) keep.push_back(fd->get());
  OCITK_TRY(close_strangers(3 + n.preserved, std::move(keep)));
  OCITK_TRY(in_stage("unshare", [&] { return step_in(d, ctx); }));
  return confine(ctx, n, pauses, confine_exec_early, confine_exec_late);
}

inline auto enter_once(init_context& ctx, newborn& n, destination& d, const replies& to) -> result<ready_init> {
  auto [mine, theirs] = OCITK_TRY(make_channel());
  n.parent = std::move(theirs);
  ready_init made{.talk = std::move(mine), .who = "the process"};
  made.process = kept_child{OCITK_TRY(in_stage("unshare", [] { return sys::clone_process({}); }))};
  if (made.process.pid() == 0)
    cross(ctx, n, numbers_of(d), {.cgroup = d.cgroup2 ? d.cgroup2.get() : -1}, [&] { return cross_over(d, *ctx.spec.process, n.pause); },
          [&](init_context& c, newborn& b) { live(c, b, [&](auto&... rest) { return set_up_visitor(d, rest...); }); });
  n.parent.close();  // its end must show when the child dies
  made.process = OCITK_TRY(meet_init(made.process, made.talk, made.who));
  OCITK_TRY(explaining(set_oom_score(*ctx.spec.process, made.process.pid())));
  OCITK_TRY(await_ready(made, to, progress{}));
  if (const auto& cpus = ctx.spec.process->exec_cpu_affinity)
    OCITK_TRY(keep_to_cpus(made.process.pid(), cpus->final, "/process/execCPUAffinity/final"));
  return made;
}

/// What the agent of the container hears of another process in it.
inline auto tell_agent_of_visitor(const destination& d, const visit& v, int pid, const unique_fd& listener) -> result<> {
  spec::hook_state container{.oci_version = std::string{spec::oci_version}, .id = v.id, .status = std::string{to_string(status::running)},
                             .pid = d.pid, .bundle = v.bundle, .annotations = v.spec.annotations};
  return tell_agent(*v.spec.linux.seccomp, std::move(container), pid, listener);
}

/// A cgroup2 that hands controllers down takes no process: the container has moved its own below it.
inline auto takes_no_process(const error& e) -> bool {
  return e.call == "clone3" && (e.code == EBUSY || e.code == EOPNOTSUPP || e.code == ENODEV);
}

/// Is it the end of the container that the error is about?
inline auto tells_of_its_end(const error& e) -> bool {
  return e.call == "setns" || e.call == "clone3" || (e.call.empty() && e.code == 0 && e.stage.empty());
}

}  // namespace detail

/// Opens what is needed to enter. `now` has to be what observe() told of it.
///
/// Process  parent
/// Fails    `bad sub cgroup path`, `unknown controller`, ` adding pid `
inline auto find_way_in(const record& known, live now, const cgroups::sub_paths& below) -> result<destination> {
  destination d{.pid = known.pid, .init = std::move(now.pidfd)};
  d.namespaces = OCITK_TRY(in_stage("unshare", [&] { return detail::namespaces_apart(d.pid); }));
  const auto proc = fmt::format("/proc/{}", d.pid);
  if ((d.namespaces & CLONE_NEWCGROUP) != 0)
    d.cgroup_namespace = OCITK_TRY(sys::open_at(fd_ref::cwd(), proc + "/ns/cgroup", O_RDONLY));
  if ((d.namespaces & CLONE_NEWNS) == 0) d.root = OCITK_TRY(sys::open_at(fd_ref::cwd(), proc + "/root", O_PATH | O_DIRECTORY));
  OCITK_TRY(in_stage("cgroup", [&] { return detail::open_cgroups(d, known.cgroup_paths, below); }));
  if (sys::has_exited(d.init)) return failure(std::string{is_stopped});  // what was read of the pid is of a stranger
  return d;
}

/// Makes a process in the container and sees it through its setup, until it waits for `go`. On failure nothing of it
/// lives on.
///
/// Process  parent
/// Calls    clone3(2); in the bridge setns(2), clone3(2) CLONE_PARENT | CLONE_INTO_CGROUP
/// Fails    with what the process or the bridge told; `cannot exec in a stopped container`
inline auto admit(destination d, visit v) -> result<ready_init> {
  OCITK_TRY(sys::refuse_threads());
  OCITK_TRY(judge_process(*v.spec.process));
  auto filter = OCITK_TRY(detail::compiled_filter(v.spec));
  init_context ctx{.spec = v.spec, .id = v.id, .bundle = v.bundle, .new_keyring = v.new_keyring,
                   .cgroup_joins = std::move(d.tasks), .filter = std::move(filter)};
  newborn n{.stdio = std::move(v.stdio), .preserved = v.preserved, .has_listen_fds = v.listen_fds > 0,
            .listen_fds = v.listen_fds, .pause = std::move(v.pause)};
  const replies to{.paused = v.when_paused,
                   .listening = [&](int pid, const unique_fd& fd) { return detail::tell_agent_of_visitor(d, v, pid, fd); }};
  auto made = detail::enter_once(ctx, n, d, to);
  if (!made && d.cgroup2 && detail::takes_no_process(made.error())) {
    if (d.by_wish) {
      made.error().detail = "adding pid of a new process to cgroups: cgroup.procs";
      return made;
    }
    const auto layout = OCITK_TRY(sys::cgroupfs::detect());
    const auto* unified = layout.unified();
    if (unified == nullptr) return made;
    const auto path = OCITK_TRY(detail::cgroup_of_init(d.pid, unified->mountpoint + "/", layout));
    d.cgroup2 = OCITK_TRY(in_stage("cgroup", sys::cgroupfs::open_dir(path)));
    made = detail::enter_once(ctx, n, d, to);
  }
  if (!made && detail::tells_of_its_end(made.error()) && sys::has_exited(d.init)) return failure(std::string{is_stopped});
  return made;
}

}  // namespace ocitk::runtime

#endif
