#ifndef OCITK_TOOLS_PAUSE_HPP
#define OCITK_TOOLS_PAUSE_HPP

#include "commands.hpp"

#include <ocitk/runtime/launch.hpp>
#include <ocitk/runtime/pause.hpp>

#include <span>
#include <string_view>

namespace ocitk::tools {

/// --stop-before and --shell-at: where init is to wait, in a row of stages.
///
/// Fails  a word that is no stage of init, with the list of those that are
auto wanted_pause(const cli::launch_options&, std::span<const std::string_view> row) -> result<runtime::pause_request>;

/// What the command does while init waits: lets the user look, then goes on or gives up.
auto while_paused(const surroundings&, const cli::launch_options&) -> runtime::at_pause;

}  // namespace ocitk::tools

#endif
