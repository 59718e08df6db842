#include "commands.hpp"
#include "entries.hpp"

#include <ocitk/runtime/stats_table.hpp>
#include <ocitk/runtime/usage.hpp>
#include <ocitk/sys/io.hpp>

#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

// stats: what containers use, for people to look at.
namespace ocitk::tools {

namespace {

struct sample {
  cgroups::stats figures{};
  std::int64_t at = 0;  ///< nanoseconds
};

auto monotonic_nanoseconds() -> std::int64_t {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

auto memory_of_machine() -> std::uint64_t {
  struct sysinfo machine{};
  return ::sysinfo(&machine) == 0 ? std::uint64_t{machine.totalram} * machine.mem_unit : 0;
}

/// The rows of now; who was named has to be there and run, at the first look.
class observer {
 public:
  observer(const surroundings& about, const cli::stats_options& o, sys::cgroupfs::layout layout)
      : about_{about}, wanted_{o}, layout_{std::move(layout)} {}

  auto look() -> result<std::vector<runtime::usage_row>> {
    std::vector<runtime::usage_row> rows;
    for (const auto& id : OCITK_TRY(ids())) {
      auto row = row_of(id);
      if (!row && first_ && !wanted_.ids.empty()) return std::unexpected(std::move(row).error());
      if (row) rows.push_back(std::move(*row));
    }
    first_ = false;
    return rows;
  }

 private:
  auto ids() const -> result<std::vector<std::string>> {
    if (!wanted_.ids.empty()) return wanted_.ids;
    const auto store = runtime::store::open(about_.global.root, false);
    if (!store && store.error().code == ENOENT && !about_.global.root_given) return std::vector<std::string>{};
    if (!store) return std::unexpected(store.error());
    return store->ids();
  }
  auto row_of(const std::string& id) -> result<runtime::usage_row> {
    const auto c = OCITK_TRY(look_at(about_, id));
    if (!alive(c.now)) return failure("container with id " + id + " is not running");
    sample now{.figures = OCITK_TRY(runtime::usage_of(layout_, c.known.cgroup_paths)), .at = monotonic_nanoseconds()};
    const auto old = last_.contains(id) ? last_[id] : now;
    last_[id] = now;
    return runtime::usage_row{.id = id, .status = std::string{runtime::to_string(c.now.is)}, .before = old.figures, .now = now.figures,
                              .nanoseconds = now.at - old.at};
  }

  const surroundings& about_;
  const cli::stats_options& wanted_;
  sys::cgroupfs::layout layout_;
  std::map<std::string, sample> last_{};
  bool first_ = true;
};

}  // namespace

auto stats(const surroundings& about, const cli::stats_options& o) -> result<int> {
  observer watch{about, o, OCITK_TRY(sys::cgroupfs::detect())};
  const auto machine = memory_of_machine();
  OCITK_TRY(watch.look());
  constexpr long first_look = 200;  // milliseconds; a share of time needs two moments
  runtime::detail::pause_for(o.once ? first_look : std::min<std::int64_t>(o.interval, first_look));
  const std::string clear = ::isatty(1) != 0 && !o.once ? "\033[H\033[J" : "";
  for (;;) {
    const auto rows = OCITK_TRY(watch.look());
    OCITK_TRY(sys::write_all(fd_ref::of(1), clear + runtime::stats_table(rows, machine)));
    if (o.once || (rows.empty() && !o.ids.empty())) return 0;
    runtime::detail::pause_for(o.interval);
  }
}

}  // namespace ocitk::tools
