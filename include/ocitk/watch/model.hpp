#ifndef OCITK_WATCH_MODEL_HPP
#define OCITK_WATCH_MODEL_HPP

#include <ocitk/fd.hpp>
#include <ocitk/sys/kernel/pretence.hpp>

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A machine that only remembers: what was made, mounted and opened in a rehearsal, over the real files of the host and
/// the real files of the rootfs, which are looked at and never touched. It knows what setting a container up needs to
/// know: whether a name is there, what kind of thing it is, and what was mounted over it.
namespace ocitk::watch {

namespace detail {

/// The container's file system is a world of its own, with its own `/`.
enum class world { host, inside };

struct spot {
  world in = world::host;
  std::string path = "/";  ///< absolute, clean
  auto operator<=>(const spot&) const = default;
};

/// `/a//b/./c/..` is `/a/b`.
inline auto tidy(std::string_view path) -> std::string {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    const auto part = path.substr(0, end);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  std::string clean;
  for (const auto part : parts) clean.append("/").append(part);
  return clean.empty() ? "/" : clean;
}

/// The first of Unix98's, as linux/major.h numbers them.
inline auto terminal_device() -> dev_t { return makedev(136, 0); }

inline auto is_below(std::string_view path, std::string_view top) -> bool {
  if (top == "/") return true;
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

inline auto parent_of(const std::string& path) -> std::string {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

/// Where a symbolic link leads, by its words.
inline auto led_to(const std::string& link, const std::string& target) -> std::string {
  return tidy(target.starts_with('/') ? target : parent_of(link) + "/" + target);
}

struct node {
  mode_t mode = S_IFDIR | 0755;
  dev_t device = 0;
  std::string target{};  ///< of a symbolic link
};

inline auto node_of(int fd) -> node {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return {};
  return {.mode = st.st_mode, .device = st.st_rdev, .target = {}};
}

/// What a descriptor stands for.
struct opened {
  spot at{};
  bool is_real = false;     ///< the number itself is of the real file
  node what{};              ///< if not
  std::string filesystem{};  ///< of a mount or file system in the making: "tmpfs"
  std::size_t taken = 0;    ///< bytes read
};

/// What covers a directory of the container.
struct covered {
  std::string filesystem{};
  int under = -1;  ///< a descriptor of real files that show through; -1: it is empty
};

inline auto magic_of(std::string_view filesystem) -> long {
  if (filesystem == "devpts") return DEVPTS_SUPER_MAGIC;
  if (filesystem == "tmpfs") return TMPFS_MAGIC;
  if (filesystem == "proc") return PROC_SUPER_MAGIC;
  if (filesystem == "sysfs") return SYSFS_MAGIC;
  if (filesystem == "cgroup") return CGROUP_SUPER_MAGIC;
  if (filesystem == "cgroup2") return CGROUP2_SUPER_MAGIC;
  return 0;
}

/// Of a pidfd; 0 for what is none.
inline auto pid_of(int pidfd) -> int {
  const auto path = "/proc/self/fdinfo/" + std::to_string(pidfd);
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> info{std::fopen(path.c_str(), "re"), &std::fclose};
  std::array<char, 128> line{};
  int pid = 0;
  while (info && std::fgets(line.data(), line.size(), info.get()) != nullptr)
    if (std::sscanf(line.data(), "Pid: %d", &pid) == 1) return pid;
  return 0;
}

}  // namespace detail

class model : public pretence {
 public:
  auto open(int dir, const char* path, std::uint64_t flags, std::uint64_t resolve) -> long override;
  auto stat(int dir, const char* path, int flags, struct stat& out) -> long override;
  auto statfs(int fd, struct statfs& out) -> long override;
  auto readlink(int dir, const char* path, char* out, std::size_t size) -> long override;
  auto access(int dir, const char* path, int mode, int flags) -> long override;
  auto read(int fd, void* out, std::size_t size) -> long override;
  auto write(int fd, const void* bytes, std::size_t size) -> long override;
  auto make(int dir, const char* path, mode_t mode, dev_t device) -> long override { return make_node(dir, path, {.mode = mode, .device = device, .target = {}}); }
  auto symlink(const char* target, int dir, const char* path) -> long override {
    return make_node(dir, path, {.mode = S_IFLNK | 0777, .device = 0, .target = target});
  }
  auto remove(int dir, const char* path) -> long override;
  auto rename(int dir, const char* from, const char* to) -> long override;
  auto open_tree(int dir, const char* path, unsigned flags) -> long override;
  auto fsopen(const char* type) -> long override;
  auto fsmount(int fs) -> long override;
  auto move_mount(int mount, int dir, const char* path) -> long override;
  auto change_root() -> long override;
  auto join(int ns, std::uint64_t kinds) -> long override;
  auto chdir(int dir, const char* path) -> long override;
  auto getcwd(char* out, std::size_t size) -> long override;
  auto dup2(int from, int to) -> long override;
  auto is_terminal(int fd) -> bool override {
    const auto known = opened_.find(fd);
    return known == opened_.end() || known->second.is_real ? ::isatty(fd) == 1 : known->second.what.device == detail::terminal_device();
  }
  auto duplicated(int fd, int copy) -> void override {
    opened_.erase(copy);
    if (const auto known = opened_.find(fd); known != opened_.end()) opened_[copy] = known->second;
  }
  auto forget(int fd) -> void override {
    opened_.erase(fd);
    connected_.erase(fd);
  }
  auto enter_user_namespace() -> void override { has_every_capability_ = true; }
  auto has_every_capability() -> bool override { return has_every_capability_; }
  auto connect(int socket) -> long override {
    connected_.insert(socket);
    return 0;
  }
  auto is_connected(int socket) -> bool override { return connected_.contains(socket); }
  auto placeholder(const char* what) -> long override {
    if (std::string_view{what} == terminal_slave) return stand_in({.what = {.mode = S_IFCHR | 0620, .device = detail::terminal_device(), .target = {}}});
    return stand_in({});
  }

 private:
  using spot = detail::spot;
  using world = detail::world;

  static constexpr std::uint64_t writing = O_WRONLY | O_RDWR;

  /// Where a path leads, by its words.
  [[nodiscard]] auto spot_of(int dir, std::string_view path, std::uint64_t resolve) const -> spot {
    const auto found = opened_.find(dir);
    const auto base = dir == AT_FDCWD || found == opened_.end() ? cwd_ : found->second.at;
    const bool rooted = (resolve & RESOLVE_IN_ROOT) != 0;
    if (path.starts_with('/') && !rooted) return {changed_root_ ? world::inside : world::host, detail::tidy(path)};
    return {base.in, detail::tidy(base.path + "/" + std::string{path})};
  }
  [[nodiscard]] auto knows(int dir, std::string_view path) const -> bool {
    return dir == AT_FDCWD || path.starts_with('/') || opened_.contains(dir);
  }
  auto remember(long fd, detail::opened what) -> long {
    if (fd < 0) return fd;
    opened_[static_cast<int>(fd)] = std::move(what);
    return fd;
  }
  /// A number to hand out for what is not there.
  auto stand_in(detail::opened what) -> long {
    const int fd = ::open("/dev/null", O_PATH | O_CLOEXEC);
    return fd < 0 ? -errno : remember(fd, std::move(what));
  }
  /// Never for writing: the guard of a rehearsal cannot look into what openat2(2) is given.
  static auto really(int dir, const char* path, std::uint64_t flags, std::uint64_t resolve) -> long {
    open_how how{};
    how.flags = (flags & (writing | O_CREAT | O_TRUNC)) != 0 ? (flags & (O_NOFOLLOW | O_DIRECTORY)) | O_PATH : flags;
    how.flags |= O_CLOEXEC;
    how.resolve = resolve;
    const long fd = ::syscall(SYS_openat2, dir, *path == '\0' ? "." : path, &how, sizeof how);
    return fd < 0 ? -errno : fd;
  }
  static constexpr int most_links = 40;  ///< on one way, as for the kernel
  auto find(const spot& where, std::uint64_t flags, std::uint64_t resolve, int links_left = most_links) -> long;
  auto find_by_parent(const spot& where, std::uint64_t flags, std::uint64_t resolve, int links_left) -> long;
  auto make_node(int dir, const char* path, detail::node what) -> long;
  auto the_mounted(int what, const spot& where, std::uint64_t flags) -> long;
  /// What a symbolic link of the real files says; empty: it is none.
  static auto link_at(int dir, const std::string& path) -> std::string {
    const unique_fd link{static_cast<int>(really(dir, path.c_str(), O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))};
    std::string target(4096, '\0');
    const auto n = link ? ::readlinkat(link.get(), "", target.data(), target.size()) : ssize_t{-1};
    target.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return target;
  }
  auto find_on_host(const spot& where, std::uint64_t flags, std::uint64_t resolve) -> long;
  auto find_below(const std::string& mountpoint, const spot& where, std::uint64_t flags, std::uint64_t resolve, int links_left) -> long;
  auto new_file(const spot& where, std::uint64_t flags) -> long;
  auto new_mount(const std::string& type) -> long;
  [[nodiscard]] auto mount_over(const std::string& path) const -> std::string;
  [[nodiscard]] auto made_above(const spot& where) const -> bool;

  std::map<int, detail::opened> opened_{};
  std::map<spot, detail::node> made_{};
  std::set<spot> gone_{};
  std::map<std::string, detail::covered> mounts_{};  ///< of the container, by where they are
  std::set<int> connected_{};
  spot cwd_{};
  bool changed_root_ = false;
  bool has_every_capability_ = false;
  int new_mounts_ = 0;
};

/// The mountpoint that a path of the container is on: the longest one above it.
inline auto model::mount_over(const std::string& path) const -> std::string {
  std::string best = "/";
  for (const auto& [mountpoint, what] : mounts_)
    if (detail::is_below(path, mountpoint) && mountpoint.size() >= best.size()) best = mountpoint;
  return best;
}

/// Was one of the directories above it made in the rehearsal?
inline auto model::made_above(const spot& where) const -> bool {
  for (auto path = where.path; path != "/"; path = detail::parent_of(path))
    if (made_.contains({where.in, detail::parent_of(path)})) return true;
  return false;
}

inline auto model::open(int dir, const char* path, std::uint64_t flags, std::uint64_t resolve) -> long {
  if (!knows(dir, path)) return really(dir, path, flags, resolve);
  const auto where = spot_of(dir, path, resolve);
  if (const auto base = opened_.find(dir); std::string_view{path}.empty() || std::string_view{path} == ".")
    if (base != opened_.end() && !base->second.is_real) return stand_in(base->second);
  const auto found = find(where, flags, resolve);
  if (found == -ENOENT && (flags & O_CREAT) != 0) return new_file(where, flags);
  if (found >= 0 && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
    ::close(static_cast<int>(found));
    return -EEXIST;
  }
  return found;
}

inline auto model::new_file(const spot& where, std::uint64_t) -> long {
  made_[where] = {.mode = S_IFREG | 0644, .device = 0, .target = {}};
  return stand_in({.at = where, .what = made_[where]});
}

inline auto model::find(const spot& where, std::uint64_t flags, std::uint64_t resolve, int links_left) -> long {
  if (const auto made = made_.find(where); made != made_.end()) {
    if (S_ISLNK(made->second.mode) && (flags & O_NOFOLLOW) == 0) {
      if ((resolve & RESOLVE_NO_SYMLINKS) != 0 || links_left == 0) return -ELOOP;
      return find({where.in, detail::led_to(where.path, made->second.target)}, flags, resolve, links_left - 1);
    }
    if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(made->second.mode)) return -ENOTDIR;
    return stand_in({.at = where, .what = made->second});
  }
  if (gone_.contains(where)) return -ENOENT;
  if (where.in == world::host) return find_on_host(where, flags, resolve);
  return find_below(mount_over(where.path), where, flags, resolve, links_left);
}

/// A cgroup that is only pretended to be there has every file that a cgroup can have.
inline auto model::find_on_host(const spot& where, std::uint64_t flags, std::uint64_t resolve) -> long {
  if (made_above(where)) {
    if (!where.path.starts_with("/sys/fs/cgroup/") || !made_.contains({where.in, detail::parent_of(where.path)})) return -ENOENT;
    return stand_in({.at = where, .what = {.mode = S_IFREG | 0644, .device = 0, .target = {}}});
  }
  const bool written = (flags & writing) != 0;
  const auto how = written ? (flags & O_NOFOLLOW) | O_PATH : flags & ~std::uint64_t{O_CREAT | O_EXCL | O_TRUNC};
  const auto fd = really(AT_FDCWD, where.path.c_str(), how, resolve & RESOLVE_NO_SYMLINKS);
  return remember(fd, {.at = where, .is_real = true});
}

/// A mountpoint itself, which may be a file.
inline auto model::the_mounted(int what, const spot& where, std::uint64_t flags) -> long {
  if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(detail::node_of(what).mode)) return -ENOTDIR;
  if ((flags & (O_PATH | writing)) == 0) {
    const auto by_number = "/proc/self/fd/" + std::to_string(what);
    return remember(really(AT_FDCWD, by_number.c_str(), flags & ~std::uint64_t{O_NOFOLLOW}, 0), {.at = where, .is_real = true});
  }
  const int copy = ::fcntl(what, F_DUPFD_CLOEXEC, 3);
  return copy < 0 ? -errno : remember(copy, {.at = where, .is_real = true});
}

/// The way there may lead over a symbolic link to another mount, or to what was only made.
inline auto model::find_by_parent(const spot& where, std::uint64_t flags, std::uint64_t resolve, int links_left) -> long {
  if (links_left == 0 || where.path == "/") return -ENOENT;
  const auto parent = find({where.in, detail::parent_of(where.path)}, O_PATH | O_DIRECTORY, resolve, links_left - 1);
  if (parent < 0) return parent;
  const auto real_parent = opened_.at(static_cast<int>(parent)).at;
  ::close(static_cast<int>(parent));
  const spot real{where.in, detail::tidy(real_parent.path + where.path.substr(where.path.rfind('/')))};
  return real == where ? -ENOENT : find(real, flags, resolve, links_left - 1);
}

/// Looks below what is mounted there; symbolic links may lead to another mount, where the search goes on.
inline auto model::find_below(const std::string& mountpoint, const spot& where, std::uint64_t flags, std::uint64_t resolve,
                              int links_left) -> long {
  const auto on = mounts_.find(mountpoint);
  if (on == mounts_.end()) return -ENOENT;
  const auto rest = where.path.substr(mountpoint == "/" ? 1 : std::min(mountpoint.size() + 1, where.path.size()));
  if (on->second.under < 0) {
    if (rest.empty()) return stand_in({.at = where, .filesystem = on->second.filesystem});
    if (on->second.filesystem == "devpts" && rest == "ptmx")
      return stand_in({.at = where, .what = {.mode = S_IFCHR | 0666, .device = makedev(5, 2), .target = {}}});
    return find_by_parent(where, flags, resolve, links_left);
  }
  if (rest.empty()) return the_mounted(on->second.under, where, flags);
  const auto inside = (resolve & ~std::uint64_t{RESOLVE_BENEATH | RESOLVE_NO_XDEV}) | RESOLVE_IN_ROOT;
  const auto fd = really(on->second.under, rest.c_str(), O_PATH | (flags & (O_NOFOLLOW | O_DIRECTORY)), inside);
  if (fd == -ENOENT) {
    const auto target = (flags & O_NOFOLLOW) == 0 ? link_at(on->second.under, rest) : std::string{};
    if (target.empty() || links_left == 0) return find_by_parent(where, flags, resolve, links_left);
    return find({where.in, detail::led_to(where.path, target)}, flags, resolve, links_left - 1);  // what was made is not where the kernel looks
  }
  if (fd < 0) return fd;
  std::string top(4096, '\0'), true_path(4096, '\0');
  top.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::readlink(("/proc/self/fd/" + std::to_string(on->second.under)).c_str(), top.data(), top.size()))));
  true_path.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), true_path.data(), true_path.size()))));
  spot real = where;
  if (detail::is_below(true_path, top)) {
    const auto below = true_path.substr(top == "/" ? 0 : top.size());
    real.path = detail::tidy(mountpoint + "/" + below);
  }
  if (real != where && links_left > 0 && (mount_over(real.path) != mountpoint || made_.contains(real))) {
    ::close(static_cast<int>(fd));
    return find(real, flags, resolve, links_left - 1);
  }
  if ((flags & (O_PATH | writing)) != 0) return remember(fd, {.at = real, .is_real = true});
  ::close(static_cast<int>(fd));
  return remember(really(on->second.under, rest.c_str(), flags, inside), {.at = real, .is_real = true});
}

