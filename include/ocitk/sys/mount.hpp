#ifndef OCITK_SYS_MOUNT_HPP
#define OCITK_SYS_MOUNT_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/kernel/file.hpp>
#include <ocitk/sys/kernel/mount.hpp>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>

/// Mounts as objects: made detached, changed by descriptor, moved onto a descriptor.
namespace ocitk::sys {

/// Clones the mount that `path` is on, rooted there; detached until move_onto().
///
/// Calls  open_tree(2) OPEN_TREE_CLONE, with AT_RECURSIVE for its submounts
/// Fails  EPERM without CAP_SYS_ADMIN; EINVAL for a mount of another mount namespace
inline auto clone_mount(fd_ref dir, const std::string& path, bool recursive) -> result<unique_fd> {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (path.empty() ? unsigned{AT_EMPTY_PATH} : 0U) |
                         (recursive ? unsigned{AT_RECURSIVE} : 0U);
  const int fd = kernel::open_tree(dir.get(), path.c_str(), flags);
  if (fd < 0) return failed("open_tree", path);
  return unique_fd{fd};
}

/// The mount that a descriptor is on, rooted at what it refers to.
inline auto clone_mount(fd_ref what, bool recursive) -> result<unique_fd> { return clone_mount(what, "", recursive); }

/// The same of a path of the host whose last component, if it is a symbolic link, is meant itself.
inline auto clone_mount_itself(const std::string& path, bool recursive) -> result<unique_fd> {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | unsigned{AT_SYMLINK_NOFOLLOW} |
                         (recursive ? unsigned{AT_RECURSIVE} : 0U);
  const int fd = kernel::open_tree(AT_FDCWD, path.c_str(), flags);
  if (fd < 0) return failed("open_tree", path);
  return unique_fd{fd};
}

/// Attaches a detached mount on top of what `target` refers to.
///
/// Calls  move_mount(2) by descriptors only
inline auto move_onto(fd_ref mount, fd_ref target) -> result<> {
  return checked(kernel::move_mount(mount.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
                 "move_mount");
}

/// Attaches a detached mount on an entry of a directory that nobody else can change: one we just mounted.
inline auto move_onto(fd_ref mount, fd_ref dir, const std::string& name) -> result<> {
  return checked(kernel::move_mount(mount.get(), "", dir.get(), name.c_str(), MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
}

/// Attaches a detached mount on top of `/`: it covers everything, and the calling process still sees what is below.
inline auto move_onto_root(fd_ref mount) -> result<> {
  return checked(kernel::move_mount(mount.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
}

struct mount_attributes {
  std::uint64_t set = 0, clear = 0;  ///< MOUNT_ATTR_*
  std::uint64_t propagation = 0;     ///< MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0
  bool operator==(const mount_attributes&) const = default;
};

/// Changes the per-mount attributes or propagation of a mount, or of it and all below.
///
/// Calls  mount_setattr(2)
/// Fails  EPERM where a user namespace locks an attribute that is to be cleared
inline auto set_attributes(fd_ref mount, const mount_attributes& wanted, bool recursive) -> result<> {
  struct mount_attr attr{};
  attr.attr_set = wanted.set;
  attr.attr_clr = wanted.clear;
  attr.propagation = wanted.propagation;
  const unsigned flags = unsigned{AT_EMPTY_PATH} | (recursive ? unsigned{AT_RECURSIVE} : 0U);
  return checked(kernel::mount_setattr(mount.get(), "", flags, attr), "mount_setattr");
}

/// Shows the ids of a detached mount, or of it and all below, as a user namespace maps them.
///
/// Calls  mount_setattr(2) MOUNT_ATTR_IDMAP
/// Fails  EINVAL where the file system cannot; EPERM without CAP_SYS_ADMIN where the file system belongs to
inline auto map_ids(fd_ref mount, fd_ref user_namespace, bool recursive) -> result<> {
  struct mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_IDMAP;
  attr.userns_fd = static_cast<std::uint64_t>(user_namespace.get());
  const unsigned flags = unsigned{AT_EMPTY_PATH} | (recursive ? unsigned{AT_RECURSIVE} : 0U);
  return checked(kernel::mount_setattr(mount.get(), "", flags, attr), "mount_setattr");
}

/// The number that mountinfo lists a mount under.
///
/// Calls  statx(2) STATX_MNT_ID
inline auto mount_id_of(fd_ref what) -> result<std::uint64_t> {
  struct statx st{};
  if (kernel::statx(what.get(), STATX_MNT_ID, st) != 0) return failed("statx");
  return st.stx_mnt_id;
}

/// Sets the propagation of `/`, or of it and everything below in this mount namespace.
inline auto set_propagation_of_root(std::uint64_t propagation, bool recursive) -> result<> {
  struct mount_attr attr{};
  attr.propagation = propagation;
  return checked(kernel::mount_setattr(AT_FDCWD, "/", recursive ? unsigned{AT_RECURSIVE} : 0U, attr),
                 "mount_setattr");
}

/// A file system in the making: fsopen(2), fsconfig(2), fsmount(2).
class new_filesystem {
 public:
  static auto open(const std::string& type) -> result<new_filesystem> {
    const int fd = kernel::fsopen(type.c_str());
    if (fd < 0) return failed("fsopen", type);
    return new_filesystem{unique_fd{fd}};
  }
  /// `key=value`, or a bare `flag`.
  auto option(const std::string& text) const -> result<> {
    const auto equals = text.find('=');
    if (equals == std::string::npos) return judged(kernel::fsconfig(fd_.get(), FSCONFIG_SET_FLAG, text.c_str(), nullptr));
    return value(text.substr(0, equals), text.substr(equals + 1));
  }
  auto value(const std::string& key, const std::string& text) const -> result<> {
    constexpr std::size_t longest = 255;  // fsconfig(2) only says EINVAL
    if (text.size() > longest) return failure("value of " + key + " is longer than 255 bytes");
    return judged(kernel::fsconfig(fd_.get(), FSCONFIG_SET_STRING, key.c_str(), text.c_str()));
  }
  /// Makes the superblock and a detached mount of it.
  auto mount(std::uint64_t attributes) const -> result<unique_fd> {
    OCITK_TRY(judged(kernel::fsconfig(fd_.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr)));
    const int fd = kernel::fsmount(fd_.get(), static_cast<unsigned>(attributes));
    if (fd < 0) return failed("fsmount");
    return unique_fd{fd};
  }

 private:
  explicit new_filesystem(unique_fd fd) : fd_{std::move(fd)} {}
  /// The kernel tells why in words, read from the descriptor.
  auto judged(int ret) const -> result<> {
    if (ret == 0) return {};
    auto why = failed("fsconfig");
    std::string said(256, '\0');
    if (const auto n = ::read(fd_.get(), said.data(), said.size()); n > 2) {
      said.resize(static_cast<std::size_t>(n));
      while (!said.empty() && said.back() == '\n') said.pop_back();
      why.error().detail = said.substr(2);  // "e tmpfs: Unknown parameter 'x'"
    }
    return why;
  }
  unique_fd fd_;
};

/// Makes the current directory the root and its mount the old root's successor; the old one is gone after it.
/// Where mounts of the old root may have peers on the host, `cut_off` makes them slaves first: otherwise taking
/// them away here would take them away there.
///
/// Calls  pivot_root(2) with both arguments ".", mount_setattr(2), umount2(2) MNT_DETACH, chdir(2)
inline auto pivot_here(bool cut_off) -> result<> {
  unique_fd old;
  if (cut_off) old = unique_fd{kernel::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (cut_off && !old) return failed("open", "/");
  OCITK_TRY(checked(kernel::pivot_root(".", "."), "pivot_root"));
  if (old) OCITK_TRY(set_attributes(old, {.propagation = MS_SLAVE}, true));
  OCITK_TRY(checked(kernel::detach("."), "umount2"));
  return checked(kernel::chdir("/"), "chdir");
}

}  // namespace ocitk::sys

#endif
