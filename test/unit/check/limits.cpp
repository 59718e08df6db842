#include <ocitk/check/limits.hpp>
#include <ocitk/spec/write.hpp>

#include "scratch.hpp"

#include <string>
#include <vector>

using namespace ocitk;
using nlohmann::json;

namespace {

/// "pointer needs" of what is found beyond the document, for a host with the given hierarchies.
template <class Change>
auto told(Change change, const check::host& h) -> std::vector<std::string> {
  auto document = json::parse(spec::to_json_text(spec::default_config(h.cgroups.pure_v2, false, 0, 0)));
  change(document);
  auto e = check::examine(document.dump(), h.cgroups.pure_v2);
  const auto before = e.all.size();
  check::judge_cgroups(e, h);
  std::vector<std::string> all;
  for (auto f = before; f < e.all.size(); ++f) all.push_back(e.all[f].pointer + " " + e.all[f].needs);
  return all;
}
using list = std::vector<std::string>;

/// Directories in the place of the hierarchies: nothing here looks at what file system they are on.
auto v1(const scratch& s) -> check::host {
  for (const auto* name : {"devices", "memory"}) s.dir(name);
  return {.cgroups = {.hierarchies = {{.controllers = {"devices"}, .mountpoint = s.in("devices"), .own = "/"},
                                      {.controllers = {"memory"}, .mountpoint = s.in("memory"), .own = "/"}}}};
}
auto v2(const scratch& s) -> check::host {
  s.file("all/cgroup.controllers", "cpu memory pids\n");
  s.file("all/me/cgroup.controllers", "memory\n");
  return {.cgroups = {.hierarchies = {{.mountpoint = s.in("all"), .is_v2 = true, .own = "/me/session"}}, .pure_v2 = true}};
}

}  // namespace

TEST_CASE("limits: a controller is missed only where a limit needs it") {
  const scratch s;
  CHECK(told([](auto&) {}, v1(s)).empty());
  CHECK(told([](auto& d) { d["linux"]["resources"]["memory"] = {{"limit", 1000000}}; }, v1(s)).empty());
  CHECK(told([](auto& d) {
          d["linux"]["resources"]["pids"] = {{"limit", 5}};
          d["linux"]["resources"]["cpu"] = {{"shares", 5}};
          d["linux"]["resources"]["unified"] = {{"memory.max", "1"}};
        }, v1(s)) == list{"/linux/resources/pids/limit cgroup controller pids",
                          "/linux/resources/cpu/shares cgroup controller cpu",
                          "/linux/resources/unified/memory.max cgroup v2"});
}

TEST_CASE("limits: what is wrong anywhere is not told of the host") {
  const scratch s;
  CHECK(told([](auto& d) { d["linux"]["resources"]["memory"] = {{"swappiness", 101}}; }, v1(s)).empty());
}

TEST_CASE("limits: on v2 root has what the top has, others what was handed down") {
  const scratch s;
  const auto limits = [](auto& d) {
    d["linux"]["resources"]["pids"] = {{"limit", 5}};
    d["linux"]["resources"]["memory"] = {{"limit", 1000000}};
    d["linux"]["resources"]["unified"] = {{"io.max", "x"}, {"cgroup.freeze", "0"}};
  };
  auto h = v2(s);
  CHECK(told(limits, h) == list{"/linux/resources/unified/io.max cgroup controller io"});
  h.euid = 1000;
  CHECK(told(limits, h) == list{"/linux/resources/pids/limit cgroup controller pids",
                                "/linux/resources/unified/io.max cgroup controller io"});
}

TEST_CASE("limits: cgroups have to be made somewhere") {
  const scratch s;
  auto h = v1(s);
  h.cgroups.hierarchies[1].mountpoint = "/proc/self/nowhere";  // procfs takes no directory, not even root's
  const auto dir = "write access to /proc/self/nowhere";
  CHECK(told([](auto&) {}, h) == list{std::string{"/linux/resources/devices "} + dir});
  CHECK(told([](auto& d) { d["linux"]["cgroupsPath"] = "/x"; }, h).front() == std::string{"/linux/cgroupsPath "} + dir);
  h.euid = 1000;
  CHECK(told([](auto&) {}, h).empty());  // goes without one
}
