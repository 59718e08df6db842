#ifndef OCITK_MOUNTS_TARGET_HPP
#define OCITK_MOUNTS_TARGET_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/text.hpp>

#include <linux/magic.h>

#include <array>
#include <string>
#include <string_view>

/// Where a mount goes: opened once, judged by what was opened (threats R1, R12).
namespace ocitk::mounts {

struct target {
  unique_fd fd{};
  bool existed = true;
  bool straight = true;  ///< no symbolic link on the way: the string says where it is
};

namespace detail {

/// crun's dest-nofollow: a symbolic link at the end is the mountpoint.
inline auto open_target_itself(fd_ref root, const std::string& path, sys::target_kind kind) -> result<target> {
  const auto [parent, name] = sys::split(path);
  const auto dir = OCITK_TRY(sys::make_in_root(root, parent, sys::target_kind::directory));
  auto found = sys::open_in_root(dir, name, O_PATH | O_NOFOLLOW);
  if (found) return target{.fd = std::move(*found), .straight = false};
  if (found.error().code != ENOENT) return std::unexpected(found.error());
  return target{.fd = OCITK_TRY(sys::make_missing(root, path, kind)), .existed = false, .straight = false};
}

}  // namespace detail

/// Opens a mountpoint, making what is missing. Links are followed below the root, unless the last component is meant
/// `itself`.
///
/// Calls  openat2(2); once where the path has no links and is there
inline auto open_target(fd_ref root, const std::string& path, sys::target_kind kind, bool itself = false) -> result<target> {
  if (itself && !path.ends_with("/..")) return detail::open_target_itself(root, path, kind);
  auto straight = sys::open_straight(root, path);
  if (straight) return target{.fd = std::move(*straight)};
  if (straight.error().code == ENOENT)  // a dangling link would have been ELOOP
    return target{.fd = OCITK_TRY(sys::make_missing(root, path, kind)), .existed = false};
  if (straight.error().code != ELOOP) return std::unexpected(straight.error());
  auto found = sys::open_in_root(root, path);
  if (found) return target{.fd = std::move(*found), .straight = false};
  if (found.error().code != ENOENT) return std::unexpected(found.error());
  return target{.fd = OCITK_TRY(sys::make_missing(root, path, kind)), .existed = false, .straight = false};
}

/// Files of procfs that an engine may cover (lxcfs does).
inline constexpr std::array<std::string_view, 10> coverable_proc_files{
    "cpuinfo", "diskstats", "meminfo",   "stat",                    "swaps",
    "uptime",  "loadavg",   "slabinfo", "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"};

enum class place { root, proc, proc_file, below_proc, elsewhere };

/// By the words of a clean path that holds no link and no `..`.
inline auto place_of(std::string_view path) -> place {
  constexpr std::string_view proc = "/proc";
  if (path == "/") return place::root;
  if (!path.starts_with(proc)) return place::elsewhere;
  path.remove_prefix(proc.size());
  if (path.empty()) return place::proc;
  if (path[0] != '/') return place::elsewhere;
  for (const auto file : coverable_proc_files)
    if (path.substr(1) == file) return place::proc_file;
  return place::below_proc;
}

namespace detail {

inline auto is_at(fd_ref root, const std::string& path, const struct stat& wanted) -> result<bool> {
  const auto there = sys::open_in_root(root, path);
  if (!there) return false;
  return sys::same_file(OCITK_TRY(sys::status_of(*there)), wanted);
}

/// By what the descriptor is: a link may have led anywhere.
inline auto resolved_place(fd_ref root, fd_ref what) -> result<place> {
  const auto st = OCITK_TRY(sys::status_of(what));
  if (OCITK_TRY(is_at(root, "/", st))) return place::root;
  if (OCITK_TRY(is_at(root, "/proc", st))) return place::proc;
  if (OCITK_TRY(sys::filesystem_of(what)) != PROC_SUPER_MAGIC) return place::elsewhere;
  for (const auto file : coverable_proc_files)
    if (OCITK_TRY(is_at(root, filled("/proc/{}", file), st))) return place::proc_file;
  return place::below_proc;
}

inline auto has_dotdot(std::string_view path) -> bool {
  return path.find("/../") != std::string_view::npos || path.ends_with("/..");
}

}  // namespace detail

/// Is it the root of a procfs, as fsmount("proc") gives it?
///
/// Calls  fstatfs(2), fstat(2)
inline auto is_procfs(fd_ref mount) -> result<bool> {
  constexpr ino_t proc_root = 1;
  if (OCITK_TRY(sys::filesystem_of(mount)) != PROC_SUPER_MAGIC) return false;
  return OCITK_TRY(sys::status_of(mount)).st_ino == proc_root;
}

/// May this mount cover that target? Who controls what is seen at /proc controls what our own checks see.
inline auto check_place(fd_ref root, const std::string& path, const target& t, fd_ref mount) -> result<> {
  const auto where = t.straight && !detail::has_dotdot(path) ? place_of(path)
                                                             : OCITK_TRY(detail::resolved_place(root, t.fd));
  if (where == place::root) return failure("mounting on / would cover the root file system");
  if (where == place::below_proc)
    return failure(filled("\"{}\" cannot be mounted because it is inside /proc", path));
  if (where == place::proc && !OCITK_TRY(is_procfs(mount)))
    return failure(filled("\"{}\" cannot be mounted because it is not of type proc", path));
  return {};
}

/// Attaches a mount where it may go.
///
/// Calls  move_mount(2)
/// Fails  ENOTDIR where one is a directory and the other is not: callers look for that text, the kernel says EINVAL
inline auto cover(fd_ref root, const std::string& path, const target& t, fd_ref mount) -> result<> {
  OCITK_TRY(check_place(root, path, t, mount));
  auto done = sys::move_onto(mount, t.fd);
  if (!done && done.error().code == EINVAL && OCITK_TRY(sys::is_directory(mount)) != OCITK_TRY(sys::is_directory(t.fd)))
    done.error().code = ENOTDIR;
  return done;
}

}  // namespace ocitk::mounts

#endif
