#ifndef OCITK_CGROUPS_PREVIOUS_HPP
#define OCITK_CGROUPS_PREVIOUS_HPP

#include <ocitk/sys/cgroupfs.hpp>

#include <string>
#include <string_view>

/// What a file of a cgroup said before it was written: what to write to have that again.
namespace ocitk::cgroups {

namespace detail {

/// Is the first word of the value a key: a device, an interface, an rdma device?
inline auto is_keyed(std::string_view file, std::string_view value) -> bool {
  if (value.find(' ') == value.npos) return false;
  if (file == "rdma.max" || file == "net_prio.ifpriomap") return true;
  return value.substr(0, value.find(' ')).find(':') != value.npos;
}

/// What stands for a key that no line speaks of.
inline auto without_entry(std::string_view file, const std::string& key) -> std::string {
  if (file == "io.max") return key + " rbps=max wbps=max riops=max wiops=max";
  if (file == "rdma.max") return key + " hca_handle=max hca_object=max";
  return key + " 0";
}

}  // namespace detail

/// `value` is about to be written to `file`, whose text is `now`.
inline auto value_before(std::string_view file, std::string_view value, std::string_view now) -> std::string {
  const auto lines = sys::cgroupfs::split(now, '\n');
  if (file == "memory.oom_control") return now.find("oom_kill_disable 1") == now.npos ? "0" : "1";
  if (!detail::is_keyed(file, value)) return lines.empty() ? "\n" : lines.front();  // an empty write(2) would change nothing
  const std::string key{value.substr(0, value.find(' '))};
  for (const auto& line : lines)
    if (line.starts_with(key + " ")) return line;
  return detail::without_entry(file, key);
}

}  // namespace ocitk::cgroups

#endif
