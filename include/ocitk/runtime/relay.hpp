#ifndef OCITK_RUNTIME_RELAY_HPP
#define OCITK_RUNTIME_RELAY_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/sys/pty.hpp>

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>
#include <utility>
#include <vector>

/// The foreground of `run`: streams, signals and the end of the payload, in one poll(2) loop. Descriptors of the
/// caller never become non-blocking: others use them too.
namespace ocitk::runtime {

/// Blocks every signal and lets them be read instead. Before the first child: no death goes unnoticed (threat F13).
///
/// Calls  sigprocmask(2), signalfd(2)
inline auto block_signals() -> result<unique_fd> {
  sigset_t all;
  ::sigfillset(&all);
  OCITK_TRY(checked(::sigprocmask(SIG_SETMASK, &all, nullptr), "sigprocmask"));
  const int fd = ::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return failed("signalfd");
  return unique_fd{fd};
}

namespace detail {

/// One direction of a stream. It holds one block: what cannot be written is not read, so a stuck reader costs
/// nothing but its writer.
class copy {
 public:
  copy(int from, int to) : from_{from}, to_{to} {}

  [[nodiscard]] auto wants_input() const -> bool { return open_ && start_ == end_; }
  [[nodiscard]] auto wants_output() const -> bool { return open_ && start_ != end_; }
  [[nodiscard]] auto is_open() const -> bool { return open_; }
  [[nodiscard]] auto from() const -> int { return from_; }
  [[nodiscard]] auto poll_entry() const -> pollfd {
    if (wants_input()) return {.fd = from_, .events = POLLIN, .revents = 0};
    if (wants_output()) return {.fd = to_, .events = POLLOUT, .revents = 0};
    return {.fd = -1, .events = 0, .revents = 0};
  }
  /// Does what poll(2) said is possible. An end or an error of either side ends the copy; EIO is how a terminal
  /// says that nobody holds its other side.
  auto advance(short events) -> void {
    if (events == 0) return;
    const auto n = wants_input() ? ::read(from_, block_.data(), block_.size())
                                 : ::write(to_, block_.data() + start_, end_ - start_);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
      open_ = false;
      return;
    }
    if (wants_input()) {
      start_ = 0;
      end_ = static_cast<std::size_t>(n);
    } else {
      start_ += static_cast<std::size_t>(n);
    }
  }

 private:
  int from_, to_;
  bool open_ = true;
  std::size_t start_ = 0, end_ = 0;
  std::array<char, 4096> block_{};  // PIPE_BUF: after POLLOUT a pipe takes that much without blocking
};

inline auto is_forwarded(unsigned number) -> bool {
  return number != SIGCHLD && number != SIGWINCH && number != SIGURG && number != SIGPIPE;
}

}  // namespace detail

/// What a foreground needs; the descriptors are not its own but for the ones it closes at an end.
struct foreground {
  int pid = 0;
  int pidfd = -1;
  int signals = -1;                    ///< of block_signals()
  unique_fd terminal{};                ///< the master, with a terminal
  std::array<unique_fd, 3> pipes{};    ///< ours of stdin, stdout, stderr, without one
};

namespace detail {

class foreground_loop {
 public:
  explicit foreground_loop(foreground f) : f_{std::move(f)} {
    if (f_.terminal) {
      copies_.emplace_back(0, f_.terminal.get());
      copies_.emplace_back(f_.terminal.get(), 1);
      return;
    }
    if (f_.pipes[0]) copies_.emplace_back(0, f_.pipes[0].get());
    if (f_.pipes[1]) copies_.emplace_back(f_.pipes[1].get(), 1);
    if (f_.pipes[2]) copies_.emplace_back(f_.pipes[2].get(), 2);
  }

  auto run() -> result<int> {
    resize();
    while (!status_ || !drained_) OCITK_TRY(turn());
    return *status_;
  }

 private:
  static auto is_input(const copy& c) -> bool { return c.from() == 0; }

