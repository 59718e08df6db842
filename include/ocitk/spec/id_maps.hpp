#ifndef OCITK_SPEC_ID_MAPS_HPP
#define OCITK_SPEC_ID_MAPS_HPP

#include <ocitk/spec/config.hpp>
#include <ocitk/text.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Tables of user or group ids: containerID, hostID, size.
namespace ocitk::spec {

/// As /proc/PID/uid_map takes it, see user_namespaces(7).
inline auto lines_of(const std::vector<id_mapping>& maps) -> std::string {
  std::string text;
  for (const auto& m : maps) text += filled("{} {} {}\n", m.container_id, m.host_id, m.size);
  return text;
}

/// A run of ids of the host.
struct host_run {
  std::uint32_t first = 0, size = 0;
  bool operator==(const host_run&) const = default;
};

/// The host's ids for the `size` ones from `id` on, as far as one line of the table goes; nothing if `id` has no line.
inline auto run_on_host(const std::vector<id_mapping>& maps, std::uint32_t id, std::uint32_t size)
    -> std::optional<host_run> {
  for (const auto& m : maps) {
    if (id < m.container_id || id - m.container_id >= m.size) continue;
    const auto into = id - m.container_id;
    return host_run{.first = m.host_id + into, .size = std::min(size, m.size - into)};
  }
  return std::nullopt;
}

}  // namespace ocitk::spec

#endif
