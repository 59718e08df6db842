#include "tools.hpp"

#include <ocitk/cli/waiting.hpp>
#include <ocitk/stages/cgroup.hpp>
#include <ocitk/sys/cgroup_tree.hpp>
#include <ocitk/sys/process.hpp>

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

// ocitk-cgroup: makes a cgroup with limits and goes on inside. If it made one it stays outside, to remove it at the end
// with whatever still lives there.
namespace ocitk::tools::stages {

namespace {

namespace cgroup = ocitk::stages::cgroup;

/// "64M"
auto bytes_of(const std::string& text) -> result<std::int64_t> {
  constexpr std::string_view units = "KMGT";
  std::string_view digits = text;
  unsigned shift = 0;
  if (const auto unit = digits.empty() ? units.npos : units.find(digits.back()); unit != units.npos) {
    shift = 10 * (static_cast<unsigned>(unit) + 1);
    digits.remove_suffix(1);
  }
  const auto number = cli::detail::number_in<std::int64_t>(digits);
  if (!number || *number < -1 || (shift != 0 && *number > (std::int64_t{1} << (62 - shift))))
    return failure(text + ": a size is a number of bytes, with K, M, G or T behind it if need be, or -1");
  return *number * (std::int64_t{1} << shift);
}

class cgroup_tool : public cli::tool {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("name", &name_, "path: from the root of each hierarchy with a slash in front, else from the caller's cgroup");
    o.add("memory", &memory_, "bytes, or 64M");
    o.add("swap", &swap_, "bytes of memory and swap together");
    o.add("pids", &pids_, "number of processes");
    o.add("cpu-quota", &quota_, "microseconds of each period");
    o.add("cpu-period", &period_, "microseconds");
    o.add("cpu-shares", &shares_, "weight among others, 1024 is usual");
    o.add("cpus", &cpus_, "list of cpus: 0-3,7");
    o.add("mems", &mems_, "list of memory nodes");
    o.add("unified", &unified_, "FILE=VALUE for cgroup2, may be given again");
    o.add("keep", &keep_, "go on in the same process, and leave the cgroup there");
    o.add("remove", &remove_, "remove that cgroup and nothing else");
  }
  [[nodiscard]] auto may_end(bool) const -> bool override { return !remove_.empty(); }

  auto fill(cli::chain_link& here) -> result<> override {
    if (!remove_.empty() && !here.next.empty()) return failure("--remove stands alone");
    auto& linux = here.config.linux;
    if (!name_.empty()) linux.cgroups_path = name_;
    auto& wanted = linux.resources;
    if (!memory_.empty()) memory_in(wanted).limit = OCITK_TRY(bytes_of(memory_));
    if (!swap_.empty()) memory_in(wanted).swap = OCITK_TRY(bytes_of(swap_));
    if (pids_) wanted.pids_limit = pids_;
    OCITK_TRY(fill_cpu(wanted));
    for (const auto& text : unified_) {
      const auto equals = text.find('=');
      if (equals == text.npos) return failure(text + ": a file and its value are FILE=VALUE");
      wanted.unified[text.substr(0, equals)] = text.substr(equals + 1);
    }
    return {};
  }

  auto run(cli::chain_link& here) -> result<> override {
    const auto layout = OCITK_TRY(sys::cgroupfs::detect());
    if (!remove_.empty()) return remove(here, layout);
    if (here.state.id.empty()) here.state.id = fmt::format("ocitk-{}", ::getpid());
    auto places = OCITK_TRY(cgroup::resolve(layout, here.config.linux.cgroups_path, here.state.id));
    auto guard = OCITK_TRY(make(here, std::move(places)));
    std::vector<std::string> there, made;
    for (std::size_t i = 0; i < guard.places().size(); ++i) {
      if (!guard.dir(i)) continue;
      const auto& p = guard.places()[i];
      there.push_back(p.path());
      if (!guard.was_there(i)) made.push_back(p.path());
      here.state.cgroups.push_back({.controllers = p.controllers, .mountpoint = p.mountpoint, .below = p.below});
    }
    if (!made.empty() && !keep_) return go_on_in_child(here, std::move(guard), made);
    OCITK_TRY(cgroup::enter(there, 0));
    guard.keep();
    return {};
  }

 private:
  static auto memory_in(spec::resources& r) -> spec::memory& { return r.memory ? *r.memory : r.memory.emplace(); }
  static auto cpu_in(spec::resources& r) -> spec::cpu& { return r.cpu ? *r.cpu : r.cpu.emplace(); }

  auto fill_cpu(spec::resources& wanted) const -> result<> {
    if (period_ && *period_ < 0) return failure("--cpu-period cannot be negative");
    if (shares_ && *shares_ < 0) return failure("--cpu-shares cannot be negative");
    if (quota_) cpu_in(wanted).quota = quota_;
    if (period_) cpu_in(wanted).period = static_cast<std::uint64_t>(*period_);
    if (shares_) cpu_in(wanted).shares = static_cast<std::uint64_t>(*shares_);
    if (!cpus_.empty()) cpu_in(wanted).cpus = cpus_;
    if (!mems_.empty()) cpu_in(wanted).mems = mems_;
    return {};
  }

  /// Devices are a container's matter: without a bundle none are taken away.
  static auto make(const cli::chain_link& here, std::vector<cgroup::place> places) -> result<cgroup::cgroup_guard> {
    const auto& linux = here.config.linux;
    if (here.has_spec) return cgroup::make_with_limits(std::move(places), linux);
    const auto writes = OCITK_TRY(cgroup::plan(places, linux.resources, {.devices = false}));
    auto guard = OCITK_TRY(cgroup::make(std::move(places), !linux.cgroups_path.empty()));
    OCITK_TRY(cgroup::apply(writes, guard));
    return guard;
  }

  auto remove(cli::chain_link& here, const sys::cgroupfs::layout& layout) const -> result<> {
    here.ended = 0;
    return sys::cgroupfs::remove(cgroup::paths_of(OCITK_TRY(cgroup::resolve(layout, remove_, ""))));
  }

  static auto go_on_in_child(cli::chain_link& here, cgroup::cgroup_guard guard, const std::vector<std::string>& made)
      -> result<> {
    const auto joins = OCITK_TRY(guard.join_fds());
    auto w = OCITK_TRY(cli::watch::begin());
    const auto& unified = guard.unified();
    const auto child = OCITK_TRY(sys::clone_process({.cgroup = unified ? unified.get() : -1}));
    if (child.pid == 0) {
      guard.keep();  // the parent's to remove
      OCITK_TRY(w.end_in_child());
      return cgroup::join(joins);
    }
    here.state.idmap.reset();  // its end must show when the chain ends
    here.ended = OCITK_TRY(cli::wait_for(w, child, unique_fd{}));
    OCITK_TRY(sys::cgroupfs::kill_all(made));
    OCITK_TRY(sys::cgroupfs::remove(made));
    guard.undo();  // the levels above
    return {};
  }

  std::string name_, memory_, swap_, cpus_, mems_, remove_;
  std::optional<std::int64_t> pids_, quota_, period_, shares_;
  std::vector<std::string> unified_;
  bool keep_ = false;
};

}  // namespace

auto make_cgroup() -> made_tool { return std::make_unique<cgroup_tool>(); }

}  // namespace ocitk::tools::stages
