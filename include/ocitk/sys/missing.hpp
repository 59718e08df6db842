#ifndef OCITK_SYS_MISSING_HPP
#define OCITK_SYS_MISSING_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/credentials.hpp>
#include <ocitk/sys/file.hpp>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Where on its way a path fails, and why. Asked after a call has failed, never before: it walks the path once more,
/// one component at a time, by descriptors that cannot read (O_PATH).
///
/// No sentence here has the words of an errno in it that the failed call did not return: engines look for
/// "no such file or directory" and its like in the whole message.
namespace ocitk::sys {

namespace detail {

/// How many bytes the UTF-8 character in front takes; 0: it is none that a terminal may get.
inline auto printable_width(std::string_view text) -> std::size_t {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7f ? 1 : 0;
  const std::size_t width = byte(0) >= 0xf0 && byte(0) < 0xf5 ? 4 : byte(0) >= 0xe0 ? 3 : byte(0) >= 0xc2 ? 2 : 0;
  if (byte(0) >= 0xf5 || width == 0 || text.size() < width) return 0;
  unsigned point = byte(0) & (0xffU >> (width + 1));
  for (std::size_t i = 1; i < width; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3fU);
  }
  const bool control = point < 0xa0, surrogate = point >= 0xd800 && point < 0xe000;
  const bool overlong = (width == 3 && point < 0x800) || (width == 4 && (point < 0x10000 || point > 0x10ffff));
  return control || surrogate || overlong ? 0 : width;
}

}  // namespace detail

/// Text that others made, for a message: what a terminal might obey becomes \xNN, too much of it is cut off.
inline auto printable(std::string_view text, std::size_t longest = 256) -> std::string {
  std::string safe;
  while (!text.empty()) {
    const auto width = detail::printable_width(text);
    const auto piece = width > 0 ? std::string{text.substr(0, width)}
                                 : fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(text[0])));
    if (safe.size() + piece.size() > longest) return safe + "...";
    safe += piece;
    text.remove_prefix(std::max(width, std::size_t{1}));
  }
  return safe;
}

/// What the caller wanted of the file at the end of the path.
struct requirement {
  int access = F_OK;       ///< R_OK | W_OK | X_OK as of access(2)
  bool directory = false;  ///< and it has to be one: chdir(2)
};

/// What stands in the way of a path.
struct obstacle {
  int code = 0;           ///< what the kernel says to it; 0: nothing is in the way
  std::string element{};  ///< the path as far as the kernel came, symbolic links followed
  std::string reached{};  ///< the directory above, which is there
  std::string link{};     ///< the symbolic link that led here; empty: none did
  std::string target{};   ///< what it says
  int denied = 0;         ///< of EACCES: the right that `element` does not give
  mode_t mode = 0;        ///< type and mode bits of `element`, where it is there
  uid_t uid = 0;          ///< its owner, as seen in the user namespace of the calling process
  gid_t gid = 0;
};

namespace detail {

inline auto joined_path(std::string_view directory, std::string_view name) -> std::string {
  if (directory == ".") return std::string{name};
  return fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", name);
}

inline auto parent_path(std::string_view path) -> std::string {
  const auto slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return std::string{path.substr(0, std::max(slash, std::size_t{1}))};
}

/// The walk itself. Below a root nothing is ever opened but single components, and `..` by a new lookup from the root.
class path_walk {
 public:
  path_walk() = default;
  explicit path_walk(unique_fd root) : root_{std::move(root)} {}

  auto operator()(std::string_view path, const requirement& wanted) -> obstacle {
    if (path.empty()) return {.code = ENOENT};
    if (path.size() >= PATH_MAX) return {.code = ENAMETOOLONG, .element = std::string{path}};
    if (auto done = begin(path.starts_with('/') || root_); !done) return {.code = done.error().code};
    push(path);
    while (!todo_.empty()) {
      const auto name = std::move(todo_.back());
      todo_.pop_back();
      if (step(name) != 0) return found_;
      if (todo_.size() < after_link_) forget_link();
    }
    (void)judge(wanted);
    return found_;
  }

 private:
  auto begin(bool absolute) -> result<> {
    here_ = absolute ? "/" : ".";
    now_ = root_ ? OCITK_TRY(open_in_root(root_, "/")) : OCITK_TRY(open_at(fd_ref::cwd(), here_, O_PATH));
    return {};
  }

