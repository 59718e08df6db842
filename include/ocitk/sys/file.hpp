#ifndef OCITK_SYS_FILE_HPP
#define OCITK_SYS_FILE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/kernel/file.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

/// Files by descriptor. The lookups below a rootfs here are the only ones in the project (threats R1, R2):
/// nothing else takes a path together with a root.
namespace ocitk::sys {

/// open(2) relative to a directory, close-on-exec. For trusted paths: the host before the pivot.
inline auto open_at(fd_ref dir, const std::string& path, int flags, mode_t mode = 0) -> result<unique_fd> {
  for (;;) {
    const int fd = kernel::openat(dir.get(), path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return unique_fd{fd};
    if (errno != EINTR) return failed("open", path);
  }
}

namespace detail {
inline auto open_resolved(fd_ref dir, const std::string& path, int flags, std::uint64_t resolve) -> result<unique_fd> {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = resolve;
  constexpr int races_survived = 256;  // EAGAIN: a rename or mount raced the walk
  for (int attempt = 0; attempt < races_survived; ++attempt) {
    const int fd = kernel::openat2(dir.get(), path.empty() ? "." : path.c_str(), how);
    if (fd >= 0) return unique_fd{fd};
    if (errno != EAGAIN && errno != EINTR) return failed("openat2", path);
  }
  return failed("openat2", path);
}
}  // namespace detail

/// Opens a path of the container: every symbolic link and `..` stays below `root`, magic links are refused.
///
/// Calls  openat2(2) RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
/// Fails  ENOENT, ENOTDIR, ELOOP; EAGAIN after 256 lost races
inline auto open_in_root(fd_ref root, const std::string& path, int flags = O_PATH) -> result<unique_fd> {
  return detail::open_resolved(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/// The same, refusing every symbolic link: what it opens lies where the string says.
///
/// Calls  openat2(2) RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS
/// Fails  ELOOP where a link is on the way or at its end
inline auto open_straight(fd_ref root, const std::string& path, int flags = O_PATH) -> result<unique_fd> {
  return detail::open_resolved(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

/// Opens a path strictly below a directory of one file system: for procfs and cgroupfs handles.
///
/// Calls  openat2(2) RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS
inline auto open_beneath(fd_ref dir, const std::string& path, int flags) -> result<unique_fd> {
  return detail::open_resolved(dir, path, flags, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
}

inline auto status_of(fd_ref fd) -> result<struct stat> {
  struct stat st{};
  if (kernel::fstat(fd.get(), st) != 0) return failed("fstat");
  return st;
}

/// The superblock magic of statfs(2): PROC_SUPER_MAGIC and its like.
inline auto filesystem_of(fd_ref fd) -> result<long> {
  struct statfs fs{};
  if (kernel::fstatfs(fd.get(), fs) != 0) return failed("fstatfs");
  return static_cast<long>(fs.f_type);
}

inline auto is_directory(fd_ref fd) -> result<bool> {
  return S_ISDIR(OCITK_TRY(status_of(fd)).st_mode);
}

/// Are both the same file of the same file system?
inline auto same_file(const struct stat& a, const struct stat& b) -> bool {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Is it the character device `major:minor`?
inline auto is_char_device(const struct stat& st, unsigned major_number, unsigned minor_number) -> bool {
  return S_ISCHR(st.st_mode) && st.st_rdev == makedev(major_number, minor_number);
}

/// A path of the container split at its last component: ("/a/b", "c").
struct split_path {
  std::string parent{}, name{};
};

inline auto split(std::string_view path) -> split_path {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return {.parent = "/", .name = std::string{path}};
  return {.parent = std::string{path.substr(0, slash == 0 ? 1 : slash)}, .name = std::string{path.substr(slash + 1)}};
}

/// Of a name in a directory; a symbolic link is the link itself.
inline auto status_at(fd_ref dir, const std::string& name) -> result<struct stat> {
  struct stat st{};
  if (kernel::fstatat(dir.get(), name.c_str(), st, AT_SYMLINK_NOFOLLOW) != 0) return failed("fstatat", name);
  return st;
}

inline auto read_link_at(fd_ref dir, const std::string& name) -> result<std::string> {
  std::string target(4096, '\0');
  const auto n = kernel::readlinkat(dir.get(), name.c_str(), target.data(), target.size());
  if (n < 0) return failed("readlink", name);
  target.resize(static_cast<std::size_t>(n));
  return target;
}

/// Lets modes be what they are asked to be, for the life of this object.
class no_umask {
 public:
  no_umask() : before_{kernel::umask(0)} {}
  ~no_umask() { kernel::umask(before_); }
  no_umask(const no_umask&) = delete;
  auto operator=(const no_umask&) -> no_umask& = delete;

 private:
  mode_t before_;
};

enum class target_kind { directory, file };

namespace detail {

inline auto make_node(fd_ref parent, const std::string& name, target_kind kind) -> result<> {
  const int made = kind == target_kind::directory ? kernel::mkdirat(parent.get(), name.c_str(), 0755)
                                                  : kernel::mknodat(parent.get(), name.c_str(), S_IFREG | 0644, 0);
  if (made != 0 && errno != EEXIST)  // another runtime may make the same mountpoint now
    return failed(kind == target_kind::directory ? "mkdir" : "mknod", name);
  return {};
}

}  // namespace detail

inline auto make_in_root(fd_ref root, const std::string& path, target_kind kind, int links_left = 40)
    -> result<unique_fd>;

/// Makes and opens a path of the container that was just found missing; see make_in_root().
inline auto make_missing(fd_ref root, const std::string& path, target_kind kind, int links_left = 40)
    -> result<unique_fd> {
  const auto [parent_path, name] = split(path);
  if (name.empty() || name == "." || name == "..")
    return std::unexpected(error{.code = ENOENT, .call = "openat2", .detail = path});
  const auto parent = OCITK_TRY(make_in_root(root, parent_path, target_kind::directory, links_left));
  if (auto link = read_link_at(parent, name)) {
    if (links_left == 0) return std::unexpected(error{.code = ELOOP, .call = "openat2", .detail = path});
    return make_in_root(root, link->starts_with('/') ? *link : parent_path + "/" + *link, kind, links_left - 1);
  }
  OCITK_TRY(trying(path, detail::make_node(parent, name, kind)));
  auto made = open_in_root(parent, name, O_PATH | O_NOFOLLOW);
  if (!made) return made;
  if (S_ISLNK(OCITK_TRY(status_of(*made)).st_mode))
    return std::unexpected(error{.code = ELOOP, .call = "openat2", .detail = path});
  return made;
}

/// Opens a path of the container, making what is missing of it: parents 0755, the last component as asked for.
/// A dangling symbolic link is made whole at the place it points to, below the root. Nothing untrusted is opened
/// for more than O_PATH.
///
/// Calls  openat2(2), mkdirat(2), mknodat(2) S_IFREG
/// Fails  ENOTDIR, EROFS, ELOOP after 40 links
inline auto make_in_root(fd_ref root, const std::string& path, target_kind kind, int links_left)
    -> result<unique_fd> {
  auto found = open_in_root(root, path);
  if (found || found.error().code != ENOENT) return found;
  return make_missing(root, path, kind, links_left);
}

}  // namespace ocitk::sys

#endif
