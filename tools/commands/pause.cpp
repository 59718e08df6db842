#include "pause.hpp"

#include <ocitk/stages/exec.hpp>
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/runtime/relay.hpp>
#include <ocitk/sys/pty.hpp>

#include <fmt/core.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <vector>

// The caller's side of a setup that waits in the middle: signals decide, or the end of a shell.
namespace ocitk::tools {

namespace {

auto all_words(std::span<const std::string_view> row) -> std::vector<std::string_view> {
  std::vector<std::string_view> words;
  const auto add = [&](std::string_view word) {
    if (std::ranges::find(words, word) == words.end()) words.push_back(word);
  };
  for (const auto word : row) add(word);
  add(ocitk::stages::load_filter::name);
  add(ocitk::stages::execute::name);
  return words;
}

auto check_stage(const std::string& word, std::span<const std::string_view> row) -> result<> {
  const auto known = all_words(row);
  if (std::ranges::find(known, word) != known.end()) return {};
  std::string list;
  for (const auto k : known) list.append(list.empty() ? "" : ", ").append(k);
  return failure(fmt::format("\"{}\" is no stage of init; these are: {}", word, list));
}

/// Signals are read while the object lives; whatever was blocked before is so again afterwards.
class signal_reader {
 public:
  static auto open() -> result<signal_reader> {
    signal_reader r;
    sigset_t wanted;
    ::sigemptyset(&wanted);
    for (const int number : {SIGCONT, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) ::sigaddset(&wanted, number);
    OCITK_TRY(checked(::sigprocmask(SIG_BLOCK, &wanted, &r.before_), "sigprocmask"));
    r.fd_ = unique_fd{::signalfd(-1, &wanted, SFD_CLOEXEC)};
    if (!r.fd_) return failed("signalfd");
    return r;
  }
  signal_reader(signal_reader&&) = default;
  signal_reader(const signal_reader&) = delete;
  auto operator=(const signal_reader&) -> signal_reader& = delete;
  auto operator=(signal_reader&&) -> signal_reader& = delete;
  ~signal_reader() {
    if (fd_) (void)::sigprocmask(SIG_SETMASK, &before_, nullptr);  // a set that the kernel gave us
  }

  [[nodiscard]] auto get() const -> int { return fd_.get(); }
  /// The next signal; nothing if `other` has something to say before.
  [[nodiscard]] auto next(int other) const -> result<std::optional<int>> {
    std::array<pollfd, 2> fds{{{.fd = fd_.get(), .events = POLLIN, .revents = 0}, {.fd = other, .events = POLLIN, .revents = 0}}};
    while (::poll(fds.data(), fds.size(), -1) < 0)
      if (errno != EINTR) return failed("poll");
    if (fds[0].revents == 0) return std::optional<int>{};
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return failed("read", "a signal");
    return std::optional{static_cast<int>(info.ssi_signo)};
  }

 private:
  signal_reader() = default;
  sigset_t before_{};
  unique_fd fd_{};
};

auto wait_for_signal(const surroundings& about, std::string_view stage, const runtime::ready_init& init) -> result<> {
  const auto signals = OCITK_TRY(signal_reader::open());
  about.log.say(fmt::format("stopped before {0}: init is process {1}. `kill -CONT {2}` goes on, `kill {2}` gives up", stage,
                            init.process.pid(), ::getpid()));
  const auto came = OCITK_TRY(signals.next(init.process.pidfd().get()));
  if (!came) return {};  // init is gone; whoever listens to it next tells why
  if (*came == SIGCONT) return {};
  return failure(fmt::format("stopped before {} and given up by signal {}", stage, *came));
}

/// A terminal pair of the host for a shell, if the caller sits at one.
auto terminal_for_shell() -> result<sys::terminal> {
  if (::isatty(0) != 1) return sys::terminal{};
  const auto devpts = OCITK_TRY(sys::open_at(fd_ref::cwd(), "/dev/pts", O_PATH | O_DIRECTORY));
  auto pair = OCITK_TRY(sys::open_terminal(devpts));
  (void)sys::copy_window_size(fd_ref::of(0), pair.master);  // a size is a courtesy
  return pair;
}

/// A signal that asks to give up; nothing if init has something to say before.
auto until_init_speaks(const signal_reader& signals, const runtime::channel& talk) -> result<std::optional<int>> {
  for (;;) {
    const auto came = OCITK_TRY(signals.next(talk.end().get()));
    if (came != SIGCONT) return came;
  }
}

/// Copies between the caller's terminal and the shell's until init tells that the shell is gone, or a signal comes.
auto relay_shell(int shell, const runtime::channel& talk, const signal_reader& signals) -> result<> {
  runtime::detail::copy in{0, shell}, out{shell, 1};
  const auto raw = OCITK_TRY(sys::raw_mode::begin(0));
  for (bool over = false; !over || out.wants_output();) {
    std::array<pollfd, 4> fds{in.poll_entry(), out.poll_entry(), {.fd = over ? -1 : talk.end().get(), .events = POLLIN, .revents = 0},
                              {.fd = signals.get(), .events = POLLIN, .revents = 0}};
    if (over) fds[0].fd = -1;
    constexpr int look_again = 200;  // milliseconds; the size of the window may have changed
    if (::poll(fds.data(), fds.size(), look_again) < 0 && errno != EINTR) return failed("poll");
    if (fds[3].revents != 0) return {};
    (void)sys::copy_window_size(fd_ref::of(0), fd_ref::of(shell));  // a size is a courtesy
    in.advance(fds[0].revents);
    out.advance(fds[1].revents);
    const bool idle = fds[1].revents == 0 || !out.is_open();
    if (fds[2].revents != 0 && idle) over = true;  // all that the shell said is passed on
  }
  return {};
}

auto serve_shell(const surroundings& about, std::string_view stage, runtime::ready_init& init) -> result<> {
  auto terminal = OCITK_TRY(terminal_for_shell());
  const auto signals = OCITK_TRY(signal_reader::open());
  about.log.say(fmt::format("a shell before {}; exit 0 goes on, anything else gives up", stage));
  OCITK_TRY(init.talk.say_resume(terminal.slave));
  terminal.slave.reset();
  if (terminal.master) OCITK_TRY(relay_shell(terminal.master.get(), init.talk, signals));
  if (const auto came = OCITK_TRY(until_init_speaks(signals, init.talk)))  // the shell dies with init
    return failure(fmt::format("given up in the shell before {} by signal {}", stage, *came));
  const auto heard = OCITK_TRY(init.talk.listen());
  if (heard.gone) return failure("init is gone");
  if (heard.said == runtime::word::error) return std::unexpected(heard.failure);
  if (heard.said != runtime::word::left) return failure("init said something else than expected");
  if (heard.text == "0") return {};
  return failure(fmt::format("given up in the shell before {} (status {})", stage, heard.text));
}

}  // namespace

auto wanted_pause(const cli::launch_options& o, std::span<const std::string_view> row) -> result<runtime::pause_request> {
  if (!o.stop_before.empty() && !o.shell_at.empty()) return failure("--stop-before and --shell-at exclude each other");
  runtime::pause_request p{.stage = o.shell_at.empty() ? o.stop_before : o.shell_at, .shell = !o.shell_at.empty()};
  if (p.stage.empty()) return p;
  OCITK_TRY(check_stage(p.stage, row));
  if (o.plan) return runtime::pause_request{};  // nobody waits in a plan
  for (int i = 0; p.shell && i < 3; ++i) p.stdio[static_cast<std::size_t>(i)] = OCITK_TRY(duplicate(fd_ref::of(i)));
  return p;
}

auto while_paused(const surroundings& about, const cli::launch_options& o) -> runtime::at_pause {
  return [&about, shell = !o.shell_at.empty()](std::string_view stage, runtime::ready_init& init) {
    return shell ? serve_shell(about, stage, init) : wait_for_signal(about, stage, init);
  };
}

}  // namespace ocitk::tools
