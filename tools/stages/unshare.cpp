#include "tools.hpp"

#include <ocitk/cli/own_namespaces.hpp>
#include <ocitk/cli/waiting.hpp>
#include <ocitk/runtime/handshake.hpp>
#include <ocitk/runtime/launch.hpp>
#include <ocitk/stages/idmap.hpp>
#include <ocitk/stages/time.hpp>
#include <ocitk/stages/unshare.hpp>
#include <ocitk/sys/credentials.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/sys/socket.hpp>

#include <linux/sched.h>
#include <unistd.h>

#include <array>
#include <optional>

// ocitk-unshare: makes and joins namespaces. A PID or time namespace begins with the next child: then the chain goes on
// in one, and this process stays outside to hand on signals, and the terminal.
namespace ocitk::tools::stages {

namespace {

namespace unshare = ocitk::stages::unshare;

constexpr std::uint64_t begins_with_a_child = CLONE_NEWPID | CLONE_NEWTIME;

auto wants_child(const unshare::plan& p) -> bool {
  std::uint64_t flags = p.at_birth;
  for (const auto& j : p.joins) flags |= j.flag;
  return (flags & begins_with_a_child) != 0;
}

/// In a user namespace with maps the process becomes its root; without any it stays nobody.
auto become_root_inside() -> result<> {
  OCITK_TRY(sys::set_gid(0));
  return sys::set_uid(0);
}

/// As `unshare --map-root-user` has it: one id each, and setgroups(2) given up for it.
auto map_root(uid_t uid, gid_t gid) -> result<> {
  spec::linux_ l;
  l.namespaces = {{.type = "user"}};
  l.uid_mappings = {{.container_id = 0, .host_id = uid, .size = 1}};
  l.gid_mappings = {{.container_id = 0, .host_id = gid, .size = 1}};
  const auto self = OCITK_TRY(sys::open_at(fd_ref::cwd(), "/proc/self", O_PATH | O_DIRECTORY));
  OCITK_TRY(ocitk::stages::idmap::apply(ocitk::stages::idmap::plan_for(l, false), self));
  return become_root_inside();
}

/// Asks the helper of ocitk-idmap, which knows us by our directory in /proc.
auto have_ids_mapped(const runtime::channel& helper) -> result<> {
  const auto self = OCITK_TRY(sys::open_at(fd_ref::cwd(), "/proc/self", O_PATH | O_DIRECTORY));
  OCITK_TRY(helper.say_born(0, self));
  auto heard = OCITK_TRY(helper.listen());
  if (heard.gone) return failure("the helper of ocitk-idmap is gone");
  if (heard.said == runtime::word::error) return std::unexpected(std::move(heard.failure));
  if (heard.said != runtime::word::mapped) return failure("the helper of ocitk-idmap said something else than expected");
  return become_root_inside();
}

class unshare_tool : public cli::tool {
 public:
  auto options(cli::option_list& o) -> void override {
    for (std::size_t i = 0; i < kinds.size(); ++i)
      o.add(cli::option_of(kinds[i].type), &asked_[i], fmt::format("a new {} namespace, or with =PATH an old one", kinds[i].type));
    o.add("map-root", &map_root_, "map the caller's ids to 0 in the new user namespace");
  }
  [[nodiscard]] auto enters_containers() const -> bool override { return true; }

  auto fill(cli::chain_link& here) -> result<> override {
    bool any = false;
    for (const auto& path : asked_) any = any || path.has_value();
    if (!any && !here.has_spec) return failure("no namespace is asked for");
    if (any) here.config.linux.namespaces.clear();  // words of the command line stand in the bundle's place
    for (std::size_t i = 0; i < kinds.size(); ++i)
      if (asked_[i]) here.config.linux.namespaces.push_back({.type = std::string{kinds[i].type}, .path = *asked_[i]});
    if (map_root_ && !here.config.linux.creates("user")) return failure("--map-root goes with a new user namespace: --user");
    return {};
  }

