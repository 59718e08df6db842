#ifndef OCITK_SPEC_ENVIRONMENT_HPP
#define OCITK_SPEC_ENVIRONMENT_HPP

#include <ocitk/spec/config.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <set>

namespace ocitk::spec {

/// The environment of the payload: of entries with the same name the last one stays, where it stands;
/// an empty HOME counts as absent, and an absent HOME is `home`.
///
/// Reads    /process/env ("K=V")
inline auto environment(const process& process, std::string_view home) -> strings {
  strings kept;
  std::set<std::string_view> seen;
  bool has_home = false;
  for (auto entry = process.env.rbegin(); entry != process.env.rend(); ++entry) {
    const auto name = std::string_view{*entry}.substr(0, entry->find('='));
    if (!seen.insert(name).second) continue;
    if (name == "HOME" && *entry == "HOME=") continue;
    has_home = has_home || name == "HOME";
    kept.push_back(*entry);
  }
  std::reverse(kept.begin(), kept.end());
  if (!has_home) kept.push_back("HOME=" + std::string{home});
  return kept;
}

}  // namespace ocitk::spec

#endif
