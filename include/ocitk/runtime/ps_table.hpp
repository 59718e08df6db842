#ifndef OCITK_RUNTIME_PS_TABLE_HPP
#define OCITK_RUNTIME_PS_TABLE_HPP

#include <ocitk/error.hpp>
#include <ocitk/sys/cgroupfs.hpp>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

/// What the host's ps(1) printed, cut down to the processes of a container.
namespace ocitk::runtime {

/// The head line, and the lines whose PID column is among `pids`, which are sorted.
///
/// Fails  `couldn't find PID field in ps output`; a line with no number in that column
inline auto rows_of(std::string_view output, const std::vector<int>& pids) -> result<std::string> {
  using sys::cgroupfs::split;
  const auto end = std::min(output.find('\n'), output.size());
  const auto titles = split(output.substr(0, end), ' ');
  const auto title = std::find(titles.begin(), titles.end(), "PID");
  if (title == titles.end()) return failure("couldn't find PID field in ps output");
  const auto column = static_cast<std::size_t>(title - titles.begin());
  std::string kept{output.substr(0, end)};
  kept += '\n';
  for (const auto& line : split(output.substr(end), '\n')) {
    const auto fields = split(line, ' ');
    if (fields.empty()) continue;
    int pid = 0;
    const auto text = column < fields.size() ? std::string_view{fields[column]} : std::string_view{};
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (problem != std::errc{} || stop != text.data() + text.size()) return failure("unable to parse pid: " + line);
    if (std::binary_search(pids.begin(), pids.end(), pid)) kept.append(line) += '\n';
  }
  return kept;
}

}  // namespace ocitk::runtime

#endif
