#ifndef OCITK_RUNTIME_REHEARSAL_HPP
#define OCITK_RUNTIME_REHEARSAL_HPP

#include <ocitk/runtime/handshake.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/watch/guard.hpp>
#include <ocitk/watch/model.hpp>
#include <ocitk/watch/recorder.hpp>
#include <ocitk/watch/recording.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <concepts>
#include <utility>
#include <vector>

/// Doing without doing: the very code of a setup runs in processes of its own, where nothing reaches the kernel.
namespace ocitk::runtime {

namespace detail {

template <class What>
[[noreturn]] auto rehearse_here(const watch::recording& tape, const channel& report, What& what) -> void {
  const auto play = [&]() -> result<> {
    watch::model machine;
    watch::recorder scribe{OCITK_TRY(tape.again()), &machine};
    OCITK_TRY(watch::deny_changes());
    const watch::watched_by in_scope{scribe};
    return what();
  };
  const auto done = play();
  if (!done) (void)report.fail(done.error());  // whoever asked is gone: nobody needs the reason
  while (::waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {}  // no dead process is left to others
  ::_exit(0);
}

}  // namespace detail

/// Runs `what` in a child process that changes nothing, with all children it makes.
///
/// Returns  every call it made, or would have
/// Fails    as `what` does
/// Calls    clone3(2), seccomp(2) in the child
template <std::invocable What>
auto rehearse(What&& what) -> result<std::vector<watch::recorded>> {
  const auto tape = OCITK_TRY(watch::recording::make());
  auto [mine, theirs] = OCITK_TRY(make_channel());
  const auto child = OCITK_TRY(sys::clone_process({}));
  if (child.pid == 0) {
    mine.close();
    detail::rehearse_here(tape, theirs, what);
  }
  theirs.close();
  auto heard = OCITK_TRY(mine.listen());  // its end shows when the last process of the rehearsal is gone
  const int status = OCITK_TRY(sys::exit_status(child.pid));
  if (!heard.gone) return std::unexpected(std::move(heard.failure));
  if (status != 0) return failure(fmt::format("the rehearsal died (status {})", status));
  return tape.all();
}

}  // namespace ocitk::runtime

#endif
