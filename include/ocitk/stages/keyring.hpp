#ifndef OCITK_STAGES_KEYRING_HPP
#define OCITK_STAGES_KEYRING_HPP

#include <ocitk/context.hpp>
#include <ocitk/privileges/attributes.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <linux/keyctl.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace ocitk::stages {

namespace keyring {

/// Search permission for those who have to find the keyring again; from <keyutils.h>, which we do without.
inline constexpr std::uint32_t user_search = 0x00080000, other_search = 0x00000008;

/// What a new session keyring has: all for who possesses it; view, read and link for its user.
inline constexpr std::uint32_t usual_permissions = 0x3f130000;

/// The permissions in what KEYCTL_DESCRIBE tells: "keyring;0;0;3f1b0000;_ses.id".
inline auto permissions_in(std::string_view text) -> result<std::uint32_t> {
  for (int field = 0; field < 3; ++field) {
    const auto semicolon = text.find(';');
    if (semicolon == std::string_view::npos) return failure("the kernel describes the keyring in an unknown way");
    text.remove_prefix(semicolon + 1);
  }
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (code != std::errc{} || end == text.data() + text.size() || *end != ';')
    return failure("the kernel describes the keyring in an unknown way");
  return value;
}

/// Joins the session keyring of that name, making it if it is not there.
///
/// Returns  its serial number
/// Fails    EDQUOT, ENOSYS
inline auto join(const std::string& keyring_name) -> result<long> {
  const long serial = sys::kernel::keyctl("KEYCTL_JOIN_SESSION_KEYRING", KEYCTL_JOIN_SESSION_KEYRING, keyring_name.c_str(), 0, 0);
  if (serial >= 0) return serial;
  auto why = failed("keyctl", "join session keyring " + keyring_name);
  if (why.error().code == EDQUOT) why.error().detail += ": the user has used up kernel.keys.maxkeys or maxbytes (--no-new-keyring skips this)";
  return why;
}

inline auto open_for(long serial, std::uint32_t added) -> result<> {
  std::string text(4096, '\0');
  const long n = sys::kernel::keyctl("KEYCTL_DESCRIBE", KEYCTL_DESCRIBE, serial, text.data(), text.size());
  if (n < 0) return failed("keyctl", "describe the session keyring");
  const auto now = rehearsing() ? usual_permissions : OCITK_TRY(permissions_in(text.c_str()));
  if ((now & added) == added) return {};
  return trying("open the session keyring",
                checked(sys::kernel::set_key_permissions(serial, now | added), "keyctl"));
}

/// Keys that the calling thread makes get the payload's SELinux label, or it could not use them. execve(2) takes that
/// back.
///
/// Calls    write(2) to /proc/thread-self/attr/keycreate
inline auto label_keys(const init_context& ctx) -> result<> {
  if (!ctx.spec.process || ctx.spec.process->selinux_label.empty()) return {};
  auto done = at("/process/selinuxLabel", [&] {
    return privileges::attributes::with_proc(
        ctx, [&](fd_ref proc) { return privileges::attributes::set_label("keycreate", ctx.spec.process->selinux_label, proc); });
  });
  if (!done && done.error().code == ENOENT) return {};  // a kernel that has no keys
  return done;
}

}  // namespace keyring

/// Gives the container a session keyring of its own, so that it does not hold the caller's keys (threat R20).
/// The container's processes may search it: they have to find their way back in.
///
/// Reads    /process/selinuxLabel, for the label of the keyring
/// Process  init
/// Calls    keyctl(2) KEYCTL_JOIN_SESSION_KEYRING, KEYCTL_DESCRIBE, KEYCTL_SETPERM; write(2) of the label
/// Fails    EDQUOT: too many keys; a kernel without keyrings (ENOSYS) is a warning
struct join_keyring : stage_in<init_context> {
  static constexpr std::string_view name = "keyring";
  static constexpr std::string_view reads = "/process/selinuxLabel";
  static constexpr std::string_view summary = "joins a session keyring of its own";
  static constexpr std::array<std::string_view, 1> after{"unshare"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.new_keyring) return {};
    OCITK_TRY(keyring::label_keys(ctx));
    const auto serial = keyring::join("_ses." + ctx.id);
    if (!serial && serial.error().code == ENOSYS) {
      ctx.warnings.emplace_back("no session keyring: the kernel has none");
      return {};
    }
    if (!serial) return std::unexpected(serial.error());
    // A process that comes in later with another user namespace's ids is an `other` to the owner's.
    return keyring::open_for(*serial, ctx.spec.linux.has("user") ? keyring::other_search : keyring::user_search);
  }
};

}  // namespace ocitk::stages

#endif
