#include "tools.hpp"

#include <ocitk/stages/keyring.hpp>

#include <fmt/core.h>
#include <unistd.h>

// ocitk-keyring: a session keyring of the program's own.
namespace ocitk::tools::stages {

namespace {

class keyring_tool : public cli::stage_tool<ocitk::stages::join_keyring> {
 public:
  auto options(cli::option_list& o) -> void override { o.add("name", &name_, "of the keyring: _ses.NAME"); }
  auto fill(cli::chain_link& here) -> result<> override {
    if (!name_.empty()) here.state.id = name_;
    if (here.state.id.empty()) here.state.id = fmt::format("ocitk-{}", ::getpid());
    return {};
  }

 private:
  std::string name_;
};

}  // namespace

auto make_keyring() -> made_tool { return std::make_unique<keyring_tool>(); }

}  // namespace ocitk::tools::stages
