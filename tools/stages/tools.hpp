#ifndef OCITK_TOOLS_STAGES_TOOLS_HPP
#define OCITK_TOOLS_STAGES_TOOLS_HPP

#include <ocitk/cli/chain.hpp>
#include <ocitk/spec/config.hpp>

#include <memory>
#include <optional>
#include <string>

/// The stage tools, one file each. Their names, usage and order are in ocitk/cli/applets.hpp.
namespace ocitk::tools::stages {

using made_tool = std::unique_ptr<cli::tool>;

auto make_spec() -> made_tool;
auto make_idmap() -> made_tool;
auto make_cgroup() -> made_tool;
auto make_unshare() -> made_tool;
auto make_keyring() -> made_tool;
auto make_network() -> made_tool;
auto make_rootfs() -> made_tool;
auto make_hooks() -> made_tool;
auto make_console() -> made_tool;
auto make_masks() -> made_tool;
auto make_sysctl() -> made_tool;
auto make_pivot() -> made_tool;
auto make_hostname() -> made_tool;
auto make_scheduler() -> made_tool;
auto make_ioprio() -> made_tool;
auto make_personality() -> made_tool;
auto make_mempolicy() -> made_tool;
auto make_rlimits() -> made_tool;
auto make_no_new_privs() -> made_tool;
auto make_seccomp() -> made_tool;
auto make_bounding() -> made_tool;
auto make_cwd() -> made_tool;
auto make_user() -> made_tool;
auto make_caps() -> made_tool;
auto make_exec() -> made_tool;

/// A file with a linux.seccomp object. Here, so that only files that read JSON pay for the parser.
auto read_profile(const std::string& path) -> result<spec::seccomp>;

/// If the program was started as a stage tool, runs it; otherwise there is nothing to return.
auto run_applet(int argc, char** argv) -> std::optional<int>;

}  // namespace ocitk::tools::stages

#endif
