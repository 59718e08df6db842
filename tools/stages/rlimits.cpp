#include "tools.hpp"

#include <ocitk/stages/rlimits.hpp>

#include <array>

// ocitk-rlimits: one option per resource, `--nofile 1024:2048`.
namespace ocitk::tools::stages {

namespace {

using ocitk::stages::rlimits::resources;

/// "nofile" for "RLIMIT_NOFILE".
auto option_name(std::string_view type) -> std::string {
  std::string name{type.substr(type.find('_') + 1)};
  for (char& c : name) c = static_cast<char>(c - 'A' + 'a');
  return name;
}

auto value_of(std::string_view text) -> result<std::uint64_t> {
  if (text == "unlimited" || text == "infinity") return std::uint64_t{RLIM_INFINITY};
  return cli::detail::number_in<std::uint64_t>(text);
}

class rlimits_tool : public cli::tool {
 public:
  rlimits_tool() {
    for (std::size_t i = 0; i < resources.size(); ++i) names_[i] = option_name(resources[i].first);
  }
  auto options(cli::option_list& o) -> void override {
    for (std::size_t i = 0; i < names_.size(); ++i)
      o.add(names_[i], &texts_[i], fmt::format("SOFT[:HARD] of {}, numbers or `unlimited`", resources[i].first));
  }
  auto fill(cli::chain_link& here) -> result<> override {
    bool any = false;
    for (const auto& text : texts_) any = any || !text.empty();
    if (!any && !here.has_spec) return failure("no limit is given");
    auto& limits = cli::process_of(here).rlimits;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (texts_[i].empty()) continue;
      const auto parts = cli::detail::parts_of(texts_[i], ':');
      if (parts.size() > 2) return failure(texts_[i] + ": a limit is SOFT[:HARD]");
      const auto soft = OCITK_TRY(value_of(parts.front()));
      const auto hard = OCITK_TRY(value_of(parts.back()));
      std::erase_if(limits, [&](const spec::rlimit& l) { return l.type == resources[i].first; });
      limits.push_back({.type = std::string{resources[i].first}, .soft = soft, .hard = hard});
    }
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override { return cli::run_stages(ocitk::stages::set_rlimits{}, here); }

 private:
  std::array<std::string, resources.size()> names_{}, texts_{};
};

}  // namespace

auto make_rlimits() -> made_tool { return std::make_unique<rlimits_tool>(); }

}  // namespace ocitk::tools::stages
