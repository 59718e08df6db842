#ifndef OCITK_STAGES_RLIMITS_HPP
#define OCITK_STAGES_RLIMITS_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/text.hpp>

#include <sys/resource.h>

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace ocitk::stages {

namespace rlimits {

/// One limit as the kernel takes it.
struct limit {
  int resource = 0;        ///< RLIMIT_*
  rlim_t soft = 0, hard = 0;
  std::size_t index = 0;   ///< its place in /process/rlimits
  auto operator==(const limit&) const -> bool = default;
};

inline constexpr std::array<std::pair<std::string_view, int>, 16> resources{{
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
}};

inline auto resource_of(std::string_view type) -> std::optional<int> {
  for (const auto& [word, number] : resources)
    if (word == type) return number;
  return std::nullopt;
}

inline auto name_of(int resource) -> std::string_view {
  for (const auto& [word, number] : resources)
    if (number == resource) return word;
  return "RLIMIT_?";
}

/// Numbers for names, in the order of the spec.
///
/// Fails    unknown type; a type given twice (runc lets the last one win, the specification forbids it)
inline auto plan(std::span<const spec::rlimit> wanted) -> result<std::vector<limit>> {
  std::vector<limit> limits;
  for (const auto& entry : wanted) {
    const auto pointer = filled("/process/rlimits/{}", limits.size());
    const auto resource = resource_of(entry.type);
    if (!resource) return failure(filled("wrong rlimit value: {}", entry.type), pointer);
    for (const auto& earlier : limits)
      if (earlier.resource == *resource) return failure(filled("duplicate rlimit: {}", entry.type), pointer);
    limits.push_back({*resource, entry.soft, entry.hard, limits.size()});
  }
  return limits;
}

/// Sets limits of a process; 0 is the calling one.
inline auto apply(std::span<const limit> limits, pid_t pid = 0) -> result<> {
  for (const auto& l : limits) {
    const ::rlimit64 pair{.rlim_cur = l.soft, .rlim_max = l.hard};
    OCITK_TRY(at(filled("/process/rlimits/{}", l.index), [&] {
      return checked(sys::kernel::prlimit64(pid, l.resource, name_of(l.resource), pair), "prlimit");
    }));
  }
  return {};
}

}  // namespace rlimits

/// Limits what the payload may use up. While still privileged: a hard limit may have to go up.
///
/// Reads    /process/rlimits (units of setrlimit(2))
/// Process  init; the parent may call `rlimits::apply(plan, pid)` instead
/// Calls    prlimit(2)
/// Fails    EPERM raising a hard limit without CAP_SYS_RESOURCE in the initial user namespace; EINVAL: soft > hard
struct set_rlimits : stage_in<init_context> {
  static constexpr std::string_view name = "rlimits";
  static constexpr std::string_view reads = "/process/rlimits";
  static constexpr std::string_view summary = "sets resource limits";
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process) return {};
    return rlimits::apply(OCITK_TRY(rlimits::plan(ctx.spec.process->rlimits)));
  }
};

}  // namespace ocitk::stages

#endif
