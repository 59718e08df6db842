#ifndef OCITK_STAGES_IDMAP_HPP
#define OCITK_STAGES_IDMAP_HPP

#include <ocitk/context.hpp>
#include <ocitk/spec/id_maps.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/text.hpp>

#include <string>
#include <vector>

namespace ocitk::stages::idmap {

/// One file to write below /proc/PID.
struct write {
  std::string file{}, text{}, pointer{};
  bool operator==(const write&) const = default;
};

/// The files in the order the kernel wants them: without privileges setgroups(2) is given up before gid_map.
///
/// Reads  /linux/uidMappings, /linux/gidMappings
inline auto plan_for(const spec::linux_& linux, bool privileged) -> std::vector<write> {
  std::vector<write> plan;
  if (!linux.creates("user")) return plan;
  plan.push_back({"uid_map", spec::lines_of(linux.uid_mappings), "/linux/uidMappings"});
  if (!privileged) plan.push_back({"setgroups", "deny", "/linux/gidMappings"});
  plan.push_back({"gid_map", spec::lines_of(linux.gid_mappings), "/linux/gidMappings"});
  return plan;
}

/// Writes the maps of a process. A map is one write(2), or the kernel refuses it.
inline auto apply(const std::vector<write>& plan, fd_ref proc_of_pid) -> result<> {
  for (const auto& w : plan) {
    const auto put = [&]() -> result<> {
      const auto file = OCITK_TRY(sys::open_at(proc_of_pid, w.file, O_WRONLY));
      return trying(w.file, checked(sys::kernel::write(file.get(), w.text.data(), w.text.size()), "write"));
    };
    OCITK_TRY(at(w.pointer, put));
  }
  return {};
}

}  // namespace ocitk::stages::idmap

namespace ocitk::stages {

/// Maps the ids of a new user namespace. Runs in the parent, on the pid in its context: the privileges that the
/// maps need are the parent's.
///
/// Reads    /linux/uidMappings, /linux/gidMappings
/// Process  parent
/// Calls    write(2) on /proc/PID/{uid_map,setgroups,gid_map}, see user_namespaces(7)
/// Fails    EPERM for ids the caller may not map; EINVAL for overlapping maps
struct map_ids : stage_in<parent_context> {
  static constexpr std::string_view name = "idmap";
  static constexpr std::string_view reads = "/linux/uidMappings, /linux/gidMappings";
  static constexpr std::string_view summary = "maps the ids of a new user namespace";
  auto operator()(parent_context& ctx) const -> result<> {
    const auto plan = idmap::plan_for(ctx.spec.linux, ::geteuid() == 0);
    if (plan.empty()) return {};
    const auto dir = ctx.pid == 0 ? std::string{"/proc/self"} : filled("/proc/{}", ctx.pid);
    return idmap::apply(plan, OCITK_TRY(sys::open_at(fd_ref::cwd(), dir, O_PATH | O_DIRECTORY)));
  }
};

}  // namespace ocitk::stages

#endif
