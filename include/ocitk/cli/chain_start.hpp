#ifndef OCITK_CLI_CHAIN_START_HPP
#define OCITK_CLI_CHAIN_START_HPP

#include <ocitk/cli/chain.hpp>
#include <ocitk/cli/parser.hpp>
#include <ocitk/cli/plan_only.hpp>
#include <ocitk/runtime/self_protection.hpp>
#include <ocitk/spec/read.hpp>
#include <ocitk/spec/validate.hpp>
#include <ocitk/sys/io.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <string>
#include <variant>
#include <vector>

/// From the words of a stage tool to its end.
namespace ocitk::cli {

namespace detail {

struct add_to {
  parser& p;
  const option_list::entry& e;
  auto operator()(bool* to) const -> void { p.flag(e.name, e.short_name, *to, e.text); }
  auto operator()(std::string* to) const -> void { p.value(e.name, e.short_name, *to, e.text); }
  auto operator()(std::optional<std::string>* to) const -> void { p.maybe_value(e.name, *to, e.text); }
  auto operator()(std::optional<std::int64_t>* to) const -> void { p.value(e.name, e.short_name, *to, e.text); }
  auto operator()(std::vector<std::string>* to) const -> void { p.values(e.name, *to, e.text); }
};

inline auto help_of(const applet& row, const parser& p) -> std::string {
  return fmt::format(
      "{0}{1}: {2}\n\nUSAGE:\n   {0}{1} {3}\n\nEXAMPLE:\n   {4}\n\nREADS (where ocitk-spec stands in front):\n   {5}\n\n"
      "CALLS:\n   {6}\n\nOPTIONS:\n{7}\n"
      "EXIT CODES:\n   100 wrong usage, 111 a call failed, 126 the next program would not run, 127 it was not found\n",
      applet_prefix, row.word, row.summary, row.usage, row.example, row.reads, row.calls, p.list());
}

inline auto complain(const applet& row, error why, bool has_spec, int code) -> int {
  if (why.stage == row.word) why.stage.clear();  // the name says it
  if (!has_spec) why.pointer.clear();            // there is no config.json to point into
  print_line(row, to_string(why));
  return code;
}

/// The spec of ocitk-spec. It was checked there; what an image or a script might have put in its place is checked again,
/// for stages rely on it. Ids may have changed since: rules about the caller are not for here.
inline auto read_spec(const unique_fd& file) -> result<spec::config> {
  constexpr int sealed = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & sealed) != sealed)
    return failure(fmt::format("{} is no sealed memory file: ocitk-spec makes one", spec_variable));
  const auto size = static_cast<std::size_t>(OCITK_TRY(sys::status_of(file)).st_size);
  std::string text(size, '\0');
  if (::pread(file.get(), text.data(), size, 0) != static_cast<ssize_t>(size)) return failed("pread", spec_variable);
  auto config = OCITK_TRY(spec::parse_config(text));
  OCITK_TRY(spec::validate(config, {}));
  return config;
}

/// No descriptor of ours may land on 0 to 2. An image need not have a null device, so it is opened only if needed.
inline auto fill_standard_streams() -> result<> {
  for (const int number : {0, 1, 2})
    if (::fcntl(number, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return failed("open", "/dev/null");
  return {};
}

}  // namespace detail

/// The whole of a stage tool, up to the program it becomes. `argv` ends with a null pointer.
///
/// Returns  the exit code of a tool that became nothing
inline auto start_chain(const applet& row, tool& self, std::span<char*> argv) -> int {
  const auto complain = [&](const error& why, bool has_spec, int code) { return detail::complain(row, why, has_spec, code); };
  if (auto done = detail::fill_standard_streams(); !done) return complain(done.error(), false, exit_code::failed);
  option_list wanted;
  self.options(wanted);
  std::optional<std::string> plan;
  wanted.add("plan", &plan, "print what would be done, and do nothing; --plan=json for programs");
  detail::parser options{std::string{row.summary}};
  for (const auto& e : wanted.entries) std::visit(detail::add_to{options, e}, e.to);
  chain_link here{.row = row, .has_spec = !detail::variable(spec_variable).empty()};
  const auto is_next = [&](const std::string& word, std::size_t index) { return !self.takes(word, index, here.has_spec); };
  const auto wrong = [&](const std::string& text) {
    print_line(row, text);
    print_line(row, fmt::format("usage: {}{} {}", applet_prefix, row.word, row.usage));
    return exit_code::usage;
  };
  if (auto done = options.parse({argv.begin() + 1, argv.end()}, is_next); !done) return wrong(done.error().message);
  if (options.help)
    return sys::write_all(fd_ref::of(1), detail::help_of(row, options)) ? 0 : exit_code::failed;
  if (plan && plan->empty()) plan = "text";
  if (plan && *plan != "text" && *plan != "json") return wrong("--plan is text or json, not " + *plan);
  here.operands.assign(options.positionals.begin(), options.positionals.begin() + static_cast<std::ptrdiff_t>(options.rest));
  here.next = argv.last(options.positionals.size() - options.rest);
  if (here.next.empty() && !plan && !self.may_end(here.has_spec)) return wrong("no program to go on with");
  if (self.enters_containers() && !plan)  // the chain's descriptors go through that exec: they are not close-on-exec yet
    if (auto done = runtime::protect_self(argv.data(), environ); !done) return complain(done.error(), false, exit_code::failed);
  auto state = inherited_state();
  if (!state) return complain(state.error(), false, exit_code::failed);
  here.state = std::move(*state);
  here.state.only_planned = plan.has_value();
  if (here.has_spec) {
    auto config = detail::read_spec(here.state.spec);
    if (!config) return complain(config.error(), true, exit_code::failed);
    here.config = std::move(*config);
  }
  if (auto done = self.fill(here); !done) return wrong(done.error().detail);
  if (plan) {
    const auto text = plan_only(self, here, *plan == "json");
    if (!text) return complain(text.error(), here.has_spec, self.code_for(text.error()));
    return sys::write_all(fd_ref::of(1), *text) ? 0 : exit_code::failed;
  }
  if (auto done = self.run(here); !done) return complain(done.error(), here.has_spec, self.code_for(done.error()));
  if (here.ended) return *here.ended;
  const auto failure = become(here.state, here.next);
  return complain(failure.why, here.has_spec, failure.code);
}

}  // namespace ocitk::cli

#endif
