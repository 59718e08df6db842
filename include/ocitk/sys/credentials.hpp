#ifndef OCITK_SYS_CREDENTIALS_HPP
#define OCITK_SYS_CREDENTIALS_HPP

#include <ocitk/error.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <span>

/// Ids of the calling thread. The kernel is called directly: glibc's wrappers signal every thread of
/// its list, and after a clone(2) of ours that list names threads that do not exist here.
namespace ocitk::sys {

/// Calls    setgroups(2)
/// Fails    EPERM without CAP_SETGID, or where the user namespace says `deny`; EINVAL: a gid is not mapped
inline auto set_groups(std::span<const gid_t> groups) -> result<> {
  return checked(kernel::setgroups(groups.size(), groups.data()), "setgroups");
}

/// Calls    setresgid(2): real, effective and saved
inline auto set_gid(gid_t gid) -> result<> {
  return checked(kernel::setresgid(gid), "setresgid");
}

/// Calls    setresuid(2): real, effective and saved. Makes the process non-dumpable if anything changed.
inline auto set_uid(uid_t uid) -> result<> {
  return checked(kernel::setresuid(uid), "setresuid");
}

/// Is the capability effective right now?
inline auto has_capability(unsigned capability) -> result<bool> {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return failed("capget");
  return (data[capability / 32].effective >> (capability % 32) & 1U) != 0;
}

}  // namespace ocitk::sys

#endif
