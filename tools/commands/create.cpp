#include "bundle.hpp"
#include "commands.hpp"
#include "launching.hpp"
#include "pause.hpp"

#include <ocitk/runtime/container.hpp>
#include <ocitk/runtime/relay.hpp>

// create and run: what differs is who waits for the payload.
namespace ocitk::tools {

namespace {

auto check_options(const surroundings& about) -> result<> {
  if (about.global.systemd_cgroup)
    return failure("systemd cgroup flag passed, but systemd support for managing cgroups is not available");
  return {};
}

auto new_birth(const surroundings& about, const loaded& from, const cli::create_options& o) -> result<runtime::birth> {
  const auto descriptors = descriptors_to_pass(o);
  return runtime::birth{.spec = from.config,
                        .id = o.id,
                        .bundle = o.bundle,
                        .text = from.text,
                        .new_keyring = !o.no_new_keyring,
                        .no_pivot = o.no_pivot,
                        .no_cgroups = about.global.no_cgroups,
                        .preserved = descriptors.all,
                        .listen_fds = descriptors.listen,
                        .pause = OCITK_TRY(wanted_pause(o, runtime::confine_late.names)),
                        .when_paused = while_paused(about, o),
                        .warn = warnings_of(about)};
}

auto deliver(const surroundings& about, runtime::nascent& n, const cli::create_options& o) -> result<sys::child> {
  OCITK_TRY(hand_over(about, n.init, o, "standard"));
  auto child = runtime::deliver(n);
  if (!child) take_back(o);
  return child;
}

auto run_detached(const surroundings& about, const loaded& from, const cli::create_options& o, bool with_gate)
    -> result<int> {
  const auto store = OCITK_TRY(runtime::store::open(about.global.root, true));
  auto birth = OCITK_TRY(new_birth(about, from, o));
  birth.with_gate = with_gate;
  auto nascent = OCITK_TRY(runtime::conceive(store, std::move(birth)));
  const auto child = OCITK_TRY(deliver(about, nascent, o));
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

auto begin_foreground(const surroundings& about, const loaded& from, const cli::create_options& o)
    -> result<in_foreground> {
  const auto store = OCITK_TRY(runtime::store::open(about.global.root, true));
  if (!o.no_subreaper) OCITK_TRY(sys::set_subreaper());
  auto signals = OCITK_TRY(runtime::block_signals());
  plumbing pipes;
  auto birth = OCITK_TRY(new_birth(about, from, o));
  if (!from.config.process->terminal) {
    pipes = OCITK_TRY(make_plumbing(from.config));
    birth.stdio = std::move(pipes.theirs);
  }
  auto nascent = OCITK_TRY(runtime::conceive(store, std::move(birth)));
  auto child = OCITK_TRY(deliver(about, nascent, o));
  auto terminal = std::move(nascent.init.terminal);
  OCITK_TRY(runtime::follow_up(nascent, child, warnings_of(about)));
  return in_foreground{std::move(signals), std::move(pipes), std::move(nascent), std::move(terminal), std::move(child)};
}

auto run_foreground(const surroundings& about, const loaded& from, const cli::create_options& o) -> result<int> {
  auto c = OCITK_TRY(begin_foreground(about, from, o));
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
  const auto from = OCITK_TRY(load_spec(about, o));
  OCITK_TRY(check_terminal(from.config.process->terminal, o, m.detached));
  return m.detached ? run_detached(about, from, o, m.with_gate) : run_foreground(about, from, o);
}

auto rehearse(const surroundings& about, const cli::create_options& o, mode m) -> result<> {
  const auto from = OCITK_TRY(load_spec(about, o));
  OCITK_TRY(check_terminal(from.config.process->terminal, o, m.detached));
  if (m.detached) OCITK_TRY(run_detached(about, from, o, m.with_gate));
  else OCITK_TRY(begin_foreground(about, from, o));
  return {};
}

auto make(const surroundings& about, const cli::create_options& o, std::string_view command, mode m) -> result<int> {
  OCITK_TRY(runtime::check_id(o.id));
  OCITK_TRY(check_options(about));
  if (o.plan) return print_plan(o, [&] { return rehearse(about, o, m); });
  return traced(about, o, command, [&] { return bring_up(about, o, m); });
}

}  // namespace

auto create(const surroundings& about, const cli::create_options& o) -> result<int> {
  return make(about, o, "create", {.detached = true, .with_gate = true});
}

auto run(const surroundings& about, const cli::create_options& o) -> result<int> {
  return make(about, o, "run", {.detached = o.detach, .with_gate = false});
}

}  // namespace ocitk::tools
