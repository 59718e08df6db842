#ifndef OCITK_RUNTIME_EXEC_PROCESS_HPP
#define OCITK_RUNTIME_EXEC_PROCESS_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/text.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

/// The process that `exec` starts, out of the container's own and what the caller asks for. Nothing here asks the
/// system. An option changes what it names and no more (threat R17).
namespace ocitk::runtime {

/// What the command line of `exec` says of a process.
struct overrides {
  spec::strings args{}, env{}, additional_gids{}, caps{};
  std::string cwd{}, user{};  ///< user: UID[:GID]; empty: as in the container
  std::string selinux_label{}, apparmor_profile{};
  bool terminal = false, no_new_privileges = false;
};

namespace detail {

/// Decimal, up to 4294967294: what comes after it is -1 to setresuid(2), "keep root" (threat R19).
inline auto id_from(std::string_view text, std::string_view complaint) -> result<std::uint32_t> {
  std::uint32_t id = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (problem != std::errc{} || end != text.data() + text.size() || id == std::numeric_limits<std::uint32_t>::max())
    return failure(filled("{}: \"{}\" is no number from 0 to 4294967294", complaint, text));
  return id;
}

/// Names are never looked up: the image's /etc/passwd has no say in who root is.
inline auto change_user(spec::user& who, std::string_view text) -> result<> {
  const auto colon = text.find(':');
  const auto uid = OCITK_TRY(id_from(text.substr(0, colon), "bad uid"));
  if (colon != text.npos) who.gid = OCITK_TRY(id_from(text.substr(colon + 1), "bad gid"));
  who.uid = uid;
  return {};
}

/// Never inheritable (threat R18), so ambient only where the container has it inheritable already.
inline auto add_capability(spec::capabilities& sets, const std::string& name) -> void {
  for (auto* set : {&sets.bounding, &sets.effective, &sets.permitted}) set->push_back(name);
  if (std::ranges::find(sets.inheritable, name) != sets.inheritable.end()) sets.ambient.push_back(name);
}

}  // namespace detail

/// The container's process with the options applied. It has no terminal unless one is asked for.
///
/// Fails  `exec args cannot be empty`, `bad uid`, `bad gid`
inline auto process_from(const spec::process& of_container, const overrides& wanted) -> result<spec::process> {
  if (wanted.args.empty()) return failure("exec args cannot be empty");
  auto p = of_container;
  p.args = wanted.args;
  p.terminal = wanted.terminal;
  if (!wanted.cwd.empty()) p.cwd = wanted.cwd;
  p.env.insert(p.env.end(), wanted.env.begin(), wanted.env.end());
  if (!wanted.user.empty()) OCITK_TRY(detail::change_user(p.user, wanted.user));
  for (const auto& gid : wanted.additional_gids)
    p.user.additional_gids.push_back(OCITK_TRY(detail::id_from(gid, "bad additional gid")));
  if (!wanted.caps.empty() && !p.capabilities) p.capabilities.emplace();
  for (const auto& cap : wanted.caps) detail::add_capability(*p.capabilities, cap);
  if (wanted.no_new_privileges) p.no_new_privileges = true;
  if (!wanted.apparmor_profile.empty()) p.apparmor_profile = wanted.apparmor_profile;
  if (!wanted.selinux_label.empty()) p.selinux_label = wanted.selinux_label;
  return p;
}

/// A process of a file, with what it leaves out as the container has it. Without a umask of either it is `callers`.
inline auto completed(spec::process given, const spec::process& of_container, std::uint32_t callers) -> spec::process {
  if (!given.capabilities) given.capabilities = of_container.capabilities;
  if (given.rlimits.empty()) given.rlimits = of_container.rlimits;
  if (!given.oom_score_adj) given.oom_score_adj = of_container.oom_score_adj;
  if (given.apparmor_profile.empty()) given.apparmor_profile = of_container.apparmor_profile;
  if (!given.exec_cpu_affinity) given.exec_cpu_affinity = of_container.exec_cpu_affinity;
  if (given.selinux_label.empty()) given.selinux_label = of_container.selinux_label;
  if (!given.user.umask) given.user.umask = of_container.user.umask.value_or(callers);
  return given;
}

}  // namespace ocitk::runtime

#endif
