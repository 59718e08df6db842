#include "tools.hpp"

#include <ocitk/runtime/hooks.hpp>
#include <ocitk/spec/environment.hpp>
#include <ocitk/stages/exec.hpp>
#include <ocitk/stages/hooks.hpp>
#include <ocitk/sys/file.hpp>

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <cstdlib>

// ocitk-hooks: runs the hooks that are due where it stands: before the pivot those that prepare the container, behind it
// those of the container itself. Without a bundle it runs one hook, for trying it out.
namespace ocitk::tools::stages {

namespace {

namespace hooks = ocitk::stages::hooks;
using hooks::moment;

constexpr std::array every_moment{moment::prestart,        moment::create_runtime, moment::create_container,
                                  moment::start_container, moment::poststart,      moment::poststop};

auto moments_in(const std::string& text) -> result<std::vector<moment>> {
  std::vector<moment> wanted;
  for (const auto& word : cli::words_in(text)) {
    const auto* known = std::ranges::find(every_moment, word, [](moment m) { return hooks::to_string(m); });
    if (known == every_moment.end())
      return failure(word + " is no list of hooks; they are prestart, createRuntime, createContainer, startContainer and poststop");
    if (*known == moment::poststart)
      return failure("poststart hooks run when the program runs: nobody of the chain is left to run them then");
    wanted.push_back(*known);
  }
  return wanted;
}

/// A caller that ignores SIGCHLD would keep us from a hook's status; the next program gets back what was set.
class children_are_told_of {
 public:
  children_are_told_of() {
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    (void)::sigaction(SIGCHLD, &usual, &before_);  // cannot fail
  }
  ~children_are_told_of() { (void)::sigaction(SIGCHLD, &before_, nullptr); }
  children_are_told_of(const children_are_told_of&) = delete;
  auto operator=(const children_are_told_of&) -> children_are_told_of& = delete;

 private:
  struct sigaction before_ {};
};

/// The pid that the /proc in sight knows us by. Before the pivot that is the host's, and hooks look there.
auto pid_in_sight() -> int {
  std::array<char, 16> text{};
  const auto n = ::readlink("/proc/self", text.data(), text.size() - 1);
  const int pid = n > 0 ? std::atoi(text.data()) : 0;
  return pid > 0 ? pid : ::getpid();
}

/// The caller's environment, but for what the chain put there.
auto callers_environment() -> spec::strings {
  auto env = hooks::inherited_environment();
  std::erase_if(env, [](const std::string& entry) { return entry.starts_with("OCITK_"); });
  return env;
}

class hooks_tool : public cli::tool {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("at", &at_, "lists of the bundle, separated by commas: prestart, createRuntime, createContainer, startContainer, "
                      "poststop; default: the first three before the pivot, startContainer behind it");
    o.add("path", &path_, "run this program, and no hook of a bundle");
    o.add("arg", &args_, "argument for it, behind its name; may be given again");
    o.add("env", &env_, "variable for it, NAME=VALUE, in the place of all others; may be given again");
    o.add("timeout", &seconds_, "seconds until it is killed");
  }
  [[nodiscard]] auto enters_containers() const -> bool override { return true; }

  auto fill(cli::chain_link& here) -> result<> override {
    at_moments_ = OCITK_TRY(moments_in(at_));
    if (path_.empty() && !here.has_spec) return failure("--path is needed without a bundle");
    if (path_.empty() && (!args_.empty() || !env_.empty() || seconds_)) return failure("--arg, --env and --timeout are for --path");
    if (path_.empty()) return {};
    if (!at_.empty()) return failure("either --path or --at");
    return take_hook();
  }

  auto run(cli::chain_link& here) -> result<> override {
    if (here.state.lent) return cli::comes_first("caps", "a hook would have capabilities that are only on loan");
    const children_are_told_of in_scope;
    return in_stage(ocitk::stages::run_create_runtime_hooks::name, [&]() -> result<> {
      if (!path_.empty()) return run_one(here);
      for (const auto when : at_moments_.empty() ? due(here) : at_moments_) OCITK_TRY(run_list(here, when));
      return {};
    });
  }

