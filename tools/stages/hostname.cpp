#include "tools.hpp"

#include <ocitk/stages/hostname.hpp>

// ocitk-hostname: names a UTS namespace that is the chain's own; it would rename the machine anywhere else.
namespace ocitk::tools::stages {

namespace {

class hostname_tool : public cli::stage_tool<ocitk::stages::set_hostname> {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("host", &host_, "the host name");
    o.add("domain", &domain_, "the NIS domain name");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (!host_.empty()) here.config.hostname = host_;
    if (!domain_.empty()) here.config.domainname = domain_;
    if (!here.has_spec && host_.empty() && domain_.empty()) return failure("--host or --domain is needed");
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    if (here.config.hostname.empty() && here.config.domainname.empty()) return {};
    OCITK_TRY(cli::require_own_namespace(here.state, "uts"));
    return stage_tool::run(here);
  }

 private:
  std::string host_, domain_;
};

}  // namespace

auto make_hostname() -> made_tool { return std::make_unique<hostname_tool>(); }

}  // namespace ocitk::tools::stages
