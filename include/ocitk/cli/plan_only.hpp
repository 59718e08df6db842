#ifndef OCITK_CLI_PLAN_ONLY_HPP
#define OCITK_CLI_PLAN_ONLY_HPP

#include <ocitk/cli/chain.hpp>
#include <ocitk/runtime/rehearsal.hpp>
#include <ocitk/watch/plan_text.hpp>

#include <string>

namespace ocitk::cli {

/// What a tool would do, for `--plan`: its own part of the chain, rehearsed.
///
/// Fails  as the tool would
inline auto plan_only(tool& self, chain_link& here, bool as_json) -> result<std::string> {
  const auto play = [&]() -> result<> {
    const standing_at tool{&standpoint::process, "tool"};
    return self.run(here);
  };
  const auto plan = ocitk::watch::plan_of(OCITK_TRY(runtime::rehearse(play)));
  return as_json ? ocitk::watch::plan_json(plan) : ocitk::watch::plan_text(plan);
}

}  // namespace ocitk::cli

#endif