  auto run(cli::chain_link& here) -> result<> override {
    const auto wanted = OCITK_TRY(unshare::plan_for(here.config.linux.namespaces, !here.config.linux.time_offsets.empty()));
    const bool user = here.config.linux.creates("user");
    if (user && here.has_spec && !here.state.idmap && !map_root_)
      return cli::comes_first("idmap", "nobody could map the ids of the new user namespace");
    if (here.config.process) OCITK_TRY(runtime::detail::set_oom_score(*here.config.process, ::getpid()));
    before_ = cli::current_namespaces();
    host_ = cli::namespaces_of_process_1();
    uid_ = ::geteuid();
    gid_ = ::getegid();
    if (wants_child(wanted)) return go_on_in_child(here, wanted);
    OCITK_TRY(unshare::join(wanted.joins));
    if (wanted.at_birth != 0) OCITK_TRY(at("/linux/namespaces", sys::leave_namespaces(wanted.at_birth)));
    return settle(here);
  }

 private:
  static constexpr auto kinds = sys::namespace_kinds;

  /// What is left to do inside.
  auto settle(cli::chain_link& here) -> result<> {
    if (here.config.linux.creates("user") && here.state.idmap)
      OCITK_TRY(have_ids_mapped(runtime::channel{std::move(here.state.idmap)}));
    else if (map_root_)
      OCITK_TRY(map_root(uid_, gid_));
    here.state.idmap.reset();
    OCITK_TRY(cli::run_stages(ocitk::stages::enter_namespaces{} | ocitk::stages::shift_clocks{}, here));
    return cli::note_namespaces(here.state, here.config.linux.namespaces, before_, host_);
  }

  /// Born with CLONE_PARENT by a process that joined, so that this one stays in none of the namespaces.
  static auto born_by_bridge(const unshare::plan& wanted, bool& in_child) -> result<sys::child> {
    auto [mine, theirs] = OCITK_TRY(runtime::make_channel());
    runtime::kept_child bridge{OCITK_TRY(sys::clone_process({}))};
    if (bridge.pid() != 0) {
      theirs.close();
      auto met = OCITK_TRY(runtime::detail::meet_init(bridge, mine, "the first process of the namespaces"));
      return met.let_go();
    }
    mine.close();
    const auto cross = [&]() -> result<> {
      OCITK_TRY(unshare::join(wanted.joins));
      auto next = OCITK_TRY(
          at("/linux/namespaces", sys::clone_process({.flags = wanted.at_birth | CLONE_PARENT, .exit_signal = 0})));
      in_child = next.pid == 0;
      return in_child ? result<>{} : theirs.say_born(next.pid, next.pidfd);
    };
    const auto done = cross();
    if (in_child) return sys::child{};
    if (!done) (void)theirs.fail(done.error());  // a parent that is gone needs no reason
    ::_exit(done ? 0 : cli::exit_code::failed);
  }

  auto go_on_in_child(cli::chain_link& here, const unshare::plan& wanted) -> result<> {
    unique_fd relay;
    if (here.config.process && here.config.process->terminal) {
      auto [mine, theirs] = OCITK_TRY(sys::seqpacket_pair());
      relay = std::move(mine);
      here.state.relay = cli::lifted(std::move(theirs));
    }
    auto w = OCITK_TRY(cli::watch::begin());
    bool in_child = false;
    auto child = wanted.joins.empty() ? at("/linux/namespaces", sys::clone_process({.flags = wanted.at_birth}))
                                      : born_by_bridge(wanted, in_child);
    if (!child) return std::unexpected(child.error());
    if (child->pid == 0) {
      relay.reset();
      OCITK_TRY(w.end_in_child());
      return settle(here);
    }
    here.state.idmap.reset();  // their ends must show when the chain ends
    here.state.relay.reset();
    here.ended = OCITK_TRY(cli::wait_for(w, *child, relay));
    return {};
  }

  std::array<std::optional<std::string>, sys::namespace_kinds.size()> asked_{};
  bool map_root_ = false;
  cli::namespace_inodes before_{}, host_{};
  uid_t uid_ = 0;
  gid_t gid_ = 0;
};

}  // namespace

auto make_unshare() -> made_tool { return std::make_unique<unshare_tool>(); }

}  // namespace ocitk::tools::stages
