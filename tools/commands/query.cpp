#include "commands.hpp"

#include <ocitk/runtime/status.hpp>
#include <ocitk/runtime/store.hpp>
#include <ocitk/spec/defaults.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/sys/io.hpp>

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "passwd_names.hpp"

// state and list: what is there, recomputed each time.
namespace ocitk::tools {

namespace {

/// Before there is a state: what the creator intends, as long as it lives.
auto describe_unfinished(const runtime::entry& entry, const std::string& id) -> result<spec::state> {
  const auto now = runtime::observe_unfinished(entry);
  if (!now.at_work)
    return failure("container does not exist: whoever was creating it died; delete --force removes what is left");
  spec::state s{.oci_version = std::string{spec::oci_version}, .id = id, .pid = now.pid,
                .status = std::string{runtime::to_string(runtime::status::creating)}};
  const auto intent = entry.read_intent();
  if (!intent) return s;  // not written yet
  s.bundle = intent->bundle;
  s.rootfs = intent->rootfs;
  s.created = intent->created;
  s.annotations = intent->annotations;
  return s;
}

auto describe(const runtime::entry& entry, const std::string& id) -> result<spec::state> {
  if (!entry.has_state()) {
    auto s = describe_unfinished(entry, id);
    if (s || !entry.has_state()) return s;  // it may have been finished while we looked
  }
  auto known = entry.read();
  if (!known) return std::unexpected(known.error());
  const auto now = OCITK_TRY(runtime::observe(entry, *known));
  const bool stopped = now.is == runtime::status::stopped;
  return spec::state{.oci_version = std::string{spec::oci_version},
                     .id = known->id,
                     .pid = stopped ? 0 : known->pid,
                     .status = std::string{runtime::to_string(now.is)},
                     .bundle = known->bundle,
                     .rootfs = known->rootfs,
                     .created = known->created,
                     .annotations = known->annotations};
}

auto print(const std::string& text) -> result<> { return sys::write_all(fd_ref::of(1), text); }

auto as_json_array(const std::vector<spec::state>& all) -> std::string {
  if (all.empty()) return "null";
  std::string text;
  for (const auto& s : all) text += (text.empty() ? "[" : ",") + spec::state_text(s, -1);
  return text + "]";
}

/// Columns at least 12 wide, three spaces apart, as runc's list has them.
auto as_table(const std::vector<spec::state>& all) -> std::string {
  using row = std::array<std::string, 6>;
  std::vector<row> rows{{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
  for (const auto& s : all) rows.push_back({s.id, std::to_string(s.pid), s.status, s.bundle, s.created, s.owner});
  std::array<std::size_t, 6> widths{};
  for (std::size_t c = 0; c < 6; ++c) {
    for (const auto& r : rows) widths[c] = std::max(widths[c], r[c].size() + 3);
    widths[c] = std::max<std::size_t>(widths[c], 12);
  }
  std::string text;
  for (const auto& r : rows) {
    for (std::size_t c = 0; c < 5; ++c) text += fmt::format("{:<{}}", r[c], widths[c]);
    text += r[5] + "\n";
  }
  return text;
}

/// One bad container does not hide the others (threat F4); a vanished one is no error.
auto describe_all(const surroundings& about, const runtime::store& store) -> result<std::vector<spec::state>> {
  std::vector<spec::state> all;
  for (const auto& id : OCITK_TRY(store.ids())) {
    const auto entry = store.open(id);
    if (!entry) continue;
    auto s = describe(*entry, id);
    if (!s && !store.open(id)) continue;  // deleted, or given up, while we looked
    if (!s) {
      about.log.say(fmt::format("load container {}: {}", id, to_string(s.error())));
      continue;
    }
    s->owner = user_name(entry->owner_uid());
    all.push_back(std::move(*s));
  }
  return all;
}

}  // namespace

auto state(const surroundings& about, const std::string& id) -> result<int> {
  OCITK_TRY(runtime::check_id(id));
  const auto store = runtime::store::open(about.global.root, false);
  if (!store && store.error().code == ENOENT) return failure("container does not exist");
  if (!store) return std::unexpected(store.error());
  const auto entry = OCITK_TRY(store->open(id));
  const auto now = OCITK_TRY(describe(entry, id));
  OCITK_TRY(print(spec::state_text(now, 2) + "\n"));
  return 0;
}

auto list(const surroundings& about, const cli::list_options& o) -> result<int> {
  const auto store = runtime::store::open(about.global.root, false);
  if (!store && (store.error().code != ENOENT || about.global.root_given)) return std::unexpected(store.error());
  std::vector<spec::state> all;
  if (store) all = OCITK_TRY(describe_all(about, *store));
  std::string text;
  if (o.quiet)
    for (const auto& s : all) text += s.id + "\n";
  else
    text = o.json ? as_json_array(all) : as_table(all);
  OCITK_TRY(print(text));
  return 0;
}

}  // namespace ocitk::tools
