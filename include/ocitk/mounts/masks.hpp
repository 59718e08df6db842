#ifndef OCITK_MOUNTS_MASKS_HPP
#define OCITK_MOUNTS_MASKS_HPP

#include <ocitk/context.hpp>
#include <ocitk/mounts/options.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/sys/mountinfo.hpp>
#include <ocitk/text.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

/// What the container must not see, or not change. The covers come from the host or from nowhere, never from the
/// container (threat R14); a cover that cannot be put up is an error.
namespace ocitk::mounts {

namespace detail {

inline auto means_missing(const error& e) -> bool { return e.code == ENOENT || e.code == ENOTDIR; }

/// The two covers, made when first needed.
class covers {
 public:
  explicit covers(std::string label) : label_{std::move(label)} {}
  auto over(fd_ref target, bool directory) -> result<> {
    return directory ? over_directory(target) : over_file(target);
  }

 private:
  /// The host's null device, verified.
  auto over_file(fd_ref target) -> result<> {
    if (!null_) {
      null_ = OCITK_TRY(sys::open_at(fd_ref::cwd(), "/dev/null", O_PATH | O_NOFOLLOW));
      if (!sys::is_char_device(OCITK_TRY(sys::status_of(null_)), 1, 3)) return failure("/dev/null of the host is no null device");
    }
    const auto mount = OCITK_TRY(sys::clone_mount(null_, false));
    OCITK_TRY(sys::set_attributes(mount, {.propagation = MS_PRIVATE}, false));
    return sys::move_onto(mount, target);
  }
  /// One empty read-only tmpfs for all: the first target gets it, the others clones of it. Attached first, for older
  /// kernels clone no detached mount.
  auto over_directory(fd_ref target) -> result<> {
    if (empty_) return sys::move_onto(OCITK_TRY(sys::clone_mount(empty_, false)), target);
    auto made = make_empty("1");
    if (!made) made = make_empty("2");  // some kernels count the root twice
    empty_ = OCITK_TRY(std::move(made));
    return sys::move_onto(empty_, target);
  }
  auto make_empty(const char* inodes) const -> result<unique_fd> {
    const auto fs = OCITK_TRY(sys::new_filesystem::open("tmpfs"));
    OCITK_TRY(fs.value("source", "tmpfs"));  // as mountinfo(5) shows it for runc's
    OCITK_TRY(fs.value("nr_blocks", "1"));
    OCITK_TRY(fs.value("nr_inodes", inodes));
    OCITK_TRY(fs.option("ro"));
    if (!label_.empty()) OCITK_TRY(fs.value("context", label_));
    return fs.mount(MOUNT_ATTR_RDONLY);
  }
  unique_fd null_{}, empty_{};
  std::string label_;
};

/// A cover on a volume that the container shares with the host would show there: such a mount gets its mounts from the
/// host from here on, and gives none. Most containers have no such volume.
class cut_volumes {
 public:
  explicit cut_volumes(const spec::config& config) : needed_{may_be_shared(config.mounts)} {}

  auto around(fd_ref root, fd_ref target) -> result<> {
    if (!needed_) return {};
    if (mounts_.empty()) mounts_ = OCITK_TRY(sys::list_mounts());
    const auto id = OCITK_TRY(sys::mount_id_of(target));
    for (auto& m : mounts_)
      if (m.id == id && std::exchange(m.shared, false)) return cut(root, m);
    return {};
  }

 private:
  static auto may_be_shared(const std::vector<spec::mount>& entries) -> bool {
    for (const auto& m : entries)
      if (const auto p = plan_for(m); p && p->bind)
        if (p->self.propagation == MS_SHARED || p->below.propagation == MS_SHARED || (p->recursive && p->below.propagation == 0))
          return true;
    return false;
  }
  static auto cut(fd_ref root, const sys::listed_mount& m) -> result<> {
    const auto there = OCITK_TRY(sys::open_in_root(root, m.mountpoint));
    if (OCITK_TRY(sys::mount_id_of(there)) != m.id) return failure(m.mountpoint + " was covered while it was looked at");
    return trying(m.mountpoint, sys::set_attributes(there, {.propagation = MS_SLAVE}, false));
  }
  bool needed_;
  std::vector<sys::listed_mount> mounts_{};
};

inline auto is_repeated(const std::vector<std::string>& paths, std::size_t i) -> bool {
  return std::find(paths.begin(), paths.begin() + static_cast<std::ptrdiff_t>(i), paths[i]) != paths.begin() + static_cast<std::ptrdiff_t>(i);
}

inline auto mask(fd_ref root, const std::string& path, covers& with, cut_volumes& volumes) -> result<> {
  const auto target = sys::open_in_root(root, path);
  if (!target && means_missing(target.error())) return {};
  if (!target) return std::unexpected(target.error());
  OCITK_TRY(volumes.around(root, *target));
  const bool directory = OCITK_TRY(sys::is_directory(*target));
  return with.over(*target, directory);
}

inline auto make_read_only(fd_ref root, const std::string& path, cut_volumes& volumes) -> result<> {
  const auto target = sys::open_in_root(root, path);
  if (!target && means_missing(target.error())) return {};
  if (!target) return std::unexpected(target.error());
  OCITK_TRY(volumes.around(root, *target));
  const auto clone = OCITK_TRY(sys::clone_mount(*target, true));
  OCITK_TRY(sys::set_attributes(clone, {.set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE}, false));  // no peer of a shared volume
  return sys::move_onto(clone, *target);
}

}  // namespace detail

/// Reads    /linux/maskedPaths, /linux/readonlyPaths, /linux/mountLabel; missing and repeated ones are skipped
/// Process  init, after every other mount
/// Calls    openat2(2), open_tree(2), mount_setattr(2), move_mount(2), fsopen(2) of one tmpfs
inline auto protect(const init_context& ctx) -> result<> {
  const auto& linux = ctx.spec.linux;
  detail::covers covers{linux.mount_label};
  detail::cut_volumes volumes{ctx.spec};
  for (std::size_t i = 0; i < linux.readonly_paths.size(); ++i)
    if (!detail::is_repeated(linux.readonly_paths, i)) OCITK_TRY(at(filled("/linux/readonlyPaths/{}", i), [&] {
      return trying(linux.readonly_paths[i], detail::make_read_only(ctx.rootfs, linux.readonly_paths[i], volumes));
    }));
  for (std::size_t i = 0; i < linux.masked_paths.size(); ++i)
    if (!detail::is_repeated(linux.masked_paths, i)) OCITK_TRY(at(filled("/linux/maskedPaths/{}", i), [&] {
      return trying(linux.masked_paths[i], detail::mask(ctx.rootfs, linux.masked_paths[i], covers, volumes));
    }));
  return {};
}

/// Mounts that had to be filled first, then the root itself.
///
/// Reads  /root/readonly
/// Calls  mount_setattr(2) MOUNT_ATTR_RDONLY
inline auto close_for_writing(init_context& ctx) -> result<> {
  for (const auto& mount : ctx.read_only_later)
    OCITK_TRY(at("/mounts", [&] { return sys::set_attributes(mount, {.set = MOUNT_ATTR_RDONLY}, false); }));
  ctx.read_only_later.clear();
  if (!ctx.spec.root->readonly) return {};
  return at("/root/readonly", [&] { return sys::set_attributes(ctx.rootfs, {.set = MOUNT_ATTR_RDONLY}, false); });
}

}  // namespace ocitk::mounts

#endif
