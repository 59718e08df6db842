#ifndef OCITK_TOOLS_LAUNCHING_HPP
#define OCITK_TOOLS_LAUNCHING_HPP

#include "commands.hpp"

#include <ocitk/runtime/launch.hpp>

#include <array>
#include <functional>
#include <string_view>

/// What create, run and exec have in common: how a process is handed to the caller, and how all of it is watched.
namespace ocitk::tools {

/// Terminal and console socket have to fit.
auto check_terminal(bool wanted, const cli::launch_options&, bool detached) -> result<>;

/// Descriptors from 3 on that go to the payload.
struct passed_on {
  int listen = 0;  ///< of socket activation, first
  int all = 0;
};
auto descriptors_to_pass(const cli::launch_options&) -> passed_on;
/// Are they open? To be asked before we open anything: a number that the caller left free would become one of ours, and
/// our log would go to the payload.
auto check_descriptors(const cli::launch_options&) -> result<>;

/// Pipes between the caller's streams and the container's: nobody inside may hold what is the caller's.
struct plumbing {
  std::array<unique_fd, 3> ours{}, theirs{};
};
auto make_plumbing(const spec::config&) -> result<plumbing>;

/// Warnings, terminal, pidfd, pid file. The order callers rely on: the terminal reaches them before the pid file, the
/// pid file before we return.
///
/// `kind` is what goes along with the pidfd: "standard", or "setns" for a process that entered.
auto hand_over(const surroundings&, const runtime::ready_init&, const cli::launch_options&, std::string_view kind) -> result<>;
/// Takes back the pid file of a process that dies now.
auto take_back(const cli::launch_options&) -> void;

/// --plan: as far as the payload's first instruction.
auto print_plan(const cli::launch_options&, const std::function<result<>()>& play) -> result<int>;
/// With --trace or OCITK_TRACE the call is watched; without, it is just made.
auto traced(const surroundings&, const cli::launch_options&, std::string_view command, const std::function<result<int>()>& act)
    -> result<int>;

}  // namespace ocitk::tools

#endif
