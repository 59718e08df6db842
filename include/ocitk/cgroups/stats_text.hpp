#ifndef OCITK_CGROUPS_STATS_TEXT_HPP
#define OCITK_CGROUPS_STATS_TEXT_HPP

#include <ocitk/cgroups/stats.hpp>

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

/// The figures of a container as `runc events` prints them: engines know these names.
namespace ocitk::cgroups {

namespace detail {

/// A JSON object, key by key; names and page sizes are our own words and need no escapes.
class json_object {
 public:
  auto add(std::string_view key, std::string_view json) -> json_object& {
    text_.append(text_.empty() ? "{\"" : ",\"").append(key).append("\":").append(json);
    return *this;
  }
  auto add(std::string_view key, std::integral auto n) -> json_object& { return add(key, std::string_view{std::to_string(n)}); }
  /// Left out where Go's `omitempty` does.
  auto add_if(std::string_view key, number n) -> json_object& { return n == 0 ? *this : add(key, n); }
  auto add_if(std::string_view key, const std::vector<number>& list) -> json_object& {
    std::string json;
    for (const auto n : list) json += (json.empty() ? "[" : ",") + std::to_string(n);
    return list.empty() ? *this : add(key, std::string_view{json += "]"});
  }
  [[nodiscard]] auto text() const -> std::string { return text_.empty() ? "{}" : text_ + "}"; }
  [[nodiscard]] auto empty() const -> bool { return text_.empty(); }

 private:
  std::string text_{};
};

inline auto shown(double share) -> std::string {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, share).ptr;
  return {digits, end};
}

inline auto line_text(const pressure_line& l) -> std::string {
  json_object o;
  o.add("avg10", std::string_view{shown(l.avg10)}).add("avg60", std::string_view{shown(l.avg60)});
  o.add("avg300", std::string_view{shown(l.avg300)}).add("total", l.total);
  return o.text();
}

inline auto add_psi(json_object& o, const std::optional<pressure>& psi) -> void {
  if (psi) o.add("psi", std::string_view{json_object{}.add("some", line_text(psi->some)).add("full", line_text(psi->full)).text()});
}

inline auto text_of(const cpu_stats& c) -> std::string {
  json_object usage;
  usage.add_if("total", c.total).add_if("percpu", c.percpu).add_if("percpu_kernel", c.percpu_kernel).add_if("percpu_user", c.percpu_user);
  usage.add("kernel", c.kernel).add("user", c.user);
  json_object throttling;
  throttling.add_if("periods", c.periods).add_if("throttledPeriods", c.throttled_periods).add_if("throttledTime", c.throttled_time);
  json_object o;
  o.add("usage", std::string_view{usage.text()}).add("throttling", std::string_view{throttling.text()});
  add_psi(o, c.psi);
  return o.text();
}

inline auto text_of(const cpuset_stats& c) -> std::string {
  json_object o;
  o.add_if("cpus", c.cpus).add("cpu_exclusive", c.cpu_exclusive).add_if("mems", c.mems).add("mem_hardwall", c.mem_hardwall);
  o.add("mem_exclusive", c.mem_exclusive).add("memory_migrate", c.memory_migrate).add("memory_spread_page", c.memory_spread_page);
  o.add("memory_spread_slab", c.memory_spread_slab).add("memory_pressure", c.memory_pressure);
  o.add("sched_load_balance", c.sched_load_balance).add("sched_relax_domain_level", c.sched_relax_domain_level);
  return o.text();
}

inline auto text_of(const memory_entry& e) -> std::string {
  json_object o;
  o.add("limit", e.limit).add_if("usage", e.usage).add_if("max", e.max).add("failcnt", e.failcnt);
  return o.text();
}

inline auto text_of(const memory_stats& m) -> std::string {
  json_object o, raw;
  o.add_if("cache", m.cache).add("usage", std::string_view{text_of(m.usage)}).add("swap", std::string_view{text_of(m.swap)});
  o.add("kernel", std::string_view{text_of(m.kernel)}).add("kernelTCP", std::string_view{text_of(m.kernel_tcp)});
  for (const auto& [key, value] : m.raw) raw.add(key, value);
  if (!raw.empty()) o.add("raw", std::string_view{raw.text()});
  add_psi(o, m.psi);
  return o.text();
}

inline auto text_of(const pids_stats& p) -> std::string {
  return json_object{}.add_if("current", p.current).add_if("limit", p.limit).text();
}

inline auto add_table(json_object& o, std::string_view key, const std::vector<block_entry>& table) -> void {
  std::string json;
  for (const auto& e : table) {
    json_object line;
    line.add_if("major", e.major).add_if("minor", e.minor);
    if (!e.op.empty()) line.add("op", std::string_view{"\"" + e.op + "\""});
    json += (json.empty() ? "[" : ",") + line.add_if("value", e.value).text();
  }
  if (!table.empty()) o.add(key, std::string_view{json += "]"});
}

inline auto text_of(const block_stats& b) -> std::string {
  json_object o;
  add_table(o, "ioServiceBytesRecursive", b.service_bytes);
  add_table(o, "ioServicedRecursive", b.serviced);
  add_table(o, "ioQueueRecursive", b.queued);
  add_table(o, "ioServiceTimeRecursive", b.service_time);
  add_table(o, "ioWaitTimeRecursive", b.wait_time);
  add_table(o, "ioMergedRecursive", b.merged);
  add_table(o, "ioTimeRecursive", b.time);
  add_table(o, "sectorsRecursive", b.sectors);
  add_psi(o, b.psi);
  return o.text();
}

}  // namespace detail

/// One line, without a newline. Network interfaces are the engines' business: runc says null of those it did not make.
inline auto to_json(const stats& s) -> std::string {
  using detail::text_of;
  detail::json_object o, huge;
  for (const auto& [size, h] : s.hugetlb)
    huge.add(size, std::string_view{detail::json_object{}.add_if("usage", h.usage).add_if("max", h.max).add("failcnt", h.failcnt).text()});
  o.add("cpu", std::string_view{text_of(s.cpu)}).add("cpuset", std::string_view{text_of(s.cpuset)});
  o.add("memory", std::string_view{text_of(s.memory)}).add("pids", std::string_view{text_of(s.pids)});
  o.add("blkio", std::string_view{text_of(s.block)}).add("hugetlb", std::string_view{huge.text()});
  o.add("intel_rdt", std::string_view{"{}"}).add("network_interfaces", std::string_view{"null"});
  return o.text();
}

}  // namespace ocitk::cgroups

#endif
