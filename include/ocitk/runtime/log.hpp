#ifndef OCITK_RUNTIME_LOG_HPP
#define OCITK_RUNTIME_LOG_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/runtime/hints.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>

#include <fmt/core.h>

#include <ctime>
#include <string>
#include <string_view>
#include <utility>

/// The log that engines read: one record per line, in text or JSON. Only the programs in tools/ write to it.
namespace ocitk::runtime {

enum class level { debug, info, warning, error };

inline auto to_string(level l) -> std::string_view {
  switch (l) {
    case level::debug: return "debug";
    case level::info: return "info";
    case level::warning: return "warning";
    case level::error: return "error";
  }
  return "error";
}

class logger {
 public:
  /// To standard error, as text, until something else is opened.
  logger() = default;

  /// Calls  open(2) O_CREAT | O_APPEND | O_SYNC, mode 0644
  static auto open(const std::string& path, bool json, bool debug) -> result<logger> {
    logger l;
    l.json_ = json;
    l.debug_ = debug;
    if (!path.empty()) l.file_ = OCITK_TRY(sys::open_at(fd_ref::cwd(), path, O_WRONLY | O_CREAT | O_APPEND | O_SYNC, 0644));
    return l;
  }

  auto write(level l, std::string_view message) const -> void { put(l, message, nullptr); }
  /// With the fields of the error beside its text.
  auto write(level l, const error& why, std::string_view title = {}) const -> void {
    put(l, std::string{title} + ocitk::to_string(why), &why);
  }
  /// For the person at the terminal, log or not.
  auto say(std::string_view message) const -> void { send(fd_ref::of(2), std::string{message} + "\n"); }

  /// The one error of a command that failed: a record, and the bare text for who does not read the log.
  auto fatal(const error& why, std::string_view title) const -> void {
    write(level::error, why, title);
    if (file_) say(std::string{title} + ocitk::to_string(why));
    if (const auto hint = hint_for(why)) say("hint: " + *hint);
  }

 private:
  /// Unwatched: what is said to the caller is no part of a setup.
  static auto send(fd_ref to, std::string_view text) -> void {
    auto* const who = std::exchange(watching, nullptr);
    (void)sys::write_all(to, text);  // a full disk must not stop a container
    watching = who;
  }
  static auto now() -> std::string {
    const std::time_t seconds = std::time(nullptr);
    tm utc{};
    ::gmtime_r(&seconds, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                       utc.tm_min, utc.tm_sec);
  }
  static auto fields_of(const error& why) -> std::string {
    std::string text;
    const auto add = [&](std::string_view key, std::string_view value) {
      if (!value.empty()) text += fmt::format(",\"{}\":{}", key, spec::quoted(value));
    };
    add("stage", why.stage);
    add("call", why.call);
    if (why.code != 0) add("errno", errno_text(why.code));
    add("detail", why.detail);
    if (!why.pointer.empty()) add("pointer", "config.json#" + why.pointer);
    add("hint", hint_for(why).value_or(""));
    return text;
  }
  auto put(level l, std::string_view message, const error* why) const -> void {
    if (l == level::debug && !debug_) return;
    // Warnings would hide the error from callers that read the whole file as one record (podman#27335).
    if (json_ && file_ && !debug_ && l == level::warning) return;
    const auto line = json_ ? fmt::format("{{\"level\":\"{}\",\"msg\":{},\"time\":\"{}\"{}}}\n", to_string(l),
                                          spec::quoted(message), now(), why != nullptr ? fields_of(*why) : "")
                            : fmt::format("time=\"{}\" level={} msg={}\n", now(), to_string(l), spec::quoted(message));
    send(file_ ? fd_ref{file_} : fd_ref::of(2), line);
  }

  unique_fd file_{};
  bool json_ = false;
  bool debug_ = false;
};

}  // namespace ocitk::runtime

#endif
