#ifndef OCITK_MOUNTS_OPTIONS_HPP
#define OCITK_MOUNTS_OPTIONS_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/sys/mount.hpp>

#include <sys/mount.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the words of /mounts/N/options come to. Nothing here touches the system.
namespace ocitk::mounts {

/// Ids of an id-mapped mount: as its file system has them, and as the host is to see them.
struct id_range {
  std::uint32_t from = 0, to = 0, size = 0;
  bool relative = false;  ///< `to` counts in the container's user namespace
  bool operator==(const id_range&) const = default;
};

struct id_map {
  bool wanted = false;
  bool recursive = false;                ///< `ridmap`: of all that is mounted below too
  std::vector<id_range> uids{}, gids{};  ///< none: the maps of the container's user namespace
  bool operator==(const id_map&) const = default;
};

/// One entry of /mounts, understood.
struct plan {
  std::string destination{};  ///< absolute; no empty, `.` component, no slash at the end
  bool bind = false;
  bool recursive = false;                ///< rbind: what is mounted below comes along
  bool remount = false;                  ///< changes the mount that is there
  bool read_only = false;                ///< `ro`; in `self` too unless it has to wait
  bool read_only_later = false;          ///< tmpfs and /dev: other stages have to fill them first
  bool copy_up = false;                  ///< `tmpcopyup`: what the tmpfs covers is in it too
  bool copy_symlink = false;             ///< a source that is a symbolic link is made again, not mounted
  bool source_nofollow = false;          ///< a source that is a symbolic link is mounted itself
  bool target_nofollow = false;          ///< a target that is a symbolic link is covered itself
  id_map ids{};
  sys::mount_attributes self{};          ///< of this mount, with its propagation unless that is recursive
  sys::mount_attributes below{};         ///< of it and all below: `rro` and its like, `rprivate` and its like
  std::vector<std::string> data{};       ///< for the file system: "size=64k", "newinstance", "sync"
  bool operator==(const plan&) const = default;
};

/// `//dev/./pts/` is `/dev/pts`; `dev` is `/dev`. Components `..` stay: where they lead is for the kernel to say.
inline auto clean(std::string_view path) -> std::string {
  std::string out;
  while (!path.empty()) {
    const auto end = path.find('/');
    const auto part = path.substr(0, end);
    if (!part.empty() && part != ".") out.append("/").append(part);
    path = end == std::string_view::npos ? std::string_view{} : path.substr(end + 1);
  }
  return out.empty() ? "/" : out;
}

namespace detail {

struct attribute_word {
  std::string_view word;
  std::uint64_t bit;
  bool set;
};

inline constexpr std::array<attribute_word, 12> attribute_words{{
    {"ro", MOUNT_ATTR_RDONLY, true},
    {"rw", MOUNT_ATTR_RDONLY, false},
    {"nosuid", MOUNT_ATTR_NOSUID, true},
    {"suid", MOUNT_ATTR_NOSUID, false},
    {"nodev", MOUNT_ATTR_NODEV, true},
    {"dev", MOUNT_ATTR_NODEV, false},
    {"noexec", MOUNT_ATTR_NOEXEC, true},
    {"exec", MOUNT_ATTR_NOEXEC, false},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, true},
    {"diratime", MOUNT_ATTR_NODIRATIME, false},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, true},
    {"symfollow", MOUNT_ATTR_NOSYMFOLLOW, false},
}};

/// Access times are one field of the kernel's with three values, not three bits.
struct atime_word {
  std::string_view word;
  std::uint64_t value;
  bool set;
};

inline constexpr std::array<atime_word, 6> atime_words{{
    {"noatime", MOUNT_ATTR_NOATIME, true},
    {"atime", MOUNT_ATTR_NOATIME, false},
    {"relatime", MOUNT_ATTR_RELATIME, true},
    {"norelatime", MOUNT_ATTR_RELATIME, false},
    {"strictatime", MOUNT_ATTR_STRICTATIME, true},
    {"nostrictatime", MOUNT_ATTR_STRICTATIME, false},
}};

