#include <ocitk/runtime/exec_process.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
using runtime::completed;
using runtime::overrides;
using runtime::process_from;

namespace {

auto of_container() -> spec::process {
  spec::process p;
  p.terminal = true;
  p.user = {.uid = 5, .gid = 6, .umask = 0027, .additional_gids = {7}};
  p.args = {"init"};
  p.env = {"A=1"};
  p.cwd = "/srv";
  p.capabilities = spec::capabilities{.bounding = {"CAP_KILL"}, .effective = {"CAP_KILL"}, .permitted = {"CAP_KILL"},
                                      .inheritable = {"CAP_CHOWN"}, .ambient = {}};
  p.rlimits = {{.type = "RLIMIT_NOFILE", .soft = 10, .hard = 20}};
  p.oom_score_adj = 50;
  return p;
}

auto changed(overrides wanted) -> spec::process {
  wanted.args = {"sh"};
  return process_from(of_container(), wanted).value();
}

auto complaint(overrides wanted) -> std::string {
  wanted.args = {"sh"};
  const auto r = process_from(of_container(), wanted);
  return r ? "" : r.error().detail;
}

}  // namespace

TEST_CASE("exec_process: an option changes what it names and nothing else") {
  const auto p = changed({});
  CHECK(p.args == spec::strings{"sh"});
  CHECK_FALSE(p.terminal);  // not even where the container has one
  CHECK(p.user.uid == 5);
  CHECK(p.user.additional_gids == std::vector<std::uint32_t>{7});
  CHECK(p.env == spec::strings{"A=1"});
  CHECK(p.cwd == "/srv");
  CHECK_FALSE(p.no_new_privileges);
  CHECK(changed({.terminal = true}).terminal);
  CHECK(changed({.no_new_privileges = true}).no_new_privileges);
  CHECK(changed({.cwd = "/tmp"}).cwd == "/tmp");
  CHECK(changed({.env = {"A=2", "B=3"}}).env == spec::strings{"A=1", "A=2", "B=3"});
  CHECK(changed({.apparmor_profile = "a"}).apparmor_profile == "a");
  CHECK(changed({.selinux_label = "l"}).selinux_label == "l");
}

TEST_CASE("exec_process: nothing to execute is an error") {
  CHECK(process_from(of_container(), {}).error().detail == "exec args cannot be empty");
}

TEST_CASE("exec_process: users are numbers, and never the one that means root stays") {
  CHECK(changed({.user = "1000"}).user.uid == 1000);
  CHECK(changed({.user = "1000"}).user.gid == 6);
  CHECK(changed({.user = "0:4294967294"}).user.gid == 4294967294U);
  CHECK(changed({.additional_gids = {"8", "9"}}).user.additional_gids == std::vector<std::uint32_t>{7, 8, 9});
  for (const auto* bad : {"root", "-1", "+1", " 1", "1 ", "4294967295", "4294967296", "0x1", ":5"})
    CHECK(complaint({.user = bad}).starts_with("bad uid"));
  for (const auto* bad : {"1:", "1:root", "1:-1", "1:4294967295", "1:2:3"}) CHECK(complaint({.user = bad}).starts_with("bad gid"));
  CHECK(complaint({.additional_gids = {"-1"}}).starts_with("bad additional gid"));
}

TEST_CASE("exec_process: a capability is never made inheritable, and ambient only where it is inheritable") {
  const auto caps = *changed({.caps = {"CAP_CHOWN", "CAP_FOWNER"}}).capabilities;
  const spec::strings all{"CAP_KILL", "CAP_CHOWN", "CAP_FOWNER"};
  CHECK(caps.bounding == all);
  CHECK(caps.effective == all);
  CHECK(caps.permitted == all);
  CHECK(caps.inheritable == spec::strings{"CAP_CHOWN"});
  CHECK(caps.ambient == spec::strings{"CAP_CHOWN"});
  auto bare = of_container();
  bare.capabilities.reset();
  CHECK(process_from(bare, {.args = {"sh"}, .caps = {"CAP_KILL"}})->capabilities->effective == spec::strings{"CAP_KILL"});
  CHECK_FALSE(process_from(bare, {.args = {"sh"}})->capabilities);
}

TEST_CASE("exec_process: what a file leaves out is the container's") {
  const auto p = completed({}, of_container(), 0077);
  CHECK(p.capabilities->bounding == spec::strings{"CAP_KILL"});
  CHECK(p.rlimits.size() == 1);
  CHECK(p.oom_score_adj == 50);
  CHECK(p.user.umask == 0027U);
  CHECK(p.user.uid == 0);
  CHECK(p.env.empty());
  auto without = of_container();
  without.user.umask.reset();
  CHECK(completed({}, without, 0077).user.umask == 0077U);
}

TEST_CASE("exec_process: what a file says stands") {
  spec::process given;
  given.capabilities.emplace();
  given.rlimits = {{.type = "RLIMIT_CORE", .soft = 0, .hard = 0}};
  given.oom_score_adj = 0;
  given.user.umask = 0;
  const auto p = completed(given, of_container(), 0077);
  CHECK(p.capabilities->bounding.empty());
  CHECK(p.rlimits[0].type == "RLIMIT_CORE");
  CHECK(p.oom_score_adj == 0);
  CHECK(p.user.umask == 0U);
}
