#ifndef OCITK_CGROUPS_LIMITS_HPP
#define OCITK_CGROUPS_LIMITS_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/text.hpp>
#include <ocitk/cgroups/device_rules.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// From /linux/resources to the files to write: nothing here asks the kernel anything.
namespace ocitk::cgroups {

/// One cgroup directory of a container.
struct place {
  std::vector<std::string> controllers{};  ///< of its hierarchy; empty for cgroup2
  std::string mountpoint{};
  std::string below{};  ///< below the mountpoint, no slash in front
  bool is_v2 = false;
  bool limits = true;  ///< false for the unified tree beside v1: processes only

  [[nodiscard]] auto path() const -> std::string { return mountpoint + "/" + below; }
  auto operator==(const place&) const -> bool = default;
};

/// One file to write.
struct write {
  std::size_t dir = 0;  ///< index into the places
  std::string file{}, value{}, pointer{};
  bool if_present = false;    ///< older kernels lack the file: nothing to tell
  bool again_at_end = false;  ///< EINVAL may only mean that a later write has to come first
  bool read_back = false;     ///< the kernel clamps instead of refusing
  bool or_next = false;       ///< a kernel without the file has the next write's, and the other way round
  auto operator==(const write&) const -> bool = default;
};

/// What of the resources is wanted now.
struct scope {
  bool devices = true;  ///< `update` leaves the devices as they are
};

/// cpu.shares (2 to 262144, 1024 usual) as cpu.weight (1 to 10000, 100 usual).
inline auto weight_of_shares(std::uint64_t shares) -> std::uint64_t {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const double l = __builtin_log2(static_cast<double>(shares));  // <cmath> takes the compiler as long as <vector>
  return static_cast<std::uint64_t>(__builtin_ceil(__builtin_pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0)));
}

namespace detail {

/// Gathers writes and remembers the first thing that could not be planned.
class planner {
 public:
  planner(const std::vector<place>& places, const spec::resources& wanted) : places_{places}, wanted_{wanted} {}

  auto memory() -> void {
    if (!wanted_.memory) return;
    const auto& m = *wanted_.memory;
    if (m.swappiness && *m.swappiness > 100)
      fail(filled("invalid memory swappiness value: {} (valid range is 0-100)", *m.swappiness),
           "/linux/resources/memory/swappiness");
    on_v2("memory") ? memory_v2(m) : memory_v1(m);
  }
  auto cpu() -> void {
    if (!wanted_.cpu) return;
    const auto& c = *wanted_.cpu;
    on_v2("cpu") ? cpu_v2(c) : cpu_v1(c);
    if (!c.cpus.empty()) put("cpuset", "cpuset.cpus", c.cpus, "/linux/resources/cpu/cpus");
    if (!c.mems.empty()) put("cpuset", "cpuset.mems", c.mems, "/linux/resources/cpu/mems");
  }
  auto pids() -> void {
    if (!wanted_.pids_limit) return;
    const auto limit = *wanted_.pids_limit;
    put("pids", "pids.max", limit < 0 ? "max" : std::to_string(std::max<std::int64_t>(limit, 1)),
        "/linux/resources/pids/limit");
  }
  auto devices() -> void;
  auto block_io() -> void;
  auto hugetlb() -> void;
  auto network() -> void;
  auto rdma() -> void;
  auto unified() -> void;

  auto done() -> result<std::vector<write>> {
    if (problem_) return std::unexpected(*problem_);
    return std::move(writes_);
  }

 private:
  [[nodiscard]] auto find(std::string_view controller) const -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < places_.size(); ++i)
      if (places_[i].limits && (places_[i].is_v2 || std::find(places_[i].controllers.begin(), places_[i].controllers.end(), controller) !=
                                                        places_[i].controllers.end()))
        return i;
    return {};
  }
  [[nodiscard]] auto on_v2(std::string_view controller) const -> bool {
    const auto dir = find(controller);
    return dir && places_[*dir].is_v2;
  }
  auto fail(std::string detail, std::string pointer) -> void {
    if (!problem_) problem_ = error{.detail = std::move(detail), .pointer = std::move(pointer)};
  }
  auto only_v1(std::string_view file, std::string pointer) -> void {
    fail(filled("invalid configuration: cgroup v2 has no {}", file), std::move(pointer));
  }
  /// The write, for its flags; a dummy after a missing controller was noted.
  auto put(std::string_view controller, std::string file, std::string value, std::string pointer) -> write& {
    const auto dir = find(controller);
    if (!dir) {
      fail(filled("controller \"{}\" not available", controller), std::move(pointer));
      return lost_;
    }
    return writes_.emplace_back(write{*dir, std::move(file), std::move(value), std::move(pointer)});
  }

  auto memory_v1(const spec::memory& m) -> void;
  auto memory_v2(const spec::memory& m) -> void;
  auto swap_v2(const spec::memory& m) -> void;
  /// An idle group has no shares, the kernel refuses them: to become a usual one comes before them.
  auto put_idle(const spec::cpu& c, std::optional<std::int64_t> value) -> void {
    if (c.idle && c.idle == value) put("cpu", "cpu.idle", std::to_string(*c.idle), "/linux/resources/cpu/idle");
  }
  auto cpu_v1(const spec::cpu& c) -> void;
  auto cpu_v2(const spec::cpu& c) -> void;
  auto throttle(const std::vector<spec::throttle_device>& list, std::string_view v1, std::string_view v2,
                std::string_view key) -> void;

  const std::vector<place>& places_;
  const spec::resources& wanted_;
  std::vector<write> writes_{};
  std::optional<error> problem_{};
  write lost_{};
};

