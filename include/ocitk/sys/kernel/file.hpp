#ifndef OCITK_SYS_KERNEL_FILE_HPP
#define OCITK_SYS_KERNEL_FILE_HPP

#include <ocitk/sys/kernel/call.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

/// Files, directories and what they hold. Each function is the system call of its name.
namespace ocitk::sys::kernel {

inline constexpr std::array<word, 13> open_words{{{O_PATH, "O_PATH"},
                                                  {O_RDWR, "O_RDWR"},
                                                  {O_WRONLY, "O_WRONLY"},
                                                  {O_CREAT, "O_CREAT"},
                                                  {O_EXCL, "O_EXCL"},
                                                  {O_TRUNC, "O_TRUNC"},
                                                  {O_APPEND, "O_APPEND"},
                                                  {O_DIRECTORY, "O_DIRECTORY"},
                                                  {O_NOFOLLOW, "O_NOFOLLOW"},
                                                  {O_NONBLOCK, "O_NONBLOCK"},
                                                  {O_NOCTTY, "O_NOCTTY"},
                                                  {O_SYNC, "O_SYNC"},
                                                  {O_CLOEXEC, "O_CLOEXEC"}}};
inline constexpr std::array<word, 5> resolve_words{{{RESOLVE_IN_ROOT, "RESOLVE_IN_ROOT"},
                                                    {RESOLVE_BENEATH, "RESOLVE_BENEATH"},
                                                    {RESOLVE_NO_XDEV, "RESOLVE_NO_XDEV"},
                                                    {RESOLVE_NO_MAGICLINKS, "RESOLVE_NO_MAGICLINKS"},
                                                    {RESOLVE_NO_SYMLINKS, "RESOLVE_NO_SYMLINKS"}}};
inline constexpr std::array<word, 3> at_words{{{AT_EMPTY_PATH, "AT_EMPTY_PATH"},
                                               {AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"},
                                               {AT_REMOVEDIR, "AT_REMOVEDIR"}}};

/// Opening a file changes nothing, not even for writing; making one or emptying it does.
inline auto effect_of_opening(std::uint64_t flags) -> effect {
  return (flags & (O_CREAT | O_TRUNC)) != 0 ? effect::changes : effect::asks;
}

inline auto openat(int dir, const char* path, int how, mode_t mode = 0) -> int {
  const auto bits = static_cast<std::uint64_t>(how);
  return call(effect_of_opening(bits), "openat",
              [&] { return ::openat(dir, path, how, mode); },
              [&](pretence& p) { return p.open(dir, path, bits, 0); }, descriptor{dir}, text{path},
              [&] { return (how & (O_PATH | O_WRONLY | O_RDWR)) == 0 ? "O_RDONLY|" + spelled(bits, open_words) : spelled(bits, open_words); },
              octal{mode});
}

inline auto openat2(int dir, const char* path, const open_how& how) -> int {
  return call(effect_of_opening(how.flags), "openat2",
              [&] { return static_cast<int>(::syscall(SYS_openat2, dir, path, &how, sizeof how)); },
              [&](pretence& p) { return p.open(dir, path, how.flags, how.resolve); }, descriptor{dir}, text{path},
              flags{how.flags, open_words}, flags{how.resolve, resolve_words});
}

inline auto fstat(int fd, struct stat& out) -> int {
  return call(effect::asks, "fstat", [&] { return ::fstat(fd, &out); },
              [&](pretence& p) { return p.stat(fd, "", AT_EMPTY_PATH, out); }, descriptor{fd});
}

inline auto fstatat(int dir, const char* path, struct stat& out, int how) -> int {
  return call(effect::asks, "newfstatat", [&] { return ::fstatat(dir, path, &out, how); },
              [&](pretence& p) { return p.stat(dir, path, how, out); }, descriptor{dir}, text{path},
              flags{static_cast<std::uint64_t>(how), at_words});
}

/// Of a descriptor. A rehearsal has no mounts of its own to ask for: it gets those of the host.
inline auto statx(int fd, unsigned mask, struct statx& out) -> int {
  return call(effect::asks, "statx", [&] { return ::statx(fd, "", AT_EMPTY_PATH, mask, &out); }, really, descriptor{fd}, mask);
}

inline auto fstatfs(int fd, struct statfs& out) -> int {
  return call(effect::asks, "fstatfs", [&] { return ::fstatfs(fd, &out); },
              [&](pretence& p) { return p.statfs(fd, out); }, descriptor{fd});
}

inline auto readlinkat(int dir, const char* path, char* out, std::size_t size) -> ssize_t {
  return call(effect::asks, "readlinkat", [&] { return ::readlinkat(dir, path, out, size); },
              [&](pretence& p) { return p.readlink(dir, path, out, size); }, descriptor{dir}, text{path});
}

inline auto faccessat(int dir, const char* path, int mode, int how) -> int {
  return call(effect::asks, "faccessat", [&] { return ::faccessat(dir, path, mode, how); },
              [&](pretence& p) { return p.access(dir, path, mode, how); }, descriptor{dir}, text{path}, mode);
}

inline auto read(int fd, void* into, std::size_t size) -> ssize_t {
  return call(effect::asks, "read", [&] { return ::read(fd, into, size); },
              [&](pretence& p) { return p.read(fd, into, size); }, descriptor{fd}, size);
}

inline auto write(int fd, const void* bytes, std::size_t size) -> ssize_t {
  return call(effect::changes, "write", [&] { return ::write(fd, bytes, size); },
              [&](pretence& p) { return p.write(fd, bytes, size); }, descriptor{fd},
              text{{static_cast<const char*>(bytes), size}}, size);
}

/// A rehearsal has a mask of its own: it sets it, and hands back the one before.
inline auto umask(mode_t mode) -> mode_t {
  return call(effect::changes, "umask", [&] { return ::umask(mode); }, really, octal{mode});
}

inline auto mkdirat(int dir, const char* path, mode_t mode) -> int {
  return call(effect::changes, "mkdirat", [&] { return ::mkdirat(dir, path, mode); },
              [&](pretence& p) { return p.make(dir, path, S_IFDIR | mode, 0); }, descriptor{dir}, text{path}, octal{mode});
}

inline constexpr std::array<word, 4> type_words{
    {{S_IFREG, "S_IFREG"}, {S_IFBLK, "S_IFBLK"}, {S_IFCHR, "S_IFCHR"}, {S_IFIFO, "S_IFIFO"}}};

inline auto mknodat(int dir, const char* path, mode_t mode, dev_t device) -> int {
  return call(effect::changes, "mknodat", [&] { return ::mknodat(dir, path, mode, device); },
              [&](pretence& p) { return p.make(dir, path, mode, device); }, descriptor{dir}, text{path},
              [&] { return spelled(mode & S_IFMT, type_words) + "|" + shown(octal{mode & ~unsigned{S_IFMT}}); },
              [&] { return std::to_string(major(device)) + ":" + std::to_string(minor(device)); });
}

inline auto symlinkat(const char* target, int dir, const char* path) -> int {
  return call(effect::changes, "symlinkat", [&] { return ::symlinkat(target, dir, path); },
              [&](pretence& p) { return p.symlink(target, dir, path); }, text{target}, descriptor{dir}, text{path});
}

inline auto unlinkat(int dir, const char* path, int how) -> int {
  return call(effect::changes, "unlinkat", [&] { return ::unlinkat(dir, path, how); },
              [&](pretence& p) { return p.remove(dir, path); }, descriptor{dir}, text{path},
              flags{static_cast<std::uint64_t>(how), at_words});
}

inline auto renameat(int dir, const char* from, int to_dir, const char* to) -> int {
  return call(effect::changes, "renameat", [&] { return ::renameat(dir, from, to_dir, to); },
              [&](pretence& p) { return p.rename(dir, from, to); }, descriptor{dir}, text{from}, descriptor{to_dir}, text{to});
}

inline auto fchmod(int fd, mode_t mode) -> int {
  return call(effect::changes, "fchmod", [&] { return ::fchmod(fd, mode); }, succeed, descriptor{fd}, octal{mode});
}

/// -1 leaves an owner as it is, as for chown(2).
inline auto fchown(int fd, uid_t uid, gid_t gid) -> int {
  return call(effect::changes, "fchown", [&] { return ::fchown(fd, uid, gid); }, succeed, descriptor{fd},
              static_cast<int>(uid), static_cast<int>(gid));
}

inline auto fchownat(int dir, const char* path, uid_t uid, gid_t gid, int how) -> int {
  return call(effect::changes, "fchownat", [&] { return ::fchownat(dir, path, uid, gid, how); }, succeed, descriptor{dir},
              text{path}, static_cast<int>(uid), static_cast<int>(gid), flags{static_cast<std::uint64_t>(how), at_words});
}

/// In a rehearsal what is not there is as long as wanted.
inline auto lseek(int fd, off_t offset, int whence) -> off_t {
  const auto pretended = [&](pretence&) -> long {
    const auto at = ::lseek(fd, offset, whence);
    if (at >= 0) return at;
    return errno == EBADF ? offset : -errno;
  };
  return call(effect::asks, "lseek", [&] { return ::lseek(fd, offset, whence); }, pretended, descriptor{fd}, offset, whence);
}

/// Access and modification time.
inline auto utimensat(int dir, const char* path, const timespec* times, int how) -> int {
  return call(effect::changes, "utimensat", [&] { return ::utimensat(dir, path, times, how); }, succeed, descriptor{dir},
              text{path}, times[0].tv_sec, times[1].tv_sec, flags{static_cast<std::uint64_t>(how), at_words});
}

inline auto futimens(int fd, const timespec* times) -> int {
  return call(effect::changes, "utimensat", [&] { return ::futimens(fd, times); }, succeed, descriptor{fd}, times[0].tv_sec,
              times[1].tv_sec);
}

inline auto flistxattr(int fd, char* names, std::size_t size) -> ssize_t {
  return call(effect::asks, "flistxattr", [&] { return ::flistxattr(fd, names, size); }, really, descriptor{fd});
}

inline auto fgetxattr(int fd, const char* name, char* value, std::size_t size) -> ssize_t {
  return call(effect::asks, "fgetxattr", [&] { return ::fgetxattr(fd, name, value, size); }, really, descriptor{fd}, text{name});
}

inline auto fsetxattr(int fd, const char* name, std::string_view value) -> int {
  return call(effect::changes, "fsetxattr", [&] { return ::fsetxattr(fd, name, value.data(), value.size(), 0); }, succeed,
              descriptor{fd}, text{name}, text{value}, value.size());
}

inline auto fsync(int fd) -> int {
  return call(effect::changes, "fsync", [&] { return ::fsync(fd); }, succeed, descriptor{fd});
}

inline auto flock(int fd, int how) -> int {
  return call(effect::changes, "flock", [&] { return ::flock(fd, how); }, succeed, descriptor{fd},
              [&] { return std::string{(how & LOCK_UN) != 0 ? "LOCK_UN" : "LOCK_EX|LOCK_NB"}; });
}

inline auto ftruncate(int fd, off_t size) -> int {
  return call(effect::changes, "ftruncate", [&] { return ::ftruncate(fd, size); }, succeed, descriptor{fd}, size);
}

inline auto dup2(int from, int to) -> int {
  return call(effect::changes, "dup2", [&] { return ::dup2(from, to); }, [&](pretence& p) { return p.dup2(from, to); },
              descriptor{from}, to);
}

}  // namespace ocitk::sys::kernel

#endif
