#include "tools.hpp"

#include <ocitk/stages/mempolicy.hpp>

// ocitk-mempolicy: on which memory nodes pages go.
namespace ocitk::tools::stages {

namespace {

class mempolicy_tool : public cli::stage_tool<ocitk::stages::set_memory_policy> {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("mode", &mode_, "DEFAULT, LOCAL, BIND, PREFERRED, PREFERRED_MANY, INTERLEAVE or WEIGHTED_INTERLEAVE");
    o.add("nodes", &nodes_, "list of memory nodes: 0-3,7");
    o.add("flag", &flags_, "STATIC_NODES, RELATIVE_NODES or NUMA_BALANCING; may be given again");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (mode_.empty()) return here.has_spec ? result<>{} : failure("--mode is needed");
    const auto whole = [](const std::string& word, const std::string& prefix) { return word.starts_with(prefix) ? word : prefix + word; };
    spec::memory_policy wanted{.mode = whole(mode_, "MPOL_"), .nodes = nodes_};
    for (const auto& flag : flags_) wanted.flags.push_back(whole(flag, "MPOL_F_"));
    here.config.linux.memory_policy = std::move(wanted);
    return {};
  }

 private:
  std::string mode_, nodes_;
  std::vector<std::string> flags_;
};

}  // namespace

auto make_mempolicy() -> made_tool { return std::make_unique<mempolicy_tool>(); }

}  // namespace ocitk::tools::stages
