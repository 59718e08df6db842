#ifndef OCITK_STAGES_MEMPOLICY_HPP
#define OCITK_STAGES_MEMPOLICY_HPP

#include <ocitk/context.hpp>
#include <ocitk/spec/number_list.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/text.hpp>

#include <linux/mempolicy.h>

#include <array>
#include <string_view>
#include <utility>

namespace ocitk::stages {

namespace mempolicy {

inline constexpr int weighted_interleave = 6;  ///< since Linux 6.9; headers may be older

inline constexpr std::array<std::pair<std::string_view, int>, 7> modes{{
    {"MPOL_DEFAULT", MPOL_DEFAULT},
    {"MPOL_BIND", MPOL_BIND},
    {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    {"MPOL_WEIGHTED_INTERLEAVE", weighted_interleave},
    {"MPOL_PREFERRED", MPOL_PREFERRED},
    {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
    {"MPOL_LOCAL", MPOL_LOCAL},
}};

inline constexpr std::array<std::pair<std::string_view, int>, 3> flags{{
    {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
    {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
}};

/// As set_mempolicy(2) takes it.
struct policy {
  int mode = MPOL_DEFAULT;  ///< with its flags
  spec::bit_mask nodes{};
  bool operator==(const policy&) const = default;
};

namespace detail {

template <class Table>
auto look_up(const Table& table, std::string_view wanted) -> const typename Table::value_type* {
  for (const auto& row : table)
    if (row.first == wanted) return &row;
  return nullptr;
}

/// How many nodes a mode wants.
inline auto check_count(int mode, std::size_t nodes) -> result<> {
  if ((mode == MPOL_DEFAULT || mode == MPOL_LOCAL) && nodes != 0)
    return failure(filled("memory policy mode requires 0 nodes but got {}", nodes), "/linux/memoryPolicy/nodes");
  const bool any = mode == MPOL_DEFAULT || mode == MPOL_LOCAL || mode == MPOL_PREFERRED;
  if (!any && nodes == 0) return failure("memory policy mode requires at least one node but got 0", "/linux/memoryPolicy/nodes");
  return {};
}

}  // namespace detail

/// Fails    a mode, a flag or a list of nodes that is none; nodes for a mode that takes none, or none where it wants some
inline auto plan(const spec::memory_policy& wanted) -> result<policy> {
  const auto* mode = detail::look_up(modes, wanted.mode);
  if (mode == nullptr) return failure(filled("invalid memory policy mode \"{}\"", wanted.mode), "/linux/memoryPolicy/mode");
  auto nodes = spec::number_list(wanted.nodes);
  if (!nodes)
    return failure(filled("invalid memory policy nodes \"{}\": {}", wanted.nodes, nodes.error().detail), "/linux/memoryPolicy/nodes");
  policy p{.mode = mode->second, .nodes = std::move(*nodes)};
  for (std::size_t i = 0; i < wanted.flags.size(); ++i) {
    const auto* flag = detail::look_up(flags, wanted.flags[i]);
    if (flag == nullptr)
      return failure(filled("invalid memory policy flag \"{}\"", wanted.flags[i]), filled("/linux/memoryPolicy/flags/{}", i));
    p.mode |= flag->second;
  }
  OCITK_TRY(detail::check_count(mode->second, spec::count(p.nodes)));
  return p;
}

/// Sets the policy of the calling thread; its children and the program it becomes keep it.
inline auto apply(const policy& wanted) -> result<> {
  const auto* nodes = wanted.nodes.empty() ? nullptr : wanted.nodes.data();
  return checked(sys::kernel::set_mempolicy(wanted.mode, nodes, wanted.nodes.size() * spec::bits_of_word), "set_mempolicy");
}

}  // namespace mempolicy

/// Says on which memory nodes the payload's pages go.
///
/// Reads    /linux/memoryPolicy (nodes: "0-3,7")
/// Process  init, in its cpuset, which has to have the nodes
/// Calls    set_mempolicy(2)
/// Fails    EINVAL: none of the nodes is there, or a flag does not fit the mode; ENOSYS without NUMA
struct set_memory_policy : stage_in<init_context> {
  static constexpr std::string_view name = "mempolicy";
  static constexpr std::string_view reads = "/linux/memoryPolicy";
  static constexpr std::string_view summary = "says on which memory nodes pages go";
  static constexpr std::array<std::string_view, 1> after{"cgroup"};
  auto operator()(init_context& ctx) const -> result<> {
    const auto& wanted = ctx.spec.linux.memory_policy;
    if (!wanted) return {};
    const auto policy = OCITK_TRY(mempolicy::plan(*wanted));
    return at("/linux/memoryPolicy", [&] { return mempolicy::apply(policy); });
  }
};

}  // namespace ocitk::stages

#endif
