#ifndef OCITK_SYS_WAITING_HPP
#define OCITK_SYS_WAITING_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/owned.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/missing.hpp>
#include <ocitk/sys/mountinfo.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/text.hpp>

#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What another process waits for: its state, the system call it is in, the file behind it. To ask never disturbs the
/// process and never waits for what it waits for.
namespace ocitk::sys {

/// What the kernel tells of a process in the middle of something. Empty fields: it does not say, or not to us.
struct waiting {
  process_stat stat{};
  std::string wchan{};              ///< function of the kernel: "pipe_read"
  std::string call{};               ///< "openat2"
  std::vector<std::string> args{};  ///< those that tell something: "/srv", "<pipe:[4711]>"
  std::string target{};             ///< the file, pipe or process that answers
  std::string mount{};              ///< of a target named by its path: "nfs4 server:/export at /srv"

  /// Still a copy of its parent, that is: of us. What execve(2) has begun is somebody else.
  [[nodiscard]] auto is_copy() const -> bool {
    constexpr unsigned forked_no_exec = 0x40;  // PF_FORKNOEXEC
    return (stat.flags & forked_no_exec) != 0;
  }
};

/// As ps(1) and proc_pid_status(5) call it.
inline auto state_text(char letter) -> std::string_view {
  switch (letter) {
    case 'R': return "running";
    case 'S': return "sleeping";
    case 'D': return "disk sleep";
    case 'T': return "stopped";
    case 't': return "tracing stop";
    case 'Z': return "zombie";
    case 'X': return "dead";
    case 'I': return "idle";
    case 'P': return "parked";
    default: return "unknown";
  }
}

/// A system call under way.
struct call_in_progress {
  long number = -1;  ///< -1: blocked outside of any: a page, the freezer, a signal that stops
  std::array<std::uint64_t, 6> args{};
  std::uint64_t stack = 0;
};

/// From the text of /proc/PID/syscall. Nothing for a process that runs.
inline auto call_from(std::string_view text) -> std::optional<call_in_progress> {
  call_in_progress c;
  const auto take = [&](auto& into, int base) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    if (text.starts_with("0x")) text.remove_prefix(2);
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), into, base);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return problem == std::errc{};
  };
  constexpr int hex = 16;
  if (!take(c.number, 10)) return std::nullopt;
  if (c.number >= 0)
    for (auto& arg : c.args)
      if (!take(arg, hex)) return std::nullopt;
  if (!take(c.stack, hex)) return std::nullopt;
  return c;
}

/// The name of a system call. A 32-bit program on a 64-bit kernel has numbers of its own; its stack gives it away.
inline auto call_name(const call_in_progress& c) -> std::string {
  if (c.number < 0) return {};
  constexpr std::uint64_t four_gigabytes = std::uint64_t{1} << 32U;
  auto arch = seccomp_arch_native();
  if (c.stack < four_gigabytes && arch == SCMP_ARCH_X86_64) arch = SCMP_ARCH_X86;
  if (c.stack < four_gigabytes && arch == SCMP_ARCH_AARCH64) arch = SCMP_ARCH_ARM;
  const owned<char*, ::free> name{seccomp_syscall_resolve_num_arch(arch, static_cast<int>(c.number))};
  return name ? name.get() : filled("system call {}", c.number);
}

