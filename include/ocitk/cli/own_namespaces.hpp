#ifndef OCITK_CLI_OWN_NAMESPACES_HPP
#define OCITK_CLI_OWN_NAMESPACES_HPP

#include <ocitk/cli/chain_state.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/sys/process.hpp>

#include <fmt/core.h>
#include <sys/ioctl.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Which namespaces are the chain's own. A tool that would change the host outside of one refuses: it has to be one
/// that ocitk-unshare entered, is not where the chain began, and is where the process is now.
namespace ocitk::cli {

namespace detail {

/// PIDFD_GET_*_NAMESPACE of Linux 6.11: asks the kernel, whatever is mounted on /proc.
inline auto namespace_by_pidfd(std::string_view type) -> result<unique_fd> {
  constexpr std::array<std::pair<std::string_view, unsigned>, 8> numbers{{{"cgroup", 1},
                                                                          {"ipc", 2},
                                                                          {"mount", 3},
                                                                          {"network", 4},
                                                                          {"pid", 5},
                                                                          {"time", 7},
                                                                          {"user", 9},
                                                                          {"uts", 10}}};
  const auto self = OCITK_TRY(sys::open_pidfd(::getpid()));
  for (const auto& [word, number] : numbers) {
    if (word != type) continue;
    const int fd = ::ioctl(self.get(), _IO(0xFF, number), 0);
    if (fd < 0) return failed("ioctl", fmt::format("find the {} namespace", type));
    return unique_fd{fd};
  }
  return failure(fmt::format("namespace \"{}\" does not exist", type));
}

/// For older kernels. What an image shows as /proc could lie, but it cannot make files of nsfs.
inline auto namespace_by_procfs(const sys::namespace_kind& kind) -> result<unique_fd> {
  constexpr long nsfs_magic = 0x6e736673;
  auto file = OCITK_TRY(sys::open_at(fd_ref::cwd(), fmt::format("/proc/self/ns/{}", kind.file), O_RDONLY));
  if (OCITK_TRY(sys::filesystem_of(file)) != nsfs_magic) return failure("/proc is no proc file system");
  return file;
}

}  // namespace detail

/// The inode of a namespace of the calling process.
///
/// Calls  pidfd_open(2), ioctl(2), or open(2) below /proc/self/ns; fstat(2)
inline auto namespace_inode(const sys::namespace_kind& kind) -> result<std::uint64_t> {
  auto file = detail::namespace_by_pidfd(kind.type);
  if (!file) file = OCITK_TRY(detail::namespace_by_procfs(kind));
  return OCITK_TRY(sys::status_of(*file)).st_ino;
}

/// Inodes by the rows of sys::namespace_kinds; nothing where the kernel has no such namespace.
using namespace_inodes = std::array<std::optional<std::uint64_t>, sys::namespace_kinds.size()>;

inline auto current_namespaces() -> namespace_inodes {
  namespace_inodes all;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (const auto inode = namespace_inode(sys::namespace_kinds[i])) all[i] = *inode;
  return all;
}

/// Those of process 1, as far as it may be looked at: the host's, for a chain that has not pivoted.
inline auto namespaces_of_process_1() -> namespace_inodes {
  namespace_inodes all;
  for (std::size_t i = 0; i < all.size(); ++i) {
    struct stat st{};
    if (::stat(fmt::format("/proc/1/ns/{}", sys::namespace_kinds[i].file).c_str(), &st) == 0) all[i] = st.st_ino;
  }
  return all;
}

/// Notes what the process got into since `before`. A namespace joined by path may well be the host's, and who may not
/// look at process 1 cannot tell: then it is not the chain's own.
inline auto note_namespaces(chain_state& state, const std::vector<spec::ns>& entered, const namespace_inodes& before,
                            const namespace_inodes& host) -> result<> {
  for (const auto& n : entered) {
    const auto* kind = sys::kind_of(n.type);
    if (kind == nullptr) continue;
    std::erase_if(state.namespaces, [&](const own_namespace& o) { return o.type == n.type; });
    const auto row = static_cast<std::size_t>(kind - sys::namespace_kinds.data());
    const auto now = OCITK_TRY(namespace_inode(*kind));
    const bool joined = !n.path.empty();
    if (before[row] == now || host[row] == now || (joined && !host[row])) continue;
    state.namespaces.push_back({.type = n.type, .inode = now, .joined = joined});
  }
  return {};
}

/// Is the process in a namespace of the chain's own, now?
inline auto in_own_namespace(const chain_state& state, std::string_view type) -> result<bool> {
  if (state.only_planned) return true;  // the tools in front are thought to have done their part
  for (const auto& n : state.namespaces)
    if (n.type == type) return OCITK_TRY(namespace_inode(*sys::kind_of(type))) == n.inode;
  return false;
}

/// The word that ocitk-unshare knows a type by: `net` for "network".
inline auto option_of(std::string_view type) -> std::string_view { return type == "network" ? "net" : type; }

inline auto require_own_namespace(const chain_state& state, std::string_view type) -> result<> {
  if (OCITK_TRY(in_own_namespace(state, type))) return {};
  return failure(fmt::format("refused in a {} namespace that is not the chain's own: ocitk-unshare --{} has to come first",
                             type, option_of(type)));
}

/// As entries of /linux/namespaces, for a chain without a bundle.
inline auto own_namespaces(const chain_state& state) -> result<std::vector<spec::ns>> {
  std::vector<spec::ns> all;
  if (state.only_planned)
    for (const auto& kind : sys::namespace_kinds)
      if (kind.type != "user") all.push_back({.type = std::string{kind.type}});
  for (const auto& n : state.namespaces)
    if (OCITK_TRY(in_own_namespace(state, n.type))) all.push_back({.type = n.type, .path = n.joined ? "joined" : ""});
  return all;
}

}  // namespace ocitk::cli

#endif
