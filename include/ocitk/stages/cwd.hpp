#ifndef OCITK_STAGES_CWD_HPP
#define OCITK_STAGES_CWD_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/directory.hpp>

#include <array>
#include <string_view>

namespace ocitk::stages {

/// Goes to the working directory while still root: a payload may start where its user could not have gone.
/// What root may not enter either is left to `exec`, for the user may (a home on NFS).
///
/// Reads    /process/cwd
/// Process  init, after the pivot and before `user`
/// Calls    chdir(2), getcwd(2)
struct enter_directory : stage_in<init_context> {
  static constexpr std::string_view name = "cwd";
  static constexpr std::string_view reads = "/process/cwd";
  static constexpr std::string_view summary = "goes to the working directory";
  static constexpr std::array<std::string_view, 1> after{"pivot"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process) return {};
    auto moved = sys::change_directory(ctx.spec.process->cwd);
    if (!moved && moved.error().code == EACCES) return {};
    return moved;
  }
};

}  // namespace ocitk::stages

#endif
