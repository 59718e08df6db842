#ifndef OCITK_RUNTIME_EXPLAIN_HPP
#define OCITK_RUNTIME_EXPLAIN_HPP

#include <ocitk/context.hpp>
#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/sys/executable.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/missing.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/sys/privilege.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

/// Adds to an error what the process that met it can find out, after the fact: as long as nothing fails, nothing here
/// runs. It has to be the same process, with the same namespaces, root and ids: before the error travels.
///
///     open_tree: bind /srv/data on /data: no such file or directory (config.json#/mounts/7)
///     open_tree: bind /srv/data on /data (/srv/data is missing; /srv is there): no such file or directory (...)
namespace ocitk::runtime {

/// Puts a clause behind what was tried. The errno's own words stay last, and the only ones of their kind.
inline auto with_clause(error why, std::string_view clause) -> error {
  constexpr std::size_t longest = 700;  // it has to fit into a message of the handshake, with the rest
  if (clause.empty()) return why;
  const auto text = sys::printable(clause, longest);
  why.detail = why.detail.empty() ? text : fmt::format("{} ({})", why.detail, text);
  return why;
}

namespace detail {

/// A path of the spec that a call failed on.
struct asked {
  std::string path{};
  bool inside = false;  ///< below the container's root, which the process may not be in yet
  sys::requirement wanted{};
  bool makes = false;  ///< the call makes the path: it is the directory above that counts
};

inline auto is_of_a_path(int code) -> bool {
  constexpr std::array codes{ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EROFS};
  return std::ranges::find(codes, code) != codes.end();
}

inline auto any_of(std::string_view call, std::initializer_list<std::string_view> calls) -> bool {
  return std::ranges::find(calls, call) != calls.end();
}

/// 7 of "/mounts/7" and "/mounts/7/source".
inline auto index_below(std::string_view pointer, std::string_view parent) -> std::optional<std::size_t> {
  if (!pointer.starts_with(parent)) return std::nullopt;
  pointer.remove_prefix(parent.size());
  std::size_t index = 0;
  const auto [end, problem] = std::from_chars(pointer.data(), pointer.data() + pointer.size(), index);
  const bool whole = end == pointer.data() + pointer.size() || *end == '/';
  return problem == std::errc{} && whole ? std::optional{index} : std::nullopt;
}

inline auto on_host(const init_context& ctx, const std::string& path) -> std::string {
  return path.starts_with('/') ? path : ctx.bundle + "/" + path;
}

inline auto of_mount(const error& e, const init_context& ctx, const spec::mount& m) -> std::optional<asked> {
  if (e.call == "open_tree") return asked{.path = on_host(ctx, m.source)};
  const bool makes = any_of(e.call, {"mkdir", "mknod"});
  if (makes || e.call == "openat2") return asked{.path = m.destination, .inside = true, .makes = makes};
  return std::nullopt;
}

/// By the pointer of an error: the part of the spec says which path it was, the call says whose.
inline auto asked_by_spec(const error& e, const init_context& ctx) -> std::optional<asked> {
  const auto& spec = ctx.spec;
  if (const auto i = index_below(e.pointer, "/mounts/"); i && *i < spec.mounts.size())
    return of_mount(e, ctx, spec.mounts[*i]);
  if (const auto i = index_below(e.pointer, "/linux/devices/"); i && *i < spec.linux.devices.size()) {
    const bool makes = any_of(e.call, {"mkdir", "mknod"});
    if (makes || e.call == "openat2") return asked{.path = spec.linux.devices[*i].path, .inside = true, .makes = makes};
  }
  if (const auto i = index_below(e.pointer, "/linux/namespaces/");
      i && *i < spec.linux.namespaces.size() && e.call == "open")
    return asked{.path = spec.linux.namespaces[*i].path, .wanted = {.access = R_OK}};
  if (e.pointer == "/root/path" && spec.root && any_of(e.call, {"open_tree", "open"}))
    return asked{.path = on_host(ctx, spec.root->path)};
  if (e.pointer == "/process/cwd" && spec.process && e.call == "chdir")
    return asked{.path = spec.process->cwd, .wanted = {.access = X_OK, .directory = true}};
  return std::nullopt;
}

/// Where the detail of an error is nothing but a path of the host.
inline auto asked_by_detail(const error& e) -> std::optional<asked> {
  if (!e.detail.starts_with('/') || e.detail.find(": ") != std::string::npos) return std::nullopt;
  if (!any_of(e.call, {"open", "opendir", "open_tree", "chdir", "rmdir", "readlink", "stat"})) return std::nullopt;
  return asked{.path = e.detail, .wanted = {.access = e.call == "chdir" ? X_OK : F_OK, .directory = e.call == "chdir"}};
}

inline auto looked_up(const asked& a, const unique_fd& root) -> sys::obstacle {
  const auto look = [&](const std::string& path, const sys::requirement& wanted) {
    return a.inside ? sys::find_obstacle_in_root(root, path, wanted) : sys::find_obstacle(path, wanted);
  };
  auto found = look(a.path, a.wanted);
  if (a.makes && found.code == ENOENT) found = look(found.reached, {.access = W_OK | X_OK, .directory = true});
  return found;
}

inline auto clause_of_path(const error& e, const std::optional<asked>& a, const unique_fd& root) -> std::string {
  if (!a || !is_of_a_path(e.code) || (a->inside && !root)) return {};
  return sys::clause_of(looked_up(*a, root), e.code);
}

inline auto path_variable(const spec::strings& env) -> std::string_view {
  constexpr std::string_view name = "PATH=";
  for (std::string_view entry : env)
    if (entry.starts_with(name)) return entry.substr(name.size());
  return {};
}

/// After the pivot, in the payload's working directory.
inline auto clause_of_program(const error& e, const spec::process& process) -> std::string {
  if (e.call == "execve") return sys::why_not_executed(e.detail, e.code);
  if (!e.call.empty() || e.code == 0 || process.args.empty()) return {};
  const std::string_view program = process.args[0];
  if (program.find('/') != program.npos) return sys::why_not_executed(program, e.code);
  const auto root = sys::open_at(fd_ref::cwd(), "/", O_PATH | O_DIRECTORY);
  if (!root || e.code != ENOENT) return {};
  return sys::why_not_found(*root, program, path_variable(process.env), process.cwd);
}

/// A hook that could not be executed, asked by the process that tried: the path is a host's for both.
inline auto clause_of_hook(const error& e) -> std::string {
  constexpr std::string_view before = ": fork/exec ";
  const auto found = e.detail.find(before);
  if (!e.pointer.starts_with("/hooks/") || found == e.detail.npos) return {};
  return sys::why_not_executed(e.detail.substr(found + before.size()), e.code);
}

inline auto clause_of_privilege(const error& e) -> std::string {
  if (e.code != EPERM && e.code != EACCES) return {};
  auto proc = sys::open_proc();
  return sys::why_not_permitted(e, sys::rights_now(proc ? std::move(*proc) : unique_fd{}));
}

inline auto limit_of(fd_ref proc, const sys::namespace_kind& kind) -> std::optional<std::uint64_t> {
  const auto file = sys::open_beneath(proc, fmt::format("sys/user/max_{}_namespaces", kind.file), O_RDONLY);
  if (!file) return std::nullopt;
  const auto text = sys::read_all(*file, 64);
  std::uint64_t value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

/// The lowest of the limits on the namespaces that were asked for; most often it is a zero somebody has written.
inline auto clause_of_limits(const error& e, const spec::linux_& linux) -> std::string {
  if (e.code != ENOSPC || !any_of(e.call, {"clone3", "unshare"})) return {};
  const auto proc = sys::open_proc();
  if (!proc) return {};
  const sys::namespace_kind* lowest = nullptr;
  std::uint64_t value = 0;
  for (const auto& kind : sys::namespace_kinds) {
    if (!linux.creates(kind.type)) continue;
    const auto limit = limit_of(*proc, kind);
    if (!limit || (lowest != nullptr && *limit >= value)) continue;
    lowest = &kind;
    value = *limit;
  }
  if (lowest == nullptr) return {};
  return fmt::format("/proc/sys/user/max_{}_namespaces is {}{}", lowest->file, value,
                     value == 0 ? "" : ", the lowest limit on what is asked for");
}

/// Does a filter let its process ask questions? Where it may kill or stop it instead, none are asked.
inline auto is_harmless(const spec::seccomp& filter) -> bool {
  const auto gentle = [](std::string_view action) {
    return any_of(action, {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG"});
  };
  return gentle(filter.default_action) &&
         std::ranges::all_of(filter.syscalls, [&](const auto& rule) { return gentle(rule.action); });
}

/// From the stage that loads the filter on it may be in force.
inline auto may_ask(const error& e, const spec::config& spec) -> bool {
  if (!spec.linux.seccomp || is_harmless(*spec.linux.seccomp)) return true;
  return !any_of(e.stage, {"", "seccomp", "no-new-privs", "cwd", "bounding", "user", "caps", "exec"});
}

}  // namespace detail

/// In the parent, or wherever no spec is at hand.
inline auto explained(error why) -> error {
  if (why.code == 0) return why;
  auto clause = detail::clause_of_path(why, detail::asked_by_detail(why), {});
  if (clause.empty()) clause = detail::clause_of_hook(why);
  if (clause.empty()) clause = detail::clause_of_privilege(why);
  return with_clause(std::move(why), clause);
}

/// In the parent, about namespaces of the spec.
inline auto explained(error why, const spec::linux_& linux) -> error {
  // Who makes a user namespace needs no capability for it, nor for the others it makes along with it.
  if (why.code == EPERM && why.call == "clone3" && linux.creates("user")) return why;
  const auto clause = detail::clause_of_limits(why, linux);
  return clause.empty() ? explained(std::move(why)) : with_clause(std::move(why), clause);
}

/// In init or in the bridge, once, before the error goes to the parent.
///
/// Process  the one that failed, before or after the pivot
inline auto explained(error why, const init_context& ctx) -> error {
  if (!detail::may_ask(why, ctx.spec)) return why;
  std::string clause;
  if (why.pointer == "/process/args/0" && ctx.spec.process) clause = detail::clause_of_program(why, *ctx.spec.process);
  if (clause.empty()) clause = detail::clause_of_path(why, detail::asked_by_spec(why, ctx), ctx.rootfs);
  return clause.empty() ? explained(std::move(why), ctx.spec.linux) : with_clause(std::move(why), clause);
}

/// The same for a result: `OCITK_TRY(explaining(in_stage("cgroup", make(...))))`.
template <class T, class... Where>
auto explaining(result<T> r, const Where&... where) -> result<T> {
  if (!r) r.error() = explained(std::move(r.error()), where...);
  return r;
}

/// A program that is called `runc` says what runc says where that is compared letter by letter, and no more.
inline bool only_runcs_words = false;

/// The one line a container says whose payload could not be executed, in runc's words; callers know its beginning. The
/// reason stands behind them, unless the filter that is loaded by now might kill who looks for it.
inline auto line_of_failed_exec(const std::string& path, int code, const spec::config& spec) -> std::string {
  auto line = fmt::format("exec {}: {}", path, errno_text(code));
  if (only_runcs_words) return line + "\n";
  if (!spec.linux.seccomp || detail::is_harmless(*spec.linux.seccomp))
    if (const auto why = sys::why_not_executed(path, code); !why.empty()) line += fmt::format(" ({})", why);
  return line + "\n";
}

}  // namespace ocitk::runtime

#endif
