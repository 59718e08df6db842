#ifndef OCITK_STAGES_SELINUX_HPP
#define OCITK_STAGES_SELINUX_HPP

#include <ocitk/context.hpp>
#include <ocitk/privileges/attributes.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>

#include <linux/magic.h>

#include <array>
#include <string>
#include <string_view>

namespace ocitk::stages {

namespace selinux {

/// Is there somebody who would obey? Asked on the host, before anything of the container exists.
///
/// Fails    where SELinux is off, in words that podman knows
inline auto require(std::string_view pointer, const std::string& filesystem = "/sys/fs/selinux", long kind = SELINUX_MAGIC)
    -> result<> {
  if (const auto dir = sys::open_at(fd_ref::cwd(), filesystem, O_PATH | O_DIRECTORY)) {
    const auto found = sys::filesystem_of(*dir);
    if (found && *found == kind) return {};
  }
  return failure("selinux label is specified in config, but selinux is disabled or not supported, for " +
                     privileges::attributes::quoted("exec"),
                 std::string{pointer});
}

}  // namespace selinux

/// Labels the payload. It is the next program that runs under the label, not init. Keys that init makes get the label
/// in the stage `keyring`.
///
/// Reads    /process/selinuxLabel
/// Process  init
/// Calls    write(2) to /proc/thread-self/attr/exec
/// Fails    EINVAL: no such label in the policy, or SELinux is off; EACCES by the policy
struct label_payload : stage_in<init_context> {
  static constexpr std::string_view name = "selinux";
  static constexpr std::string_view reads = "/process/selinuxLabel";
  static constexpr std::string_view summary = "sets the SELinux label of the payload";
  static constexpr std::array<std::string_view, 1> after{"procfs"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process || ctx.spec.process->selinux_label.empty()) return {};
    return at("/process/selinuxLabel", [&] {
      return privileges::attributes::with_proc(
          ctx, [&](fd_ref proc) { return privileges::attributes::set_label("exec", ctx.spec.process->selinux_label, proc); });
    });
  }
};

}  // namespace ocitk::stages

#endif
