#ifndef OCITK_STAGES_ROOTFS_HPP
#define OCITK_STAGES_ROOTFS_HPP

#include <ocitk/context.hpp>
#include <ocitk/mounts/devices.hpp>
#include <ocitk/mounts/tree.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>

#include <array>
#include <string_view>

namespace ocitk::stages {

/// Builds the container's file system on top of the host's: its root, its mounts, its /dev. Without a mount
/// namespace only the root is opened.
///
/// Reads    /root/path, /mounts, /linux/devices, /linux/mountLabel, /linux/rootfsPropagation
/// Process  init, inside the new mount namespace
/// Calls    open_tree(2), fsopen(2) and their families, move_mount(2), openat2(2), mknodat(2), symlinkat(2)
/// Fails    with /mounts/N, /linux/devices/N or /root/path
struct build_rootfs : stage_in<init_context> {
  static constexpr std::string_view name = "rootfs";
  static constexpr std::string_view reads = "/root, /mounts, /linux/devices, /linux/mountLabel";
  static constexpr std::string_view summary = "builds the tree of mounts and /dev";
  static constexpr std::array<std::string_view, 2> after{"cgroup", "unshare"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.root) return failure("root must be specified", "/root");
    if (!ctx.spec.linux.has("mount")) {
      const auto path = mounts::host_path(ctx, ctx.spec.root->path);
      ctx.rootfs = OCITK_TRY(at("/root/path", [&] { return sys::open_at(fd_ref::cwd(), path, O_PATH | O_DIRECTORY); }));
      return {};
    }
    const sys::no_umask modes_as_asked;  // mountpoints too
    OCITK_TRY(mounts::raise_root(ctx));
    OCITK_TRY(mounts::mount_all(ctx));
    if (mounts::dev_is_bound(ctx.spec.mounts)) return {};
    return at("/linux/devices", [&] { return mounts::make_devices(ctx); });
  }
};

}  // namespace ocitk::stages

#endif
