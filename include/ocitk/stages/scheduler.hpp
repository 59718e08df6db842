#ifndef OCITK_STAGES_SCHEDULER_HPP
#define OCITK_STAGES_SCHEDULER_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/text.hpp>

#include <linux/sched.h>

#include <array>
#include <string_view>
#include <utility>

namespace ocitk::stages {

namespace scheduler {

using attributes = sys::kernel::sched_attributes;

inline constexpr std::array<std::pair<std::string_view, std::uint32_t>, 7> policies{{
    {"SCHED_OTHER", SCHED_NORMAL},
    {"SCHED_FIFO", SCHED_FIFO},
    {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH},
    {"SCHED_ISO", 4},  // reserved: kernels refuse it
    {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_DEADLINE", SCHED_DEADLINE},
}};

inline constexpr std::array<std::pair<std::string_view, std::uint64_t>, 7> flags{{
    {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
    {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
    {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
}};

namespace detail {

inline auto policy_of(const spec::scheduler& wanted) -> result<std::uint32_t> {
  if (wanted.policy.empty()) return failure("scheduler policy is required", "/process/scheduler/policy");
  for (const auto& [word, number] : policies)
    if (word == wanted.policy) return number;
  return failure(filled("invalid scheduler policy: {}", wanted.policy), "/process/scheduler/policy");
}

inline auto flag_of(std::string_view wanted) -> std::uint64_t {
  for (const auto& [word, bit] : flags)
    if (word == wanted) return bit;
  return 0;
}

inline auto flags_of(const spec::scheduler& wanted) -> result<std::uint64_t> {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < wanted.flags.size(); ++i) {
    const auto bit = flag_of(wanted.flags[i]);
    if (bit == 0)
      return failure(filled("invalid scheduler flag: {}", wanted.flags[i]), filled("/process/scheduler/flags/{}", i));
    all |= bit;
  }
  return all;
}

}  // namespace detail

/// Numbers for names. A nice value means nothing to the other policies, and is left out there as the kernel would.
///
/// Fails    a policy or flag that is none; nice beyond -20 to 19; a priority, or times, of a policy that has none
inline auto plan(const spec::scheduler& wanted) -> result<attributes> {
  constexpr int least_nice = -20, most_nice = 19, most_priority = 99;
  const auto policy = OCITK_TRY(detail::policy_of(wanted));
  const bool fair = policy == SCHED_NORMAL || policy == SCHED_BATCH;
  const bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;
  if (fair && (wanted.nice < least_nice || wanted.nice > most_nice))
    return failure(filled("invalid scheduler.nice: {} when scheduler.policy is {}", wanted.nice, wanted.policy),
                   "/process/scheduler/nice");
  if (!real_time && wanted.priority != 0)
    return failure("scheduler.priority can only be specified for SchedFIFO or SchedRR policy", "/process/scheduler/priority");
  if (real_time && (wanted.priority < 1 || wanted.priority > most_priority))
    return failure(filled("invalid scheduler.priority: {} when scheduler.policy is {}", wanted.priority, wanted.policy),
                   "/process/scheduler/priority");
  if (policy != SCHED_DEADLINE && (wanted.runtime != 0 || wanted.deadline != 0 || wanted.period != 0))
    return failure("scheduler runtime/deadline/period can only be specified for SchedDeadline policy",
                   wanted.runtime != 0    ? "/process/scheduler/runtime"
                   : wanted.deadline != 0 ? "/process/scheduler/deadline"
                                          : "/process/scheduler/period");
  return attributes{.policy = policy,
                    .flags = OCITK_TRY(detail::flags_of(wanted)),
                    .nice = fair ? wanted.nice : 0,
                    .priority = static_cast<std::uint32_t>(wanted.priority),
                    .runtime = wanted.runtime,
                    .deadline = wanted.deadline,
                    .period = wanted.period};
}

/// Schedules the calling thread so. `within_cpus`: its cgroup has some cpus only, which real deadlines do not allow.
inline auto apply(const attributes& wanted, bool within_cpus) -> result<> {
  auto done = checked(sys::kernel::sched_setattr(wanted), "sched_setattr");
  if (!done && done.error().code == EPERM && within_cpus)
    done.error().detail = "process scheduler can't be used together with AllowedCPUs";
  return done;
}

}  // namespace scheduler

/// Says how the payload is scheduled. As late as can be: a deadline counts for what init still has to do, too.
///
/// Reads    /process/scheduler (times in nanoseconds), /linux/resources/cpu/cpus
/// Process  init, while privileged
/// Calls    sched_setattr(2)
/// Fails    EPERM without CAP_SYS_NICE of the host for more than usual; EINVAL for times that do not fit each other;
///          EBUSY: no room for another deadline
struct set_scheduler : stage_in<init_context> {
  static constexpr std::string_view name = "scheduler";
  static constexpr std::string_view reads = "/process/scheduler";
  static constexpr std::string_view summary = "sets the scheduling policy";
  static constexpr std::array<std::string_view, 1> after{"cgroup"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process || !ctx.spec.process->scheduler) return {};
    const auto wanted = OCITK_TRY(scheduler::plan(*ctx.spec.process->scheduler));
    const auto& cpu = ctx.spec.linux.resources.cpu;
    return at("/process/scheduler", [&] { return scheduler::apply(wanted, cpu && !cpu->cpus.empty()); });
  }
};

}  // namespace ocitk::stages

#endif
