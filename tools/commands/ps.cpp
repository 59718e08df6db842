#include "commands.hpp"
#include "entries.hpp"

#include <ocitk/runtime/ps_table.hpp>
#include <ocitk/stages/exec.hpp>
#include <ocitk/stages/hooks.hpp>
#include <ocitk/sys/cgroup_tree.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/program.hpp>

#include <fmt/core.h>

#include <string>
#include <vector>

// ps: the processes of a container's cgroup, as numbers or as the host's ps shows them.
namespace ocitk::tools {

namespace {

/// Only those that can be named here: 0 stands for one of a foreign PID namespace.
auto pids_of(const runtime::record& known) -> result<std::vector<int>> {
  auto all = OCITK_TRY(sys::cgroupfs::pids(known.cgroup_paths));
  std::erase(all, 0);
  return all;
}

auto json_of(const std::vector<int>& pids) -> std::string {
  if (pids.empty()) return "null\n";
  std::string text;
  for (const int pid : pids) text += fmt::format("{}{}", text.empty() ? "[" : ",", pid);
  return text + "]\n";
}

auto host_ps(const std::vector<std::string>& args) -> result<std::string> {
  constexpr std::size_t enough = std::size_t{64} << 20;
  sys::task program{.args = {"ps"}, .env = ocitk::stages::hooks::inherited_environment(), .kept_output = enough};
  auto path = ocitk::stages::exec::find_program("ps", program.env, "/");
  if (!path) return std::unexpected(error{.code = path.error().code, .detail = path.error().detail});  // no word of config.json
  program.path = std::move(*path);
  if (args.empty()) program.args.emplace_back("-ef");
  program.args.insert(program.args.end(), args.begin(), args.end());
  auto ended = OCITK_TRY(sys::run_program(program));
  if (!ended.fine())
    return failure(fmt::format("ps: {}: {}{}", ocitk::stages::hooks::text_of_status(ended.wait_status), ended.out,
                               sys::cgroupfs::trimmed(ended.err)));
  return std::move(ended.out);
}

}  // namespace

auto ps(const surroundings& about, const cli::ps_options& o) -> result<int> {
  const auto c = OCITK_TRY(look_at(about, o.id));
  const auto pids = OCITK_TRY(pids_of(c.known));
  if (o.json) {
    OCITK_TRY(sys::write_all(fd_ref::of(1), json_of(pids)));
    return 0;
  }
  const auto shown = OCITK_TRY(host_ps(o.args));
  const auto rows = OCITK_TRY(runtime::rows_of(shown, pids));
  OCITK_TRY(sys::write_all(fd_ref::of(1), rows));
  return 0;
}

}  // namespace ocitk::tools
