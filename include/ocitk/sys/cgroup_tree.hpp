#ifndef OCITK_SYS_CGROUP_TREE_HPP
#define OCITK_SYS_CGROUP_TREE_HPP

#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/sys/listing.hpp>
#include <ocitk/text.hpp>

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <vector>

/// A cgroup with everything below it, whoever made that. Cgroups are named by absolute path here: that is what
/// the state on disk remembers. A cgroup that is not there any more has no processes, is not frozen and is removed.
namespace ocitk::sys::cgroupfs {

using paths = std::span<const std::string>;

/// Waits longer and longer, 1 ms at first, until the time is used up.
class patience {
 public:
  explicit patience(long milliseconds) : left_{milliseconds} {}
  [[nodiscard]] auto wait() -> bool {
    if (left_ <= 0) return false;
    const long now = std::min(next_, left_);
    const timespec pause{.tv_sec = now / 1000, .tv_nsec = now % 1000 * 1'000'000};
    ::nanosleep(&pause, nullptr);
    left_ -= now;
    next_ = std::min(next_ * 2, longest);
    return true;
  }

 private:
  static constexpr long longest = 250;
  long left_, next_ = 1;
};

inline constexpr long usual_patience = 2000;  ///< milliseconds

namespace detail {

inline auto children(fd_ref dir) -> result<std::vector<std::string>> {
  std::vector<std::string> names;
  for (auto& entry : OCITK_TRY(list_directory(dir)))
    if (entry.is_directory) names.push_back(std::move(entry.name));
  return names;
}

/// Calls `visit(dir)` for a cgroup and all below it, parents first.
template <class Visit>
auto walk(fd_ref dir, Visit& visit) -> result<> {
  OCITK_TRY(visit(dir));
  for (const auto& name : OCITK_TRY(children(dir))) {
    auto child = open_beneath(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!child && means_gone(child.error())) continue;
    if (!child) return std::unexpected(child.error());
    if (auto below = walk(*child, visit); !below && !means_gone(below.error())) return below;
  }
  return {};
}

template <class Visit>
auto walk(const std::string& path, Visit visit) -> result<> {
  auto dir = open_dir(path);
  auto done = dir ? walk(fd_ref{*dir}, visit) : result<>{std::unexpected(dir.error())};
  if (!done && means_gone(done.error())) return {};
  return trying(path, std::move(done));
}

/// Leaves first: the kernel removes no cgroup that has children.
inline auto remove_below(fd_ref dir) -> result<> {
  for (const auto& name : OCITK_TRY(children(dir))) {
    if (kernel::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR) == 0) continue;
    auto child = open_beneath(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!child) continue;  // gone, or the retry of the whole tree tells
    (void)remove_below(*child);
    (void)kernel::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR);  // the parent's rmdir tells whether it worked
  }
  return {};
}

/// Nothing there to remove is no failure, even where nothing could be removed (lesson 48).
inline auto remove_once(const std::string& path) -> result<> {
  auto done = trying(path, checked(kernel::unlinkat(AT_FDCWD, path.c_str(), AT_REMOVEDIR), "rmdir"));
  if (done || means_gone(done.error())) return {};
  if (done.error().code == EROFS && ::access(path.c_str(), F_OK) != 0) return {};
  if (done.error().code != EBUSY && done.error().code != ENOTEMPTY) return done;
  auto dir = open_dir(path);
  if (!dir) return means_gone(dir.error()) ? result<>{} : result<>{std::unexpected(dir.error())};
  (void)remove_below(*dir);  // judged by the rmdir that follows
  done = trying(path, checked(kernel::unlinkat(AT_FDCWD, path.c_str(), AT_REMOVEDIR), "rmdir"));
  return !done && means_gone(done.error()) ? result<>{} : done;
}

}  // namespace detail

