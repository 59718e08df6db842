#ifndef OCITK_CLI_PARSER_HPP
#define OCITK_CLI_PARSER_HPP

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// One command's options, with the grammar of Go's programs: the only header that includes CLI11.
namespace ocitk::cli::detail {

/// How an option is spelled and what it takes.
struct option {
  std::string_view name, short_name{};
  bool is_flag = false;
  bool may_stand_alone = false;  ///< a value only if it is joined on: `--net` or `--net=PATH`
  std::vector<std::string>* all = nullptr;  ///< takes every value as it stands
};

struct failed_parse {
  std::string message{};
};

inline auto as_bool(std::string_view text) -> std::optional<bool> {
  if (text == "true" || text == "1" || text == "t" || text == "T" || text == "TRUE" || text == "True") return true;
  if (text == "false" || text == "0" || text == "f" || text == "F" || text == "FALSE" || text == "False") return false;
  return std::nullopt;
}

/// Rewrites one token of Go's grammar for CLI11: `-bundle x`, `-b=x`, `--force=true`.
class normalizer {
 public:
  /// `ends_options(word, index)`: does this positional end the options? The first one does, for most who ask.
  using last_word = std::function<bool(const std::string&, std::size_t)>;
  normalizer(std::vector<option> known, last_word ends_options)
      : known_{std::move(known)}, ends_options_{std::move(ends_options)} {}

  auto operator()(const std::vector<std::string>& words) -> std::expected<void, failed_parse> {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto& word = words[i];
      const bool is_positional = word.size() < 2 || word[0] != '-' || only_positionals_;
      if (is_positional) {
        if (!only_positionals_ && ends_options_(word, positionals.size())) end_options();
        positionals.push_back(word);
        continue;
      }
      if (word == "--") {
        end_options();
        continue;
      }
      if (auto done = take(words, i); !done) return done;
    }
    return {};
  }

  std::vector<std::string> options{};      ///< for CLI11, `--name=value` each
  std::vector<std::string> positionals{};
  std::optional<std::size_t> rest{};       ///< the positional that ended the options, or the first after `--`
  bool help = false;

 private:
  auto end_options() -> void {
    only_positionals_ = true;
    rest = positionals.size();
  }
  auto find(std::string_view name) const -> const option* {
    for (const auto& o : known_)
      if (o.name == name || (!o.short_name.empty() && o.short_name == name)) return &o;
    return nullptr;
  }
  auto take(const std::vector<std::string>& words, std::size_t& i) -> std::expected<void, failed_parse> {
    const std::string_view word = words[i];
    auto name = word.substr(word.starts_with("--") ? 2 : 1);
    const auto equals = name.find('=');
    std::optional<std::string> value;
    if (equals != name.npos) value = std::string{name.substr(equals + 1)};
    name = name.substr(0, equals);
    if (name == "help" || name == "h") {
      help = true;
      return {};
    }
    const auto* o = find(name);
    if (o == nullptr) return std::unexpected(failed_parse{fmt::format("flag provided but not defined: -{}", name)});
    if (o->is_flag) return take_flag(*o, value);
    if (o->may_stand_alone) {
      options.push_back(fmt::format("--{}={}", o->name, value.value_or("")));
      return {};
    }
    if (!value && i + 1 == words.size())
      return std::unexpected(failed_parse{fmt::format("flag needs an argument: {}{}", word.starts_with("--") ? "--" : "-", name)});
    if (!value) value = words[++i];
    if (o->all != nullptr) o->all->push_back(*value);
    else options.push_back(fmt::format("--{}={}", o->name, *value));
    return {};
  }
  auto take_flag(const option& o, const std::optional<std::string>& value) -> std::expected<void, failed_parse> {
    const auto on = value ? as_bool(*value) : std::optional{true};
    if (!on)
      return std::unexpected(failed_parse{fmt::format("invalid boolean value \"{}\" for -{}: parse error", *value, o.name)});
    options.push_back(fmt::format("--{}={}", o.name, *on ? "true" : "false"));
    return {};
  }

  std::vector<option> known_;
  last_word ends_options_;
  bool only_positionals_ = false;
};

/// One command: its options are declared once, for the grammar, for CLI11 and for the help.
class parser {
 public:
  explicit parser(std::string about) : app_{std::move(about)} { app_.set_help_flag(); }

  auto flag(std::string_view name, std::string_view short_name, bool& target, const std::string& text) -> void {
    known_.push_back({name, short_name, true});
    app_.add_flag(fmt::format("--{}", name), target, text)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  template <class T>
  auto value(std::string_view name, std::string_view short_name, T& target, const std::string& text) -> void {
    known_.push_back({name, short_name, false});
    app_.add_option(fmt::format("--{}", name), target, text)->expected(0, 1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  /// An option that may be given without a value; the target is then empty text.
  auto maybe_value(std::string_view name, std::optional<std::string>& target, const std::string& text) -> void {
    known_.push_back({.name = name, .may_stand_alone = true});
    app_.add_option(fmt::format("--{}", name), target, text)->expected(0, 1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  /// An option that may be given many times. CLI11 only knows its name, for the help: it would take brackets apart.
  auto values(std::string_view name, std::string_view short_name, std::vector<std::string>& target, const std::string& text) -> void {
    known_.push_back({.name = name, .short_name = short_name, .all = &target});
    app_.add_option(fmt::format("--{}", name), unused_, text);
  }
  auto values(std::string_view name, std::vector<std::string>& target, const std::string& text) -> void {
    values(name, {}, target, text);
  }
  /// Fills the targets; what is no option stays in `positionals`.
  auto parse(const std::vector<std::string>& words, bool stop_after_first) -> std::expected<void, failed_parse> {
    return parse(words, [stop_after_first](const std::string&, std::size_t) { return stop_after_first; });
  }
  auto parse(const std::vector<std::string>& words, normalizer::last_word ends_options) -> std::expected<void, failed_parse> {
    normalizer prepare{known_, std::move(ends_options)};
    if (auto done = prepare(words); !done) return done;
    positionals = std::move(prepare.positionals);
    rest = prepare.rest.value_or(positionals.size());
    help = prepare.help;
    try {
      auto reversed = std::move(prepare.options);
      std::reverse(reversed.begin(), reversed.end());
      app_.parse(reversed);
    } catch (const CLI::ParseError& e) {
      return std::unexpected(failed_parse{e.what()});
    }
    return {};
  }
  [[nodiscard]] auto text(const std::string& usage) const -> std::string {
    const auto name = usage.substr(0, usage.find(" ["));  // of the program and its command
    return "NAME:\n   " + name + " - " + app_.get_description() + "\n\nUSAGE:\n   " + usage + "\n\nOPTIONS:\n" + list();
  }
  /// The options alone, a line each: `--bundle, -b`.
  [[nodiscard]] auto list() const -> std::string {
    std::string all;
    const auto add = [&](std::string_view name, std::string_view short_name, std::string_view text) {
      const auto names = fmt::format("--{}{}{}", name, short_name.empty() ? "" : ", -", short_name);
      all += fmt::format("   {:<24} {}\n", names, text);
    };
    const auto options = app_.get_options();
    for (std::size_t i = 0; i < known_.size(); ++i) add(known_[i].name, known_[i].short_name, options[i]->get_description());
    add("help", "h", "show help");
    return all;
  }

  std::vector<std::string> positionals{};
  std::size_t rest = 0;  ///< the index of the positional that ended the options
  bool help = false;

 private:
  CLI::App app_;
  std::vector<option> known_;
  std::string unused_{};
};

}  // namespace ocitk::cli::detail

#endif
