#include "commands.hpp"
#include "entries.hpp"

#include <ocitk/cgroups/stats_text.hpp>
#include <ocitk/runtime/oom.hpp>
#include <ocitk/runtime/usage.hpp>
#include <ocitk/sys/io.hpp>

#include <fmt/core.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

// events: what a container uses, now and then, and when its memory ran out. One object of JSON a line.
namespace ocitk::tools {

namespace {

/// The container's id is made of letters that need no escapes.
auto stats_event(const runtime::record& known, const sys::cgroupfs::layout& layout) -> result<std::string> {
  const auto now = OCITK_TRY(runtime::usage_of(layout, known.cgroup_paths));
  return fmt::format("{{\"type\":\"stats\",\"id\":\"{}\",\"data\":{}}}\n", known.id, cgroups::to_json(now));
}

auto monotonic_milliseconds() -> std::int64_t {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

/// Follows a container to its end.
class follower {
 public:
  follower(const surroundings& about, const found& container, std::optional<runtime::oom_watch> memory, std::int64_t interval)
      : about_{about}, container_{container}, memory_{std::move(memory)}, interval_{interval} {}

  auto run() -> result<> {
    layout_ = OCITK_TRY(sys::cgroupfs::detect());
    next_ = monotonic_milliseconds() + interval_;
    for (;;) {
      const bool news = OCITK_TRY(wait());
      if (news && memory_->take()) OCITK_TRY(print_line(fmt::format("{{\"type\":\"oom\",\"id\":\"{}\"}}\n", container_.known.id)));
      if (over()) return {};
      if (monotonic_milliseconds() < next_) continue;
      next_ += interval_;
      if (const auto line = stats_event(container_.known, layout_)) OCITK_TRY(print_line(*line));
      else about_.log.write(runtime::level::error, line.error());
    }
  }

 private:
  static auto print_line(const std::string& line) -> result<> { return sys::write_all(fd_ref::of(1), line); }
  /// True: there is news of the memory.
  auto wait() -> result<bool> {
    constexpr std::int64_t longest = 3'600'000, look_again = 50;  // milliseconds
    const auto time = std::clamp<std::int64_t>(next_ - monotonic_milliseconds(), 0, init_gone_ ? look_again : longest);
    std::array<pollfd, 2> watched{pollfd{.fd = memory_ ? memory_->descriptor() : -1, .events = POLLIN, .revents = 0},
                                  pollfd{.fd = init_gone_ ? -1 : container_.now.pidfd.get(), .events = POLLIN, .revents = 0}};
    if (::poll(watched.data(), watched.size(), static_cast<int>(time)) < 0 && errno != EINTR) return failed("poll");
    if ((watched[1].revents & POLLIN) != 0) init_gone_ = true;
    return (watched[0].revents & POLLIN) != 0;
  }
  /// Without a PID namespace of its own a container goes on after its first process.
  [[nodiscard]] auto over() const -> bool {
    if (!init_gone_) return false;
    if (container_.known.own_pid_namespace) return true;
    const auto left = sys::cgroupfs::pids(container_.known.cgroup_paths);
    return !left || left->empty();
  }

  const surroundings& about_;
  const found& container_;
  std::optional<runtime::oom_watch> memory_;
  std::int64_t interval_, next_ = 0;
  sys::cgroupfs::layout layout_{};
  bool init_gone_ = false;
};

}  // namespace

auto events(const surroundings& about, const cli::events_options& o) -> result<int> {
  const auto c = OCITK_TRY(look_at(about, o.id));
  if (!alive(c.now)) return failure(fmt::format("container with id {} is not running", o.id));
  if (o.stats) {
    const auto layout = OCITK_TRY(sys::cgroupfs::detect());
    const auto line = OCITK_TRY(stats_event(c.known, layout));
    OCITK_TRY(sys::write_all(fd_ref::of(1), line));
    return 0;
  }
  auto memory = runtime::oom_watch::start(c.known.cgroup_paths);
  if (!memory && memory.error().code != ENOENT) return std::unexpected(std::move(memory).error());
  if (!memory) about.log.write(runtime::level::warning, "no events of memory: " + memory.error().detail);
  follower f{about, c, memory ? std::optional{std::move(*memory)} : std::nullopt, o.interval};
  OCITK_TRY(f.run());
  return 0;
}

}  // namespace ocitk::tools
