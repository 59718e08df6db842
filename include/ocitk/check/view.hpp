#ifndef OCITK_CHECK_VIEW_HPP
#define OCITK_CHECK_VIEW_HPP

#include <ocitk/check/mount_entries.hpp>
#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/mounts/options.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/sys/file.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Paths of a container that does not exist yet: its rootfs with the bind mounts of the config in their places.
namespace ocitk::check {

enum class whereabouts {
  found,
  missing,  ///< or unreachable: `code` tells
  later,    ///< on a file system that is made when the container is
};

struct located {
  whereabouts is = whereabouts::missing;
  unique_fd file{};      ///< O_PATH, where found
  std::string path{};    ///< without links, as far as it leads
  std::size_t mount = 0; ///< the entry of /mounts, where later
  int code = 0;          ///< errno, where missing
};

class view {
 public:
  explicit view(unique_fd root) : root_{std::move(root)} {}

  /// Puts an entry of /mounts where the earlier ones make it land.
  void add(const spec::mount& m, std::size_t index, const std::string& bundle) {
    if (detail::is_remount(m)) return;
    cover c{.at = find(m.destination).path, .mount = index};
    if (c.at == "/") return;  // refused
    if (detail::is_bind(m) && !m.source.empty())
      if (auto tree = sys::open_at(fd_ref::cwd(), m.source[0] == '/' ? m.source : bundle + "/" + m.source, O_PATH))
        c.tree = std::move(*tree);
    std::erase_if(covers_, [&](const cover& old) { return old.at == c.at || old.at.starts_with(c.at + "/"); });
    covers_.push_back(std::move(c));
  }

  /// Where a path leads, seen from the container's root. Links of the container are followed here, one component at
  /// a time, because they lead through its mounts: no call gets more than a name and the directory it is in.
  ///
  /// Calls  openat2(2) RESOLVE_IN_ROOT and readlinkat(2) of single components
  [[nodiscard]] auto find(std::string_view path) const -> located {
    walk w{.rest = sys::cgroupfs::split(path, '/')};
    std::ranges::reverse(w.rest);
    while (!w.rest.empty()) {
      const auto name = std::exchange(w.rest.back(), {});
      w.rest.pop_back();
      if (name == ".") continue;
      if (name == "..") {
        if (!w.done.empty()) w.done.pop_back();
        continue;
      }
      if (auto end = step(w, name); end.is != whereabouts::found) return end;
    }
    return arrived(w);
  }

 private:
  struct cover {
    std::string at{};
    unique_fd tree{};  ///< empty: a file system that is made later
    std::size_t mount = 0;
  };
  struct level {
    std::string name{};
    unique_fd file{};  ///< empty: a directory made on the way to a mount
  };
  struct walk {
    std::vector<std::string> rest{};  ///< last component first
    std::vector<level> done{};
    int links_left = 40;              ///< as the kernel counts

    [[nodiscard]] auto path() const -> std::string {
      std::string text;
      for (const auto& l : done) text += "/" + l.name;
      return text.empty() ? "/" : text;
    }
    /// The same with what was to come: where a mount that makes its own target goes.
    [[nodiscard]] auto whole_path() const -> std::string {
      auto text = done.empty() ? std::string{} : path();
      for (auto name = rest.rbegin(); name != rest.rend(); ++name) text += "/" + *name;
      return mounts::clean(text);
    }
  };

  [[nodiscard]] auto here(const walk& w) const -> const unique_fd& { return w.done.empty() ? root_ : w.done.back().file; }

  [[nodiscard]] auto cover_at(const std::string& path) const -> const cover* {
    const auto found = std::ranges::find(covers_, path, &cover::at);
    return found == covers_.end() ? nullptr : &*found;
  }

  static auto lost(const walk& w, int code) -> located {
    return {.is = whereabouts::missing, .path = w.whole_path(), .code = code};
  }

  /// The mount whose target is below a path: what is missing on the way to it gets made.
  [[nodiscard]] auto cover_below(const std::string& path) const -> const cover* {
    const auto found = std::ranges::find_if(covers_, [&](const cover& c) { return c.at.starts_with(path + "/"); });
    return found == covers_.end() ? nullptr : &*found;
  }

  [[nodiscard]] auto open_entry(const walk& w, const std::string& name) const -> result<unique_fd> {
    if (!here(w)) return std::unexpected(error{.code = ENOENT});
    return sys::open_in_root(here(w), name, O_PATH | O_NOFOLLOW);
  }

  /// One component further, or the end of the walk.
  auto step(walk& w, const std::string& name) const -> located {
    const auto path = mounts::clean(w.path() + "/" + name);
    const auto* mounted = cover_at(path);
    if (mounted != nullptr && !mounted->tree) {
      w.done.push_back({.name = name});
      return {.is = whereabouts::later, .path = w.whole_path(), .mount = mounted->mount};
    }
    auto next = mounted != nullptr ? duplicate(mounted->tree) : open_entry(w, name);
    const int code = next ? 0 : next.error().code;
    if (next)
      if (const auto status = sys::status_of(*next); status && S_ISLNK(status->st_mode)) return follow(w, name);
    w.done.push_back({.name = name, .file = next ? std::move(*next) : unique_fd{}});
    if (code == 0 || (code == ENOENT && cover_below(path) != nullptr)) return {.is = whereabouts::found};
    return lost(w, code);
  }

  auto follow(walk& w, const std::string& name) const -> located {
    const auto target = sys::read_link_at(here(w), name);
    if (!target || w.links_left-- == 0) return lost(w, target ? ELOOP : target.error().code);
    if (target->starts_with('/')) w.done.clear();
    auto parts = sys::cgroupfs::split(*target, '/');
    w.rest.insert(w.rest.end(), parts.rbegin(), parts.rend());
    return {.is = whereabouts::found};
  }

  [[nodiscard]] auto arrived(const walk& w) const -> located {
    if (!here(w)) return {.is = whereabouts::later, .path = w.path(), .mount = cover_below(w.path())->mount};
    auto file = duplicate(here(w));
    if (!file) return lost(w, file.error().code);
    return {.is = whereabouts::found, .file = std::move(*file), .path = w.path()};
  }

  unique_fd root_;
  std::vector<cover> covers_{};
};

}  // namespace ocitk::check

#endif
