#ifndef OCITK_STAGES_PIVOT_HPP
#define OCITK_STAGES_PIVOT_HPP

#include <ocitk/context.hpp>
#include <ocitk/mounts/hide.hpp>
#include <ocitk/mounts/tree.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/mount.hpp>

#include <string_view>

namespace ocitk::stages {

/// Leaves the host's file system for good. The rootfs stage has put the new root on top of `/`; here it becomes
/// the root and everything of the host goes. Without a mount namespace there is nothing to pivot: chroot(2). The same
/// with `no_pivot`, for roots that cannot be pivoted: the host's mounts stay where nobody inside can name them.
///
/// Reads    /root/path, /linux/rootfsPropagation
/// Process  init
/// Calls    fchdir(2), pivot_root(2), umount2(2) MNT_DETACH, mount_setattr(2); chroot(2), move_mount(2)
/// Fails    EINVAL where `/` is the initial ramfs: --no-pivot is for that
struct change_root : stage_in<init_context> {
  static constexpr std::string_view name = "pivot";
  static constexpr std::string_view reads = "/root/path, /linux/rootfsPropagation";
  static constexpr std::string_view summary = "leaves the host's file system";
  static constexpr std::array<std::string_view, 2> after{"rootfs", "hooks"};
  auto operator()(init_context& ctx) const -> result<> {
    OCITK_TRY(at("/root/path", [&] { return enter(ctx); }));
    if (!ctx.spec.linux.has("mount")) return {};
    return at("/linux/rootfsPropagation", [&] { return propagate(ctx); });
  }

 private:
  static auto enter(const init_context& ctx) -> result<> {
    OCITK_TRY(checked(sys::kernel::fchdir(ctx.rootfs.get()), "fchdir"));
    const bool own_mounts = ctx.spec.linux.has("mount");
    if (own_mounts && !ctx.no_pivot) return sys::pivot_here(!ctx.spec.linux.rootfs_propagation.empty());
    if (own_mounts) OCITK_TRY(stand_alone(ctx));
    OCITK_TRY(checked(sys::kernel::chroot("."), "chroot"));
    return checked(sys::kernel::chdir("/"), "chdir");
  }
  /// Nothing of the host stays above the root: chroot(2) does not keep in who may call it again.
  static auto stand_alone(const init_context& ctx) -> result<> {
    OCITK_TRY(mounts::hide_kernel_filesystems(ctx.rootfs));
    if (!mounts::detail::wants_own_path(ctx.spec.hooks)) return {};
    auto moved = sys::move_onto_root(ctx.rootfs);
    if (!moved && moved.error().code == ELOOP) return {};  // it is there already: its path could not be reached
    return moved;
  }
  static auto propagate(const init_context& ctx) -> result<> {
    const std::string_view wanted = ctx.spec.linux.rootfs_propagation;
    const bool recursive = wanted.starts_with('r');
    if (wanted.ends_with("shared")) return sys::set_attributes(ctx.rootfs, {.propagation = MS_SHARED}, recursive);
    if (wanted.ends_with("unbindable")) return sys::set_attributes(ctx.rootfs, {.propagation = MS_UNBINDABLE}, recursive);
    return {};  // private is what the new root is made; nothing of the host is left to be a slave of
  }
};

}  // namespace ocitk::stages

#endif
