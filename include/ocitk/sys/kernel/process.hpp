#ifndef OCITK_SYS_KERNEL_PROCESS_HPP
#define OCITK_SYS_KERNEL_PROCESS_HPP

#include <ocitk/sys/kernel/call.hpp>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <string_view>

/// Processes: made, put into namespaces, given ids and limits, replaced. Each function is the system call of its name.
namespace ocitk::sys::kernel {

inline constexpr std::array<word, 11> clone_words{{{CLONE_NEWUSER, "CLONE_NEWUSER"},
                                                   {CLONE_NEWNS, "CLONE_NEWNS"},
                                                   {CLONE_NEWPID, "CLONE_NEWPID"},
                                                   {CLONE_NEWNET, "CLONE_NEWNET"},
                                                   {CLONE_NEWIPC, "CLONE_NEWIPC"},
                                                   {CLONE_NEWUTS, "CLONE_NEWUTS"},
                                                   {CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
                                                   {CLONE_NEWTIME, "CLONE_NEWTIME"},
                                                   {CLONE_PARENT, "CLONE_PARENT"},
                                                   {CLONE_PIDFD, "CLONE_PIDFD"},
                                                   {CLONE_INTO_CGROUP, "CLONE_INTO_CGROUP"}}};

/// In a rehearsal a child is born too, into no new namespace: it rehearses its own part.
inline auto clone3(clone_args& wanted) -> long {
  const auto plainly = [&](pretence& p) -> long {
    clone_args same = wanted;
    same.flags &= CLONE_PIDFD | CLONE_PARENT;
    same.cgroup = 0;
    const long pid = ::syscall(SYS_clone3, &same, sizeof same);
    if (pid == 0 && (wanted.flags & CLONE_NEWUSER) != 0) p.enter_user_namespace();
    return pid < 0 ? -errno : pid;
  };
  return call(effect::changes, "clone3", [&] { return ::syscall(SYS_clone3, &wanted, sizeof wanted); }, plainly,
              flags{wanted.flags, clone_words},
              [&] { return wanted.exit_signal == SIGCHLD ? std::string{"SIGCHLD"} : std::to_string(wanted.exit_signal); },
              [&] { return (wanted.flags & CLONE_INTO_CGROUP) == 0 ? std::string{"no cgroup"} : shown(descriptor{static_cast<int>(wanted.cgroup)}); });
}

/// What a rehearsal does in place of setns(2) and unshare(2).
inline auto moved(int kinds) {
  return [kinds](pretence& p) -> long {
    if ((kinds & CLONE_NEWUSER) != 0) p.enter_user_namespace();
    return 0;
  };
}

inline auto setns(int ns, int kind) -> int {
  return call(effect::changes, "setns", [&] { return ::setns(ns, kind); },
              [&](pretence& p) { return p.join(ns, static_cast<std::uint64_t>(static_cast<unsigned>(kind))); }, descriptor{ns},
              flags{static_cast<std::uint64_t>(kind), clone_words});
}

inline auto unshare(int kinds) -> int {
  return call(effect::changes, "unshare", [&] { return ::unshare(kinds); }, moved(kinds),
              flags{static_cast<std::uint64_t>(static_cast<unsigned>(kinds)), clone_words});
}

inline auto sethostname(std::string_view name) -> int {
  return call(effect::changes, "sethostname", [&] { return ::sethostname(name.data(), name.size()); }, succeed, text{name}, name.size());
}

inline auto setdomainname(std::string_view name) -> int {
  return call(effect::changes, "setdomainname", [&] { return ::setdomainname(name.data(), name.size()); }, succeed, text{name}, name.size());
}

/// `name` is the operation with its prefix: "PR_SET_KEEPCAPS".
inline auto prctl(std::string_view name, int operation, unsigned long a = 0, unsigned long b = 0) -> int {
  return call(effect::changes, "prctl", [&] { return ::prctl(operation, a, b, 0UL, 0UL); }, succeed, [&] { return name; }, a, b);
}

/// For operations that only look: a rehearsal makes them, but for what a user namespace would change.
inline auto prctl_asking(std::string_view name, int operation, unsigned long a = 0, unsigned long b = 0) -> int {
  const auto ask = [&] { return ::prctl(operation, a, b, 0UL, 0UL); };
  const auto pretend = [&](pretence& p) -> long {
    const int answer = ask();
    if (answer < 0) return -errno;
    return p.has_every_capability() && operation == PR_CAPBSET_READ ? 1 : answer;
  };
  return call(effect::asks, "prctl", ask, pretend, [&] { return name; }, a, b);
}

inline auto set_name(const char* name) -> int {
  return call(effect::changes, "prctl", [&] { return ::prctl(PR_SET_NAME, name); }, succeed, [] { return "PR_SET_NAME"; }, text{name});
}

/// By pid: only for one that cannot have become a stranger's, of a frozen cgroup or of a child.
inline auto kill(pid_t pid, int number) -> int {
  return call(effect::changes, "kill", [&] { return ::kill(pid, number); }, succeed, pid, number);
}

inline auto setsid() -> pid_t {
  return call(effect::changes, "setsid", [] { return ::setsid(); }, succeed);
}

inline auto sched_setaffinity(pid_t pid, std::size_t size, const void* mask) -> long {
  return call(effect::changes, "sched_setaffinity", [&] { return ::syscall(SYS_sched_setaffinity, pid, size, mask); }, succeed,
              pid, size, [] { return "[all]"; });
}

/// Directly: glibc's C++ declaration wants an enum of its own for the number.
inline auto prlimit64(pid_t pid, int resource, std::string_view name, const ::rlimit64& limit) -> long {
  const auto number = [](rlim64_t value) { return value == RLIM64_INFINITY ? std::string{"RLIM64_INFINITY"} : std::to_string(value); };
  return call(effect::changes, "prlimit64", [&] { return ::syscall(SYS_prlimit64, pid, resource, &limit, nullptr); }, succeed, pid,
              [&] { return name; },
              [&] { return "{rlim_cur=" + number(limit.rlim_cur) + ", rlim_max=" + number(limit.rlim_max) + "}"; });
}

#ifdef SYS_setgroups32
inline constexpr long setgroups_number = SYS_setgroups32, setresgid_number = SYS_setresgid32, setresuid_number = SYS_setresuid32;
#else
inline constexpr long setgroups_number = SYS_setgroups, setresgid_number = SYS_setresgid, setresuid_number = SYS_setresuid;
#endif

inline auto setgroups(std::size_t count, const gid_t* groups) -> long {
  const auto list = [&] {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += (i == 0 ? "" : ", ") + std::to_string(groups[i]);
    return "[" + all + "]";
  };
  return call(effect::changes, "setgroups", [&] { return ::syscall(setgroups_number, count, groups); }, succeed, count, list);
}

inline auto setresgid(gid_t gid) -> long {
  return call(effect::changes, "setresgid", [&] { return ::syscall(setresgid_number, gid, gid, gid); }, succeed, gid, gid, gid);
}

inline auto setresuid(uid_t uid) -> long {
  return call(effect::changes, "setresuid", [&] { return ::syscall(setresuid_number, uid, uid, uid); }, succeed, uid, uid, uid);
}

/// KEYCTL_* with its name; a rehearsal returns 0 as the serial number of any key, and no watcher is shown one.
inline auto keyctl(std::string_view name, int operation, auto a, auto b, auto c) -> long {
  const auto argument = [](auto value) {
    if constexpr (std::is_pointer_v<decltype(value)>)
      return value == nullptr ? std::string{"NULL"} : shown(text{value});
    else
      return std::string{"<keyring>"};
  };
  return call(operation == KEYCTL_DESCRIBE ? effect::asks : effect::changes, "keyctl", [&] { return ::syscall(SYS_keyctl, operation, a, b, c); }, succeed,
              [&] { return name; }, [&] { return argument(a); });
}

inline auto set_key_permissions(long serial, std::uint32_t permissions) -> long {
  return call(effect::changes, "keyctl", [&] { return ::syscall(SYS_keyctl, KEYCTL_SETPERM, serial, permissions); }, succeed,
              [] { return "KEYCTL_SETPERM"; }, [] { return "<keyring>"; }, flags{permissions, {}});
}

/// With SECCOMP_FILTER_FLAG_NEW_LISTENER it returns a descriptor.
inline auto seccomp(unsigned operation, unsigned long how, const sock_fprog& program) -> long {
  return call(effect::changes, "seccomp", [&] { return ::syscall(SYS_seccomp, operation, how, &program); },
              [&](pretence& p) -> long { return (how & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0 ? p.placeholder("a seccomp listener") : 0; },
              [] { return "SECCOMP_SET_MODE_FILTER"; }, how,
              [&] { return "{len=" + std::to_string(program.len) + "}"; });
}

/// Closing is nobody's business but the process' own; a mark decides what another program gets.
inline auto close_range(unsigned first, unsigned last, unsigned how) -> long {
  return call(how == CLOSE_RANGE_CLOEXEC ? effect::changes : effect::asks, "close_range", [&] { return ::syscall(SYS_close_range, first, last, how); },
              [&](pretence&) -> long {  // a rehearsal needs its own descriptors to the end
                return 0;
              },
              first, [&] { return last == ~0U ? std::string{"~0U"} : std::to_string(last); },
              [&] { return std::string{how == CLOSE_RANGE_CLOEXEC ? "CLOSE_RANGE_CLOEXEC" : "0"}; });
}

inline auto execve(const char* path, char* const* argv, char* const* envp) -> int {
  const auto list = [](char* const* words) {
    std::string all;
    for (; *words != nullptr; ++words) all += (all.empty() ? "" : ", ") + shown(text{*words});
    return "[" + all + "]";
  };
  return call(effect::changes, "execve", [&] { return ::execve(path, argv, envp); },
              [](pretence&) -> long { ::_exit(0); },  // a rehearsal ends where another program would begin
              text{path}, [&] { return list(argv); }, [&] { return list(envp); });
}

/// An ioctl(2) that sets something by an argument; `name` is the request, `what` the argument as a watcher sees it.
inline auto ioctl(int fd, unsigned long request, std::string_view name, auto argument, std::string_view what = "NULL") -> int {
  return call(effect::changes, "ioctl", [&] { return ::ioctl(fd, request, argument); }, succeed, descriptor{fd}, [&] { return name; },
              [&] { return what; });
}

/// For a request that only looks: a rehearsal leaves the answer as it is.
inline auto ioctl_asking(int fd, unsigned long request, std::string_view name, auto argument) -> int {
  return call(effect::asks, "ioctl", [&] { return ::ioctl(fd, request, argument); }, succeed, descriptor{fd}, [&] { return name; });
}

inline auto isatty(int fd) -> int {
  return call(effect::asks, "isatty", [&] { return ::isatty(fd); },
              [&](pretence& p) { return p.is_terminal(fd) ? 1L : 0L; }, descriptor{fd});
}

inline constexpr std::array<word, 3> peer_words{{{O_RDWR, "O_RDWR"}, {O_NOCTTY, "O_NOCTTY"}, {O_CLOEXEC, "O_CLOEXEC"}}};

/// ioctl(2) TIOCGPTPEER: the other side of a terminal's master.
inline auto pty_peer(int master, int how) -> int {
  return call(effect::changes, "ioctl", [&] { return ::ioctl(master, TIOCGPTPEER, how); },
              [](pretence& p) { return p.placeholder(terminal_slave); }, descriptor{master}, [] { return "TIOCGPTPEER"; },
              flags{static_cast<std::uint64_t>(how), peer_words});
}

inline auto socket(int family, int type) -> int {
  return call(effect::asks, "socket", [&] { return ::socket(family, type, 0); }, really, family, type);
}

inline auto connect(int fd, const sockaddr* address, socklen_t size, std::string_view path) -> int {
  return call(effect::changes, "connect", [&] { return ::connect(fd, address, size); }, [&](pretence& p) { return p.connect(fd); },
              descriptor{fd}, text{path});
}

/// `what` is what a watcher sees of the message.
inline auto sendmsg(int fd, const msghdr& message, std::size_t size, std::string_view what) -> ssize_t {
  return call(effect::changes, "sendmsg", [&] { return ::sendmsg(fd, &message, MSG_NOSIGNAL); },
              [&](pretence& p) -> long {
                if (p.is_connected(fd)) return static_cast<long>(size);  // to somebody who is not of the rehearsal
                const auto sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
                return sent < 0 ? -errno : sent;
              },
              descriptor{fd}, text{what});
}

/// Another process' descriptor, by its number there.
inline auto pidfd_getfd(int pidfd, int number) -> long {
  return call(effect::asks, "pidfd_getfd", [&] { return ::syscall(SYS_pidfd_getfd, pidfd, number, 0U); },
              [](pretence& p) { return p.placeholder("a seccomp listener"); }, descriptor{pidfd}, number);
}

inline auto recvmsg(int fd, msghdr& message, int how) -> ssize_t {
  return call(effect::asks, "recvmsg", [&] { return ::recvmsg(fd, &message, how); }, really, descriptor{fd});
}

/// What sched_setattr(2) takes. Of our own: where the C library and the kernel's headers both define it they disagree.
struct sched_attributes {
  std::uint32_t size = 56;
  std::uint32_t policy = 0;      ///< SCHED_*
  std::uint64_t flags = 0;       ///< SCHED_FLAG_*
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0, deadline = 0, period = 0;  ///< nanoseconds
  std::uint32_t util_min = 0, util_max = 0;
  auto operator==(const sched_attributes&) const -> bool = default;
};
static_assert(sizeof(sched_attributes) == 56);

/// Of the calling thread.
inline auto sched_setattr(const sched_attributes& wanted) -> long {
  const auto spell = [&] {
    return "{policy=" + std::to_string(wanted.policy) + ", flags=" + std::to_string(wanted.flags) + ", nice=" +
           std::to_string(wanted.nice) + ", priority=" + std::to_string(wanted.priority) + ", runtime=" +
           std::to_string(wanted.runtime) + ", deadline=" + std::to_string(wanted.deadline) + ", period=" +
           std::to_string(wanted.period) + "}";
  };
  return call(effect::changes, "sched_setattr", [&] { return ::syscall(SYS_sched_setattr, 0, &wanted, 0); }, succeed, 0, spell);
}

/// `who` 0: the calling process' own; `which` is IOPRIO_WHO_*.
inline auto ioprio_set(std::string_view name, int which, int who, int value) -> long {
  return call(effect::changes, "ioprio_set", [&] { return ::syscall(SYS_ioprio_set, which, who, value); }, succeed,
              [&] { return name; }, who,
              [&] { return "{class=" + std::to_string(IOPRIO_PRIO_CLASS(value)) + ", level=" + std::to_string(IOPRIO_PRIO_DATA(value)) + "}"; });
}

inline constexpr std::array<word, 1> personality_words{{{PER_LINUX32, "PER_LINUX32"}}};

/// 0xffffffff only asks.
inline auto personality(unsigned long domain) -> int {
  return call(effect::changes, "personality", [&] { return ::personality(domain); }, succeed,
              [&] { return spelled(domain, personality_words, "PER_LINUX"); });
}

/// `mode` with its flags; the nodes are the bits that are set in the first `bits` ones.
inline auto set_mempolicy(int mode, const unsigned long* nodes, unsigned long bits) -> long {
  return call(effect::changes, "set_mempolicy",
              [&] { return ::syscall(SYS_set_mempolicy, mode, nodes, nodes == nullptr ? 0UL : bits + 1); },  // the kernel takes one off
              succeed, mode, [&] {
                std::string all;
                for (unsigned long i = 0; nodes != nullptr && i < bits; ++i)
                  if ((nodes[i / (8 * sizeof *nodes)] >> (i % (8 * sizeof *nodes)) & 1UL) != 0) all += (all.empty() ? "" : ", ") + std::to_string(i);
                return "[" + all + "]";
              });
}

/// A request to the kernel over a netlink(7) socket; `what` is what a watcher sees of it. A rehearsal only asks.
inline auto request(effect does, int fd, std::string_view message, std::string_view what) -> ssize_t {
  const auto make = [&] { return ::send(fd, message.data(), message.size(), 0); };
  const auto ask = [&](pretence&) -> long {
    if (does == effect::changes) return static_cast<long>(message.size());
    const auto n = make();
    return n < 0 ? -errno : n;
  };
  return call(does, "sendto", make, ask, descriptor{fd}, [&] { return what; });
}

}  // namespace ocitk::sys::kernel

#endif
