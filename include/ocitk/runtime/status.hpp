#ifndef OCITK_RUNTIME_STATUS_HPP
#define OCITK_RUNTIME_STATUS_HPP

#include <ocitk/runtime/progress.hpp>
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

/// Is the process that published its progress still that process?
inline auto lives(const whereabouts& at) -> bool {
  const auto stat = at.pid > 0 ? sys::stat_of(at.pid) : result<sys::process_stat>{failure("not born")};
  return stat && stat->start_time == at.start_time && stat->state != 'Z' && stat->state != 'X';
}

}  // namespace detail

/// A container without a state.
struct unfinished {
  bool at_work = false;  ///< its creator lives; otherwise nobody will ever finish it
  int pid = 0;           ///< of init, once it is born
};

/// Asks the processes that published what they are at; before the first has, the lock tells, which the creator holds.
///
/// Calls  pread(2), read(2) of /proc/PID/stat; flock(2) LOCK_NB
inline auto observe_unfinished(const entry& where) -> unfinished {
  const auto published = read_progress(where.dir());
  if (!published || (*published)[0].pid == 0) return {.at_work = where.is_locked()};
  const auto& init = (*published)[2];
  return {.at_work = detail::lives((*published)[0]), .pid = detail::lives(init) ? init.pid : 0};
}

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
