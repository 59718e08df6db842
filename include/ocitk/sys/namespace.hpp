#ifndef OCITK_SYS_NAMESPACE_HPP
#define OCITK_SYS_NAMESPACE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <linux/sched.h>
#include <sched.h>

#include <array>
#include <cstdint>
#include <string_view>

/// Namespaces: the words of the OCI spec, the flags of the kernel, the calls.
namespace ocitk::sys {

struct namespace_kind {
  std::string_view type;  ///< as in config.json
  std::string_view file;  ///< below /proc/PID/ns
  std::string_view key;   ///< as in runc's state.json
  std::uint64_t flag;     ///< CLONE_NEW*
};

inline constexpr std::array<namespace_kind, 8> namespace_kinds{{
    {"user", "user", "NEWUSER", CLONE_NEWUSER},
    {"cgroup", "cgroup", "NEWCGROUP", CLONE_NEWCGROUP},
    {"ipc", "ipc", "NEWIPC", CLONE_NEWIPC},
    {"uts", "uts", "NEWUTS", CLONE_NEWUTS},
    {"network", "net", "NEWNET", CLONE_NEWNET},
    {"pid", "pid", "NEWPID", CLONE_NEWPID},
    {"mount", "mnt", "NEWNS", CLONE_NEWNS},
    {"time", "time", "NEWTIME", CLONE_NEWTIME},
}};

/// The row of a spec word, or nullptr.
inline auto kind_of(std::string_view type) -> const namespace_kind* {
  for (const auto& kind : namespace_kinds)
    if (kind.type == type) return &kind;
  return nullptr;
}

/// setns(2): the kernel checks that the descriptor is of that kind.
inline auto join_namespace(fd_ref ns, std::uint64_t flag) -> result<> {
  return checked(kernel::setns(ns.get(), static_cast<int>(flag)), "setns");
}

/// unshare(2) of CLONE_NEW* flags.
inline auto leave_namespaces(std::uint64_t flags) -> result<> {
  return checked(kernel::unshare(static_cast<int>(flags)), "unshare");
}

}  // namespace ocitk::sys

#endif