inline auto v2_number(std::int64_t n) -> std::string { return n < 0 ? "max" : std::to_string(n); }

/// The kernel keeps limit <= memsw after every write and answers EINVAL otherwise. Lowering wants the limit first,
/// raising wants memsw first: the limit is tried first and, if it has to, once more at the end.
inline auto planner::memory_v1(const spec::memory& m) -> void {
  const auto limit = m.limit.value_or(0);
  const auto swap = limit == -1 && m.swap.value_or(0) == 0 ? -1 : m.swap.value_or(0);
  const auto put_swap = [&] {  // without swap accounting nothing limits it: -1 is so already
    put("memory", "memory.memsw.limit_in_bytes", std::to_string(swap), "/linux/resources/memory/swap").if_present =
        swap == -1;
  };
  if (swap == -1) put_swap();
  if (limit != 0)
    put("memory", "memory.limit_in_bytes", std::to_string(limit), "/linux/resources/memory/limit").again_at_end =
        swap > 0;
  if (swap > 0) put_swap();
  if (m.reservation.value_or(0) != 0)
    put("memory", "memory.soft_limit_in_bytes", std::to_string(*m.reservation), "/linux/resources/memory/reservation");
  if (m.disable_oom_killer && (*m.disable_oom_killer || find("memory")))
    put("memory", "memory.oom_control", *m.disable_oom_killer ? "1" : "0", "/linux/resources/memory/disableOOMKiller");
  if (m.use_hierarchy.value_or(false))
    put("memory", "memory.use_hierarchy", "1", "/linux/resources/memory/useHierarchy").if_present = true;  // newer kernels know no other way
  if (m.swappiness)
    put("memory", "memory.swappiness", std::to_string(*m.swappiness), "/linux/resources/memory/swappiness");
}

/// v2 counts swap alone, the spec memory and swap together.
inline auto planner::swap_v2(const spec::memory& m) -> void {
  const auto limit = m.limit.value_or(0), both = m.swap.value_or(0);
  constexpr auto pointer = "/linux/resources/memory/swap";
  std::optional<std::int64_t> swap;
  if (both == -1 || (both == 0 && limit == -1))
    swap = -1;
  else if (both != 0 && limit == -1)
    swap = both;
  else if (both != 0 && limit == 0)
    fail("unable to set swap limit without memory limit", pointer);
  else if (both != 0 && both < limit)
    fail("memory+swap limit should be >= memory limit", pointer);
  else if (both != 0)
    swap = both - limit;
  if (swap) put("memory", "memory.swap.max", v2_number(*swap), pointer).if_present = *swap <= 0;
}

inline auto planner::memory_v2(const spec::memory& m) -> void {
  if (m.swappiness) only_v1("memory.swappiness", "/linux/resources/memory/swappiness");
  if (m.disable_oom_killer.value_or(false)) only_v1("memory.oom_control", "/linux/resources/memory/disableOOMKiller");
  swap_v2(m);
  if (m.limit.value_or(0) != 0) put("memory", "memory.max", v2_number(*m.limit), "/linux/resources/memory/limit");
  if (m.reservation.value_or(0) != 0)
    put("memory", "memory.low", v2_number(*m.reservation), "/linux/resources/memory/reservation");
}

