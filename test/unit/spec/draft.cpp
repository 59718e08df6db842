#include <ocitk/spec/draft.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace ocitk;
using spec::draft;

namespace {

auto of(std::string_view text) -> draft {
  auto d = draft::parse(text);
  REQUIRE(d);
  return std::move(*d);
}

/// The pointers that the reader complains of, one after the other.
auto complaints(std::string_view text) -> std::vector<std::string> {
  auto d = of(text);
  std::vector<std::string> all;
  for (const auto& e : spec::hear_out(d, [](const draft& now) -> result<> {
         const auto c = now.read();
         if (!c) return std::unexpected(c.error());
         return {};
       }))
    all.push_back(e.pointer);
  return all;
}

}  // namespace

TEST_CASE("draft: every wrong type is found, where it stands in the text") {
  auto all = complaints(R"({"hostname": 1, "process": {"args": ["a", 1, "b", 2, 3], "env": {}, "cwd": "/"}, "root": 5})");
  std::ranges::sort(all);
  CHECK(all == std::vector<std::string>{"/hostname", "/process/args/1", "/process/args/3", "/process/args/4",
                                        "/process/env", "/root"});
}

TEST_CASE("draft: indices of lists in lists are those of the text") {
  CHECK(complaints(R"({"mounts": [7, {"destination": "/a", "options": ["x", 1, 2]}, {"options": [3]}]})") ==
        std::vector<std::string>{"/mounts/0", "/mounts/1/options/1", "/mounts/1/options/2", "/mounts/2/options/0"});
}

TEST_CASE("draft: what cannot be mended ends it") {
  CHECK(complaints("[1]") == std::vector<std::string>{""});
  CHECK_FALSE(draft::parse("{"));
}

TEST_CASE("draft: a list entry goes, a member gets its default") {
  auto d = of(R"({"process": {"cwd": "x", "args": ["a", "b"]}, "hostname": "h"})");
  CHECK(d.mend("/process/args/0"));
  CHECK(d.mend("/process/cwd"));
  CHECK(d.read()->process->args == spec::strings{"b"});
  CHECK(d.read()->process->cwd == "/");
  CHECK(d.original("/process/args/0") == "/process/args/1");
  CHECK(d.original("/process/env/0") == "/process/env/0");
}

TEST_CASE("draft: a default that is no help goes too, and then there is nothing left to try") {
  auto d = of(R"({"hostname": "h"})");
  CHECK(d.mend("/hostname"));
  CHECK(d.read()->hostname == "runc");
  CHECK(d.mend("/hostname"));
  CHECK(d.read()->hostname.empty());
  CHECK(d.mend("/hostname"));
  CHECK_FALSE(d.mend("/hostname"));
}

TEST_CASE("draft: a member that is missing from an entry takes the entry along") {
  auto d = of(R"({"linux": {"namespaces": [{"type": "pid"}, {}, {"type": "uts"}]}})");
  CHECK(d.mend("/linux/namespaces/1/type"));
  CHECK(d.read()->linux.namespaces.size() == 2);
  CHECK(d.original("/linux/namespaces/1/path") == "/linux/namespaces/2/path");
  CHECK_FALSE(d.mend("/linux/nothing/there"));
}

TEST_CASE("draft: what was mended, what is in it and the entry it was part of are spoilt") {
  auto d = of(R"({"linux": {"namespaces": [{"type": "x"}, {"type": "uts"}]}, "process": {"args": 1}})");
  CHECK(d.mend("/linux/namespaces/0/type"));
  CHECK(d.spoilt("/linux/namespaces/0/type"));
  CHECK(d.spoilt("/linux/namespaces/0"));
  CHECK_FALSE(d.spoilt("/linux/namespaces"));
  CHECK_FALSE(d.spoilt("/linux/namespaces/1"));
  CHECK(d.mend("/process/args"));
  CHECK(d.spoilt("/process/args/0"));
  CHECK_FALSE(d.spoilt("/process/argsx"));
  CHECK_FALSE(d.spoilt("/process"));
}

TEST_CASE("draft: a corrected word is judged like any other") {
  auto d = of(R"({"linux": {"namespaces": [{"type": "netwrok"}]}})");
  d.correct("/linux/namespaces/0/type", "network");
  CHECK(d.read()->linux.has("network"));
  CHECK_FALSE(d.spoilt("/linux/namespaces/0"));
}

TEST_CASE("draft: one judge is heard out for a hundred errors") {
  std::string list;
  for (int i = 0; i < 150; ++i) list += (i == 0 ? "" : ",") + std::to_string(i);
  CHECK(complaints(R"({"process": {"env": [)" + list + "]}}").size() == spec::most_errors);
}

TEST_CASE("draft: pointers with escapes find their keys") {
  auto d = of(R"({"linux": {"sysctl": {"a/b": 1, "c~d": "x"}}})");
  CHECK(d.mend("/linux/sysctl/a~1b"));
  CHECK(d.read()->linux.sysctl == spec::string_map{{"c~d", "x"}});
  CHECK(d.original("/linux/sysctl/c~0d") == "/linux/sysctl/c~0d");
}
