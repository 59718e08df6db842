#ifndef OCITK_MOUNTS_TREE_HPP
#define OCITK_MOUNTS_TREE_HPP

#include <ocitk/context.hpp>
#include <ocitk/mounts/cgroup.hpp>
#include <ocitk/mounts/copy_up.hpp>
#include <ocitk/mounts/make.hpp>
#include <ocitk/mounts/options.hpp>
#include <ocitk/mounts/sources.hpp>
#include <ocitk/mounts/target.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/text.hpp>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

/// The container's tree of mounts: its root, then the entries of /mounts in order.
namespace ocitk::mounts {

/// How the host's mounts are held before anything is cloned of them.
struct propagation {
  std::uint64_t flag = MS_SLAVE;
  bool recursive = true;
  bool operator==(const propagation&) const = default;
};

/// Reads  /linux/rootfsPropagation. What is unbindable cannot be cloned, so that word waits for the new root.
inline auto propagation_of_host(std::string_view word) -> propagation {
  const bool recursive = word.starts_with('r');
  if (recursive) word.remove_prefix(1);
  if (word == "shared") return {.flag = MS_SHARED, .recursive = recursive};
  if (word == "private") return {.flag = MS_PRIVATE, .recursive = recursive};
  if (word == "slave") return {.flag = MS_SLAVE, .recursive = recursive};
  return {};
}

namespace detail {

/// Through a shared `/` our own mount on top of it would show on the host (fault F33).
inline auto cut_from_host(std::string_view word) -> result<> {
  const auto wanted = propagation_of_host(word);
  OCITK_TRY(sys::set_propagation_of_root(wanted.flag, wanted.recursive));
  if (wanted.flag != MS_SHARED) return {};
  return sys::set_propagation_of_root(MS_PRIVATE, false);
}

/// Cloned here if init may go there: only its own clones are locked against the container's root.
inline auto clone_root(init_context& ctx, const std::string& path) -> result<> {
  const int fd = sys::kernel::open_tree(AT_FDCWD, path.c_str(),
                             OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
  if (fd < 0 && errno == EACCES && ctx.rootfs) return {};
  if (fd < 0) return failed("open_tree", path);
  ctx.rootfs = unique_fd{fd};
  return {};
}

/// Hooks that run before the pivot look for the root at its path, in here and through /proc/PID/ns/mnt.
inline auto wants_own_path(const spec::hooks& all) -> bool {
  return !all.prestart.empty() || !all.create_runtime.empty() || !all.create_container.empty();
}

/// Keeps the mount that a path is on from showing on the host what is mounted on the path.
inline auto cut_off_mount_of(const std::string& path) -> result<> {
  std::string real(PATH_MAX, '\0');
  if (::realpath(path.c_str(), real.data()) == nullptr) return failed("realpath", path);
  real.resize(real.find('\0'));
  struct mount_attr attr{};
  attr.propagation = MS_PRIVATE;
  while (sys::kernel::mount_setattr(AT_FDCWD, real.c_str(), 0, attr) != 0) {
    if (errno != EINVAL || real == "/") return failed("mount_setattr", real);  // EINVAL: not the root of a mount
    real.resize(std::max<std::size_t>(real.rfind('/'), 1));
  }
  return {};
}

/// Over the directory it was cloned from; false where that cannot be reached.
inline auto attach_at(const init_context& ctx, const std::string& path) -> result<bool> {
  const auto place = sys::open_at(fd_ref::cwd(), path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (!place && place.error().code == EACCES) return false;
  if (!place) return std::unexpected(place.error());
  const auto host = propagation_of_host(ctx.spec.linux.rootfs_propagation);
  if (host.flag == MS_SHARED || !host.recursive) OCITK_TRY(cut_off_mount_of(path));
  OCITK_TRY(sys::move_onto(ctx.rootfs, *place));
  return true;
}

inline auto attach_root(const init_context& ctx, const std::string& path) -> result<> {
  const std::string_view word = ctx.spec.linux.rootfs_propagation;
  const std::uint64_t kept = word.ends_with("slave") ? MS_SLAVE : MS_PRIVATE;
  OCITK_TRY(sys::set_attributes(ctx.rootfs, {.propagation = kept}, true));
  if (wants_own_path(ctx.spec.hooks) && OCITK_TRY(attach_at(ctx, path))) return {};
  auto done = sys::move_onto_root(ctx.rootfs);
  if (!done && done.error().code == EINVAL && !OCITK_TRY(sys::is_directory(ctx.rootfs)))
    return failure("invalid rootfs: not an absolute path, or a symlink");
  return done;
}

}  // namespace detail

/// Puts a clone of the root on top of `/`, cut off from the host; with hooks that look for it, on its own path. Lookups
/// of the host's paths still see the host.
///
/// Reads    /root/path, /linux/rootfsPropagation
/// Process  init, in the container's mount namespace
/// Calls    mount_setattr(2), open_tree(2), move_mount(2)
/// Fails    EACCES where a user namespace cannot reach the path and the parent lent nothing
inline auto raise_root(init_context& ctx) -> result<> {
  const auto path = host_path(ctx, ctx.spec.root->path);
  OCITK_TRY(at("/linux/rootfsPropagation", [&] { return detail::cut_from_host(ctx.spec.linux.rootfs_propagation); }));
  const auto raise = [&]() -> result<> {
    OCITK_TRY(detail::clone_root(ctx, path));
    return trying(path, detail::attach_root(ctx, path));
  };
  return at("/root/path", raise);
}

namespace detail {

/// Which file systems take a label as an option.
inline auto label_for(const init_context& ctx, std::string_view type) -> std::string {
  if (type == "proc" || type == "sysfs" || type == "mqueue" || type.starts_with("cgroup")) return {};
  return ctx.spec.linux.mount_label;
}

/// crun's run.oci.mount_context_type: what of a file system the label is for. podman asks for `rootcontext` where a payload
/// labels files itself.
inline auto label_key(const init_context& ctx) -> result<std::string> {
  const auto found = ctx.spec.annotations.find("run.oci.mount_context_type");
  if (found == ctx.spec.annotations.end()) return "context";
  for (const std::string_view known : {"context", "fscontext", "defcontext", "rootcontext"})
    if (found->second == known) return found->second;
  return failure(filled("unknown SELinux context type \"{}\"", found->second), "/annotations/run.oci.mount_context_type");
}

/// crun's copy-symlink: the link of the host is made again.
inline auto copy_link(fd_ref root, fd_ref link, const std::string& destination) -> result<> {
  const auto text = OCITK_TRY(sys::read_link_at(link, ""));
  const auto [parent, name] = sys::split(destination);
  const auto dir = OCITK_TRY(sys::make_in_root(root, parent, sys::target_kind::directory));
  if (sys::kernel::symlinkat(text.c_str(), dir.get(), name.c_str()) == 0) return {};
  if (errno != EEXIST) return failed("symlink", destination);
  if (const auto there = sys::read_link_at(dir, name); there && *there == text) return {};
  return failure(filled("{} exists and is not a symbolic link to {}", destination, text));
}

inline auto mount_bind(init_context& ctx, std::size_t index, const plan& p) -> result<unique_fd> {
  auto tree = OCITK_TRY(source_of(ctx, index, p));
  const auto type = OCITK_TRY(sys::status_of(tree)).st_mode;
  if (p.copy_symlink && S_ISLNK(type)) {
    OCITK_TRY(copy_link(ctx.rootfs, tree, p.destination));
    return unique_fd{};
  }
  OCITK_TRY(dress(tree, p));
  const auto kind = S_ISDIR(type) ? sys::target_kind::directory : sys::target_kind::file;
  const auto t = OCITK_TRY(open_target(ctx.rootfs, p.destination, kind, p.target_nofollow));
  OCITK_TRY(cover(ctx.rootfs, p.destination, t, tree));
  return tree;
}

inline auto sets(const plan& p, std::string_view key) -> bool {
  for (const auto& option : p.data)
    if (names(option, key)) return true;
  return false;
}

/// A tmpfs over a directory of the image looks like that directory, unless the entry says otherwise.
inline auto adopt_mode(plan& p, const target& t) -> result<> {
  if (!t.existed || sets(p, "mode")) return {};
  p.data.push_back("mode=" + sys::kernel::shown(sys::kernel::octal{OCITK_TRY(sys::status_of(t.fd)).st_mode & 07777U}));
  return {};
}

/// The host's own /sys: a user namespace may mount a new one only over a network namespace of its own.
inline auto bind_sys(plan p) -> result<unique_fd> {
  p.recursive = true;
  p.data.clear();
  p.self.clear &= MOUNT_ATTR__ATIME;
  if (p.self.propagation == 0 && p.below.propagation == 0) p.below.propagation = MS_PRIVATE;
  return make_bind("/sys", p);
}

/// mqueue has no mount option for a label: its root gets one as an attribute.
inline auto label_root(fd_ref mount, const std::string& label) -> result<> {
  const auto root = OCITK_TRY(sys::open_at(mount, ".", O_RDONLY | O_DIRECTORY));
  return trying("label " + label, checked(sys::kernel::fsetxattr(root.get(), "security.selinux", label), "fsetxattr"));
}

inline auto make_new(const init_context& ctx, const spec::mount& m, const plan& p) -> result<unique_fd> {
  if (m.type == "cgroup" || m.type == "cgroup2") return make_v2(ctx, m, p);
  auto made = make_filesystem(m.type, m.source, p, label_for(ctx, m.type), OCITK_TRY(label_key(ctx)));
  const auto& linux = ctx.spec.linux;
  if (!made && made.error().code == EPERM && m.type == "sysfs" && linux.has("user") && !linux.creates("network"))
    return bind_sys(p);
  return made;
}

inline auto mount_new(init_context& ctx, const spec::mount& m, plan p) -> result<unique_fd> {
  const auto t = OCITK_TRY(open_target(ctx.rootfs, p.destination, sys::target_kind::directory, p.target_nofollow));
  if ((m.type == "proc" || m.type == "sysfs") && (!t.straight || !OCITK_TRY(sys::is_directory(t.fd))))
    return failure(filled("filesystem \"{}\" must be mounted on ordinary directory", m.type));
  if (m.type == "tmpfs") OCITK_TRY(adopt_mode(p, t));
  if (m.type == "cgroup" && !host_is_unified(ctx.cgroups)) {
    OCITK_TRY(mount_v1(ctx, m, p, t));
    return unique_fd{};
  }
  auto made = OCITK_TRY(make_new(ctx, m, p));
  if (p.copy_up && t.existed && OCITK_TRY(sys::is_directory(t.fd)))
    OCITK_TRY(copy_up(t.fd, made, !sets(p, "uid") && !sets(p, "gid"), ctx.warnings));
  if (m.type == "mqueue" && !ctx.spec.linux.mount_label.empty()) OCITK_TRY(label_root(made, ctx.spec.linux.mount_label));
  OCITK_TRY(cover(ctx.rootfs, p.destination, t, made));
  return made;
}

/// Changes the mount that is there; what its file system was told stays.
inline auto remount(const init_context& ctx, const plan& p) -> result<unique_fd> {
  if (!p.data.empty()) return failure("remount cannot change options of the file system");
  auto there = OCITK_TRY(sys::open_in_root(ctx.rootfs, p.destination));
  OCITK_TRY(dress(there, p));
  return there;
}

inline auto mount_one(init_context& ctx, std::size_t index) -> result<> {
  const auto& m = ctx.spec.mounts[index];
  auto p = OCITK_TRY(plan_for(m));
  if (auto inside = behind_root(ctx, p.destination); !inside.empty()) p.destination = std::move(inside);  // as runc takes it
  if (!m.destination.starts_with('/'))
    ctx.warnings.push_back(
        filled("mount destination {} is not absolute, taken as {}", m.destination, p.destination));
  const auto what = filled("{} on {}", p.bind ? "bind " + m.source : m.type, p.destination);
  auto made = OCITK_TRY(describe(what, p.remount ? remount(ctx, p) : p.bind ? mount_bind(ctx, index, p)
                                                                            : mount_new(ctx, m, p)));
  if (p.read_only_later && made) ctx.read_only_later.push_back(std::move(made));
  else if (m.type == "devpts" && !p.bind && p.destination == "/dev/pts") ctx.devpts = std::move(made);
  return {};
}

}  // namespace detail

/// Mounts every entry, in the order of the spec. The devpts on /dev/pts is left in the context.
///
/// Reads    /mounts, /linux/mountLabel
/// Process  init, after raise_root()
/// Calls    open_tree(2), fsopen(2) and its family, mount_setattr(2), openat2(2), move_mount(2)
/// Fails    with /mounts/N and what was to go where
inline auto mount_all(init_context& ctx) -> result<> {
  for (std::size_t i = 0; i < ctx.spec.mounts.size(); ++i)
    OCITK_TRY(at(filled("/mounts/{}", i), [&] { return detail::mount_one(ctx, i); }));
  return {};
}

}  // namespace ocitk::mounts

#endif