/// Period before quota, burst before quota: each may be refused until the quota has changed.
inline auto planner::cpu_v1(const spec::cpu& c) -> void {
  const bool quota = c.quota.value_or(0) != 0;
  put_idle(c, 0);
  if (c.shares.value_or(0) != 0 && c.idle != 1)
    put("cpu", "cpu.shares", std::to_string(*c.shares), "/linux/resources/cpu/shares").read_back = true;
  if (c.realtime_period.value_or(0) != 0)
    put("cpu", "cpu.rt_period_us", std::to_string(*c.realtime_period), "/linux/resources/cpu/realtimePeriod")
        .again_at_end = c.realtime_runtime.value_or(0) != 0;
  if (c.realtime_runtime.value_or(0) != 0)
    put("cpu", "cpu.rt_runtime_us", std::to_string(*c.realtime_runtime), "/linux/resources/cpu/realtimeRuntime");
  if (c.period.value_or(0) != 0)
    put("cpu", "cpu.cfs_period_us", std::to_string(*c.period), "/linux/resources/cpu/period").again_at_end = quota;
  if (c.burst) {
    auto& w = put("cpu", "cpu.cfs_burst_us", std::to_string(*c.burst), "/linux/resources/cpu/burst");
    w.if_present = true;
    w.again_at_end = quota;
  }
  if (quota) put("cpu", "cpu.cfs_quota_us", std::to_string(*c.quota), "/linux/resources/cpu/quota");
  if (c.idle != 0) put_idle(c, c.idle);
}

inline auto planner::cpu_v2(const spec::cpu& c) -> void {
  const auto quota = c.quota.value_or(0);
  const auto period = c.period.value_or(0);
  if (c.realtime_period.value_or(0) != 0) only_v1("cpu.rt_period_us", "/linux/resources/cpu/realtimePeriod");
  if (c.realtime_runtime.value_or(0) != 0) only_v1("cpu.rt_runtime_us", "/linux/resources/cpu/realtimeRuntime");
  put_idle(c, c.idle);
  if (c.shares.value_or(0) != 0 && c.idle != 1)
    put("cpu", "cpu.weight", std::to_string(weight_of_shares(*c.shares)), "/linux/resources/cpu/shares");
  if (c.burst) {
    auto& w = put("cpu", "cpu.max.burst", std::to_string(*c.burst), "/linux/resources/cpu/burst");
    w.if_present = true;
    w.again_at_end = quota != 0;
  }
  if (quota != 0 || period != 0)
    put("cpu", "cpu.max",
        filled("{} {}", quota > 0 ? std::to_string(quota) : "max", period != 0 ? period : 100000),
        quota != 0 ? "/linux/resources/cpu/quota" : "/linux/resources/cpu/period");
}

/// v1 only; on v2 the program of device_rules.hpp does it. Without a devices hierarchy only a spec with rules fails.
inline auto planner::devices() -> void {
  const auto rules = cgroups::devices::rules_of(wanted_.devices);
  if (!rules) return fail(rules.error().detail, rules.error().pointer);
  if (on_v2("devices") || (!find("devices") && wanted_.devices.empty())) return;
  const auto list = cgroups::devices::as_exceptions(*rules);
  if (!list) return fail(list.error().detail, list.error().pointer);
  constexpr auto pointer = "/linux/resources/devices";
  put("devices", list->default_allow ? "devices.allow" : "devices.deny", "a", pointer);
  for (const auto& r : list->rules)
    put("devices", r.allow ? "devices.allow" : "devices.deny", cgroups::devices::to_line(r), pointer);
}

inline auto planner::throttle(const std::vector<spec::throttle_device>& list, std::string_view v1,
                              std::string_view v2, std::string_view key) -> void {
  const auto pointer = filled("/linux/resources/blockIO/{}", key);
  for (const auto& d : list)
    if (on_v2("blkio"))
      put("blkio", "io.max", filled("{}:{} {}={}", d.major, d.minor, v2, d.rate), pointer);
    else
      put("blkio", filled("blkio.throttle.{}_device", v1), filled("{}:{} {}", d.major, d.minor, d.rate),
          pointer);
}

