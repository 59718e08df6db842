#ifndef OCITK_CLI_CHAIN_STATE_HPP
#define OCITK_CLI_CHAIN_STATE_HPP

#include <ocitk/context.hpp>
#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What travels from one stage tool to the next: descriptors that exec leaves open, and four variables that tell
/// their numbers.
///
///     OCITK_SPEC_FD   sealed memory file with the checked config.json
///     OCITK_SELF_FD   sealed copy of the program, for when its path is out of reach
///     OCITK_IDMAP_FD  socket to the helper of ocitk-idmap
///     OCITK_CHAIN     everything else: "1 id=web1 rootfs=64:2d:1f ns=mount:4026532245:made pivoted=1"
///
/// OCITK_CHAIN begins with the version of its form. A descriptor stands there with device and inode of its file, so
/// that one which a program in between closed, or used for itself, is never taken for ours. `ocitk-exec` takes
/// everything away.
namespace ocitk::cli {

/// A namespace that the chain entered, and that is not the one it was started in.
struct own_namespace {
  std::string type{};       ///< as in config.json
  std::uint64_t inode = 0;  ///< what the kernel knows it by
  bool joined = false;      ///< by path
  auto operator==(const own_namespace&) const -> bool = default;
};

struct chain_state {
  std::string id{};      ///< container id
  std::string bundle{};  ///< absolute, on the host; behind the pivot only to be told to hooks
  unique_fd spec{}, self{}, idmap{};
  unique_fd rootfs{};                        ///< the root's mount, from ocitk-rootfs to ocitk-pivot
  unique_fd devpts{};                        ///< the mount on /dev/pts
  std::vector<unique_fd> read_only_later{};  ///< mounts that ocitk-masks closes for writing
  unique_fd relay{};                         ///< socket to who waits for the master of the terminal
  unique_fd links{};                         ///< directory of links to the program; stands in PATH
  std::vector<own_cgroup> cgroups{};
  std::vector<own_namespace> namespaces{};
  bool pivoted = false;
  bool only_planned = false;  ///< for --plan: not passed on
  bool lent = false;  ///< capabilities are kept for ocitk-caps that the payload may not have
};

inline constexpr auto spec_variable = "OCITK_SPEC_FD";
inline constexpr auto self_variable = "OCITK_SELF_FD";
inline constexpr auto idmap_variable = "OCITK_IDMAP_FD";
inline constexpr auto chain_variable = "OCITK_CHAIN";

/// Moves a descriptor out of the numbers that shell scripts use, if the limit allows.
inline auto lifted(unique_fd fd) -> unique_fd {
  constexpr int beyond_scripts = 64;
  if (!fd || fd.get() >= beyond_scripts) return fd;
  unique_fd high{::fcntl(fd.get(), F_DUPFD_CLOEXEC, beyond_scripts)};
  return high ? std::move(high) : std::move(fd);
}

namespace detail {

/// Keeps the characters that separate things out of a value.
inline auto escaped(std::string_view text) -> std::string {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || c == '%' || c == ':' || c == ',' || byte == 127) out += fmt::format("%{:02x}", byte);
    else out += c;
  }
  return out;
}

template <class T>
auto number_in(std::string_view text, int base = 10) -> result<T> {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (problem != std::errc{} || end != text.data() + text.size()) return failure(fmt::format("\"{}\" is no number", text));
  return value;
}

inline auto unescaped(std::string_view text) -> result<std::string> {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return failure("a character is cut short");
    out += static_cast<char>(OCITK_TRY(number_in<unsigned char>(text.substr(i + 1, 2), 16)));
    i += 2;
  }
  return out;
}

