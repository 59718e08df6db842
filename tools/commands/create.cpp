#include "commands.hpp"

#include <ocitk/runtime/console.hpp>
#include <ocitk/runtime/container.hpp>
#include <ocitk/runtime/pid_file.hpp>
#include <ocitk/runtime/relay.hpp>
#include <ocitk/spec/read.hpp>
#include <ocitk/spec/validate.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/pty.hpp>
#include <ocitk/sys/socket.hpp>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

// create and run: what differs is who waits for the payload.
namespace ocitk::tools {

namespace {

auto read_bundle(const std::string& bundle) -> result<spec::config> {
  const auto dir = sys::open_at(fd_ref::cwd(), bundle, O_PATH | O_DIRECTORY);
  if (!dir) return std::unexpected(dir.error());
  const auto text = sys::read_file(*dir, "config.json", spec::largest_json + 1);
  if (!text && text.error().code == ENOENT) return failure("JSON specification file config.json not found");
  if (!text) return std::unexpected(text.error());
  return spec::parse_config(*text);
}

auto check_options(const surroundings& about, const cli::create_options& o) -> result<> {
  if (about.global.systemd_cgroup)
    return failure("systemd cgroup flag passed, but systemd support for managing cgroups is not available");
  if (o.no_pivot) return failure("--no-pivot is not supported yet");
  return {};
}

auto load_spec(const surroundings& about, const cli::create_options& o) -> result<spec::config> {
  auto config = OCITK_TRY(read_bundle(o.bundle));
  const auto warnings = OCITK_TRY(spec::validate(config, {.euid = ::geteuid(), .no_pivot = o.no_pivot}));
  OCITK_TRY(spec::check_supported(config));
  for (const auto& text : warnings) about.log.write(runtime::level::warning, text);
  return config;
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

auto new_birth(const spec::config& config, const cli::create_options& o) -> result<runtime::birth> {
  const int listen = listen_fds();
  OCITK_TRY(check_preserved(o, listen));
  return runtime::birth{.spec = config,
                        .id = o.id,
                        .bundle = o.bundle,
                        .new_keyring = !o.no_new_keyring,
                        .preserved = o.preserve_fds + listen,
                        .listen_fds = listen};
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
  if (!child && !o.pid_file.empty()) (void)::unlink(o.pid_file.c_str());  // it names a process that dies now
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
    p.theirs[i] = i == 0 ? std::move(out) : std::move(in);
    p.ours[i] = i == 0 ? std::move(in) : std::move(out);
    const auto owner = host_root(config);
    if (owner != 0) (void)::fchown(p.theirs[i].get(), owner, static_cast<gid_t>(-1));  // it then cannot reopen it
  }
  return p;
}

auto run_detached(const surroundings& about, const spec::config& config, const cli::create_options& o, bool with_gate)
    -> result<int> {
  const auto store = OCITK_TRY(runtime::store::open(about.global.root, true));
  auto birth = OCITK_TRY(new_birth(config, o));
  birth.with_gate = with_gate;
  auto nascent = OCITK_TRY(runtime::conceive(store, std::move(birth)));
  OCITK_TRY(hand_over(about, nascent, o));
  return 0;
}

auto run_foreground(const surroundings& about, const spec::config& config, const cli::create_options& o) -> result<int> {
  const auto store = OCITK_TRY(runtime::store::open(about.global.root, true));
  if (!o.no_subreaper) OCITK_TRY(sys::set_subreaper());
  const auto signals = OCITK_TRY(runtime::block_signals());
  plumbing pipes;
  auto birth = OCITK_TRY(new_birth(config, o));
  if (!config.process->terminal) {
    pipes = OCITK_TRY(make_plumbing(config));
    birth.stdio = std::move(pipes.theirs);
  }
  auto nascent = OCITK_TRY(runtime::conceive(store, std::move(birth)));
  auto terminal = std::move(nascent.init.terminal);
  const auto known = nascent.known;
  const auto child = OCITK_TRY(hand_over(about, nascent, o));
  nascent.where.unlock();
  const auto status = runtime::run_foreground({.pid = child.pid,
                                               .pidfd = child.pidfd.get(),
                                               .signals = signals.get(),
                                               .terminal = std::move(terminal),
                                               .pipes = std::move(pipes.ours)});
  if (o.keep) return status;
  if (auto locked = nascent.where.lock(runtime::usual_lock_wait); !locked) return status;  // somebody deleted it
  if (auto gone = runtime::destroy(nascent.where, known); !gone) about.log.write(runtime::level::warning, gone.error());
  return status;
}

}  // namespace

auto create(const surroundings& about, const cli::create_options& o) -> result<int> {
  OCITK_TRY(runtime::check_id(o.id));
  OCITK_TRY(check_options(about, o));
  const auto config = OCITK_TRY(load_spec(about, o));
  OCITK_TRY(check_terminal(config, o, true));
  return run_detached(about, config, o, true);
}

auto run(const surroundings& about, const cli::create_options& o) -> result<int> {
  OCITK_TRY(runtime::check_id(o.id));
  OCITK_TRY(check_options(about, o));
  const auto config = OCITK_TRY(load_spec(about, o));
  OCITK_TRY(check_terminal(config, o, o.detach));
  return o.detach ? run_detached(about, config, o, false) : run_foreground(about, config, o);
}

}  // namespace ocitk::tools
