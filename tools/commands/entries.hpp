#ifndef OCITK_TOOLS_ENTRIES_HPP
#define OCITK_TOOLS_ENTRIES_HPP

#include "commands.hpp"

#include <ocitk/runtime/status.hpp>
#include <ocitk/runtime/store.hpp>

#include <string>

namespace ocitk::tools {

/// Fails  `container does not exist`
inline auto open_entry(const surroundings& about, const std::string& id) -> result<runtime::entry> {
  OCITK_TRY(runtime::check_id(id));
  const auto store = runtime::store::open(about.global.root, false);
  if (!store && store.error().code == ENOENT) return failure("container does not exist");
  if (!store) return std::unexpected(store.error());
  return store->open(id);
}

/// A container as it was when we looked.
struct found {
  runtime::entry entry;
  runtime::record known{};
  runtime::live now{};
};

/// Without its lock: for commands that only look, or that wait for long.
///
/// Fails  `container does not exist`, before `create` is done too
inline auto look_at(const surroundings& about, const std::string& id) -> result<found> {
  auto entry = OCITK_TRY(open_entry(about, id));
  auto known = entry.read();
  if (!known && known.error().code == ENOENT) return failure("container does not exist");
  if (!known) return std::unexpected(std::move(known).error());
  auto now = OCITK_TRY(runtime::observe(entry, *known));
  return found{std::move(entry), std::move(*known), std::move(now)};
}

/// The container as it is while we hold its lock.
inline auto look_up(const surroundings& about, const std::string& id) -> result<found> {
  auto entry = OCITK_TRY(open_entry(about, id));
  OCITK_TRY(entry.lock(runtime::usual_lock_wait));
  auto known = OCITK_TRY(entry.read());
  auto now = OCITK_TRY(runtime::observe(entry, known));
  return found{std::move(entry), std::move(known), std::move(now)};
}

inline auto alive(const runtime::live& now) -> bool { return now.pidfd && now.is != runtime::status::stopped; }

}  // namespace ocitk::tools

#endif
