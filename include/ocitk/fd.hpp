#ifndef OCITK_FD_HPP
#define OCITK_FD_HPP

#include <ocitk/error.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace ocitk {

/// Owns a file descriptor: move-only, closes in its destructor.
class unique_fd {
 public:
  unique_fd() = default;
  explicit unique_fd(int number) noexcept : number_{number} {}
  unique_fd(unique_fd&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
  auto operator=(unique_fd&& other) noexcept -> unique_fd& {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  unique_fd(const unique_fd&) = delete;
  auto operator=(const unique_fd&) -> unique_fd& = delete;
  ~unique_fd() { reset(); }

  /// The number, for the one system call it is needed in.
  [[nodiscard]] auto get() const noexcept -> int { return number_; }
  [[nodiscard]] auto release() noexcept -> int { return std::exchange(number_, -1); }
  /// Closes now. Never retried: after EINTR Linux has already freed the number.
  void reset() noexcept {
    if (const int old = std::exchange(number_, -1); old >= 0) ::close(old);
  }
  explicit operator bool() const noexcept { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// Borrows a descriptor for the length of one call; a parameter type, never a member.
class fd_ref {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): an owner lends itself
  fd_ref(const unique_fd& owner) noexcept : number_{owner.get()} {}
  /// Borrows a number that something else owns: 0 to 2, AT_FDCWD, an inherited descriptor.
  static auto of(int number) noexcept -> fd_ref { return fd_ref{number}; }
  /// The current working directory, where a call takes a directory descriptor.
  static auto cwd() noexcept -> fd_ref { return fd_ref{AT_FDCWD}; }
  [[nodiscard]] auto get() const noexcept -> int { return number_; }

 private:
  explicit fd_ref(int number) noexcept : number_{number} {}
  int number_;
};

/// The one place that clears close-on-exec.
///
/// Returns  the number the next program finds the descriptor under
/// Calls    fcntl(2) F_SETFD
inline auto pass_on(fd_ref fd) -> result<int> {
  if (auto done = checked(::fcntl(fd.get(), F_SETFD, 0), "fcntl"); !done) return std::unexpected(done.error());
  return fd.get();
}

/// A second descriptor for the same open file, close-on-exec, numbered 3 or above.
inline auto duplicate(fd_ref fd) -> result<unique_fd> {
  const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return failed("fcntl", "duplicate a descriptor");
  if (watching != nullptr) watching->duplicated(fd.get(), copy);
  return unique_fd{copy};
}

}  // namespace ocitk

#endif
