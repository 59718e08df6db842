#include <ocitk/cgroups/sub_path.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
using cgroups::below_container;
using cgroups::sub_paths;
using cgroups::sub_paths_from;

namespace {

auto complaint(const std::vector<std::string>& arguments) -> std::string {
  const auto r = sub_paths_from(arguments);
  return r ? "" : r.error().detail;
}

}  // namespace

TEST_CASE("sub_path: a path stays below the container's cgroup") {
  for (const auto& [given, clean] : std::vector<std::pair<std::string, std::string>>{
           {"a", "a"}, {"/a//b/", "a/b"}, {"./a/./b", "a/b"}, {"a/../b", "b"}, {"/", ""}, {"", ""}, {"a/..", ""}, {"..a", "..a"}})
    CHECK(below_container(given).value() == clean);
  for (const auto* given : {"..", "/..", "a/../..", "../a", "a/b/../../../c"}) {
    const auto r = below_container(given);
    REQUIRE_FALSE(r);
    CHECK(r.error().detail == std::string{"bad sub cgroup path: "} + given);
  }
}

TEST_CASE("sub_path: without a controller it is for all of them, and stands alone") {
  CHECK(sub_paths_from({}).value().empty());
  CHECK(sub_paths_from({"x/y"}).value() == sub_paths{{"", "x/y"}});
  CHECK(complaint({"x", "y"}) == "invalid --cgroup argument: x (missing <controller>: prefix)");
}

TEST_CASE("sub_path: controllers are told apart by commas and named once") {
  CHECK(sub_paths_from({"cpu,memory:a", "pids:/b"}).value() == sub_paths{{"cpu", "a"}, {"memory", "a"}, {"pids", "b"}});
  CHECK(sub_paths_from({"name=systemd:a"}).value() == sub_paths{{"name=systemd", "a"}});
  CHECK(complaint({"cpu:a", "cpu:b"}) == "invalid --cgroup argument(s): controller cpu specified multiple times");
  CHECK(complaint({"cpu,cpu:a"}) == "invalid --cgroup argument(s): controller cpu specified multiple times");
  CHECK(complaint({":a"}) == "invalid --cgroup argument: :a (empty <controller> prefix)");
  CHECK(complaint({"cpu,,pids:a"}) == "invalid --cgroup argument: cpu,,pids:a (empty <controller> prefix)");
  CHECK(complaint({"a:b:c"}) == "invalid --cgroup argument: a:b:c");
  CHECK(complaint({"cpu:../a"}) == "bad sub cgroup path: ../a");
}
