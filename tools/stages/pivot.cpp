#include "tools.hpp"

#include <ocitk/stages/pivot.hpp>

// ocitk-pivot: the host's files are gone after it, and so is the way to the next tool by its path. The program itself
// comes along in a descriptor, and a directory of links to it in PATH.
namespace ocitk::tools::stages {

namespace {

class pivot_tool : public cli::stage_tool<ocitk::stages::change_root> {
 public:
  auto run(cli::chain_link& here) -> result<> override {
    OCITK_TRY(cli::require_root(here));
    if (!here.has_spec) here.config.linux.namespaces = OCITK_TRY(cli::own_namespaces(here.state));
    OCITK_TRY(cli::keep_self(here.state));
    OCITK_TRY(cli::offer_links(here.state));
    OCITK_TRY(stage_tool::run(here));
    here.state.rootfs.reset();
    here.state.devpts.reset();
    here.state.read_only_later.clear();
    here.state.cgroups.clear();
    if (!here.has_spec) here.state.bundle.clear();  // hooks are told of it; nobody else follows it any more
    here.state.pivoted = true;
    return {};
  }
};

}  // namespace

auto make_pivot() -> made_tool { return std::make_unique<pivot_tool>(); }

}  // namespace ocitk::tools::stages
