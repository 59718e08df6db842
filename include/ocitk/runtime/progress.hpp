#ifndef OCITK_RUNTIME_PROGRESS_HPP
#define OCITK_RUNTIME_PROGRESS_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/process.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <new>
#include <string>
#include <string_view>
#include <utility>

/// How far a setup has come, for whoever looks from outside while it hangs: one page, shared by the processes of the
/// setup and the file `progress` in the container's directory. To publish a stage costs no system call.
namespace ocitk::runtime {

inline constexpr const char* progress_name = "progress";

/// What one process is at.
struct whereabouts {
  int pid = 0;                   ///< in the PID namespace of the parent; 0: not born yet
  std::uint64_t start_time = 0;  ///< of that process, clock ticks since boot: a pid alone may be a stranger's by now
  std::int64_t since = 0;        ///< nanoseconds, CLOCK_REALTIME
  std::string stage{};           ///< its word, or what goes on between stages: more than one word
};

namespace detail {

/// In the file; read by other processes while it is written to.
struct progress_slot {
  std::atomic<std::int32_t> pid{0};  ///< written last by who made the process, not by the process itself
  std::uint64_t start_time = 0;
  std::atomic<std::uint32_t> turn{0};  ///< odd while the rest changes, which only the process itself does
  std::int64_t since = 0;
  std::array<char, 48> stage{};
};

struct progress_page {
  static constexpr std::uint32_t sign = 0x6f636974;
  std::uint32_t magic = sign;
  std::array<progress_slot, 3> slots{};  ///< parent, bridge, init
};
inline constexpr std::array<std::string_view, 3> progress_processes{"parent", "bridge", "init"};

inline auto slot_number(std::string_view process) -> std::size_t {
  return static_cast<std::size_t>(std::ranges::find(progress_processes, process) - progress_processes.begin()) % 3;
}

inline auto wall_clock() -> std::int64_t {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  constexpr std::int64_t second = 1'000'000'000;
  return t.tv_sec * second + t.tv_nsec;
}

}  // namespace detail

/// The page of a setup under way. Copies of the process share it; an empty one publishes nothing.
class progress {
 public:
  progress() = default;
  progress(progress&& other) noexcept : page_{std::exchange(other.page_, nullptr)} {}
  auto operator=(progress&& other) noexcept -> progress& {
    std::swap(page_, other.page_);
    return *this;
  }
  progress(const progress&) = delete;
  auto operator=(const progress&) -> progress& = delete;
  ~progress() {
    if (page_ != nullptr) ::munmap(page_, sizeof(detail::progress_page));
  }

  /// Calls  openat(2) O_EXCL, ftruncate(2), mmap(2) MAP_SHARED
  static auto make(fd_ref dir) -> result<progress> {
    progress p;
    const auto file = OCITK_TRY(sys::open_at(dir, progress_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    OCITK_TRY(checked(sys::kernel::ftruncate(file.get(), sizeof(detail::progress_page)), "ftruncate"));
    if (rehearsing()) return p;  // there is no file to share
    void* memory = ::mmap(nullptr, sizeof(detail::progress_page), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return failed("mmap", progress_name);
    p.page_ = new (memory) detail::progress_page;
    return p;
  }

  /// The calling process, by what it stands for, is at this now.
  auto publish(std::string_view process, std::string_view stage) const -> void {
    if (page_ == nullptr) return;
    auto& slot = page_->slots[detail::slot_number(process)];
    slot.turn.fetch_add(1, std::memory_order_acq_rel);
    slot.since = detail::wall_clock();
    slot.stage.fill('\0');
    std::ranges::copy(stage.substr(0, slot.stage.size() - 1), slot.stage.begin());
    slot.turn.fetch_add(1, std::memory_order_acq_rel);
  }

  /// That process is there; said by who knows its pid, which it may not know itself.
  ///
  /// Calls  read(2) of /proc/PID/stat
  auto born(std::string_view process, int pid) const -> void {
    if (page_ == nullptr) return;
    const auto stat = sys::stat_of(pid);
    if (!stat) return;  // dead already: whoever waits for it tells
    auto& slot = page_->slots[detail::slot_number(process)];
    slot.start_time = stat->start_time;
    slot.pid.store(pid, std::memory_order_release);
  }

 private:
  detail::progress_page* page_ = nullptr;
};

/// What a setup has published: parent, bridge, init.
///
/// Fails  ENOENT: the container is none of ours, or of an older version
inline auto read_progress(fd_ref dir) -> result<std::array<whereabouts, 3>> {
  const auto file = OCITK_TRY(sys::open_at(dir, progress_name, O_RDONLY | O_NOFOLLOW));
  std::array<whereabouts, 3> all;
  const auto once = [&]() -> result<bool> {
    alignas(detail::progress_page) std::array<char, sizeof(detail::progress_page)> bytes{};
    const auto got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
    if (got < 0) return failed("pread", progress_name);
    const auto* page = std::launder(reinterpret_cast<const detail::progress_page*>(bytes.data()));
    if (got != static_cast<ssize_t>(bytes.size()) || page->magic != detail::progress_page::sign)
      return failure("the progress of the container is unreadable");
    bool settled = true;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& slot = page->slots[i];
      settled = settled && slot.turn.load() % 2 == 0;
      const auto length = ::strnlen(slot.stage.data(), slot.stage.size());
      all[i] = {.pid = slot.pid.load(), .start_time = slot.start_time, .since = slot.since, .stage = {slot.stage.data(), length}};
    }
    return settled;
  };
  constexpr int tries = 100;
  for (int i = 0; i < tries; ++i)
    if (OCITK_TRY(once())) return all;
  return all;  // whoever wrote it died in the middle
}

}  // namespace ocitk::runtime

#endif
