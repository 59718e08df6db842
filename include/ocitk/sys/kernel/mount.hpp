#ifndef OCITK_SYS_KERNEL_MOUNT_HPP
#define OCITK_SYS_KERNEL_MOUNT_HPP

#include <ocitk/sys/kernel/call.hpp>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

/// Mounts, and the root and working directory of a process. Each function is the system call of its name.
namespace ocitk::sys::kernel {

inline constexpr std::array<word, 5> tree_words{{{OPEN_TREE_CLONE, "OPEN_TREE_CLONE"},
                                                 {AT_RECURSIVE, "AT_RECURSIVE"},
                                                 {AT_EMPTY_PATH, "AT_EMPTY_PATH"},
                                                 {AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"},
                                                 {OPEN_TREE_CLOEXEC, "OPEN_TREE_CLOEXEC"}}};
inline constexpr std::array<word, 2> move_words{{{MOVE_MOUNT_F_EMPTY_PATH, "MOVE_MOUNT_F_EMPTY_PATH"},
                                                 {MOVE_MOUNT_T_EMPTY_PATH, "MOVE_MOUNT_T_EMPTY_PATH"}}};
inline constexpr std::array<word, 10> attribute_words{{{MOUNT_ATTR_RDONLY, "MOUNT_ATTR_RDONLY"},
                                                       {MOUNT_ATTR_NOSUID, "MOUNT_ATTR_NOSUID"},
                                                       {MOUNT_ATTR_NODEV, "MOUNT_ATTR_NODEV"},
                                                       {MOUNT_ATTR_NOEXEC, "MOUNT_ATTR_NOEXEC"},
                                                       {MOUNT_ATTR__ATIME, "MOUNT_ATTR__ATIME"},
                                                       {MOUNT_ATTR_NOATIME, "MOUNT_ATTR_NOATIME"},
                                                       {MOUNT_ATTR_STRICTATIME, "MOUNT_ATTR_STRICTATIME"},
                                                       {MOUNT_ATTR_NODIRATIME, "MOUNT_ATTR_NODIRATIME"},
                                                       {MOUNT_ATTR_IDMAP, "MOUNT_ATTR_IDMAP"},
                                                       {MOUNT_ATTR_NOSYMFOLLOW, "MOUNT_ATTR_NOSYMFOLLOW"}}};
inline constexpr std::array<word, 4> propagation_words{
    {{MS_PRIVATE, "MS_PRIVATE"}, {MS_SLAVE, "MS_SLAVE"}, {MS_SHARED, "MS_SHARED"}, {MS_UNBINDABLE, "MS_UNBINDABLE"}}};

inline auto open_tree(int dir, const char* path, unsigned how) -> int {
  return call(effect::changes, "open_tree", [&] { return ::open_tree(dir, path, how); },
              [&](pretence& p) { return p.open_tree(dir, path, how); }, descriptor{dir}, text{path}, flags{how, tree_words});
}

inline auto move_mount(int from, const char* from_path, int to, const char* to_path, unsigned how) -> int {
  return call(effect::changes, "move_mount", [&] { return ::move_mount(from, from_path, to, to_path, how); },
              [&](pretence& p) { return p.move_mount(from, to, to_path); }, descriptor{from}, text{from_path}, descriptor{to},
              text{to_path}, flags{how, move_words});
}

inline auto mount_setattr(int mount, const char* path, unsigned how, mount_attr& wanted) -> int {
  const auto described = [&] {
    std::string parts;
    const auto add = [&](std::string_view key, const std::string& value) {
      parts.append(parts.empty() ? "" : ", ").append(key).append("=").append(value);
    };
    if (wanted.attr_set != 0) add("attr_set", spelled(wanted.attr_set, attribute_words));
    if (wanted.attr_clr != 0) add("attr_clr", spelled(wanted.attr_clr, attribute_words));
    if (wanted.propagation != 0) add("propagation", spelled(wanted.propagation, propagation_words));
    if (wanted.userns_fd != 0) add("userns_fd", shown(descriptor{static_cast<int>(wanted.userns_fd)}));
    return "{" + parts + "}";
  };
  return call(effect::changes, "mount_setattr", [&] { return ::mount_setattr(mount, path, how, &wanted, sizeof wanted); },
              succeed, descriptor{mount}, text{path}, flags{how, tree_words}, described);
}

inline auto fsopen(const char* type) -> int {
  return call(effect::changes, "fsopen", [&] { return ::fsopen(type, FSOPEN_CLOEXEC); },
              [&](pretence& p) { return p.fsopen(type); }, text{type}, [] { return "FSOPEN_CLOEXEC"; });
}

/// `value` is null for a flag and for a command.
inline auto fsconfig(int fs, fsconfig_command command, const char* key, const char* value) -> int {
  const auto word = [&]() -> std::string_view {
    if (command == FSCONFIG_SET_FLAG) return "FSCONFIG_SET_FLAG";
    if (command == FSCONFIG_SET_STRING) return "FSCONFIG_SET_STRING";
    return "FSCONFIG_CMD_CREATE";
  };
  const auto or_null = [](const char* s) { return s == nullptr ? std::string{"NULL"} : shown(text{s}); };
  return call(effect::changes, "fsconfig", [&] { return ::fsconfig(fs, command, key, value, 0); }, succeed, descriptor{fs},
              word, [&] { return or_null(key); }, [&] { return or_null(value); });
}

inline auto fsmount(int fs, unsigned attributes) -> int {
  return call(effect::changes, "fsmount", [&] { return ::fsmount(fs, FSMOUNT_CLOEXEC, attributes); },
              [&](pretence& p) { return p.fsmount(fs); }, descriptor{fs}, [] { return "FSMOUNT_CLOEXEC"; },
              flags{attributes, attribute_words});
}

inline auto pivot_root(const char* new_root, const char* put_old) -> long {
  return call(effect::changes, "pivot_root", [&] { return ::syscall(SYS_pivot_root, new_root, put_old); },
              [](pretence& p) { return p.change_root(); }, text{new_root}, text{put_old});
}

inline auto chroot(const char* path) -> int {
  return call(effect::changes, "chroot", [&] { return ::chroot(path); }, [](pretence& p) { return p.change_root(); }, text{path});
}

/// Lazily: what is busy goes when it is no longer.
inline auto detach(const char* path) -> int {
  return call(effect::changes, "umount2", [&] { return ::umount2(path, MNT_DETACH); }, succeed, text{path},
              [] { return "MNT_DETACH"; });
}

inline auto chdir(const char* path) -> int {
  return call(effect::changes, "chdir", [&] { return ::chdir(path); },
              [&](pretence& p) { return p.chdir(AT_FDCWD, path); }, text{path});
}

inline auto fchdir(int fd) -> int {
  return call(effect::changes, "fchdir", [&] { return ::fchdir(fd); }, [&](pretence& p) { return p.chdir(fd, ""); },
              descriptor{fd});
}

/// The kernel's, which does not hide "(unreachable)" as getcwd(3) does.
inline auto getcwd(char* out, std::size_t size) -> long {
  return call(effect::asks, "getcwd", [&] { return ::syscall(SYS_getcwd, out, size); },
              [&](pretence& p) { return p.getcwd(out, size); });
}

}  // namespace ocitk::sys::kernel

#endif
