#include "keep.hpp"
#include "tools.hpp"

#include <ocitk/stages/bounding.hpp>
#include <ocitk/stages/caps.hpp>
#include <ocitk/sys/credentials.hpp>

#include <linux/capability.h>
#include <unistd.h>

// ocitk-caps: these capabilities and no others. The bounding set too: a program that root executes gets all of it. After
// ocitk-bounding that finds nothing left to do.
namespace ocitk::tools::stages {

namespace {

namespace caps = ocitk::stages::caps;

class caps_tool : public cli::tool {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("keep", &keep_, "capabilities the program gets, CAP_KILL,CAP_CHOWN; without a bundle, none by default");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (here.has_spec && keep_.empty()) return {};
    cli::process_of(here).capabilities = OCITK_TRY(capabilities_of(keep_));
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    if (!keep_.empty()) {
      const auto have = OCITK_TRY(caps::available());
      OCITK_TRY(require_held(here.config.process->capabilities->permitted, have.held.permitted));
    }
    const bool limits = OCITK_TRY(must_limit(here));
    OCITK_TRY(limits ? cli::run_stages(ocitk::stages::limit_capabilities{} | ocitk::stages::drop_capabilities{}, here)
                     : cli::run_stages(ocitk::stages::drop_capabilities{}, here));
    here.state.lent = false;
    return {};
  }

 private:
  /// Who is not root gets nothing from the bounding set but by set-uid programs, which are for ocitk-no-new-privs to stop.
  /// A bundle's has to be limited in any case.
  static auto must_limit(const cli::chain_link& here) -> result<bool> {
    if (here.has_spec || ::geteuid() == 0) return true;
    return sys::has_capability(CAP_SETPCAP);
  }
  std::string keep_;
};

}  // namespace

auto make_caps() -> made_tool { return std::make_unique<caps_tool>(); }

}  // namespace ocitk::tools::stages
