#ifndef OCITK_SYS_KERNEL_PRETENCE_HPP
#define OCITK_SYS_KERNEL_PRETENCE_HPP

#include <ocitk/watch.hpp>

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include <cstddef>
#include <cstdint>

namespace ocitk {

/// The terminal a rehearsal would give the payload, for placeholder().
inline constexpr const char* terminal_slave = "the slave of the terminal";

/// Answers system calls in place of the kernel, so that the very code that sets a container up can tell what it would
/// do. Every function returns what the call would: a number from 0 on, or -errno. A call that has no function here
/// would simply succeed.
class pretence {
 public:
  pretence() = default;
  pretence(const pretence&) = delete;
  auto operator=(const pretence&) -> pretence& = delete;
  virtual ~pretence() = default;

  virtual auto open(int dir, const char* path, std::uint64_t flags, std::uint64_t resolve) -> long = 0;
  virtual auto stat(int dir, const char* path, int flags, struct stat& out) -> long = 0;
  virtual auto statfs(int fd, struct statfs& out) -> long = 0;
  virtual auto readlink(int dir, const char* path, char* out, std::size_t size) -> long = 0;
  virtual auto access(int dir, const char* path, int mode, int flags) -> long = 0;
  virtual auto read(int fd, void* out, std::size_t size) -> long = 0;
  virtual auto write(int fd, const void* bytes, std::size_t size) -> long = 0;
  virtual auto symlink(const char* target, int dir, const char* path) -> long = 0;
  /// mkdir(2), mknod(2), mkfifo(3): the type is in the mode.
  virtual auto make(int dir, const char* path, mode_t mode, dev_t device) -> long = 0;
  virtual auto remove(int dir, const char* path) -> long = 0;
  virtual auto rename(int dir, const char* from, const char* to) -> long = 0;
  virtual auto open_tree(int dir, const char* path, unsigned flags) -> long = 0;
  virtual auto fsopen(const char* type) -> long = 0;
  virtual auto fsmount(int fs) -> long = 0;
  virtual auto move_mount(int mount, int dir, const char* path) -> long = 0;
  /// The current directory becomes the root.
  virtual auto change_root() -> long = 0;
  /// setns(2).
  virtual auto join(int ns, std::uint64_t kinds) -> long = 0;
  virtual auto chdir(int dir, const char* path) -> long = 0;
  virtual auto getcwd(char* out, std::size_t size) -> long = 0;
  virtual auto dup2(int from, int to) -> long = 0;
  virtual auto is_terminal(int fd) -> bool = 0;
  /// A real descriptor got a second number.
  virtual auto duplicated(int fd, int copy) -> void = 0;
  /// The number was given to something that is really there: a pipe, a socket.
  virtual auto forget(int fd) -> void = 0;
  /// The process came into a user namespace, in which it has every capability there is.
  virtual auto enter_user_namespace() -> void = 0;
  virtual auto has_every_capability() -> bool = 0;
  virtual auto connect(int socket) -> long = 0;
  virtual auto is_connected(int socket) -> bool = 0;
  /// A descriptor that stands for something that is not there.
  virtual auto placeholder(const char* what) -> long = 0;
};

}  // namespace ocitk

#endif
