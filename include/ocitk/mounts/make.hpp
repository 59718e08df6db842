#ifndef OCITK_MOUNTS_MAKE_HPP
#define OCITK_MOUNTS_MAKE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/mounts/options.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/text.hpp>

#include <string>
#include <string_view>

/// Detached mounts with all they are asked for, ready to be moved onto a target.
namespace ocitk::mounts {

/// The sentence a failing entry is known by: `bind /srv on /data: fsconfig's own words`.
template <class T>
auto describe(const std::string& what, result<T> r) -> result<T> {
  if (r) return r;
  auto& said = r.error().detail;
  said = what.find(said) != std::string::npos ? what : what + ": " + said;  // no name is said twice
  return r;
}

namespace detail {

/// What the kernel means by EPERM: a flag that the user namespace of the mount's origin has set for good, or its access
/// times. statfs(2) and mount_setattr(2) have the same bits for these flags.
inline auto said_of_lock(fd_ref mount, const sys::mount_attributes& wanted, bool recursive) -> std::string {
  constexpr std::uint64_t lockable = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  struct statfs fs{};
  const auto present = sys::kernel::fstatfs(mount.get(), fs) == 0 ? static_cast<std::uint64_t>(fs.f_flags) : 0U;
  const auto dropped = wanted.clear & lockable & (recursive ? lockable : present);
  if (dropped != 0) return "cannot clear locked flags";
  constexpr std::uint64_t times = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
  return (wanted.clear & times) != 0 ? "cannot change locked atime flags" : std::string{};
}

}  // namespace detail

/// Changes a mount that is ours already; nothing asked for is nothing done, and what is not named stays as it is.
///
/// Calls  mount_setattr(2)
/// Fails  EPERM: the flags belong to the user namespace that the mount came from
inline auto change(fd_ref mount, const sys::mount_attributes& wanted, bool recursive) -> result<> {
  if (wanted == sys::mount_attributes{}) return {};
  auto done = sys::set_attributes(mount, wanted, recursive);
  if (done || done.error().code != EPERM) return done;
  done.error().detail = detail::said_of_lock(mount, wanted, recursive);
  return done;
}

/// The whole tree first: what the entry says of itself overrides.
inline auto dress(fd_ref mount, const plan& p) -> result<> {
  OCITK_TRY(change(mount, p.below, true));
  return change(mount, p.self, false);
}

/// A new file system. Read-only means the superblock too, as mount(2) has it, unless somebody still has to write.
///
/// Calls  fsopen(2), fsconfig(2), fsmount(2), mount_setattr(2) for what fsmount cannot set
/// Fails  ENODEV: no such file system; EINVAL: an option it does not know, in the kernel's words
inline auto make_filesystem(const std::string& type, const std::string& source, const plan& p,
                            const std::string& label = {}, std::string_view label_key = "context") -> result<unique_fd> {
  const auto fs = OCITK_TRY(sys::new_filesystem::open(type));
  if (!source.empty()) OCITK_TRY(fs.value("source", source));
  for (const auto& option : p.data) OCITK_TRY(fs.option(option));
  if (!label.empty()) OCITK_TRY(fs.value(std::string{label_key}, label));
  if (p.read_only && !p.read_only_later) OCITK_TRY(fs.option("ro"));
  auto made = OCITK_TRY(fs.mount(p.self.set));
  OCITK_TRY(change(made, p.below, true));
  OCITK_TRY(change(made, {.propagation = p.self.propagation}, false));
  return made;
}

/// A clone of what is at a trusted path of the host.
///
/// Calls  open_tree(2) OPEN_TREE_CLONE, mount_setattr(2)
inline auto make_bind(const std::string& source, const plan& p) -> result<unique_fd> {
  auto tree = OCITK_TRY(sys::clone_mount(fd_ref::cwd(), source, p.recursive));
  OCITK_TRY(dress(tree, p));
  return tree;
}

}  // namespace ocitk::mounts

#endif
