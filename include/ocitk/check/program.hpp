#ifndef OCITK_CHECK_PROGRAM_HPP
#define OCITK_CHECK_PROGRAM_HPP

#include <ocitk/check/finding.hpp>
#include <ocitk/check/view.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/environment.hpp>
#include <ocitk/sys/executable.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/listing.hpp>

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Is what args[0] names in the container, and all that it takes to run it?
namespace ocitk::check {

namespace detail {

inline constexpr const char* program_pointer = "/process/args/0";

/// Does anything beside the kernel's own formats run here (binfmt_misc)?
inline auto has_foreign_formats() -> bool {
  const auto dir = sys::open_at(fd_ref::cwd(), "/proc/sys/fs/binfmt_misc", O_PATH | O_DIRECTORY);
  const auto formats = dir ? sys::list_directory(*dir) : result<std::vector<sys::listed>>{};
  return formats && std::ranges::any_of(*formats, [](const sys::listed& e) { return e.name != "register" && e.name != "status"; });
}

/// Why a file that is there cannot be executed by anybody; empty if it can.
inline auto obstacle_in(const struct stat& st) -> std::string {
  if (S_ISDIR(st.st_mode)) return "is a directory";
  if (!S_ISREG(st.st_mode)) return "is not a regular file";
  return (st.st_mode & 0111U) == 0 ? "is not executable" : "";
}

inline auto later_note(const std::string& path, std::size_t mount) -> finding {
  return {.how = severity::note,
          .pointer = program_pointer,
          .message = fmt::format("cannot tell whether {} exists: /mounts/{} is made with the container", path, mount)};
}

inline auto host_error(std::string message, std::string needs) -> finding {
  return {.pointer = program_pointer, .message = std::move(message), .needs = std::move(needs)};
}

inline void judge_image(findings& all, const view& root, fd_ref file, const std::string& path, int depth);

/// The loader of a program or the interpreter of a script: without it execve(2) says that the program is missing.
inline void judge_interpreter(findings& all, const view& root, const sys::image& i, const std::string& path, int depth) {
  const auto* role = i.kind == sys::image_kind::script ? "interpreter" : "loader";
  const auto there = root.find(i.interpreter);
  if (there.is == whereabouts::later) {
    all.push_back(later_note(i.interpreter, there.mount));
  } else if (there.is == whereabouts::missing || i.interpreter.empty()) {
    all.push_back(host_error(fmt::format("{} \"{}\" of {} is not in the root file system", role, i.interpreter, path),
                             i.interpreter + " in the root file system"));
  } else if (const auto status = sys::status_of(there.file); status && !obstacle_in(*status).empty()) {
    all.push_back(host_error(fmt::format("{} {} of {} {}", role, i.interpreter, path, obstacle_in(*status)),
                             "an executable " + i.interpreter));
  } else {
    judge_image(all, root, there.file, there.path, depth + 1);
  }
}

inline void judge_image(findings& all, const view& root, fd_ref file, const std::string& path, int depth) {
  constexpr int most_interpreters = 5;  // of the kernel
  if (depth > most_interpreters) return all.push_back(host_error(path + ": too many interpreters in a row", "a program"));
  const auto reader = sys::open_at(fd_ref::cwd(), fmt::format("/proc/self/fd/{}", file.get()), O_RDONLY | O_NONBLOCK);
  if (!reader) {
    all.push_back({.how = severity::note,
                   .pointer = program_pointer,
                   .message = fmt::format("cannot look into {}: {}", path, errno_text(reader.error().code))});
    return;
  }
  const auto i = sys::recognise(*reader);
  const auto how = has_foreign_formats() ? severity::note : severity::error;
  if (i.kind == sys::image_kind::neither) {
    all.push_back({.how = how,
                   .pointer = program_pointer,
                   .message = fmt::format("{} is neither an ELF program nor a script with #!", path),
                   .needs = "a binary format for it"});
  } else if (i.kind == sys::image_kind::elf && !sys::runs_on(i.machine, sys::kernel_machine())) {
    all.push_back({.how = how,
                   .pointer = program_pointer,
                   .message = fmt::format("{} is for {}", path, sys::machine_name(i.machine)),
                   .needs = fmt::format("a binary format for {} programs", sys::machine_name(i.machine))});
  }
  if (i.kind == sys::image_kind::script || !i.interpreter.empty()) judge_interpreter(all, root, i, path, depth);
}

/// Where the lookup of args[0] ended.
struct lookup {
  located file{};
  std::string why{};  ///< why it is no program; empty if it is one, or if that cannot be told
};

inline auto look_at(const view& root, const std::string& path) -> lookup {
  lookup l{.file = root.find(path)};
  if (l.file.is == whereabouts::missing) l.why = errno_text(l.file.code);
  if (l.file.is != whereabouts::found) return l;
  const auto status = sys::status_of(l.file.file);
  l.why = status ? obstacle_in(*status) : errno_text(status.error().code);
  return l;
}

inline auto path_of(const spec::process& p) -> std::string {
  constexpr std::string_view name = "PATH=";
  for (const auto& entry : spec::environment(p, "/"))
    if (entry.starts_with(name)) return entry.substr(name.size());
  return {};
}

inline auto from_directory(std::string_view dir, std::string_view path) -> std::string {
  return path.starts_with('/') ? std::string{path} : fmt::format("{}/{}", dir, path);
}

/// As the stage `exec` will look: a name without a slash is the first executable of PATH.
inline auto find_program(const view& root, const spec::process& p) -> lookup {
  const auto& program = p.args[0];
  if (program.find('/') != std::string::npos) return look_at(root, from_directory(p.cwd, program));
  const auto path = path_of(p);
  std::optional<lookup> unsure;
  for (std::string_view rest = path; !program.empty() && !rest.empty();) {
    const auto end = rest.find(':');
    auto l = look_at(root, from_directory(from_directory(p.cwd, rest.substr(0, end)), program));
    if (l.why.empty() && l.file.is == whereabouts::found) return l;
    if (l.file.is == whereabouts::later && !unsure) unsure = std::move(l);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  if (unsure) return std::move(*unsure);
  return {.why = path.empty() ? "no PATH in /process/env to look it up" : "not found in " + path};
}

}  // namespace detail

/// Reads  /process/args, /process/env, /process/cwd, below the root file system
inline auto program_findings(const spec::config& c, const view& root) -> findings {
  findings all;
  if (!c.process || c.process->args.empty()) return all;
  const auto& program = c.process->args[0];
  const auto found = detail::find_program(root, *c.process);
  if (!found.why.empty())
    all.push_back(detail::host_error(fmt::format("\"{}\": {}", program, found.why), program + " in the root file system"));
  else if (found.file.is == whereabouts::later)
    all.push_back(detail::later_note(found.file.path, found.file.mount));
  else
    detail::judge_image(all, root, found.file.file, found.file.path, 0);
  return all;
}

}  // namespace ocitk::check

#endif
