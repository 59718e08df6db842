#ifndef OCITK_CLI_UPDATE_FLAGS_HPP
#define OCITK_CLI_UPDATE_FLAGS_HPP

#include <ocitk/cli/amounts.hpp>
#include <ocitk/cli/parser.hpp>
#include <ocitk/cli/request.hpp>

#include <fmt/core.h>

#include <array>
#include <expected>
#include <limits>
#include <optional>
#include <string>

/// The options of `update` that each stand for a field of the resources.
namespace ocitk::cli::detail {

/// The texts of the options; an empty one was not given.
struct update_flags {
  std::string blkio_weight{}, cpu_period{}, cpu_quota{}, cpu_burst{}, cpu_share{}, cpu_rt_period{}, cpu_rt_runtime{}, cpu_idle{};
  std::string cpuset_cpus{}, cpuset_mems{}, memory{}, memory_reservation{}, memory_swap{}, kernel_memory{}, kernel_memory_tcp{};
  std::string pids_limit{};
};

inline auto add_update(parser& p, update_options& o, update_flags& f) -> void {
  p.value("resources", "r", o.resources, "file with resources as in config.json, - for standard input; the options below are ignored then");
  p.value("blkio-weight", "", f.blkio_weight, "share of block io, 10 to 1000");
  p.value("cpu-period", "", f.cpu_period, "period of the quota, microseconds");
  p.value("cpu-quota", "", f.cpu_quota, "cpu time in a period, microseconds; -1: no limit");
  p.value("cpu-burst", "", f.cpu_burst, "what it may save up beyond the quota, microseconds");
  p.value("cpu-share", "", f.cpu_share, "share of cpu time beside others, 2 to 262144, usually 1024");
  p.value("cpu-rt-period", "", f.cpu_rt_period, "period of the realtime quota, microseconds (v1)");
  p.value("cpu-rt-runtime", "", f.cpu_rt_runtime, "realtime cpu time in a period, microseconds (v1)");
  p.value("cpuset-cpus", "", f.cpuset_cpus, "cpus to use: 0-3,7");
  p.value("cpuset-mems", "", f.cpuset_mems, "memory nodes to use");
  p.value("cpu-idle", "", f.cpu_idle, "1: run only where nobody else wants to; 0: as usual");
  p.value("memory", "", f.memory, "limit, in bytes or with k, m, g behind; -1: none");
  p.value("memory-reservation", "", f.memory_reservation, "what it keeps when memory is short");
  p.value("memory-swap", "", f.memory_swap, "limit of memory and swap together; -1: none");
  p.value("kernel-memory", "", f.kernel_memory, "ignored");
  p.value("kernel-memory-tcp", "", f.kernel_memory_tcp, "ignored");
  p.value("pids-limit", "", f.pids_limit, "processes; -1: no limit");
  p.value("l3-cache-schema", "", o.l3_cache_schema, "share of the L3 cache, a line of resctrl's schemata");
  p.value("mem-bw-schema", "", o.mem_bw_schema, "share of memory bandwidth, a line of resctrl's schemata");
}

/// Fails  `invalid value for NAME: ...`
inline auto resources_from(const update_flags& f) -> std::expected<spec::resources, usage_error> {
  std::optional<usage_error> problem;
  const auto set = [&]<class T>(std::string_view name, const std::string& text, std::optional<T>& target, std::optional<T> value) {
    if (text.empty()) return;
    if (!value && !problem) problem = usage_error{.message = fmt::format("invalid value for {}: \"{}\"", name, text)};
    target = value;
  };
  const auto set_number = [&]<class T>(std::string_view name, const std::string& text, std::optional<T>& target) {
    set(name, text, target, number_from<T>(text));
  };
  spec::memory memory;
  spec::cpu cpu;
  spec::block_io io;
  spec::resources r;
  set_number("blkio-weight", f.blkio_weight, io.weight);
  set_number("cpu-period", f.cpu_period, cpu.period);
  set_number("cpu-quota", f.cpu_quota, cpu.quota);
  set_number("cpu-burst", f.cpu_burst, cpu.burst);
  set_number("cpu-share", f.cpu_share, cpu.shares);
  set_number("cpu-rt-period", f.cpu_rt_period, cpu.realtime_period);
  set_number("cpu-rt-runtime", f.cpu_rt_runtime, cpu.realtime_runtime);
  set_number("cpu-idle", f.cpu_idle, cpu.idle);
  set_number("pids-limit", f.pids_limit, r.pids_limit);
  set("memory", f.memory, memory.limit, bytes_from(f.memory));
  set("memory-reservation", f.memory_reservation, memory.reservation, bytes_from(f.memory_reservation));
  set("memory-swap", f.memory_swap, memory.swap, bytes_from(f.memory_swap));
  set("kernel-memory", f.kernel_memory, memory.kernel, bytes_from(f.kernel_memory));
  set("kernel-memory-tcp", f.kernel_memory_tcp, memory.kernel_tcp, bytes_from(f.kernel_memory_tcp));
  if (problem) return std::unexpected(*problem);
  cpu.cpus = f.cpuset_cpus;
  cpu.mems = f.cpuset_mems;
  const auto any = [](auto... texts) { return (!texts->empty() || ...); };
  if (any(&f.memory, &f.memory_reservation, &f.memory_swap, &f.kernel_memory, &f.kernel_memory_tcp)) r.memory = memory;
  if (any(&f.cpu_period, &f.cpu_quota, &f.cpu_burst, &f.cpu_share, &f.cpu_rt_period, &f.cpu_rt_runtime, &f.cpu_idle, &f.cpuset_cpus,
          &f.cpuset_mems))
    r.cpu = std::move(cpu);
  if (io.weight) r.block_io = std::move(io);
  return r;
}

}  // namespace ocitk::cli::detail

#endif