inline auto model::stat(int dir, const char* path, int flags, struct stat& out) -> long {
  if (!knows(dir, path)) return ::fstatat(dir, path, &out, flags) != 0 ? -errno : 0;
  const bool of_descriptor = *path == '\0' && dir != AT_FDCWD;
  long fd = dir;
  if (!of_descriptor) fd = open(dir, path, O_PATH | ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0), 0);
  if (fd < 0) return fd;
  const auto known = opened_.find(static_cast<int>(fd));
  long answer = 0;
  if (known == opened_.end() || known->second.is_real) {
    answer = ::fstat(static_cast<int>(fd), &out) != 0 ? -errno : 0;
  } else {
    out = {};
    out.st_mode = known->second.what.mode;
    out.st_rdev = known->second.what.device;
    out.st_ino = std::hash<std::string>{}(known->second.at.path);
    out.st_uid = ::geteuid();
  }
  if (!of_descriptor) ::close(static_cast<int>(fd));
  return answer;
}

inline auto model::statfs(int fd, struct statfs& out) -> long {
  const auto known = opened_.find(fd);
  if (known == opened_.end() || known->second.is_real) return ::fstatfs(fd, &out) != 0 ? -errno : 0;
  out = {};
  auto filesystem = known->second.filesystem;
  if (filesystem.empty() && known->second.at.in == world::inside)
    if (const auto on = mounts_.find(mount_over(known->second.at.path)); on != mounts_.end()) filesystem = on->second.filesystem;
  if (filesystem.empty() && known->second.at.path.starts_with("/sys/fs/cgroup/")) filesystem = "cgroup2";
  out.f_type = detail::magic_of(filesystem);
  return 0;
}

