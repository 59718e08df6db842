#ifndef OCITK_SYS_PROCESS_HPP
#define OCITK_SYS_PROCESS_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/text.hpp>

#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Processes: made, watched and signalled by pidfd; a pid alone may belong to a stranger by now (threat F7).
namespace ocitk::sys {

struct clone_request {
  std::uint64_t flags = 0;       ///< CLONE_NEW*, CLONE_PARENT
  int exit_signal = SIGCHLD;     ///< 0 with CLONE_PARENT
  int cgroup = -1;               ///< a cgroup2 directory to be born into; -1: the caller's
};

struct child {
  int pid = 0;
  unique_fd pidfd{};
};

/// A copy of the calling process, which must be its only thread. Returns twice; pid 0 in the child.
///
/// Calls  clone3(2) CLONE_PIDFD
/// Fails  EPERM without the right to a namespace; ENOSPC: too many namespaces; EBUSY, EOPNOTSUPP for the cgroup
inline auto clone_process(const clone_request& wanted) -> result<child> {
  int pidfd = -1;
  clone_args args{};
  args.flags = wanted.flags | CLONE_PIDFD | (wanted.cgroup >= 0 ? CLONE_INTO_CGROUP : 0ULL);
  args.exit_signal = static_cast<std::uint64_t>(wanted.exit_signal);
  args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  if (wanted.cgroup >= 0) args.cgroup = static_cast<std::uint64_t>(wanted.cgroup);
  const long pid = kernel::clone3(args);
  if (pid < 0) return failed("clone3");
  if (pid == 0) return child{};
  return child{.pid = static_cast<int>(pid), .pidfd = unique_fd{pidfd}};
}

/// Fails  ESRCH: no such process
inline auto open_pidfd(int pid) -> result<unique_fd> {
  const long fd = ::syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return failed("pidfd_open", std::to_string(pid));
  return unique_fd{static_cast<int>(fd)};
}

/// Another process' descriptor, by its number there; close-on-exec.
///
/// Fails  EPERM: who asks may not trace it; EBADF: it has no such number; ENOSYS before Linux 5.6
inline auto descriptor_of(fd_ref pidfd, int number) -> result<unique_fd> {
  const long fd = kernel::pidfd_getfd(pidfd.get(), number);
  if (fd < 0) return failed("pidfd_getfd");
  return unique_fd{static_cast<int>(fd)};
}

inline auto send_signal(fd_ref pidfd, int number) -> result<> {
  return checked(::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0), "pidfd_send_signal");
}

/// Waits until the process is dead (maybe not reaped yet); false when the time is over first.
inline auto wait_exit(fd_ref pidfd, int milliseconds) -> result<bool> { return wait_for(pidfd, POLLIN, milliseconds); }

inline auto has_exited(fd_ref pidfd) -> bool {
  const auto done = wait_exit(pidfd, 0);
  return done && *done;
}

struct process_stat {
  char state = '?';               ///< 'R', 'S', 'Z', ...
  std::uint64_t start_time = 0;   ///< clock ticks since boot
  unsigned flags = 0;             ///< the kernel's PF_*
};

/// From the text of /proc/PID/stat. The name in parentheses may hold anything.
inline auto stat_from(std::string_view text) -> result<process_stat> {
  const auto end_of_name = text.rfind(')');
  if (end_of_name == text.npos || end_of_name + 2 >= text.size()) return failure("cannot understand /proc/PID/stat");
  auto rest = text.substr(end_of_name + 2);
  process_stat s{.state = rest[0]};
  constexpr int fields_between = 19;  // from field 3, the state, to field 22, the start time
  constexpr int flags_field = 6;
  for (int i = 0; i < fields_between; ++i) {
    if (i == flags_field) (void)std::from_chars(rest.data(), rest.data() + rest.size(), s.flags);  // a word more for who asks
    const auto space = rest.find(' ');
    if (space == rest.npos) return failure("cannot understand /proc/PID/stat");
    rest.remove_prefix(space + 1);
  }
  if (std::from_chars(rest.data(), rest.data() + rest.size(), s.start_time).ec != std::errc{})
    return failure("cannot understand /proc/PID/stat");
  return s;
}

