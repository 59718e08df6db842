#ifndef OCITK_CLI_CHAIN_HPP
#define OCITK_CLI_CHAIN_HPP

#include <ocitk/cli/applets.hpp>
#include <ocitk/cli/become.hpp>
#include <ocitk/cli/chain_state.hpp>
#include <ocitk/cli/own_namespaces.hpp>
#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/io.hpp>

#include <fmt/core.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// What every stage tool shares: it fills in the spec, runs its stage, and becomes the rest of its command line. How
/// words become options is in chain_start.hpp, which few files have to include.
namespace ocitk::cli {

/// One tool at work.
struct chain_link {
  const applet& row;
  spec::config config{};                ///< the bundle's, or what the options filled in
  bool has_spec = false;                ///< there is a bundle
  chain_state state{};
  std::vector<std::string> operands{};  ///< words of its own in front of the next program
  std::span<char*> next{};              ///< the rest of the command line
  std::optional<int> ended{};           ///< no next program: the work is done
};

/// The options of a tool and where their values go.
struct option_list {
  using target = std::variant<bool*, std::string*, std::optional<std::string>*, std::optional<std::int64_t>*,
                              std::vector<std::string>*>;
  struct entry {
    std::string_view name, short_name{};
    target to{};
    std::string text{};
  };
  std::vector<entry> entries{};

  auto add(std::string_view name, target to, std::string text, std::string_view short_name = {}) -> void {
    entries.push_back({.name = name, .short_name = short_name, .to = to, .text = std::move(text)});
  }
};

/// A stage tool. Most need no more than `run`.
class tool {
 public:
  tool() = default;
  tool(const tool&) = delete;
  auto operator=(const tool&) -> tool& = delete;
  virtual ~tool() = default;

  /// An `std::optional<std::string>` takes a value only if it is joined on: `--net=PATH`.
  virtual auto options(option_list&) -> void {}
  /// Does a word in front of the next program belong to the tool?
  [[nodiscard]] virtual auto takes(std::string_view /*word*/, std::size_t /*index*/, bool /*has_spec*/) const -> bool {
    return false;
  }
  /// Is there something to do with no program behind it?
  [[nodiscard]] virtual auto may_end(bool /*has_spec*/) const -> bool { return false; }
  /// Does it enter namespaces whose processes could look back at it?
  [[nodiscard]] virtual auto enters_containers() const -> bool { return false; }
  /// Puts options into the spec. What it refuses is wrong usage.
  virtual auto fill(chain_link&) -> result<> { return {}; }
  virtual auto run(chain_link&) -> result<> = 0;
  [[nodiscard]] virtual auto code_for(const error&) const -> int { return exit_code::failed; }
};

inline auto print_line(const applet& row, std::string_view text) -> void {
  (void)sys::write_all(fd_ref::of(2), fmt::format("{}{}: {}\n", applet_prefix, row.word, text));  // there is no other place
}

namespace detail {

inline auto lent_to(chain_link& here) -> init_context {
  init_context ctx{.spec = here.config, .id = here.state.id, .bundle = here.state.bundle};
  ctx.rootfs = std::move(here.state.rootfs);
  ctx.devpts = std::move(here.state.devpts);
  ctx.read_only_later = std::move(here.state.read_only_later);
  ctx.cgroups = here.state.cgroups;
  return ctx;
}

inline auto take_back(chain_link& here, init_context& ctx) -> void {
  here.state.rootfs = lifted(std::move(ctx.rootfs));
  here.state.devpts = lifted(std::move(ctx.devpts));
  here.state.read_only_later.clear();
  for (auto& mount : ctx.read_only_later) here.state.read_only_later.push_back(lifted(std::move(mount)));
  for (const auto& text : ctx.warnings) print_line(here.row, "warning: " + text);
}

}  // namespace detail

/// Runs stages of init with what the chain brought, and keeps what they leave. `more(ctx)` sees the context last.
template <class Stages, class More>
auto run_stages(const Stages& stages, chain_link& here, More more) -> result<> {
  auto ctx = detail::lent_to(here);
  auto done = ocitk::detail::run_each(stages, ctx, always);
  if (done) done = more(ctx);
  detail::take_back(here, ctx);
  return done;
}
template <class Stages>
auto run_stages(const Stages& stages, chain_link& here) -> result<> {
  return run_stages(stages, here, [](init_context&) { return result<>{}; });
}

/// Without a bundle the process part of the spec is there to be filled in.
inline auto process_of(chain_link& here) -> spec::process& {
  if (!here.config.process) here.config.process.emplace();
  return *here.config.process;
}

/// `ocitk-WORD has to come first`, for what another tool should have left.
inline auto comes_first(std::string_view word, std::string_view why) -> std::unexpected<error> {
  return failure(fmt::format("{}: {}{} has to come first", why, applet_prefix, word));
}

inline auto require_root(const chain_link& here) -> result<> {
  if (here.state.pivoted) return failure("the pivot is done already: the new root cannot be changed from outside any more");
  if (!here.state.rootfs) return comes_first("rootfs", "there is no new root");
  if (here.has_spec && !here.config.linux.has("mount")) return {};
  return require_own_namespace(here.state, "mount");
}

/// A tool whose whole work is one stage.
template <stage S>
class stage_tool : public tool {
 public:
  auto run(chain_link& here) -> result<> override { return run_stages(S{}, here); }
};

/// "A,B" as a list; empty parts count for nothing.
inline auto words_in(std::string_view text, char separator = ',') -> spec::strings {
  spec::strings words;
  for (const auto part : detail::parts_of(text, separator))
    if (!part.empty()) words.emplace_back(part);
  return words;
}

}  // namespace ocitk::cli

#endif
