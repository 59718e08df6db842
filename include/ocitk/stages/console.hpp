#ifndef OCITK_STAGES_CONSOLE_HPP
#define OCITK_STAGES_CONSOLE_HPP

#include <ocitk/context.hpp>
#include <ocitk/mounts/devices.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/pty.hpp>

#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

namespace ocitk::stages {

namespace console {

/// A session of our own: the caller's terminal cannot be typed into from inside (TIOCSTI).
///
/// Calls  setsid(2); EPERM: the process leads one already
inline auto open_session() -> result<> {
  if (sys::kernel::setsid() < 0 && errno != EPERM) return failed("setsid");
  return {};
}

/// Makes `slave` the controlling terminal and stdin, stdout and stderr.
inline auto take(fd_ref slave) -> result<> {
  OCITK_TRY(sys::make_controlling(slave));
  for (const int number : {0, 1, 2}) OCITK_TRY(checked(sys::kernel::dup2(slave.get(), number), "dup2"));
  return {};
}

/// A terminal of the container's own devpts becomes the process' own; the master stays in the context for the caller's
/// process to fetch. Ours if we mounted one, else what is on /dev/pts inside the root; either is verified when used.
///
/// Returns  the slave
inline auto begin(init_context& ctx) -> result<unique_fd> {
  const auto devpts = OCITK_TRY(ctx.devpts ? duplicate(ctx.devpts) : sys::open_in_root(ctx.rootfs, "/dev/pts", O_PATH | O_DIRECTORY));
  auto terminal = OCITK_TRY(sys::open_terminal(devpts));
  if (const auto& size = ctx.spec.process->console_size; size && size->height != 0 && size->width != 0)
    OCITK_TRY(sys::set_window_size(terminal.master, static_cast<unsigned short>(size->height),
                                   static_cast<unsigned short>(size->width)));
  ctx.console = std::move(terminal.master);
  ctx.console_name = std::move(terminal.name);
  return std::move(terminal.slave);
}

inline auto is_wanted(const init_context& ctx) -> bool { return ctx.spec.process && ctx.spec.process->terminal; }

}  // namespace console

/// Starts a new session, and gives it a terminal of the container's own devpts. The master is left in the context
/// for the caller's process to fetch.
///
/// Reads    /process/terminal, /process/consoleSize (characters)
/// Process  init, after the devpts is mounted and before /dev may become read-only
/// Calls    setsid(2), openat2(2) on ptmx, ioctl(2) TIOCSPTLCK, TIOCGPTPEER, TIOCSCTTY, TIOCSWINSZ, dup2(2)
/// Fails    no devpts mount of ours; ENOSPC: no pty left
struct open_console : stage_in<init_context> {
  static constexpr std::string_view name = "console";
  static constexpr std::string_view reads = "/process/terminal, /process/consoleSize";
  static constexpr std::string_view summary = "starts a session, opens the terminal";
  static constexpr std::array<std::string_view, 1> after{"rootfs"};
  auto operator()(init_context& ctx) const -> result<> {
    OCITK_TRY(console::open_session());
    if (!console::is_wanted(ctx)) return {};
    return at("/process/terminal", [&]() -> result<> {
      const auto slave = OCITK_TRY(console::begin(ctx));
      if (ctx.spec.linux.has("mount")) OCITK_TRY(mounts::bind_console(ctx.rootfs, slave));
      return console::take(slave);
    });
  }
};

/// The same for a process of `exec`: /dev/console is the first one's.
///
/// Reads    /process/terminal, /process/consoleSize (characters)
/// Process  init
/// Calls    setsid(2), openat2(2) on ptmx, ioctl(2) TIOCSPTLCK, TIOCGPTPEER, TIOCSCTTY, TIOCSWINSZ, dup2(2)
/// Fails    no devpts on /dev/pts; ENOSPC: no pty left
struct open_another_console : stage_in<init_context> {
  static constexpr std::string_view name = "console";
  static constexpr std::string_view reads = "/process/terminal, /process/consoleSize";
  static constexpr std::string_view summary = "starts a session, opens the terminal";
  auto operator()(init_context& ctx) const -> result<> {
    OCITK_TRY(console::open_session());
    if (!console::is_wanted(ctx)) return {};
    return at("/process/terminal", [&]() -> result<> { return console::take(OCITK_TRY(console::begin(ctx))); });
  }
};

}  // namespace ocitk::stages

#endif
