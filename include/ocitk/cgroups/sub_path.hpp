#ifndef OCITK_CGROUPS_SUB_PATH_HPP
#define OCITK_CGROUPS_SUB_PATH_HPP

#include <ocitk/error.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/text.hpp>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// `exec --cgroup`: cgroups below those of the container. Nothing here asks the system.
namespace ocitk::cgroups {

/// By controller; "" stands for all of them.
using sub_paths = std::map<std::string, std::string>;

/// The path without `.`, `..` and empty components; empty for the container's cgroup itself.
///
/// Fails  `bad sub cgroup path`: it leads out of that cgroup (threat R23)
inline auto below_container(std::string_view path) -> result<std::string> {
  std::vector<std::string> parts;
  for (auto& part : sys::cgroupfs::split(path, '/')) {
    if (part == ".") continue;
    if (part != "..") {
      parts.push_back(std::move(part));
      continue;
    }
    if (parts.empty()) return failure(filled("bad sub cgroup path: {}", path));
    parts.pop_back();
  }
  std::string clean;
  for (const auto& part : parts) clean.append(clean.empty() ? "" : "/").append(part);
  return clean;
}

/// Each argument is `PATH`, or `CONTROLLER[,CONTROLLER]:PATH`.
inline auto sub_paths_from(const std::vector<std::string>& arguments) -> result<sub_paths> {
  sub_paths all;
  for (const auto& argument : arguments) {
    const auto colon = argument.find(':');
    const auto path = argument.substr(colon == argument.npos ? 0 : colon + 1);
    if (path.find(':') != path.npos) return failure(filled("invalid --cgroup argument: {}", argument));
    auto clean = OCITK_TRY(below_container(path));
    if (colon == argument.npos) {
      if (arguments.size() != 1)
        return failure(filled("invalid --cgroup argument: {} (missing <controller>: prefix)", argument));
      all[""] = std::move(clean);
      continue;
    }
    const auto controllers = "," + argument.substr(0, colon) + ",";
    if (controllers.find(",,") != controllers.npos)
      return failure(filled("invalid --cgroup argument: {} (empty <controller> prefix)", argument));
    for (const auto& controller : sys::cgroupfs::split(controllers, ','))
      if (!all.emplace(controller, clean).second)
        return failure(filled("invalid --cgroup argument(s): controller {} specified multiple times", controller));
  }
  return all;
}

}  // namespace ocitk::cgroups

#endif
