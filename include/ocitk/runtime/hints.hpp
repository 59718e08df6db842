#ifndef OCITK_RUNTIME_HINTS_HPP
#define OCITK_RUNTIME_HINTS_HPP

#include <ocitk/error.hpp>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>

/// What usually is behind an error, and what to do about it. The error says what happened; a hint is a guess, and is
/// shown apart from it: a line `hint: ...` on standard error, a field `hint` in the log's JSON record.
///
/// No hint has words in it that engines look for in what a runtime says: a hint must not change an exit code.
namespace ocitk::runtime {

/// An error that has been met before.
struct known_cause {
  std::string_view call{};  ///< as errors name it; empty: any
  int code = 0;
  std::string_view stage{};  ///< empty: any
  std::string_view about{};  ///< a part of the detail or of the pointer; empty: any
  std::string_view hint{};
};

namespace detail {

inline constexpr std::string_view ids_not_mapped =
    "the id is not mapped into the container's user namespace: extend uidMappings and gidMappings of /linux";
inline constexpr std::string_view covered_proc =
    "in a user namespace a new procfs is allowed only where all of the old one can be seen, and a pid namespace comes "
    "with it: a container around this one must not mask paths of /proc (docker: --security-opt "
    "systempaths=unconfined, podman: --security-opt unmask=ALL)";
inline constexpr std::string_view covered_sys =
    "in a user namespace a new sysfs is allowed only with a network namespace of its own, and where all of the old "
    "/sys can be seen: bind /sys instead";
inline constexpr std::string_view too_many_namespaces =
    "a limit in /proc/sys/user/max_*_namespaces is reached, or namespaces are nested 32 deep: see how many there are "
    "with lsns, raise it with sysctl";
inline constexpr std::string_view not_delegated =
    "this user may not change that cgroup: let systemd delegate it (Delegate=yes, or systemd-run --user --scope -p "
    "Delegate=yes), or give another cgroupsPath";
inline constexpr std::string_view kernel_too_old =
    "the kernel is too old for this call, or a seccomp filter around this process does not know it: openat2 needs "
    "Linux 5.6, clone3 into a cgroup 5.7, close_range 5.9, mount_setattr 5.12";
inline constexpr std::string_view many_mounts =
    "the mount namespace has as many mounts as /proc/sys/fs/mount-max allows";
inline constexpr std::string_view read_only_root =
    "the root file system cannot be written: make the mountpoint in the image";
inline constexpr std::string_view full_file_system = "the file system is full, of bytes or of inodes: see df and df -i";
inline constexpr std::string_view forbidden_mount =
    "a security module (AppArmor, SELinux) may forbid mounts: a container around this one runs under its profile";
inline constexpr std::string_view no_exec_mount = "take noexec from the options of the mount the program is on";
inline constexpr std::string_view no_x_bit = "chmod +x the file in the image";
inline constexpr std::string_view not_for_user = "let the user of /process/user execute the file, or run as its owner";
inline constexpr std::string_view not_found = "is the program in the image? PATH is the one of /process/env";

/// The first match counts: what says more comes first.
inline constexpr std::array known_causes = std::to_array<known_cause>({
    // The program.
    {"execve", ENOENT, "", "carriage return", "convert the script: sed -i 's/\\r$//' FILE"},
    {"execve", ENOENT, "", "/ld-musl-",
     "the program was built for musl (Alpine): take an image that has it, or a static build"},
    {"execve", ENOENT, "", "/ld-linux",
     "the program was built for glibc: take an image that has it, or a static build (Go: CGO_ENABLED=0)"},
    {"execve", ENOENT, "", "binfmt_misc",
     "register the emulator with flag F: docker run --privileged tonistiigi/binfmt --install all"},
    {"execve", ENOEXEC, "", "this kernel runs",
     "pull the image for this machine (--platform), or register an emulator with binfmt_misc"},
    {"execve", ENOEXEC, "", "#! line", "begin the script with #!/bin/sh, with nothing in front of it"},
    {"execve", ENOEXEC, "", "", "the program is for another machine, or a script without #!/bin/sh in its first line"},
    {"execve", EACCES, "", "noexec", no_exec_mount},
    {"execve", EACCES, "", "execute it", no_x_bit},
    {"execve", EACCES, "", "executed by uid", not_for_user},
    {"", EACCES, "exec", "executed by uid", not_for_user},
    {"", EACCES, "exec", "noexec", no_exec_mount},
    {"", EACCES, "exec", "execute it", no_x_bit},
    {"", ENOENT, "exec", "executable file not found", not_found},
    {"execve", ETXTBSY, "", "", "somebody has the program open for writing"},
    {"execve", E2BIG, "", "",
     "arguments and environment together take more than a quarter of RLIMIT_STACK, or one of them more than 128 KiB"},
    {"execve", EAGAIN, "", "", "the user has more processes than RLIMIT_NPROC allows"},
    {"execve", ELOOP, "", "", "scripts whose #! lines name scripts: five in a row are the most"},
    {"execve", ELIBBAD, "", "", "the program and the loader of the image do not belong together"},
    // Root and mounts.
    {"pivot_root", EINVAL, "", "",
     "if / is the initial ramfs, pivot_root cannot leave it: use --no-pivot (docker: DOCKER_RAMDISK=true)"},
    {"fsmount", EPERM, "", "proc on ", covered_proc},
    {"fsconfig", EPERM, "", "proc on ", covered_proc},
    {"fsmount", EPERM, "sysctl", "", covered_proc},
    {"fsconfig", EPERM, "sysctl", "", covered_proc},
    {"fsmount", EPERM, "", "sysfs on ", covered_sys},
    {"fsconfig", EPERM, "", "sysfs on ", covered_sys},
    {"fsconfig", EINVAL, "", "Unknown parameter",
     "the file system does not know this option: see the options of this entry"},
    {"fsconfig", EBUSY, "", "", "the source is mounted already, with other options"},
    {"fsopen", ENODEV, "", "", "the kernel has no file system of this type: is its module loaded?"},
    {"open_tree", EINVAL, "", "bind ",
     "the source is unbindable, or has locked mounts below it: then only rbind is allowed"},
    {"open_tree", ENOENT, "rootfs", "bind ",
     "the runtime makes no source of a bind mount: create it on the host first"},
    {"mount_setattr", EPERM, "", "locked",
     "in a user namespace the source's ro, nosuid, nodev, noexec and atime options stay: list them in this entry"},
    {"mount_setattr", EINVAL, "", "",
     "the kernel or the file system of the source cannot do this (id-mapped mounts need both)"},
    {"move_mount", ENOTDIR, "", "",
     "the source and what it goes on are of two kinds: a file can be mounted on a file only, a directory on a "
     "directory"},
    {"move_mount", ENOSPC, "", "", many_mounts},
    {"open_tree", ENOSPC, "", "", many_mounts},
    {"fsmount", ENOSPC, "", "", many_mounts},
    {"move_mount", EACCES, "", "", forbidden_mount},
    {"fsmount", EACCES, "", "", forbidden_mount},
    {"umount2", EACCES, "", "", forbidden_mount},
    {"pivot_root", EACCES, "", "", forbidden_mount},
    {"mkdir", EROFS, "rootfs", "", read_only_root},
    {"mknod", EROFS, "rootfs", "", read_only_root},
    // Cgroups.
    {"clone3", EBUSY, "", "",
     "the cgroup has children with controllers, so that processes may only be in those: give another cgroupsPath"},
    {"clone3", EOPNOTSUPP, "", "", "the cgroup is threaded or not valid (cgroup.type): give another cgroupsPath"},
    {"write", EBUSY, "cgroup", "subtree_control",
     "processes are in that cgroup itself: in cgroup2 controllers are for cgroups below which processes live only in "
     "leaves"},
    {"write", EBUSY, "cgroup", "memory", "the limit is below what is in use"},
    {"write", EOPNOTSUPP, "cgroup", "",
     "the cgroup is threaded or not valid (cgroup.type), or the kernel does not have this control"},
    {"write", ENOSPC, "cgroup", "", "cpuset.cpus or cpuset.mems of the cgroup or of one above it is empty"},
    {"write", EACCES, "cgroup", "cpuset",
     "the cgroup above does not have all of these cpus or memory nodes: see its cpuset.*.effective"},
    {"write", EINVAL, "cgroup", "cpuset",
     "the machine or the cgroup above does not have all of these: see cpuset.cpus.effective"},
    {"write", ENODEV, "cgroup", "", "the machine does not have this block device, or a controller was taken away"},
    {"write", EACCES, "cgroup", "", not_delegated},
    {"write", EPERM, "cgroup", "", not_delegated},
    {"open", EACCES, "cgroup", "", not_delegated},
    {"openat2", EACCES, "cgroup", "", not_delegated},
    {"open", ENOENT, "cgroup", "",
     "the controller is not enabled here: see cgroup.controllers, and cgroup.subtree_control of the cgroup above"},
    {"openat2", ENOENT, "cgroup", "",
     "the controller is not enabled here: see cgroup.controllers, and cgroup.subtree_control of the cgroup above"},
    {"mkdir", EACCES, "cgroup", "", not_delegated},
    {"mkdir", EPERM, "cgroup", "", not_delegated},
    {"mkdir", EROFS, "cgroup", "",
     "/sys/fs/cgroup is mounted read-only: a container around this one has to give it writable"},
    {"mkdir", EAGAIN, "cgroup", "", "cgroup.max.descendants or cgroup.max.depth of a cgroup above is reached"},
    {"mkdir", ENOSPC, "cgroup", "",
     "the machine has as many cgroups as it can, maybe dead ones that memory is still charged to"},
    {"rmdir", EBUSY, "", "", "processes or cgroups are left in it: see cgroup.procs"},
    {"bpf", EPERM, "", "",
     "device rules need a filter that only root of the host may load; before Linux 5.11 RLIMIT_MEMLOCK counts too"},
    {"bpf", E2BIG, "", "", "64 device filters are attached to the cgroup already: nobody takes the old ones away"},
    {"bpf", EINVAL, "", "", "the kernel may be built without CONFIG_CGROUP_BPF"},
    // Namespaces and ids.
    {"clone3", ENOSPC, "", "", too_many_namespaces},
    {"unshare", ENOSPC, "", "", too_many_namespaces},
    {"clone3", EUSERS, "", "", too_many_namespaces},
    {"unshare", EUSERS, "", "", too_many_namespaces},
    {"clone3", EINVAL, "", "", "the kernel may be built without one of the namespaces"},
    {"unshare", EINVAL, "", "", "the kernel may be built without one of the namespaces"},
    {"clone3", EAGAIN, "", "",
     "pids.max of the cgroup, RLIMIT_NPROC of the user or /proc/sys/kernel/threads-max is reached"},
    {"clone3", EPERM, "", "/linux/namespaces",
     "see the sysctls kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns; add a user "
     "namespace if there is none"},
    {"unshare", EPERM, "", "/linux/namespaces",
     "see the sysctls kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns; add a user "
     "namespace if there is none"},
    {"setns", EINVAL, "", "", "the file is a namespace of another kind than the entry says, or the one we are in"},
    {"write", EPERM, "idmap", "setgroups", "somebody has written gid_map already"},
    {"write", EPERM, "idmap", "",
     "without privileges only one's own id can be mapped: more need root, or newuidmap with /etc/subuid and "
     "/etc/subgid"},
    {"write", EINVAL, "idmap", "", "the ranges overlap, are empty, wrap around, or are more than 340"},
    {"setresuid", EINVAL, "", "", ids_not_mapped},
    {"setresgid", EINVAL, "", "", ids_not_mapped},
    {"setgroups", EINVAL, "", "", ids_not_mapped},
    {"chown", EINVAL, "", "", ids_not_mapped},
    {"setgroups", EPERM, "", "", "the user namespace may deny setgroups(2): then additionalGids cannot be given"},
    {"setresuid", EAGAIN, "", "", "the user has more processes than RLIMIT_NPROC allows"},
    {"capset", EPERM, "", "",
     "a capability is asked for that the bounding or permitted set of the runtime does not have"},
    {"prlimit", EPERM, "", "",
     "the hard limit is above the runtime's own: raise that one (systemd: LimitNOFILE= of the engine's service)"},
    {"prlimit", EINVAL, "", "", "soft has to be at most hard"},
    {"", EOVERFLOW, "", "",
     "a file belongs to an id that is not mapped into the user namespace: chown the root file system to mapped ids, "
     "or map them"},
    // The rest of the process.
    {"keyctl", EDQUOT, "", "",
     "every container of a user takes a keyring: raise kernel.keys.maxkeys and maxbytes (root: root_maxkeys, "
     "root_maxbytes), or use --no-new-keyring"},
    {"keyctl", EPERM, "", "", "a seccomp filter around this process may forbid keyrings: use --no-new-keyring"},
    {"keyctl", EACCES, "", "", "a seccomp filter or SELinux may forbid this keyring: use --no-new-keyring"},
    {"openat2", ENOSPC, "", "ptmx",
     "all terminals are taken: raise /proc/sys/kernel/pty/max, or max= of the devpts mount"},
    {"openat2", ENOENT, "sysctl", "",
     "this kernel does not have the parameter, or its module is not loaded (net.netfilter, net.bridge)"},
    {"openat2", EACCES, "sysctl", "", "the parameter cannot be written from a user namespace: set it on the host"},
    {"write", EINVAL, "sysctl", "", "the kernel does not take this value: see what it has with sysctl NAME"},
    {"write", EPERM, "sysctl", "", "the parameter cannot be written from a user namespace: set it on the host"},
    {"seccomp", EACCES, "", "", "loading a filter needs noNewPrivileges or CAP_SYS_ADMIN"},
    {"seccomp", EINVAL, "", "",
     "the filter is too long (4096 instructions), or uses a flag or an action this kernel does not know"},
    {"seccomp", EBUSY, "", "", "a filter with a listener is loaded already"},
    {"connect", ECONNREFUSED, "", "", "nobody listens on that socket"},
    {"connect", ENOENT, "", "", "nobody has made that socket: it has to listen before the runtime is called"},
    {"ioctl(TIOCSCTTY)", EPERM, "", "", "the terminal belongs to another session, or this process leads none"},
    {"sched_setaffinity", EINVAL, "", "", "none of the cpus is in the cpuset of the cgroup"},
    // Whatever was called.
    {"", ENOSYS, "", "", kernel_too_old},
    {"", EMFILE, "", "",
     "the runtime may not open more files: raise RLIMIT_NOFILE of the caller (systemd: LimitNOFILE= of the engine's "
     "service)"},
    {"", ENFILE, "", "", "the machine has as many open files as /proc/sys/fs/file-max allows"},
    {"", ENOSPC, "rootfs", "", full_file_system},
    {"", EDQUOT, "rootfs", "", "a disk quota is used up"},
    {"", ENOTCONN, "", "", "the daemon behind a FUSE mount is gone: unmount it (umount -l) and mount it again"},
    {"", ESTALE, "", "", "a network file system has lost the file: mount it again"},
    {"", ENOMEM, "", "", "the memory limit of the cgroup is too low, or the machine is out of memory"},
});

inline auto matches(const known_cause& k, const error& e) -> bool {
  const auto fits = [](std::string_view wanted, std::string_view is) { return wanted.empty() || wanted == is; };
  const auto mentioned = [&] {
    return e.detail.find(k.about) != std::string::npos || e.pointer.find(k.about) != std::string::npos;
  };
  return k.code == e.code && fits(k.call, e.call) && fits(k.stage, e.stage) && mentioned();
}

}  // namespace detail

/// What to look at, where an error has been met before.
inline auto hint_for(const error& e) -> std::optional<std::string> {
  if (e.code == 0) return std::nullopt;
  for (const auto& known : detail::known_causes)
    if (detail::matches(known, e)) return std::string{known.hint};
  return std::nullopt;
}

}  // namespace ocitk::runtime

#endif
