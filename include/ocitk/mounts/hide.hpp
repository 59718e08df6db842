#ifndef OCITK_MOUNTS_HIDE_HPP
#define OCITK_MOUNTS_HIDE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/sys/mountinfo.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

/// Without pivot_root(2) the host's mounts stay in the container's namespace, below its root. They are out of sight, but
/// the kernel takes them as leave to mount an unmasked procfs or sysfs inside.
namespace ocitk::mounts {

namespace detail {

inline auto parent_of(const std::vector<sys::listed_mount>& all, std::uint64_t id) -> const sys::listed_mount* {
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& m) { return m.id == id; });
  return found == all.end() ? nullptr : &*found;
}

inline auto is_below(const std::vector<sys::listed_mount>& all, const sys::listed_mount& m, std::uint64_t top) -> bool {
  const auto* at = &m;
  for (std::size_t steps = 0; at != nullptr && steps <= all.size(); ++steps, at = parent_of(all, at->parent))
    if (at->id == top) return true;
  return false;
}

}  // namespace detail

/// Where whole procfs and sysfs mounts stand that are not the container's, those last mounted first.
inline auto plan_hidden(const std::vector<sys::listed_mount>& all, std::uint64_t container_root) -> std::vector<std::string> {
  std::vector<std::string> paths;
  for (auto m = all.rbegin(); m != all.rend(); ++m)
    if (m->root == "/" && (m->type == "proc" || m->type == "sysfs") && !detail::is_below(all, *m, container_root))
      paths.push_back(m->mountpoint);
  return paths;
}

namespace detail {

/// Taken away; covered where a user namespace holds it fast.
inline auto hide(const std::string& path) -> result<bool> {
  struct mount_attr slave{};
  slave.propagation = MS_SLAVE;  // what goes here must not go on the host
  if (sys::kernel::mount_setattr(AT_FDCWD, path.c_str(), AT_RECURSIVE, slave) != 0) {
    if (errno == ENOENT) return true;  // went with a mount above it
    return failed("mount_setattr", path);
  }
  if (sys::kernel::detach(path.c_str()) == 0) return true;
  if (errno != EINVAL && errno != EPERM) return failed("umount2", path);
  const auto fs = OCITK_TRY(sys::new_filesystem::open("tmpfs"));
  const auto cover = OCITK_TRY(fs.mount(MOUNT_ATTR_RDONLY));
  const auto target = OCITK_TRY(sys::open_at(fd_ref::cwd(), path, O_PATH));
  OCITK_TRY(sys::move_onto(cover, target));
  return false;
}

}  // namespace detail

/// Takes the host's procfs and sysfs mounts out of the namespace.
///
/// Process  init, in a mount namespace of its own, before chroot(2)
/// Calls    mount_setattr(2) MS_SLAVE, umount2(2) MNT_DETACH; fsopen(2) and its family, move_mount(2) after EPERM
inline auto hide_kernel_filesystems(fd_ref root) -> result<> {
  const auto container = rehearsing() ? 0 : OCITK_TRY(sys::mount_id_of(root));
  const auto list = OCITK_TRY(sys::open_at(fd_ref::cwd(), "/proc/self/mountinfo", O_RDONLY));  // stays when /proc goes
  std::vector<std::string> covered;
  constexpr int layers = 16;  // one mount on another: each pass takes one away
  for (int pass = 0; pass < layers; ++pass) {
    if (sys::kernel::lseek(list.get(), 0, SEEK_SET) < 0) return failed("lseek", "mountinfo");
    constexpr std::size_t enough = 64U << 20U;
    auto paths = plan_hidden(sys::mounts_from(OCITK_TRY(sys::read_all(list, enough))), container);
    std::erase_if(paths, [&](const auto& p) { return std::find(covered.begin(), covered.end(), p) != covered.end(); });
    for (const auto& path : paths)
      if (!OCITK_TRY(detail::hide(path))) covered.push_back(path);
    if (paths.empty() || rehearsing()) return {};
  }
  return failure("the host's procfs or sysfs mounts cannot be taken away");
}

}  // namespace ocitk::mounts

#endif