inline auto model::readlink(int dir, const char* path, char* out, std::size_t size) -> long {
  if (!knows(dir, path)) {
    const auto n = ::readlinkat(dir, path, out, size);
    return n < 0 ? -errno : n;
  }
  const auto fd = open(dir, path, O_PATH | O_NOFOLLOW, 0);
  if (fd < 0) return fd;
  const bool is_real = opened_.at(static_cast<int>(fd)).is_real;
  const auto& what = opened_.at(static_cast<int>(fd)).what;
  if (!is_real && S_ISLNK(what.mode)) {
    const auto part = what.target.substr(0, size);
    std::memcpy(out, part.data(), part.size());
    ::close(static_cast<int>(fd));
    return static_cast<long>(part.size());
  }
  const auto n = is_real ? ::readlinkat(static_cast<int>(fd), "", out, size) : ssize_t{-1};
  const long answer = n >= 0 ? n : is_real && errno != ENOENT ? -errno : -EINVAL;
  ::close(static_cast<int>(fd));
  return answer;
}

inline auto model::access(int dir, const char* path, int mode, int flags) -> long {
  if (!knows(dir, path)) return ::faccessat(dir, path, mode, flags) != 0 ? -errno : 0;
  const auto fd = open(dir, path, O_PATH, 0);
  if (fd < 0) return fd;
  const bool is_real = opened_.at(static_cast<int>(fd)).is_real;
  const long refused = is_real ? ::syscall(SYS_faccessat2, fd, "", mode, flags | AT_EMPTY_PATH) : 0;
  const long answer = refused != 0 ? -errno : 0;
  ::close(static_cast<int>(fd));
  return answer;
}

