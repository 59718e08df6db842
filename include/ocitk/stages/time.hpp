#ifndef OCITK_STAGES_TIME_HPP
#define OCITK_STAGES_TIME_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/sys/procfs.hpp>
#include <ocitk/text.hpp>

#include <array>
#include <map>
#include <string>
#include <string_view>

namespace ocitk::stages {

namespace time {

inline constexpr std::array<std::string_view, 2> clocks{"monotonic", "boottime"};

/// The text of /proc/PID/timens_offsets.
///
/// Fails    a clock that a time namespace does not have; a second's worth of nanoseconds or more
inline auto plan(const std::map<std::string, spec::time_offset>& offsets) -> result<std::string> {
  constexpr std::uint32_t second = 1'000'000'000;
  std::string text;
  for (const auto& [clock, offset] : offsets) {
    const auto pointer = "/linux/timeOffsets/" + clock;
    if (clock != clocks[0] && clock != clocks[1])
      return failure(filled("a time namespace has no offset of the clock \"{}\"", clock), pointer);
    if (offset.nanosecs >= second)
      return failure(filled("nanosecs {} are a second or more", offset.nanosecs), pointer + "/nanosecs");
    text += filled("{} {} {}\n", clock, offset.secs, offset.nanosecs);
  }
  return text;
}

/// The file of a process, for writing: of the time namespace its children are born into.
inline auto open_offsets(fd_ref proc, int pid) -> result<unique_fd> {
  return sys::open_beneath(proc, pid == 0 ? std::string{"self/timens_offsets"} : filled("{}/timens_offsets", pid), O_WRONLY);
}

/// Sets the clocks of the time namespace that unshare(2) has made for children of the calling process, and enters it:
/// once somebody is inside, the kernel lets nobody set them.
///
/// Calls  write(2), setns(2) CLONE_NEWTIME
inline auto apply(const std::string& text, fd_ref offsets, fd_ref proc) -> result<> {
  OCITK_TRY(trying("timens_offsets", checked(sys::kernel::write(offsets.get(), text.data(), text.size()), "write")));
  const auto namespaces = OCITK_TRY(sys::open_beneath(proc, "self/ns", O_PATH | O_DIRECTORY));
  const auto ours = OCITK_TRY(sys::open_at(namespaces, "time_for_children", rehearsing() ? O_PATH | O_NOFOLLOW : O_RDONLY));
  return sys::join_namespace(ours, CLONE_NEWTIME);
}

}  // namespace time

/// Sets the clocks of a new time namespace. Without offsets init is born into one by clone3(2), and is inside too
/// early to set any; with them it makes the namespace itself and enters it last.
///
/// Reads    /linux/timeOffsets
/// Process  init, alone in its process, root of its user namespace
/// Calls    write(2) on timens_offsets, setns(2); see time_namespaces(7)
/// Fails    ERANGE: a clock would be negative, or beyond 146 years; EPERM without CAP_SYS_TIME
struct shift_clocks : stage_in<init_context> {
  static constexpr std::string_view name = "time";
  static constexpr std::string_view reads = "/linux/timeOffsets";
  static constexpr std::string_view summary = "sets the clocks of a new time namespace";
  static constexpr std::array<std::string_view, 1> after{"unshare"};
  auto operator()(init_context& ctx) const -> result<> {
    const auto& linux = ctx.spec.linux;
    if (linux.time_offsets.empty() || !linux.creates("time")) return {};
    const auto text = OCITK_TRY(time::plan(linux.time_offsets));
    const auto shift = [&]() -> result<> {
      const auto proc = OCITK_TRY(sys::trusted_proc());
      if (!ctx.clock_offsets) ctx.clock_offsets = OCITK_TRY(time::open_offsets(proc, 0));
      OCITK_TRY(time::apply(text, ctx.clock_offsets, proc));
      ctx.clock_offsets.reset();
      return {};
    };
    return at("/linux/timeOffsets", shift);
  }
};

}  // namespace ocitk::stages

#endif
