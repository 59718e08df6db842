#ifndef OCITK_STAGES_USER_HPP
#define OCITK_STAGES_USER_HPP

#include <ocitk/context.hpp>
#include <ocitk/spec/environment.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/credentials.hpp>
#include <ocitk/sys/kernel/file.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/sys/passwd.hpp>
#include <ocitk/text.hpp>

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace ocitk::stages {

namespace user {

using spec::environment;
using sys::home_of;

/// crun's word for podman's --group-add=keep-groups: the payload stays in the groups of the caller, listed or not.
inline constexpr const char* keep_groups = "run.oci.keep_original_groups";

/// Who the payload runs as.
struct identity {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t umask = 0022;
  std::optional<std::vector<gid_t>> groups{};  ///< nothing: they stay as they are
  auto operator==(const identity&) const -> bool = default;
};

/// Fails    an id of 4294967295: to setresuid(2) that is -1, "keep root"
inline auto plan(const spec::user& wanted, bool groups_allowed = true) -> result<identity> {
  constexpr auto nobody_at_all = std::numeric_limits<std::uint32_t>::max();
  if (wanted.uid == nobody_at_all) return failure("uid 4294967295 is not a user", "/process/user/uid");
  if (wanted.gid == nobody_at_all) return failure("gid 4294967295 is not a group", "/process/user/gid");
  for (const auto gid : wanted.additional_gids)
    if (gid == nobody_at_all) return failure("gid 4294967295 is not a group", "/process/user/additionalGids");
  if (wanted.umask.value_or(0) > 0777) return failure("umask above 0777", "/process/user/umask");
  identity who{.uid = wanted.uid, .gid = wanted.gid, .umask = wanted.umask.value_or(0022)};
  // Set even when none are listed: whoever started us may be in groups that the container must not be in.
  if (groups_allowed) who.groups = wanted.additional_gids;
  return who;
}

/// Sets the supplementary groups. Holding CAP_SETGID, EPERM can only come from a user namespace that
/// denies setgroups(2) to all; the groups then stay, as with runc. /proc is not asked: it is the image's.
inline auto set_groups(std::span<const gid_t> groups) -> result<> {
  auto done = sys::set_groups(groups);
  if (!done && done.error().code == EPERM && OCITK_TRY(sys::has_capability(CAP_SETGID))) return {};
  return done;
}

/// EINVAL of setresuid(2) and setresgid(2) has one reason; say it.
inline auto name_unmapped(std::string_view kind, unsigned id, result<> done) -> result<> {
  if (done || done.error().code != EINVAL) return done;
  return trying(filled("cannot set{} to unmapped {} {} in user namespace", kind, kind, id), done);
}

/// Becomes the identity: umask, groups, gid, uid. Permitted capabilities survive only under PR_SET_KEEPCAPS,
/// which the stage `bounding` sets before and the stage `caps` clears after.
inline auto apply(const identity& who) -> result<> {
  sys::kernel::umask(who.umask);
  if (who.groups) OCITK_TRY(at("/process/user/additionalGids", [&] { return user::set_groups(*who.groups); }));
  OCITK_TRY(at("/process/user/gid", [&] { return name_unmapped("gid", who.gid, sys::set_gid(who.gid)); }));
  return at("/process/user/uid", [&] { return name_unmapped("uid", who.uid, sys::set_uid(who.uid)); });
}

/// May stdio of this kind be given away? Terminals and pipes of ours; never a regular file of the caller
/// or a device node that others use too (/dev/null owned by a container user broke hosts: runc#3674).
inline auto may_own(const struct stat& info, bool terminal, uid_t self) -> bool {
  return info.st_uid == self && (S_ISFIFO(info.st_mode) || (S_ISCHR(info.st_mode) && terminal));
}

/// Gives stdin, stdout and stderr to the payload's user, so that it can open /dev/stdout anew.
inline void own_stdio(uid_t uid) {
  for (const int fd : {0, 1, 2}) {
    struct stat info {};
    if (sys::kernel::fstat(fd, info) != 0 || !may_own(info, sys::kernel::isatty(fd) == 1, ::geteuid())) continue;
    // A convenience: an unmapped owner or a read-only mount is no reason to refuse the container.
    [[maybe_unused]] const int ignored = sys::kernel::fchown(fd, uid, static_cast<gid_t>(-1));
  }
}

}  // namespace user

/// Becomes the user of the payload. After everything that needs root; the process is not dumpable afterwards.
///
/// Reads    /process/user (ids inside the container; umask in mode bits, 0022 if absent), the annotation
///          run.oci.keep_original_groups
/// Process  init, after the stage `bounding` if capabilities are to survive
/// Calls    fchown(2) on stdio, umask(2), setgroups(2), setresgid(2), setresuid(2)
/// Fails    EINVAL: an id without a mapping in the user namespace; EPERM without CAP_SETUID or CAP_SETGID
struct set_user : stage_in<init_context> {
  static constexpr std::string_view name = "user";
  static constexpr std::string_view reads = "/process/user";
  static constexpr std::string_view summary = "becomes the user";
  static constexpr std::array<std::string_view, 5> after{"pivot", "hostname", "rlimits", "bounding", "no-new-privs"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process) return {};
    const auto who = OCITK_TRY(user::plan(ctx.spec.process->user, !ctx.spec.annotations.contains(user::keep_groups)));
    user::own_stdio(who.uid);
    return user::apply(who);
  }
};

}  // namespace ocitk::stages

#endif
