#ifndef OCITK_SYS_CPUS_HPP
#define OCITK_SYS_CPUS_HPP

#include <ocitk/error.hpp>
#include <ocitk/sys/kernel/process.hpp>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

/// Sets of cpus, as lists and as the kernel's masks.
namespace ocitk::sys {

using cpu_mask = std::vector<unsigned long>;  ///< a bit for each cpu

namespace detail {

inline constexpr unsigned most_cpus = 16 * 1024;  // beyond any kernel's NR_CPUS
inline constexpr unsigned bits_of_word = 8 * sizeof(unsigned long);

/// Cuts a number off the front.
inline auto take_cpu(std::string_view& text) -> result<unsigned> {
  unsigned number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || number >= most_cpus) return failure("not a list of cpus");
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace detail

/// `0-3,7`
///
/// Fails  anything else; a cpu above 16383
inline auto cpus_from(std::string_view list) -> result<cpu_mask> {
  cpu_mask mask;
  for (auto rest = list;;) {
    const auto first = OCITK_TRY(detail::take_cpu(rest));
    auto last = first;
    if (rest.starts_with('-')) {
      rest.remove_prefix(1);
      last = OCITK_TRY(detail::take_cpu(rest));
    }
    if (last < first) return failure("not a list of cpus");
    mask.resize(std::max<std::size_t>(mask.size(), last / detail::bits_of_word + 1));
    for (auto cpu = first; cpu <= last; ++cpu) mask[cpu / detail::bits_of_word] |= 1UL << (cpu % detail::bits_of_word);
    if (rest.empty()) return mask;
    if (!rest.starts_with(',')) return failure("not a list of cpus");
    rest.remove_prefix(1);
  }
}

/// 0 is the calling process.
///
/// Calls  sched_setaffinity(2)
/// Fails  EINVAL: the cpuset has none of them
inline auto set_cpus(int pid, const cpu_mask& cpus) -> result<> {
  return checked(kernel::sched_setaffinity(pid, cpus.size() * sizeof(unsigned long), cpus.data()), "sched_setaffinity");
}

}  // namespace ocitk::sys

#endif
