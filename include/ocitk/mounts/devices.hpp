#ifndef OCITK_MOUNTS_DEVICES_HPP
#define OCITK_MOUNTS_DEVICES_HPP

#include <ocitk/context.hpp>
#include <ocitk/mounts/options.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/text.hpp>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// /dev of the container: nodes, links, the console. Every name is made in a directory that was opened before, and
/// looked at again afterwards (threats R2, R4).
namespace ocitk::mounts {

/// One node to make.
struct node {
  std::string path{};
  mode_t type = S_IFCHR;       ///< S_IFCHR, S_IFBLK or S_IFIFO
  unsigned major = 0, minor = 0;
  mode_t mode = 0666;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string pointer{};       ///< empty for the six that every container gets
  auto operator==(const node&) const -> bool = default;
};

namespace detail {

inline auto type_of(const spec::device& d) -> result<mode_t> {
  if (d.type == "c" || d.type == "u") return mode_t{S_IFCHR};
  if (d.type == "b") return mode_t{S_IFBLK};
  if (d.type == "p") return mode_t{S_IFIFO};
  return failure(filled("invalid device type \"{}\"", d.type));
}

inline auto node_of(const spec::device& d, std::string pointer) -> result<node> {
  node n{.path = clean(d.path), .type = OCITK_TRY(at(pointer + "/type", type_of(d))), .pointer = std::move(pointer)};
  n.major = static_cast<unsigned>(d.major);
  n.minor = static_cast<unsigned>(d.minor);
  n.mode = d.file_mode.value_or(0666) & 07777U;
  n.uid = d.uid.value_or(0);
  n.gid = d.gid.value_or(0);
  return n;
}

}  // namespace detail

/// The six usual nodes and the spec's; an entry of the spec takes the place of one of the six. `/dev/ptmx` is left
/// out: it is a link into the container's own devpts and nothing else.
///
/// Reads  /linux/devices
/// Fails  an unknown type, a path that is not absolute
inline auto plan_nodes(const std::vector<spec::device>& devices) -> result<std::vector<node>> {
  std::vector<node> nodes{{.path = "/dev/null", .major = 1, .minor = 3},    {.path = "/dev/zero", .major = 1, .minor = 5},
                          {.path = "/dev/full", .major = 1, .minor = 7},    {.path = "/dev/random", .major = 1, .minor = 8},
                          {.path = "/dev/urandom", .major = 1, .minor = 9}, {.path = "/dev/tty", .major = 5, .minor = 0}};
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const auto pointer = filled("/linux/devices/{}", i);
    if (!devices[i].path.starts_with('/')) return failure("a device path must be absolute", pointer + "/path");
    auto n = OCITK_TRY(detail::node_of(devices[i], pointer));
    if (n.path == "/dev/ptmx") continue;
    std::erase_if(nodes, [&](const node& earlier) { return earlier.path == n.path && earlier.pointer.empty(); });
    nodes.push_back(std::move(n));
  }
  return nodes;
}

namespace detail {

inline auto is_node(const struct stat& st, const node& n) -> bool {
  if ((st.st_mode & S_IFMT) != n.type) return false;
  return n.type == S_IFIFO || st.st_rdev == makedev(n.major, n.minor);
}

/// Keeps the directory of the last node: most are in /dev.
class directory_cache {
 public:
  auto operator()(fd_ref root, const std::string& path) -> result<fd_ref> {
    if (dir_ && path == path_) return fd_ref{dir_};
    dir_ = OCITK_TRY(sys::make_in_root(root, path, sys::target_kind::directory));
    path_ = path;
    return fd_ref{dir_};
  }