inline auto model::read(int fd, void* out, std::size_t size) -> long {
  const auto known = opened_.find(fd);
  if (known == opened_.end() || known->second.is_real) {
    const auto n = ::read(fd, out, size);
    return n < 0 ? -errno : n;
  }
  const std::string_view text = known->second.at.path.ends_with("/cgroup.type") ? "domain\n" : known->second.filesystem.empty() && S_ISFIFO(known->second.what.mode) ? "0" : "";
  const auto part = text.substr(std::min(known->second.taken, text.size())).substr(0, size);
  std::memcpy(out, part.data(), part.size());
  known->second.taken += part.size();
  return static_cast<long>(part.size());
}

/// What the rehearsal opened is not written to; what it was given is: a log, a message to the user.
inline auto model::write(int fd, const void* bytes, std::size_t size) -> long {
  if (opened_.contains(fd)) return static_cast<long>(size);
  const auto n = ::write(fd, bytes, size);
  return n < 0 ? -errno : n;
}

/// Of what is known only by name the number stays what it is. Pipes and the like are real, and so is their copy.
inline auto model::dup2(int from, int to) -> long {
  if (const auto known = opened_.find(from); known != opened_.end()) {
    opened_[to] = known->second;
    opened_[to].is_real = false;
    if (known->second.is_real) opened_[to].what = detail::node_of(from);
    return to;
  }
  opened_.erase(to);
  return ::dup2(from, to) < 0 ? -errno : to;
}

