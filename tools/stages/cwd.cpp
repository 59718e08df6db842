#include "tools.hpp"

#include <ocitk/stages/cwd.hpp>

// ocitk-cwd: goes to a directory while still root.
namespace ocitk::tools::stages {

namespace {

class cwd_tool : public cli::stage_tool<ocitk::stages::enter_directory> {
 public:
  [[nodiscard]] auto takes(std::string_view, std::size_t index, bool has_spec) const -> bool override {
    return !has_spec && index == 0;
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (here.has_spec) return {};
    if (here.operands.empty()) return failure("no directory is given");
    cli::process_of(here).cwd = here.operands[0];
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    if (here.has_spec && !here.state.pivoted) return cli::comes_first("pivot", "the directory is the container's");
    return stage_tool::run(here);
  }
};

}  // namespace

auto make_cwd() -> made_tool { return std::make_unique<cwd_tool>(); }

}  // namespace ocitk::tools::stages
