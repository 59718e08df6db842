#include "tools.hpp"

#include <ocitk/stages/personality.hpp>

// ocitk-personality: whether uname(2) speaks of a 32-bit machine.
namespace ocitk::tools::stages {

namespace {

class personality_tool : public cli::stage_tool<ocitk::stages::set_personality> {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("domain", &domain_, "LINUX or LINUX32");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (domain_.empty()) return here.has_spec ? result<>{} : failure("--domain is needed");
    here.config.linux.personality = spec::personality{.domain = domain_};
    return {};
  }

 private:
  std::string domain_;
};

}  // namespace

auto make_personality() -> made_tool { return std::make_unique<personality_tool>(); }

}  // namespace ocitk::tools::stages
