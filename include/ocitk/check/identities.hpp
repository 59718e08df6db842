#ifndef OCITK_CHECK_IDENTITIES_HPP
#define OCITK_CHECK_IDENTITIES_HPP

#include <ocitk/check/finding.hpp>
#include <ocitk/spec/config.hpp>

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <vector>

/// Users and groups of a new user namespace, as far as the document shows them.
namespace ocitk::check {

namespace detail {

using id_maps = std::vector<spec::id_mapping>;

inline auto is_mapped(const id_maps& maps, std::uint32_t id) -> bool {
  for (const auto& m : maps)
    if (id >= m.container_id && id - m.container_id < m.size) return true;
  return false;
}

inline auto meet(std::uint32_t a, std::uint32_t a_size, std::uint32_t b, std::uint32_t b_size) -> bool {
  return a < std::uint64_t{b} + b_size && b < std::uint64_t{a} + a_size;
}

/// The rules of user_namespaces(7) for one map.
inline void judge_maps(findings& all, const id_maps& maps, const std::string& pointer) {
  constexpr std::size_t most = 340;  // of the kernel
  if (maps.size() > most)
    all.push_back({.pointer = pointer, .message = fmt::format("{} mappings, the kernel takes {}", maps.size(), most)});
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const auto& m = maps[i];
    const auto add = [&](std::string text) {
      all.push_back({.pointer = fmt::format("{}/{}", pointer, i), .message = std::move(text)});
    };
    if (m.size == 0) add("a mapping of no ids");
    if (std::uint64_t{m.container_id} + m.size > UINT32_MAX || std::uint64_t{m.host_id} + m.size > UINT32_MAX)
      add("the mapping goes beyond the last id");
    for (std::size_t earlier = 0; earlier < i; ++earlier) {
      const auto& e = maps[earlier];
      if (!meet(m.container_id, m.size, e.container_id, e.size) && !meet(m.host_id, m.size, e.host_id, e.size)) continue;
      add(fmt::format("overlaps with the mapping {}", earlier));
      break;
    }
  }
}

inline void judge_user(findings& all, const spec::user& u, const spec::linux_& l) {
  const auto add = [&](std::string pointer, std::string_view kind, std::uint32_t id) {
    all.push_back({.pointer = "/process/user/" + std::move(pointer),
                   .message = fmt::format("{} {} is not mapped in the user namespace", kind, id)});
  };
  if (!is_mapped(l.uid_mappings, u.uid)) add("uid", "uid", u.uid);
  if (!is_mapped(l.gid_mappings, u.gid)) add("gid", "gid", u.gid);
  for (std::size_t i = 0; i < u.additional_gids.size(); ++i)
    if (!is_mapped(l.gid_mappings, u.additional_gids[i]))
      add(fmt::format("additionalGids/{}", i), "gid", u.additional_gids[i]);
}

}  // namespace detail

/// Reads  /linux/uidMappings, /linux/gidMappings, /process/user where a user namespace is made
inline auto identities(const spec::config& c) -> findings {
  findings all;
  const auto& l = c.linux;
  if (!l.creates("user") || l.uid_mappings.empty() || l.gid_mappings.empty()) return all;
  detail::judge_maps(all, l.uid_mappings, "/linux/uidMappings");
  detail::judge_maps(all, l.gid_mappings, "/linux/gidMappings");
  if (all.empty() && c.process) detail::judge_user(all, c.process->user, l);
  return all;
}

}  // namespace ocitk::check

#endif