namespace detail {

/// What is worth showing of a call, a letter for each argument: `d` a directory where the path after it starts, `p` a
/// path, `f` a descriptor, `a` an array for poll(2), `n` a process, `-` nothing.
struct call_shape {
  std::string_view call, args;
};
inline constexpr auto call_shapes = std::to_array<call_shape>({
    {"accept", "f"},      {"accept4", "f"},    {"access", "p"},         {"chdir", "p"},      {"chroot", "p"},
    {"close", "f"},       {"connect", "f"},    {"creat", "p"},          {"epoll_pwait", "f"}, {"epoll_wait", "f"},
    {"execve", "p"},      {"execveat", "dp"},  {"faccessat", "dp"},     {"faccessat2", "dp"}, {"fchdir", "f"},
    {"fchmod", "f"},      {"fchown", "f"},     {"fchownat", "dp"},      {"fcntl", "f"},      {"fdatasync", "f"},
    {"finit_module", "f"}, {"flock", "f"},     {"fsconfig", "f"},       {"fsmount", "f"},    {"fsopen", "p"},
    {"fstat", "f"},       {"fstatfs", "f"},    {"fsync", "f"},          {"ftruncate", "f"},  {"getdents64", "f"},
    {"ioctl", "f"},       {"linkat", "dpdp"},  {"lstat", "p"},          {"mkdir", "p"},      {"mkdirat", "dp"},
    {"mknodat", "dp"},    {"mount", "pp"},     {"mount_setattr", "dp"}, {"move_mount", "dpdp"}, {"newfstatat", "dp"},
    {"open", "p"},        {"open_tree", "dp"}, {"openat", "dp"},        {"openat2", "dp"},   {"pivot_root", "pp"},
    {"poll", "a"},        {"ppoll", "a"},      {"pread64", "f"},        {"preadv", "f"},     {"pwrite64", "f"},
    {"read", "f"},        {"readlink", "p"},   {"readlinkat", "dp"},    {"readv", "f"},      {"recvfrom", "f"},
    {"recvmsg", "f"},     {"rename", "pp"},    {"renameat", "dpdp"},    {"renameat2", "dpdp"}, {"rmdir", "p"},
    {"sendfile", "ff"},   {"sendmsg", "f"},    {"sendto", "f"},         {"setns", "f"},      {"splice", "f-f"},
    {"stat", "p"},        {"statfs", "p"},     {"statx", "dp"},         {"symlinkat", "pdp"}, {"umount2", "p"},
    {"unlink", "p"},      {"unlinkat", "dp"},  {"wait4", "n"},          {"waitid", "-n"},    {"write", "f"},
    {"writev", "f"},
});

inline auto shape_of(std::string_view call) -> std::string_view {
  const auto* found = std::ranges::find(call_shapes, call, &call_shape::call);
  return found == call_shapes.end() ? std::string_view{} : found->args;
}

/// As much of a piece of memory as there is. The second part may lie on a page that is missing.
///
/// Calls  process_vm_readv(2)
inline auto read_memory(int pid, std::uint64_t address, std::span<char> into) -> std::size_t {
  constexpr std::uint64_t page = 4096;  // or a multiple of it
  const auto first = std::min<std::uint64_t>(page - address % page, into.size());
  iovec here{.iov_base = into.data(), .iov_len = into.size()};
  std::array<iovec, 2> there{{{.iov_base = reinterpret_cast<void*>(address), .iov_len = first},
                              {.iov_base = reinterpret_cast<void*>(address + first), .iov_len = into.size() - first}}};
  const auto n = ::process_vm_readv(pid, &here, 1, there.data(), there.size(), 0);
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

/// The same by a child of ours: memory may be of a file whose server does not answer, and then whoever touches it
/// hangs as well. Empty: unreadable, or not in time.
inline auto memory_of(int pid, std::uint64_t address, std::size_t most) -> std::string {
  constexpr int patience = 500;  // milliseconds
  constexpr std::size_t longest = 4096;
  std::array<char, longest> bytes{};
  const auto into = std::span{bytes}.first(std::min(most, longest));
  int ends[2] = {-1, -1};
  if (address == 0 || ::pipe2(ends, O_CLOEXEC) != 0) return {};
  const unique_fd out{ends[0]};
  unique_fd in{ends[1]};
  const auto reader = clone_process({});
  if (!reader) return {};
  if (reader->pid == 0) {
    const auto n = read_memory(pid, address, into);
    ::_exit(::write(in.get(), into.data(), n) < 0 ? 1 : 0);  // fits into the pipe
  }
  in.reset();
  pollfd answer{.fd = out.get(), .events = POLLIN, .revents = 0};
  std::string text;
  if (::poll(&answer, 1, patience) > 0)
    if (const auto n = read_some(out, into)) text.assign(bytes.data(), *n);
  (void)send_signal(reader->pidfd, SIGKILL);  // dead already is as good
  if (wait_exit(reader->pidfd, patience).value_or(false)) (void)exit_status(reader->pid);  // else it hangs, and is left so
  return text;
}

inline constexpr std::size_t longest_path = 4096;

/// A path argument; nothing if it cannot be read.
inline auto path_of(int pid, std::uint64_t address) -> std::optional<std::string> {
  const auto bytes = memory_of(pid, address, longest_path);
  const auto end = bytes.find('\0');
  if (bytes.empty()) return std::nullopt;
  return printable(std::string_view{bytes}.substr(0, end), longest_path) + (end == bytes.npos ? "..." : "");
}

/// Where a link in /proc/PID leads to, by name: nothing is opened.
inline auto link_of(int pid, std::string_view name) -> std::string {
  const auto link = read_link_at(fd_ref::cwd(), filled("/proc/{}/{}", pid, name));
  return link ? printable(*link, longest_path) : std::string{};
}
inline auto file_of(int pid, std::int32_t fd) -> std::string {
  const auto link = link_of(pid, filled("fd/{}", fd));
  return link.empty() ? filled("fd {}", fd) : link;
}

inline auto descriptors_in(int pid, std::uint64_t address, std::uint64_t count) -> std::vector<std::string> {
  constexpr std::uint64_t enough = 8;
  const auto bytes = memory_of(pid, address, std::min(count, enough) * sizeof(pollfd));
  std::vector<std::string> files;
  for (std::size_t at = 0; at + sizeof(pollfd) <= bytes.size(); at += sizeof(pollfd)) {
    pollfd p{};
    std::memcpy(&p, bytes.data() + at, sizeof p);
    if (p.fd >= 0) files.push_back(file_of(pid, p.fd));
  }
  return files;
}

/// Fills in what a call says of itself, argument by argument.
class call_reader {
 public:
  call_reader(int pid, const call_in_progress& call, waiting& into) : pid_{pid}, call_{call}, into_{into} {}

  auto operator()(std::string_view shape) -> void {
    for (std::size_t i = 0; i < shape.size(); ++i) take(shape[i], call_.args[i], i);
  }

 private:
  auto take(char kind, std::uint64_t value, std::size_t i) -> void {
    const auto number = static_cast<std::int32_t>(value);
    if (kind == 'f') answered_by(file_of(pid_, number));
    if (kind == 'd') from(number);
    if (kind == 'p') take_path(value);
    if (kind == 'a')
      for (auto& file : descriptors_in(pid_, value, call_.args[i + 1])) answered_by(file);
    if (kind == 'n') into_.args.push_back(std::to_string(number));
    if (kind == 'n' && into_.target.empty()) into_.target = number > 0 ? filled("process {}", number) : "a child";
  }
  auto answered_by(const std::string& file) -> void {
    into_.args.push_back("<" + file + ">");
    into_.target += (into_.target.empty() ? "" : ", ") + file;
  }
  auto from(std::int32_t dir) -> void {
    base_ = dir == AT_FDCWD ? std::string{} : file_of(pid_, dir);
    if (dir != AT_FDCWD) into_.args.push_back("<" + base_ + ">");
  }
  auto take_path(std::uint64_t address) -> void {
    const auto path = path_of(pid_, address);
    into_.args.push_back(path ? "\"" + *path + "\"" : "?");
    if (!path || !into_.target.empty()) return;
    if (base_.empty() && !path->starts_with('/')) base_ = link_of(pid_, "cwd");
    while (base_.ends_with('/')) base_.pop_back();
    if (path->empty()) into_.target = base_;
    else into_.target = base_ + (path->starts_with('/') ? "" : "/") + *path;
    base_.clear();
  }

  int pid_;
  const call_in_progress& call_;
  waiting& into_;
  std::string base_{};
};

inline auto is_below(std::string_view path, std::string_view dir) -> bool {
  if (dir == "/") return path.starts_with('/');
  return path.starts_with(dir) && (path.size() == dir.size() || path[dir.size()] == '/');
}

}  // namespace detail

/// The mount that a path is on by its words alone, from the text of /proc/PID/mountinfo: "nfs4 server:/export at /srv".
inline auto mount_of(std::string_view path, std::string_view mountinfo) -> std::string {
  constexpr std::size_t mountpoint_field = 4;
  std::string longest, description;
  for (const auto& line : cgroupfs::split(mountinfo, '\n')) {
    const auto fields = cgroupfs::split(line, ' ');
    const auto dash = std::ranges::find(fields, "-");
    if (fields.size() <= mountpoint_field || fields.end() - dash < 3) continue;
    const auto point = unescaped(fields[mountpoint_field]);
    if (!detail::is_below(path, point) || point.size() < longest.size()) continue;
    longest = point;
    description = filled("{} {} at {}", dash[1], unescaped(dash[2]), point);
  }
  return printable(description, 2 * detail::longest_path);
}

/// What a process waits for. One look at each file, so the parts may be of different moments of a process that runs.
///
/// Calls  read(2) of /proc/PID/{stat,wchan,syscall,mountinfo}, readlink(2) of /proc/PID/{cwd,fd/N},
///        process_vm_readv(2); what takes PTRACE_MODE_READ or _ATTACH stays empty without the right to it
/// Fails  ENOENT, ESRCH: no such process
inline auto look_at(int pid) -> result<waiting> {
  constexpr std::size_t enough = 4096, most_mounts = std::size_t{4} << 20U;
  waiting w{.stat = OCITK_TRY(stat_of(pid))};
  const auto file = [&](std::string_view name, std::size_t most) {
    return read_file(fd_ref::cwd(), filled("/proc/{}/{}", pid, name), most).value_or("");
  };
  if (auto wchan = file("wchan", enough); wchan != "0") w.wchan = std::move(wchan);
  const auto call = call_from(file("syscall", enough));
  if (!call) return w;
  w.call = call_name(*call);
  const auto shape = detail::shape_of(w.call);
  detail::call_reader{pid, *call, w}(shape);
  const bool by_path = shape.starts_with('p') || shape.starts_with("dp");
  if (by_path && w.target.starts_with('/')) w.mount = mount_of(w.target, file("mountinfo", most_mounts));
  return w;
}

}  // namespace ocitk::sys

#endif