  /// Puts the components of a path in front of what is left. A slash at the end asks for a directory, like a dot.
  auto push(std::string_view path) -> void {
    std::vector<std::string> names;
    if (path.ends_with('/')) names.emplace_back(".");
    while (!path.empty()) {
      const auto slash = path.rfind('/');
      const auto name = path.substr(slash == path.npos ? 0 : slash + 1);
      if (!name.empty()) names.emplace_back(name);
      path = path.substr(0, slash == path.npos ? 0 : slash);
    }
    todo_.insert(todo_.end(), names.begin(), names.end());
  }

  auto stopped(int code, std::string element) -> int {
    found_.code = code;
    found_.reached = parent_path(element);
    found_.element = std::move(element);
    return code;
  }
  auto stopped_at(int code, std::string element, const struct stat& st, int denied) -> int {
    found_.mode = st.st_mode;
    found_.uid = st.st_uid;
    found_.gid = st.st_gid;
    found_.denied = denied;
    return stopped(code, std::move(element));
  }

  /// A component that could not be opened: the directory may be at fault, or no directory at all.
  auto judge_open(int code, const std::string& name) -> int {
    const auto st = status_of(now_);
    if (code == ENOTDIR && st) return stopped_at(code, here_, *st, 0);
    if (code == EACCES && st) return stopped_at(code, here_, *st, X_OK);
    return stopped(code, joined_path(here_, name));
  }

  auto step(const std::string& name) -> int {
    if (name == "..") return up();
    auto next = open_at(now_, name, O_PATH | O_NOFOLLOW);
    if (!next) return judge_open(next.error().code, name);
    if (name == ".") return 0;
    const auto st = status_of(*next);
    if (!st) return stopped(st.error().code, joined_path(here_, name));
    if (S_ISLNK(st->st_mode)) return follow(*next, name);
    here_ = joined_path(here_, name);
    now_ = std::move(*next);
    return 0;
  }

  auto up() -> int {
    auto inside = open_at(now_, ".", O_PATH);  // the kernel asks for search permission here too
    if (!inside) return judge_open(inside.error().code, "..");
    const auto parent = here_ == "/"                                              ? here_
                        : here_ == "." || here_ == ".." || here_.ends_with("/..") ? joined_path(here_, "..")
                                                                                  : parent_path(here_);
    auto next = root_ ? open_in_root(root_, parent) : open_at(now_, "..", O_PATH);
    if (!next) return stopped(next.error().code, parent);
    here_ = parent;
    now_ = std::move(*next);
    return 0;
  }

  auto follow(const unique_fd& link, const std::string& name) -> int {
    constexpr int most_links = 40;  // MAXSYMLINKS of the kernel
    auto at_link = joined_path(here_, name);
    auto target = read_link_at(link, "");
    if (!target) return stopped(target.error().code, at_link);
    found_.link = at_link;
    found_.target = *target;
    after_link_ = todo_.size();
    if (++links_ > most_links) return stopped(ELOOP, at_link);
    if (is_magic(link, name)) return follow_magic(name, at_link);
    if (target->starts_with('/'))
      if (auto done = begin(true); !done) return stopped(done.error().code, "/");
    push(*target);
    return 0;
  }

