#include <ocitk/cli/options.hpp>

#include <doctest/doctest.h>

using namespace ocitk::cli;

namespace {

auto understand(std::vector<std::string> words) { return parse(words, "ocitk", "/run/ocitk"); }
auto complaint(std::vector<std::string> words) -> std::string {
  const auto r = understand(std::move(words));
  return r ? "" : r.error().message;
}

}  // namespace

TEST_CASE("options: one dash or two, values beside or behind, before or after the id") {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"run", "-bundle", "/b", "-d", "c"}, {"run", "--bundle=/b", "--detach", "c"}, {"run", "c", "-b", "/b", "--detach=true"}}) {
    const auto r = understand(words);
    REQUIRE(r);
    const auto& o = std::get<run_command>(r->what).options;
    CHECK(o.id == "c");
    CHECK(o.bundle == "/b");
    CHECK(o.detach);
  }
}

TEST_CASE("options: crun's words") {
  const auto global = [](std::vector<std::string> words) {
    words.emplace_back("list");
    return understand(std::move(words))->global;
  };
  CHECK_FALSE(global({"--cgroup-manager=cgroupfs"}).systemd_cgroup);
  CHECK(global({"--cgroup-manager", "systemd"}).systemd_cgroup);
  CHECK(global({"--cgroup-manager", "disabled"}).no_cgroups);
  CHECK(complaint({"--cgroup-manager", "docker", "list"}) == "invalid cgroup-manager: docker");
  CHECK(global({"--log-level=debug"}).debug);
  CHECK_FALSE(global({"--log-level", "warning"}).debug);
  CHECK(complaint({"--log-level", "loud", "list"}) == "invalid log-level: loud");
  CHECK(global({"--log=file:/x/y"}).log == "/x/y");
  CHECK(complaint({"--log=journald:ocitk", "list"}) == "--log takes a file, not journald:ocitk");
  const auto create = std::get<create_command>(understand({"create", "-f", "/c.json", "--no-subreaper", "a"})->what).options;
  CHECK(create.config == "/c.json");
  CHECK(std::get<run_command>(understand({"run", "--config=/c.json", "a"})->what).options.config == "/c.json");
  CHECK(std::get<kill_command>(understand({"kill", "--regex", "a.*", "KILL"})->what).options.regex);
  CHECK(std::get<delete_command>(understand({"delete", "-f", "-r", "a.*"})->what).options.regex);
}

TEST_CASE("options: a program called runc says so") {
  const auto help = [](const std::string& program, std::vector<std::string> words) {
    return std::get<show_text>(parse(words, program, "/run/ocitk")->what).text;
  };
  CHECK(help("/usr/sbin/runc", {"-h"}).starts_with("NAME:\n   runc - Open Container Initiative runtime\n"));
  CHECK(help("runc", {"create", "-h"}).starts_with("NAME:\n   runc create - make a container\n"));
  CHECK(help("ocitk", {"--help"}).starts_with("NAME:\n   ocitk - "));
  CHECK(help("/opt/notrunc", {"run", "--help"}).starts_with("NAME:\n   ocitk run - "));
}

TEST_CASE("options: globals stand before the command") {
  const auto r = understand({"--root", "/r/", "--log-format=json", "--debug", "list", "-q"});
  REQUIRE(r);
  CHECK(r->global.root == "/r");
  CHECK(r->global.root_given);
  CHECK(r->global.log_json);
  CHECK(r->global.debug);
  CHECK(std::get<list_command>(r->what).options.quiet);
}

TEST_CASE("options: where takes a container and a format") {
  const auto r = understand({"where", "c", "--format", "json"});
  REQUIRE(r);
  CHECK(std::get<where_command>(r->what).options.id == "c");
  CHECK(std::get<where_command>(r->what).options.json);
  CHECK_FALSE(std::get<where_command>(understand({"where", "c"})->what).options.json);
}

