#ifndef OCITK_CLI_OPTIONS_HPP
#define OCITK_CLI_OPTIONS_HPP

#include <ocitk/cli/parser.hpp>
#include <ocitk/cli/request.hpp>
#include <ocitk/cli/update_flags.hpp>

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// The command line, with runc's grammar: long options with one dash or two, `--flag=BOOL`, options after
/// positionals. What comes out is in request.hpp.
namespace ocitk::cli {

namespace detail {

/// The tail of a path made absolute, by the words alone.
inline auto absolute(const std::string& path) -> std::string {
  if (path.empty() || path.starts_with('/')) return path;
  const std::unique_ptr<char, decltype(&std::free)> here{::getcwd(nullptr, 0), &std::free};
  return std::string{here ? here.get() : ""} + "/" + (path == "." ? "" : path);
}

inline auto without_trailing_slashes(std::string path) -> std::string {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

inline constexpr std::array<std::pair<std::string_view, std::string_view>, 19> commands{{
    {"check", "judge a bundle before anything runs"},
    {"create", "make a container, up to the start of its process"},
    {"delete", "remove what is left of a container"},
    {"events", "tell what a container uses, and when its memory ran out, for programs"},
    {"exec", "run another process in a container"},
    {"features", "tell what this runtime can do, for programs"},
    {"kill", "send a signal to a container's process"},
    {"list", "show the containers of a state root"},
    {"pause", "stop all processes of a container"},
    {"ps", "show the processes of a container"},
    {"resume", "let a paused container go on"},
    {"run", "make and start a container"},
    {"spec", "write a config.json to start from"},
    {"stages", "list the stages of a setup in their order"},
    {"start", "start the process of a created container"},
    {"state", "show the state of a container"},
    {"stats", "show what containers use, again and again"},
    {"update", "change the limits of a container"},
    {"where", "show how far the setup of a container is and what it waits for"},
}};

/// What stands behind a command's options.
inline auto operands_of(std::string_view command, bool takes_id) -> std::string_view {
  if (command == "check") return " [bundle]";
  if (command == "exec") return " <container-id> <command> [argument...]  |  -p process.json <container-id>";
  if (command == "kill") return " <container-id> [signal]";
  return takes_id ? " <container-id>" : "";
}

/// Words of global options that are looked at when all of them are known.
struct global_words {
  std::string format = "text", cgroup_manager{}, log_level{}, unused{};
  bool version = false;
};

inline auto add_global(parser& p, global_options& g, global_words& words) -> void {
  p.value("root", "", g.root, "directory of the containers' states");
  p.value("log", "", g.log, "file to log to, default: standard error");
  p.value("log-format", "", words.format, "text or json");
  p.flag("debug", "", g.debug, "log more");
  p.flag("systemd-cgroup", "", g.systemd_cgroup, "let systemd manage the cgroups");
  p.value("cgroup-manager", "", words.cgroup_manager, "cgroupfs, systemd, or disabled: no cgroups and no limits");
  p.value("log-level", "", words.log_level, "error, warning, or debug as --debug");
  p.value("rootless", "", words.unused, "cgroups without privileges: auto, true or false");
  p.value("criu", "", words.unused, "ignored: criu is looked up in PATH");
  p.flag("version", "v", words.version, "print the version");
}

inline auto add_launch(parser& p, launch_options& o) -> void {
  p.value("console-socket", "", o.console_socket, "socket that receives the terminal");
  p.value("pidfd-socket", "", o.pidfd_socket, "socket that receives the pidfd of the process");
  p.value("pid-file", "", o.pid_file, "file to write the pid to");
  p.value("preserve-fds", "", o.preserve_fds, "descriptors from 3 on to pass to the process");
  p.maybe_value("plan", o.plan, "print what would be done and do nothing; --plan=json for programs");
  p.value("trace", "", o.trace, "file for a trace of all system calls (Chrome trace format); -: a time line");
  p.value("stop-before", "", o.stop_before, "stop the half-built container before a stage");
  p.value("shell-at", "", o.shell_at, "open a shell in the half-built container before a stage");
}

inline auto add_create(parser& p, create_options& o, bool is_run) -> void {
  p.value("bundle", "b", o.bundle, "directory of config.json, default: the current one");
  p.value("config", "f", o.config, "file to read in the place of the bundle's config.json");
  p.flag("no-pivot", "", o.no_pivot, "do not use pivot_root");
  p.flag("no-new-keyring", "", o.no_new_keyring, "keep the caller's session keyring");
  p.flag("no-subreaper", "", o.no_subreaper, is_run ? "do not adopt orphans of the container" : "ignored: create adopts nobody");
  add_launch(p, o);
  if (!is_run) return;
  p.flag("detach", "d", o.detach, "return when the process runs");
  p.flag("keep", "", o.keep, "do not delete the container after it ends");
}

inline auto add_exec(parser& p, exec_options& o) -> void {
  p.value("process", "p", o.process, "file with the process, in place of all options that describe one");
  p.value("cwd", "", o.cwd, "working directory");
  p.values("env", "e", o.env, "variable to add: NAME=VALUE");
  p.flag("tty", "t", o.tty, "give it a terminal");
  p.value("user", "u", o.user, "UID[:GID]");
  p.values("additional-gids", "g", o.additional_gids, "group to add");
  p.value("process-label", "", o.process_label, "SELinux label");
  p.value("apparmor", "", o.apparmor, "AppArmor profile");
  p.flag("no-new-privs", "", o.no_new_privs, "let no execve grant privileges");
  p.values("cap", "c", o.caps, "capability to add");
  p.values("cgroup", "", o.cgroups, "[CONTROLLER[,CONTROLLER]:]PATH below the container's cgroup");
  p.flag("ignore-paused", "", o.ignore_paused, "enter a paused container; the process waits until it goes on");
  p.flag("detach", "d", o.detach, "return when the process runs");
  add_launch(p, o);
}

}  // namespace detail

/// Where states are kept by default; two runtimes must not share a root.
///
/// Reads  XDG_RUNTIME_DIR, for whoever is not root (or root of a user namespace only)
inline auto default_root(bool is_real_root, const char* xdg_runtime_dir) -> std::string {
  if (!is_real_root && xdg_runtime_dir != nullptr && *xdg_runtime_dir != '\0')
    return std::string{xdg_runtime_dir} + "/ocitk";
  return "/run/ocitk";
}

/// Whoever installs the program as `runc` has callers that look for this name, and for runc's words.
inline auto is_called_runc(std::string_view program) -> bool {
  return program.substr(program.rfind('/') + 1) == "runc";  // npos + 1 is 0
}

inline auto help_text(std::string_view program) -> std::string {
  const bool as_runc = is_called_runc(program);
  std::string text = fmt::format("NAME:\n   {0} - {1}\n\nUSAGE:\n   {0} [global options] command [command options] [arguments...]\n\nCOMMANDS:\n",
                                 as_runc ? "runc" : "ocitk",
                                 as_runc ? "Open Container Initiative runtime" : "run containers by the OCI runtime specification");
  for (const auto& [name, about] : detail::commands) text += fmt::format("   {:<10} {}\n", name, about);
  detail::parser p{""};
  global_options g;
  detail::global_words words;
  detail::add_global(p, g, words);
  const auto options = p.text("");
  return text + "\nGLOBAL " + options.substr(options.find("OPTIONS"));
}

namespace detail {

/// Builds the one command that was asked for.
class command_line {
 public:
  command_line(request& out, std::string program) : out_{out}, program_{std::move(program)} {}

