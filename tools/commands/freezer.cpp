#include "commands.hpp"
#include "entries.hpp"

#include <ocitk/runtime/status.hpp>
#include <ocitk/sys/cgroup_tree.hpp>

#include <string>

// pause, resume: the freezer of the container's cgroup.
namespace ocitk::tools {

auto pause(const surroundings& about, const std::string& id) -> result<int> {
  const auto c = OCITK_TRY(look_up(about, id));
  if (c.now.is != runtime::status::running && c.now.is != runtime::status::created) return failure("container not running");
  OCITK_TRY(sys::cgroupfs::freeze(c.known.cgroup_paths));
  return 0;
}

auto resume(const surroundings& about, const std::string& id) -> result<int> {
  const auto c = OCITK_TRY(look_up(about, id));
  if (c.now.is != runtime::status::paused) return failure("container not paused");
  OCITK_TRY(sys::cgroupfs::unfreeze(c.known.cgroup_paths));
  return 0;
}

}  // namespace ocitk::tools