inline auto planner::block_io() -> void {
  if (!wanted_.block_io) return;
  const auto& b = *wanted_.block_io;
  const bool v2 = on_v2("blkio");
  const std::string base = "/linux/resources/blockIO/";
  const auto weight = b.weight.value_or(0);
  if (weight != 0 && (weight < 10 || weight > 1000))
    fail(filled("block io weight {} is not in 10..1000", weight), base + "weight");
  if (weight != 0) {
    put("blkio", v2 ? "io.bfq.weight" : "blkio.bfq.weight", std::to_string(weight), base + "weight").or_next = true;
    put("blkio", v2 ? "io.weight" : "blkio.weight", std::to_string(v2 ? 1 + (weight - 10) * 9999 / 990 : weight),
        base + "weight");
  }
  if (b.leaf_weight.value_or(0) != 0 && v2) only_v1("blkio.leaf_weight", base + "leafWeight");
  if (b.leaf_weight.value_or(0) != 0 && !v2)
    put("blkio", "blkio.leaf_weight", std::to_string(*b.leaf_weight), base + "leafWeight");
  for (const auto& d : b.weight_device) {
    const auto line = filled("{}:{} {}", d.major, d.minor, d.weight.value_or(0));
    if (d.weight)
      put("blkio", v2 ? "io.bfq.weight" : "blkio.bfq.weight_device", line, base + "weightDevice").or_next = !v2;
    if (d.weight && !v2) put("blkio", "blkio.weight_device", line, base + "weightDevice");
    if (d.leaf_weight && v2) only_v1("blkio.leaf_weight_device", base + "weightDevice");
    if (d.leaf_weight && !v2)
      put("blkio", "blkio.leaf_weight_device", filled("{}:{} {}", d.major, d.minor, *d.leaf_weight),
          base + "weightDevice");
  }
  throttle(b.throttle_read_bps_device, "read_bps", "rbps", "throttleReadBpsDevice");
  throttle(b.throttle_write_bps_device, "write_bps", "wbps", "throttleWriteBpsDevice");
  throttle(b.throttle_read_iops_device, "read_iops", "riops", "throttleReadIOPSDevice");
  throttle(b.throttle_write_iops_device, "write_iops", "wiops", "throttleWriteIOPSDevice");
}

inline auto planner::hugetlb() -> void {
  for (std::size_t i = 0; i < wanted_.hugepage_limits.size(); ++i) {
    const auto& h = wanted_.hugepage_limits[i];
    const auto pointer = filled("/linux/resources/hugepageLimits/{}", i);
    if (h.page_size.empty() || h.page_size.find('/') != std::string::npos)
      return fail("invalid huge page size " + h.page_size, pointer);
    const auto tail = on_v2("hugetlb") ? "max" : "limit_in_bytes";
    put("hugetlb", filled("hugetlb.{}.{}", h.page_size, tail), std::to_string(h.limit), pointer);
    put("hugetlb", filled("hugetlb.{}.rsvd.{}", h.page_size, tail), std::to_string(h.limit), pointer).if_present =
        true;
  }
}

/// v1 only; v2 has nothing of the kind.
inline auto planner::network() -> void {
  if (!wanted_.network) return;
  if (on_v2("net_cls") && wanted_.network->class_id.value_or(0) != 0) return only_v1("net_cls.classid", "/linux/resources/network/classID");
  if (on_v2("net_prio") && !wanted_.network->priorities.empty())
    return only_v1("net_prio.ifpriomap", "/linux/resources/network/priorities");
  if (wanted_.network->class_id && !on_v2("net_cls"))
    put("net_cls", "net_cls.classid", std::to_string(*wanted_.network->class_id), "/linux/resources/network/classID");
  for (const auto& p : wanted_.network->priorities)
    put("net_prio", "net_prio.ifpriomap", filled("{} {}", p.name, p.priority),
        "/linux/resources/network/priorities");
}

inline auto planner::rdma() -> void {
  for (const auto& [device, limit] : wanted_.rdma) {
    auto value = device;
    if (limit.hca_handles) value += filled(" hca_handle={}", *limit.hca_handles);
    if (limit.hca_objects) value += filled(" hca_object={}", *limit.hca_objects);
    put("rdma", "rdma.max", value, "/linux/resources/rdma/" + device);
  }
}

inline auto planner::unified() -> void {
  for (const auto& [file, value] : wanted_.unified) {
    const auto pointer = "/linux/resources/unified/" + file;
    if (!on_v2("unified")) return fail("invalid configuration: unified resources need cgroup v2", pointer);
    if (file.empty() || file.find('/') != std::string::npos || file.find('\0') != std::string::npos)
      return fail("unified resource \"" + file + "\" must be a file name (no slashes)", pointer);
    put("unified", file, value, pointer);
  }
}

}  // namespace detail

/// The writes for a container's limits, in the order the kernel wants them. A controller that is not there matters
/// only if a limit needs it.
///
/// Reads  /linux/resources (bytes, microseconds)
/// Fails  `controller "x" not available`; values no kernel takes
inline auto plan(const std::vector<place>& places, const spec::resources& wanted, scope what = {})
    -> result<std::vector<write>> {
  detail::planner p{places, wanted};
  p.pids();
  p.memory();
  p.block_io();
  p.cpu();
  if (what.devices) p.devices();
  p.hugetlb();
  p.network();
  p.rdma();
  p.unified();
  return p.done();
}

}  // namespace ocitk::cgroups

#endif