  auto parse(const std::string& name, const std::vector<std::string>& words) -> std::expected<void, usage_error> {
    out_.name = name;
    if (name == "help" || name == "h") return show(help_text(program_));
    if (name == "create") return make<create_command>(words, false);
    if (name == "run") return make<run_command>(words, true);
    if (name == "exec") return exec(words);
    if (name == "start") return with_id<start_command>(words, "start a created container's process");
    if (name == "pause") return with_id<pause_command>(words, "stop all processes of a container");
    if (name == "resume") return with_id<resume_command>(words, "let a paused container go on");
    if (name == "state") return with_id<state_command>(words, "show the state of a container");
    if (name == "kill") return kill(words);
    if (name == "ps") return ps(words);
    if (name == "update") return update(words);
    if (name == "events") return events(words);
    if (name == "stats") return stats(words);
    if (name == "delete") return remove(words);
    if (name == "list") return list(words);
    if (name == "spec") return spec(words);
    if (name == "stages") return stages(words);
    if (name == "features") return features(words);
    if (name == "check") return check(words);
    if (name == "where") return where(words);
    return fail(fmt::format("No help topic for '{}'", name));
  }

 private:
  using outcome = std::expected<void, usage_error>;

  static auto fail(std::string message, std::string help = {}) -> outcome {
    return std::unexpected(usage_error{.message = std::move(message), .to_stdout = std::move(help)});
  }
  auto show(std::string text) -> outcome {
    out_.what = show_text{std::move(text)};
    return {};
  }
  /// Parses and checks the number of positionals; false when help was asked for instead.
  auto take(parser& p, const std::vector<std::string>& words, std::size_t least, std::size_t most, bool stop = false)
      -> std::expected<bool, usage_error> {
    const auto usage = fmt::format("{} {} [command options]{}", is_called_runc(program_) ? "runc" : "ocitk", out_.name, operands_of(out_.name, least > 0));
    if (auto done = p.parse(words, stop); !done)
      return std::unexpected(usage_error{.message = done.error().message, .to_stdout = p.text(usage)});
    if (p.help) {
      (void)show(p.text(usage));
      return false;
    }
    const auto n = p.positionals.size();
    if (n >= least && n <= most) return true;
    const auto demand = least == most ? fmt::format("requires exactly {} argument(s)", least)
                        : n < least   ? fmt::format("requires a minimum of {} argument(s)", least)
                                      : fmt::format("requires a maximum of {} argument(s)", most);
    const auto message = fmt::format("{}: \"{}\" {}", program_, out_.name, demand);
    return std::unexpected(usage_error{.message = message, .to_stdout = "Incorrect Usage.\n\n" + p.text(usage)});
  }
  template <class Command>
  auto make(const std::vector<std::string>& words, bool is_run) -> outcome {
    create_options o;
    parser p{is_run ? "make and start a container" : "make a container"};
    add_create(p, o, is_run);
    const auto go = take(p, words, 1, 1);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    o.id = p.positionals[0];
    o.bundle = without_trailing_slashes(absolute(o.bundle.empty() ? "." : o.bundle));
    o.config = absolute(o.config);
    if (auto done = settle(o); !done) return done;
    out_.what = Command{std::move(o)};
    return {};
  }
  /// Paths made absolute, and what can be said of values.
  static auto settle(launch_options& o) -> outcome {
    if (o.preserve_fds < 0) return fail("preserve-fds cannot be negative");
    for (auto* path : {&o.console_socket, &o.pidfd_socket, &o.pid_file}) *path = absolute(*path);
    if (o.trace != "-") o.trace = absolute(o.trace);
    if (o.plan && o.plan->empty()) o.plan = "text";
    if (o.plan && *o.plan != "text" && *o.plan != "json") return fail("--plan is text or json, not " + *o.plan);
    return {};
  }
  auto exec(const std::vector<std::string>& words) -> outcome {
    exec_options o;
    parser p{"run another process in a container"};
    add_exec(p, o);
    const auto go = take(p, words, 1, static_cast<std::size_t>(-1), true);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    o.id = p.positionals[0];
    o.args.assign(p.positionals.begin() + 1, p.positionals.end());
    o.process = absolute(o.process);
    if (auto done = settle(o); !done) return done;
    out_.what = exec_command{std::move(o)};
    return {};
  }
  /// --format: json, or the command's form for people.
  static auto take_format(const std::string& format, std::string_view usual, bool& json) -> outcome {
    json = format == "json";
    if (!json && format != usual) return fail("invalid format option");
    return {};
  }
  template <class Command>
  auto with_id(const std::vector<std::string>& words, const std::string& about) -> outcome {
    parser p{about};
    const auto go = take(p, words, 1, 1);
    if (!go) return std::unexpected(go.error());
    if (*go) out_.what = Command{p.positionals[0]};
    return {};
  }
  auto kill(const std::vector<std::string>& words) -> outcome {
    kill_options o;
    parser p{"send a signal to a container's process"};
    p.flag("all", "a", o.all, "succeed if the container is not running");
    p.flag("regex", "r", o.regex, "the id is a regular expression: all containers it fits");
    const auto go = take(p, words, 1, 2, true);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    o.id = p.positionals[0];
    if (p.positionals.size() > 1) o.signal = p.positionals[1];
    out_.what = kill_command{std::move(o)};
    return {};
  }
  auto ps(const std::vector<std::string>& words) -> outcome {
    ps_options o;
    std::string format = "table";
    parser p{"show the processes of a container; what follows the id goes to the host's ps"};
    p.value("format", "f", format, "table or json");
    const auto go = take(p, words, 1, static_cast<std::size_t>(-1), true);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    if (auto done = take_format(format, "table", o.json); !done) return done;
    o.id = p.positionals[0];
    o.args.assign(p.positionals.begin() + 1, p.positionals.end());
    out_.what = ps_command{std::move(o)};
    return {};
  }
  static auto take_interval(const std::string& text, std::int64_t& target) -> outcome {
    if (text.empty()) return {};
    const auto wanted = milliseconds_from(text);
    if (!wanted) return fail(fmt::format("invalid value \"{}\" for flag -interval: parse error", text));
    if (*wanted == 0) return fail("duration interval must be greater than 0");
    target = *wanted;
    return {};
  }
  auto events(const std::vector<std::string>& words) -> outcome {
    events_options o;
    std::string interval;
    parser p{"tell what a container uses, and when its memory ran out, a line of JSON each time"};
    p.value("interval", "", interval, "time between two records: 5s, 500ms, 1m; default: 5s");
    p.flag("stats", "", o.stats, "print one record and end");
    const auto go = take(p, words, 1, 1);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    if (auto done = take_interval(interval, o.interval); !done) return done;
    o.id = p.positionals[0];
    out_.what = events_command{std::move(o)};
    return {};
  }
  auto stats(const std::vector<std::string>& words) -> outcome {
    stats_options o;
    std::string interval;
    parser p{"show what containers use, by default all that run, until they end"};
    p.value("interval", "", interval, "time between two looks: 2s, 500ms; default: 2s");
    p.flag("once", "", o.once, "print one table and end");
    const auto go = take(p, words, 0, static_cast<std::size_t>(-1));
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    if (auto done = take_interval(interval, o.interval); !done) return done;
    o.ids = p.positionals;
    out_.what = stats_command{std::move(o)};
    return {};
  }
  auto update(const std::vector<std::string>& words) -> outcome {
    update_options o;
    update_flags flags;
    parser p{"change the limits of a container"};
    add_update(p, o, flags);
    const auto go = take(p, words, 1, 1);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    o.id = p.positionals[0];
    if (o.resources != "-") o.resources = absolute(o.resources);
    if (o.resources.empty()) {
      auto change = resources_from(flags);
      if (!change) return std::unexpected(std::move(change).error());
      o.change = std::move(*change);
    }
    out_.what = update_command{std::move(o)};
    return {};
  }
  auto remove(const std::vector<std::string>& words) -> outcome {
    delete_options o;
    parser p{"remove what is left of a container"};
    p.flag("force", "f", o.force, "kill it first if it runs");
    p.flag("regex", "r", o.regex, "the id is a regular expression: all containers it fits");
    const auto go = take(p, words, 1, 1);
    if (!go) return std::unexpected(go.error());
    o.id = *go ? p.positionals[0] : "";
    if (*go) out_.what = delete_command{std::move(o)};
    return {};
  }
  auto list(const std::vector<std::string>& words) -> outcome {
    list_options o;
    std::string format = "table";
    parser p{"show the containers of a state root"};
    p.value("format", "f", format, "table or json");
    p.flag("quiet", "q", o.quiet, "ids only");
    const auto go = take(p, words, 0, 0);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    if (auto done = take_format(format, "table", o.json); !done) return done;
    out_.what = list_command{o};
    return {};
  }
  auto features(const std::vector<std::string>& words) -> outcome {
    parser p{"tell what this runtime can do, as the specification's features document"};
    const auto go = take(p, words, 0, 0);
    if (!go) return std::unexpected(go.error());
    if (*go) out_.what = features_command{};
    return {};
  }
  auto stages(const std::vector<std::string>& words) -> outcome {
    stages_command o{.format = "text"};
    parser p{"list the stages of a setup in their order"};
    p.value("format", "f", o.format, "text, json or markdown");
    const auto go = take(p, words, 0, 0);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    if (o.format != "text" && o.format != "json" && o.format != "markdown") return fail("invalid format option");
    out_.what = std::move(o);
    return {};
  }
  auto where(const std::vector<std::string>& words) -> outcome {
    where_options o;
    std::string format = "text";
    parser p{"show how far the setup of a container is and what it waits for"};
    p.value("format", "f", format, "text or json");
    const auto go = take(p, words, 1, 1);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    if (auto done = take_format(format, "text", o.json); !done) return done;
    o.id = p.positionals[0];
    out_.what = where_command{std::move(o)};
    return {};
  }
  auto spec(const std::vector<std::string>& words) -> outcome {
    spec_options o;
    parser p{"write a config.json to start from"};
    p.value("bundle", "b", o.bundle, "directory to write to, default: the current one");
    p.flag("rootless", "", o.rootless, "for a user without privileges");
    const auto go = take(p, words, 0, 0);
    if (!go) return std::unexpected(go.error());
    if (*go) out_.what = spec_command{std::move(o)};
    return {};
  }
  auto check(const std::vector<std::string>& words) -> outcome {
    check_options o;
    std::string format = "text";
    parser p{"judge a bundle, by default the current directory, before anything runs"};
    p.value("format", "f", format, "text or json");
    p.flag("strict", "", o.strict, "let warnings count as errors");
    const auto go = take(p, words, 0, 1);
    if (!go) return std::unexpected(go.error());
    if (!*go) return {};
    if (auto done = take_format(format, "text", o.json); !done) return done;
    o.bundle = without_trailing_slashes(absolute(p.positionals.empty() ? "." : p.positionals[0]));
    out_.what = check_command{std::move(o)};
    return {};
  }

