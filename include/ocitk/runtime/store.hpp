#ifndef OCITK_RUNTIME_STORE_HPP
#define OCITK_RUNTIME_STORE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/read.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/listing.hpp>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The containers of a state root, a directory each: ROOT/ID. Its existence takes the id, its flock(2) the right to
/// change the container; `intent.json` is there before any resource is, `state.json` once init is ready.
namespace ocitk::runtime {

using spec::record;

inline constexpr int usual_lock_wait = 10'000;  ///< milliseconds

/// Checked before any path is built of an id (threat R24).
inline auto check_id(std::string_view id) -> result<> {
  constexpr std::size_t longest = 1024;
  if (id.empty()) return failure("container id cannot be empty");
  const auto fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
           c == '-' || c == '.';
  };
  if (id == "." || id == ".." || id.size() > longest || !std::ranges::all_of(id, fine))
    return failure("invalid container ID format: " + std::string{id.substr(0, longest)});
  return {};
}

namespace detail {

/// The names in a directory, sorted.
inline auto names_in(fd_ref dir) -> result<std::vector<std::string>> {
  std::vector<std::string> names;
  for (auto& entry : OCITK_TRY(sys::list_directory(dir))) names.push_back(std::move(entry.name));
  std::ranges::sort(names);
  return names;
}

inline auto remove_below(fd_ref dir) -> result<> {
  for (const auto& name : OCITK_TRY(names_in(dir))) {
    if (sys::kernel::unlinkat(dir.get(), name.c_str(), 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) return failed("unlink", name);
    const auto inner = OCITK_TRY(sys::open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    OCITK_TRY(remove_below(inner));
    if (sys::kernel::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return failed("rmdir", name);
  }
  return {};
}

inline auto pause_for(long milliseconds) -> void {
  const timespec time{.tv_sec = 0, .tv_nsec = milliseconds * 1'000'000};
  ::nanosleep(&time, nullptr);
}

/// mkdir -p for the state root; parents are the system's, the root itself is ours alone.
inline auto make_directories(const std::string& path) -> result<> {
  for (std::size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
    if (sys::kernel::mkdirat(AT_FDCWD, path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST) return failed("mkdir", path.substr(0, slash));
  if (sys::kernel::mkdirat(AT_FDCWD, path.c_str(), 0700) != 0 && errno != EEXIST) return failed("mkdir", path);
  return {};
}

}  // namespace detail

/// One container's directory. What `create` made goes with the object, unless kept.
class entry {
 public:
  entry(unique_fd parent, std::string id, unique_fd dir, bool fresh)
      : parent_{std::move(parent)}, id_{std::move(id)}, dir_{std::move(dir)}, fresh_{fresh} {}
  entry(entry&& other) noexcept
      : parent_{std::move(other.parent_)},
        id_{std::move(other.id_)},
        dir_{std::move(other.dir_)},
        fresh_{std::exchange(other.fresh_, false)} {}
  auto operator=(entry&& other) noexcept -> entry& {
    std::swap(parent_, other.parent_);
    std::swap(id_, other.id_);
    std::swap(dir_, other.dir_);
    std::swap(fresh_, other.fresh_);
    return *this;
  }
  entry(const entry&) = delete;
  auto operator=(const entry&) -> entry& = delete;
  ~entry() {
    if (fresh_) (void)remove();  // an error is on its way to the user already
  }

  [[nodiscard]] auto dir() const -> fd_ref { return dir_; }
  auto keep() -> void { fresh_ = false; }

  /// Takes the right to change the container, or gives up after a while: no command may hang on another.
  ///
  /// Calls  flock(2)
  /// Fails  ETIMEDOUT; `container does not exist` if it was deleted while we waited
  auto lock(int milliseconds) const -> result<>;
  auto unlock() const -> void { (void)sys::kernel::flock(dir_.get(), LOCK_UN); }  // only fails for a bad descriptor

  /// Is another process at work on it? Says so of every lock but our own.
  [[nodiscard]] auto is_locked() const -> bool {
    if (sys::kernel::flock(dir_.get(), LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
    unlock();
    return false;
  }

  auto write_intent(const record& r) const -> result<> { return put("intent.json", spec::record_text(r)); }
  auto write_state(const record& r) const -> result<> { return put("state.json", spec::record_text(r)); }
  [[nodiscard]] auto read() const -> result<record> { return get("state.json"); }
  [[nodiscard]] auto read_intent() const -> result<record> { return get("intent.json"); }
  /// Nobody reads it before the state is there.
  auto write_config(std::string_view text) const -> result<> {
    const auto file = OCITK_TRY(sys::open_at(dir_, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    return trying("config.json", sys::write_all(file, text));
  }
  /// In place of what is there, whole or not at all.
  auto replace_config(std::string_view text) const -> result<> { return put("config.json", text); }
  [[nodiscard]] auto read_config() const -> result<std::string> { return sys::read_file(dir_, "config.json", spec::largest_json); }
  [[nodiscard]] auto has(const char* name) const -> bool { return sys::kernel::faccessat(dir_.get(), name, F_OK, 0) == 0; }
  [[nodiscard]] auto has_state() const -> bool { return has("state.json"); }
  [[nodiscard]] auto owner_uid() const -> uid_t {
    const auto st = sys::status_of(dir_);
    return st ? st->st_uid : static_cast<uid_t>(-1);
  }
  /// The directory with all in it; the id is free then.
  auto remove() -> result<> {
    fresh_ = false;
    OCITK_TRY(detail::remove_below(dir_));
    if (sys::kernel::unlinkat(parent_.get(), id_.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return failed("rmdir", id_);
    return {};
  }

 private:
  /// Under its name only when it is whole (threat F24).
  auto put(const std::string& name, std::string_view text) const -> result<>;
  [[nodiscard]] auto get(const std::string& name) const -> result<record> {
    constexpr std::size_t largest = std::size_t{16} << 20;
    return spec::parse_record(OCITK_TRY(sys::read_file(dir_, name, largest)));
  }

  unique_fd parent_;
  std::string id_;
  unique_fd dir_;
  bool fresh_;
};

inline auto entry::lock(int milliseconds) const -> result<> {
  constexpr int step = 5;  // milliseconds
  for (int waited = 0; sys::kernel::flock(dir_.get(), LOCK_EX | LOCK_NB) != 0; waited += step) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed("flock", id_);
    if (waited >= milliseconds)
      return std::unexpected(error{.code = ETIMEDOUT, .call = "flock", .detail = "another command works on container " + id_});
    detail::pause_for(step);
  }
  const auto mine = OCITK_TRY(sys::status_of(dir_));
  const auto named = sys::status_at(parent_, id_);
  if (!named || !sys::same_file(*named, mine))
    return failure("container does not exist");
  return {};
}

inline auto entry::put(const std::string& name, std::string_view text) const -> result<> {
  const auto draft = "." + name;
  if (sys::kernel::unlinkat(dir_.get(), draft.c_str(), 0) != 0 && errno != ENOENT) return failed("unlink", draft);
  const auto file = OCITK_TRY(sys::open_at(dir_, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  OCITK_TRY(checked(sys::kernel::fchmod(file.get(), 0600), "fchmod"));  // whatever the umask
  OCITK_TRY(trying(name, sys::write_all(file, text)));
  OCITK_TRY(trying(name, checked(sys::kernel::fsync(file.get()), "fsync")));
  return trying(name, checked(sys::kernel::renameat(dir_.get(), draft.c_str(), dir_.get(), name.c_str()), "rename"));
}

/// A state root.
class store {
 public:
  /// Fails  ENOENT if it is missing and not to be made
  static auto open(const std::string& root, bool create) -> result<store> {
    auto dir = sys::open_at(fd_ref::cwd(), root, O_PATH | O_DIRECTORY);
    if (!dir && dir.error().code == ENOENT && create) {
      OCITK_TRY(detail::make_directories(root));
      dir = sys::open_at(fd_ref::cwd(), root, O_PATH | O_DIRECTORY);
    }
    if (!dir) return std::unexpected(dir.error());
    return store{std::move(*dir)};
  }

  /// Sorted; every directory that could be a container's.
  [[nodiscard]] auto ids() const -> result<std::vector<std::string>> {
    auto names = OCITK_TRY(detail::names_in(root_));
    std::erase_if(names, [](const std::string& name) { return !check_id(name); });
    return names;
  }

  /// A new container, locked. Exactly one caller succeeds (threat F8).
  ///
  /// Fails  `container with given ID already exists`
  [[nodiscard]] auto create(const std::string& id) const -> result<entry> {
    OCITK_TRY(check_id(id));
    if (sys::kernel::mkdirat(root_.get(), id.c_str(), 0711) != 0) {
      if (errno == EEXIST) return failure("container with given ID already exists");
      return failed("mkdir", id);
    }
    auto made = find(id, true);
    if (!made) {
      (void)sys::kernel::unlinkat(root_.get(), id.c_str(), AT_REMOVEDIR);  // the error that counts is the first one
      return made;
    }
    OCITK_TRY(checked(sys::kernel::fchmod(made->dir().get(), 0711), "fchmod"));  // whatever the umask
    OCITK_TRY(made->lock(usual_lock_wait));
    return made;
  }

  /// Fails  `container does not exist`
  [[nodiscard]] auto open(const std::string& id) const -> result<entry> {
    OCITK_TRY(check_id(id));
    auto found = find(id, false);
    if (!found && (found.error().code == ENOENT || found.error().code == ENOTDIR || found.error().code == ELOOP))
      return failure("container does not exist");
    return found;
  }

 private:
  explicit store(unique_fd root) : root_{std::move(root)} {}
  [[nodiscard]] auto find(const std::string& id, bool fresh) const -> result<entry> {
    auto dir = OCITK_TRY(sys::open_at(root_, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));  // flock(2) wants no O_PATH
    return entry{OCITK_TRY(duplicate(root_)), id, std::move(dir), fresh};
  }
  unique_fd root_;
};

}  // namespace ocitk::runtime

#endif