 private:
  unique_fd dir_{};
  std::string path_{};
};

/// The host's node of the same path, verified, bound onto a file: for who may not make devices.
inline auto bind_node(fd_ref dir, const std::string& name, const node& n, unique_fd lent) -> result<> {
  const auto host = lent ? std::move(lent) : OCITK_TRY(sys::open_at(fd_ref::cwd(), n.path, O_PATH | O_NOFOLLOW));
  if (!is_node(OCITK_TRY(sys::status_of(host)), n)) return failure(filled("{} of the host is another device", n.path));
  if (sys::kernel::mknodat(dir.get(), name.c_str(), S_IFREG | 0644, 0) != 0 && errno != EEXIST) return failed("mknod", n.path);
  const auto target = OCITK_TRY(sys::open_at(dir, name, O_PATH | O_NOFOLLOW));
  if (S_ISLNK(OCITK_TRY(sys::status_of(target)).st_mode)) return failure(filled("{} is a symbolic link", n.path));
  const auto mount = OCITK_TRY(sys::clone_mount(host, false));
  OCITK_TRY(sys::set_attributes(mount, {.propagation = MS_PRIVATE}, false));
  return sys::move_onto(mount, target);
}

/// A node somebody made before us has to be the right one; its mode is not changed.
inline auto check_existing(fd_ref dir, const std::string& name, const node& n) -> result<> {
  const auto there = OCITK_TRY(sys::open_at(dir, name, O_PATH | O_NOFOLLOW));
  if (is_node(OCITK_TRY(sys::status_of(there)), n)) return {};
  return failure(filled("{} exists and is something else", n.path));
}

inline auto make_device(fd_ref dir, const std::string& name, const node& n, bool may_make, unique_fd lent) -> result<> {
  if (!may_make && n.type != S_IFIFO) return bind_node(dir, name, n, std::move(lent));
  if (sys::kernel::mknodat(dir.get(), name.c_str(), n.type | n.mode, makedev(n.major, n.minor)) != 0) {
    if (errno == EEXIST) return check_existing(dir, name, n);
    if (errno == EPERM) return bind_node(dir, name, n, std::move(lent));
    return failed("mknod", n.path);
  }
  if (n.uid == 0 && n.gid == 0) return {};
  return trying(n.path, checked(sys::kernel::fchownat(dir.get(), name.c_str(), n.uid, n.gid, AT_SYMLINK_NOFOLLOW), "chown"));
}

struct link {
  const char* name;
  const char* target;
};

/// What the image has of that name would be another terminal multiplexer than our devpts'. A right link stays: its
/// directory may be read-only.
inline auto link_ptmx(fd_ref dev) -> result<> {
  constexpr auto target = "pts/ptmx";
  if (const auto there = sys::read_link_at(dev, "ptmx"); there && *there == target) return {};
  if (sys::kernel::unlinkat(dev.get(), "ptmx", 0) != 0 && errno != ENOENT) return failed("unlink", "/dev/ptmx");
  return trying("/dev/ptmx", checked(sys::kernel::symlinkat(target, dev.get(), "ptmx"), "symlink"));
}

inline auto make_links(fd_ref dev) -> result<> {
  static constexpr std::array<link, 4> links{{{"fd", "/proc/self/fd"},
                                              {"stdin", "/proc/self/fd/0"},
                                              {"stdout", "/proc/self/fd/1"},
                                              {"stderr", "/proc/self/fd/2"}}};
  for (const auto& l : links)
    if (sys::kernel::symlinkat(l.target, dev.get(), l.name) != 0 && errno != EEXIST) return failed("symlink", l.name);
  if (sys::kernel::faccessat(AT_FDCWD, "/proc/kcore", F_OK, 0) == 0 && sys::kernel::symlinkat("/proc/kcore", dev.get(), "core") != 0 && errno != EEXIST)
    return failed("symlink", "core");
  return link_ptmx(dev);
}

}  // namespace detail

/// Is /dev the caller's own, to be left as it is?
inline auto dev_is_bound(const std::vector<spec::mount>& mounts) -> bool {
  for (const auto& m : mounts)
    if (clean(m.destination) == "/dev")
      if (const auto p = plan_for(m); p && p->bind) return true;
  return false;
}

/// Makes the nodes and links.
///
/// Process  init, after all mounts and before the root may become read-only
/// Calls    mknodat(2), fchownat(2), symlinkat(2); open_tree(2) and move_mount(2) in a user namespace or after EPERM
/// Fails    something else has the name
inline auto make_devices(init_context& ctx) -> result<> {
  const auto nodes = OCITK_TRY(plan_nodes(ctx.spec.linux.devices));
  const bool may_make = !ctx.spec.linux.has("user");
  const sys::no_umask modes_as_asked;
  detail::directory_cache open_dir;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& n = nodes[i];
    const auto where = sys::split(n.path);
    auto lent = i < ctx.device_sources.size() ? std::move(ctx.device_sources[i]) : unique_fd{};
    const auto make = [&]() -> result<> {
      const auto dir = OCITK_TRY(open_dir(ctx.rootfs, where.parent));
      return trying(n.path, detail::make_device(dir, where.name, n, may_make, std::move(lent)));
    };
    OCITK_TRY(at(n.pointer.empty() ? standing.pointer : n.pointer, make));
  }
  return detail::make_links(OCITK_TRY(sys::make_in_root(ctx.rootfs, "/dev", sys::target_kind::directory)));
}

/// Puts the container's terminal at /dev/console, by descriptors only (threat R15).
///
/// Calls  mknodat(2) S_IFREG if nothing is there, open_tree(2), move_mount(2)
inline auto bind_console(fd_ref root, fd_ref slave) -> result<> {
  const auto dev = OCITK_TRY(sys::make_in_root(root, "/dev", sys::target_kind::directory));
  {
    const sys::no_umask mode_as_asked;
    if (sys::kernel::mknodat(dev.get(), "console", S_IFREG | 0666, 0) != 0 && errno != EEXIST) return failed("mknod", "/dev/console");
  }
  const auto target = OCITK_TRY(sys::open_at(dev, "console", O_PATH | O_NOFOLLOW));
  if (S_ISLNK(OCITK_TRY(sys::status_of(target)).st_mode)) return failure("/dev/console is a symbolic link");
  const auto mount = OCITK_TRY(sys::clone_mount(slave, false));
  OCITK_TRY(sys::set_attributes(mount, {.propagation = MS_PRIVATE}, false));
  return trying("/dev/console", sys::move_onto(mount, target));
}

}  // namespace ocitk::mounts

#endif
