#include "bundle.hpp"
#include "commands.hpp"
#include "entries.hpp"

#include <ocitk/cgroups/merge.hpp>
#include <ocitk/runtime/update.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/stages/rdt.hpp>
#include <ocitk/sys/cgroupfs.hpp>

#include <string>
#include <utility>

// update: other limits for a container that is there, all of them or none.
namespace ocitk::tools {

namespace {

/// The shares of resctrl after the update; nothing if they stay.
auto wanted_shares(const cli::update_options& o, const spec::config& config) -> result<std::optional<spec::intel_rdt>> {
  if (o.l3_cache_schema.empty() && o.mem_bw_schema.empty()) return std::nullopt;
  if (!config.linux.intel_rdt) return failure("updating a non-existent Intel RDT configuration is not supported", "/linux/intelRdt");
  auto wanted = *config.linux.intel_rdt;
  if (!o.l3_cache_schema.empty()) wanted.l3_cache_schema = o.l3_cache_schema;
  if (!o.mem_bw_schema.empty()) wanted.mem_bw_schema = o.mem_bw_schema;
  return wanted;
}

auto share(const spec::intel_rdt& wanted, const std::string& id) -> result<> {
  const auto root = OCITK_TRY(ocitk::stages::rdt::find_root());
  return ocitk::stages::rdt::renew(wanted, OCITK_TRY(ocitk::stages::rdt::plan(wanted, id)), root);
}

auto warn_of_ignored(const surroundings& about, const spec::resources& change) -> void {
  if (change.memory && (change.memory->kernel || change.memory->kernel_tcp))
    about.log.write(runtime::level::warning, "Kernel memory settings are ignored and will be removed");
}

/// What comes after the limits. Each step takes back those before it if it fails.
struct rest_of_update {
  const found& container;
  const spec::config& config;
  const spec::resources& next;
  bool new_devices = false;
  std::optional<spec::intel_rdt> shares{};

  auto apply(const ocitk::stages::cgroup::cgroup_guard& cgroups) const -> result<> {
    auto done = new_devices ? runtime::replace_devices(config.linux.resources, next, cgroups) : result<>{};
    if (done && shares) done = share(*shares, container.known.id);
    if (done) done = remember();
    if (done) return done;
    if (new_devices) (void)runtime::replace_devices(next, config.linux.resources, cgroups);  // the first failure is told
    if (shares) (void)share(*config.linux.intel_rdt, container.known.id);
    return done;
  }

 private:
  auto remember() const -> result<> {
    const auto text = OCITK_TRY(container.entry.read_config());
    return container.entry.replace_config(OCITK_TRY(spec::with_resources(text, next, shares)));
  }
};

}  // namespace

auto update(const surroundings& about, const cli::update_options& o) -> result<int> {
  const auto change = o.resources.empty() ? o.change : OCITK_TRY(load_resources(o.resources));
  warn_of_ignored(about, change);
  const auto c = OCITK_TRY(look_up(about, o.id));
  if (!alive(c.now)) return failure("container not running");
  const auto config = OCITK_TRY(load_container(c.entry));
  const auto next = cgroups::merged(config.linux.resources, change);
  const rest_of_update rest{.container = c, .config = config, .next = next, .new_devices = !change.devices.empty(),
                            .shares = OCITK_TRY(wanted_shares(o, config))};
  const auto layout = OCITK_TRY(sys::cgroupfs::detect());
  const auto there = OCITK_TRY(runtime::open_cgroups(layout, c.known.cgroup_paths));
  const auto plan = OCITK_TRY(cgroups::plan(there.places(), next, {.devices = false}));
  OCITK_TRY(runtime::check_usage(next, there));
  runtime::limits_change limits{there};
  OCITK_TRY(limits.apply(plan));
  if (auto done = rest.apply(there); !done) {
    limits.undo(done.error());
    return std::unexpected(std::move(done).error());
  }
  return 0;
}

}  // namespace ocitk::tools
