#ifndef OCITK_STAGES_NO_NEW_PRIVS_HPP
#define OCITK_STAGES_NO_NEW_PRIVS_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/prctl.hpp>

#include <string_view>

namespace ocitk::stages {

/// Lets no later execve grant privileges: set-uid bits and file capabilities lose their meaning.
///
/// Reads    /process/noNewPrivileges
/// Process  init
/// Calls    prctl(2) PR_SET_NO_NEW_PRIVS
struct forbid_new_privileges : stage_in<init_context> {
  static constexpr std::string_view name = "no-new-privs";
  static constexpr std::string_view reads = "/process/noNewPrivileges";
  static constexpr std::string_view summary = "lets no execve grant privileges";
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process || !ctx.spec.process->no_new_privileges) return {};
    return at("/process/noNewPrivileges", [] { return sys::forbid_new_privileges(); });
  }
};

}  // namespace ocitk::stages

#endif
