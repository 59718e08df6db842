#ifndef OCITK_RUNTIME_PIPELINES_HPP
#define OCITK_RUNTIME_PIPELINES_HPP

#include <ocitk/stages/apparmor.hpp>
#include <ocitk/stages/bounding.hpp>
#include <ocitk/stages/caps.hpp>
#include <ocitk/stages/cgroup.hpp>
#include <ocitk/stages/console.hpp>
#include <ocitk/stages/cwd.hpp>
#include <ocitk/stages/exec.hpp>
#include <ocitk/stages/hooks.hpp>
#include <ocitk/stages/hostname.hpp>
#include <ocitk/stages/idmap.hpp>
#include <ocitk/stages/ioprio.hpp>
#include <ocitk/stages/keyring.hpp>
#include <ocitk/stages/masks.hpp>
#include <ocitk/stages/mempolicy.hpp>
#include <ocitk/stages/network.hpp>
#include <ocitk/stages/no_new_privs.hpp>
#include <ocitk/stages/personality.hpp>
#include <ocitk/stages/pivot.hpp>
#include <ocitk/stages/procfs.hpp>
#include <ocitk/stages/rlimits.hpp>
#include <ocitk/stages/rootfs.hpp>
#include <ocitk/stages/scheduler.hpp>
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/stages/selinux.hpp>
#include <ocitk/stages/sysctl.hpp>
#include <ocitk/stages/time.hpp>
#include <ocitk/stages/unshare.hpp>
#include <ocitk/stages/user.hpp>

/// The order of everything, on one screen. Init is born into its namespaces (clone3) and runs one of the two
/// rows of stages; what stands between the rows is in init.hpp. A process of `exec` runs one of the two last rows.
namespace ocitk::runtime {

inline constexpr auto enter = stages::join_cgroup{}         // first: what comes is charged to the container
                            | stages::enter_namespaces{}    // a cgroup namespace begins where its maker stands
                            | stages::shift_clocks{}        // into the last namespace, before anything waits or forks
                            | stages::open_procfs{}         // the last look at a trusted one
                            | stages::join_keyring{}
                            | stages::start_loopback{};

inline constexpr auto settle = stages::set_scheduler{}       // with all privileges, and before the filter
                             | stages::set_io_priority{}
                             | stages::set_personality{}
                             | stages::set_memory_policy{}
                             | stages::set_rlimits{};       // a hard limit may have to go up: still privileged

inline constexpr auto furnish = stages::build_rootfs{}      // mounts in order, /dev
                              | stages::run_create_container_hooks{}  // may still write everywhere, and see the host
                              | stages::open_console{}      // needs the devpts, writes to /dev
                              | stages::protect_paths{}     // masks and read-only, after the last write to the root
                              | stages::set_sysctls{}       // needs a fresh procfs, while the old one is still there
                              | stages::change_root{}       // the host is gone from here on
                              | stages::set_hostname{}
                              | stages::set_profile{}       // not for the hooks before the pivot
                              | settle
                              | stages::label_payload{};

inline constexpr auto become_user = stages::enter_directory{}     // root may enter where the user may not
                                  | stages::limit_capabilities{}  // needs CAP_SETPCAP
                                  | stages::set_user{}
                                  | stages::drop_capabilities{};

/// Without noNewPrivileges, loading a filter needs CAP_SYS_ADMIN: before the ids change.
inline constexpr auto confine_early = enter | furnish | stages::load_filter{} | become_user;

/// With it the filter can wait until nothing but execve(2) is left; see init.hpp.
inline constexpr auto confine_late = enter | furnish | stages::forbid_new_privileges{} | become_user;

/// Of `exec`: a process that enters what is there by now; see enter.hpp.
inline constexpr auto enter_again = stages::join_cgroup{}
                                  | stages::open_procfs{}
                                  | stages::join_keyring{}
                                  | stages::open_another_console{}
                                  | stages::set_profile{}
                                  | settle
                                  | stages::label_payload{};

inline constexpr auto confine_exec_early = enter_again | stages::load_filter{} | become_user;
inline constexpr auto confine_exec_late = enter_again | stages::forbid_new_privileges{} | become_user;

}  // namespace ocitk::runtime

#endif
