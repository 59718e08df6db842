#ifndef OCITK_RUNTIME_HANDSHAKE_HPP
#define OCITK_RUNTIME_HANDSHAKE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/packing.hpp>
#include <ocitk/sys/socket.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

/// What parent, bridge and init say to each other, over one SOCK_SEQPACKET pair. The bridge is there only if
/// namespaces are joined; `mapped` is sent only where the parent does something for init from outside: id maps, clocks.
///
///     parent                    bridge                  init
///       |---- clone ------------->|                       |
///       |                         |---- clone ----------->|
///       |<--- born (pid, pidfd) --|                       |
///       |---- mapped (file of the clocks' offsets) ------>|
///       |<--- warning (any number of times) --------------|
///       |<--- paused (stage) ----------------------------|   only if --stop-before or --shell-at name
///       |---- resume (terminal of the shell) ----------->|   a stage
///       |<--- left (status of the shell) ----------------|
///       |<--- prepared (mounts and devices are there) ----|   only with hooks that want it,
///       |---- hooked ------------------------------------>|   once
///       |<--- listener (itself, or its number) ------------|   only with SCMP_ACT_NOTIFY; what init says from here
///       |---- taken -------------------------------------->|   on may have to wait for the agent's answers
///       |<--- ready (terminal, if there is one) ----------|
///       |---- go ---------------------------------------->|
///
/// In place of any answer a child may say `error` and go. A socket at its end means that the other side is gone:
/// to init that its parent died, and it goes too (threat F2).
namespace ocitk::runtime {

enum class word : std::uint8_t { born = 1, mapped, warning, paused, resume, left, prepared, hooked, listener, taken, ready, go, error };

inline auto to_string(word w) -> std::string_view {
  switch (w) {
    case word::born: return "born";
    case word::mapped: return "mapped";
    case word::warning: return "warning";
    case word::paused: return "paused";
    case word::resume: return "resume";
    case word::left: return "left";
    case word::prepared: return "prepared";
    case word::hooked: return "hooked";
    case word::listener: return "listener";
    case word::taken: return "taken";
    case word::ready: return "ready";
    case word::go: return "go";
    case word::error: return "error";
  }
  return "?";
}

/// What was said, and what came with it.
struct told {
  word said = word::error;
  std::string text{};      ///< of a warning; the name of the terminal, or of the stage; the status of a shell; a descriptor's number
  int pid = 0;             ///< of `born`, as the bridge's caller sees it
  error failure{};         ///< of `error`
  unique_fd passed{};      ///< the pidfd of `born`, the file of `mapped`, the terminal of `ready`, the `listener`
  bool gone = false;       ///< nothing was said: the other side is dead
};

namespace detail {

using sys::put_number;
using sys::put_text;
using sys::unpacker;

inline constexpr std::size_t longest_message = 4096;  ///< bytes; more than a pipe of one page is never in flight

/// Cuts text from the middle of a message so that the whole always fits.
inline auto shortened(std::string_view text, std::size_t room) -> std::string_view { return text.substr(0, room); }

inline auto packed(const error& e) -> std::string {
  constexpr std::size_t short_field = 256, path_field = 1024;
  std::string bytes;
  put_number(bytes, static_cast<std::uint32_t>(e.code));
  put_text(bytes, shortened(e.call, short_field));
  put_text(bytes, shortened(e.pointer, short_field));
  put_text(bytes, shortened(e.stage, short_field));
  put_text(bytes, shortened(e.detail, longest_message - 3 * short_field - path_field));
  return bytes;
}

/// Did a filter say so? It may be in force already, and need not allow more of us than read(2) and write(2).
inline auto is_denied(const error& e) -> bool { return e.code == EPERM || e.code == ENOSYS; }

inline auto read_message(fd_ref socket) -> result<sys::message> {
  sys::message came;
  came.bytes.resize(longest_message);
  const auto n = OCITK_TRY(sys::read_some(socket, came.bytes));
  came.bytes.resize(n);
  came.end = n == 0;
  return came;
}

inline auto unpacked_error(unpacker& from) -> error {
  error e{.code = static_cast<int>(from.number())};
  e.call = from.text();
  e.pointer = from.text();
  e.stage = from.text();
  e.detail = from.text();
  return e;
}

}  // namespace detail

/// One end of the conversation. Every byte that comes in is checked: after the exec of another program the
/// sender is not ours any more (threat R10).
class channel {
 public:
  channel() = default;
  explicit channel(unique_fd end) : end_{std::move(end)} {}