inline auto stat_of(int pid) -> result<process_stat> {
  constexpr std::size_t enough = 4096;
  return stat_from(OCITK_TRY(read_file(fd_ref::cwd(), filled("/proc/{}/stat", pid), enough)));
}

/// The exit code of a wait status, 128+n for death by signal n.
inline auto code_of(int wait_status) -> int {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/// Reaps a child; its wait status.
///
/// Calls  waitpid(2)
/// Fails  ECHILD: no child of ours, or the caller ignores SIGCHLD
inline auto reap(int pid) -> result<int> {
  int status = 0;
  for (;;) {
    if (::waitpid(pid, &status, 0) == pid) return status;
    if (errno != EINTR) return failed("waitpid");
  }
}

/// Reaps a child; its exit code, as code_of() has it.
inline auto exit_status(int pid) -> result<int> { return code_of(OCITK_TRY(reap(pid))); }

/// May others with our ids look into us: ptrace, /proc/PID/{fd,exe,cwd}? Reset by execve and by changes of ids.
inline auto set_dumpable(bool dumpable) -> result<> {
  return checked(kernel::prctl("PR_SET_DUMPABLE", PR_SET_DUMPABLE, dumpable ? 1UL : 0UL), "prctl(PR_SET_DUMPABLE)");
}

/// Orphans below us become our children.
inline auto set_subreaper() -> result<> {
  return checked(kernel::prctl("PR_SET_CHILD_SUBREAPER", PR_SET_CHILD_SUBREAPER, 1UL), "prctl(PR_SET_CHILD_SUBREAPER)");
}

/// For ps(1), up to 15 characters.
inline auto set_name(const char* name) -> result<> { return checked(kernel::set_name(name), "prctl(PR_SET_NAME)"); }

/// Lets the calling process run on every cpu that its cpuset has: a caller's mask is not the container's.
inline auto reset_cpu_affinity() -> result<> {
  constexpr std::size_t cpus = 16 * 1024;  // beyond any kernel's NR_CPUS, which cuts off what is too much
  const std::vector<unsigned long> all(cpus / (8 * sizeof(unsigned long)), ~0UL);
  return checked(kernel::sched_setaffinity(0, all.size() * sizeof(unsigned long), all.data()), "sched_setaffinity");
}

namespace detail {
inline auto upper(std::string_view text) -> std::string {
  std::string up{text};
  for (char& c : up)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return up;
}

/// A decimal number that fills the whole text.
inline auto whole_number(std::string_view text) -> std::optional<int> {
  int number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}
}  // namespace detail

/// "15", "TERM", "sigterm", "RTMIN+3"; 0 asks only whether somebody is there.
inline auto signal_number(std::string_view word) -> std::optional<int> {
  constexpr int first_realtime = 32, last_realtime = 64;  // the kernel's, as Go counts them
  if (const auto number = detail::whole_number(word)) return *number <= last_realtime ? number : std::nullopt;
  auto name = detail::upper(word);
  if (name.starts_with("SIG")) name.erase(0, 3);
  if (name == "IOT") name = "ABRT";
  if (name == "CLD") name = "CHLD";
  for (int n = 1; n < first_realtime; ++n)
    if (const char* known = ::sigabbrev_np(n); known != nullptr && name == known) return n;
  constexpr int usual_min = 34;
  if (name == "RTMIN") return usual_min;
  if (name == "RTMAX") return last_realtime;
  if (name.starts_with("RTMIN+"))
    if (const auto n = detail::whole_number(name.substr(6)); n && *n <= last_realtime - usual_min) return usual_min + *n;
  if (name.starts_with("RTMAX-"))
    if (const auto n = detail::whole_number(name.substr(6)); n && *n <= last_realtime - usual_min) return last_realtime - *n;
  return std::nullopt;
}

}  // namespace ocitk::sys

#endif
