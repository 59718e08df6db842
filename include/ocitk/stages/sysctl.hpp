#ifndef OCITK_STAGES_SYSCTL_HPP
#define OCITK_STAGES_SYSCTL_HPP

#include <ocitk/context.hpp>
#include <ocitk/spec/sysctl.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/mount.hpp>

#include <array>
#include <string>
#include <string_view>

namespace ocitk::stages {

/// Sets kernel parameters of the container's namespaces, through a procfs of our own: the one in the container is
/// the image's to cover (threat R5). Before the pivot: a user namespace may mount procfs only while it sees one.
///
/// Reads    /linux/sysctl
/// Process  init, inside the new namespaces
/// Calls    fsopen(2), fsmount(2) of proc, openat2(2) RESOLVE_BENEATH | RESOLVE_NO_XDEV, write(2)
/// Fails    ENOENT: the kernel has no such parameter; EINVAL: not a value of it
struct set_sysctls : stage_in<init_context> {
  static constexpr std::string_view name = "sysctl";
  static constexpr std::array<std::string_view, 1> after{"unshare"};
  auto operator()(init_context& ctx) const -> result<> {
    if (ctx.spec.linux.sysctl.empty()) return {};
    const auto fresh = OCITK_TRY(at("/linux/sysctl", sys::new_filesystem::open("proc")));
    const auto proc = OCITK_TRY(at("/linux/sysctl", fresh.mount(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)));
    for (const auto& [key, value] : ctx.spec.linux.sysctl) OCITK_TRY(at("/linux/sysctl", set(proc, key, value)));
    return {};
  }

 private:
  static auto set(fd_ref proc, const std::string& key, const std::string& value) -> result<> {
    const auto path = OCITK_TRY(spec::sysctl_path(key));
    const auto file = OCITK_TRY(trying(key, sys::open_beneath(proc, "sys/" + path, O_WRONLY)));
    return trying("set " + key + " to " + value, sys::write_all(file, value));
  }
};

}  // namespace ocitk::stages

#endif
