#ifndef OCITK_CGROUPS_MERGE_HPP
#define OCITK_CGROUPS_MERGE_HPP

#include <ocitk/spec/config.hpp>

#include <algorithm>
#include <string>
#include <vector>

/// The resources of a container after an update. Nothing here asks the kernel anything.
namespace ocitk::cgroups {

namespace detail {

template <class T>
auto take(T& old, const T& change) -> void {
  if (change) old = change;
}
inline auto take(std::string& old, const std::string& change) -> void {
  if (!change.empty()) old = change;
}

/// An entry of a list takes the place of the old one of the same key; the last one wins.
template <class T, class Same>
auto take_each(std::vector<T>& old, const std::vector<T>& change, Same same, auto&& renew) -> void {
  for (const auto& entry : change) {
    const auto there = std::find_if(old.begin(), old.end(), [&](const T& o) { return same(o, entry); });
    if (there == old.end()) old.push_back(entry);
    else renew(*there, entry);
  }
}

inline constexpr auto same_device = [](const auto& a, const auto& b) { return a.major == b.major && a.minor == b.minor; };
inline constexpr auto replace = [](auto& old, const auto& entry) { old = entry; };

inline auto merge_memory(spec::resources& r, const spec::memory& change) -> void {
  auto& m = r.memory ? *r.memory : r.memory.emplace();
  take(m.limit, change.limit);
  take(m.reservation, change.reservation);
  take(m.swap, change.swap);
  take(m.swappiness, change.swappiness);
  take(m.disable_oom_killer, change.disable_oom_killer);
  take(m.check_before_update, change.check_before_update);
  if (change.limit == -1 && !change.swap) m.swap = -1;  // nothing is limited, or swap would be by the old sum
}

/// Quota and period make sense together: the one that is not told stays.
inline auto merge_cpu(spec::resources& r, const spec::cpu& change) -> void {
  auto& c = r.cpu ? *r.cpu : r.cpu.emplace();
  if (change.shares.value_or(0) != 0 && c.idle == 1 && !change.idle) c.idle = 0;  // an idle group has no shares
  take(c.shares, change.shares);
  if (change.quota.value_or(0) != 0) c.quota = change.quota;
  if (change.period.value_or(0) != 0) c.period = change.period;
  take(c.burst, change.burst);
  take(c.realtime_runtime, change.realtime_runtime);
  take(c.realtime_period, change.realtime_period);
  take(c.cpus, change.cpus);
  take(c.mems, change.mems);
  take(c.idle, change.idle);
}

inline auto merge_block_io(spec::resources& r, const spec::block_io& change) -> void {
  auto& b = r.block_io ? *r.block_io : r.block_io.emplace();
  take(b.weight, change.weight);
  take(b.leaf_weight, change.leaf_weight);
  take_each(b.weight_device, change.weight_device, same_device, [](spec::weight_device& old, const spec::weight_device& d) {
    take(old.weight, d.weight);
    take(old.leaf_weight, d.leaf_weight);
  });
  take_each(b.throttle_read_bps_device, change.throttle_read_bps_device, same_device, replace);
  take_each(b.throttle_write_bps_device, change.throttle_write_bps_device, same_device, replace);
  take_each(b.throttle_read_iops_device, change.throttle_read_iops_device, same_device, replace);
  take_each(b.throttle_write_iops_device, change.throttle_write_iops_device, same_device, replace);
}

inline auto merge_network(spec::resources& r, const spec::network& change) -> void {
  auto& n = r.network ? *r.network : r.network.emplace();
  take(n.class_id, change.class_id);
  take_each(n.priorities, change.priorities, [](const auto& a, const auto& b) { return a.name == b.name; }, replace);
}

}  // namespace detail

/// What the change does not speak of stays as it was. A list of devices is replaced as a whole, other lists entry by
/// entry. A memory limit of -1 alone lifts the one of memory and swap together too.
inline auto merged(spec::resources old, const spec::resources& change) -> spec::resources {
  if (!change.devices.empty()) old.devices = change.devices;
  if (change.memory) detail::merge_memory(old, *change.memory);
  if (change.cpu) detail::merge_cpu(old, *change.cpu);
  detail::take(old.pids_limit, change.pids_limit);
  if (change.block_io) detail::merge_block_io(old, *change.block_io);
  detail::take_each(old.hugepage_limits, change.hugepage_limits,
                    [](const auto& a, const auto& b) { return a.page_size == b.page_size; }, detail::replace);
  if (change.network) detail::merge_network(old, *change.network);
  for (const auto& [device, limit] : change.rdma) old.rdma[device] = limit;
  for (const auto& [file, value] : change.unified) old.unified[file] = value;
  return old;
}

}  // namespace ocitk::cgroups

#endif
