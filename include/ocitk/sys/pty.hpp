#ifndef OCITK_SYS_PTY_HPP
#define OCITK_SYS_PTY_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/text.hpp>

#include <linux/magic.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <string>
#include <utility>

/// Terminals; see pty(7), ioctl_tty(2), termios(3).
namespace ocitk::sys {

struct terminal {
  unique_fd master{}, slave{};
  std::string name{};  ///< "/dev/pts/0", in the devpts it comes from
};

/// A new terminal of a devpts mount, by descriptors only: nothing that an image calls /dev/ptmx is trusted
/// (threat R15).
///
/// Calls  openat2(2), ioctl(2) TIOCSPTLCK, TIOCGPTN, TIOCGPTPEER
/// Fails  what is there is no devpts; ENOSPC: no pty left
inline auto open_terminal(fd_ref devpts) -> result<terminal> {
  if (OCITK_TRY(filesystem_of(devpts)) != DEVPTS_SUPER_MAGIC) return failure("/dev/pts is no devpts file system");
  terminal t;
  const auto there = OCITK_TRY(open_beneath(devpts, "ptmx", O_PATH | O_NOFOLLOW));
  if (!is_char_device(OCITK_TRY(status_of(there)), 5, 2)) return failure("/dev/pts/ptmx is not the device 5:2");
  t.master = OCITK_TRY(open_beneath(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW));
  if (!is_char_device(OCITK_TRY(status_of(t.master)), 5, 2)) return failure("/dev/pts/ptmx is not the device 5:2");
  const int unlock = 0;
  OCITK_TRY(checked(kernel::ioctl(t.master.get(), TIOCSPTLCK, "TIOCSPTLCK", &unlock, "[0]"), "ioctl(TIOCSPTLCK)"));
  unsigned number = 0;
  OCITK_TRY(checked(kernel::ioctl_asking(t.master.get(), TIOCGPTN, "TIOCGPTN", &number), "ioctl(TIOCGPTN)"));
  t.name = filled("/dev/pts/{}", number);
  const int slave = kernel::pty_peer(t.master.get(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return failed("ioctl(TIOCGPTPEER)");
  t.slave = unique_fd{slave};
  return t;
}

inline auto set_window_size(fd_ref terminal, unsigned short rows, unsigned short columns) -> result<> {
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  return checked(kernel::ioctl(terminal.get(), TIOCSWINSZ, "TIOCSWINSZ", &size,
                               filled("{ws_row={}, ws_col={}}", rows, columns)), "ioctl(TIOCSWINSZ)");
}

inline auto copy_window_size(fd_ref from, fd_ref to) -> result<> {
  winsize size{};
  OCITK_TRY(checked(::ioctl(from.get(), TIOCGWINSZ, &size), "ioctl(TIOCGWINSZ)"));
  return checked(::ioctl(to.get(), TIOCSWINSZ, &size), "ioctl(TIOCSWINSZ)");
}

/// The terminal of the calling process' session, of which it is the leader.
inline auto make_controlling(fd_ref terminal) -> result<> {
  return checked(kernel::ioctl(terminal.get(), TIOCSCTTY, "TIOCSCTTY", 0, "0"), "ioctl(TIOCSCTTY)");
}

/// Output newlines stay as they are.
inline auto leave_newlines_alone(fd_ref terminal) -> result<> {
  termios mode{};
  OCITK_TRY(checked(::tcgetattr(terminal.get(), &mode), "tcgetattr"));
  mode.c_oflag &= ~static_cast<tcflag_t>(ONLCR);
  return checked(::tcsetattr(terminal.get(), TCSANOW, &mode), "tcsetattr");
}

/// Puts a terminal into raw mode for as long as the object lives.
class raw_mode {
 public:
  static auto begin(int terminal) -> result<raw_mode> {
    raw_mode r;
    OCITK_TRY(checked(::tcgetattr(terminal, &r.before_), "tcgetattr"));
    termios raw = r.before_;
    ::cfmakeraw(&raw);
    OCITK_TRY(checked(::tcsetattr(terminal, TCSANOW, &raw), "tcsetattr"));
    r.terminal_ = terminal;
    return r;
  }
  raw_mode(raw_mode&& other) noexcept : before_{other.before_}, terminal_{std::exchange(other.terminal_, -1)} {}
  raw_mode(const raw_mode&) = delete;
  auto operator=(const raw_mode&) -> raw_mode& = delete;
  auto operator=(raw_mode&&) -> raw_mode& = delete;
  ~raw_mode() {
    if (terminal_ >= 0) (void)::tcsetattr(terminal_, TCSANOW, &before_);  // a terminal that hung up needs no mode
  }

 private:
  raw_mode() = default;
  termios before_{};
  int terminal_ = -1;
};

}  // namespace ocitk::sys

#endif
