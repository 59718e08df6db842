#include "tools.hpp"

#include <ocitk/cli/applets.hpp>
#include <ocitk/cli/chain_start.hpp>

#include <array>
#include <new>
#include <span>
#include <string_view>

// Finds the tool that the program was started as. The one file that pays for the option parser.
namespace ocitk::tools::stages {

namespace {

struct maker {
  std::string_view word;
  made_tool (*make)();
};

constexpr std::array<maker, cli::applets.size()> makers{{
    {"spec", make_spec},       {"idmap", make_idmap},       {"cgroup", make_cgroup},
    {"unshare", make_unshare}, {"keyring", make_keyring},   {"network", make_network},
    {"rootfs", make_rootfs},   {"hooks", make_hooks},       {"console", make_console},
    {"masks", make_masks},
    {"sysctl", make_sysctl},   {"pivot", make_pivot},       {"hostname", make_hostname},
    {"scheduler", make_scheduler}, {"ioprio", make_ioprio}, {"personality", make_personality},
    {"mempolicy", make_mempolicy},
    {"rlimits", make_rlimits}, {"no-new-privs", make_no_new_privs}, {"seccomp", make_seccomp},
    {"bounding", make_bounding}, {"cwd", make_cwd},         {"user", make_user},
    {"caps", make_caps},       {"exec", make_exec},
}};

consteval auto same_words() -> bool {
  for (std::size_t i = 0; i < makers.size(); ++i)
    if (makers[i].word != cli::applets[i].word) return false;
  return true;
}
static_assert(same_words(), "the tools stand in another order than their descriptions");

auto last_component(std::string_view path) -> std::string_view { return path.substr(path.rfind('/') + 1); }

}  // namespace

auto run_applet(int argc, char** argv) -> std::optional<int> {
  const auto name = last_component(argc > 0 ? argv[0] : "");
  if (!name.starts_with(cli::applet_prefix)) return std::nullopt;
  for (std::size_t i = 0; i < makers.size(); ++i) {
    const auto& row = cli::applets[i];
    if (name.substr(cli::applet_prefix.size()) != row.word) continue;
    try {
      return cli::start_chain(row, *makers[i].make(), {argv, static_cast<std::size_t>(argc)});
    } catch (const std::bad_alloc&) {
      cli::print_line(row, "out of memory");
      return cli::exit_code::failed;
    }
  }
  return std::nullopt;
}

}  // namespace ocitk::tools::stages
