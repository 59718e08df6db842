#ifndef OCITK_STAGES_IOPRIO_HPP
#define OCITK_STAGES_IOPRIO_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/text.hpp>

#include <linux/ioprio.h>

#include <array>
#include <string_view>
#include <utility>

namespace ocitk::stages {

namespace ioprio {

inline constexpr std::array<std::pair<std::string_view, int>, 3> classes{
    {{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT}, {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE}, {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE}}};

/// Class and level in one number, as ioprio_set(2) takes them.
///
/// Fails    a class that is none; a level beyond 0 to 7
inline auto plan(const spec::io_priority& wanted) -> result<int> {
  if (wanted.priority < 0 || wanted.priority >= IOPRIO_NR_LEVELS)
    return failure(filled("invalid ioPriority.Priority: {}", wanted.priority), "/process/ioPriority/priority");
  for (const auto& [word, number] : classes)
    if (word == wanted.class_) return static_cast<int>(IOPRIO_PRIO_VALUE(number, static_cast<unsigned>(wanted.priority)));
  return failure(filled("invalid ioPriority.Class: \"{}\"", wanted.class_), "/process/ioPriority/class");
}

/// Sets it for the process group of the calling process.
inline auto apply(int value) -> result<> {
  return checked(sys::kernel::ioprio_set("IOPRIO_WHO_PGRP", IOPRIO_WHO_PGRP, 0, value), "ioprio_set");
}

}  // namespace ioprio

/// Sets the priority of the payload's disk accesses, where the disk's scheduler knows priorities.
///
/// Reads    /process/ioPriority
/// Process  init, leading a process group of its own
/// Calls    ioprio_set(2) IOPRIO_WHO_PGRP
/// Fails    EPERM for IOPRIO_CLASS_RT without CAP_SYS_NICE or CAP_SYS_ADMIN of the host
struct set_io_priority : stage_in<init_context> {
  static constexpr std::string_view name = "ioprio";
  static constexpr std::string_view reads = "/process/ioPriority";
  static constexpr std::string_view summary = "sets the priority of disk accesses";
  static constexpr std::array<std::string_view, 1> after{"console"};  // where the session begins
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process || !ctx.spec.process->io_priority) return {};
    const auto value = OCITK_TRY(ioprio::plan(*ctx.spec.process->io_priority));
    return at("/process/ioPriority", [&] { return ioprio::apply(value); });
  }
};

}  // namespace ocitk::stages

#endif
