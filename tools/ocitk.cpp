#include "commands/commands.hpp"
#include "commands/launching.hpp"
#include "stages/tools.hpp"

#include <ocitk/cli/options.hpp>
#include <ocitk/runtime/explain.hpp>
#include <ocitk/runtime/self_protection.hpp>
#include <ocitk/sys/io.hpp>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/close_range.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

// The runtime: a drop-in for runc. This file finds out what is wanted, and prints what went wrong, once.
namespace {

using namespace ocitk;

/// No descriptor of ours may land on 0 to 2.
auto open_standard_streams() -> result<> {
  for (;;) {
    const int fd = ::open("/dev/null", O_RDWR);
    if (fd < 0) return failed("open", "/dev/null");
    if (fd <= 2) continue;
    ::close(fd);
    return {};
  }
}

/// Descriptors of the caller go no further than its payload, and only the ones it names (threat R6).
auto close_later() -> result<> {
  return checked(::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
}

/// What runc's callers look for in front of a failure.
auto title_for(const std::string& command, const error& why) -> std::string {
  const bool in_init = !why.stage.empty();
  if (command == "exec") return fmt::format("exec failed: {}", in_init ? "unable to start container process: " : "");
  if (command != "create" && command != "run") return {};
  return fmt::format("runc {} failed: {}", command,
                     in_init ? "unable to start container process: error during container init: " : "");
}

auto is_real_root() -> bool {
  if (::geteuid() != 0) return false;
  const auto map = sys::read_file(fd_ref::cwd(), "/proc/self/uid_map", 4096);
  const bool initial = !map || map->find("4294967295") != map->npos;
  const char* user = std::getenv("USER");
  return initial || (user != nullptr && std::string_view{user} == "root");
}

auto runs_protected(const cli::request& r) -> bool { return r.name == "create" || r.name == "run" || r.name == "exec"; }

struct dispatcher {
  const tools::surroundings& about;
  char** argv;
  const std::string& name;

  auto operator()(const cli::show_text& c) const -> result<int> {
    OCITK_TRY(sys::write_all(fd_ref::of(1), c.text));
    return 0;
  }
  auto operator()(const cli::show_version&) const -> result<int> { return tools::print_version(argv[0]); }
  auto operator()(const cli::create_command& c) const -> result<int> { return protected_from_now(tools::create, c.options); }
  auto operator()(const cli::run_command& c) const -> result<int> { return protected_from_now(tools::run, c.options); }
  auto operator()(const cli::exec_command& c) const -> result<int> { return protected_from_now(tools::exec, c.options); }
  auto operator()(const cli::start_command& c) const -> result<int> { return tools::start(about, c.id); }
  auto operator()(const cli::pause_command& c) const -> result<int> { return tools::pause(about, c.id); }
  auto operator()(const cli::resume_command& c) const -> result<int> { return tools::resume(about, c.id); }
  auto operator()(const cli::ps_command& c) const -> result<int> { return tools::ps(about, c.options); }
  auto operator()(const cli::update_command& c) const -> result<int> { return tools::update(about, c.options); }
  auto operator()(const cli::events_command& c) const -> result<int> { return tools::events(about, c.options); }
  auto operator()(const cli::stats_command& c) const -> result<int> { return tools::stats(about, c.options); }
  auto operator()(const cli::state_command& c) const -> result<int> { return tools::state(about, c.id); }
  auto operator()(const cli::kill_command& c) const -> result<int> { return tools::kill(about, c.options); }
  auto operator()(const cli::delete_command& c) const -> result<int> { return tools::remove(about, c.options); }
  auto operator()(const cli::list_command& c) const -> result<int> { return tools::list(about, c.options); }
  auto operator()(const cli::features_command&) const -> result<int> { return tools::print_features(); }
  auto operator()(const cli::stages_command& c) const -> result<int> { return tools::list_stages(c.format); }
  auto operator()(const cli::spec_command& c) const -> result<int> { return tools::write_spec(about, c.options); }
  auto operator()(const cli::check_command& c) const -> result<int> { return tools::check(about, c.options); }
  auto operator()(const cli::where_command& c) const -> result<int> { return tools::where(about, c.options); }

 private:
  /// Only commands that enter a container run from the protected copy of the program. The caller's descriptors go
  /// through that exec; they are marked after it.
  template <class Command, class Options>
  auto protected_from_now(Command command, const Options& options) const -> result<int> {
    if (!options.plan) OCITK_TRY(runtime::protect_self(argv, environ));  // a plan enters nothing
    OCITK_TRY(close_later());
    about.log.write(runtime::level::debug, "command " + name);  // once: not before the exec of the copy
    return command(about, options);
  }
};

auto refuse(const cli::usage_error& why) -> int {
  const auto log = runtime::logger::open(why.global.log, why.global.log_json, false);
  (void)sys::write_all(fd_ref::of(1), why.to_stdout);  // help for a person; the error itself is below
  const runtime::logger fallback;
  (log ? *log : fallback).fatal({.detail = why.message}, "");
  return 1;
}

auto check_descriptors(const cli::request& request) -> result<> {
  return std::visit(
      [](const auto& c) -> result<> {
        if constexpr (requires { c.options.preserve_fds; }) return tools::check_descriptors(c.options);
        else return {};
      },
      request.what);
}

auto execute(const cli::request& request, char** argv) -> int {
  const auto descriptors = check_descriptors(request);
  auto log = runtime::logger::open(request.global.log, request.global.log_json, request.global.debug);
  if (!log) {
    runtime::logger{}.fatal(log.error(), "");
    return 1;
  }
  const tools::surroundings about{.global = request.global, .log = *log};
  if (!runs_protected(request)) log->write(runtime::level::debug, "command " + request.name);
  const auto code = descriptors ? std::visit(dispatcher{about, argv, request.name}, request.what) : result<int>{std::unexpected(descriptors.error())};
  if (code) return *code;
  log->fatal(code.error(), title_for(request.name, code.error()));
  return request.name == "exec" ? 255 : 1;
}

}  // namespace

auto main(int argc, char** argv) -> int {
  if (const auto code = tools::stages::run_applet(argc, argv)) return *code;  // `ocitk-caps` and its like
  if (auto done = open_standard_streams(); !done) return 1;  // nowhere to say it
  (void)std::signal(SIGCHLD, SIG_DFL);  // a caller that ignores it would keep us from our children's status
  (void)std::signal(SIGPIPE, SIG_IGN);  // a vanished reader is an error of write(2); the payload gets the default back
  try {
    const std::vector<std::string> words{argv + std::min(argc, 1), argv + argc};
    runtime::only_runcs_words = argc > 0 && cli::is_called_runc(argv[0]);
    const auto root = cli::default_root(is_real_root(), std::getenv("XDG_RUNTIME_DIR"));
    const auto request = cli::parse(words, argc > 0 ? argv[0] : "ocitk", root);
    return request ? execute(*request, argv) : refuse(request.error());
  } catch (const std::bad_alloc&) {
    constexpr std::string_view text = "ocitk: out of memory\n";
    (void)!::write(2, text.data(), text.size());
    return 1;
  }
}