struct propagation_word {
  std::string_view word;
  std::uint64_t flag;
};

inline constexpr std::array<propagation_word, 4> propagation_words{
    {{"private", MS_PRIVATE}, {"slave", MS_SLAVE}, {"shared", MS_SHARED}, {"unbindable", MS_UNBINDABLE}}};

/// Switches of the superblock; a clearing word takes back the setting one.
struct superblock_word {
  std::string_view word, undone_by;
};

inline constexpr std::array<superblock_word, 3> superblock_words{
    {{"sync", "async"}, {"dirsync", ""}, {"lazytime", "nolazytime"}}};

/// Mean nothing to Linux any more (mandatory locks), to a detached mount (silence), or to us.
inline constexpr std::array<std::string_view, 7> idle_words{"defaults", "silent",    "loud",       "mand",
                                                            "nomand",   "iversion", "noiversion"};

/// What a word switches on in the plan; crun knows the last three.
struct switch_word {
  std::string_view word;
  bool plan::*what;
};

inline constexpr std::array<switch_word, 4> switch_words{{{"tmpcopyup", &plan::copy_up},
                                                          {"copy-symlink", &plan::copy_symlink},
                                                          {"src-nofollow", &plan::source_nofollow},
                                                          {"dest-nofollow", &plan::target_nofollow}}};

/// One of crun's ranges: `0-100000-65536`, or `@0-1000-1` counted in the container's user namespace.
inline auto id_range_from(std::string_view text) -> std::optional<id_range> {
  id_range range;
  range.relative = text.starts_with('@');
  if (range.relative) text.remove_prefix(1);
  const char* at = text.data();
  const char* const end = at + text.size();
  for (auto* number : {&range.from, &range.to, &range.size}) {
    if (number != &range.from && (at == end || *at++ != '-')) return std::nullopt;
    const auto [next, problem] = std::from_chars(at, end, *number);
    if (problem != std::errc{}) return std::nullopt;
    at = next;
  }
  if (at != end || range.size == 0) return std::nullopt;
  return range;
}

/// Cuts the first part off a list.
inline auto next_part(std::string_view& list, char separator) -> std::string_view {
  const auto end = list.find(separator);
  const auto part = list.substr(0, end);
  list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
  return part;
}

/// crun's `uids=0-1-10#10-11-10;gids=0-100-10`.
inline auto id_map_from(std::string_view text, id_map& into) -> bool {
  while (!text.empty()) {
    auto part = next_part(text, ';');
    const auto key = next_part(part, '=');
    if (key != "uids" && key != "gids") return false;
    while (!part.empty()) {
      const auto range = id_range_from(next_part(part, '#'));
      if (!range) return false;
      (key == "uids" ? into.uids : into.gids).push_back(*range);
    }
  }
  return true;
}

/// A file system has them or not, whatever is below: crun's words for what it does without the `r`.
inline constexpr std::array<std::string_view, 5> same_without_r{"rsync", "rasync", "rdirsync", "rmand", "rnomand"};

template <class Table>
auto find(const Table& table, std::string_view word) -> const typename Table::value_type* {
  for (const auto& row : table)
    if (row.word == word) return &row;
  return nullptr;
}

/// Attributes in the making, as later words override earlier ones.
struct attributes {
  std::uint64_t set = 0, clear = 0;
  std::optional<std::uint64_t> atime{};

  auto take(std::string_view word) -> bool {
    if (const auto* row = find(attribute_words, word)) {
      (row->set ? set : clear) |= row->bit;
      (row->set ? clear : set) &= ~row->bit;
      return true;
    }
    if (const auto* row = find(atime_words, word)) {
      if (row->set) atime = row->value;
      else if (row->value != MOUNT_ATTR_RELATIME && atime.value_or(row->value) == row->value)
        atime = MOUNT_ATTR_RELATIME;
      else if (row->value == MOUNT_ATTR_RELATIME && atime == row->value)
        atime.reset();
      return true;
    }
    return false;
  }
  [[nodiscard]] auto done() const -> sys::mount_attributes {
    sys::mount_attributes all{.set = set, .clear = clear};
    if (!atime) return all;
    all.set |= *atime;
    all.clear |= MOUNT_ATTR__ATIME;  // the kernel wants the whole field cleared to set any of it
    return all;
  }
};

