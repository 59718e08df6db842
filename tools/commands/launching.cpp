#include "launching.hpp"

#include <ocitk/runtime/console.hpp>
#include <ocitk/runtime/pid_file.hpp>
#include <ocitk/runtime/rehearsal.hpp>
#include <ocitk/runtime/relay.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/socket.hpp>
#include <ocitk/watch/plan_text.hpp>
#include <ocitk/watch/trace_text.hpp>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace ocitk::tools {

namespace {

/// Socket activation counts only if it is meant for this very process.
auto listen_fds() -> int {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || std::atoi(pid) != ::getpid()) return 0;
  return std::max(0, std::atoi(count));
}

auto send_pidfd(const std::string& path, std::string_view kind, fd_ref pidfd) -> result<> {
  const auto socket = OCITK_TRY(sys::connect_unix(path));
  return trying("send the pidfd to " + path, sys::send_message(socket, kind, pidfd.get()));
}

/// The container's root in the ids of the host.
auto host_root(const spec::config& config) -> uid_t {
  for (const auto& m : config.linux.uid_mappings)
    if (m.container_id == 0) return m.host_id;
  return 0;
}

/// --trace, or the environment's: engines pass options of their own only. A directory takes a file for each call.
auto trace_target(const cli::launch_options& o, std::string_view command) -> std::string {
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

}  // namespace

auto check_terminal(bool wanted, const cli::launch_options& o, bool detached) -> result<> {
  if (detached && wanted && o.console_socket.empty())
    return failure("cannot allocate tty if runc will detach without setting console socket", "/process/terminal");
  if (!o.console_socket.empty() && !(detached && wanted))
    return failure("cannot use console socket if runc will not detach or allocate tty");
  return {};
}

auto descriptors_to_pass(const cli::launch_options& o) -> passed_on {
  const int listen = listen_fds();
  return {.listen = listen, .all = listen + o.preserve_fds};
}

auto check_descriptors(const cli::launch_options& o) -> result<> {
  const auto [listen, all] = descriptors_to_pass(o);
  for (int i = 0; i < all; ++i) {
    struct stat st{};
    if (::fstat(3 + i, &st) == 0) continue;
    if (i < listen) return failed("fstat", fmt::format("LISTEN_FDS: descriptor {}", 3 + i));
    return failed("fstat", fmt::format("unable to stat preserved-fd {} (of {})", i - listen, o.preserve_fds));
  }
  return {};
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

auto hand_over(const surroundings& about, const runtime::ready_init& init, const cli::launch_options& o, std::string_view kind)
    -> result<> {
  for (const auto& text : init.warnings) about.log.write(runtime::level::warning, text);
  if (!o.console_socket.empty()) OCITK_TRY(runtime::send_console(o.console_socket, init.terminal_name, init.terminal));
  else if (init.terminal && !rehearsing()) OCITK_TRY(runtime::adapt_terminal(init.terminal));
  if (!o.pidfd_socket.empty()) OCITK_TRY(send_pidfd(o.pidfd_socket, kind, init.process.pidfd()));
  if (!o.pid_file.empty()) OCITK_TRY(runtime::write_pid_file(o.pid_file, init.process.pid()));
  return {};
}

auto take_back(const cli::launch_options& o) -> void {
  if (!o.pid_file.empty()) (void)sys::kernel::unlinkat(AT_FDCWD, o.pid_file.c_str(), 0);  // gone already is as good
}

auto print_plan(const cli::launch_options& o, const std::function<result<>()>& play) -> result<int> {
  const auto plan = watch::plan_of(OCITK_TRY(runtime::rehearse(play)));
  OCITK_TRY(sys::write_all(fd_ref::of(1), *o.plan == "json" ? watch::plan_json(plan) : watch::plan_text(plan)));
  return 0;
}

auto traced(const surroundings& about, const cli::launch_options& o, std::string_view command, const std::function<result<int>()>& act)
    -> result<int> {
  const auto target = trace_target(o, command);
  if (target.empty()) return act();
  watch::recorder scribe{OCITK_TRY(watch::recording::make())};
  const auto outcome = [&] {
    const watch::watched_by in_scope{scribe};
    return act();
  }();
  write_trace(about, target, scribe.tape());
  return outcome;
}

}  // namespace ocitk::tools
