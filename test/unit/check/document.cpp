#include <ocitk/check/document.hpp>
#include <ocitk/spec/write.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace ocitk;
using nlohmann::json;

namespace {

auto usual() -> json { return json::parse(spec::to_json_text(spec::default_config(true, false, 0, 0))); }

/// "severity pointer" of every finding after a change to the default document.
template <class Change>
auto told(Change change, bool cgroup2 = true) -> std::vector<std::string> {
  auto document = usual();
  change(document);
  std::vector<std::string> all;
  for (const auto& f : check::examine(document.dump(), cgroup2).all)
    all.push_back(std::string{check::word_for(f.how)} + " " + f.pointer);
  return all;
}
using list = std::vector<std::string>;

}  // namespace

TEST_CASE("document: the default one is fine") {
  const auto e = check::examine(usual().dump(), true);
  CHECK(e.all.empty());
  REQUIRE(e.config);
  CHECK(e.config->hostname == "runc");
  CHECK(told([](auto&) {}, false).empty());
}

TEST_CASE("document: broken JSON is one error without a pointer") {
  const auto e = check::examine("{\n  \"a\": [1,\n}", true);
  REQUIRE(e.all.size() == 1);
  CHECK(e.all[0].pointer.empty());
  CHECK(e.all[0].message.find("line 3, column 1") != std::string::npos);
  CHECK_FALSE(e.config);
  CHECK_FALSE(check::examine("3", true).config);
}

TEST_CASE("document: a key that nobody reads, with what was meant or where it belongs") {
  auto document = usual();
  document["seccomp"] = json::object();
  document["process"]["capabilites"] = json::object();
  document["linux"]["path"] = "a key of many objects";
  const auto all = check::examine(document.dump(), true).all;
  REQUIRE(all.size() == 3);
  CHECK(all[0] == check::finding{.how = check::severity::warning, .pointer = "/process/capabilites",
                                 .message = "unknown key", .suggestion = "capabilities"});
  CHECK(all[1].message == "unknown key");
  CHECK(all[2].message == "unknown key, \"seccomp\" belongs to /linux");
}

TEST_CASE("document: independent errors do not hide each other") {
  CHECK(told([](auto& d) {
          d["process"]["cwd"] = "x";
          d["process"]["env"] = {"A=1", "B", "=C", 4, "D"};
          d["process"]["oomScoreAdj"] = 2000;
          d["linux"]["maskedPaths"][3] = "x";
        }) == list{"error /process/env/3", "error /process/cwd", "error /process/oomScoreAdj", "error /process/env/1",
                   "error /process/env/2", "error /process/env/4", "error /linux/maskedPaths/3"});
  CHECK(told([](auto& d) {
          d.erase("root");
          d["process"].erase("args");
          d["linux"]["sysctl"] = {{"kernel.panic", "1"}, {"net.ipv4.ip_forward", "1"}, {"a..b", "1"}};
        }) == list{"error /root", "error /process/args", "error /linux/sysctl/a..b", "error /linux/sysctl/kernel.panic"});
}

TEST_CASE("document: a misspelt word is told once and then taken for the right one") {
  CHECK(told([](auto& d) {
          d["linux"]["namespaces"][1]["type"] = "netwrok";
          d["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"}};
        }) == list{"error /linux/namespaces/1/type"});
  CHECK(told([](auto& d) { d["linux"]["namespaces"][1]["type"] = "uts2"; }) ==
        list{"error /linux/namespaces/1/type", "error /linux/namespaces/3"});  // now there are two of them
}

TEST_CASE("document: a word that cannot be guessed is told once") {
  CHECK(told([](auto& d) { d["process"]["rlimits"][0]["type"] = "RLIMIT_SOMETHING"; }) ==
        list{"error /process/rlimits/0/type"});
  CHECK(told([](auto& d) { d["linux"]["namespaces"].push_back({{"type", "bogus"}}); }) ==
        list{"error /linux/namespaces/6/type"});
}