  auto turn() -> result<> {
    std::vector<pollfd> fds;
    for (const auto& c : copies_) fds.push_back(status_ && is_input(c) ? pollfd{.fd = -1, .events = 0, .revents = 0} : c.poll_entry());
    fds.push_back({.fd = f_.signals, .events = POLLIN, .revents = 0});
    fds.push_back({.fd = status_ ? -1 : f_.pidfd, .events = POLLIN, .revents = 0});
    if (::poll(fds.data(), fds.size(), timeout()) < 0) {
      if (errno == EINTR) return {};
      return failed("poll");
    }
    const bool was_over = status_.has_value();
    bool moved = false;
    for (std::size_t i = 0; i < copies_.size(); ++i) {
      moved = moved || fds[i].revents != 0;
      copies_[i].advance(fds[i].revents);
      if (!copies_[i].is_open()) close_ends(copies_[i]);
    }
    if (fds[copies_.size()].revents != 0) take_signals();
    if (fds[copies_.size() + 1].revents != 0 && !status_) status_ = OCITK_TRY(sys::exit_status(f_.pid));
    if (was_over && !moved && !is_flushing()) drained_ = true;
    return {};
  }

  /// After the end we only take what is there: other writers may live on without a PID namespace.
  [[nodiscard]] auto timeout() const -> int { return status_ && !is_flushing() ? 0 : -1; }
  [[nodiscard]] auto is_flushing() const -> bool {
    for (const auto& c : copies_)
      if (!is_input(c) && c.wants_output()) return true;
    return false;
  }

  /// The payload sees the end of its input, or that nobody reads its output any more.
  auto close_ends(const copy& c) -> void {
    if (f_.terminal) return;
    if (is_input(c)) f_.pipes[0].reset();
    for (std::size_t i : {std::size_t{1}, std::size_t{2}})
      if (f_.pipes[i] && f_.pipes[i].get() == c.from()) f_.pipes[i].reset();
  }

  auto take_signals() -> void {
    signalfd_siginfo info{};
    while (::read(f_.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo == SIGCHLD) reap();
      if (info.ssi_signo == SIGWINCH) resize();
      if (is_forwarded(info.ssi_signo) && !status_)
        (void)sys::send_signal(fd_ref::of(f_.pidfd), static_cast<int>(info.ssi_signo));  // gone is gone
    }
  }

  /// Orphans that came to us as the subreaper.
  auto reap() -> void {
    int wait_status = 0;
    for (int pid = 0; (pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0;)
      if (pid == f_.pid) status_ = sys::code_of(wait_status);
  }

  auto resize() -> void {
    if (!f_.terminal) return;
    for (const int caller : {0, 1, 2})
      if (::isatty(caller) == 1) {
        (void)sys::copy_window_size(fd_ref::of(caller), f_.terminal);  // a size is a courtesy
        return;
      }
  }

  foreground f_;
  std::vector<copy> copies_{};
  std::optional<int> status_{};
  bool drained_ = false;
};

}  // namespace detail

/// Newlines go to a pipe or a file as the payload writes them; a caller's terminal, which run_foreground() puts into raw
/// mode, shows what the container's made of them. To be called before the payload runs.
///
/// Calls  tcsetattr(3) ONLCR
inline auto adapt_terminal(fd_ref master) -> result<> {
  if (::isatty(0) == 1 && ::isatty(1) == 1) return {};
  return sys::leave_newlines_alone(master);
}

/// Copies, forwards and waits until the payload is gone and what it said is passed on.
///
/// Process  parent
/// Calls    poll(2), read(2), write(2), pidfd_send_signal(2), waitpid(2)
/// Returns  the exit code, 128+n for death by signal n
inline auto run_foreground(foreground f) -> result<int> {
  std::optional<sys::raw_mode> raw;
  if (f.terminal && ::isatty(0) == 1) raw.emplace(OCITK_TRY(sys::raw_mode::begin(0)));
  return detail::foreground_loop{std::move(f)}.run();
}

}  // namespace ocitk::runtime

#endif
