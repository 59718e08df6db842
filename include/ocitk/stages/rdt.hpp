#ifndef OCITK_STAGES_RDT_HPP
#define OCITK_STAGES_RDT_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/mountinfo.hpp>
#include <ocitk/text.hpp>

#include <linux/magic.h>

#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ocitk::stages {

namespace rdt {

/// A group of resctrl, as the spec asks for it.
struct group {
  std::string name{};      ///< its directory below the root; empty: the root group
  bool is_given = false;   ///< by closID: others may use it too, it outlives the container
  std::string schemata{};  ///< whole lines; empty: as the group is
  std::string monitor{};   ///< a directory below mon_groups; empty: none
  bool operator==(const group&) const = default;

  [[nodiscard]] auto monitor_path() const -> std::string { return (name.empty() ? "" : name + "/") + "mon_groups/" + monitor; }
};

namespace detail {

inline auto check_id(const spec::intel_rdt& wanted) -> result<> {
  const auto& id = wanted.clos_id;
  const bool reserved = id == "info" || id == "mon_groups" || id == "mon_data";
  if (id == "." || id == ".." || reserved || (id.size() > 1 && id.find('/') != id.npos))
    return failure(filled("invalid intelRdt.ClosID \"{}\"", id), "/linux/intelRdt/closID");
  return {};
}

inline auto check_line(const std::string& line, std::string pointer) -> result<> {
  if (line.find('\n') != line.npos) return failure("a schema is one line", std::move(pointer));
  return {};
}

/// l3CacheSchema may have several lines; those about bandwidth give way to memBwSchema.
inline auto cache_lines(const spec::intel_rdt& wanted) -> std::string {
  std::string text;
  for (const auto& line : sys::cgroupfs::split(wanted.l3_cache_schema, '\n'))
    if (wanted.mem_bw_schema.empty() || !line.starts_with("MB:")) text += line + "\n";
  return text;
}

}  // namespace detail

/// Fails    a closID that is no name of a directory, a memBwSchema that is not about MB, schemata of several lines
inline auto plan(const spec::intel_rdt& wanted, const std::string& id) -> result<group> {
  OCITK_TRY(detail::check_id(wanted));
  OCITK_TRY(detail::check_line(wanted.mem_bw_schema, "/linux/intelRdt/memBwSchema"));
  if (!wanted.mem_bw_schema.empty() && !wanted.mem_bw_schema.starts_with("MB:"))
    return failure(filled("memBwSchema \"{}\" does not start with MB:", wanted.mem_bw_schema), "/linux/intelRdt/memBwSchema");
  group g{.name = wanted.clos_id.empty() ? id : wanted.clos_id, .is_given = !wanted.clos_id.empty()};
  if (g.name == "/") g.name.clear();
  g.schemata = detail::cache_lines(wanted);
  if (!wanted.mem_bw_schema.empty()) g.schemata += wanted.mem_bw_schema + "\n";
  for (std::size_t i = 0; i < wanted.schemata.size(); ++i) {
    OCITK_TRY(detail::check_line(wanted.schemata[i], filled("/linux/intelRdt/schemata/{}", i)));
    g.schemata += wanted.schemata[i] + "\n";
  }
  if (wanted.enable_monitoring) g.monitor = id;
  return g;
}

/// Where resctrl is mounted.
///
/// Fails    `intelRdt is specified in config, but Intel RDT is not enabled`
inline auto find_root(const std::string& usual = "/sys/fs/resctrl", const std::string& mountinfo = "/proc/self/mountinfo")
    -> result<std::string> {
  if (const auto dir = sys::open_at(fd_ref::cwd(), usual, O_PATH | O_DIRECTORY)) {
    const auto kind = sys::filesystem_of(*dir);
    if (kind && *kind == RDTGROUP_SUPER_MAGIC) return usual;
  }
  constexpr std::size_t many_mounts = 16 * 1024 * 1024;
  if (const auto mounts = sys::read_file(fd_ref::cwd(), mountinfo, many_mounts))
    for (const auto& m : sys::mounts_from(*mounts))
      if (m.type == "resctrl") return m.mountpoint;
  return failure("intelRdt is specified in config, but Intel RDT is not enabled", "/linux/intelRdt");
}

namespace detail {

inline constexpr std::size_t enough = 64 * 1024;

inline auto is_there(fd_ref root, const std::string& path) -> bool {
  return sys::open_at(root, path.empty() ? "." : path, O_PATH | O_DIRECTORY).has_value();
}

/// Values by resource and cache: {"L3", {"0", "7f0"}}, leading zeros and blanks gone.
using values = std::map<std::string, std::map<std::string, std::string>>;

inline auto plain(std::string_view text) -> std::string {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
  std::string lower{text};
  for (char& c : lower)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

inline auto values_of(const std::string& schemata) -> values {
  values all;
  for (const auto& line : sys::cgroupfs::split(schemata, '\n')) {
    const auto colon = line.find(':');
    if (colon == line.npos) continue;
    auto name = std::string_view{line}.substr(0, colon);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    auto& of_name = all[std::string{name}];
    for (const auto& part : sys::cgroupfs::split(std::string_view{line}.substr(colon + 1), ';'))
      if (const auto equals = part.find('='); equals != part.npos)
        of_name[plain(std::string_view{part}.substr(0, equals))] = plain(std::string_view{part}.substr(equals + 1));
  }
  return all;
}

/// The kernel takes bandwidths in steps: 15 reads 20 where a step is 10.
inline auto stepped(const std::string& value, unsigned long step) -> std::string {
  unsigned long number = 0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (step == 0 || problem != std::errc{} || end != value.data() + value.size()) return value;
  return std::to_string((number + step - 1) / step * step);
}

inline auto bandwidth_step(fd_ref root) -> unsigned long {
  const auto text = sys::read_file(root, "info/MB/bandwidth_gran", 64);
  unsigned long step = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), step);
  return step;
}

/// Does a group have all that is wanted already?
inline auto agrees(const std::string& there, const std::string& wanted, unsigned long step) -> bool {
  const auto has = values_of(there);
  for (const auto& [name, caches] : values_of(wanted)) {
    const auto of_name = has.find(name);
    if (of_name == has.end()) return false;
    for (const auto& [cache, value] : caches) {
      const auto found = of_name->second.find(cache);
      if (found == of_name->second.end()) return false;
      if (found->second != value && !(name == "MB" && found->second == stepped(value, step))) return false;
    }
  }
  return true;
}

/// What resctrl has to say to a refusal.
inline auto with_reason(fd_ref root, result<> done) -> result<> {
  if (done || done.error().code == 0) return done;
  const auto said = sys::read_file(root, "info/last_cmd_status", 4096);
  if (said && *said != "ok\n" && !said->empty()) done.error().detail += ", last_cmd_status: " + sys::cgroupfs::trimmed(*said);
  return done;
}

inline auto write_file(fd_ref root, const std::string& path, const std::string& text) -> result<> {
  const auto file = OCITK_TRY(sys::open_at(root, path, O_WRONLY));
  const auto shown = text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
  return trying(shown + " to " + path, checked(sys::kernel::write(file.get(), text.data(), text.size()), "write"));
}

inline auto check_features(fd_ref root, const spec::intel_rdt& wanted) -> result<> {
  if (!wanted.l3_cache_schema.empty() && !is_there(root, "info/L3") && !is_there(root, "info/L3CODE"))
    return failure("intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled", "/linux/intelRdt/l3CacheSchema");
  if (!wanted.mem_bw_schema.empty() && !is_there(root, "info/MB"))
    return failure("intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled", "/linux/intelRdt/memBwSchema");
  return {};
}

}  // namespace detail

