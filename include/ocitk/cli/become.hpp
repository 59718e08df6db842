#ifndef OCITK_CLI_BECOME_HPP
#define OCITK_CLI_BECOME_HPP

#include <ocitk/cli/applets.hpp>
#include <ocitk/cli/chain_state.hpp>
#include <ocitk/runtime/self_protection.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>

#include <fmt/core.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

/// From one program of a chain to the next.
namespace ocitk::cli {

/// How a tool ends; 0 is left to the program it becomes.
namespace exit_code {
inline constexpr int usage = 100, failed = 111, cannot_run = 126, not_found = 127;
}  // namespace exit_code

/// Keeps the program in reach where its path is not: in a sealed memory file, for what runs in the container could
/// write to the file on the host through a descriptor of that (CVE-2019-5736), and lift the read-only bit of a mount.
///
/// Calls  memfd_create(2), sendfile(2), fcntl(2) F_ADD_SEALS
inline auto keep_self(chain_state& state) -> result<> {
  if (!state.self) state.self = lifted(OCITK_TRY(runtime::detail::sealed_copy()));
  return {};
}

namespace detail {

inline auto directory_of(const unique_fd& links) -> std::string { return fmt::format("/proc/self/fd/{}", links.get()); }

/// Entries of PATH but for one.
inline auto without_entry(std::string_view path, std::string_view entry) -> std::string {
  std::string kept;
  bool first = true;
  for (const auto part : parts_of(path, ':')) {
    if (part == entry) continue;
    kept.append(first ? "" : ":").append(part);
    first = false;
  }
  return kept;
}

inline auto fill_links(fd_ref dir, const unique_fd& self) -> result<> {
  const auto target = fmt::format("/proc/self/fd/{}", self.get());
  for (const auto& a : applets) {
    const auto name = std::string{applet_prefix} + std::string{a.word};
    OCITK_TRY(trying(name, checked(::symlinkat(target.c_str(), dir.get(), name.c_str()), "symlink")));
  }
  return {};
}

}  // namespace detail

/// Lets a shell behind the pivot find the tools: a directory that is mounted nowhere, with a link for each, stands in
/// PATH by its descriptor. Without the right to mount there is none; the tools themselves do not need it.
///
/// Calls  fsopen(2), fsmount(2), symlinkat(2), mount_setattr(2)
inline auto offer_links(chain_state& state) -> result<> {
  if (state.links) return {};
  const auto fs = sys::new_filesystem::open("tmpfs");
  if (!fs && fs.error().code == EPERM) return {};
  if (!fs) return std::unexpected(fs.error());
  OCITK_TRY(fs->value("source", "ocitk"));
  OCITK_TRY(fs->value("mode", "755"));
  auto dir = OCITK_TRY(fs->mount(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  OCITK_TRY(detail::fill_links(dir, state.self));
  OCITK_TRY(sys::set_attributes(dir, {.set = MOUNT_ATTR_RDONLY}, false));
  state.links = lifted(std::move(dir));
  const auto path = detail::directory_of(state.links) + ":" + std::string{detail::variable("PATH")};
  return detail::set_variable("PATH", path);
}

/// Why the next program did not start, and how the tool ends for it.
struct not_started {
  error why{};
  int code = exit_code::cannot_run;
};

namespace detail {

inline auto execution_failed(std::string_view call, std::string_view program) -> not_started {
  auto why = failed(call, std::string{program}).error();
  const int code = why.code == ENOENT ? exit_code::not_found : exit_code::cannot_run;
  return {.why = std::move(why), .code = code};
}

/// A tool of ours: by descriptor, since its path may be gone.
inline auto execute_applet(const chain_state& state, std::span<char*> next) -> not_started {
  unique_fd own;
  if (!state.self) {
    auto opened = sys::open_at(fd_ref::cwd(), "/proc/self/exe", O_PATH);
    if (!opened) return {.why = opened.error()};
    own = std::move(*opened);
  }
  (void)::syscall(SYS_execveat, (state.self ? state.self : own).get(), "", next.data(), environ, AT_EMPTY_PATH);
  return execution_failed("execveat", next[0]);
}

}  // namespace detail

/// Becomes the next program of the chain; returns only to tell why not. `next` ends with a null pointer, as argv does.
///
/// Calls  execveat(2) for a tool of ours, execve(2) along PATH for any other
inline auto become(const chain_state& state, std::span<char*> next) -> not_started {
  if (auto passed = pass_state_on(state); !passed) return {.why = passed.error(), .code = exit_code::failed};
  if (find_applet(next[0]) != nullptr) return detail::execute_applet(state, next);
  ::execvp(next[0], next.data());
  return detail::execution_failed("exec", next[0]);
}

}  // namespace ocitk::cli

#endif
