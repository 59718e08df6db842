#ifndef OCITK_MOUNTS_SOURCES_HPP
#define OCITK_MOUNTS_SOURCES_HPP

#include <ocitk/context.hpp>
#include <ocitk/error.hpp>
#include <ocitk/mounts/make.hpp>
#include <ocitk/mounts/options.hpp>
#include <ocitk/spec/id_maps.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>
#include <ocitk/sys/user_namespace.hpp>
#include <ocitk/text.hpp>

#include <sys/resource.h>

#include <string>
#include <utility>
#include <vector>

/// The sources of bind mounts: cloned, and with ids of their own if the entry says so.
namespace ocitk::mounts {

/// A path of the host as the spec gives it: relative ones start at the bundle.
inline auto host_path(const init_context& ctx, const std::string& path) -> std::string {
  return path.starts_with('/') ? path : ctx.bundle + "/" + path;
}

/// What of a path of the host is behind the container's root, as "/etc/hosts"; empty: not below it, by the words alone.
inline auto behind_root(const init_context& ctx, const std::string& path) -> std::string {
  const auto root = clean(host_path(ctx, ctx.spec.root->path));
  const auto cleaned = clean(path);
  return root != "/" && cleaned.starts_with(root + "/") ? cleaned.substr(root.size()) : std::string{};
}

/// The tables of an id-mapped mount; empty: those of the container's user namespace.
struct id_tables {
  std::vector<spec::id_mapping> uids{}, gids{};
  bool operator==(const id_tables&) const = default;
};

namespace detail {

/// A range that counts in the container's user namespace becomes as many as that has lines for it.
inline auto on_host(const std::vector<id_range>& ranges, const std::vector<spec::id_mapping>& container)
    -> result<std::vector<spec::id_mapping>> {
  std::vector<spec::id_mapping> all;
  for (auto left : ranges) {
    while (left.relative && left.size != 0) {
      const auto run = spec::run_on_host(container, left.to, left.size);
      if (!run) return failure(filled("id {} of an id-mapped mount is not mapped in the container's user namespace", left.to));
      all.push_back({.container_id = left.from, .host_id = run->first, .size = run->size});
      left = {.from = left.from + run->size, .to = left.to + run->size, .size = left.size - run->size, .relative = true};
    }
    if (!left.relative) all.push_back({.container_id = left.from, .host_id = left.to, .size = left.size});
  }
  return all;
}

}  // namespace detail

/// Reads  /linux/uidMappings, /linux/gidMappings, /linux/namespaces
/// Fails  where neither the entry nor the container has maps
inline auto tables_for(const id_map& ids, const spec::linux_& linux) -> result<id_tables> {
  id_tables own{.uids = OCITK_TRY(detail::on_host(ids.uids, linux.uid_mappings)),
                .gids = OCITK_TRY(detail::on_host(ids.gids, linux.gid_mappings))};
  if (own.uids == linux.uid_mappings && own.gids == linux.gid_mappings && linux.creates("user")) return id_tables{};
  if (own.uids.empty() && !linux.has("user"))
    return failure("id-mapped mounts must have both uid and gid mappings specified");
  return own;
}

namespace detail {

/// Takes the ids from the tables, or from the namespace at a path.
inline auto map_ids(fd_ref tree, const id_tables& tables, const std::string& container, const id_map& ids) -> result<> {
  const auto user_namespace =
      tables.uids.empty() ? OCITK_TRY(sys::open_at(fd_ref::cwd(), container, O_RDONLY))
                          : OCITK_TRY(sys::make_user_namespace(spec::lines_of(tables.uids), spec::lines_of(tables.gids)));
  auto done = sys::map_ids(tree, user_namespace, ids.recursive);
  if (!done && done.error().code == EINVAL) done.error().detail = "the file system may not support id-mapped mounts";
  return done;
}

/// A symbolic link is mounted itself, or looked at.
inline auto clone_source(const std::string& path, const plan& p) -> result<unique_fd> {
  if (!p.source_nofollow && !p.copy_symlink) return sys::clone_mount(fd_ref::cwd(), path, p.recursive);
  if (p.source_nofollow) return sys::clone_mount_itself(path, p.recursive);
  auto itself = OCITK_TRY(sys::clone_mount_itself(path, p.recursive));
  if (S_ISLNK(OCITK_TRY(sys::status_of(itself)).st_mode)) return itself;
  return sys::clone_mount(fd_ref::cwd(), path, p.recursive);
}

/// A source inside the container's root is what the entries before have made of it, and no link of the image leads out.
inline auto clone_inside(const init_context& ctx, const std::string& path, const plan& p) -> result<unique_fd> {
  return sys::clone_mount(OCITK_TRY(sys::open_in_root(ctx.rootfs, path)), p.recursive);
}

/// Lent mounts are descriptors, and those are counted: what can be done without goes without.
inline auto is_running_out(fd_ref last) -> bool {
  constexpr rlim_t for_the_rest = 100;
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && static_cast<rlim_t>(last.get()) + for_the_rest >= limit.rlim_cur;
}

/// What the parent does for one entry: for who may not go there, or may not map ids.
inline auto lend(init_context& ctx, std::size_t index, const plan& p) -> result<> {
  const auto& m = ctx.spec.mounts[index];
  auto tree = OCITK_TRY(clone_source(host_path(ctx, m.source), p));
  OCITK_TRY(sys::set_attributes(tree, {.propagation = MS_PRIVATE}, p.recursive));
  if (p.ids.wanted) {
    const auto tables = OCITK_TRY(tables_for(p.ids, ctx.spec.linux));
    const auto* user = ctx.spec.linux.find("user");
    if (!tables.uids.empty() || !user->path.empty())
      OCITK_TRY(map_ids(tree, tables, user == nullptr ? std::string{} : user->path, p.ids));
  }
  if (p.ids.wanted || !is_running_out(tree)) ctx.mount_sources[index] = std::move(tree);
  return {};
}

}  // namespace detail

/// Clones the sources that init cannot: behind directories that its user namespace keeps it out of (init tries by path
/// first: only its own clones are locked against the container's root), and all whose ids are mapped.
///
/// Reads    /mounts, /linux/namespaces
/// Process  parent, before init is born
/// Calls    open_tree(2), mount_setattr(2); clone3(2) CLONE_NEWUSER for maps of an entry's own
inline auto lend_sources(init_context& ctx) -> result<> {
  const bool behind = ctx.spec.linux.has("user");
  ctx.mount_sources.resize(ctx.spec.mounts.size());
  for (std::size_t i = 0; i < ctx.spec.mounts.size(); ++i) {
    const auto& m = ctx.spec.mounts[i];
    const auto p = plan_for(m);
    if (!p || !p->bind || p->remount || (!behind && !p->ids.wanted)) continue;  // what is no plan, init tells
    auto lent = at(filled("/mounts/{}", i), [&] { return detail::lend(ctx, i, *p); });
    if (!lent && p->ids.wanted) return describe(filled("bind {} on {}", m.source, p->destination), std::move(lent));
  }
  return {};
}

/// Gives lent mounts the ids of the user namespace that init was born into, which has its maps by now. Init has the
/// same mounts: a descriptor is shared with who is cloned.
///
/// Process  parent
/// Calls    mount_setattr(2) MOUNT_ATTR_IDMAP
inline auto lend_ids(const init_context& ctx, int init_pid) -> result<> {
  for (std::size_t i = 0; i < ctx.mount_sources.size(); ++i) {
    const auto p = plan_for(ctx.spec.mounts[i]);
    if (!p || !p->ids.wanted || !ctx.mount_sources[i]) continue;
    const auto give = [&]() -> result<> {
      const auto tables = OCITK_TRY(tables_for(p->ids, ctx.spec.linux));
      if (!tables.uids.empty()) return {};  // has its own
      const auto born = filled("/proc/{}/ns/user", init_pid);
      return describe(filled("bind {} on {}", ctx.spec.mounts[i].source, p->destination),
                      detail::map_ids(ctx.mount_sources[i], tables, born, p->ids));
    };
    OCITK_TRY(at(filled("/mounts/{}", i), give));
  }
  return {};
}

/// The source of an entry for init: the parent's, where that is needed.
///
/// Process  init
inline auto source_of(init_context& ctx, std::size_t index, const plan& p) -> result<unique_fd> {
  const bool lent = index < ctx.mount_sources.size() && ctx.mount_sources[index];
  if (lent && p.ids.wanted) return std::move(ctx.mount_sources[index]);
  const auto path = host_path(ctx, ctx.spec.mounts[index].source);
  const auto inside = behind_root(ctx, path);
  if (!inside.empty() && !p.ids.wanted && !p.source_nofollow && !p.copy_symlink) return detail::clone_inside(ctx, inside, p);
  auto tree = detail::clone_source(path, p);
  if (!tree && tree.error().code == EACCES && lent) return std::move(ctx.mount_sources[index]);
  if (!tree || !p.ids.wanted) return tree;
  const auto tables = OCITK_TRY(tables_for(p.ids, ctx.spec.linux));
  OCITK_TRY(detail::map_ids(*tree, tables, "/proc/self/ns/user", p.ids));
  return tree;
}

}  // namespace ocitk::mounts

#endif
