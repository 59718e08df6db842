#include "bundle.hpp"
#include "commands.hpp"
#include "pause.hpp"

#include <ocitk/runtime/console.hpp>
#include <ocitk/runtime/container.hpp>
#include <ocitk/runtime/pid_file.hpp>
#include <ocitk/runtime/rehearsal.hpp>
#include <ocitk/runtime/relay.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/pty.hpp>
#include <ocitk/sys/socket.hpp>
#include <ocitk/watch/plan_text.hpp>
#include <ocitk/watch/trace_text.hpp>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

// create and run: what differs is who waits for the payload.
namespace ocitk::tools {

namespace {

auto check_options(const surroundings& about, const cli::create_options& o) -> result<> {
  if (about.global.systemd_cgroup)
    return failure("systemd cgroup flag passed, but systemd support for managing cgroups is not available");
  if (o.no_pivot) return failure("--no-pivot is not supported yet");
  return {};
}

auto check_terminal(const spec::config& config, const cli::create_options& o, bool detached) -> result<> {
  const bool wanted = config.process->terminal;
  if (detached && wanted && o.console_socket.empty())
    return failure("cannot allocate tty if runc will detach without setting console socket", "/process/terminal");
  if (!o.console_socket.empty() && !(detached && wanted))
    return failure("cannot use console socket if runc will not detach or allocate tty");
  return {};
}

/// Socket activation counts only if it is meant for this very process.
auto listen_fds() -> int {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || std::atoi(pid) != ::getpid()) return 0;
  return std::max(0, std::atoi(count));
}

/// Everything from 3 on is ours to close, but for what the caller names.
auto check_preserved(const cli::create_options& o, int listen) -> result<> {
  for (int i = 0; i < o.preserve_fds; ++i) {
    struct stat st{};
    if (::fstat(3 + listen + i, &st) != 0)
      return failed("fstat", fmt::format("unable to stat preserved-fd {} (of {})", i, o.preserve_fds));
  }
  return {};
}

auto new_birth(const surroundings& about, const spec::config& config, const cli::create_options& o) -> result<runtime::birth> {
  const int listen = listen_fds();
  OCITK_TRY(check_preserved(o, listen));
  auto pause = OCITK_TRY(wanted_pause(o));
  if (!o.plan.empty()) pause = {};  // nobody waits in a plan
  return runtime::birth{.spec = config,
                        .id = o.id,
                        .bundle = o.bundle,
                        .new_keyring = !o.no_new_keyring,
                        .preserved = o.preserve_fds + listen,
                        .listen_fds = listen,
                        .pause = std::move(pause),
                        .when_paused = while_paused(about, o),
                        .warn = warnings_of(about)};
}

auto send_pidfd(const std::string& path, fd_ref pidfd) -> result<> {
  const auto socket = OCITK_TRY(sys::connect_unix(path));
  return trying("send the pidfd to " + path, sys::send_message(socket, "standard", pidfd.get()));
}

/// The order callers rely on: the terminal reaches them before the pid file, the pid file before we return.
auto hand_over(const surroundings& about, runtime::nascent& n, const cli::create_options& o) -> result<sys::child> {
  for (const auto& text : n.init.warnings) about.log.write(runtime::level::warning, text);
  if (!o.console_socket.empty())
    OCITK_TRY(runtime::send_console(o.console_socket, n.init.terminal_name, n.init.terminal));
  if (!o.pidfd_socket.empty()) OCITK_TRY(send_pidfd(o.pidfd_socket, n.init.process.pidfd()));
  if (!o.pid_file.empty()) OCITK_TRY(runtime::write_pid_file(o.pid_file, n.init.process.pid()));
  auto child = runtime::deliver(n);
  if (!child && !o.pid_file.empty()) (void)sys::kernel::unlinkat(AT_FDCWD, o.pid_file.c_str(), 0);  // it names a process that dies now
  return child;
}

/// Pipes between the caller's streams and the container's: nobody inside may hold what is the caller's.
struct plumbing {
  std::array<unique_fd, 3> ours{}, theirs{};
};

/// The container's root in the ids of the host.
auto host_root(const spec::config& config) -> uid_t {
  for (const auto& m : config.linux.uid_mappings)
    if (m.container_id == 0) return m.host_id;
  return 0;
}

auto make_plumbing(const spec::config& config) -> result<plumbing> {
  plumbing p;
  for (std::size_t i = 0; i < 3; ++i) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return failed("pipe2");
    unique_fd out{ends[0]}, in{ends[1]};
    for (const int end : ends) learn_name(end, fmt::format("pipe {}", i));
    p.theirs[i] = i == 0 ? std::move(out) : std::move(in);
    p.ours[i] = i == 0 ? std::move(in) : std::move(out);
    const auto owner = host_root(config);
    if (owner != 0) (void)sys::kernel::fchown(p.theirs[i].get(), owner, static_cast<gid_t>(-1));  // it then cannot reopen it
  }
  return p;
}

auto run_detached(const surroundings& about, const spec::config& config, const cli::create_options& o, bool with_gate)
    -> result<int> {
  const auto store = OCITK_TRY(runtime::store::open(about.global.root, true));
  auto birth = OCITK_TRY(new_birth(about, config, o));
  birth.with_gate = with_gate;
  auto nascent = OCITK_TRY(runtime::conceive(store, std::move(birth)));
  const auto child = OCITK_TRY(hand_over(about, nascent, o));
  if (!with_gate) OCITK_TRY(runtime::follow_up(nascent, child, warnings_of(about)));
  return 0;
}