TEST_CASE("document: each planner is asked, one error per entry") {
  CHECK(told([](auto& d) {
          d["process"]["user"]["umask"] = 01000;
          const json open_files{{"type", "RLIMIT_NOFILE"}, {"soft", 1}, {"hard", 1}};
          d["process"]["rlimits"].push_back(open_files);
          d["process"]["rlimits"].push_back(open_files);
        }) == list{"error /process/user/umask", "error /process/rlimits/1", "error /process/rlimits/2"});
  CHECK(told([](auto& d) { d["linux"]["devices"] = {{{"path", "x"}, {"type", "c"}}, {{"path", "/y"}, {"type", "q"}}}; }) ==
        list{"error /linux/devices/0/path", "error /linux/devices/1/type"});
  CHECK(told([](auto& d) {
          d["linux"]["resources"]["devices"] = {{{"access", "rwx"}}, {{"access", "r"}}, {{"type", "c"}}};
        }) == list{"error /linux/resources/devices/0", "error /linux/resources/devices/2"});
  CHECK(told([](auto& d) { d["linux"]["cgroupsPath"] = "/a/../b"; }) == list{"error /linux/cgroupsPath"});
  CHECK(told([](auto& d) { d["linux"]["resources"]["memory"] = {{"swappiness", 101}, {"limit", 2}, {"swap", 1}}; }) ==
        list{"error /linux/resources/memory/swappiness", "error /linux/resources/memory/swap"});
}

TEST_CASE("document: limits are judged in the words of the host's kind of cgroup") {
  const auto unified = [](auto& d) { d["linux"]["resources"]["unified"] = {{"a/b", "1"}}; };
  CHECK(told(unified, true) == list{"error /linux/resources/unified/a/b"});
  CHECK(told(unified, false).empty());  // what is missing there is a v2 hierarchy
}

TEST_CASE("document: seccomp rules, one by one") {
  CHECK(told([](auto& d) {
          d["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_ALLOW"},
                                   {"syscalls",
                                    {{{"names", {"read"}}, {"action", "SCMP_ACT_KILL"}, {"errnoRet", 1}},
                                     {{"names", {"read"}}, {"action", "SCMP_ACT_ERRNO"}},
                                     {{"names", {"write"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", 5000}}}}};
        }) == list{"error /linux/seccomp/syscalls/0/errnoRet", "error /linux/seccomp/syscalls/2/errnoRet"});
}

TEST_CASE("document: mounts, rlimits and hooks, entry by entry") {
  CHECK(told([](auto& d) {
          d["mounts"].push_back({{"destination", "/"}, {"type", "tmpfs"}});
          d["mounts"].push_back({{"destination", "rel"}, {"type", "tmpfs"}});
          d["process"]["rlimits"][0]["soft"] = 2000;
        }) == list{"error /mounts/7", "error /process/rlimits/0", "warning /mounts/8"});
  const auto hooks = told([](auto& d) { d["hooks"]["poststop"] = {{{"path", "/x"}}, {{"path", "y"}}, {{"path", "/z"}, {"timeout", 0}}}; });
  for (const auto* pointer : {"error /hooks/poststop/1/path", "error /hooks/poststop/2/timeout"})
    CHECK(std::ranges::count(hooks, pointer) == 1);
  CHECK(std::ranges::count(hooks, "error /hooks/poststop/0/path") == 0);
}

TEST_CASE("document: a version that is none") {
  for (const auto* text : {"1.0.0", "1.2.0-rc.1", "1.0.2+dev", "10.20.30"}) CHECK(check::detail::is_version(text));
  for (const auto* text : {"", "1", "1.0", "1.0.", "v1.0.0", "1.0.0x", "1..0"}) CHECK_FALSE(check::detail::is_version(text));
  CHECK(told([](auto& d) { d["ociVersion"] = "1"; }) == list{"warning /ociVersion"});
}

TEST_CASE("document: who has more than a hundred errors of a kind is told so") {
  const auto all = told([](auto& d) {
    for (int i = 0; i < 120; ++i) d["process"]["env"].push_back(i);
  });
  CHECK(std::ranges::count_if(all, [](const auto& t) { return t.starts_with("error /process/env/"); }) == 100);
  CHECK(std::ranges::count(all, "note ") == 1);
}
