#ifndef OCITK_WATCH_HPP
#define OCITK_WATCH_HPP

#include <string>
#include <string_view>
#include <vector>

/// Who wants to know what is done: a trace, a plan, a debugger of stages. Nothing here costs anything but the look at
/// one pointer as long as nobody watches.
namespace ocitk {

/// Where a thread stands: the answer to "who asked for this call?".
struct standpoint {
  std::string_view process = "parent";  ///< "parent", "bridge", "init"
  std::string_view stage{};             ///< its word; empty between stages
  std::string_view pointer{};           ///< RFC 6901 pointer into config.json; empty if none asked
};

/// Of the calling thread. A clone of the process takes it along.
inline constinit thread_local standpoint standing{};

/// Notes something of the standpoint for the length of a block.
class standing_at {
 public:
  standing_at(std::string_view standpoint::*what, std::string_view value) : what_{what}, before_{standing.*what} {
    standing.*what = value;
  }
  standing_at(const standing_at&) = delete;
  auto operator=(const standing_at&) -> standing_at& = delete;
  ~standing_at() { standing.*what_ = before_; }

 private:
  std::string_view standpoint::*what_;
  std::string_view before_;
};

/// Does a call change something, or does it only look?
enum class effect { asks, changes };

/// A system call with its arguments as a person writes them.
struct operation {
  std::string_view call{};
  effect does = effect::changes;
  std::vector<std::string> args{};
};

/// Answers in place of the kernel; see sys/kernel/pretence.hpp.
class pretence;

/// Sees every system call of ours, before and after it is made, and where stages begin and end.
class watcher {
 public:
  watcher() = default;
  watcher(const watcher&) = delete;
  auto operator=(const watcher&) -> watcher& = delete;
  virtual ~watcher() = default;

  virtual auto before(const operation& op) -> void = 0;
  /// `code` is the errno of a call that failed, else 0.
  virtual auto after(const operation& op, long returned, int code) -> void = 0;
  virtual auto stage_begins(std::string_view name) -> void = 0;
  virtual auto stage_ends(std::string_view name, bool succeeded) -> void = 0;
  /// What a descriptor is of, for the arguments of operations.
  virtual auto name_of(int fd) -> std::string = 0;
  /// Tells that name where no operation shows it.
  virtual auto learn(int fd, std::string_view name) -> void = 0;
  virtual auto duplicated(int fd, int copy) -> void = 0;
  /// Descriptors of its own, which a child must keep until it executes another program.
  [[nodiscard]] virtual auto needs() const -> std::vector<int> { return {}; }
  /// Not null: nothing is done, this answers.
  virtual auto pretends() -> pretence* { return nullptr; }
};

/// The watcher of the calling thread; null: nobody watches. Whoever sets it takes it away again.
inline constinit thread_local watcher* watching = nullptr;

/// Is this a rehearsal, in which nothing is done?
inline auto rehearsing() -> bool { return watching != nullptr && watching->pretends() != nullptr; }

/// Tells what a descriptor is of where no watched call makes it: pipes and sockets of ours.
inline auto learn_name(int fd, std::string_view name) -> void {
  if (watching != nullptr) watching->learn(fd, name);
}

}  // namespace ocitk

#endif
