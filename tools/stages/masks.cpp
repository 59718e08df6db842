#include "tools.hpp"

#include <ocitk/stages/masks.hpp>

// ocitk-masks: the last look at the new root from outside. What is to be hidden is covered, what is to stay as it is
// becomes read-only.
namespace ocitk::tools::stages {

namespace {

class masks_tool : public cli::stage_tool<ocitk::stages::protect_paths> {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("mask", &masked_, "a path to hide, may be given again");
    o.add("read-only-path", &read_only_paths_, "a path to make read-only, may be given again");
    o.add("read-only", &read_only_, "make the whole root read-only");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (!here.config.root) here.config.root.emplace();
    if (read_only_) here.config.root->readonly = true;
    for (const auto& path : masked_) OCITK_TRY(add(here.config.linux.masked_paths, path));
    for (const auto& path : read_only_paths_) OCITK_TRY(add(here.config.linux.readonly_paths, path));
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    OCITK_TRY(cli::require_root(here));
    if (!here.has_spec) here.config.linux.namespaces = OCITK_TRY(cli::own_namespaces(here.state));
    return stage_tool::run(here);
  }

 private:
  static auto add(spec::strings& paths, const std::string& path) -> result<> {
    if (!path.starts_with('/')) return failure(path + ": the path has to be absolute");
    paths.push_back(path);
    return {};
  }
  std::vector<std::string> masked_, read_only_paths_;
  bool read_only_ = false;
};

}  // namespace

auto make_masks() -> made_tool { return std::make_unique<masks_tool>(); }

}  // namespace ocitk::tools::stages
