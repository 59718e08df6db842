#ifndef OCITK_RUNTIME_STATUS_HPP
#define OCITK_RUNTIME_STATUS_HPP

#include <ocitk/runtime/start_gate.hpp>
#include <ocitk/runtime/store.hpp>
#include <ocitk/sys/cgroup_tree.hpp>
#include <ocitk/sys/process.hpp>

#include <string_view>
#include <utility>

/// What a container is doing, asked of the kernel each time: there is no daemon that would know.
namespace ocitk::runtime {

enum class status { creating, created, running, paused, stopped };

inline auto to_string(status s) -> std::string_view {
  switch (s) {
    case status::creating: return "creating";
    case status::created: return "created";
    case status::running: return "running";
    case status::paused: return "paused";
    case status::stopped: return "stopped";
  }
  return "stopped";
}

/// The status, and the process it is about: empty when stopped.
struct live {
  status is = status::stopped;
  unique_fd pidfd{};
};

namespace detail {

/// Init's pidfd, if the process of that pid is still init. The descriptor comes first: once it is open, what is
/// read of the pid is about that process or a dead one (threat F7).
inline auto hold(const record& known) -> unique_fd {
  if (known.pid <= 0) return {};
  auto pidfd = sys::open_pidfd(known.pid);
  if (!pidfd) return {};
  const auto stat = sys::stat_of(known.pid);
  if (!stat || stat->start_time != known.start_time || stat->state == 'Z' || stat->state == 'X') return {};
  return std::move(*pidfd);
}

}  // namespace detail

/// Calls  pidfd_open(2), read(2) of /proc/PID/stat, and of the freezer
inline auto observe(const entry& where, const record& known) -> result<live> {
  live now{.is = status::stopped, .pidfd = detail::hold(known)};
  if (!now.pidfd) return now;
  const auto frozen = sys::cgroupfs::frozen(known.cgroup_paths);
  if (frozen && *frozen) now.is = status::paused;  // a cgroup that went away cannot be frozen
  else now.is = where.has(gate_name) ? status::created : status::running;
  return now;
}

}  // namespace ocitk::runtime

#endif
