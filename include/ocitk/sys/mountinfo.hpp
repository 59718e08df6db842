#ifndef OCITK_SYS_MOUNTINFO_HPP
#define OCITK_SYS_MOUNTINFO_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/io.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The mounts of a namespace as proc(5) lists them, for what no call answers.
namespace ocitk::sys {

/// mountinfo writes space, tab, newline and backslash as \040 and the like.
inline auto unescaped(std::string_view text) -> std::string {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) && is_octal(text[i + 3])) {
      plain += static_cast<char>(((text[i + 1] - '0') << 6) | ((text[i + 2] - '0') << 3) | (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

struct listed_mount {
  std::uint64_t id = 0, parent = 0;
  std::string root{};        ///< which directory of its file system: "/"
  std::string mountpoint{};  ///< from the root of the reading process
  bool shared = false;       ///< has peers
  std::string type{};
};

namespace detail {

/// Cuts the first word off a line.
inline auto next_word(std::string_view& line) -> std::string_view {
  const auto end = line.find(' ');
  const auto word = line.substr(0, end);
  line = end == std::string_view::npos ? std::string_view{} : line.substr(end + 1);
  return word;
}

inline auto number_of(std::string_view word) -> std::uint64_t {
  std::uint64_t number = 0;
  (void)std::from_chars(word.data(), word.data() + word.size(), number);  // the kernel's own
  return number;
}

}  // namespace detail

/// `36 35 98:0 /root /mountpoint rw,noatime shared:1 master:2 - ext4 /dev/sda1 rw`
inline auto mounts_from(std::string_view mountinfo) -> std::vector<listed_mount> {
  std::vector<listed_mount> all;
  while (!mountinfo.empty()) {
    const auto end = mountinfo.find('\n');
    auto line = mountinfo.substr(0, end);
    mountinfo = end == std::string_view::npos ? std::string_view{} : mountinfo.substr(end + 1);
    listed_mount m{.id = detail::number_of(detail::next_word(line)), .parent = detail::number_of(detail::next_word(line))};
    (void)detail::next_word(line);  // the device
    m.root = unescaped(detail::next_word(line));
    m.mountpoint = unescaped(detail::next_word(line));
    for (auto word = detail::next_word(line); !word.empty() && word != "-"; word = detail::next_word(line))
      if (word.starts_with("shared:")) m.shared = true;
    m.type = detail::next_word(line);
    if (!m.type.empty()) all.push_back(std::move(m));
  }
  return all;
}

/// The mounts that the calling process sees. Before the pivot only: /proc is the host's.
///
/// Calls  openat(2), read(2) of /proc/self/mountinfo
inline auto list_mounts() -> result<std::vector<listed_mount>> {
  constexpr std::size_t enough = 64U << 20U;
  return mounts_from(OCITK_TRY(read_file(fd_ref::cwd(), "/proc/self/mountinfo", enough)));
}

}  // namespace ocitk::sys

#endif
