#ifndef OCITK_MOUNTS_COPY_UP_HPP
#define OCITK_MOUNTS_COPY_UP_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/listing.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/text.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// `tmpcopyup`: a tmpfs begins with a copy of what it covers. The original is hostile: it is read through a clone of
/// its mount that is read-only and shows no device, one component at a time, and no link in it is followed.
namespace ocitk::mounts {

namespace detail {

class copier {
 public:
  explicit copier(std::vector<std::string>& warnings) : warnings_{warnings} {}

  /// Everything below one directory, and what the directory itself looks like.
  auto content(fd_ref from, fd_ref to, int depth = 0) -> result<> {
    constexpr int deepest = 400;  // two descriptors each
    if (depth > deepest) return failure("directories are nested too deep to be copied");
    for (const auto& entry : OCITK_TRY(sys::list_directory(from)))
      OCITK_TRY(trying(entry.name, one(from, to, entry.name, depth)));
    return {};
  }

  /// Owner, extended attributes, mode, times; as far as the file system and our privileges have them.
  static auto dress(fd_ref from, fd_ref to, const struct stat& st, bool with_owner = true) -> result<> {
    const bool owned = !with_owner || sys::kernel::fchown(to.get(), st.st_uid, st.st_gid) == 0;
    copy_attributes(from, to);
    const mode_t kept = owned ? 07777U : 01777U;  // set-user-id for somebody else would be a gift
    OCITK_TRY(checked(sys::kernel::fchmod(to.get(), st.st_mode & kept), "fchmod"));
    const std::array<timespec, 2> times{st.st_atim, st.st_mtim};
    return checked(sys::kernel::futimens(to.get(), times.data()), "futimens");
  }

 private:
  auto one(fd_ref from, fd_ref to, const std::string& name, int depth) -> result<> {
    const auto st = OCITK_TRY(sys::status_at(from, name));
    if (S_ISDIR(st.st_mode)) return directory(from, to, name, depth);
    if (S_ISREG(st.st_mode)) return file(from, to, name);
    return S_ISLNK(st.st_mode) ? link(from, to, name, st) : node(to, name, st);
  }

