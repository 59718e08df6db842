#ifndef OCITK_MOUNTS_CGROUP_HPP
#define OCITK_MOUNTS_CGROUP_HPP

#include <ocitk/context.hpp>
#include <ocitk/mounts/make.hpp>
#include <ocitk/mounts/target.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>

#include <linux/magic.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The mounts behind one entry of type cgroup.
namespace ocitk::mounts {

/// One hierarchy of cgroup v1 below the tmpfs.
struct hierarchy_mount {
  std::string name{};                 ///< of its directory: "cpu,cpuacct"
  std::string own{};                  ///< the container's cgroup on the host, to bind without a cgroup namespace
  std::vector<std::string> data{};    ///< to mount it anew inside one: {"cpu", "cpuacct"} or {"name=systemd"}
  std::string source{};               ///< what the mount calls itself
  std::vector<std::string> aliases{};  ///< links to its directory
  bool operator==(const hierarchy_mount&) const = default;
};

/// A hybrid host shows its containers the v1 hierarchies only, as runc has it.
inline auto plan_hierarchies(const std::vector<own_cgroup>& cgroups, const std::string& source)
    -> std::vector<hierarchy_mount> {
  std::vector<hierarchy_mount> all;
  for (const auto& c : cgroups) {
    if (c.controllers.empty()) continue;
    hierarchy_mount h{.name = sys::split(c.mountpoint).name, .own = c.mountpoint + "/" + c.below,
                      .data = c.controllers, .source = source};
    constexpr std::string_view named = "name=";
    if (c.controllers.front().starts_with(named)) h.source = c.controllers.front().substr(named.size());
    if (h.name.find(',') != std::string::npos) h.aliases = c.controllers;
    bool is_new = true;
    for (const auto& other : all) is_new = is_new && other.name != h.name;
    if (is_new) all.push_back(std::move(h));
  }
  return all;
}

inline auto unified(const std::vector<own_cgroup>& cgroups) -> const own_cgroup* {
  for (const auto& c : cgroups)
    if (c.controllers.empty()) return &c;
  return nullptr;
}

/// The host's cgroup file systems, as far as a mount inside cares.
inline auto host_is_unified(const std::vector<own_cgroup>& cgroups) -> bool {
  if (!cgroups.empty()) {
    for (const auto& c : cgroups)
      if (!c.controllers.empty()) return false;
    return true;
  }
  struct statfs fs{};
  return ::statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

namespace detail {

/// What lies below the tmpfs is cut down as the entry says, and as a tmpfs of ours is in any case.
inline auto inner_plan(const plan& asked) -> plan {
  plan p = asked;
  p.bind = true;
  p.data.clear();
  p.read_only_later = false;
  p.self.set |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | (p.read_only ? MOUNT_ATTR_RDONLY : 0U);
  p.self.clear &= MOUNT_ATTR__ATIME;
  if (p.below.propagation == 0 && p.self.propagation == 0) p.self.propagation = MS_PRIVATE;
  return p;
}

inline auto make_hierarchy(const hierarchy_mount& h, plan p, bool in_namespace) -> result<unique_fd> {
  if (!in_namespace) return make_bind(h.own, p);
  p.data = h.data;
  p.read_only = false;  // of the mount only: the superblock is the host's
  return make_filesystem("cgroup", h.source, p);
}

}  // namespace detail

/// A tmpfs with one directory per v1 hierarchy.
///
/// Process  init
/// Calls    fsopen(2) and its family, open_tree(2), mkdirat(2), symlinkat(2), move_mount(2), mount_setattr(2)
inline auto mount_v1(const init_context& ctx, const spec::mount& m, const plan& asked, const target& t) -> result<> {
  const auto inner = detail::inner_plan(asked);
  plan outer = inner;
  outer.data = {"mode=755"};
  outer.read_only = false;
  outer.self.set &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
  const auto tmpfs = OCITK_TRY(make_filesystem("tmpfs", "tmpfs", outer, ctx.spec.linux.mount_label));
  OCITK_TRY(cover(ctx.rootfs, asked.destination, t, tmpfs));
  for (const auto& h : plan_hierarchies(ctx.cgroups, m.source)) {
    OCITK_TRY(trying(h.name, checked(sys::kernel::mkdirat(tmpfs.get(), h.name.c_str(), 0755), "mkdir")));
    const auto made = OCITK_TRY(detail::make_hierarchy(h, inner, ctx.spec.linux.has("cgroup")));
    OCITK_TRY(sys::move_onto(made, tmpfs, h.name));
    for (const auto& alias : h.aliases)
      OCITK_TRY(trying(alias, checked(sys::kernel::symlinkat(h.name.c_str(), tmpfs.get(), alias.c_str()), "symlink")));
  }
  if (!asked.read_only) return {};
  return sys::set_attributes(tmpfs, {.set = MOUNT_ATTR_RDONLY}, false);
}

/// The unified hierarchy, detached. Without a cgroup namespace of its own a container gets the host's mount, bound: a new
/// mount of it from the first cgroup namespace would set the options of all of them anew, and drop the host's nsdelegate
/// and memory_recursiveprot. A user namespace may not mount it for every cgroup namespace: then its own part is bound.
///
/// Fails  EPERM, EBUSY only where the bind fails too
inline auto make_v2(const init_context& ctx, const spec::mount& m, const plan& asked) -> result<unique_fd> {
  const auto* v2 = unified(ctx.cgroups);
  const auto host = v2 == nullptr ? std::string{"/sys/fs/cgroup"} : v2->mountpoint;
  if (!ctx.spec.linux.has("cgroup")) return make_bind(host, detail::inner_plan(asked));
  plan p = asked;
  p.read_only = false;  // of the mount only: the superblock is the host's
  auto made = make_filesystem("cgroup2", m.source, p);
  if (made || (made.error().code != EPERM && made.error().code != EBUSY)) return made;
  return make_bind(v2 == nullptr ? host : host + "/" + v2->below, detail::inner_plan(asked));
}

}  // namespace ocitk::mounts

#endif