struct reader {
  plan p{};
  attributes self{}, below{};
  std::uint64_t propagation = 0;
  bool propagation_below = false;

  auto take(std::string_view word) -> result<> {
    for (const auto same : same_without_r)
      if (word == same) word.remove_prefix(1);
    if (take_kind(word) || self.take(word) || take_propagation(word) || take_idle(word) || take_superblock(word)) return {};
    if (const auto* row = find(switch_words, word)) {
      p.*(row->what) = true;
      return {};
    }
    const bool recursive = word.starts_with('r');
    const auto rest = recursive ? word.substr(1) : word;
    if (rest == "idmap" || rest.starts_with("idmap=")) return take_id_map(rest, recursive);
    if (recursive && below.take(rest)) return {};
    add_data(word);
    return {};
  }

 private:
  auto take_kind(std::string_view word) -> bool {
    if (word == "remount") return p.remount = true;
    if (word != "bind" && word != "rbind") return false;
    p.bind = true;
    p.recursive = word == "rbind";
    return true;
  }
  auto take_propagation(std::string_view word) -> bool {
    const auto* row = find(propagation_words, word);
    const bool recursive = row == nullptr && word.starts_with('r');
    if (recursive) row = find(propagation_words, word.substr(1));
    if (row == nullptr) return false;
    propagation = row->flag;
    propagation_below = recursive;
    return true;
  }
  static auto take_idle(std::string_view word) -> bool {
    for (const auto idle : idle_words)
      if (word == idle) return true;
    return false;
  }
  auto take_id_map(std::string_view word, bool recursive) -> result<> {
    p.ids.wanted = true;
    p.ids.recursive = recursive;
    (void)next_part(word, '=');
    if (id_map_from(word, p.ids)) return {};
    return failure("invalid id mapping \"" + std::string{word} + "\"");
  }
  auto take_superblock(std::string_view word) -> bool {
    for (const auto& row : superblock_words) {
      if (word != row.word && word != row.undone_by) continue;
      std::erase(p.data, row.word);
      if (word == row.word) p.data.emplace_back(word);
      return true;
    }
    return false;
  }
  auto add_data(std::string_view words) -> void {
    while (!words.empty()) {
      const auto end = words.find(',');
      if (end != 0) p.data.emplace_back(words.substr(0, end));
      words = end == std::string_view::npos ? std::string_view{} : words.substr(end + 1);
    }
  }
};

inline auto has_nul(const spec::mount& m) -> bool {
  constexpr char nul = '\0';
  if (m.destination.find(nul) != std::string::npos || m.source.find(nul) != std::string::npos) return true;
  for (const auto& o : m.options)
    if (o.find(nul) != std::string::npos) return true;
  return m.type.find(nul) != std::string::npos;
}

/// The entry's own maps count before those of an option.
inline auto set_ids(id_map& ids, const spec::mount& m) -> result<> {
  if (!m.uid_mappings.empty() || !m.gid_mappings.empty()) {
    const auto ranges = [](const std::vector<spec::id_mapping>& maps) {
      std::vector<id_range> all;
      for (const auto& one : maps) all.push_back({.from = one.container_id, .to = one.host_id, .size = one.size});
      return all;
    };
    ids.wanted = true;
    ids.uids = ranges(m.uid_mappings);
    ids.gids = ranges(m.gid_mappings);
  }
  if (ids.uids.empty() == ids.gids.empty()) return {};
  return failure("id-mapped mounts must have both uid and gid mappings specified");
}

