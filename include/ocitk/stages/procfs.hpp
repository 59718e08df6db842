#ifndef OCITK_STAGES_PROCFS_HPP
#define OCITK_STAGES_PROCFS_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/procfs.hpp>

#include <array>
#include <string_view>

namespace ocitk::stages {

/// Opens a procfs for the labels that are written when the container's own one may already be hostile (threat R5):
/// before the pivot, because in a user namespace a new one needs an old one in sight.
///
/// Reads    /process/apparmorProfile, /process/selinuxLabel
/// Process  init, in its PID namespace
/// Calls    fsopen(2) "proc", fsmount(2); openat(2) on /proc where that is not allowed
/// Fails    EPERM where neither is to be had
struct open_procfs : stage_in<init_context> {
  static constexpr std::string_view name = "procfs";
  static constexpr std::string_view reads = "/process/apparmorProfile, /process/selinuxLabel";
  static constexpr std::string_view summary = "opens a procfs to write labels by";
  static constexpr std::array<std::string_view, 1> after{"unshare"};
  auto operator()(init_context& ctx) const -> result<> {
    const auto& process = ctx.spec.process;
    if (!process || (process->apparmor_profile.empty() && process->selinux_label.empty())) return {};
    ctx.procfs = OCITK_TRY(sys::trusted_proc());
    return {};
  }
};

}  // namespace ocitk::stages

#endif
