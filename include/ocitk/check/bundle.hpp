#ifndef OCITK_CHECK_BUNDLE_HPP
#define OCITK_CHECK_BUNDLE_HPP

#include <ocitk/check/document.hpp>
#include <ocitk/check/files.hpp>
#include <ocitk/check/finding.hpp>
#include <ocitk/check/host.hpp>
#include <ocitk/check/kernel.hpp>
#include <ocitk/check/limits.hpp>
#include <ocitk/check/permissions.hpp>
#include <ocitk/spec/draft.hpp>
#include <ocitk/spec/validate.hpp>

#include <linux/capability.h>

#include <algorithm>
#include <string>
#include <string_view>

/// The whole verdict about a bundle: its document, then this host with regard to it.
namespace ocitk::check {

namespace detail {

/// What is refused only because of who asks.
inline void judge_rootless(examined& e, const host& h) {
  auto draft = e.draft;
  const auto errors = spec::hear_out(draft, [&](const spec::draft& d) {
    const auto c = d.read();
    return c ? verdict(spec::validate(*c, {.euid = h.euid})) : verdict(c);
  });
  for (const auto& err : errors) {
    auto f = from_error(err);
    if (std::ranges::find(e.all, f) != e.all.end()) continue;
    f.needs = "root";
    e.all.push_back(std::move(f));
  }
}

}  // namespace detail

/// Reads   the text of a config.json; `bundle` is the absolute path it was found in
/// Calls   nothing that changes anything or needs privileges
inline auto check_bundle(std::string_view text, const std::string& bundle, const host& h) -> findings {
  auto e = examine(text, h.cgroups.pure_v2);
  if (!e.config) return std::move(e.all);
  if (h.euid != 0) detail::judge_rootless(e, h);
  e.add(kernel_findings(*e.config, h));
  e.add(permission_findings(*e.config, h));
  judge_cgroups(e, h);
  e.add(file_findings(*e.config, bundle, h.holds(CAP_MKNOD)));
  return std::move(e.all);
}

}  // namespace ocitk::check

#endif