/// What only a bind mount can do, or only a tmpfs.
inline auto check_kind(const plan& p, std::string_view type) -> result<> {
  if (p.ids.wanted && !p.bind) return failure("id-mapped mounts are only supported for bind-mounts");
  if (p.copy_up && (p.bind || type != "tmpfs")) return failure("tmpcopyup is only supported for tmpfs");
  if ((p.copy_symlink || p.source_nofollow) && !p.bind)
    return failure(std::string{p.copy_symlink ? "copy-symlink" : "src-nofollow"} + " is only supported for bind-mounts");
  if (p.remount && (p.ids.wanted || p.copy_up || p.copy_symlink || p.source_nofollow))
    return failure("remount cannot be combined with idmap, tmpcopyup, copy-symlink or src-nofollow");
  return {};
}

/// A bind that says nothing of propagation is cut off from the host.
inline auto set_propagation(plan& p, std::uint64_t asked, bool below) -> void {
  if (asked == 0 && p.bind && !p.remount) {
    asked = MS_PRIVATE;
    below = p.recursive;
  }
  (below ? p.below : p.self).propagation = asked;
}

}  // namespace detail

/// Does an option belong to one key: `mode=755` to `mode`?
inline auto names(std::string_view option, std::string_view key) -> bool {
  return option.starts_with(key) && option.size() > key.size() && option[key.size()] == '=';
}

/// Every option that mount(8) has for all file systems, with the recursive ones; not what runtimes have added to them.
inline auto option_words() -> std::vector<std::string> {
  std::vector<std::string> words{"bind", "rbind", "remount"};
  const auto add = [&](std::string_view word, bool recursive_too) {
    if (word.empty()) return;
    words.emplace_back(word);
    if (recursive_too) words.push_back("r" + std::string{word});
  };
  for (const auto& row : detail::attribute_words) add(row.word, true);
  for (const auto& row : detail::atime_words) add(row.word, true);
  for (const auto& row : detail::propagation_words) add(row.word, true);
  for (const auto& row : detail::superblock_words) {
    add(row.word, false);
    add(row.undone_by, false);
  }
  for (const auto word : detail::idle_words) add(word, false);
  return words;
}

/// Understands one entry of /mounts.
///
/// Reads  /mounts/N: destination, type, options, uidMappings, gidMappings
/// Fails  NUL in a string, `/` as destination, options for the file system of a bind mount, words of another kind of
///        mount, an id mapping of users without one of groups
inline auto plan_for(const spec::mount& m) -> result<plan> {
  if (detail::has_nul(m)) return failure("mount strings cannot hold a NUL byte");
  detail::reader r;
  r.p.destination = clean(m.destination);
  if (r.p.destination == "/") return failure("mounting on / would cover the root file system");
  r.p.bind = m.type == "bind";
  for (const auto& word : m.options) OCITK_TRY(r.take(word));
  plan p = std::move(r.p);
  p.self = r.self.done();
  p.below = r.below.done();
  if (p.bind) {
    std::erase_if(p.data, [](const std::string& d) { return detail::find(detail::superblock_words, d) != nullptr; });
    if (!p.data.empty()) return failure("bind mounts cannot have any filesystem-specific options applied");
  }
  OCITK_TRY(detail::set_ids(p.ids, m));
  OCITK_TRY(detail::check_kind(p, m.type));
  detail::set_propagation(p, r.propagation, r.propagation_below);
  const bool filled_first = !p.remount && !p.bind && m.type == "tmpfs";
  if (filled_first && (p.below.set & MOUNT_ATTR_RDONLY) != 0) {  // nothing is below it yet
    p.below.set &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
    p.self.set |= MOUNT_ATTR_RDONLY;
  }
  p.read_only = (p.self.set & MOUNT_ATTR_RDONLY) != 0;
  p.read_only_later = p.read_only && !p.remount && (filled_first || p.destination == "/dev");
  if (p.read_only_later) p.self.set &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
  return p;
}

}  // namespace ocitk::mounts

#endif
