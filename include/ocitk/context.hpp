#ifndef OCITK_CONTEXT_HPP
#define OCITK_CONTEXT_HPP

#include <ocitk/fd.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/sys/seccomp.hpp>

#include <optional>
#include <string>
#include <vector>

/// What a stage may touch, by the process it runs in. A stage of one process cannot be piped with
/// a stage of another: the context is part of its type.
namespace ocitk {

/// The caller: keeps host privileges, makes cgroups, writes id maps, owns the state directory.
struct parent_context {
  const spec::config& spec;
  std::string id{};      ///< container id; names the default cgroup
  std::string bundle{};  ///< absolute path; relative paths of the spec start here
  int pid = 0;           ///< the process that parent stages act on; 0: the calling one
  std::vector<std::string> cgroup_paths{};  ///< absolute, in join order; for the state on disk
  std::string state{};   ///< what hooks read: one line of JSON, see spec::hook_state
  std::vector<std::string> rdt_groups{};    ///< directories of resctrl that go with the container; for the state on disk
};

/// Joins or makes what only a child of its own can be born into, forks init once, exits.
struct bridge_context {
  const spec::config& spec;
};

/// A cgroup of the container, for the mounts of type cgroup.
struct own_cgroup {
  std::vector<std::string> controllers{};  ///< of its hierarchy; empty for cgroup2
  std::string mountpoint{};                ///< of the hierarchy, on the host
  std::string below{};                     ///< the cgroup below the mountpoint, no slash in front
};

/// PID 1 of the container until it becomes the payload. Knows no path of the host's state.
struct init_context {
  const spec::config& spec;
  std::string id{};                           ///< container id; names the session keyring
  std::string bundle{};                       ///< absolute path, valid until the pivot
  bool new_keyring = true;                    ///< false: stay in the caller's session keyring
  bool no_pivot = false;                      ///< chroot(2) into the new root instead of pivot_root(2)
  unique_fd rootfs{};                         ///< the root's mount; empty until a stage or the parent opens it
  std::vector<unique_fd> mount_sources{};     ///< one per /mounts entry; empty where init opens it itself
  std::vector<unique_fd> device_sources{};    ///< host nodes to bind where mknod is not allowed, as mounts::plan_nodes() lists them
  std::vector<unique_fd> cgroup_joins{};      ///< v1 `tasks` files, open for writing
  unique_fd procfs{};                         ///< nobody can cover it; opened only where labels are to be written
  unique_fd clock_offsets{};                  ///< timens_offsets, opened by the parent; empty: init opens it itself
  std::vector<own_cgroup> cgroups{};          ///< in join order, cgroup2 last
  unique_fd devpts{};                         ///< the mount on /dev/pts, left by the stage that made it
  std::vector<unique_fd> read_only_later{};   ///< mounts that asked for `ro` and have to be filled first
  unique_fd console{};                        ///< master of the terminal, for the caller
  std::string console_name{};                 ///< "/dev/pts/0" inside the container
  std::string state{};                        ///< what hooks read: one line of JSON, the pid as seen inside
  std::optional<sys::seccomp_filter> filter{};  ///< compiled by the parent; empty: the stage compiles it
  unique_fd listener{};                       ///< of a filter with SCMP_ACT_NOTIFY: to be handed over at once
  std::vector<std::string> warnings{};        ///< what went on in spite of something, for the log
};

}  // namespace ocitk

#endif
