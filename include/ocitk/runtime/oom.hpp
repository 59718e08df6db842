#ifndef OCITK_RUNTIME_OOM_HPP
#define OCITK_RUNTIME_OOM_HPP

#include <ocitk/cgroups/stats.hpp>
#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/cgroup_tree.hpp>
#include <ocitk/text.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// The moments when the kernel kills processes of a container because its memory limit is reached.
namespace ocitk::runtime {

/// How many processes of these cgroups, and of those below, were killed for want of memory. 0 without a memory controller.
inline auto oom_kills(const std::vector<std::string>& paths) -> std::uint64_t {
  std::uint64_t kills = 0;
  for (const auto& path : paths) {
    const auto dir = sys::cgroupfs::open_dir(path);
    if (!dir) continue;
    const cgroups::source from{.read = [&](const std::string& file) -> std::optional<std::string> {
      auto text = sys::cgroupfs::read_file(*dir, file);
      return text ? std::optional{std::move(*text)} : std::nullopt;
    }};
    for (const char* file : {"memory.oom_control", "memory.events"})
      kills += cgroups::detail::value_of(cgroups::detail::map_of(from, file), "oom_kill");
  }
  return kills;
}

/// A descriptor to poll(2) for news about one container's memory.
class oom_watch {
 public:
  /// Calls  eventfd(2) and cgroup.event_control on v1; inotify(7) on memory.events on v2
  /// Fails  ENOENT: `memory controller missing`
  static auto start(const std::vector<std::string>& paths) -> result<oom_watch> {
    for (const auto& path : paths) {
      const auto dir = sys::cgroupfs::open_dir(path);
      if (!dir) continue;
      const auto has = [&](const char* file) { return ::faccessat(dir->get(), file, F_OK, 0) == 0; };
      if (has("memory.oom_control")) return by_eventfd(*dir, path);
      if (has("memory.events")) return by_inotify(path);
    }
    return std::unexpected(error{.code = ENOENT, .detail = "memory controller missing"});
  }
  [[nodiscard]] auto descriptor() const -> int { return news_.get(); }

  /// After poll(2): was it an out of memory, or only the end of the cgroup or another counter?
  auto take() -> bool {
    std::array<char, 4096> events;  // NOLINT(cppcoreguidelines-pro-type-member-init): read(2) fills it
    while (::read(news_.get(), events.data(), events.size()) > 0 && !is_v1_) {}
    if (is_v1_) return ::access((path_ + "/cgroup.event_control").c_str(), F_OK) == 0;
    const auto now = oom_kills({path_});
    return now > std::exchange(seen_, now);
  }

 private:
  static auto by_eventfd(fd_ref dir, const std::string& path) -> result<oom_watch> {
    oom_watch w;
    w.news_ = unique_fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!w.news_) return failed("eventfd");
    const auto control = OCITK_TRY(sys::open_at(dir, "memory.oom_control", O_RDONLY));
    OCITK_TRY(trying(path, sys::cgroupfs::write_file(dir, "cgroup.event_control", filled("{} {}", w.news_.get(), control.get()))));
    w.is_v1_ = true;
    w.path_ = path;
    return w;
  }
  static auto by_inotify(const std::string& path) -> result<oom_watch> {
    oom_watch w;
    w.news_ = unique_fd{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    if (!w.news_) return failed("inotify_init1");
    OCITK_TRY(trying(path, checked(::inotify_add_watch(w.news_.get(), (path + "/memory.events").c_str(), IN_MODIFY), "inotify_add_watch")));
    w.path_ = path;
    w.seen_ = oom_kills({path});
    return w;
  }

  unique_fd news_{};
  std::string path_{};
  bool is_v1_ = false;
  std::uint64_t seen_ = 0;
};

}  // namespace ocitk::runtime

#endif
