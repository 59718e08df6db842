#ifndef OCITK_CLI_WAITING_HPP
#define OCITK_CLI_WAITING_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/runtime/relay.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/sys/socket.hpp>

#include <poll.h>
#include <sys/signalfd.h>

#include <array>
#include <csignal>
#include <utility>

/// A tool that goes on in a child and stays behind: it hands signals on and ends as the child does.
namespace ocitk::cli {

/// From before the fork, so that neither a signal nor a death is missed.
class watch {
 public:
  /// Calls  sigaction(2), sigprocmask(2), signalfd(2)
  static auto begin() -> result<watch> {
    watch w;
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;  // a caller that ignores SIGCHLD would keep us from the status
    OCITK_TRY(checked(::sigaction(SIGCHLD, &usual, &w.on_child_), "sigaction"));
    OCITK_TRY(checked(::sigprocmask(SIG_BLOCK, nullptr, &w.mask_), "sigprocmask"));
    w.signals_ = OCITK_TRY(runtime::block_signals());
    return w;
  }
  /// In the child: signals are again as the caller left them.
  auto end_in_child() -> result<> {
    signals_.reset();
    OCITK_TRY(checked(::sigaction(SIGCHLD, &on_child_, nullptr), "sigaction"));
    return checked(::sigprocmask(SIG_SETMASK, &mask_, nullptr), "sigprocmask");
  }
  [[nodiscard]] auto signals() const -> const unique_fd& { return signals_; }

 private:
  watch() = default;
  unique_fd signals_{};
  sigset_t mask_{};
  struct sigaction on_child_ {};
};

namespace detail {

inline auto hand_on_signals(fd_ref signals, fd_ref pidfd) -> void {
  signalfd_siginfo info{};
  while (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
    if (runtime::detail::is_forwarded(info.ssi_signo))
      (void)sys::send_signal(pidfd, static_cast<int>(info.ssi_signo));  // gone is gone
}

/// Until the chain opens a terminal, closes its end of the socket, or dies.
inline auto await_terminal(fd_ref relay, fd_ref signals, fd_ref pidfd) -> result<unique_fd> {
  for (;;) {
    std::array<pollfd, 3> fds{{{.fd = relay.get(), .events = POLLIN, .revents = 0},
                               {.fd = pidfd.get(), .events = POLLIN, .revents = 0},
                               {.fd = signals.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return failed("poll");
    if (fds[2].revents != 0) hand_on_signals(signals, pidfd);
    if (fds[0].revents != 0) return OCITK_TRY(sys::receive_message(relay, 64)).fd;
    if (fds[1].revents != 0) return unique_fd{};
  }
}

}  // namespace detail

/// Stays until the child is gone. With a `relay`, the chain may send a terminal over it.
///
/// Calls    poll(2), pidfd_send_signal(2), waitpid(2); read(2) and write(2) for a terminal
/// Returns  the exit code, 128+n for death by signal n
inline auto wait_for(const watch& w, const sys::child& child, const unique_fd& relay) -> result<int> {
  runtime::foreground f{.pid = child.pid, .pidfd = child.pidfd.get(), .signals = w.signals().get()};
  if (relay) f.terminal = OCITK_TRY(detail::await_terminal(relay, w.signals(), child.pidfd));
  if (f.terminal) OCITK_TRY(runtime::adapt_terminal(f.terminal));
  return runtime::run_foreground(std::move(f));
}

}  // namespace ocitk::cli

#endif
