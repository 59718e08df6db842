#ifndef OCITK_CHECK_FILES_HPP
#define OCITK_CHECK_FILES_HPP

#include <ocitk/check/finding.hpp>
#include <ocitk/check/mount_entries.hpp>
#include <ocitk/check/program.hpp>
#include <ocitk/check/view.hpp>
#include <ocitk/mounts/devices.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/namespace.hpp>

#include <fmt/core.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Files of the host that a config names: are they there, and are they what they have to be?
namespace ocitk::check {

namespace detail {

inline auto on_host(const std::string& bundle, const std::string& path) -> std::string {
  return path.starts_with('/') ? path : bundle + "/" + path;
}

/// A finding for a path of the host that could not be opened.
inline auto unreachable(const error& e, std::string pointer, const std::string& path) -> finding {
  return {.pointer = std::move(pointer), .message = fmt::format("{}: {}", path, errno_text(e.code)), .needs = path};
}

/// The root as the runtime opens it: a link at its end is not followed.
inline auto open_root(findings& all, const std::string& path) -> std::optional<unique_fd> {
  constexpr const char* pointer = "/root/path";
  auto root = sys::open_at(fd_ref::cwd(), path, O_PATH | O_NOFOLLOW);
  const auto status = root ? sys::status_of(*root) : result<struct stat>{std::unexpected(root.error())};
  if (!status) {
    all.push_back(unreachable(status.error(), pointer, path));
    return std::nullopt;
  }
  if (S_ISDIR(status->st_mode)) return std::move(*root);
  const auto* kind = S_ISLNK(status->st_mode) ? "a symbolic link" : "no directory";
  all.push_back({.pointer = pointer, .message = fmt::format("{} is {}", path, kind), .needs = "a directory " + path});
  return std::nullopt;
}

/// A file goes onto a file and a directory onto a directory; what is missing is made.
inline void judge_target(findings& all, const spec::mount& m, std::size_t index, const view& root, bool source_is_directory) {
  const auto target = root.find(m.destination);
  if (target.is != whereabouts::found) return;
  const auto is_directory = sys::is_directory(target.file);
  if (!is_directory || *is_directory == source_is_directory) return;
  all.push_back({.pointer = fmt::format("/mounts/{}/destination", index),
                 .message = fmt::format("{} is {} directory, what goes there is {}", target.path, *is_directory ? "a" : "no",
                                        source_is_directory ? "one" : "none"),
                 .needs = fmt::format("a {} {} in the root file system", source_is_directory ? "directory" : "file", target.path)});
}

inline void judge_source(findings& all, const spec::mount& m, std::size_t index, const view& root, const std::string& bundle) {
  if (is_remount(m)) return;
  if (!is_bind(m)) return judge_target(all, m, index, root, true);
  if (m.source.empty()) return;
  const auto path = on_host(bundle, m.source);
  if (const auto p = mounts::plan_for(m); p && (p->copy_symlink || p->source_nofollow))
    if (const auto itself = sys::open_at(fd_ref::cwd(), path, O_PATH | O_NOFOLLOW); itself)
      if (const auto st = sys::status_of(*itself); st && S_ISLNK(st->st_mode)) return;  // wherever it points
  const auto source = sys::open_at(fd_ref::cwd(), path, O_PATH);
  if (!source) return all.push_back(unreachable(source.error(), fmt::format("/mounts/{}/source", index), path));
  if (const auto directory = sys::is_directory(*source)) judge_target(all, m, index, root, *directory);
}

/// Looks without opening it for reading first: behind the path may be a pipe.
inline auto kind_of_namespace(const std::string& path) -> result<std::uint64_t> {
  constexpr long nsfs_magic = 0x6e736673;
  const auto file = OCITK_TRY(sys::open_at(fd_ref::cwd(), path, O_PATH));
  if (OCITK_TRY(sys::filesystem_of(file)) != nsfs_magic) return 0;
  const auto readable = OCITK_TRY(sys::open_at(fd_ref::cwd(), fmt::format("/proc/self/fd/{}", file.get()), O_RDONLY));
  const int kind = ::ioctl(readable.get(), NS_GET_NSTYPE);
  if (kind < 0) return failed("ioctl(NS_GET_NSTYPE)");
  return static_cast<std::uint64_t>(kind);
}

inline void judge_namespace(findings& all, const spec::ns& n, std::size_t index) {
  const auto* wanted = sys::kind_of(n.type);
  if (n.path.empty() || wanted == nullptr) return;
  const auto pointer = fmt::format("/linux/namespaces/{}/path", index);
  const auto kind = kind_of_namespace(n.path);
  if (!kind) return all.push_back(unreachable(kind.error(), pointer, n.path));
  if (*kind == wanted->flag) return;
  all.push_back({.pointer = pointer,
                 .message = fmt::format("{} is no {} namespace", n.path, n.type),
                 .needs = fmt::format("a {} namespace at {}", n.type, n.path)});
}

inline void judge_hook_on_host(findings& all, const spec::hook& h, const std::string& pointer) {
  if (!h.path.starts_with('/')) return;  // told as an error of the document
  const auto file = sys::open_at(fd_ref::cwd(), h.path, O_PATH);
  if (!file) return all.push_back(unreachable(file.error(), pointer, h.path));
  const auto status = sys::status_of(*file);
  const auto why = status ? obstacle_in(*status) : errno_text(status.error().code);
  if (why.empty() && ::access(h.path.c_str(), X_OK) == 0) return;
  all.push_back({.pointer = pointer,
                 .message = fmt::format("{} {}", h.path, why.empty() ? "may not be executed by the caller" : why),
                 .needs = "an executable " + h.path});
}

inline void judge_hook_inside(findings& all, const spec::hook& h, const std::string& pointer, const view& root) {
  const auto found = look_at(root, h.path);
  if (found.why.empty()) return;
  all.push_back({.pointer = pointer,
                 .message = fmt::format("{} in the root file system: {}", h.path, found.why),
                 .needs = fmt::format("an executable {} in the root file system", h.path)});
}

/// Every hook but startContainer is a program of the host.
inline void judge_hook_files(findings& all, const spec::hooks& hooks, const view* root) {
  const auto judge = [&](std::string_view key, const std::vector<spec::hook>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) judge_hook_on_host(all, list[i], fmt::format("/hooks/{}/{}/path", key, i));
  };
  judge("prestart", hooks.prestart);
  judge("createRuntime", hooks.create_runtime);
  judge("createContainer", hooks.create_container);
  if (root != nullptr)
    for (std::size_t i = 0; i < hooks.start_container.size(); ++i)
      judge_hook_inside(all, hooks.start_container[i], fmt::format("/hooks/startContainer/{}/path", i), *root);
  judge("poststart", hooks.poststart);
  judge("poststop", hooks.poststop);
}

/// Where nodes cannot be made the host's are bound, so they have to be there.
inline void judge_devices(findings& all, const std::vector<spec::device>& devices) {
  const auto nodes = mounts::plan_nodes(devices);
  if (!nodes) return;  // told as an error of the document
  for (const auto& n : *nodes) {
    if (n.pointer.empty() || n.type == S_IFIFO) continue;
    const auto host = sys::open_at(fd_ref::cwd(), n.path, O_PATH | O_NOFOLLOW);
    const auto status = host ? sys::status_of(*host) : result<struct stat>{std::unexpected(host.error())};
    if (!status)
      all.push_back(unreachable(status.error(), n.pointer, n.path));
    else if (!mounts::detail::is_node(*status, n))
      all.push_back({.pointer = n.pointer,
                     .message = fmt::format("{} of the host is another device", n.path),
                     .needs = fmt::format("device {}:{} at {}", n.major, n.minor, n.path)});
  }
}

/// The rootfs, then what goes on it in the order of the config, then what is looked up in all of it.
inline void judge_tree(findings& all, const spec::config& c, view& root, const std::string& bundle) {
  for (std::size_t i = 0; i < c.mounts.size(); ++i) {
    judge_source(all, c.mounts[i], i, root, bundle);
    root.add(c.mounts[i], i, bundle);
  }
  append(all, program_findings(c, root));
  if (!c.process || c.process->cwd.empty() || root.find(c.process->cwd).is != whereabouts::missing) return;
  all.push_back({.how = severity::warning,
                 .pointer = "/process/cwd",
                 .message = c.process->cwd + " is not in the root file system",
                 .needs = c.process->cwd + " in the root file system"});
}

}  // namespace detail

/// `bundle` is absolute: relative paths of the config start there. `makes_nodes`: the caller may call mknod(2).
///
/// Reads  /root/path, /mounts, /process/args, /process/cwd, /hooks, /linux/namespaces, /linux/devices
inline auto file_findings(const spec::config& c, const std::string& bundle, bool makes_nodes) -> findings {
  findings all;
  std::optional<view> root;
  if (c.root)
    if (auto dir = detail::open_root(all, detail::on_host(bundle, c.root->path))) root.emplace(std::move(*dir));
  if (root) detail::judge_tree(all, c, *root, bundle);
  for (std::size_t i = 0; i < c.linux.namespaces.size(); ++i) detail::judge_namespace(all, c.linux.namespaces[i], i);
  detail::judge_hook_files(all, c.hooks, root ? &*root : nullptr);
  if (!makes_nodes || c.linux.has("user")) detail::judge_devices(all, c.linux.devices);
  return all;
}

}  // namespace ocitk::check

#endif