  /// A link of procfs that leads to an object, whatever its text says.
  auto is_magic(const unique_fd& link, const std::string& name) const -> bool {
    const auto magic = filesystem_of(link);
    if (!magic || *magic != PROC_SUPER_MAGIC) return false;
    const auto plain = open_resolved(now_, name, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    return !plain && plain.error().code == ELOOP;
  }
  auto follow_magic(const std::string& name, const std::string& at_link) -> int {
    if (root_) return stopped(ELOOP, at_link);
    auto next = open_at(now_, name, O_PATH);
    if (!next) return stopped(next.error().code, at_link);
    here_ = at_link;
    now_ = std::move(*next);
    return 0;
  }

  auto judge(const requirement& wanted) -> int {
    const auto st = status_of(now_);
    if (!st) return stopped(st.error().code, here_);
    if (wanted.directory && !S_ISDIR(st->st_mode)) return stopped_at(ENOTDIR, here_, *st, 0);
    for (const int right : {R_OK, W_OK, X_OK}) {
      if ((wanted.access & right) == 0) continue;
      if (::faccessat(now_.get(), "", right, AT_EMPTY_PATH | AT_EACCESS) == 0) continue;
      if (errno == EACCES) return stopped_at(EACCES, here_, *st, right);
      if (errno == EROFS) return stopped_at(EROFS, here_, *st, right);
    }
    return 0;
  }

  auto forget_link() -> void {
    found_.link.clear();
    found_.target.clear();
    after_link_ = 0;
  }

  unique_fd root_{};  ///< empty: the calling process' own root
  unique_fd now_{};
  std::string here_{};
  std::vector<std::string> todo_{};  ///< components, the next one last
  std::size_t after_link_ = 0;       ///< with fewer than these left to do, the link is behind us
  int links_ = 0;
  obstacle found_{};
};

inline auto kind_of_file(mode_t mode) -> std::string_view {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFREG:
      return "a regular file";
    case S_IFLNK:
      return "a symbolic link";
    case S_IFIFO:
      return "a fifo";
    case S_IFSOCK:
      return "a socket";
    case S_IFCHR:
      return "a character device";
    case S_IFBLK:
      return "a block device";
    default:
      return "of no known type";
  }
}

inline auto in_groups(gid_t gid) -> bool {
  if (gid == ::getegid()) return true;
  std::vector<gid_t> mine(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  if (mine.empty() || ::getgroups(static_cast<int>(mine.size()), mine.data()) < 0) return false;
  return std::ranges::find(mine, gid) != mine.end();
}

/// By the mode bits alone, for the calling process.
inline auto mode_allows(mode_t mode, uid_t uid, gid_t gid, int right) -> bool {
  const auto bits = static_cast<mode_t>(right);
  if (::geteuid() == uid) return (mode >> 6 & bits) != 0;
  if (in_groups(gid)) return (mode >> 3 & bits) != 0;
  return (mode & bits) != 0;
}

/// `may not be searched by uid 1000 (mode 0700, owner 0:0)`
inline auto denial(mode_t mode, uid_t uid, gid_t gid, int right) -> std::string {
  const auto* verb = right == R_OK ? "read" : right == W_OK ? "written" : S_ISDIR(mode) ? "searched" : "executed";
  auto text =
      fmt::format("may not be {} by uid {} (mode {:04o}, owner {}:{})", verb, ::geteuid(), mode & 07777U, uid, gid);
  if (mode_allows(mode, uid, gid, right))
    return text + ": not by its mode, but by an ACL or a security module (SELinux, AppArmor)";
  const auto power = has_capability(CAP_DAC_OVERRIDE);
  if (power && *power && (right != X_OK || S_ISDIR(mode)))
    text += ", whose capabilities do not reach the user namespace of the owner";
  return text;
}

inline auto without_link(const obstacle& o) -> std::string {
  if (o.element.empty()) return o.code == ENOENT ? "the path is empty" : "";
  const auto element = printable(o.element);
  switch (o.code) {
    case ENOENT:
      return element + " is missing" +
             (o.reached == "/" || o.reached == "." ? "" : "; " + printable(o.reached) + " is there");
    case ENOTDIR:
      return fmt::format("{} is {}, no directory", element, kind_of_file(o.mode));
    case EACCES:
      return fmt::format("{} {}", element, denial(o.mode, o.uid, o.gid, o.denied));
    case EROFS:
      return element + " is on a read-only mount";
    case ENAMETOOLONG:
      return element + " is longer than a path, or has a name longer than its file system takes";
    default:
      return fmt::format("{} cannot be looked up{}", element,
                         o.reached.empty() ? "" : "; " + printable(o.reached) + " is there");
  }
}

}  // namespace detail

/// Walks a path of the host, or of whatever root the calling process has. Relative ones start at its directory.
///
/// Calls  openat(2) O_PATH, readlinkat(2), fstat(2), faccessat(2) for what is at the end
inline auto find_obstacle(const std::string& path, const requirement& wanted = {}) -> obstacle {
  return detail::path_walk{}(path, wanted);
}

/// Walks a path of the container: links and `..` stay below the root (threat R1).
///
/// Calls  openat2(2) RESOLVE_IN_ROOT for the root and `..`, openat(2) O_NOFOLLOW for one component at a time
inline auto find_obstacle_in_root(fd_ref root, const std::string& path, const requirement& wanted = {}) -> obstacle {
  auto own = duplicate(root);
  if (!own) return {.code = own.error().code};
  return detail::path_walk{std::move(*own)}(path, wanted);
}

/// One clause, without a full stop: `/srv/data links to ../mnt; /mnt is missing`. Empty where nothing is in the way.
inline auto to_string(const obstacle& o) -> std::string {
  if (o.code == 0) return {};
  if (o.link.empty()) return detail::without_link(o);
  const auto link = fmt::format("{} links to {}", printable(o.link), printable(o.target));
  if (o.code == ELOOP)
    return link + (o.element == o.link ? ", one link too many: they lead in a circle, or to a magic link" : "");
  return fmt::format("{}; {}", link, detail::without_link(o));
}

/// The clause, if it accounts for what the failed call returned: between the two somebody may have changed the path.
inline auto clause_of(const obstacle& o, int code) -> std::string {
  return o.code == code ? to_string(o) : std::string{};
}

}  // namespace ocitk::sys

#endif
