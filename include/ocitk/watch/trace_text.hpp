#ifndef OCITK_WATCH_TRACE_TEXT_HPP
#define OCITK_WATCH_TRACE_TEXT_HPP

#include <ocitk/spec/write.hpp>
#include <ocitk/watch/plan_text.hpp>
#include <ocitk/watch/recording.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What was done, for a trace viewer or for a terminal.
namespace ocitk::watch {

namespace detail {

inline constexpr std::array<std::string_view, 3> processes{"parent", "bridge", "init"};

inline auto process_number(std::string_view process) -> int {
  const auto found = std::ranges::find(processes, process);
  return static_cast<int>(found - processes.begin()) + 1;
}

inline auto microseconds(std::int64_t nanoseconds) -> std::string {
  constexpr std::int64_t thousand = 1000;
  return fmt::format("{}.{:03}", nanoseconds / thousand, nanoseconds % thousand);
}

inline auto event_of(const recorded& r) -> std::string {
  std::string args;
  for (const auto& a : r.args) args += (args.empty() ? "" : ",") + spec::quoted(a);
  const auto failure = r.code == 0 || r.is_stage ? std::string{} : errno_text(r.code);
  return fmt::format(
      "{{\"name\":{},\"cat\":\"{}\",\"ph\":\"X\",\"ts\":{},\"dur\":{},\"pid\":{},\"tid\":1,\"args\":{{\"process\":{},\"stage\":{},"
      "\"args\":[{}],\"pointer\":{},\"start_ns\":{},\"duration_ns\":{},\"result\":{},\"errno\":{},\"error\":{}}}}}",
      spec::quoted(r.is_stage ? r.stage : r.call), r.is_stage ? "stage" : "call", microseconds(r.started),
      microseconds(r.duration), process_number(r.process), spec::quoted(r.process), spec::quoted(r.stage), args,
      spec::quoted(r.pointer), r.started, r.duration, r.returned, r.code, spec::quoted(failure));
}

}  // namespace detail

/// Trace Event Format, as chrome://tracing and Perfetto open it: one complete event per call and per stage, in
/// microseconds with three decimals; the nanoseconds are among the arguments.
inline auto trace_json(const std::vector<recorded>& all) -> std::string {
  std::string events;
  for (const auto process : detail::processes)
    events += fmt::format("{}{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":{},\"tid\":1,\"args\":{{\"name\":\"{}\"}}}}",
                          events.empty() ? "" : ",\n", detail::process_number(process), process);
  for (const auto& r : all) events += ",\n" + detail::event_of(r);
  return "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n" + events + "\n]}\n";
}

namespace detail {

/// A stage on the time line; what happens between stages is a row too.
struct bar {
  std::string process{}, name{};
  std::int64_t from = 0, to = 0;
  std::size_t calls = 0;
  std::string failed{};
};

inline auto bars_of(const std::vector<recorded>& all) -> std::vector<bar> {
  std::vector<bar> bars;
  for (const auto& r : all) {
    if (r.is_stage) {
      bars.push_back({.process = r.process, .name = r.stage, .from = r.started, .to = r.started + r.duration, .failed = r.code != 0 ? "failed" : ""});
      for (const auto& inner : all)
        if (!inner.is_stage && inner.process == r.process && inner.stage == r.stage && inner.started >= r.started &&
            inner.started <= r.started + r.duration)
          ++bars.back().calls;
    }
  }
  std::ranges::sort(bars, {}, &bar::from);
  return bars;
}

inline auto drawn(std::int64_t from, std::int64_t to, std::int64_t whole) -> std::string {
  constexpr std::int64_t width = 48;
  const auto column = [&](std::int64_t t) { return whole == 0 ? 0 : t * width / whole; };
  const auto first = std::min(column(from), width - 1);
  const auto last = std::max(first + 1, column(to));
  std::string line(static_cast<std::size_t>(first), ' ');
  for (auto i = first; i < last; ++i) line += "█";
  return line;
}

}  // namespace detail

/// One row per stage: when it began, how long it took, how many calls it made, and a bar.
inline auto timeline(const std::vector<recorded>& all) -> std::string {
  const auto bars = detail::bars_of(all);
  if (all.empty()) return "nothing was traced\n";
  std::int64_t begin = all.front().started, end = begin;
  for (const auto& r : all) {
    begin = std::min(begin, r.started);
    end = std::max(end, r.started + r.duration);
  }
  constexpr double million = 1e6;
  std::string text = fmt::format("{:<7} {:<13} {:>9} {:>9} {:>5}\n", "process", "stage", "at ms", "took ms", "calls");
  for (const auto& b : bars)
    text += fmt::format("{:<7} {:<13} {:>9.3f} {:>9.3f} {:>5} {}{}\n", b.process, b.name, static_cast<double>(b.from - begin) / million,
                        static_cast<double>(b.to - b.from) / million, b.calls, detail::drawn(b.from - begin, b.to - begin, end - begin),
                        b.failed.empty() ? "" : " " + b.failed);
  return text + fmt::format("{:<21} {:>9.3f} {:>9} {:>5}\n", "in all", static_cast<double>(end - begin) / million, "",
                            std::ranges::count_if(all, [](const recorded& r) { return !r.is_stage; }));
}

}  // namespace ocitk::watch

#endif