inline auto model::make_node(int dir, const char* path, detail::node what) -> long {
  if (!knows(dir, path)) return 0;
  const auto there = open(dir, path, O_PATH | O_NOFOLLOW, 0);
  if (there >= 0) {
    ::close(static_cast<int>(there));
    return -EEXIST;
  }
  if (there != -ENOENT) return there;
  auto where = spot_of(dir, path, 0);
  const auto parent = find({where.in, detail::parent_of(where.path)}, O_PATH | O_DIRECTORY, 0);
  if (parent < 0) return parent;
  where.path = detail::tidy(opened_.at(static_cast<int>(parent)).at.path + where.path.substr(where.path.rfind('/')));
  ::close(static_cast<int>(parent));
  gone_.erase(where);
  made_[where] = std::move(what);
  return 0;
}

inline auto model::remove(int dir, const char* path) -> long {
  if (!knows(dir, path)) return 0;
  const auto there = open(dir, path, O_PATH | O_NOFOLLOW, 0);
  if (there < 0) return there;
  ::close(static_cast<int>(there));
  const auto where = spot_of(dir, path, 0);
  if (made_.erase(where) == 0) gone_.insert(where);
  return 0;
}

inline auto model::rename(int dir, const char* from, const char* to) -> long {
  const auto old = made_.find(spot_of(dir, from, 0));
  if (old == made_.end()) return 0;
  const auto what = old->second;
  made_.erase(old);
  made_[spot_of(dir, to, 0)] = what;
  return 0;
}

