#ifndef OCITK_RUNTIME_PID_FILE_HPP
#define OCITK_RUNTIME_PID_FILE_HPP

#include <ocitk/error.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>

#include <cstdio>
#include <string>
#include <unistd.h>

namespace ocitk::runtime {

/// The pid in decimal and nothing else: callers parse the whole file as a number. It appears complete.
///
/// Calls  open(2) O_EXCL of DIR/.NAME, rename(2)
inline auto write_pid_file(const std::string& path, int pid) -> result<> {
  const auto [parent, name] = sys::split(path);
  const auto dir = OCITK_TRY(sys::open_at(fd_ref::cwd(), parent, O_PATH | O_DIRECTORY));
  const auto draft = "." + name;
  const auto file = OCITK_TRY(sys::open_at(dir, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666));
  auto written = sys::write_all(file, std::to_string(pid));
  if (written) written = checked(sys::kernel::renameat(dir.get(), draft.c_str(), dir.get(), name.c_str()), "rename");
  if (!written) (void)sys::kernel::unlinkat(dir.get(), draft.c_str(), 0);  // the write error is the one to tell
  return trying(path, written);
}

}  // namespace ocitk::runtime

#endif
