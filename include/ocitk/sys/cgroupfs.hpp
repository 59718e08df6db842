#ifndef OCITK_SYS_CGROUPFS_HPP
#define OCITK_SYS_CGROUPFS_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mountinfo.hpp>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The control group file systems: which are mounted where, and their directories and files by descriptor.
/// What walks a whole subtree (pids, kill, freeze, remove) is in cgroup_tree.hpp.
namespace ocitk::sys::cgroupfs {

/// One mounted hierarchy.
struct hierarchy {
  std::vector<std::string> controllers{};  ///< "cpu", "cpuacct", "name=systemd"; empty for cgroup2
  std::string mountpoint{};
  bool is_v2 = false;
  std::string own{};  ///< the caller's cgroup below the mountpoint: "/" or "/a/b"
  auto operator==(const hierarchy&) const -> bool = default;
};

inline auto lists(const std::vector<std::string>& words, std::string_view word) -> bool {
  for (const auto& w : words)
    if (w == word) return true;
  return false;
}

struct layout {
  std::vector<hierarchy> hierarchies{};
  bool pure_v2 = false;  ///< /sys/fs/cgroup itself is cgroup2; otherwise v1, or hybrid if unified() is there

  [[nodiscard]] auto unified() const -> const hierarchy* {
    for (const auto& h : hierarchies)
      if (h.is_v2) return &h;
    return nullptr;
  }
  [[nodiscard]] auto find(std::string_view controller) const -> const hierarchy* {
    for (const auto& h : hierarchies)
      if (lists(h.controllers, controller)) return &h;
    return nullptr;
  }
};

inline constexpr std::string_view usual_root = "/sys/fs/cgroup";

/// Did the cgroup (or process) vanish while we looked at it? Reads like "it was never there" (lessons 28, 29).
inline auto means_gone(const error& e) -> bool { return e.code == ENOENT || e.code == ENODEV || e.code == ESRCH; }

inline auto split(std::string_view text, char separator) -> std::vector<std::string> {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start < text.size();) {
    const auto end = std::min(text.find(separator, start), text.size());
    if (end > start) parts.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

inline auto trimmed(std::string_view text) -> std::string {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return std::string{text};
}

namespace detail {

/// One line of /proc/PID/mountinfo, as far as it matters here.
struct mount_line {
  std::string root{}, mountpoint{}, type{};
  std::vector<std::string> options{};  ///< of the superblock: v1 names its controllers there
};

/// One line of /proc/PID/cgroup: "4:memory:/a".
struct membership {
  std::vector<std::string> controllers{};
  std::string path{};
  bool is_v2 = false;
};

/// Is a mount on `above` in the way to `path`? One on the root is not: who stands there already looks below it.
inline auto is_covered(std::string_view path, std::string_view above) -> bool {
  return above != "/" && path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '/');
}

/// The mounts of control groups that can be reached: what a later mount covers is listed too, but not there.
inline auto cgroup_mounts(std::string_view mountinfo) -> std::vector<mount_line> {
  std::vector<mount_line> mounts;
  while (!mountinfo.empty()) {  // of thousands of lines few matter: nothing is copied for the others
    const auto end = std::min(mountinfo.find('\n'), mountinfo.size());
    auto line = mountinfo.substr(0, end);
    mountinfo.remove_prefix(std::min(end + 1, mountinfo.size()));
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto after = line.substr(dash + 3);
    const bool is_cgroup = after.starts_with("cgroup");
    if (!is_cgroup && mounts.empty()) continue;
    line = line.substr(0, dash);
    for (int i = 0; i < 3; ++i) (void)sys::detail::next_word(line);  // mount, parent, device
    const auto root = sys::detail::next_word(line);
    const auto point = unescaped(sys::detail::next_word(line));
    if (line.empty()) continue;  // cut off
    std::erase_if(mounts, [&](const auto& m) { return is_covered(m.mountpoint, point); });
    if (!is_cgroup) continue;
    const auto words = split(after, ' ');  // type, source, options of the superblock
    if (words.size() >= 3) mounts.push_back({unescaped(root), point, words[0], split(words.back(), ',')});
  }
  return mounts;
}

inline auto memberships(std::string_view self_cgroup) -> std::vector<membership> {
  std::vector<membership> all;
  for (const auto& line : split(self_cgroup, '\n')) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto names = std::string_view{line}.substr(first + 1, second - first - 1);
    all.push_back({split(names, ','), line.substr(second + 1), names.empty() && line.starts_with("0:")});
  }
  return all;
}

inline auto is_mount_of(const mount_line& mount, const membership& member) -> bool {
  if (member.is_v2) return mount.type == "cgroup2";
  if (mount.type != "cgroup") return false;
  for (const auto& controller : member.controllers)
    if (!lists(mount.options, controller)) return false;
  return true;
}

/// Where a cgroup is seen below a mount of only a part of its hierarchy (a container without a cgroup namespace).
inline auto seen_through(const mount_line& mount, const std::string& own) -> std::string {
  if (mount.root == "/" || !own.starts_with(mount.root)) return own;
  const auto rest = own.substr(mount.root.size());
  if (rest.empty()) return "/";
  return rest[0] == '/' ? rest : own;
}

/// A mount of the whole hierarchy if there is one: other containers' partial ones show up beside it.
inline auto mount_of(const std::vector<mount_line>& mounts, const membership& member) -> const mount_line* {
  const mount_line* best = nullptr;
  for (const auto& mount : mounts)
    if (is_mount_of(mount, member) && (best == nullptr || (best->root != "/" && mount.root == "/"))) best = &mount;
  return best;
}

}  // namespace detail

