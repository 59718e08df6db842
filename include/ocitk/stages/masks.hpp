#ifndef OCITK_STAGES_MASKS_HPP
#define OCITK_STAGES_MASKS_HPP

#include <ocitk/context.hpp>
#include <ocitk/mounts/masks.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>

#include <array>
#include <string_view>

namespace ocitk::stages {

/// Makes the working directory, then closes what is to be hidden or read-only: the last look at the container's
/// paths from outside.
///
/// Reads    /process/cwd, /linux/maskedPaths, /linux/readonlyPaths, /root/readonly
/// Process  init, after `rootfs` and `console`, before the pivot
/// Calls    openat2(2), mkdirat(2), open_tree(2), mount_setattr(2), move_mount(2)
struct protect_paths : stage_in<init_context> {
  static constexpr std::string_view name = "masks";
  static constexpr std::string_view reads = "/process/cwd, /linux/maskedPaths, /linux/readonlyPaths, /root/readonly";
  static constexpr std::string_view summary = "hides and closes what must not be seen or changed";
  static constexpr std::array<std::string_view, 3> after{"rootfs", "console", "hooks"};
  auto operator()(init_context& ctx) const -> result<> {
    const sys::no_umask modes_as_asked;
    if (ctx.spec.process)
      OCITK_TRY(at("/process/cwd", [&] {
        return sys::make_in_root(ctx.rootfs, ctx.spec.process->cwd, sys::target_kind::directory);
      }));
    if (!ctx.spec.linux.has("mount")) return {};
    OCITK_TRY(mounts::close_for_writing(ctx));
    return mounts::protect(ctx);
  }
};

}  // namespace ocitk::stages

#endif
