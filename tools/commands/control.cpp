#include "commands.hpp"
#include "entries.hpp"

#include <ocitk/runtime/container.hpp>
#include <ocitk/runtime/start_gate.hpp>
#include <ocitk/runtime/status.hpp>
#include <ocitk/runtime/store.hpp>
#include <ocitk/sys/cgroup_tree.hpp>
#include <ocitk/sys/process.hpp>

#include <fmt/core.h>
#include <regex.h>

#include <csignal>
#include <functional>
#include <memory>
#include <string>

// start, kill, delete: commands that change a container that is there.
namespace ocitk::tools {

namespace {

using runtime::status;

constexpr int longest_death = 10'000;  // milliseconds

/// SIGKILL to init; without a PID namespace of its own, to everything in its cgroups.
auto kill_everything(const found& c) -> result<> {
  if (!c.known.own_pid_namespace && !c.known.cgroup_paths.empty()) return sys::cgroupfs::kill_all(c.known.cgroup_paths);
  if (alive(c.now)) {
    auto sent = sys::send_signal(c.now.pidfd, SIGKILL);
    if (!sent && sent.error().code != ESRCH) return sent;
  }
  return sys::cgroupfs::thaw(c.known.cgroup_paths);  // a frozen process does not die (threat F18)
}

/// Without a PID namespace of its own processes outlive init.
///
/// Returns  whether there were any
auto kill_orphans(const found& c) -> result<bool> {
  if (c.known.own_pid_namespace || c.known.cgroup_paths.empty()) return false;
  const bool any = !OCITK_TRY(sys::cgroupfs::pids(c.known.cgroup_paths)).empty();
  OCITK_TRY(sys::cgroupfs::kill_all(c.known.cgroup_paths));
  return any;
}

auto await_death(const found& c) -> result<> {
  if (!alive(c.now)) return {};
  const bool dead = OCITK_TRY(sys::wait_exit(c.now.pidfd, longest_death));
  if (!dead) return failure("container init still running");
  return {};
}

auto destroy(const surroundings& about, found& c) -> result<int> {
  OCITK_TRY(kill_everything(c));
  OCITK_TRY(await_death(c));
  OCITK_TRY(runtime::destroy(c.entry, c.known, warnings_of(about)));
  return 0;
}

/// Half created, or its state is unreadable: what was intended tells where its traces are (threats F1, F4, F5).
auto destroy_remains(const surroundings& about, const std::string& id) -> result<int> {
  auto entry = OCITK_TRY(open_entry(about, id));
  OCITK_TRY(entry.lock(runtime::usual_lock_wait));
  if (auto intent = entry.read_intent()) {
    OCITK_TRY(sys::cgroupfs::kill_all(intent->cgroup_paths));
    OCITK_TRY(sys::cgroupfs::remove(intent->cgroup_paths));
    OCITK_TRY(ocitk::stages::rdt::remove(intent->rdt_groups));
    runtime::run_poststop_hooks(*intent, warnings_of(about));
  }
  OCITK_TRY(entry.remove());
  return 0;
}

auto unknown(const error& e) -> bool { return e.detail == "container does not exist"; }

auto force_delete(const surroundings& about, const std::string& id) -> result<int> {
  auto c = look_up(about, id);
  if (c) return destroy(about, *c);
  if (unknown(c.error())) return 0;
  return destroy_remains(about, id);
}

/// crun's --regex: does it to every container whose id fits, and tells all failures but the last, which is returned.
auto to_each(const surroundings& about, const std::string& pattern, const std::function<result<int>(const std::string&)>& act)
    -> result<int> {
  regex_t wanted{};
  if (::regcomp(&wanted, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return failure("invalid regular expression \"" + pattern + "\"");
  const std::unique_ptr<regex_t, decltype(&::regfree)> owner{&wanted, &::regfree};
  const auto store = runtime::store::open(about.global.root, false);
  if (!store && store.error().code == ENOENT) return 0;
  if (!store) return std::unexpected(store.error());
  result<int> outcome = 0;
  for (const auto& id : OCITK_TRY(store->ids())) {
    if (::regexec(&wanted, id.c_str(), 0, nullptr, 0) != 0) continue;
    auto done = act(id);
    if (done) continue;
    if (!outcome) about.log.say(to_string(outcome.error()));
    done.error().detail = id + ": " + done.error().detail;
    outcome = std::move(done);
  }
  return outcome;
}

}  // namespace

auto start(const surroundings& about, const std::string& id) -> result<int> {
  const auto c = OCITK_TRY(look_up(about, id));
  if (c.now.is == status::stopped) return failure("cannot start a container that has stopped");
  if (c.now.is == status::running) return failure("cannot start an already running container");
  if (c.now.is != status::created)
    return failure(fmt::format("cannot start a container in the {} state", runtime::to_string(c.now.is)));
  const auto gate = OCITK_TRY(runtime::open_gate(c.entry.dir()));
  if (c.known.hooks.poststart.empty()) return 0;
  c.entry.unlock();  // a hook may use the container
  OCITK_TRY(runtime::wait_for_payload(gate));
  auto done = runtime::run_poststart_hooks(c.known, alive(c.now) && !sys::has_exited(c.now.pidfd) ? status::running : status::stopped);
  if (done) return 0;
  OCITK_TRY(kill_everything(c));
  OCITK_TRY(await_death(c));
  return std::unexpected(std::move(done.error()));
}

namespace {

auto kill_one(const surroundings& about, const cli::kill_options& o) -> result<int> {
  const auto number = sys::signal_number(o.signal);
  if (!number) return failure(fmt::format("unknown signal \"{}\"", o.signal));
  const auto c = OCITK_TRY(look_up(about, o.id));
  if (!alive(c.now)) {
    const bool killed = *number == SIGKILL && OCITK_TRY(kill_orphans(c));
    if (killed || o.all) return 0;
    return failure("container not running");
  }
  if (*number == SIGKILL) {
    OCITK_TRY(kill_everything(c));
    return 0;
  }
  auto sent = sys::send_signal(c.now.pidfd, *number);
  if (!sent && sent.error().code == ESRCH && !o.all) return failure("container not running");
  if (!sent && sent.error().code != ESRCH) return std::unexpected(sent.error());
  return 0;
}

auto remove_one(const surroundings& about, const cli::delete_options& o) -> result<int> {
  if (o.force) {
    OCITK_TRY(runtime::check_id(o.id));
    return force_delete(about, o.id);
  }
  auto c = look_up(about, o.id);
  if (!c) return std::unexpected(c.error());
  if (c->now.is == status::stopped || c->now.is == status::created) return destroy(about, *c);
  return failure(fmt::format("cannot delete container {} that is not stopped: {}", o.id, runtime::to_string(c->now.is)));
}

}  // namespace

auto kill(const surroundings& about, const cli::kill_options& o) -> result<int> {
  if (!o.regex) return kill_one(about, o);
  return to_each(about, o.id, [&](const std::string& id) { return kill_one(about, {.id = id, .signal = o.signal, .all = o.all}); });
}

auto remove(const surroundings& about, const cli::delete_options& o) -> result<int> {
  if (!o.regex) return remove_one(about, o);
  return to_each(about, o.id, [&](const std::string& id) { return remove_one(about, {.id = id, .force = o.force}); });
}

}  // namespace ocitk::tools
