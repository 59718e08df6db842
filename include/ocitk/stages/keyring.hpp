#ifndef OCITK_STAGES_KEYRING_HPP
#define OCITK_STAGES_KEYRING_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

namespace ocitk::stages {

/// Leaves the caller's session keyring for a new one, `_ses.ID`: keys of the host are none of the container's.
///
/// Process  init
/// Calls    keyctl(2) KEYCTL_JOIN_SESSION_KEYRING, KEYCTL_DESCRIBE, KEYCTL_SETPERM
/// Fails    EDQUOT: the user owns too many keys. A kernel without keyrings is a warning.
struct join_keyring : stage_in<init_context> {
  static constexpr std::string_view name = "keyring";
  static constexpr std::array<std::string_view, 1> after{"unshare"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.new_keyring) return {};
    const auto keyring = "_ses." + ctx.id;
    const long key = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, keyring.c_str());
    if (key < 0 && errno == ENOSYS) {
      ctx.warnings.emplace_back("the kernel has no keyrings: no session keyring for the container");
      return {};
    }
    if (key < 0) return failed("keyctl", "join the session keyring " + keyring + " (--no-new-keyring skips it)");
    return open_to_owner(key);
  }

 private:
  /// Lets the container's user find it: search for the owner, beside what is allowed already.
  static auto open_to_owner(long key) -> result<> {
    std::array<char, 256> text{};
    if (::syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, text.data(), text.size()) < 0) return failed("keyctl", "describe");
    std::string_view rest{text.data()};  // "keyring;0;0;3f1b0000;_ses.web1"
    for (int field = 0; field < 3; ++field) rest.remove_prefix(std::min(rest.find(';') + 1, rest.size()));
    constexpr unsigned long user_search = 0x00080000;
    const auto now = std::stoul(std::string{"0"}.append(rest.substr(0, rest.find(';'))), nullptr, 16);
    return trying("open the session keyring", checked(::syscall(SYS_keyctl, KEYCTL_SETPERM, key, now | user_search), "keyctl"));
  }
};

}  // namespace ocitk::stages

#endif
