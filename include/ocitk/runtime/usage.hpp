#ifndef OCITK_RUNTIME_USAGE_HPP
#define OCITK_RUNTIME_USAGE_HPP

#include <ocitk/cgroups/stats.hpp>
#include <ocitk/runtime/update.hpp>
#include <ocitk/sys/cgroupfs.hpp>
#include <ocitk/sys/listing.hpp>

#include <charconv>
#include <string>
#include <utility>
#include <vector>

/// What a container uses now, read from the cgroups of its record.
namespace ocitk::runtime {

/// "hugepages-2048kB" as files of cgroups name it: "2MB".
inline auto huge_page_size(std::string_view directory) -> std::string {
  constexpr std::string_view prefix = "hugepages-";
  if (!directory.starts_with(prefix)) return {};
  std::uint64_t kilobytes = 0;
  const auto digits = directory.substr(prefix.size());
  std::from_chars(digits.data(), digits.data() + digits.size(), kilobytes);
  constexpr std::uint64_t step = 1024;
  if (kilobytes >= step * step) return std::to_string(kilobytes / step / step) + "GB";
  if (kilobytes >= step) return std::to_string(kilobytes / step) + "MB";
  return std::to_string(kilobytes) + "KB";
}

inline auto huge_page_sizes() -> std::vector<std::string> {
  std::vector<std::string> sizes;
  const auto dir = sys::open_at(fd_ref::cwd(), "/sys/kernel/mm/hugepages", O_RDONLY | O_DIRECTORY);
  const auto entries = dir ? sys::list_directory(*dir) : result<std::vector<sys::listed>>{std::unexpected(dir.error())};
  if (!entries) return sizes;  // a kernel without huge pages
  for (const auto& e : *entries)
    if (auto size = huge_page_size(e.name); !size.empty()) sizes.push_back(std::move(size));
  return sizes;
}

/// Fails  ENOENT: the cgroup went away
inline auto usage_of(const sys::cgroupfs::layout& layout, const std::vector<std::string>& paths) -> result<cgroups::stats> {
  const auto there = OCITK_TRY(open_cgroups(layout, paths));
  std::vector<cgroups::source> sources;
  for (std::size_t i = 0; i < there.places().size(); ++i) {
    const auto& p = there.places()[i];
    if (!p.limits) continue;  // the unified tree beside v1 has processes only
    sources.push_back({.controllers = p.controllers, .is_v2 = p.is_v2, .read = [&, i](const std::string& file) -> std::optional<std::string> {
                         auto text = sys::cgroupfs::read_file(there.dir(i), file);
                         return text ? std::optional{std::move(*text)} : std::nullopt;
                       }});
  }
  return cgroups::read_stats(sources, huge_page_sizes());
}

}  // namespace ocitk::runtime

#endif
