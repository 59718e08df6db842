#ifndef OCITK_RUNTIME_STATS_TABLE_HPP
#define OCITK_RUNTIME_STATS_TABLE_HPP

#include <ocitk/cgroups/stats.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

/// What containers use, for people: a line for each.
namespace ocitk::runtime {

/// One container at two moments.
struct usage_row {
  std::string id{}, status{};
  cgroups::stats before{}, now{};
  std::int64_t nanoseconds = 0;  ///< between the two
};

namespace detail {

/// "512B", "1.5KiB", "12.0MiB"
inline auto size_text(std::uint64_t bytes) -> std::string {
  constexpr std::array<const char*, 6> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  constexpr double step = 1024;
  for (; value >= step && unit + 1 < units.size(); ++unit) value /= step;
  return unit == 0 ? fmt::format("{}B", bytes) : fmt::format("{:.1f}{}", value, units[unit]);
}

/// "[####......]"
inline auto bar(double share) -> std::string {
  constexpr std::size_t width = 10;
  const auto full = std::min(width, static_cast<std::size_t>(std::max(0.0, share) * static_cast<double>(width) + 0.5));
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

/// Of one cpu: two that are busy all the time are 200 percent.
inline auto cpu_percent(const usage_row& r) -> double {
  if (r.nanoseconds <= 0 || r.now.cpu.total < r.before.cpu.total) return 0;
  constexpr double percent = 100;
  return percent * static_cast<double>(r.now.cpu.total - r.before.cpu.total) / static_cast<double>(r.nanoseconds);
}

inline auto sum_of(const std::vector<cgroups::block_entry>& table, const char* op) -> std::uint64_t {
  std::uint64_t sum = 0;
  for (const auto& e : table)
    if (e.op == op) sum += e.value;
  return sum;
}

inline auto memory_text(const cgroups::memory_entry& m, std::uint64_t of_machine) -> std::array<std::string, 3> {
  const bool limited = m.limit != 0 && m.limit < of_machine;
  const auto limit = limited ? m.limit : of_machine;
  const double share = limit == 0 ? 0 : static_cast<double>(m.usage) / static_cast<double>(limit);
  constexpr double percent = 100;
  return {fmt::format("{} / {}", size_text(m.usage), limited ? size_text(m.limit) : "no limit"), bar(share), fmt::format("{:.1f}%", share * percent)};
}

using cells = std::array<std::string, 9>;

inline auto cells_of(const usage_row& r, std::uint64_t of_machine) -> cells {
  auto memory = memory_text(r.now.memory.usage, of_machine);
  const auto& p = r.now.pids;
  const auto& io = r.now.block.service_bytes;
  return {r.id, r.status, fmt::format("{:.1f}%", cpu_percent(r)), std::move(memory[0]), std::move(memory[1]), std::move(memory[2]),
          p.limit == 0 ? std::to_string(p.current) : fmt::format("{} / {}", p.current, p.limit), size_text(sum_of(io, "Read")), size_text(sum_of(io, "Write"))};
}

}  // namespace detail

/// A table with a head line. Memory without a limit of its own is measured by the machine's (bytes).
inline auto stats_table(const std::vector<usage_row>& rows, std::uint64_t memory_of_machine) -> std::string {
  std::vector<detail::cells> lines{{"ID", "STATUS", "CPU", "MEMORY", "", "", "PIDS", "READ", "WRITTEN"}};
  for (const auto& r : rows) lines.push_back(detail::cells_of(r, memory_of_machine));
  std::array<std::size_t, std::tuple_size_v<detail::cells>> widths{};
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string text;
  for (const auto& line : lines) {
    std::string shown;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool is_number = i == 2 || i == 5 || i > 6;
      shown += is_number ? fmt::format("{:>{}}  ", line[i], widths[i]) : fmt::format("{:<{}}  ", line[i], widths[i]);
    }
    text += shown.substr(0, shown.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace ocitk::runtime

#endif
