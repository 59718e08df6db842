#include "tools.hpp"

#include <ocitk/stages/no_new_privs.hpp>

// ocitk-no-new-privs: set-uid bits and file capabilities lose their meaning from here on.
namespace ocitk::tools::stages {

namespace {

class no_new_privs_tool : public cli::stage_tool<ocitk::stages::forbid_new_privileges> {
 public:
  auto fill(cli::chain_link& here) -> result<> override {
    if (!here.has_spec) cli::process_of(here).no_new_privileges = true;
    return {};
  }
};

}  // namespace

auto make_no_new_privs() -> made_tool { return std::make_unique<no_new_privs_tool>(); }

}  // namespace ocitk::tools::stages