  auto say(word what) const -> result<> { return send(what, {}, -1); }
  auto say_born(int pid, fd_ref pidfd) const -> result<> {
    std::string bytes;
    detail::put_number(bytes, static_cast<std::uint32_t>(pid));
    return send(word::born, bytes, pidfd.get());
  }
  /// With the timens_offsets of init, or without them.
  auto say_mapped(const unique_fd& offsets) const -> result<> { return send(word::mapped, {}, offsets.get()); }
  auto warn(std::string_view text) const -> result<> {
    return send(word::warning, detail::shortened(text, detail::longest_message / 2), -1);
  }
  /// With the master of the terminal, or without one.
  auto say_ready(const unique_fd& terminal, std::string_view name) const -> result<> {
    return send(word::ready, name, terminal.get());
  }
  auto say_paused(std::string_view stage) const -> result<> { return send(word::paused, stage, -1); }
  /// With the terminal that a shell is to use, or without one.
  auto say_resume(const unique_fd& terminal) const -> result<> { return send(word::resume, {}, terminal.get()); }
  auto say_left(int status) const -> result<> { return send(word::left, std::to_string(status), -1); }
  /// The listener of a filter that is in force.
  auto say_listener(const unique_fd& listener) const -> result<> { return send(word::listener, std::to_string(listener.get()), listener.get()); }
  /// The same where sendmsg(2) may not be called: the number alone, for pidfd_getfd(2).
  auto name_listener(const unique_fd& listener) const -> result<> {
    return sys::write_all(end_, std::string(1, static_cast<char>(word::listener)) + std::to_string(listener.get()));
  }
  auto fail(const error& why) const -> result<> { return send(word::error, detail::packed(why), -1); }

  /// Waits for the other side.
  ///
  /// Fails  a message that no word of ours is
  auto listen() const -> result<told>;

  [[nodiscard]] auto end() const -> const unique_fd& { return end_; }
  auto close() -> void { end_.reset(); }

 private:
  auto send(word what, std::string_view payload, int passed) const -> result<> {
    std::string bytes(1, static_cast<char>(what));
    bytes += payload;
    auto sent = sys::send_message(end_, bytes, passed, to_string(what));
    return !sent && passed < 0 && detail::is_denied(sent.error()) ? sys::write_all(end_, bytes) : sent;
  }
  unique_fd end_{};
};

inline auto channel::listen() const -> result<told> {
  auto received = sys::receive_message(end_, detail::longest_message);
  if (!received && detail::is_denied(received.error())) received = detail::read_message(end_);
  auto came = OCITK_TRY(std::move(received));
  told t;
  if (came.end || came.bytes.empty()) {
    t.gone = true;
    return t;
  }
  const auto kind = static_cast<std::uint8_t>(came.bytes[0]);
  if (kind < static_cast<std::uint8_t>(word::born) || kind > static_cast<std::uint8_t>(word::error))
    return ocitk::failure("a child said something that is no word of ours");
  t.said = static_cast<word>(kind);
  t.passed = std::move(came.fd);
  const auto payload = std::string_view{came.bytes}.substr(1);
  detail::unpacker from{payload};
  if (t.said == word::born) t.pid = static_cast<int>(from.number());
  if (t.said == word::error) t.failure = detail::unpacked_error(from);
  if (t.said == word::warning || t.said == word::ready || t.said == word::paused || t.said == word::left ||
      t.said == word::listener)
    t.text = payload;
  else if (!from.complete())
    return ocitk::failure("a child's message is cut short");
  return t;
}

/// A connected pair: the first end for the parent, the second for its children.
inline auto make_channel() -> result<std::pair<channel, channel>> {
  auto [mine, theirs] = OCITK_TRY(sys::seqpacket_pair());
  return std::pair{channel{std::move(mine)}, channel{std::move(theirs)}};
}

}  // namespace ocitk::runtime

#endif
