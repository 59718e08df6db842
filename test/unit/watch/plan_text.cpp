#include <ocitk/watch/plan_text.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
using watch::recorded;

namespace {
auto calls_of(const std::vector<recorded>& row) -> std::string {
  std::string text;
  for (const auto& r : row) text += (text.empty() ? "" : " ") + r.call + (r.call == "sendmsg" ? r.args[1] : "");
  return text;
}
auto did(const char* process, const char* call) -> recorded { return {.process = process, .call = call}; }
auto said(const char* process, const char* word) -> recorded {
  return {.process = process, .call = "sendmsg", .args = {"<channel>", std::string{'"'} + word + '"'}};
}
auto heard(const char* process) -> recorded { return {.does = effect::asks, .process = process, .call = "recvmsg"}; }
}  // namespace

TEST_CASE("plan text: the order is the handshake's, however the scheduler had it") {
  const std::vector<recorded> parent{did("parent", "before"), did("parent", "clone3"), did("parent", "maps"), said("parent", "mapped"),
                                     heard("parent"), did("parent", "state"), said("parent", "go")};
  const std::vector<recorded> init{heard("init"), did("init", "setup"), said("init", "ready"), heard("init"), did("init", "execve")};
  const std::string wanted = "before clone3 maps sendmsg\"mapped\" setup sendmsg\"ready\" state sendmsg\"go\" execve";
  auto parent_first = parent;
  parent_first.insert(parent_first.end(), init.begin(), init.end());
  CHECK(calls_of(watch::plan_of(parent_first)) == wanted);
  auto init_first = init;
  init_first.insert(init_first.end(), parent.begin(), parent.end());
  CHECK(calls_of(watch::plan_of(init_first)) == wanted);
  std::vector<recorded> mixed;
  for (std::size_t i = 0; i < std::max(parent.size(), init.size()); ++i) {
    if (i < init.size()) mixed.push_back(init[i]);
    if (i < parent.size()) mixed.push_back(parent[i]);
  }
  CHECK(calls_of(watch::plan_of(mixed)) == wanted);
}

TEST_CASE("plan text: a bridge comes between the parent's clone and init") {
  const std::vector<recorded> all{did("init", "setup"), said("init", "ready"), did("parent", "clone3"), did("bridge", "setns"),
                                  heard("parent"), said("bridge", "born"), heard("parent"), did("parent", "state"), did("init", "execve")};
  CHECK(calls_of(watch::plan_of(all)) == "clone3 setns sendmsg\"born\" setup sendmsg\"ready\" state execve");
}

TEST_CASE("plan text: only what changes something, and was not refused, is planned") {
  std::vector<recorded> all{did("parent", "mkdirat"), did("parent", "clone3")};
  all.push_back({.does = effect::asks, .process = "parent", .call = "fstat"});
  all.push_back({.is_stage = true, .process = "parent", .stage = "cgroup"});
  all.push_back({.process = "parent", .call = "unlinkat", .returned = -1, .code = 2});
  CHECK(calls_of(watch::plan_of(all)) == "mkdirat clone3");
  CHECK(watch::plan_of({}).empty());
}

TEST_CASE("plan text: a line says who, when, what and why") {
  CHECK(watch::plan_text({{.process = "init", .stage = "hostname", .pointer = "/hostname", .call = "sethostname", .args = {"\"a\"", "1"}}}) ==
        "init    hostname      sethostname(\"a\", 1)  <- /hostname\n");
  CHECK(watch::plan_text({{.process = "parent", .call = "setsid"}}) == "parent  -             setsid()\n");
  CHECK(watch::plan_text({{.process = "parent", .pointer = "/linux/sysctl/\x1b[0m", .call = "a"}}).find('\x1b') == std::string::npos);
}

TEST_CASE("plan text: JSON has one object for each call") {
  CHECK(watch::plan_json({}) == "[]\n");
  CHECK(watch::plan_json({{.process = "init", .stage = "s", .pointer = "/p", .call = "c", .args = {"\"a\"", "1"}}, {.process = "init", .call = "d"}}) ==
        "[\n{\"process\":\"init\",\"stage\":\"s\",\"call\":\"c\",\"args\":[\"\\\"a\\\"\",\"1\"],\"pointer\":\"/p\"},\n"
        "{\"process\":\"init\",\"stage\":\"\",\"call\":\"d\",\"args\":[],\"pointer\":\"\"}\n]\n");
}
