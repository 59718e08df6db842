#ifndef OCITK_SPEC_SYSCTL_HPP
#define OCITK_SPEC_SYSCTL_HPP

#include <ocitk/error.hpp>

#include <string>
#include <string_view>

namespace ocitk::spec {

/// The file below /proc/sys that a key means: `net.ipv4.ip_forward` and `net/ipv4/conf/eth0.5/forwarding`. The first
/// separator met decides; the other one is then part of a name, and stands for itself.
///
/// Fails  empty components, `.`, `..`, NUL (threat R13)
inline auto sysctl_path(std::string_view key) -> result<std::string> {
  const auto first = key.find_first_of("./");
  const char separator = first == key.npos ? '.' : key[first];
  std::string path;
  std::string_view rest = key;
  for (;;) {
    const auto end = rest.find(separator);
    std::string part{rest.substr(0, end)};
    if (separator == '.')
      for (char& c : part)
        if (c == '/') c = '.';  // net.ipv4.conf.eth0/5: the interface eth0.5, as sysctl(8) has it
    if (part.empty() || part == "." || part == ".." || part.find('\0') != part.npos)
      return failure("sysctl \"" + std::string{key} + "\" is not a name");
    path += (path.empty() ? "" : "/") + part;
    if (end == rest.npos) return path;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace ocitk::spec

#endif