/// Directories that go with this object, the last one first, unless they are kept.
class group_guard {
 public:
  group_guard() = default;
  group_guard(group_guard&& other) noexcept : made_{std::exchange(other.made_, {})} {}
  auto operator=(group_guard&& other) noexcept -> group_guard& {
    std::swap(made_, other.made_);
    return *this;
  }
  group_guard(const group_guard&) = delete;
  auto operator=(const group_guard&) -> group_guard& = delete;
  ~group_guard() {
    for (auto path = made_.rbegin(); path != made_.rend(); ++path)
      (void)sys::kernel::unlinkat(AT_FDCWD, path->c_str(), AT_REMOVEDIR);  // somebody else's first is as good
  }
  auto add(std::string path) -> void { made_.push_back(std::move(path)); }
  auto keep() -> void { made_.clear(); }
  [[nodiscard]] auto made() const -> const std::vector<std::string>& { return made_; }

 private:
  std::vector<std::string> made_{};
};

/// Which directories apply() is going to make and `delete` has to remove: not those that closID names, nor what is
/// there. Written down before anything is made.
inline auto to_be_removed(const group& g, const std::string& root) -> result<std::vector<std::string>> {
  const auto dir = OCITK_TRY(sys::open_at(fd_ref::cwd(), root, O_PATH | O_DIRECTORY));
  std::vector<std::string> paths;
  if (!g.is_given && !detail::is_there(dir, g.name)) paths.push_back(root + "/" + g.name);
  if (!g.monitor.empty() && !detail::is_there(dir, g.monitor_path())) paths.push_back(root + "/" + g.monitor_path());
  return paths;
}

namespace detail {

/// Makes what is missing below the root of resctrl, and remembers it.
class builder {
 public:
  builder(fd_ref root, const std::string& path) : root_{root.get()}, path_{path} {}

