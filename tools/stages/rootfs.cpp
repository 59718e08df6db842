#include "tools.hpp"

#include <ocitk/mounts/options.hpp>
#include <ocitk/spec/defaults.hpp>
#include <ocitk/sys/directory.hpp>
#include <ocitk/stages/rootfs.hpp>

// ocitk-rootfs: builds the new root on top of the old one, in the chain's own mount namespace and nowhere else.
namespace ocitk::tools::stages {

namespace {

/// "tmpfs:tmpfs:/tmp:mode=1777,size=1m"
auto mount_of(const std::string& text) -> result<spec::mount> {
  const auto parts = cli::detail::parts_of(text, ':');
  if (parts.size() < 3) return failure(text + ": a mount is TYPE:SOURCE:DESTINATION[:OPTION,...]");
  spec::mount m{.destination = std::string{parts[2]}, .type = std::string{parts[0]}, .source = std::string{parts[1]}};
  if (!m.destination.starts_with('/')) return failure(text + ": the destination has to be absolute");
  std::string_view options = text;  // they may hold colons
  for (int i = 0; i < 3; ++i) options.remove_prefix(std::min(options.find(':'), options.size() - 1) + 1);
  if (parts.size() > 3) m.options = cli::words_in(options);
  return m;
}

class rootfs_tool : public cli::stage_tool<ocitk::stages::build_rootfs> {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("root", &root_, "directory of the new root");
    o.add("mount", &mounts_, "TYPE:SOURCE:DESTINATION[:OPTION,...], may be given again");
    o.add("default-mounts", &default_mounts_, "those of `ocitk spec`: /proc, /dev, /sys and what belongs there");
  }
  [[nodiscard]] auto enters_containers() const -> bool override { return true; }

  auto fill(cli::chain_link& here) -> result<> override {
    if (!root_.empty()) here.config.root = spec::root{.path = root_};
    if (!here.config.root) return failure("--root is needed");
    if (default_mounts_)
      for (auto& m : spec::detail::default_mounts(false)) here.config.mounts.push_back(std::move(m));
    for (const auto& text : mounts_) here.config.mounts.push_back(OCITK_TRY(mount_of(text)));
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    if (here.state.pivoted) return failure("the pivot is done already");
    if (here.state.rootfs) return failure("there is a new root already");
    if (!here.has_spec || here.config.linux.has("mount")) OCITK_TRY(cli::require_own_namespace(here.state, "mount"));
    if (!here.has_spec) here.config.linux.namespaces = OCITK_TRY(cli::own_namespaces(here.state));
    if (here.state.bundle.empty()) here.state.bundle = OCITK_TRY(ocitk::sys::current_directory());
    OCITK_TRY(cli::keep_self(here.state));
    return stage_tool::run(here);
  }

 private:
  std::string root_;
  std::vector<std::string> mounts_;
  bool default_mounts_ = false;
};

}  // namespace

auto make_rootfs() -> made_tool { return std::make_unique<rootfs_tool>(); }

}  // namespace ocitk::tools::stages
