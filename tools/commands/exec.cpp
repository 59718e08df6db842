#include "bundle.hpp"
#include "commands.hpp"
#include "entries.hpp"
#include "launching.hpp"
#include "pause.hpp"

#include <ocitk/cgroups/sub_path.hpp>
#include <ocitk/runtime/enter.hpp>
#include <ocitk/runtime/exec_process.hpp>
#include <ocitk/runtime/relay.hpp>
#include <ocitk/runtime/status.hpp>
#include <ocitk/spec/validate.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

// exec: another process in a container that is there. It takes no lock: whoever deletes the container meanwhile kills
// the process with it.
namespace ocitk::tools {

namespace {

/// All that is known before anything is done.
struct guest {
  runtime::record known{};
  spec::config config{};  ///< the container's, with the process to start
  runtime::destination way{};
};

auto check_state(runtime::status is, bool ignore_paused) -> result<> {
  if (is == runtime::status::stopped) return failure(std::string{runtime::is_stopped});
  if (is == runtime::status::paused && !ignore_paused)
    return failure("cannot exec in a paused container (use --ignore-paused to override)");
  return {};
}

auto read_record(const runtime::entry& entry) -> result<runtime::record> {
  auto known = entry.read();
  if (!known && known.error().code == ENOENT) return failure("container does not exist");  // not yet, or no longer
  return known;
}

auto callers_umask() -> std::uint32_t {
  const auto mask = ::umask(0);
  ::umask(mask);
  return mask;
}

auto wanted_process(const cli::exec_options& o, const spec::process& of_container) -> result<spec::process> {
  auto given = o.process.empty() ? runtime::process_from(of_container, {.args = o.args,
                                                                       .env = o.env,
                                                                       .additional_gids = o.additional_gids,
                                                                       .caps = o.caps,
                                                                       .cwd = o.cwd,
                                                                       .user = o.user,
                                                                       .selinux_label = o.process_label,
                                                                       .apparmor_profile = o.apparmor,
                                                                       .terminal = o.tty,
                                                                       .no_new_privileges = o.no_new_privs})
                                 : load_process(o.process);
  auto process = runtime::completed(OCITK_TRY(std::move(given)), of_container, callers_umask());
  OCITK_TRY(spec::validate_process(process, {.euid = ::geteuid()}));
  return process;
}

auto prepare(const surroundings& about, const cli::exec_options& o) -> result<guest> {
  const auto entry = OCITK_TRY(open_entry(about, o.id));
  guest g{.known = OCITK_TRY(read_record(entry))};
  auto now = OCITK_TRY(runtime::observe(entry, g.known));
  OCITK_TRY(check_state(now.is, o.ignore_paused));
  g.config = OCITK_TRY(load_container(entry));
  g.config.hooks = {};  // they are of the first process
  g.config.process = OCITK_TRY(wanted_process(o, *g.config.process));
  OCITK_TRY(check_terminal(g.config.process->terminal, o, o.detach));
  const auto below = OCITK_TRY(cgroups::sub_paths_from(o.cgroups));
  g.way = OCITK_TRY(runtime::find_way_in(g.known, std::move(now), below));
  return g;
}

auto new_visit(const surroundings& about, const guest& g, const cli::exec_options& o) -> result<runtime::visit> {
  const auto descriptors = descriptors_to_pass(o);
  return runtime::visit{.spec = g.config,
                        .id = o.id,
                        .bundle = g.known.bundle,
                        .new_keyring = !g.known.callers_keyring,
                        .preserved = descriptors.all,
                        .listen_fds = descriptors.listen,
                        .pause = OCITK_TRY(wanted_pause(o, runtime::confine_exec_late.names)),
                        .when_paused = while_paused(about, o)};
}

/// A process that runs from here on, with our ends of what it speaks through.
struct started {
  unique_fd signals{};
  plumbing pipes{};
  unique_fd terminal{};
  sys::child child{};
};

auto deliver(const surroundings& about, runtime::ready_init& ready, const cli::exec_options& o) -> result<sys::child> {
  OCITK_TRY(hand_over(about, ready, o, "setns"));
  if (auto gone = ready.talk.say(runtime::word::go); !gone) {
    take_back(o);
    return std::unexpected(std::move(gone).error());
  }
  return ready.process.let_go();
}

auto begin(const surroundings& about, const cli::exec_options& o) -> result<started> {
  auto g = OCITK_TRY(prepare(about, o));
  started s;
  if (!o.detach) s.signals = OCITK_TRY(runtime::block_signals());
  auto visit = OCITK_TRY(new_visit(about, g, o));
  if (!o.detach && !g.config.process->terminal) {
    s.pipes = OCITK_TRY(make_plumbing(g.config));
    visit.stdio = std::move(s.pipes.theirs);
  }
  auto ready = OCITK_TRY(runtime::admit(std::move(g.way), std::move(visit)));
  s.child = OCITK_TRY(deliver(about, ready, o));
  s.terminal = std::move(ready.terminal);
  return s;
}

auto run(const surroundings& about, const cli::exec_options& o) -> result<int> {
  auto s = OCITK_TRY(begin(about, o));
  if (o.detach) return 0;
  return runtime::run_foreground({.pid = s.child.pid,
                                  .pidfd = s.child.pidfd.get(),
                                  .signals = s.signals.get(),
                                  .terminal = std::move(s.terminal),
                                  .pipes = std::move(s.pipes.ours)});
}

auto rehearse(const surroundings& about, const cli::exec_options& o) -> result<> {
  OCITK_TRY(begin(about, o));
  return {};
}

}  // namespace

auto exec(const surroundings& about, const cli::exec_options& o) -> result<int> {
  if (o.plan) return print_plan(o, [&] { return rehearse(about, o); });
  return traced(about, o, "exec", [&] { return run(about, o); });
}

}  // namespace ocitk::tools