TEST_CASE("options: ps takes a format, and behind the id words for the host's ps") {
  const auto r = understand({"ps", "--format", "json", "c", "-o", "pid", "-f"});
  REQUIRE(r);
  const auto& o = std::get<ps_command>(r->what).options;
  CHECK(o.id == "c");
  CHECK(o.json);
  CHECK(o.args == std::vector<std::string>{"-o", "pid", "-f"});
  CHECK(complaint({"ps", "-f", "xml", "c"}) == "invalid format option");
  CHECK(complaint({"ps"}) == "ocitk: \"ps\" requires a minimum of 1 argument(s)");
}

TEST_CASE("options: update turns each option into a field") {
  const auto r = understand({"update", "--memory", "64m", "--memory-swap=-1", "--memory-reservation", "1k", "--cpu-share", "5", "--cpu-quota", "-1",
                             "--cpu-period", "6", "--cpu-burst", "7", "--cpu-rt-period", "8", "--cpu-rt-runtime", "9", "--cpu-idle", "1",
                             "--cpuset-cpus", "0-1", "--cpuset-mems", "0", "--blkio-weight", "10", "--pids-limit", "-1", "--kernel-memory", "1",
                             "--l3-cache-schema", "L3:0=f", "--mem-bw-schema", "MB:0=5", "c"});
  REQUIRE(r);
  const auto& o = std::get<update_command>(r->what).options;
  const auto& c = o.change;
  CHECK(o.id == "c");
  CHECK(c.memory->limit == 64 << 20);
  CHECK(c.memory->swap == -1);
  CHECK(c.memory->reservation == 1024);
  CHECK(c.memory->kernel == 1);
  CHECK(c.cpu->shares == 5U);
  CHECK(c.cpu->quota == -1);
  CHECK(c.cpu->period == 6U);
  CHECK(c.cpu->burst == 7U);
  CHECK(c.cpu->realtime_period == 8U);
  CHECK(c.cpu->realtime_runtime == 9);
  CHECK(c.cpu->idle == 1);
  CHECK(c.cpu->cpus == "0-1");
  CHECK(c.cpu->mems == "0");
  CHECK(c.block_io->weight == 10);
  CHECK(c.pids_limit == -1);
  CHECK(o.l3_cache_schema == "L3:0=f");
  CHECK(o.mem_bw_schema == "MB:0=5");
}

TEST_CASE("options: update names a value that is none, and takes a file in place of all of them") {
  CHECK(complaint({"update", "--cpu-share", "-1", "c"}) == "invalid value for cpu-share: \"-1\"");
  CHECK(complaint({"update", "--memory", "much", "c"}) == "invalid value for memory: \"much\"");
  CHECK(complaint({"update", "--blkio-weight", "70000", "c"}) == "invalid value for blkio-weight: \"70000\"");
  const auto empty = understand({"update", "c"});
  CHECK_FALSE(std::get<update_command>(empty->what).options.change.memory);
  const auto piped = understand({"update", "--resources=-", "--cpu-share", "x", "c"});
  REQUIRE(piped);
  CHECK(std::get<update_command>(piped->what).options.resources == "-");
  CHECK(std::get<update_command>(understand({"update", "-r", "/f", "c"})->what).options.resources == "/f");
}

TEST_CASE("options: kill takes no option after the id") {
  const auto r = understand({"kill", "-a", "c", "-9"});
  REQUIRE(r);
  CHECK(std::get<kill_command>(r->what).options.signal == "-9");
  CHECK(std::get<kill_command>(understand({"kill", "c"})->what).options.signal == "SIGTERM");
}

