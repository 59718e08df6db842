#include <ocitk/stages/hooks.hpp>

#include "../../support/scratch.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <string>

using namespace ocitk;
namespace hooks = stages::hooks;

static_assert(stage<stages::run_create_runtime_hooks>);
static_assert(stage<stages::run_create_container_hooks>);

namespace {

auto script(const std::string& text) -> hooks::command {
  return {.title = "createRuntime hook #0", .pointer = "/hooks/createRuntime/0", .path = "/bin/sh", .args = {"sh", "-c", text}};
}
auto outcome(const hooks::command& hook, const hooks::setting& with = {}) -> error {
  const auto done = hooks::run(hook, with);
  return done ? error{} : done.error();
}
auto content(const std::string& path) -> std::string {
  const auto text = sys::read_file(fd_ref::cwd(), path, 1 << 20);
  return text ? *text : "unreadable";
}
auto seconds_since(std::chrono::steady_clock::time_point begin) -> double {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST_CASE("hooks: the plan names each hook as the specification does") {
  spec::hooks all;
  all.create_runtime = {{.path = "/a"}, {.path = "/b", .args = {"x", "y"}, .env = spec::strings{"K=V"}, .timeout = 3}};
  const auto commands = hooks::plan(all, hooks::moment::create_runtime);
  REQUIRE(commands.size() == 2);
  CHECK(commands[0] == hooks::command{.title = "createRuntime hook #0", .pointer = "/hooks/createRuntime/0", .path = "/a", .args = {"/a"}});
  CHECK(commands[1] == hooks::command{.title = "createRuntime hook #1", .pointer = "/hooks/createRuntime/1", .path = "/b",
                                      .args = {"x", "y"}, .env = spec::strings{"K=V"}, .seconds = 3});
  CHECK(hooks::plan(all, hooks::moment::prestart).empty());
  all.poststop = {{.path = "/c"}};
  CHECK(hooks::plan(all, hooks::moment::poststop)[0].pointer == "/hooks/poststop/0");
}

TEST_CASE("hooks: a status reads as Go prints it") {
  CHECK(hooks::text_of_status(1 << 8) == "exit status 1");
  CHECK(hooks::text_of_status(SIGKILL) == "signal: killed");
  CHECK(hooks::text_of_status(SIGSEGV | 0x80) == "signal: segmentation fault (core dumped)");
  CHECK(hooks::text_of_status(SIGXCPU) == "signal: CPU time limit exceeded");
  CHECK(hooks::text_of_status(SIGIO) == "signal: I/O possible");
  CHECK(hooks::text_of_status(40) == "signal: signal 40");
}

TEST_CASE("hooks: a failure quotes both streams and the place in the spec") {
  const auto why = outcome(script("echo out; echo err >&2; exit 3"));
  CHECK(why.detail == "error running createRuntime hook #0: exit status 3, stdout: out\n, stderr: err\n");
  CHECK(why.pointer == "/hooks/createRuntime/0");
  CHECK(outcome(script("kill -TERM $$")).detail ==
        "error running createRuntime hook #0: signal: terminated, stdout: , stderr: ");
  CHECK(outcome(script("exit 0")).detail.empty());
}

TEST_CASE("hooks: a hook that cannot be executed is told with errno") {
  const auto why = outcome({.title = "prestart hook #2", .path = "/no/such"});
  CHECK(why.code == ENOENT);
  CHECK(to_string(why) == "error running prestart hook #2: fork/exec /no/such: no such file or directory");
  const support::scratch s;
  s.file("/plain", "#!/bin/sh\n", 0644);
  CHECK(outcome({.title = "x", .path = s.path("/plain")}).code == EACCES);
}

TEST_CASE("hooks: the state is on standard input, then its end") {
  const support::scratch s;
  const std::string state = R"({"ociVersion":"1.2.0","id":"x"})";
  CHECK(outcome(script("cat > " + s.path("/state")), {.state = state}).detail.empty());
  CHECK(content(s.path("/state")) == state);
  const std::string large(300'000, 's');
  SUBCASE("more than a pipe holds") {
    CHECK(outcome(script("cat > " + s.path("/state")), {.state = large}).detail.empty());
    CHECK(content(s.path("/state")) == large);
  }
  SUBCASE("it need not be read") {
    CHECK(outcome(script("exit 0"), {.state = large}).detail.empty());
    CHECK(outcome(script("exec <&-; sleep 0.05"), {.state = large}).detail.empty());
  }
}

TEST_CASE("hooks: arguments, environment and directory are exactly those") {
  const support::scratch s;
  const unique_fd here{::open(s.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  auto hook = script("printf '%s %s %s' \"$0\" \"$A\" \"${HOME-none}\" > said; pwd -P >> said");
  hook.args = {"other", "-c", hook.args[2], "zero"};
  CHECK(outcome(hook, {.environment = {"A=b"}, .directory = here.get()}).detail.empty());
  CHECK(content(s.path("/said")) == "zero b none" + s.path() + "\n");
  hook.env = spec::strings{};
  CHECK(outcome(hook, {.environment = {"A=b"}, .directory = here.get()}).detail.empty());
  CHECK(content(s.path("/said")) == "zero  none" + s.path() + "\n");
}

TEST_CASE("hooks: no descriptor above 2, default signals, a session of its own") {
  const support::scratch s;
  const int leak = ::open("/dev/null", O_RDONLY);  // not close-on-exec
  sigset_t all, before;
  ::sigfillset(&all);
  REQUIRE(::sigprocmask(SIG_BLOCK, &all, &before) == 0);
  (void)std::signal(SIGUSR1, SIG_IGN);
  const auto why = outcome(script("exec ls -l /proc/self/fd > " + s.path("/fds") + "; :"));
  CHECK(outcome(script("grep ^Sig /proc/self/status > " + s.path("/signals"))).detail.empty());
  CHECK(outcome(script("exec awk '{print ($1 == $6), ($1 == $5)}' /proc/self/stat > " + s.path("/ids"))).detail.empty());
  (void)std::signal(SIGUSR1, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::close(leak);
  CHECK(why.detail.empty());
  const auto fds = content(s.path("/fds"));
  CHECK(fds.find(" 2 -> ") != std::string::npos);
  CHECK(fds.find("/dev/null") == std::string::npos);
  const auto signals = content(s.path("/signals"));
  CHECK(signals.find("SigBlk:\t0000000000000000") != std::string::npos);
  CHECK(signals.find("SigIgn:\t0000000000000000") != std::string::npos);
  CHECK(content(s.path("/ids")) == "1 1\n");
}

TEST_CASE("hooks: past its timeout the whole group is killed") {
  const support::scratch s;
  auto hook = script("sleep 100 & echo $! > " + s.path("/pid") + "; wait");
  hook.seconds = 1;
  const auto begin = std::chrono::steady_clock::now();
  CHECK(outcome(hook).detail == "error running createRuntime hook #0: hook ran past specified timeout of 1.0s");
  CHECK(seconds_since(begin) < 10);
  const auto child = std::stoi(content(s.path("/pid")));
  for (int i = 0; i < 200; ++i) {  // its reaper may take a moment
    const auto stat = sys::stat_of(child);
    if (!stat || stat->state == 'Z' || stat->state == 'X') break;
    ::usleep(10'000);
  }
  const auto stat = sys::stat_of(child);
  CHECK((!stat || stat->state == 'Z' || stat->state == 'X'));
}

TEST_CASE("hooks: a megabyte of output is no dead-lock and not all kept") {
  const auto why = outcome(script("printf begin; head -c 1048576 /dev/zero | tr '\\0' x; printf end; head -c 1048576 /dev/zero >&2; exit 1"));
  CHECK(why.detail.size() > 100'000);
  CHECK(why.detail.size() < 140'000);
  CHECK(why.detail.find("stdout: beginxxx") != std::string::npos);
  CHECK(why.detail.find("xxxend, stderr: ") != std::string::npos);
  const auto brief = outcome(script("head -c 4000 /dev/zero | tr '\\0' x; exit 1"), {.longest_output = 100});
  CHECK(brief.detail.size() < 200);
  CHECK(outcome(script("head -c 1048576 /dev/zero")).detail.empty());
}

TEST_CASE("hooks: what stays in the background is not waited for") {
  const auto begin = std::chrono::steady_clock::now();
  CHECK(outcome(script("sleep 5 & exit 0")).detail.empty());
  CHECK(outcome(script("(while :; do echo more; done) & sleep 0.1; exit 1")).detail.find("stdout: more\n") != std::string::npos);
  CHECK(seconds_since(begin) < 4);
}

TEST_CASE("hooks: in order up to the first failure, or all of them") {
  const support::scratch s;
  const auto append = [&](const std::string& word, int code) {
    return script("echo " + word + " >> " + s.path("/order") + "; exit " + std::to_string(code));
  };
  const std::vector<hooks::command> list{append("a", 0), append("b", 1), append("c", 2)};
  CHECK(hooks::run_in_order(list, {}).error().detail.find("exit status 1") != std::string::npos);
  CHECK(content(s.path("/order")) == "a\nb\n");
  const auto failures = hooks::run_all(list, {});
  REQUIRE(failures.size() == 2);
  CHECK(failures[1].detail.find("exit status 2") != std::string::npos);
  CHECK(content(s.path("/order")) == "a\nb\na\nb\nc\n");
}

TEST_CASE("hooks: the last step is done in the child, and its failure is the hook's") {
  const auto refuse = [] { return result<>{failure("no")}; };
  const auto done = hooks::run(script("exit 0"), {}, refuse);
  REQUIRE_FALSE(done);
  CHECK(done.error().detail == "error running createRuntime hook #0: no");
}

TEST_CASE("hooks: the stages take the bundle, the root and the state from their context") {
  const support::scratch s;
  spec::config config;
  config.hooks.prestart = {{.path = "/bin/sh", .args = {"sh", "-c", "cat > first; env | grep -c ^PATH= >> first"}}};
  config.hooks.create_runtime = {{.path = "/bin/sh", .args = {"sh", "-c", "test -e first && pwd -P > second"}}};
  config.hooks.create_container = {{.path = "/bin/sh", .args = {"sh", "-c", "/bin/cat - /proc/$$/environ > third"}}};
  parent_context parent{.spec = config, .bundle = s.path(), .state = "p"};
  REQUIRE(run_stage(stages::run_create_runtime_hooks{}, parent));
  CHECK(content(s.path("/first")) == "p1\n");
  CHECK(content(s.path("/second")) == s.path() + "\n");
  init_context init{.spec = config, .state = "c"};
  init.rootfs = *duplicate(s.root());
  REQUIRE(run_stage(stages::run_create_container_hooks{}, init));
  CHECK(content(s.path("/third")) == "c");  // and no environment at all
  config.hooks.create_container.push_back({.path = "/bin/false"});
  const auto done = run_stage(stages::run_create_container_hooks{}, init);
  REQUIRE_FALSE(done);
  CHECK(done.error().stage == "hooks");
  CHECK(done.error().pointer == "/hooks/createContainer/1");
}
