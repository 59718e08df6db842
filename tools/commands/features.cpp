#include "commands.hpp"

#include <ocitk/mounts/options.hpp>
#include <ocitk/privileges/capabilities.hpp>
#include <ocitk/spec/defaults.hpp>
#include <ocitk/spec/nearest.hpp>
#include <ocitk/spec/validate.hpp>
#include <ocitk/stages/hooks.hpp>
#include <ocitk/stages/mempolicy.hpp>
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/sys/seccomp.hpp>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <seccomp.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

// features: what engines ask before they make a config.json. Every list comes from where the code has it, and a word
// that would be refused is on none.
namespace ocitk::tools {

namespace {

using json = nlohmann::ordered_json;
using word_list = std::vector<std::string>;

auto sorted(word_list all) -> word_list {
  std::ranges::sort(all);
  return all;
}

auto hook_names() -> word_list {
  using ocitk::stages::hooks::moment;
  word_list all;
  for (const auto when : {moment::prestart, moment::create_runtime, moment::create_container, moment::start_container,
                          moment::poststart, moment::poststop})
    all.emplace_back(ocitk::stages::hooks::to_string(when));
  return all;
}

/// Would a mount with this get through the checks of `create`?
auto is_taken(const spec::mount& m) -> bool { return mounts::plan_for(m).has_value(); }

/// Without `idmap` and `ridmap`, as runc has it: clients look at mountExtensions for those.
auto mount_options() -> word_list {
  auto all = mounts::option_words();
  all.emplace_back("tmpcopyup");
  std::erase_if(all, [](const auto& word) { return !is_taken({.destination = "/x", .type = "tmpfs", .options = {word}}); });
  return sorted(std::move(all));
}

auto maps_ids_of_mounts() -> bool {
  const std::vector<spec::id_mapping> map{{.container_id = 0, .host_id = 1, .size = 1}};
  return is_taken({.destination = "/x", .type = "bind", .source = "/x", .options = {"bind"}, .uid_mappings = map, .gid_mappings = map});
}

auto namespaces() -> word_list {
  word_list all;
  for (const auto& kind : sys::namespace_kinds) all.emplace_back(kind.type);
  return sorted(std::move(all));
}

auto capabilities() -> word_list {
  constexpr int beyond_any = 64;
  word_list all;
  for (int number = 0; number < beyond_any; ++number)
    if (auto name = privileges::capabilities::name_of(number); privileges::capabilities::number_of(name))
      all.push_back(std::move(name));
  return all;
}

auto seccomp() -> json {
  word_list archs, supported;
  for (const auto word : ocitk::stages::seccomp::architecture_words)
    if (ocitk::stages::seccomp::architecture_of(word)) archs.emplace_back(word);
  for (const auto& [word, bit] : ocitk::stages::seccomp::flag_words)
    if (sys::knows_seccomp_flag(bit)) supported.emplace_back(word);
  return {{"enabled", true},
          {"actions", sorted(spec::first_column(ocitk::stages::seccomp::detail::actions))},
          {"operators", sorted(spec::first_column(ocitk::stages::seccomp::detail::operators))},
          {"archs", sorted(std::move(archs))},
          {"knownFlags", sorted(spec::first_column(ocitk::stages::seccomp::flag_words))},
          {"supportedFlags", sorted(std::move(supported))}};
}

/// What the code can do, whatever this host has: engines ask the host themselves.
auto linux_features() -> json {
  const json enabled{{"enabled", true}};
  return {{"namespaces", namespaces()},
          {"capabilities", capabilities()},
          {"cgroup", {{"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", false}}},
          {"seccomp", seccomp()},
          {"apparmor", enabled},
          {"selinux", enabled},
          {"intelRdt", {{"enabled", true}, {"schemata", true}, {"monitoring", true}}},
          {"memoryPolicy", {{"modes", sorted(spec::first_column(ocitk::stages::mempolicy::modes))}, {"flags", sorted(spec::first_column(ocitk::stages::mempolicy::flags))}}},
          {"mountExtensions", {{"idmap", {{"enabled", maps_ids_of_mounts()}}}}},
          {"netDevices", enabled}};
}

auto annotations() -> json {
  const auto* version = ::seccomp_version();
  return {{"io.github.seccomp.libseccomp.version", fmt::format("{}.{}.{}", version->major, version->minor, version->micro)},
          {"org.opencontainers.runc.checkpoint.enabled", "false"},
          {"org.ocitk.version", OCITK_VERSION},
          {"org.ocitk.commit", OCITK_COMMIT}};
}

}  // namespace

auto print_features() -> result<int> {
  const json document{{"ociVersionMin", "1.0.0"},
                      {"ociVersionMax", spec::oci_version},
                      {"hooks", hook_names()},
                      {"mountOptions", mount_options()},
                      {"linux", linux_features()},
                      {"annotations", annotations()}};
  constexpr int indent = 4;
  OCITK_TRY(sys::write_all(fd_ref::of(1), document.dump(indent) + "\n"));
  return 0;
}

}  // namespace ocitk::tools