 private:
  auto take_hook() -> result<> {
    if (!path_.starts_with('/')) return failure("the path of a hook must be absolute");
    for (const auto& e : env_)
      if (e.find('=') == e.npos) return failure(e + ": a variable is NAME=VALUE");
    if (seconds_ && (*seconds_ <= 0 || *seconds_ > INT_MAX)) return failure("the timeout of a hook must be greater than zero");
    one_ = {.title = "hook " + path_, .path = path_, .args = {path_}};
    std::ranges::copy(args_, std::back_inserter(one_.args));
    if (!env_.empty()) one_.env = env_;
    if (seconds_) one_.seconds = static_cast<int>(*seconds_);
    return {};
  }
  static auto due(const cli::chain_link& here) -> std::vector<moment> {
    if (here.state.pivoted) return {moment::start_container};
    return {moment::prestart, moment::create_runtime, moment::create_container};
  }

  auto run_list(cli::chain_link& here, moment when) const -> result<> {
    OCITK_TRY(require_place(here, when));
    const auto commands = hooks::plan(here.config.hooks, when);
    if (commands.empty()) return {};
    if (when == moment::create_container)
      return hooks::run_in_order(commands, {.state = state_for(here, runtime::status::creating, ::getpid()),
                                            .directory = here.state.rootfs.get()});
    if (when == moment::start_container)
      return hooks::run_in_order(commands, {.state = state_for(here, runtime::status::created, ::getpid()),
                                            .environment = payloads_environment(here)});
    const bool over = when == moment::poststop;
    const auto state = over ? state_for(here, runtime::status::stopped, 0) : state_for(here, runtime::status::creating, pid_in_sight());
    const auto bundle = OCITK_TRY(sys::open_at(fd_ref::cwd(), here.state.bundle, O_PATH | O_DIRECTORY));
    return hooks::run_in_order(commands, {.state = state, .environment = callers_environment(), .directory = over ? -1 : bundle.get()});
  }
  [[nodiscard]] auto run_one(cli::chain_link& here) const -> result<> {
    const bool inside = here.has_spec && here.state.pivoted;
    const auto state = state_for(here, inside ? runtime::status::created : runtime::status::creating, ::getpid());
    return hooks::run(one_, {.state = state, .environment = inside ? payloads_environment(here) : callers_environment()});
  }

  /// Paths of hooks are the host's before the pivot and the image's behind it: one that runs on the wrong side is another program.
  static auto require_place(const cli::chain_link& here, moment when) -> result<> {
    if (here.state.only_planned) return {};  // the tools in front are thought to have done their part
    if (when == moment::start_container && !here.state.pivoted)
      return cli::comes_first("pivot", "startContainer hooks would run in the host's root");
    if (when == moment::start_container) return {};
    if (when != moment::poststop) return cli::require_root(here);
    return here.state.pivoted ? failure("poststop hooks are programs of the host, and the pivot is done already") : result<>{};
  }
  static auto state_for(const cli::chain_link& here, runtime::status now, int pid) -> std::string {
    const auto id = here.state.id.empty() ? fmt::format("ocitk-{}", ::getpid()) : here.state.id;
    return runtime::hook_state({.id = id, .bundle = here.state.bundle, .annotations = here.config.annotations}, now, pid);
  }
  static auto payloads_environment(cli::chain_link& here) -> spec::strings {
    const auto& process = cli::process_of(here);
    return spec::environment(process, ocitk::stages::exec::home(process.user.uid));
  }

  std::string at_, path_;
  std::vector<std::string> args_, env_;
  std::optional<std::int64_t> seconds_{};
  std::vector<moment> at_moments_{};
  hooks::command one_{};
};

}  // namespace

auto make_hooks() -> made_tool { return std::make_unique<hooks_tool>(); }

}  // namespace ocitk::tools::stages