/// The processes of a cgroup and all below it, ascending. 0 stands for those of a foreign PID namespace.
inline auto pids(const std::string& path) -> result<std::vector<int>> {
  std::vector<int> found;
  OCITK_TRY(detail::walk(path, [&](fd_ref dir) -> result<> {
    auto text = read_file(dir, "cgroup.procs");
    if (!text && text.error().code == EOPNOTSUPP) return {};  // threaded: its domain lists them
    if (!text) return std::unexpected(text.error());
    for (const auto& line : split(*text, '\n')) {
      int pid = 0;
      if (std::from_chars(line.data(), line.data() + line.size(), pid).ec == std::errc{}) found.push_back(pid);
    }
    return {};
  }));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

/// The processes of all hierarchies of a container: it may have moved some out of one of them.
inline auto pids(paths all) -> result<std::vector<int>> {
  std::vector<int> found;
  for (const auto& path : all)
    for (const int pid : OCITK_TRY(pids(path))) found.push_back(pid);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

/// "12 34 56", for the one who has to find out why they stay.
inline auto joined(const std::vector<int>& numbers) -> std::string {
  std::string text;
  for (const int n : numbers) text += (text.empty() ? "" : " ") + std::to_string(n);
  return text;
}

/// Removes a cgroup with all below it, leaves first; dying processes get time to leave.
///
/// Calls  rmdir(2), again after 1 ms, 2 ms, ... up to 2 s in all
/// Fails  EBUSY, naming the processes that hold it
inline auto remove(const std::string& path, patience time = patience{usual_patience}) -> result<> {
  for (;;) {
    auto done = detail::remove_once(path);
    if (done || (done.error().code != EBUSY && done.error().code != ENOTEMPTY)) return done;
    if (time.wait()) continue;
    if (auto left = pids(path); left && !left->empty()) done.error().detail += ", held by " + joined(*left);
    return done;
  }
}

/// Removes all hierarchies' cgroups of a container; goes on after a failure and tells the first one.
inline auto remove(paths all) -> result<> {
  result<> outcome;
  for (const auto& path : all)
    if (auto done = remove(path); !done && outcome) outcome = done;
  return outcome;
}

/// Sends a signal once to every process there is now.
inline auto signal_all(paths all, int number) -> result<> {
  for (const int pid : OCITK_TRY(pids(all)))
    if (pid > 0 && kernel::kill(pid, number) != 0 && errno != ESRCH) return failed("kill", std::to_string(pid));
  return {};
}

/// Is it frozen, on v1 also by a cgroup above it? False where there is no freezer.
inline auto frozen(paths all) -> result<bool> {
  for (const auto& path : all) {
    const auto dir = open_dir(path);
    if (!dir && means_gone(dir.error())) continue;
    if (!dir) return std::unexpected(dir.error());
    const auto is = [&](const char* file, std::string_view sign) {
      const auto text = read_file(*dir, file);
      return text && text->find(sign) != std::string::npos;
    };
    if (is("freezer.state", "FR") || is("cgroup.freeze", "1")) return true;  // FROZEN, FREEZING
  }
  return false;
}

/// Lets everything run again, the sub-cgroups that the container froze itself too (threat F19).
inline auto thaw(paths all) -> result<> {
  for (const auto& path : all)
    OCITK_TRY(detail::walk(path, [](fd_ref dir) -> result<> {
      for (const auto& [file, value] : {std::pair{"freezer.state", "THAWED"}, std::pair{"cgroup.freeze", "0"}})
        if (auto done = write_file(dir, file, value); !done && !means_gone(done.error())) return done;
      return {};
    }));
  return {};
}

namespace detail {

inline auto is_frozen_now(fd_ref dir) -> bool {
  if (const auto state = read_file(dir, "freezer.state")) return trimmed(*state) == "FROZEN";
  const auto events = read_file(dir, "cgroup.events");
  return events && events->find("frozen 1") != std::string::npos;
}

inline auto freeze_one(fd_ref dir, bool v1) -> result<> {
  return v1 ? write_file(dir, "freezer.state", "FROZEN") : write_file(dir, "cgroup.freeze", "1");
}

}  // namespace detail

/// Stops everything; thaws again what would not stop in time, so that nobody is left half frozen (lesson 4).
///
/// Fails  ETIMEDOUT; ENOENT where there is no freezer
inline auto freeze(paths all, long milliseconds = usual_patience) -> result<> {
  bool any = false;
  for (const auto& path : all) {
    const auto dir = OCITK_TRY(open_dir(path));
    const bool v1 = ::faccessat(dir.get(), "freezer.state", F_OK, 0) == 0;
    if (!v1 && (any || ::faccessat(dir.get(), "cgroup.freeze", F_OK, 0) != 0)) continue;
    any = true;
    OCITK_TRY(trying(path, detail::freeze_one(dir, v1)));
    for (patience time{milliseconds}; !detail::is_frozen_now(dir);) {
      const bool again = time.wait();
      if (again && v1) OCITK_TRY(detail::freeze_one(dir, v1));  // v1 misses a process that forked meanwhile
      if (again) continue;
      (void)thaw(std::span{&path, 1});  // the failure to freeze is the one to tell
      return std::unexpected(error{.code = ETIMEDOUT, .call = "freeze", .detail = path});
    }
  }
  if (!any) return std::unexpected(error{.code = ENOENT, .call = "freeze", .detail = "no freezer for the cgroup"});
  return {};
}

/// Lets run again what freeze() stopped; what the container froze below its cgroup stays frozen.
///
/// Calls  write(2) of "THAWED" to freezer.state, of "0" to cgroup.freeze
/// Fails  EBUSY: a cgroup above it is frozen
inline auto unfreeze(paths all, long milliseconds = usual_patience) -> result<> {
  for (const auto& path : all) {
    const auto dir = OCITK_TRY(open_dir(path));
    for (const auto& [file, value] : {std::pair{"freezer.state", "THAWED"}, std::pair{"cgroup.freeze", "0"}})
      if (auto done = write_file(dir, file, value); !done && !means_gone(done.error())) return trying(path, std::move(done));
    for (patience time{milliseconds}; detail::is_frozen_now(dir);)
      if (!time.wait())
        return std::unexpected(error{.code = EBUSY, .call = "thaw", .detail = "a cgroup above " + path + " is frozen"});
  }
  return {};
}

/// Kills all processes until none is left: cgroup.kill where the kernel has it, else frozen, signalled, thawed.
///
/// Fails  EBUSY with the pids that are still there, in uninterruptible sleep most likely
inline auto kill_all(paths all, patience time = patience{usual_patience}) -> result<> {
  for (;;) {
    for (const auto& path : all)
      if (const auto dir = open_dir(path)) (void)write_file(*dir, "cgroup.kill", "1");  // v2 only; the count tells
    if (OCITK_TRY(pids(all)).empty()) return {};
    constexpr long fork_bomb = 20;  // milliseconds; a frozen one makes no new processes while we count
    (void)freeze(all, fork_bomb);   // best effort: without it only takes more rounds
    auto sent = signal_all(all, SIGKILL);
    OCITK_TRY(thaw(all));
    if (!sent) return sent;
    const auto left = OCITK_TRY(pids(all));
    if (left.empty()) return {};
    if (!time.wait())
      return std::unexpected(error{.code = EBUSY, .call = "kill", .detail = "still there: " + joined(left)});
  }
}

}  // namespace ocitk::sys::cgroupfs

#endif
