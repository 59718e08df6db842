#include "tools.hpp"

#include <ocitk/spec/validate.hpp>
#include <ocitk/stages/sysctl.hpp>

// ocitk-sysctl: kernel parameters, each only if the namespace that it belongs to is the chain's own.
namespace ocitk::tools::stages {

namespace {

class sysctl_tool : public cli::stage_tool<ocitk::stages::set_sysctls> {
 public:
  [[nodiscard]] auto takes(std::string_view word, std::size_t, bool) const -> bool override {
    return word.find('=') != word.npos;  // as env(1) has it
  }
  auto fill(cli::chain_link& here) -> result<> override {
    for (const auto& word : here.operands) here.config.linux.sysctl[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
    if (!here.has_spec && here.operands.empty()) return failure("no KEY=VALUE is given");
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    spec::linux_ own;
    own.namespaces = OCITK_TRY(cli::own_namespaces(here.state));
    for (const auto& [key, value] : here.config.linux.sysctl)
      OCITK_TRY(at(ocitk::stages::sysctl::pointer_to(key), spec::detail::check_sysctl(own, key)));
    return stage_tool::run(here);
  }
};

}  // namespace

auto make_sysctl() -> made_tool { return std::make_unique<sysctl_tool>(); }

}  // namespace ocitk::tools::stages
