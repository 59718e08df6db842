#ifndef OCITK_CLI_PLAN_ONLY_HPP
#define OCITK_CLI_PLAN_ONLY_HPP

#include <ocitk/cli/chain.hpp>

#include <fmt/core.h>

#include <string>

namespace ocitk::cli {

/// What a tool would do, as text, for `--plan`. No plan is printed yet, and none is made up: it refuses.
inline auto plan_only(const chain_link& here) -> result<std::string> {
  return failure(fmt::format("--plan is not supported by {}{} yet", applet_prefix, here.row.word));
}

}  // namespace ocitk::cli

#endif
