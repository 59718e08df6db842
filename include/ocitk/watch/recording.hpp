#ifndef OCITK_WATCH_RECORDING_HPP
#define OCITK_WATCH_RECORDING_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/packing.hpp>
#include <ocitk/watch.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the processes of one setup did, gathered in one anonymous file that all of them append to. It needs no
/// reader to make room, and holds what a process did up to the moment it died.
namespace ocitk::watch {

/// A call, or a whole stage.
struct recorded {
  bool is_stage = false;  ///< `call` is empty then
  effect does = effect::changes;
  std::string process{}, stage{}, pointer{}, call{};
  std::vector<std::string> args{};
  std::int64_t started = 0;   ///< nanoseconds, CLOCK_REALTIME: time namespaces do not shift it
  std::int64_t duration = 0;  ///< nanoseconds
  long returned = 0;
  int code = 0;               ///< errno of a failure; for a stage 1 if it failed
  auto operator==(const recorded&) const -> bool = default;
};

inline auto now() -> std::int64_t {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  constexpr std::int64_t second = 1'000'000'000;
  return t.tv_sec * second + t.tv_nsec;
}

namespace detail {

inline auto put_wide(std::string& out, std::int64_t number) -> void {
  constexpr unsigned half = 32;
  sys::put_number(out, static_cast<std::uint32_t>(static_cast<std::uint64_t>(number) >> half));
  sys::put_number(out, static_cast<std::uint32_t>(number));
}

inline auto take_wide(sys::unpacker& from) -> std::int64_t {
  constexpr unsigned half = 32;
  const std::uint64_t high = from.number();
  return static_cast<std::int64_t>(high << half | from.number());
}

inline auto packed(const recorded& r) -> std::string {
  std::string bytes;
  sys::put_number(bytes, (r.is_stage ? 1U : 0U) | (r.does == effect::asks ? 2U : 0U));
  for (const auto* text : {&r.process, &r.stage, &r.pointer, &r.call}) sys::put_text(bytes, *text);
  for (const auto number : {r.started, r.duration, std::int64_t{r.returned}, std::int64_t{r.code}}) put_wide(bytes, number);
  sys::put_number(bytes, static_cast<std::uint32_t>(r.args.size()));
  for (const auto& a : r.args) sys::put_text(bytes, a);
  return bytes;
}

inline auto unpacked(sys::unpacker& from) -> recorded {
  recorded r;
  const auto bits = from.number();
  r.is_stage = (bits & 1U) != 0;
  r.does = (bits & 2U) != 0 ? effect::asks : effect::changes;
  for (auto* text : {&r.process, &r.stage, &r.pointer, &r.call}) *text = from.text();
  r.started = take_wide(from);
  r.duration = take_wide(from);
  r.returned = static_cast<long>(take_wide(from));
  r.code = static_cast<int>(take_wide(from));
  const auto count = from.number();
  for (std::uint32_t i = 0; i < count && !from.is_short(); ++i) r.args.push_back(from.text());
  return r;
}

inline auto is_failed_exec(const recorded& r) -> bool { return r.call == "execve" && r.code != 0; }

}  // namespace detail

class recording {
 public:
  /// Calls  memfd_create(2), fcntl(2) O_APPEND
  static auto make() -> result<recording> {
    unique_fd file{::memfd_create("ocitk-recording", MFD_CLOEXEC)};
    if (!file) return failed("memfd_create");
    const int high = ::fcntl(file.get(), F_DUPFD_CLOEXEC, lowest_number);
    if (high < 0) return failed("fcntl");
    file = unique_fd{high};
    OCITK_TRY(checked(::fcntl(file.get(), F_SETFL, O_APPEND), "fcntl"));
    return recording{std::move(file)};
  }

  /// In one write(2): entries of several processes do not mix. A recording that is full loses what comes.
  auto add(const recorded& r) const -> void {
    const auto bytes = detail::packed(r);
    std::string framed;
    sys::put_text(framed, bytes);
    (void)!::write(file_.get(), framed.data(), framed.size());
  }

  [[nodiscard]] auto all() const -> result<std::vector<recorded>> {
    struct stat info{};
    OCITK_TRY(checked(::fstat(file_.get(), &info), "fstat"));
    std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
    const auto got = ::pread(file_.get(), bytes.data(), bytes.size(), 0);
    if (got < 0) return failed("pread");
    bytes.resize(static_cast<std::size_t>(got));
    std::vector<recorded> entries;
    for (sys::unpacker frames{bytes}; !frames.complete();) {
      const auto one = frames.text();
      if (frames.is_short()) return failure("the recording is cut short");
      sys::unpacker from{one};
      auto entry = detail::unpacked(from);
      if (detail::is_failed_exec(entry))  // it was noted before it was made as well; see recorder
        std::erase_if(entries, [&](const recorded& r) { return r.call == entry.call && r.process == entry.process && r.duration == 0; });
      entries.push_back(std::move(entry));
    }
    return entries;
  }

  /// The same file once more: for a recorder of its own.
  [[nodiscard]] auto again() const -> result<recording> {
    const int copy = ::fcntl(file_.get(), F_DUPFD_CLOEXEC, lowest_number);
    if (copy < 0) return failed("fcntl");
    return recording{unique_fd{copy}};
  }

  [[nodiscard]] auto number() const -> int { return file_.get(); }

 private:
  /// Out of the way of descriptors that a caller counts from 3.
  static constexpr int lowest_number = 100;
  explicit recording(unique_fd file) : file_{std::move(file)} {}
  unique_fd file_;
};

}  // namespace ocitk::watch

#endif
