#include "tools.hpp"

#include <ocitk/runtime/init.hpp>
#include <ocitk/stages/apparmor.hpp>
#include <ocitk/stages/exec.hpp>
#include <ocitk/stages/selinux.hpp>

#include <unistd.h>

// ocitk-exec: the end of a chain. Nothing of it stays open or in the environment.
namespace ocitk::tools::stages {

namespace {

/// The environment without what the chain put there.
auto clean_environment(const cli::chain_state& state) -> spec::strings {
  spec::strings kept;
  const auto links = state.links ? cli::detail::directory_of(state.links) : std::string{};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with("OCITK_")) continue;
    if (text.starts_with("PATH=") && !links.empty())
      kept.push_back("PATH=" + cli::detail::without_entry(text.substr(5), links));
    else
      kept.emplace_back(text);
  }
  return kept;
}

class exec_tool : public cli::tool {
 public:
  [[nodiscard]] auto may_end(bool has_spec) const -> bool override { return has_spec; }

  auto fill(cli::chain_link& here) -> result<> override {
    if (!here.next.empty()) cli::process_of(here).args.assign(here.next.begin(), here.next.end());
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    if (here.state.lent)
      return cli::comes_first("caps", "capabilities are still there that the program may not have");
    if (here.has_spec && !here.state.pivoted && here.next.empty())
      return cli::comes_first("pivot", "the bundle's program would run in the host's root");
    auto& process = *here.config.process;
    if (!here.has_spec || !here.state.pivoted) {  // not in a container: here, and as things are
      process.cwd = OCITK_TRY(ocitk::sys::current_directory());
      process.env = clean_environment(here.state);
      process.user.uid = ::getuid();
    } else if (here.config.linux.has("mount")) {
      OCITK_TRY(runtime::detail::change_null_devices());
    }
    // Labels hold from the next exec on, so it is the last tool that sets them.
    return cli::run_stages(ocitk::stages::set_profile{} | ocitk::stages::label_payload{} | ocitk::stages::execute{}, here);
  }
  /// As a shell has it, for the program; anything else is a failure of the tool.
  [[nodiscard]] auto code_for(const error& why) const -> int override {
    if (why.pointer != "/process/args/0") return cli::exit_code::failed;
    return why.code == ENOENT ? cli::exit_code::not_found : cli::exit_code::cannot_run;
  }
};

}  // namespace

auto make_exec() -> made_tool { return std::make_unique<exec_tool>(); }

}  // namespace ocitk::tools::stages