inline auto model::open_tree(int dir, const char* path, unsigned flags) -> long {
  if ((flags & AT_EMPTY_PATH) != 0 && *path == '\0') {
    const auto known = opened_.find(dir);
    const int copy = ::fcntl(dir, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : remember(copy, known == opened_.end() ? detail::opened{.is_real = true} : known->second);
  }
  return open(dir, path, O_PATH | ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0), 0);
}

inline auto model::fsopen(const char* type) -> long { return stand_in({.filesystem = type}); }

/// Empty, and in a place of its own until it is moved: files may be made in it before.
inline auto model::new_mount(const std::string& type) -> long {
  const spot place{world::inside, "/.detached/new" + std::to_string(++new_mounts_)};
  mounts_[place.path] = {.filesystem = type};
  return stand_in({.at = place, .filesystem = type});
}

/// The kernel's own file systems show the same in a container, as far as a setup looks; others are empty.
inline auto model::fsmount(int fs) -> long {
  const auto known = opened_.find(fs);
  const auto type = known == opened_.end() ? std::string{} : known->second.filesystem;
  const char* same = type == "proc" ? "/proc" : type == "sysfs" ? "/sys" : nullptr;
  if (same == nullptr) return new_mount(type);
  const auto fd = really(AT_FDCWD, same, O_PATH | O_DIRECTORY, 0);
  if (fd < 0) return stand_in({.filesystem = type});
  mounts_["/.detached/" + std::to_string(fd)] = {.filesystem = type, .under = ::fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 3)};
  return remember(fd, {.at = {world::inside, "/.detached/" + std::to_string(fd)}, .is_real = true, .filesystem = type});
}