/// The hierarchies as /proc/self/mountinfo and /proc/self/cgroup tell them, in the order of the latter.
inline auto parse_layout(std::string_view mountinfo, std::string_view self_cgroup) -> layout {
  const auto mounts = detail::cgroup_mounts(mountinfo);
  layout found;
  for (const auto& m : mounts)
    if (m.type == "cgroup2" && m.mountpoint == usual_root) found.pure_v2 = true;
  for (const auto& member : detail::memberships(self_cgroup)) {
    if (found.pure_v2 && !member.is_v2) continue;
    const auto* mount = detail::mount_of(mounts, member);
    if (mount == nullptr) continue;
    found.hierarchies.push_back(
        {member.controllers, mount->mountpoint, member.is_v2, detail::seen_through(*mount, member.path)});
  }
  return found;
}

/// Reads a small kernel file at a directory.
inline auto read_file(fd_ref dir, const std::string& name) -> result<std::string> {
  const auto file = OCITK_TRY(open_at(dir, name, O_RDONLY));
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    const auto n = kernel::read(file.get(), chunk.data(), chunk.size());
    if (n == 0) return text;
    if (n > 0)
      text.append(chunk.data(), static_cast<std::size_t>(n));
    else if (errno != EINTR)
      return failed("read", name);
  }
}

/// One write(2) to an open file: the kernel takes a value whole or not at all.
inline auto write_to(fd_ref file, std::string_view value) -> result<> {
  for (;;) {
    const auto n = kernel::write(file.get(), value.data(), value.size());
    if (n >= 0) return {};
    if (errno != EINTR) return failed("write");
  }
}

inline auto write_file(fd_ref dir, const std::string& name, std::string_view value) -> result<> {
  const auto file = OCITK_TRY(open_at(dir, name, O_WRONLY));
  return trying(name, write_to(file, value));
}

/// The hierarchies of this machine.
///
/// Calls  statfs(2) on /sys/fs/cgroup, reads /proc/self/mountinfo and /proc/self/cgroup
inline auto detect() -> result<layout> {
  auto found = parse_layout(OCITK_TRY(read_file(fd_ref::cwd(), "/proc/self/mountinfo")),
                            OCITK_TRY(read_file(fd_ref::cwd(), "/proc/self/cgroup")));
  struct statfs fs{};
  const bool v2_on_top = ::statfs(std::string{usual_root}.c_str(), &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
  if (found.pure_v2 && !v2_on_top) return failure("/sys/fs/cgroup is hidden by another mount");
  return found;
}

inline auto is_cgroup_magic(long magic) -> bool { return magic == CGROUP_SUPER_MAGIC || magic == CGROUP2_SUPER_MAGIC; }

/// Opens a cgroup directory of the host by its absolute path and makes sure that it is one (threat R23).
inline auto open_dir(const std::string& path) -> result<unique_fd> {
  auto dir = open_at(fd_ref::cwd(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (dir && !is_cgroup_magic(OCITK_TRY(trying(path, filesystem_of(*dir))))) return failure(path + " is not a cgroup");
  return dir;
}

/// How make_below() came upon one level of a path.
struct level {
  bool created = false;
  bool last = false;
};

/// A cgroup and how much of its path is new.
struct made {
  unique_fd dir{};  ///< O_PATH; also what clone3(2) CLONE_INTO_CGROUP takes
  std::size_t levels = 0;
  std::size_t created = 0;  ///< this many of the last levels; 0: it was there
};

namespace detail {

template <class OnLevel>
auto make_levels(fd_ref parent, std::span<const std::string> names, made& done, OnLevel& on_level) -> result<> {
  const auto& name = names.front();
  const bool created = kernel::mkdirat(parent.get(), name.c_str(), 0755) == 0;
  if (!created && errno != EEXIST) return failed("mkdir", name);
  const auto go_on = [&]() -> result<> {
    done.dir = OCITK_TRY(open_beneath(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    done.created = created ? done.created + 1 : 0;
    OCITK_TRY(on_level(parent, fd_ref{done.dir}, level{.created = created, .last = names.size() == 1}));
    if (names.size() == 1) return {};
    const auto here = std::move(done.dir);
    return make_levels(here, names.subspan(1), done, on_level);
  };
  auto outcome = go_on();
  if (!outcome && created) (void)kernel::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);  // EBUSY: in use by others
  return outcome;
}

}  // namespace detail

/// Makes what is missing of a path below a hierarchy, level by level, each one opened below the one before.
/// `on_level(parent, dir, level)` sees every level, old or new, before the next one is made. Someone removing a shared
/// parent at the same moment is outlived. On failure nothing new stays.
///
/// Calls  mkdirat(2), openat2(2) RESOLVE_BENEATH
/// Fails  EACCES, EPERM, EROFS without the right to; ENAMETOOLONG; EAGAIN at cgroup.max.descendants
template <class OnLevel>
auto make_below(fd_ref root, const std::string& path, OnLevel&& on_level) -> result<made> {
  const auto names = split(path, '/');
  if (names.empty()) return failure("the path of a cgroup is empty");
  constexpr int tries = 16;
  for (int i = 1;; ++i) {
    made done{.levels = names.size()};
    auto outcome = trying(path, detail::make_levels(root, names, done, on_level));
    if (outcome) return done;
    if (i == tries || !means_gone(outcome.error())) return std::unexpected(std::move(outcome).error());
  }
}

}  // namespace ocitk::sys::cgroupfs

#endif
