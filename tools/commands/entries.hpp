#ifndef OCITK_TOOLS_ENTRIES_HPP
#define OCITK_TOOLS_ENTRIES_HPP

#include "commands.hpp"

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

}  // namespace ocitk::tools

#endif