  request& out_;
  std::string program_;
};

/// What crun's words mean, and whether the others are known.
inline auto settle(global_options& g, const global_words& said) -> std::expected<void, usage_error> {
  const auto wrong = [](std::string message) { return std::unexpected(usage_error{.message = std::move(message)}); };
  constexpr std::string_view to_file = "file:";
  if (g.log.starts_with(to_file)) g.log.erase(0, to_file.size());
  const auto elsewhere = g.log;
  g.log = absolute(g.log);
  g.log_json = said.format == "json";
  g.debug = g.debug || said.log_level == "debug";
  g.systemd_cgroup = g.systemd_cgroup || said.cgroup_manager == "systemd";
  g.no_cgroups = said.cgroup_manager == "disabled";
  if (elsewhere.starts_with("journald:") || elsewhere.starts_with("syslog:")) {
    g.log.clear();
    return wrong("--log takes a file, not " + elsewhere);
  }
  if (said.format != "text" && said.format != "json") return wrong("invalid log-format: " + said.format);
  for (const std::string_view known : {"", "cgroupfs", "systemd", "disabled"})
    if (said.cgroup_manager == known) {
      for (const std::string_view level : {"", "error", "warning", "debug"})
        if (said.log_level == level) return {};
      return wrong("invalid log-level: " + said.log_level);
    }
  return wrong("invalid cgroup-manager: " + said.cgroup_manager);
}

/// Options before the command are global; the first word that is none is the command.
inline auto split_at_command(const std::vector<std::string>& words, const std::vector<std::string_view>& with_value)
    -> std::size_t {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].size() < 2 || words[i][0] != '-') return i;
    const auto name = words[i].substr(words[i].starts_with("--") ? 2 : 1);
    for (const auto& v : with_value)
      if (name == v) ++i;
  }
  return words.size();
}

}  // namespace detail

