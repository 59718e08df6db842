#ifndef OCITK_STAGES_EXEC_HPP
#define OCITK_STAGES_EXEC_HPP

#include <ocitk/context.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/spec/environment.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/directory.hpp>
#include <ocitk/sys/inheritance.hpp>
#include <ocitk/sys/kernel/file.hpp>
#include <ocitk/sys/kernel/mount.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/sys/passwd.hpp>
#include <ocitk/text.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <string>
#include <string_view>
#include <vector>

namespace ocitk::stages {

namespace exec {

namespace detail {

/// Why a file cannot be executed by the calling process; 0 if it can.
inline auto obstacle(const std::string& path) -> int {
  struct stat info {};
  if (sys::kernel::fstatat(AT_FDCWD, path.c_str(), info, 0) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  if (sys::kernel::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) return 0;
  // A seccomp profile older than faccessat2(2) says EPERM to it; the mode bits have to do then.
  if (errno == EPERM || errno == ENOSYS) return (info.st_mode & 0111U) != 0 ? 0 : EACCES;
  return errno;
}

inline auto beneath(std::string_view directory, std::string_view name) -> std::string {
  std::string path{directory};
  if (!path.ends_with('/')) path += '/';
  return path.append(name);
}

/// A path as seen from `cwd`.
inline auto from(std::string_view cwd, std::string_view path) -> std::string {
  return path.starts_with('/') ? std::string{path} : beneath(cwd, path);
}

inline auto value_of(const spec::strings& env, std::string_view name) -> std::string_view {
  for (std::string_view entry : env)
    if (entry.starts_with(name) && entry.substr(name.size()).starts_with('=')) return entry.substr(name.size() + 1);
  return {};
}

inline auto refused(std::string_view program, std::string_view why, int code) -> std::unexpected<error> {
  return std::unexpected(error{.code = code,
                               .detail = filled("exec: \"{}\"{}{}", program, why.empty() ? "" : ": ", why),
                               .pointer = "/process/args/0"});
}

}  // namespace detail

/// The file that args[0] means: with a slash itself, seen from `cwd`; else the first executable in PATH of `env`.
/// Words and order are Go's, which callers of runc match.
///
/// Fails    ENOENT, EISDIR, EACCES; by the rights of the calling process, so after `user`
inline auto find_program(std::string_view program, const spec::strings& env, std::string_view cwd)
    -> result<std::string> {
  if (program.find('/') != std::string_view::npos) {
    const int code = detail::obstacle(detail::from(cwd, program));
    if (code == ENOENT) return detail::refused(program, filled("stat {}", program), code);
    if (code != 0) return detail::refused(program, {}, code);
    return std::string{program};
  }
  std::string_view rest = detail::value_of(env, "PATH");
  while (!program.empty() && !rest.empty()) {
    const auto end = rest.find(':');
    auto path = detail::beneath(detail::from(cwd, rest.substr(0, end)), program);
    if (detail::obstacle(path) == 0) return path;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return detail::refused(program, "executable file not found in $PATH", ENOENT);
}

using sys::close_on_exec;
using sys::reset_signals;

namespace detail {

inline auto pointers(const spec::strings& texts) -> std::vector<char*> {
  std::vector<char*> list;
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));  // execve only reads
  list.push_back(nullptr);
  return list;
}

}  // namespace detail

/// A program with its arguments and environment laid out for execve(2); borrows the texts.
struct image {
  std::string path{};
  std::vector<char*> argv{}, envp{};
};

inline auto lay_out(const std::string& path, const spec::strings& args, const spec::strings& env) -> image {
  return {.path = path, .argv = detail::pointers(args), .envp = detail::pointers(env)};
}

/// Becomes the program; returns only to tell why not. One system call: it may be the last one a filter allows.
///
/// Calls    execve(2)
inline auto become(const image& program) -> result<> {
  (void)sys::kernel::execve(program.path.c_str(), program.argv.data(), program.envp.data());  // comes back only to fail
  return failed("execve", program.path);
}

/// Becomes the payload with no descriptors from `first_closed` on; returns only to tell why not.
///
/// Calls    close_range(2), execve(2)
inline auto become(const std::string& path, const spec::strings& args, const spec::strings& env,
                   unsigned first_closed = 3) -> result<> {
  const auto program = lay_out(path, args, env);
  OCITK_TRY(close_on_exec(first_closed));
  return become(program);
}

/// The home directory of the payload's user by the passwd file of the root the process is in.
inline auto home(uid_t uid) -> std::string {
  const unique_fd root{sys::kernel::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  return sys::home_of(uid, root);
}

}  // namespace exec

/// Becomes the payload. The last stage: on success it does not return.
///
/// Reads    /process/cwd, /process/args, /process/env, /process/user/uid (for HOME)
/// Process  init
/// Calls    chdir(2), getcwd(2), rt_sigaction(2), sigprocmask(2), close_range(2), execve(2)
/// Fails    ENOENT, EACCES, EISDIR for the program; a working directory outside the root
struct execute : stage_in<init_context> {
  static constexpr std::string_view name = "exec";
  static constexpr std::string_view reads = "/process/args, /process/env, /process/cwd";
  static constexpr std::string_view summary = "becomes the program";
  static constexpr std::array<std::string_view, 7> after{"pivot", "hostname", "rlimits", "user",
                                                         "caps",  "seccomp",  "cwd"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process) return failure("process property must not be empty", "/process");
    const auto& process = *ctx.spec.process;
    if (process.args.empty()) return failure("args must not be empty", "/process/args");
    OCITK_TRY(sys::change_directory(process.cwd));
    const auto env = spec::environment(process, exec::home(process.user.uid));
    const auto path = OCITK_TRY(exec::find_program(process.args[0], env, process.cwd));
    exec::reset_signals();
    return at("/process/args/0", [&] { return exec::become(path, process.args, env); });
  }
};

}  // namespace ocitk::stages

#endif
