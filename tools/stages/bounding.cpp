#include "keep.hpp"
#include "tools.hpp"

#include <ocitk/stages/bounding.hpp>

// ocitk-bounding: takes capabilities out of reach. A program that root executes gets what is in the bounding and the
// inheritable set, so with a bundle the tools up to ocitk-caps get theirs by way of the latter; ocitk-exec refuses if
// ocitk-caps has not taken them back.
namespace ocitk::tools::stages {

namespace {

namespace caps = ocitk::stages::caps;

auto lend(std::vector<std::string>& warnings) -> result<> {
  auto sets = OCITK_TRY(caps::available()).held;
  sets.inheritable |= sets.permitted & sets.bounding;  // capset(2) takes no others
  return caps::apply(sets, warnings);
}

class bounding_tool : public cli::tool {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("keep", &keep_, "capabilities that stay in reach, CAP_KILL,CAP_CHOWN; without a bundle, none by default");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (here.has_spec && keep_.empty()) return {};
    cli::process_of(here).capabilities = OCITK_TRY(capabilities_of(keep_));
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    if (here.has_spec) {
      std::vector<std::string> warnings;  // of sets the process has already: there are none
      OCITK_TRY(lend(warnings));
      here.state.lent = true;
    } else {
      const auto have = OCITK_TRY(caps::available());
      OCITK_TRY(require_held(here.config.process->capabilities->bounding, have.held.bounding));
    }
    return cli::run_stages(ocitk::stages::limit_capabilities{}, here);
  }

 private:
  std::string keep_;
};

}  // namespace

auto make_bounding() -> made_tool { return std::make_unique<bounding_tool>(); }

}  // namespace ocitk::tools::stages