TEST_CASE("options: exec takes lists as they stand, and no option after the id") {
  const auto r = understand({"exec", "-e", "A=1,2", "--env=[B]=x,y", "-c", "CAP_KILL", "-t", "-u", "1:2", "--cgroup", "cpu:/a", "c", "ls", "-l", "--", "-t"});
  REQUIRE(r);
  const auto& o = std::get<exec_command>(r->what).options;
  CHECK(o.id == "c");
  CHECK(o.args == std::vector<std::string>{"ls", "-l", "--", "-t"});
  CHECK(o.env == std::vector<std::string>{"A=1,2", "[B]=x,y"});
  CHECK(o.caps == std::vector<std::string>{"CAP_KILL"});
  CHECK(o.cgroups == std::vector<std::string>{"cpu:/a"});
  CHECK(o.user == "1:2");
  CHECK(o.tty);
  CHECK_FALSE(o.detach);
  CHECK(std::get<exec_command>(understand({"exec", "-p", "/x", "-d", "c"})->what).options.args.empty());
  CHECK(complaint({"exec"}) == "ocitk: \"exec\" requires a minimum of 1 argument(s)");
  CHECK(complaint({"exec", "--preserve-fds", "-1", "c"}) == "preserve-fds cannot be negative");
}

TEST_CASE("options: complaints are runc's") {
  CHECK(complaint({"nonsense"}) == "No help topic for 'nonsense'");
  CHECK(complaint({"run", "--x", "c"}) == "flag provided but not defined: -x");
  CHECK(complaint({"run", "--bundle"}) == "flag needs an argument: --bundle");
  CHECK(complaint({"run"}) == "ocitk: \"run\" requires exactly 1 argument(s)");
  CHECK(complaint({"list", "-f", "x"}) == "invalid format option");
  CHECK(complaint({"where", "-f", "x", "c"}) == "invalid format option");
  CHECK(complaint({"where"}) == "ocitk: \"where\" requires exactly 1 argument(s)");
  CHECK(complaint({"--log-format", "x", "list"}) == "invalid log-format: x");
  CHECK(complaint({"--root", "", "list"}) == "Option --root argument should not be set to /");
  CHECK_FALSE(complaint({"run", "--detach=maybe", "c"}).empty());
  CHECK_FALSE(complaint({"run", "--preserve-fds", "x", "c"}).empty());
}

TEST_CASE("options: the default root is not shared with other runtimes") {
  CHECK(default_root(true, "/run/user/0") == "/run/ocitk");
  CHECK(default_root(false, "/run/user/1000") == "/run/user/1000/ocitk");
  CHECK(default_root(false, nullptr) == "/run/ocitk");
}

TEST_CASE("options: check takes a bundle, a format and how strict it is") {
  const auto r = understand({"check", "-f", "json", "/b/", "--strict"});
  REQUIRE(r);
  const auto& o = std::get<check_command>(r->what).options;
  CHECK(o.bundle == "/b");
  CHECK(o.json);
  CHECK(o.strict);
  CHECK(std::get<check_command>(understand({"check"})->what).options.bundle.starts_with("/"));
  CHECK(complaint({"check", "-f", "xml"}) == "invalid format option");
  CHECK(complaint({"check", "a", "b"}).find("maximum of 1") != std::string::npos);
}

TEST_CASE("options: help shows short names, and what stands behind the options") {
  const auto help = [](std::vector<std::string> words) { return std::get<show_text>(understand(std::move(words))->what).text; };
  const auto has = [](const std::string& text, std::string_view part) { return text.find(part) != text.npos; };
  CHECK(has(help({"exec", "--help"}), "\n   --env, -e                variable to add"));
  CHECK(has(help({"exec", "-h"}), "ocitk exec [command options] <container-id> <command> [argument...]"));
  CHECK(has(help({"kill", "--help"}), "ocitk kill [command options] <container-id> [signal]\n"));
  CHECK(has(help({"check", "--help"}), "ocitk check [command options] [bundle]\n"));
  CHECK(has(help({"run", "--help"}), "ocitk run [command options] <container-id>\n"));
  CHECK(has(help({"list", "--help"}), "ocitk list [command options]\n"));
  CHECK(has(help({"--help"}), "\n   --version, -v "));
  CHECK(has(help({"list", "--help"}), "\n   --help, -h "));
}