  auto make(const std::string& name) -> result<> {
    auto done = trying(name, checked(sys::kernel::mkdirat(root_, name.c_str(), 0755), "mkdir"));
    if (done) made_.add(path_ + "/" + name);
    return with_reason(fd_ref::of(root_), std::move(done));
  }
  auto write(const std::string& file, const std::string& text) -> result<> {
    return with_reason(fd_ref::of(root_), write_file(fd_ref::of(root_), file, text));
  }
  /// Is there already, made by somebody else: it has to be what the container wants.
  auto compare(const group& g, const std::string& file) -> result<> {
    const auto there = OCITK_TRY(sys::read_file(fd_ref::of(root_), file, enough));
    if (agrees(there, g.schemata, bandwidth_step(fd_ref::of(root_)))) return {};
    return failure(filled("group \"{}\" is there with other schemata", g.name.empty() ? "/" : g.name), "/linux/intelRdt/closID");
  }
  auto settle(const group& g) -> result<> {
    const auto file = (g.name.empty() ? "" : g.name + "/") + "schemata";
    if (is_there(fd_ref::of(root_), g.name)) return g.schemata.empty() ? result<>{} : compare(g, file);
    if (g.is_given && g.schemata.empty())
      return failure(filled("clos dir {} is not there (must be pre-created when schemata, l3CacheSchema and memBwSchema are empty)", g.name),
                     "/linux/intelRdt/closID");
    OCITK_TRY(make(g.name));
    return g.schemata.empty() ? result<>{} : write(file, g.schemata);
  }
  auto enter(const group& g, int pid) -> result<> {
    OCITK_TRY(write((g.name.empty() ? "" : g.name + "/") + "tasks", std::to_string(pid)));
    if (g.monitor.empty()) return {};
    if (!is_there(fd_ref::of(root_), g.monitor_path())) OCITK_TRY(make(g.monitor_path()));
    return write(g.monitor_path() + "/tasks", std::to_string(pid));
  }
  auto done() -> group_guard { return std::move(made_); }

 private:
  int root_;
  const std::string& path_;
  group_guard made_{};
};

}  // namespace detail

/// Makes the group or finds it as it is wanted, and puts a process there.
///
/// Calls    mkdirat(2), write(2) on resctrl
/// Fails    a group that is there with other values; a closID without schemata that is not there; EINVAL, ENOSPC: no
///          closID is left; with what resctrl says to it
inline auto apply(const spec::intel_rdt& wanted, const group& g, const std::string& root, int pid) -> result<group_guard> {
  const auto dir = OCITK_TRY(sys::open_at(fd_ref::cwd(), root, O_PATH | O_DIRECTORY));
  OCITK_TRY(detail::check_features(dir, wanted));
  detail::builder b{dir, root};
  OCITK_TRY(b.settle(g));
  OCITK_TRY(b.enter(g, pid));
  return b.done();
}

/// Other shares for a group that is there.
///
/// Calls    write(2) of `schemata` on resctrl
/// Fails    a feature the machine lacks; EINVAL, with what resctrl says to it
inline auto renew(const spec::intel_rdt& wanted, const group& g, const std::string& root) -> result<> {
  const auto dir = OCITK_TRY(sys::open_at(fd_ref::cwd(), root, O_PATH | O_DIRECTORY));
  OCITK_TRY(detail::check_features(dir, wanted));
  return detail::with_reason(dir, detail::write_file(dir, (g.name.empty() ? "" : g.name + "/") + "schemata", g.schemata));
}

/// What a container leaves. Gone already is as good.
inline auto remove(const std::vector<std::string>& paths) -> result<> {
  for (auto path = paths.rbegin(); path != paths.rend(); ++path)
    if (sys::kernel::unlinkat(AT_FDCWD, path->c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return failed("rmdir", *path);
  return {};
}

}  // namespace rdt

/// Gives a process shares of cache and of memory bandwidth, by a group of the resctrl file system. What it makes
/// is left in the context, for whoever removes the container.
///
/// Reads    /linux/intelRdt
/// Process  parent
/// Calls    mkdirat(2), write(2) on resctrl
/// Fails    where no resctrl is mounted; as rdt::apply() does
struct join_resctrl_group : stage_in<parent_context> {
  static constexpr std::string_view name = "rdt";
  static constexpr std::string_view reads = "/linux/intelRdt";
  static constexpr std::string_view summary = "gives shares of cache and memory bandwidth";
  auto operator()(parent_context& ctx) const -> result<> {
    const auto& wanted = ctx.spec.linux.intel_rdt;
    if (!wanted) return {};
    const auto join = [&]() -> result<> {
      const auto root = OCITK_TRY(rdt::find_root());
      const auto g = OCITK_TRY(rdt::plan(*wanted, ctx.id));
      auto removed_later = OCITK_TRY(rdt::to_be_removed(g, root));
      auto guard = OCITK_TRY(rdt::apply(*wanted, g, root, ctx.pid == 0 ? ::getpid() : ctx.pid));
      ctx.rdt_groups = std::move(removed_later);
      guard.keep();
      return {};
    };
    return at("/linux/intelRdt", join);
  }
};

}  // namespace ocitk::stages

#endif