/// A container in the foreground, with our ends of what it speaks through.
struct in_foreground {
  unique_fd signals{};
  plumbing pipes{};
  runtime::nascent nascent;
  unique_fd terminal{};
  sys::child child{};
};

auto begin_foreground(const surroundings& about, const spec::config& config, const cli::create_options& o)
    -> result<in_foreground> {
  const auto store = OCITK_TRY(runtime::store::open(about.global.root, true));
  if (!o.no_subreaper) OCITK_TRY(sys::set_subreaper());
  auto signals = OCITK_TRY(runtime::block_signals());
  plumbing pipes;
  auto birth = OCITK_TRY(new_birth(about, config, o));
  if (!config.process->terminal) {
    pipes = OCITK_TRY(make_plumbing(config));
    birth.stdio = std::move(pipes.theirs);
  }
  auto nascent = OCITK_TRY(runtime::conceive(store, std::move(birth)));
  auto terminal = std::move(nascent.init.terminal);
  auto child = OCITK_TRY(hand_over(about, nascent, o));
  OCITK_TRY(runtime::follow_up(nascent, child, warnings_of(about)));
  return in_foreground{std::move(signals), std::move(pipes), std::move(nascent), std::move(terminal), std::move(child)};
}

auto run_foreground(const surroundings& about, const spec::config& config, const cli::create_options& o) -> result<int> {
  auto c = OCITK_TRY(begin_foreground(about, config, o));
  c.nascent.published.publish("parent", "waits for the payload to end");
  c.nascent.where.unlock();
  const auto status = runtime::run_foreground({.pid = c.child.pid,
                                               .pidfd = c.child.pidfd.get(),
                                               .signals = c.signals.get(),
                                               .terminal = std::move(c.terminal),
                                               .pipes = std::move(c.pipes.ours)});
  if (o.keep) return status;
  if (auto locked = c.nascent.where.lock(runtime::usual_lock_wait); !locked) return status;  // somebody deleted it
  if (auto gone = runtime::destroy(c.nascent.where, c.nascent.known, warnings_of(about)); !gone) about.log.write(runtime::level::warning, gone.error());
  return status;
}

/// What differs between the two commands.
struct mode {
  bool detached = true;   ///< nobody waits for the payload
  bool with_gate = true;  ///< nor is it started yet
};

auto bring_up(const surroundings& about, const cli::create_options& o, mode m) -> result<int> {
  const auto config = OCITK_TRY(load_spec(about, o));
  OCITK_TRY(check_terminal(config, o, m.detached));
  return m.detached ? run_detached(about, config, o, m.with_gate) : run_foreground(about, config, o);
}

/// --plan: as far as the payload's first instruction.
auto print_plan(const surroundings& about, const cli::create_options& o, mode m) -> result<int> {
  const auto play = [&]() -> result<> {
    const auto config = OCITK_TRY(load_spec(about, o));
    OCITK_TRY(check_terminal(config, o, m.detached));
    if (m.detached) OCITK_TRY(run_detached(about, config, o, m.with_gate));
    else OCITK_TRY(begin_foreground(about, config, o));
    return {};
  };
  const auto plan = watch::plan_of(OCITK_TRY(runtime::rehearse(play)));
  OCITK_TRY(sys::write_all(fd_ref::of(1), *o.plan == "json" ? watch::plan_json(plan) : watch::plan_text(plan)));
  return 0;
}

/// --trace, or the environment's: engines pass options of their own only. A directory takes a file for each call.
auto trace_target(const cli::create_options& o, std::string_view command) -> std::string {
  const char* from_environment = std::getenv("OCITK_TRACE");
  if (!o.trace.empty() || from_environment == nullptr) return o.trace;
  struct stat st{};
  if (::stat(from_environment, &st) != 0 || !S_ISDIR(st.st_mode)) return from_environment;
  return fmt::format("{}/{}-{}-{}.json", from_environment, o.id, command, ::getpid());
}

/// A trace that cannot be written is told and no reason to fail: the container lives.
auto write_trace(const surroundings& about, const std::string& target, const watch::recording& tape) -> void {
  const auto write = [&]() -> result<> {
    const auto all = OCITK_TRY(tape.all());
    if (target == "-") return sys::write_all(fd_ref::of(2), watch::timeline(all));
    const auto file = OCITK_TRY(sys::open_at(fd_ref::cwd(), target, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    return trying(target, sys::write_all(file, watch::trace_json(all)));
  };
  if (const auto done = write(); !done) about.log.say("trace: " + to_string(done.error()));
}

auto bring_up_traced(const surroundings& about, const cli::create_options& o, mode m, const std::string& target) -> result<int> {
  watch::recorder scribe{OCITK_TRY(watch::recording::make())};
  const auto outcome = [&] {
    const watch::watched_by in_scope{scribe};
    return bring_up(about, o, m);
  }();
  write_trace(about, target, scribe.tape());
  return outcome;
}

auto make(const surroundings& about, const cli::create_options& o, std::string_view command, mode m) -> result<int> {
  OCITK_TRY(runtime::check_id(o.id));
  OCITK_TRY(check_options(about, o));
  if (o.plan) return print_plan(about, o, m);
  const auto target = trace_target(o, command);
  return target.empty() ? bring_up(about, o, m) : bring_up_traced(about, o, m, target);
}

}  // namespace

auto create(const surroundings& about, const cli::create_options& o) -> result<int> {
  return make(about, o, "create", {.detached = true, .with_gate = true});
}

auto run(const surroundings& about, const cli::create_options& o) -> result<int> {
  return make(about, o, "run", {.detached = o.detach, .with_gate = false});
}

}  // namespace ocitk::tools
