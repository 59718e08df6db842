#ifndef OCITK_SYS_PROGRAM_HPP
#define OCITK_SYS_PROGRAM_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/inheritance.hpp>
#include <ocitk/sys/kernel/file.hpp>
#include <ocitk/sys/kernel/mount.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/sys/packing.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/text.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <concepts>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Another program, from its first instruction to its end: what it is told, what it says, how long it may take. It
/// gets descriptors 0 to 2 and nothing else of ours, a session of its own, default signals.
namespace ocitk::sys {

struct task {
  std::string path{};
  std::vector<std::string> args{};  ///< from its own name on
  std::vector<std::string> env{};   ///< all of it: "K=V"
  std::string input{};              ///< on its standard input, then the end; it need not read it
  int directory = -1;               ///< a descriptor of where it starts; -1: the caller's working directory
  std::optional<int> seconds{};     ///< then it is killed, with its process group
  std::size_t kept_output = 64 * 1024;  ///< bytes of each stream; what is between its beginning and its end is cut out
};

/// How it ended, and what it said up to then: the beginning and the end of it, if it said much.
struct ending {
  int wait_status = 0;
  bool overran = false;  ///< its time was over
  std::string out{}, err{};
  [[nodiscard]] auto fine() const -> bool { return !overran && wait_status == 0; }
};

/// Nothing to do between the last close and execve(2).
inline constexpr auto nothing_more = []() -> result<> { return {}; };

namespace detail {

/// Keeps the first and the last part of what flows through.
class excerpt {
 public:
  explicit excerpt(std::size_t kept) : kept_{kept} {}
  auto add(std::string_view part) -> void {
    const auto half = kept_ / 2;
    const auto room = half - std::min(half, head_.size());
    head_ += part.substr(0, room);
    part.remove_prefix(std::min(room, part.size()));
    tail_ += part;
    if (tail_.size() <= half) return;
    tail_.erase(0, tail_.size() - half);
    cut_ = true;
  }
  [[nodiscard]] auto text() const -> std::string { return cut_ ? head_ + "..." + tail_ : head_ + tail_; }

 private:
  std::size_t kept_;
  std::string head_{}, tail_{};
  bool cut_ = false;
};

struct pipe_ends {
  unique_fd read{}, write{};
};

/// Numbered from 3 on: 0 to 2 are what the child puts them on.
inline auto new_pipe(std::string_view name) -> result<pipe_ends> {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed("pipe2");
  pipe_ends p{unique_fd{ends[0]}, unique_fd{ends[1]}};
  for (auto* end : {&p.read, &p.write}) {
    if (end->get() < 3) *end = OCITK_TRY(duplicate(*end));
    if (watching != nullptr) watching->learn(end->get(), name);
  }
  return p;
}

inline auto never_wait_for(fd_ref fd) -> result<> { return checked(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), "fcntl"); }

/// By fork(2) where a filter knows no clone3(2); the pidfd may be missing then.
inline auto plain_child() -> result<child> {
  auto made = clone_process({});
  if (made || (made.error().code != ENOSYS && made.error().code != EPERM)) return made;
  const int pid = ::fork();
  if (pid < 0) return failed("fork");
  if (pid == 0) return child{};
  auto pidfd = open_pidfd(pid);  // nobody but us can reap it: the pid is its own
  return child{.pid = pid, .pidfd = pidfd ? std::move(*pidfd) : unique_fd{}};
}

/// What execve(2) takes, laid out before the child is there.
inline auto laid_out(const std::vector<std::string>& texts) -> std::vector<char*> {
  std::vector<char*> list;
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));  // execve only reads
  list.push_back(nullptr);
  return list;
}

struct child_side {
  int in = -1, out = -1, err = -1;
  int report = -1;  ///< closed by execve(2); what comes before is why there was none
};

template <std::invocable Last>
auto become(const task& wanted, char* const* argv, char* const* envp, const child_side& ends, Last& last) -> result<> {
  OCITK_TRY(checked(kernel::setsid(), "setsid"));
  OCITK_TRY(checked(kernel::dup2(ends.in, 0), "dup2"));
  OCITK_TRY(checked(kernel::dup2(ends.out, 1), "dup2"));
  OCITK_TRY(checked(kernel::dup2(ends.err, 2), "dup2"));
  if (wanted.directory >= 0) OCITK_TRY(checked(kernel::fchdir(wanted.directory), "fchdir"));
  reset_signals();
  OCITK_TRY(close_on_exec(3));
  OCITK_TRY(last());
  return checked(kernel::execve(wanted.path.c_str(), argv, envp), "execve");
}

template <std::invocable Last>
[[noreturn]] auto child_main(const task& wanted, char* const* argv, char* const* envp, const child_side& ends, Last& last) -> void {
  const auto done = become(wanted, argv, envp, ends, last);
  std::string bytes;
  put_number(bytes, static_cast<std::uint32_t>(done.error().code));
  put_text(bytes, done.error().call);
  put_text(bytes, done.error().detail);
  (void)!::write(ends.report, bytes.data(), bytes.size());  // a caller that is gone needs no reason
  ::_exit(127);
}

inline auto milliseconds_now() -> std::int64_t {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}

