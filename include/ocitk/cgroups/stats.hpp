#ifndef OCITK_CGROUPS_STATS_HPP
#define OCITK_CGROUPS_STATS_HPP

#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/text.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a container uses, as the files of its cgroups say. A file that is not there counts as zero: kernels and
/// configurations differ.
namespace ocitk::cgroups {

using number = std::uint64_t;
inline constexpr number no_limit = std::numeric_limits<number>::max();

/// One line of a *.pressure file: shares of time in percent, and microseconds.
struct pressure_line {
  double avg10 = 0, avg60 = 0, avg300 = 0;
  number total = 0;
};
struct pressure {
  pressure_line some{}, full{};
};

struct cpu_stats {  ///< nanoseconds
  number total = 0, kernel = 0, user = 0;
  std::vector<number> percpu{}, percpu_kernel{}, percpu_user{};
  number periods = 0, throttled_periods = 0, throttled_time = 0;
  std::optional<pressure> psi{};
};

struct cpuset_stats {
  std::vector<number> cpus{}, mems{};
  number cpu_exclusive = 0, mem_hardwall = 0, mem_exclusive = 0, memory_migrate = 0, memory_spread_page = 0, memory_spread_slab = 0,
         memory_pressure = 0, sched_load_balance = 0;
  std::int64_t sched_relax_domain_level = 0;
};

struct memory_entry {  ///< bytes; limit no_limit: none on v2, a number as large as can be on v1
  number limit = 0, usage = 0, max = 0, failcnt = 0;
};

struct memory_stats {
  number cache = 0;
  memory_entry usage{};
  memory_entry swap{};  ///< memory and swap together, on v2 too
  memory_entry kernel{}, kernel_tcp{};
  std::map<std::string, number> raw{};  ///< memory.stat
  std::optional<pressure> psi{};
};

struct pids_stats {
  number current = 0, limit = 0;  ///< limit 0: none
};

struct block_entry {
  number major = 0, minor = 0;
  std::string op{};
  number value = 0;
};

struct block_stats {
  std::vector<block_entry> service_bytes{}, serviced{}, queued{}, service_time{}, wait_time{}, merged{}, time{}, sectors{};
  std::optional<pressure> psi{};
};

struct hugetlb_stats {
  number usage = 0, max = 0, failcnt = 0;
};

struct stats {
  cpu_stats cpu{};
  cpuset_stats cpuset{};
  memory_stats memory{};
  pids_stats pids{};
  block_stats block{};
  std::map<std::string, hugetlb_stats> hugetlb{};  ///< by page size: "2MB"
};

/// One cgroup to read from.
struct source {
  std::vector<std::string> controllers{};  ///< of its v1 hierarchy
  bool is_v2 = false;
  std::function<std::optional<std::string>(const std::string& file)> read{};
};

namespace detail {

using sys::cgroupfs::split;

/// "max" is no limit; what is no number is 0.
inline auto as_number(std::string_view text) -> number {
  if (text.starts_with("max")) return no_limit;
  number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

inline auto number_of(const source& from, const std::string& file) -> number {
  const auto text = from.read(file);
  return text ? as_number(*text) : 0;
}

/// "anon 5\nfile 6\n"
inline auto map_of(const source& from, const std::string& file) -> std::map<std::string, number> {
  std::map<std::string, number> all;
  const auto text = from.read(file);
  for (const auto& line : text ? split(*text, '\n') : std::vector<std::string>{})
    if (const auto words = split(line, ' '); words.size() == 2) all[words[0]] = as_number(words[1]);
  return all;
}

inline auto value_of(const std::map<std::string, number>& all, const std::string& key) -> number {
  const auto found = all.find(key);
  return found == all.end() ? 0 : found->second;
}

inline auto numbers_of(const source& from, const std::string& file) -> std::vector<number> {
  std::vector<number> all;
  const auto text = from.read(file);
  for (const auto& word : text ? split(sys::cgroupfs::trimmed(*text), ' ') : std::vector<std::string>{}) all.push_back(as_number(word));
  return all;
}

/// "0-2,7"
inline auto list_of(const source& from, const std::string& file) -> std::vector<number> {
  std::vector<number> all;
  const auto text = from.read(file);
  for (const auto& range : text ? split(sys::cgroupfs::trimmed(*text), ',') : std::vector<std::string>{}) {
    const auto dash = range.find('-');
    const auto first = as_number(range), last = dash == range.npos ? first : as_number(std::string_view{range}.substr(dash + 1));
    for (auto n = first; n <= last && all.size() < 65536; ++n) all.push_back(n);
  }
  return all;
}

inline auto pressure_of(const source& from, const std::string& file) -> std::optional<pressure> {
  const auto text = from.read(file);
  if (!text || text->empty()) return std::nullopt;
  pressure p;
  for (const auto& line : split(*text, '\n')) {
    const auto words = split(line, ' ');
    auto& l = words[0] == "full" ? p.full : p.some;
    for (const auto& word : words) {
      const auto equals = word.find('=');
      if (equals == word.npos) continue;
      const auto key = std::string_view{word}.substr(0, equals), value = std::string_view{word}.substr(equals + 1);
      if (key == "total") l.total = as_number(value);
      double share = 0;
      std::from_chars(value.data(), value.data() + value.size(), share);
      if (key == "avg10") l.avg10 = share;
      if (key == "avg60") l.avg60 = share;
      if (key == "avg300") l.avg300 = share;
    }
  }
  return p;
}

inline auto cpuacct_v1(const source& from, cpu_stats& c) -> void {
  constexpr number second = 1'000'000'000;
  const auto ticks = static_cast<number>(::sysconf(_SC_CLK_TCK));
  const auto halves = map_of(from, "cpuacct.stat");
  c.user = value_of(halves, "user") * second / ticks;
  c.kernel = value_of(halves, "system") * second / ticks;
  c.total = number_of(from, "cpuacct.usage");
  c.percpu = numbers_of(from, "cpuacct.usage_percpu");
  const auto all = from.read("cpuacct.usage_all");
  for (const auto& line : all ? split(*all, '\n') : std::vector<std::string>{}) {
    const auto words = split(line, ' ');
    if (words.size() < 3 || words[0] == "cpu") continue;
    c.percpu_user.push_back(as_number(words[1]));
    c.percpu_kernel.push_back(as_number(words[2]));
  }
}

inline auto cpu_v1(const source& from, cpu_stats& c) -> void {
  const auto all = map_of(from, "cpu.stat");
  c.periods = value_of(all, "nr_periods");
  c.throttled_periods = value_of(all, "nr_throttled");
  c.throttled_time = value_of(all, "throttled_time");
}

inline auto cpu_v2(const source& from, cpu_stats& c) -> void {
  constexpr number microsecond = 1000;
  const auto all = map_of(from, "cpu.stat");
  c.total = value_of(all, "usage_usec") * microsecond;
  c.user = value_of(all, "user_usec") * microsecond;
  c.kernel = value_of(all, "system_usec") * microsecond;
  c.periods = value_of(all, "nr_periods");
  c.throttled_periods = value_of(all, "nr_throttled");
  c.throttled_time = value_of(all, "throttled_usec") * microsecond;
  c.psi = pressure_of(from, "cpu.pressure");
}

inline auto cpuset_v1(const source& from, cpuset_stats& c) -> void {
  c.cpus = list_of(from, "cpuset.cpus");
  c.mems = list_of(from, "cpuset.mems");
  c.cpu_exclusive = number_of(from, "cpuset.cpu_exclusive");
  c.mem_hardwall = number_of(from, "cpuset.mem_hardwall");
  c.mem_exclusive = number_of(from, "cpuset.mem_exclusive");
  c.memory_migrate = number_of(from, "cpuset.memory_migrate");
  c.memory_spread_page = number_of(from, "cpuset.memory_spread_page");
  c.memory_spread_slab = number_of(from, "cpuset.memory_spread_slab");
  c.memory_pressure = number_of(from, "cpuset.memory_pressure");
  c.sched_load_balance = number_of(from, "cpuset.sched_load_balance");
  const auto level = from.read("cpuset.sched_relax_domain_level").value_or("0");
  std::from_chars(level.data(), level.data() + level.size(), c.sched_relax_domain_level);
}

inline auto entry_v1(const source& from, const std::string& name) -> memory_entry {
  return {.limit = number_of(from, name + ".limit_in_bytes"), .usage = number_of(from, name + ".usage_in_bytes"),
          .max = number_of(from, name + ".max_usage_in_bytes"), .failcnt = number_of(from, name + ".failcnt")};
}

inline auto memory_v1(const source& from, memory_stats& m) -> void {
  m.raw = map_of(from, "memory.stat");
  m.cache = value_of(m.raw, "cache");
  m.usage = entry_v1(from, "memory");
  m.swap = entry_v1(from, "memory.memsw");
  m.kernel = entry_v1(from, "memory.kmem");
  m.kernel_tcp = entry_v1(from, "memory.kmem.tcp");
}

inline auto entry_v2(const source& from, const std::string& name) -> memory_entry {
  if (!from.read(name + ".current")) return {};
  return {.limit = number_of(from, name + ".max"), .usage = number_of(from, name + ".current"), .max = number_of(from, name + ".peak"),
          .failcnt = 0};
}

inline auto memory_v2(const source& from, memory_stats& m) -> void {
  m.raw = map_of(from, "memory.stat");
  m.cache = value_of(m.raw, "file");
  m.usage = entry_v2(from, "memory");
  m.swap = entry_v2(from, "memory.swap");
  m.swap.usage += m.usage.usage;
  if (m.swap.limit != no_limit) m.swap.limit = m.usage.limit == no_limit ? no_limit : m.swap.limit + m.usage.limit;
  m.swap.max = 0;  // the peaks of two things are no peak of both
  m.psi = pressure_of(from, "memory.pressure");
}

inline auto pids_of(const source& from, pids_stats& p) -> void {
  const auto limit = number_of(from, "pids.max");
  p.limit = limit == no_limit ? 0 : limit;
  const auto current = from.read("pids.current");
  if (current) p.current = as_number(*current);
  else if (const auto procs = from.read("cgroup.procs")) p.current = static_cast<number>(std::count(procs->begin(), procs->end(), '\n'));
}

/// "8:0 Read 4096", without an operation "8:0 4096"; the sum at the end is left out.
inline auto block_table(const source& from, const std::string& file) -> std::vector<block_entry> {
  std::vector<block_entry> all;
  const auto text = from.read(file);
  for (const auto& line : text ? split(*text, '\n') : std::vector<std::string>{}) {
    const auto words = split(line, ' ');
    const auto colon = words[0].find(':');
    if (colon == std::string::npos || words.size() < 2) continue;
    all.push_back({.major = as_number(words[0]), .minor = as_number(std::string_view{words[0]}.substr(colon + 1)),
                   .op = words.size() > 2 ? words[1] : "", .value = as_number(words.back())});
  }
  return all;
}

/// The first scheduler that has counted something; the throttle counts whatever schedules.
inline auto block_v1(const source& from, block_stats& b) -> void {
  for (const std::string prefix : {"blkio.bfq.", "blkio."}) {
    b.sectors = block_table(from, prefix + "sectors_recursive");
    b.service_time = block_table(from, prefix + "io_service_time_recursive");
    b.wait_time = block_table(from, prefix + "io_wait_time_recursive");
    b.merged = block_table(from, prefix + "io_merged_recursive");
    b.queued = block_table(from, prefix + "io_queued_recursive");
    b.time = block_table(from, prefix + "time_recursive");
    b.serviced = block_table(from, prefix + "io_serviced_recursive");
    b.service_bytes = block_table(from, prefix + "io_service_bytes_recursive");
    if (!b.serviced.empty()) return;
  }
  for (const std::string suffix : {"_recursive", ""}) {
    b.serviced = block_table(from, "blkio.throttle.io_serviced" + suffix);
    b.service_bytes = block_table(from, "blkio.throttle.io_service_bytes" + suffix);
    if (!b.serviced.empty()) return;
  }
}

/// "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0"
inline auto block_v2(const source& from, block_stats& b) -> void {
  b.psi = pressure_of(from, "io.pressure");
  const auto text = from.read("io.stat");
  for (const auto& line : text ? split(*text, '\n') : std::vector<std::string>{}) {
    const auto words = split(line, ' ');
    const auto colon = words[0].find(':');
    if (colon == std::string::npos) continue;
    const auto add = [&](std::string_view key, const char* op, std::vector<block_entry>& table) {
      for (const auto& word : words)
        if (word.starts_with(key))
          table.push_back({.major = as_number(words[0]), .minor = as_number(std::string_view{words[0]}.substr(colon + 1)), .op = op,
                           .value = as_number(std::string_view{word}.substr(key.size()))});
    };
    add("rbytes=", "Read", b.service_bytes);
    add("wbytes=", "Write", b.service_bytes);
    add("rios=", "Read", b.serviced);
    add("wios=", "Write", b.serviced);
  }
}

inline auto hugetlb_of(const source& from, const std::string& size) -> std::optional<hugetlb_stats> {
  for (const std::string reserved : {".rsvd", ""}) {
    const auto name = "hugetlb." + size + reserved;
    const auto file = name + (from.is_v2 ? ".current" : ".usage_in_bytes");
    if (!from.read(file)) continue;
    if (from.is_v2) return hugetlb_stats{.usage = number_of(from, file), .failcnt = value_of(map_of(from, "hugetlb." + size + ".events"), "max")};
    return hugetlb_stats{.usage = number_of(from, file), .max = number_of(from, name + ".max_usage_in_bytes"), .failcnt = number_of(from, name + ".failcnt")};
  }
  return std::nullopt;
}

inline auto read_v2(const source& from, stats& s) -> void {
  cpu_v2(from, s.cpu);
  memory_v2(from, s.memory);
  pids_of(from, s.pids);
  block_v2(from, s.block);
}

inline auto read_v1(const source& from, stats& s) -> void {
  const auto has = [&](std::string_view name) { return std::find(from.controllers.begin(), from.controllers.end(), name) != from.controllers.end(); };
  if (has("cpuacct")) cpuacct_v1(from, s.cpu);
  if (has("cpu")) cpu_v1(from, s.cpu);
  if (has("cpuset")) cpuset_v1(from, s.cpuset);
  if (has("memory")) memory_v1(from, s.memory);
  if (has("pids")) pids_of(from, s.pids);
  if (has("blkio")) block_v1(from, s.block);
}

}  // namespace detail

/// All figures of a container; `huge_page_sizes` as the kernel names files: "2MB".
inline auto read_stats(const std::vector<source>& all, const std::vector<std::string>& huge_page_sizes) -> stats {
  stats s;
  for (const auto& from : all) {
    from.is_v2 ? detail::read_v2(from, s) : detail::read_v1(from, s);
    for (const auto& size : huge_page_sizes)
      if (auto h = detail::hugetlb_of(from, size)) s.hugetlb[size] = *h;
  }
  return s;
}

}  // namespace ocitk::cgroups

#endif
