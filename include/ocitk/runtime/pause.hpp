#ifndef OCITK_RUNTIME_PAUSE_HPP
#define OCITK_RUNTIME_PAUSE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/runtime/handshake.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/stages/exec.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/sys/process.hpp>

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Init's side of --stop-before and --shell-at: a setup that waits in the middle, and a shell in what is there by then.
namespace ocitk::runtime {

/// Where to wait, and whether a shell is wanted there.
struct pause_request {
  std::string stage{};  ///< empty: nowhere
  bool shell = false;
  std::array<unique_fd, 3> stdio{};  ///< for the shell, if it gets no terminal of its own: the caller's
  unique_fd host{};                  ///< the host's tree, from before it was left
};

namespace detail {

/// The caller's environment with what a person in the shell wants to know.
inline auto shell_environment(std::string_view stage, int root) -> spec::strings {
  spec::strings env;
  for (char** entry = ::environ; *entry != nullptr; ++entry)
    if (const std::string_view e = *entry; !e.starts_with("PS1=") && !e.starts_with("OCITK_STAGE=") && !e.starts_with("OCITK_ROOT="))
      env.emplace_back(e);
  env.push_back(fmt::format("PS1=ocitk {}# ", stage));
  env.push_back(fmt::format("OCITK_STAGE={}", stage));
  if (root >= 0) env.push_back(fmt::format("OCITK_ROOT=/proc/self/fd/{}", root));
  return env;
}

/// The terminal becomes the shell's own, with job control; without one it gets the caller's streams.
inline auto take_streams(const unique_fd& terminal, const std::array<unique_fd, 3>& streams) -> result<> {
  if (terminal) {
    if (::setsid() < 0) return failed("setsid");
    OCITK_TRY(checked(::ioctl(terminal.get(), TIOCSCTTY, 0), "ioctl(TIOCSCTTY)"));
  }
  for (int number = 0; number < 3; ++number) {
    const auto& from = terminal ? terminal : streams[static_cast<std::size_t>(number)];
    OCITK_TRY(checked(::dup2(from.get(), number), "dup2"));
  }
  return {};
}

/// The shell goes with init: who gives up kills that.
inline auto die_with(int parent) -> result<> {
  OCITK_TRY(checked(sys::kernel::prctl("PR_SET_PDEATHSIG", PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)"));
  if (::getppid() != parent) ::_exit(255);  // it was quicker
  return {};
}

/// Becomes the caller's shell. Before the pivot the host is what `/` shows; after it the child has gone back there.
inline auto become_shell(std::string_view stage, const unique_fd& root, const unique_fd& terminal,
                         const std::array<unique_fd, 3>& streams, int init) -> result<> {
  OCITK_TRY(die_with(init));
  OCITK_TRY(take_streams(terminal, streams));
  const char* wanted = std::getenv("SHELL");
  const std::string shell = wanted != nullptr && *wanted == '/' ? wanted : "/bin/sh";
  int root_number = -1;
  if (root) root_number = OCITK_TRY(pass_on(root));
  stages::exec::reset_signals();
  return stages::exec::become(stages::exec::lay_out(shell, {shell}, shell_environment(stage, root_number)));
}

/// Means nothing with the host as root, or takes what is not a shell's.
inline auto is_left_out_by_shell(std::string_view stage) -> bool { return stage == "cwd" || stage == "console"; }

}  // namespace detail

/// Asked before each stage of init. A copy of init is made right after the pivot if a shell is wanted later: it goes
/// back to the host's root while it still may, runs the same stages as init, and becomes the shell where init waits.
class pause_watch {
 public:
  pause_watch(pause_request& wanted, const channel& parent, const init_context& ctx)
      : wanted_{wanted}, parent_{parent}, ctx_{ctx}, init_{::getpid()}, pivoted_{wanted.host} {}

  /// Waits if it is time to.
  ///
  /// Returns  skip for a stage that a shell's process leaves out; stop after a failure, which problem() tells
  auto operator()(std::string_view stage) -> verdict {
    if (wanted_.stage.empty()) return verdict::run;
    if (auto done = arrive(stage); !done) {
      problem_ = std::move(done);
      return verdict::stop;
    }
    return is_shell_ && detail::is_left_out_by_shell(stage) ? verdict::skip : verdict::run;
  }
  [[nodiscard]] auto stops_before(std::string_view stage) const -> bool { return stage == wanted_.stage; }
  [[nodiscard]] auto is_shell() const -> bool { return is_shell_; }
  [[nodiscard]] auto problem() -> result<> { return std::move(problem_); }

 private:
  auto arrive(std::string_view stage) -> result<> {
    if (stage == "pivot") wanted_.host = OCITK_TRY(host());
    if (pivoted_ && wanted_.shell && !shell_ && !is_shell_) OCITK_TRY(split());
    if (stage == "pivot") pivoted_ = true;
    if (stage != wanted_.stage) return {};
    if (is_shell_) return open_shell(stage);
    OCITK_TRY(parent_.say_paused(stage));
    auto heard = OCITK_TRY(parent_.listen());
    if (heard.gone) ::_exit(255);  // nobody would know of this container
    if (heard.said != word::resume) return failure("the parent said something else than expected");
    return wanted_.shell ? run_shell(stage, std::move(heard.passed)) : result<>{};
  }

  /// A copy of the host's tree that outlives the pivot.
  auto host() const -> result<unique_fd> {
    if (!wanted_.shell) return unique_fd{};
    return sys::clone_mount(fd_ref::cwd(), "/", true);
  }

  /// The future shell waits for its terminal at a socket of its own.
  auto split() -> result<> {
    auto [mine, theirs] = OCITK_TRY(make_channel());
    auto child = OCITK_TRY(sys::clone_process({}));
    if (child.pid != 0) {
      shell_ = std::move(child);
      to_shell_ = std::move(mine);
      return {};
    }
    is_shell_ = true;
    standing.process = "shell";
    to_shell_ = std::move(theirs);
    OCITK_TRY(checked(::fchdir(wanted_.host.get()), "fchdir"));
    return checked(::chroot("."), "chroot");
  }

  /// In the shell's process.
  auto open_shell(std::string_view stage) -> result<> {
    auto heard = OCITK_TRY(to_shell_.listen());
    if (heard.gone || heard.said != word::resume) ::_exit(255);
    return detail::become_shell(stage, ctx_.rootfs, heard.passed, wanted_.stdio, init_);
  }

  /// In init: gives the shell its terminal, waits for its end, tells how it ended.
  auto run_shell(std::string_view stage, unique_fd terminal) -> result<> {
    if (!shell_) OCITK_TRY(fork_shell(stage, terminal));
    else OCITK_TRY(to_shell_.say_resume(terminal));
    terminal.reset();
    const int status = OCITK_TRY(sys::exit_status(shell_->pid));
    OCITK_TRY(parent_.say_left(status));
    auto heard = OCITK_TRY(parent_.listen());
    if (heard.gone) ::_exit(255);
    return heard.said == word::resume ? result<>{} : failure("the parent said something else than expected");
  }

  auto fork_shell(std::string_view stage, const unique_fd& terminal) -> result<> {
    auto child = OCITK_TRY(sys::clone_process({}));
    if (child.pid == 0) {
      const auto failed_to = detail::become_shell(stage, ctx_.rootfs, terminal, wanted_.stdio, init_);
      const auto text = to_string(failed_to.error()) + "\n";
      (void)!::write(2, text.data(), text.size());
      ::_exit(127);
    }
    shell_ = std::move(child);
    return {};
  }

  pause_request& wanted_;
  const channel& parent_;
  const init_context& ctx_;
  int init_;  ///< by its own account
  channel to_shell_{};
  std::optional<sys::child> shell_{};
  bool pivoted_ = false;
  bool is_shell_ = false;
  result<> problem_{};
};

}  // namespace ocitk::runtime

#endif