/// One stream that the child says something on.
class listener {
 public:
  listener() = default;
  listener(unique_fd end, std::size_t kept) : end_{std::move(end)}, heard_{kept} {}
  [[nodiscard]] auto poll_entry() const -> pollfd { return {.fd = end_.get(), .events = POLLIN, .revents = 0}; }
  /// One look; false when there is nothing more now.
  auto take() -> bool {
    if (!end_) return false;
    std::array<char, 16 * 1024> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read(2) fills it
    const auto n = ::read(end_.get(), bytes.data(), bytes.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (n <= 0) end_.reset();
    else heard_.add({bytes.data(), static_cast<std::size_t>(n)});
    return n > 0;
  }
  /// What is there already. Its end may never come: a grandchild that stays holds the stream open.
  auto drain() -> std::string {
    constexpr int looks = 64;  // 1 MiB; who writes faster than we read is not waited for either
    for (int i = 0; i < looks && take();) ++i;
    return heard_.text();
  }

 private:
  unique_fd end_{};
  excerpt heard_{0};
};

/// The parent's side. Both ends of the input are kept: without a reader a write would raise SIGPIPE.
class conversation {
 public:
  conversation(const task& wanted, child who) : child_{std::move(who)}, unsaid_{wanted.input} {
    if (wanted.seconds) deadline_ = milliseconds_now() + std::int64_t{*wanted.seconds} * 1000;
  }
  listener out{}, err{}, report{};
  pipe_ends in{};

  auto run() -> result<ending> {
    ending e;
    say();
    for (bool over = false; !over;) {
      std::array<pollfd, 5> fds{{out.poll_entry(), err.poll_entry(), report.poll_entry(),
                                 {.fd = in.write.get(), .events = POLLOUT, .revents = 0},
                                 {.fd = child_.pidfd.get(), .events = POLLIN, .revents = 0}}};
      if (::poll(fds.data(), fds.size(), patience()) < 0 && errno != EINTR) return give_up(failed("poll"));
      if (fds[0].revents != 0) out.take();
      if (fds[1].revents != 0) err.take();
      if (fds[2].revents != 0) report.take();
      if (fds[3].revents != 0) say();
      over = OCITK_TRY(has_ended(e.wait_status));
      if (!over && deadline_ && milliseconds_now() >= *deadline_) {
        e.overran = true;
        deadline_.reset();
        kill_all();
      }
    }
    e.out = out.drain();
    e.err = err.drain();
    return e;
  }

 private:
  auto say() -> void {
    while (in.write && !unsaid_.empty()) {
      const auto n = kernel::write(in.write.get(), unsaid_.data(), unsaid_.size());
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) break;
      unsaid_.remove_prefix(static_cast<std::size_t>(n));
    }
    in.write.reset();
  }
  /// Milliseconds to wait for news; a child without a pidfd has to be looked at.
  [[nodiscard]] auto patience() const -> int {
    constexpr std::int64_t look_again = 10, longest = 60'000;
    auto time = child_.pidfd ? longest : look_again;
    if (deadline_) time = std::clamp<std::int64_t>(*deadline_ - milliseconds_now(), 0, time);
    return static_cast<int>(time);
  }
  auto has_ended(int& status) const -> result<bool> {
    for (;;) {
      const int pid = ::waitpid(child_.pid, &status, WNOHANG);
      if (pid >= 0) return pid == child_.pid;
      if (errno != EINTR) return failed("waitpid");
    }
  }
  auto kill_all() const -> void {
    (void)::kill(-child_.pid, SIGKILL);  // not reaped yet: the number is its own, and its group's
    (void)::kill(child_.pid, SIGKILL);   // in case it has no session of its own yet
  }
  auto give_up(std::unexpected<error> why) const -> std::unexpected<error> {
    kill_all();
    (void)reap(child_.pid);  // the first error counts
    return why;
  }

  child child_;
  std::string_view unsaid_;
  std::optional<std::int64_t> deadline_{};
};

inline auto told_by(std::string_view report, const std::string& path) -> error {
  unpacker from{report};
  error why{.code = static_cast<int>(from.number())};
  why.call = from.text();
  why.detail = from.text();
  if (why.detail.empty()) why.detail = path;
  return why;
}

}  // namespace detail

/// Runs a program to its end. Whatever it leaves behind in the background is not waited for, nor are its pipes.
/// `last` is done in the child right before it becomes the program: to load a filter, say.
///
/// Calls    pipe2(2), clone3(2); in the child setsid(2), dup2(2), fchdir(2), rt_sigaction(2), close_range(2), execve(2)
/// Fails    with what kept the child from becoming the program; ECHILD where SIGCHLD is ignored
template <std::invocable Last = decltype(nothing_more)>
auto run_program(const task& wanted, Last&& last = Last{}) -> result<ending> {
  auto in = OCITK_TRY(detail::new_pipe("stdin of a program"));
  auto out = OCITK_TRY(detail::new_pipe("stdout of a program"));
  auto err = OCITK_TRY(detail::new_pipe("stderr of a program"));
  auto report = OCITK_TRY(detail::new_pipe("report of a child"));
  for (const auto* end : {&in.write, &out.read, &err.read, &report.read}) OCITK_TRY(detail::never_wait_for(*end));
  const auto args = wanted.args.empty() ? std::vector{wanted.path} : wanted.args;
  const auto argv = detail::laid_out(args);
  const auto envp = detail::laid_out(wanted.env);
  auto child = OCITK_TRY(detail::plain_child());
  if (child.pid == 0)
    detail::child_main(wanted, argv.data(), envp.data(),
                       {.in = in.read.get(), .out = out.write.get(), .err = err.write.get(), .report = report.write.get()}, last);
  for (auto* end : {&out.write, &err.write, &report.write}) end->reset();
  detail::conversation talk{wanted, std::move(child)};
  talk.in = std::move(in);
  talk.out = detail::listener{std::move(out.read), wanted.kept_output};
  talk.err = detail::listener{std::move(err.read), wanted.kept_output};
  talk.report = detail::listener{std::move(report.read), wanted.kept_output};
  auto ended = OCITK_TRY(talk.run());
  if (const auto why = talk.report.drain(); !why.empty()) return std::unexpected(detail::told_by(why, wanted.path));
  return ended;
}

}  // namespace ocitk::sys

#endif
