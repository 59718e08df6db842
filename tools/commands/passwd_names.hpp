#ifndef OCITK_TOOLS_PASSWD_NAMES_HPP
#define OCITK_TOOLS_PASSWD_NAMES_HPP

#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>

#include <string>

namespace ocitk::tools {

/// The host's name for a uid, "#uid" without one. Read by hand: a static glibc has no NSS.
inline auto user_name(uid_t uid) -> std::string {
  constexpr std::size_t enough = std::size_t{1} << 20;
  const auto fallback = "#" + std::to_string(uid);
  const auto text = sys::read_file(fd_ref::cwd(), "/etc/passwd", enough);
  if (!text) return fallback;
  const auto wanted = ":" + std::to_string(uid) + ":";
  for (std::size_t start = 0; start < text->size();) {
    const auto end = std::min(text->find('\n', start), text->size());
    const auto line = std::string_view{*text}.substr(start, end - start);
    const auto name = line.find(':');
    const auto id = name == line.npos ? name : line.find(':', name + 1);
    if (id != line.npos && line.substr(id).starts_with(wanted)) return std::string{line.substr(0, name)};
    start = end + 1;
  }
  return fallback;
}

}  // namespace ocitk::tools

#endif
