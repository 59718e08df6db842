#ifndef OCITK_RUNTIME_START_GATE_HPP
#define OCITK_RUNTIME_START_GATE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>

/// Between create and start init waits at a FIFO, exec.fifo in the container's directory. Init holds it open for
/// reading and writing, so it never sees an end; `start` opens it for writing without waiting, which fails at once
/// when init is dead (threats F11, F12). As long as the file is there the container counts as created.
namespace ocitk::runtime {

inline constexpr const char* gate_name = "exec.fifo";

/// Makes the gate; the descriptor is for init.
///
/// Calls  mkfifoat(3), open(2) O_RDWR
inline auto make_gate(fd_ref dir) -> result<unique_fd> {
  OCITK_TRY(trying(gate_name, checked(sys::kernel::mknodat(dir.get(), gate_name, S_IFIFO | 0600, 0), "mkfifo")));
  return sys::open_at(dir, gate_name, O_RDWR | O_NOFOLLOW);
}

/// The first process of a PID namespace is not reached by a signal it has no handler for: a container that waits ends at
/// a TERM, INT, HUP or QUIT as any other process would. execve(2) takes the handlers away.
///
/// Process  init
/// Calls    sigaction(2), sigprocmask(2)
inline auto die_of_signals() -> result<> {
  constexpr int by_signal = 128;
  struct sigaction end {};
  end.sa_handler = [](int number) { ::_exit(by_signal + number); };
  sigset_t ours;
  ::sigemptyset(&ours);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    OCITK_TRY(checked(::sigaction(number, &end, nullptr), "sigaction"));
    ::sigaddset(&ours, number);
  }
  return checked(::sigprocmask(SIG_UNBLOCK, &ours, nullptr), "sigprocmask");
}

/// Blocks until `start` writes its byte.
inline auto wait_at_gate(fd_ref gate) -> result<> {
  std::array<char, 1> byte{};
  if (OCITK_TRY(sys::read_some(gate, byte)) == 0) return failure("exec fifo is empty");
  return {};
}

/// Lets init through, and removes the gate: nobody starts a container twice.
///
/// Returns  our end of it; see wait_for_payload()
/// Fails    `cannot start a container that has stopped`, `cannot start an already running container`
inline auto open_gate(fd_ref dir) -> result<unique_fd> {
  auto gate = sys::open_at(dir, gate_name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
  if (!gate && gate.error().code == ENXIO) return failure("cannot start a container that has stopped");
  if (!gate && gate.error().code == ENOENT) return failure("cannot start an already running container");
  if (!gate) return std::unexpected(gate.error());
  if (!S_ISFIFO(OCITK_TRY(sys::status_of(*gate)).st_mode)) return failure("exec.fifo is no FIFO");
  OCITK_TRY(checked(sys::kernel::unlinkat(dir.get(), gate_name, 0), "unlink"));  // first: init may be gone right after the byte
  OCITK_TRY(trying(gate_name, sys::write_all(*gate, "0")));
  return gate;
}

/// Blocks until init has become its payload, or is dead: its end of the gate closes.
inline auto wait_for_payload(fd_ref gate) -> result<> {
  OCITK_TRY(sys::wait_for(gate, 0, -1));
  return {};
}

}  // namespace ocitk::runtime

#endif