  auto directory(fd_ref from, fd_ref to, const std::string& name, int depth) -> result<> {
    OCITK_TRY(checked(sys::kernel::mkdirat(to.get(), name.c_str(), 0700), "mkdir"));
    const auto source = OCITK_TRY(sys::open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const auto copy = OCITK_TRY(sys::open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    OCITK_TRY(content(source, copy, depth + 1));
    return dress(source, copy, OCITK_TRY(sys::status_of(source)));
  }

  /// What was a file a moment ago may be anything now: it is opened so that nothing waits, and looked at again.
  static auto file(fd_ref from, fd_ref to, const std::string& name) -> result<> {
    const auto source = OCITK_TRY(sys::open_at(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    const auto st = OCITK_TRY(sys::status_of(source));
    if (!S_ISREG(st.st_mode)) return failure("became something else while it was copied");
    const auto copy = OCITK_TRY(sys::open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    OCITK_TRY(copy_bytes(source, copy, st.st_size));
    return dress(source, copy, st);
  }

  static auto link(fd_ref from, fd_ref to, const std::string& name, const struct stat& st) -> result<> {
    const auto target = OCITK_TRY(sys::read_link_at(from, name));
    OCITK_TRY(checked(sys::kernel::symlinkat(target.c_str(), to.get(), name.c_str()), "symlink"));
    return dress_name(to, name, st);
  }

  /// A fifo, a socket, a device: made again, never opened.
  auto node(fd_ref to, const std::string& name, const struct stat& st) -> result<> {
    if (sys::kernel::mknodat(to.get(), name.c_str(), st.st_mode & (S_IFMT | 0777U), st.st_rdev) != 0) {
      if (errno != EPERM) return failed("mknod");
      warnings_.push_back(filled("tmpcopyup leaves out the device {}", name));
      return {};
    }
    return dress_name(to, name, st);
  }

  static auto dress_name(fd_ref dir, const std::string& name, const struct stat& st) -> result<> {
    (void)sys::kernel::fchownat(dir.get(), name.c_str(), st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);  // as at dress()
    const std::array<timespec, 2> times{st.st_atim, st.st_mtim};
    return checked(sys::kernel::utimensat(dir.get(), name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW), "utimensat");
  }

  /// Holes stay holes, and no more is copied than was there when it began: a file may grow for ever.
  static auto copy_bytes(fd_ref from, fd_ref to, off_t size) -> result<> {
    off_t at = 0;
    while (at < size) {
      const auto begin = sys::kernel::lseek(from.get(), at, SEEK_DATA);
      if (begin < 0 && errno == ENXIO) break;
      at = begin < 0 ? at : begin;  // file systems without holes do not know the question
      const auto hole = begin < 0 ? size : sys::kernel::lseek(from.get(), at, SEEK_HOLE);
      const auto end = hole < 0 ? size : std::min<off_t>(hole, size);
      OCITK_TRY(copy_range(from, to, at, end));
      at = std::max<off_t>(end, at + 1);
    }
    return checked(sys::kernel::ftruncate(to.get(), size), "ftruncate");
  }

  static auto copy_range(fd_ref from, fd_ref to, off_t at, off_t end) -> result<> {
    std::array<char, 64 * 1024> buffer;
    if (sys::kernel::lseek(from.get(), at, SEEK_SET) < 0 || sys::kernel::lseek(to.get(), at, SEEK_SET) < 0) return failed("lseek");
    while (at < end) {
      const auto wanted = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(end - at));
      const auto n = OCITK_TRY(sys::read_some(from, std::span{buffer}.first(wanted)));
      if (n == 0) return {};
      OCITK_TRY(sys::write_all(to, std::string_view{buffer.data(), n}));
      at += static_cast<off_t>(n);
    }
    return {};
  }

  static auto copy_attributes(fd_ref from, fd_ref to) -> void {
    constexpr std::size_t longest = 64 * 1024;  // XATTR_LIST_MAX and XATTR_SIZE_MAX
    const auto room = sys::kernel::flistxattr(from.get(), nullptr, 0);
    if (room <= 0) return;
    std::string names(longest, '\0'), value(longest, '\0');
    const auto listed = sys::kernel::flistxattr(from.get(), names.data(), names.size());
    if (listed <= 0) return;
    names.resize(static_cast<std::size_t>(listed));
    for (std::size_t at = 0; at < names.size();) {
      const std::string name = names.c_str() + at;
      at += name.size() + 1;
      const auto size = sys::kernel::fgetxattr(from.get(), name.c_str(), value.data(), value.size());
      if (size >= 0) (void)sys::kernel::fsetxattr(to.get(), name.c_str(), std::string_view{value.data(), static_cast<std::size_t>(size)});  // where possible
    }
  }

  std::vector<std::string>& warnings_;
};

/// A clone to read from. A mount below that a user namespace has locked has to come along.
inline auto readable_clone(fd_ref covered) -> result<unique_fd> {
  auto alone = sys::clone_mount(covered, false);
  const bool recursive = !alone && alone.error().code == EINVAL;
  auto clone = OCITK_TRY(recursive ? sys::clone_mount(covered, true) : std::move(alone));
  OCITK_TRY(sys::set_attributes(clone, {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, .propagation = MS_PRIVATE}, recursive));
  return clone;
}

}  // namespace detail

/// Copies what a directory of the container holds into a tmpfs that nobody else sees yet: files, directories, links,
/// fifos, sockets, devices where allowed, with owners, modes, extended attributes and times. What is mounted below is
/// left out. `with_owner`: the tmpfs's root gets the directory's owner too.
///
/// Process  init
/// Calls    open_tree(2), mount_setattr(2), openat(2) O_NOFOLLOW, mkdirat(2), mknodat(2), symlinkat(2), fchown(2),
///          fsetxattr(2), fchmod(2), utimensat(2)
/// Fails    ENOSPC where the tmpfs is too small
inline auto copy_up(fd_ref covered, fd_ref tmpfs, bool with_owner, std::vector<std::string>& warnings) -> result<> {
  const auto clone = OCITK_TRY(detail::readable_clone(covered));
  const auto from = OCITK_TRY(sys::open_at(clone, ".", O_RDONLY | O_DIRECTORY));
  const auto to = OCITK_TRY(sys::open_at(tmpfs, ".", O_RDONLY | O_DIRECTORY));
  auto done = detail::copier{warnings}.content(from, to);
  if (!done) {
    done.error().detail = "tmpcopyup: " + done.error().detail;
    return done;
  }
  auto looks = OCITK_TRY(sys::status_of(from));
  looks.st_mode = OCITK_TRY(sys::status_of(to)).st_mode;  // the tmpfs was given it when it was made
  return detail::copier::dress(from, to, looks, with_owner);
}

}  // namespace ocitk::mounts

#endif