inline auto model::move_mount(int mount, int dir, const char* path) -> long {
  const auto what = opened_.find(mount);
  if (what == opened_.end()) return 0;
  auto where = spot_of(dir, path, 0);
  const bool on_its_own_path = where.in == world::host && where == what->second.at;  // the root, where hooks look for it
  if (on_its_own_path || (dir == AT_FDCWD && std::string_view{path} == "/")) where = {world::inside, "/"};
  if (where.in == world::host) return 0;
  const int under = what->second.is_real ? ::fcntl(mount, F_DUPFD_CLOEXEC, 3) : -1;
  mounts_[where.path] = {.filesystem = what->second.filesystem, .under = under};
  std::erase_if(made_, [&](const auto& made) {
    return made.first.in == world::inside && made.first.path != where.path && detail::is_below(made.first.path, where.path);
  });
  if (where.path != "/") made_.erase(where);
  what->second.at = where;
  return 0;
}

inline auto model::chdir(int dir, const char* path) -> long {
  if (*path == '\0') {
    const auto known = opened_.find(dir);
    if (known != opened_.end()) cwd_ = known->second.at;
    return 0;
  }
  const auto fd = open(dir, path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0) return fd;
  cwd_ = opened_.at(static_cast<int>(fd)).at;
  ::close(static_cast<int>(fd));
  return 0;
}

/// By pivot_root(2) into what was mounted on `/`, or by chroot(2) into a directory of the host.
inline auto model::change_root() -> long {
  if (cwd_.in == world::host) {
    const auto fd = really(AT_FDCWD, cwd_.path.c_str(), O_PATH | O_DIRECTORY, 0);
    if (fd < 0) return fd;
    mounts_["/"] = {.filesystem = {}, .under = static_cast<int>(fd)};
  }
  cwd_ = {world::inside, "/"};
  changed_root_ = true;
  return 0;
}

/// The mount namespace of a process, by its pidfd: its root is looked at through /proc. Other namespaces show in no file.
inline auto model::join(int ns, std::uint64_t kinds) -> long {
  if ((kinds & CLONE_NEWUSER) != 0) enter_user_namespace();
  const int pid = (kinds & CLONE_NEWNS) != 0 ? detail::pid_of(ns) : 0;
  if (pid <= 0) return 0;
  const auto fd = really(AT_FDCWD, ("/proc/" + std::to_string(pid) + "/root").c_str(), O_PATH | O_DIRECTORY, 0);
  if (fd < 0) return fd;
  mounts_["/"] = {.filesystem = {}, .under = static_cast<int>(fd)};
  cwd_ = {world::inside, "/"};
  changed_root_ = true;
  return 0;
}

inline auto model::getcwd(char* out, std::size_t size) -> long {
  if (cwd_.path.size() + 1 > size) return -ERANGE;
  std::memcpy(out, cwd_.path.c_str(), cwd_.path.size() + 1);
  return static_cast<long>(cwd_.path.size() + 1);
}

}  // namespace ocitk::watch

#endif
