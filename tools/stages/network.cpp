#include "tools.hpp"

#include <ocitk/stages/network.hpp>

// ocitk-network: brings up `lo` of a network namespace that the chain made.
namespace ocitk::tools::stages {

namespace {

class network_tool : public cli::stage_tool<ocitk::stages::start_loopback> {
 public:
  auto run(cli::chain_link& here) -> result<> override {
    if (here.has_spec && !here.config.linux.creates("network")) return {};
    OCITK_TRY(cli::require_own_namespace(here.state, "network"));
    if (!here.has_spec) here.config.linux.namespaces = OCITK_TRY(cli::own_namespaces(here.state));
    return stage_tool::run(here);
  }
};

}  // namespace

auto make_network() -> made_tool { return std::make_unique<network_tool>(); }

}  // namespace ocitk::tools::stages
