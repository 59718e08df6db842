#ifndef OCITK_SYS_PROCFS_HPP
#define OCITK_SYS_PROCFS_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>

#include <linux/magic.h>

/// A procfs to be trusted: what a container mounts on /proc may be anything (threat R5).
namespace ocitk::sys {

/// The procfs on /proc, if there is one: proved by its kind and its root's number, which nothing can fake (threat R5).
inline auto open_proc() -> result<unique_fd> {
  constexpr ino_t proc_root = 1;
  auto proc = OCITK_TRY(open_at(fd_ref::cwd(), "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW));
  if (OCITK_TRY(filesystem_of(proc)) != PROC_SUPER_MAGIC || OCITK_TRY(status_of(proc)).st_ino != proc_root)
    return failure("/proc is no proc file system");
  return proc;
}

/// A procfs that nobody else can see or cover, with processes only where the kernel can do that.
///
/// Calls  fsopen(2) "proc", fsconfig(2) "subset=pid", fsmount(2)
/// Fails  EPERM: in a user namespace without a pid namespace of its own, or where what is on /proc is covered in parts
inline auto new_proc() -> result<unique_fd> {
  const auto fs = OCITK_TRY(new_filesystem::open("proc"));
  (void)fs.option("subset=pid");  // before Linux 5.8 it shows everything
  return fs.mount(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/// One of its own where that is allowed, else the one on /proc.
inline auto trusted_proc() -> result<unique_fd> {
  auto own = new_proc();
  if (own || own.error().code != EPERM) return own;
  auto there = open_proc();
  return there ? std::move(there) : std::move(own);
}

}  // namespace ocitk::sys

#endif