/// The parts between separators, empty ones too.
inline auto parts_of(std::string_view text, char separator) -> std::vector<std::string_view> {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// A number from the environment, owned from here on and close-on-exec again.
inline auto adopted(int number, std::string_view what) -> result<unique_fd> {
  if (number <= 2) return failure(fmt::format("descriptor {} cannot be the chain's {}", number, what));
  if (::fcntl(number, F_SETFD, FD_CLOEXEC) != 0)
    return failure(fmt::format("descriptor {}, the chain's {}, is closed: programs between the tools have to leave it open",
                               number, what));
  return unique_fd{number};
}

inline auto described(const unique_fd& fd) -> result<std::string> {
  const auto st = OCITK_TRY(sys::status_of(fd));
  return fmt::format("{}:{:x}:{:x}", fd.get(), st.st_dev, st.st_ino);
}

inline auto adopted_as(std::string_view text, std::string_view what) -> result<unique_fd> {
  const auto parts = parts_of(text, ':');
  if (parts.size() != 3) return failure(fmt::format("{} is no descriptor", what));
  const auto number = OCITK_TRY(number_in<int>(parts[0]));
  auto fd = OCITK_TRY(adopted(number, what));
  if (OCITK_TRY(described(fd)) == text) return fd;
  (void)fd.release();  // it is somebody else's
  return failure(fmt::format("descriptor {} is no longer the chain's {}: a program between the tools used the number",
                             number, what));
}

inline auto namespace_in(std::string_view text) -> result<own_namespace> {
  const auto parts = parts_of(text, ':');
  if (parts.size() != 3 || (parts[2] != "made" && parts[2] != "joined")) return failure("a namespace is malformed");
  return own_namespace{.type = std::string{parts[0]},
                       .inode = OCITK_TRY(number_in<std::uint64_t>(parts[1])),
                       .joined = parts[2] == "joined"};
}

inline auto cgroup_in(std::string_view text) -> result<own_cgroup> {
  const auto parts = parts_of(text, ':');
  if (parts.size() != 3) return failure("a cgroup is malformed");
  own_cgroup c{.mountpoint = OCITK_TRY(unescaped(parts[1])), .below = OCITK_TRY(unescaped(parts[2]))};
  if (parts[0].empty()) return c;
  for (const auto controller : parts_of(parts[0], ',')) c.controllers.push_back(OCITK_TRY(unescaped(controller)));
  return c;
}

inline auto cgroup_text(const own_cgroup& c) -> std::string {
  std::string text;
  for (const auto& controller : c.controllers) text += (text.empty() ? "" : ",") + escaped(controller);
  return fmt::format("{}:{}:{}", text, escaped(c.mountpoint), escaped(c.below));
}

/// Takes one `key=value` of OCITK_CHAIN.
inline auto take_word(chain_state& s, std::string_view key, std::string_view value) -> result<> {
  if (key == "id") s.id = OCITK_TRY(unescaped(value));
  else if (key == "bundle") s.bundle = OCITK_TRY(unescaped(value));
  else if (key == "rootfs") s.rootfs = OCITK_TRY(adopted_as(value, key));
  else if (key == "devpts") s.devpts = OCITK_TRY(adopted_as(value, key));
  else if (key == "relay") s.relay = OCITK_TRY(adopted_as(value, key));
  else if (key == "links") s.links = OCITK_TRY(adopted_as(value, key));
  else if (key == "later") s.read_only_later.push_back(OCITK_TRY(adopted_as(value, key)));
  else if (key == "cgroup") s.cgroups.push_back(OCITK_TRY(cgroup_in(value)));
  else if (key == "ns") s.namespaces.push_back(OCITK_TRY(namespace_in(value)));
  else if (key == "pivoted" && value == "1") s.pivoted = true;
  else if (key == "lent" && value == "1") s.lent = true;
  else return failure(fmt::format("\"{}={}\" is not known", key, value));
  return {};
}

inline auto variable(const char* name) -> std::string_view {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view{} : value;
}

inline auto adopted_from(const char* name) -> result<unique_fd> {
  const auto text = variable(name);
  if (text.empty()) return unique_fd{};
  return adopted(OCITK_TRY(trying(name, number_in<int>(text))), name);
}

inline auto set_variable(const char* name, const std::string& value) -> result<> {
  if (value.empty()) return checked(::unsetenv(name), "unsetenv");
  return checked(::setenv(name, value.c_str(), 1), "setenv");
}

inline auto pass_by_number(const char* name, const unique_fd& fd) -> result<> {
  return set_variable(name, fd ? std::to_string(OCITK_TRY(pass_on(fd))) : "");
}

}  // namespace detail

