#include "tools.hpp"

#include <ocitk/stages/scheduler.hpp>

#include <fmt/core.h>

// ocitk-scheduler: how the program is scheduled.
namespace ocitk::tools::stages {

namespace {

class scheduler_tool : public cli::stage_tool<ocitk::stages::set_scheduler> {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("policy", &policy_, "OTHER, BATCH, IDLE, FIFO, RR or DEADLINE");
    o.add("nice", &nice_, "-20 to 19, of OTHER and BATCH");
    o.add("priority", &priority_, "1 to 99, of FIFO and RR");
    o.add("runtime", &runtime_, "nanoseconds, of DEADLINE");
    o.add("deadline", &deadline_, "nanoseconds, of DEADLINE");
    o.add("period", &period_, "nanoseconds, of DEADLINE");
    o.add("reset-on-fork", &reset_on_fork_, "children are scheduled as usual");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (policy_.empty()) return here.has_spec ? result<>{} : failure("--policy is needed");
    spec::scheduler wanted{.policy = policy_.starts_with("SCHED_") ? policy_ : "SCHED_" + policy_};
    if (nice_) wanted.nice = OCITK_TRY(small(*nice_, "nice"));
    if (priority_) wanted.priority = OCITK_TRY(small(*priority_, "priority"));
    if (runtime_) wanted.runtime = OCITK_TRY(time(*runtime_, "runtime"));
    if (deadline_) wanted.deadline = OCITK_TRY(time(*deadline_, "deadline"));
    if (period_) wanted.period = OCITK_TRY(time(*period_, "period"));
    if (reset_on_fork_) wanted.flags.emplace_back("SCHED_FLAG_RESET_ON_FORK");
    cli::process_of(here).scheduler = std::move(wanted);
    return {};
  }

 private:
  static auto small(std::int64_t value, std::string_view what) -> result<std::int32_t> {
    constexpr std::int64_t beyond_any = 1000;
    if (value < -beyond_any || value > beyond_any) return failure(fmt::format("--{} {} is out of range", what, value));
    return static_cast<std::int32_t>(value);
  }
  static auto time(std::int64_t value, std::string_view what) -> result<std::uint64_t> {
    if (value < 0) return failure(fmt::format("--{} {} is negative", what, value));
    return static_cast<std::uint64_t>(value);
  }
  std::string policy_;
  std::optional<std::int64_t> nice_, priority_, runtime_, deadline_, period_;
  bool reset_on_fork_ = false;
};

}  // namespace

auto make_scheduler() -> made_tool { return std::make_unique<scheduler_tool>(); }

}  // namespace ocitk::tools::stages
