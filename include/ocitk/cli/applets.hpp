#ifndef OCITK_CLI_APPLETS_HPP
#define OCITK_CLI_APPLETS_HPP

#include <array>
#include <string_view>

/// The stage tools, in the order they stand in a chain. Each is the program under another name.
namespace ocitk::cli {

struct applet {
  std::string_view word;     ///< of the stage; the tool is `ocitk-WORD`
  std::string_view summary;  ///< what it does, one line
  std::string_view usage;    ///< what stands behind the name
  std::string_view example;
  std::string_view reads;    ///< pointers into config.json, where a bundle is given
  std::string_view calls;    ///< man pages
};

inline constexpr std::string_view applet_prefix = "ocitk-";

// clang-format off
inline constexpr std::array<applet, 25> applets{{
    {.word = "spec",
     .summary = "reads and checks a config.json and hands it to the tools behind it; prints it if none is there",
     .usage = "[-b BUNDLE] [--id ID] [next...]",
     .example = "ocitk-spec -b bundle ocitk-idmap ocitk-cgroup ocitk-unshare ocitk-rootfs ocitk-pivot ocitk-exec",
     .reads = "everything", .calls = "memfd_create(2), fcntl(2) F_ADD_SEALS"},
    {.word = "idmap",
     .summary = "leaves a helper behind that maps the ids of the user namespace ocitk-unshare makes",
     .usage = "[--uid-map INSIDE:OUTSIDE:COUNT ...] [--gid-map INSIDE:OUTSIDE:COUNT ...] [--] next...",
     .example = "ocitk-idmap --uid-map 0:100000:65536 --gid-map 0:100000:65536 ocitk-unshare --user -- id",
     .reads = "/linux/uidMappings, /linux/gidMappings",
     .calls = "clone3(2), write(2) on /proc/PID/{uid_map,setgroups,gid_map}"},
    {.word = "cgroup",
     .summary = "makes a cgroup with limits, goes on inside it, and removes it at the end",
     .usage = "[--name NAME] [--memory BYTES] [--pids N] [--keep] [--] next...  |  --remove NAME",
     .example = "ocitk-cgroup --memory 64M --pids 20 --name job -- make -j8",
     .reads = "/linux/cgroupsPath, /linux/resources",
     .calls = "mkdirat(2), write(2) on cgroupfs, bpf(2), clone3(2), rmdir(2)"},
    {.word = "unshare",
     .summary = "makes namespaces, or joins them by path; goes on in a child where the kernel wants one",
     .usage = "[--mount --uts --ipc --pid --net --user --cgroup --time, each with =PATH to join] [--map-root] [--] next...",
     .example = "ocitk-unshare --mount --uts --pid -- sh",
     .reads = "/linux/namespaces, /process/oomScoreAdj", .calls = "unshare(2), setns(2), clone3(2)"},
    {.word = "keyring",
     .summary = "gives the program a session keyring of its own",
     .usage = "[--name NAME] [--] next...",
     .example = "ocitk-keyring --name job -- keyctl show", .reads = "nothing", .calls = "keyctl(2)"},
    {.word = "network",
     .summary = "brings up the loopback interface of a new network namespace",
     .usage = "[--] next...",
     .example = "ocitk-unshare --net ocitk-network -- ping -c1 127.0.0.1",
     .reads = "/linux/namespaces", .calls = "socket(2), ioctl(2) SIOCSIFFLAGS"},
    {.word = "rootfs",
     .summary = "builds a root file system in the mount namespace of ocitk-unshare",
     .usage = "[--root DIR] [--mount TYPE:SOURCE:DESTINATION[:OPTION,...] ...] [--default-mounts] [--] next...",
     .example = "ocitk-unshare --mount --pid ocitk-rootfs --root rootfs --default-mounts ocitk-pivot -- sh",
     .reads = "/root/path, /mounts, /linux/devices, /linux/rootfsPropagation",
     .calls = "open_tree(2), fsopen(2), move_mount(2), openat2(2), mknodat(2), symlinkat(2)"},
    {.word = "hooks",
     .summary = "runs the bundle's hooks that are due where it stands; without a bundle, one hook",
     .usage = "[--at LIST[,LIST...]] [--path FILE [--arg ARG ...] [--env NAME=VALUE ...] [--timeout SECONDS]] [--] next...",
     .example = "ocitk-hooks --path /usr/bin/notify --arg created --timeout 5 -- sh",
     .reads = "/hooks, /annotations, /process/env", .calls = "pipe2(2), clone3(2), waitpid(2), kill(2); in the child setsid(2), dup2(2), "
                                               "fchdir(2), close_range(2), execve(2)"},
    {.word = "console",
     .summary = "starts a session, and gives it a terminal of the container's if one is asked for",
     .usage = "[--terminal] [--console-socket PATH] [--] next...",
     .example = "ocitk-console -- sleep 10", .reads = "/process/terminal, /process/consoleSize",
     .calls = "setsid(2), openat2(2), ioctl(2) TIOCGPTPEER and TIOCSCTTY, dup2(2)"},
    {.word = "masks",
     .summary = "hides paths of the new root, and makes others read-only",
     .usage = "[--mask PATH ...] [--read-only-path PATH ...] [--read-only] [--] next...",
     .example = "... ocitk-rootfs --root rootfs --default-mounts ocitk-masks --mask /proc/kcore --read-only ocitk-pivot -- sh",
     .reads = "/process/cwd, /linux/maskedPaths, /linux/readonlyPaths, /root/readonly",
     .calls = "openat2(2), mkdirat(2), open_tree(2), mount_setattr(2), move_mount(2)"},
    {.word = "sysctl",
     .summary = "sets kernel parameters of the chain's own namespaces",
     .usage = "[KEY=VALUE ...] [--] next...",
     .example = "ocitk-unshare --ipc ocitk-sysctl kernel.msgmax=4321 -- sh",
     .reads = "/linux/sysctl", .calls = "fsopen(2), fsmount(2), openat2(2), write(2)"},
    {.word = "pivot",
     .summary = "makes what ocitk-rootfs built the root; the host's files are gone after it",
     .usage = "[--] next...",
     .example = "ocitk-unshare --mount ocitk-rootfs --root rootfs ocitk-pivot -- ls /",
     .reads = "/linux/rootfsPropagation", .calls = "pivot_root(2), umount2(2), mount_setattr(2); chroot(2) without a mount namespace"},
    {.word = "hostname",
     .summary = "names the UTS namespace of ocitk-unshare",
     .usage = "[--host NAME] [--domain NAME] [--] next...",
     .example = "ocitk-unshare --uts ocitk-hostname --host inside -- hostname",
     .reads = "/hostname, /domainname", .calls = "sethostname(2), setdomainname(2)"},
    {.word = "scheduler",
     .summary = "says how the program is scheduled",
     .usage = "[--policy POLICY] [--nice N] [--priority N] [--runtime NS --deadline NS --period NS] [--reset-on-fork] [--] next...",
     .example = "ocitk-scheduler --policy BATCH --nice 10 -- make -j8",
     .reads = "/process/scheduler", .calls = "sched_setattr(2)"},
    {.word = "ioprio",
     .summary = "sets the priority of the disk accesses of its process group",
     .usage = "[--class CLASS] [--level N] [--] next...",
     .example = "ocitk-console ocitk-ioprio --class IDLE -- tar -cf backup.tar data",
     .reads = "/process/ioPriority", .calls = "ioprio_set(2)"},
    {.word = "personality",
     .summary = "lets the program believe in a 32-bit machine",
     .usage = "[--domain LINUX|LINUX32] [--] next...",
     .example = "ocitk-personality --domain LINUX32 -- uname -m",
     .reads = "/linux/personality", .calls = "personality(2)"},
    {.word = "mempolicy",
     .summary = "says on which memory nodes the program's pages go",
     .usage = "[--mode MODE] [--nodes LIST] [--flag FLAG ...] [--] next...",
     .example = "ocitk-mempolicy --mode INTERLEAVE --nodes 0-1 -- ./database",
     .reads = "/linux/memoryPolicy", .calls = "set_mempolicy(2)"},
    {.word = "rlimits",
     .summary = "limits what the program may use up",
     .usage = "[--RESOURCE SOFT[:HARD] ...] [--] next...",
     .example = "ocitk-rlimits --nofile 1024:2048 --core 0 -- sh -c 'ulimit -n'",
     .reads = "/process/rlimits", .calls = "prlimit(2)"},
    {.word = "no-new-privs",
     .summary = "lets no later exec grant privileges",
     .usage = "[--] next...", .example = "ocitk-no-new-privs -- su",
     .reads = "/process/noNewPrivileges", .calls = "prctl(2) PR_SET_NO_NEW_PRIVS"},
    {.word = "seccomp",
     .summary = "filters the program's system calls; prints the filter if no program is there",
     .usage = "[--profile FILE] [--raw] [next...]",
     .example = "ocitk-no-new-privs ocitk-seccomp --profile p.json -- sh",
     .reads = "/linux/seccomp", .calls = "seccomp(2)"},
    {.word = "bounding",
     .summary = "takes capabilities out of reach for good",
     .usage = "[--keep CAP[,CAP...]] [--] next...",
     .example = "ocitk-bounding --keep CAP_KILL,CAP_CHOWN -- sh",
     .reads = "/process/capabilities", .calls = "prctl(2) PR_CAPBSET_DROP, capset(2)"},
    {.word = "cwd",
     .summary = "goes to a directory; with a bundle, to the payload's",
     .usage = "[DIRECTORY] [--] next...   the directory stands there unless a bundle does",
     .example = "ocitk-cwd /tmp -- pwd", .reads = "/process/cwd", .calls = "chdir(2), getcwd(2)"},
    {.word = "user",
     .summary = "becomes another user",
     .usage = "[UID[:GID[,GID...]]] [--umask OCTAL] [--keep CAP[,CAP...]] [--] next...   the ids stand there unless a bundle does",
     .example = "ocitk-user 1000:1000,5 --umask 077 -- id",
     .reads = "/process/user, /process/capabilities", .calls = "umask(2), setgroups(2), setresgid(2), setresuid(2), capset(2)"},
    {.word = "caps",
     .summary = "leaves the program these capabilities and no others",
     .usage = "[--keep CAP[,CAP...]] [--] next...",
     .example = "ocitk-caps --keep CAP_NET_BIND_SERVICE -- busybox httpd -f -p 80",
     .reads = "/process/capabilities", .calls = "capset(2), prctl(2) PR_CAP_AMBIENT and PR_CAPBSET_DROP"},
    {.word = "exec",
     .summary = "ends a chain: nothing of it stays open or in the environment, and the program starts",
     .usage = "[--] [program [argument...]]   with a bundle, its program if none is named",
     .example = "ocitk-user 1000 ocitk-exec -- env",
     .reads = "/process/args, /process/env, /process/cwd",
     .calls = "chdir(2), rt_sigaction(2), close_range(2), execve(2)"},
}};
// clang-format on

/// The row of a tool's name, `ocitk-caps`; nullptr if it is none of ours.
constexpr auto find_applet(std::string_view name) -> const applet* {
  if (!name.starts_with(applet_prefix)) return nullptr;
  for (const auto& a : applets)
    if (name.substr(applet_prefix.size()) == a.word) return &a;
  return nullptr;
}

}  // namespace ocitk::cli

#endif