/// The words of OCITK_CHAIN; empty if there is nothing to tell.
inline auto text_of(const chain_state& s) -> result<std::string> {
  std::string text;
  const auto add = [&](std::string_view key, std::string_view value) { text += fmt::format(" {}={}", key, value); };
  const auto add_fd = [&](std::string_view key, const unique_fd& fd) -> result<> {
    if (fd) add(key, OCITK_TRY(detail::described(fd)));
    return {};
  };
  if (!s.id.empty()) add("id", detail::escaped(s.id));
  if (!s.bundle.empty()) add("bundle", detail::escaped(s.bundle));
  OCITK_TRY(add_fd("rootfs", s.rootfs));
  OCITK_TRY(add_fd("devpts", s.devpts));
  OCITK_TRY(add_fd("relay", s.relay));
  OCITK_TRY(add_fd("links", s.links));
  for (const auto& mount : s.read_only_later) OCITK_TRY(add_fd("later", mount));
  for (const auto& c : s.cgroups) add("cgroup", detail::cgroup_text(c));
  for (const auto& n : s.namespaces) add("ns", fmt::format("{}:{}:{}", n.type, n.inode, n.joined ? "joined" : "made"));
  if (s.pivoted) add("pivoted", "1");
  if (s.lent) add("lent", "1");
  return text.empty() ? text : "1" + text;
}

/// Takes over what OCITK_CHAIN tells.
///
/// Fails  another version; a word that is not known; a descriptor that is not what it was
inline auto parse_state(std::string_view text) -> result<chain_state> {
  chain_state s;
  if (text.empty()) return s;
  const auto words = detail::parts_of(text, ' ');
  if (words[0] != "1") return failure("OCITK_CHAIN was written by another version of ocitk");
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto equals = words[i].find('=');
    if (equals == std::string_view::npos) return failure(fmt::format("OCITK_CHAIN: \"{}\" is not known", words[i]));
    auto taken = detail::take_word(s, words[i].substr(0, equals), words[i].substr(equals + 1));
    if (!taken) return failure("OCITK_CHAIN: " + taken.error().detail);
  }
  return s;
}

/// What the tool before left for this one. Everything is close-on-exec from here on.
///
/// Calls  fcntl(2), fstat(2)
inline auto inherited_state() -> result<chain_state> {
  auto s = OCITK_TRY(parse_state(detail::variable(chain_variable)));
  s.spec = OCITK_TRY(detail::adopted_from(spec_variable));
  s.self = OCITK_TRY(detail::adopted_from(self_variable));
  s.idmap = OCITK_TRY(detail::adopted_from(idmap_variable));
  return s;
}

/// Lets everything through the next exec, and says so in the environment.
///
/// Calls  fcntl(2)
inline auto pass_state_on(const chain_state& s) -> result<> {
  for (const auto* fd : {&s.rootfs, &s.devpts, &s.relay, &s.links})
    if (*fd) OCITK_TRY(pass_on(fd_ref{*fd}));
  for (const auto& mount : s.read_only_later) OCITK_TRY(pass_on(fd_ref{mount}));
  OCITK_TRY(detail::pass_by_number(spec_variable, s.spec));
  OCITK_TRY(detail::pass_by_number(self_variable, s.self));
  OCITK_TRY(detail::pass_by_number(idmap_variable, s.idmap));
  return detail::set_variable(chain_variable, OCITK_TRY(text_of(s)));
}

}  // namespace ocitk::cli

#endif