/// Understands a whole command line. Paths come out absolute: the caller may change directory later.
inline auto parse(const std::vector<std::string>& words, const std::string& program, const std::string& root_by_default)
    -> std::expected<request, usage_error> {
  request r;
  detail::global_words said;
  r.global.root = root_by_default;
  detail::parser global{""};
  detail::add_global(global, r.global, said);
  const auto at = detail::split_at_command(words, {"root", "log", "log-format", "log-level", "cgroup-manager", "rootless", "criu"});
  const auto middle = words.begin() + static_cast<std::ptrdiff_t>(std::min(at, words.size()));
  if (auto done = global.parse({words.begin(), middle}, false); !done)
    return std::unexpected(usage_error{.message = done.error().message, .to_stdout = help_text(program)});
  for (auto word = words.begin(); word != middle; ++word)
    if (word->starts_with("--root") || word->starts_with("-root")) r.global.root_given = !word->contains("less");
  r.global.root = detail::without_trailing_slashes(detail::absolute(r.global.root));
  const auto settled = detail::settle(r.global, said);
  const auto with_log = [&](usage_error e) {
    e.global = r.global;
    return std::unexpected(std::move(e));
  };
  if (!settled) return with_log(settled.error());
  if (r.global.root.empty() || r.global.root == "/")
    return with_log({.message = "Option --root argument should not be set to /"});
  if (said.version) {
    r.what = show_version{};
    return r;
  }
  if (global.help || middle == words.end()) {
    r.what = show_text{help_text(program)};
    return r;
  }
  if (auto done = detail::command_line{r, program}.parse(*middle, {middle + 1, words.end()}); !done)
    return with_log(done.error());
  return r;
}

}  // namespace ocitk::cli

#endif
