#ifndef OCITK_STAGES_APPARMOR_HPP
#define OCITK_STAGES_APPARMOR_HPP

#include <ocitk/context.hpp>
#include <ocitk/privileges/attributes.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/io.hpp>

#include <array>
#include <string>
#include <string_view>

namespace ocitk::stages {

namespace apparmor {

/// What the kernel wants to read: the profile to change to at the next execve(2).
inline auto plan(std::string_view profile) -> std::string { return "exec " + std::string{profile}; }

/// Is there somebody who would obey? Asked on the host, before anything of the container exists.
///
/// Fails    where AppArmor is off: a profile that nobody enforces must not look enforced
inline auto require(const std::string& parameter = "/sys/module/apparmor/parameters/enabled") -> result<> {
  const auto text = sys::read_file(fd_ref::cwd(), parameter, 64);
  if (text && text->starts_with('Y')) return {};
  return failure("apparmor: config provided but apparmor not supported", "/process/apparmorProfile");
}

/// Its own attribute, where other modules have theirs too; before Linux 5.8 there is one for whoever is active.
inline auto open(fd_ref proc) -> result<unique_fd> {
  auto own = privileges::attributes::open(proc, "apparmor/exec");
  if (own || own.error().code != ENOENT) return own;
  return privileges::attributes::open(proc, "exec");
}

inline auto apply(std::string_view profile, fd_ref proc) -> result<> {
  const auto attribute = OCITK_TRY(open(proc));
  auto done = privileges::attributes::write(attribute, plan(profile));
  if (done) return done;
  const bool missing = done.error().code == ENOENT;
  done.error().detail = "apply apparmor profile " + std::string{profile} + (missing ? ": it is not loaded" : "");
  return done;
}

}  // namespace apparmor

/// Has the payload confined by an AppArmor profile. It is the next program that is confined, not init.
///
/// Reads    /process/apparmorProfile
/// Process  init
/// Calls    write(2) of "exec PROFILE" to /proc/thread-self/attr/apparmor/exec
/// Fails    ENOENT: no such profile is loaded; EINVAL: AppArmor is off; EPERM, EACCES under a profile that forbids it
struct set_profile : stage_in<init_context> {
  static constexpr std::string_view name = "apparmor";
  static constexpr std::string_view reads = "/process/apparmorProfile";
  static constexpr std::string_view summary = "sets the AppArmor profile of the payload";
  static constexpr std::array<std::string_view, 1> after{"procfs"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process || ctx.spec.process->apparmor_profile.empty()) return {};
    return at("/process/apparmorProfile", [&] {
      return privileges::attributes::with_proc(
          ctx, [&](fd_ref proc) { return apparmor::apply(ctx.spec.process->apparmor_profile, proc); });
    });
  }
};

}  // namespace ocitk::stages

#endif
