#include <ocitk/mounts/cgroup.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

namespace {
const std::vector<own_cgroup> hybrid{{.controllers = {"cpu", "cpuacct"}, .mountpoint = "/sys/fs/cgroup/cpu,cpuacct", .below = "a/b"},
                                     {.controllers = {"name=systemd"}, .mountpoint = "/sys/fs/cgroup/systemd", .below = "a/b"},
                                     {.controllers = {}, .mountpoint = "/sys/fs/cgroup/unified", .below = "a/b"}};
}  // namespace

TEST_CASE("cgroup mounts: merged controllers get links, a named hierarchy its name") {
  const auto all = mounts::plan_hierarchies(hybrid, "cgroup");
  REQUIRE(all.size() == 2);
  CHECK(all[0] == mounts::hierarchy_mount{.name = "cpu,cpuacct", .own = "/sys/fs/cgroup/cpu,cpuacct/a/b", .data = {"cpu", "cpuacct"},
                                          .source = "cgroup", .aliases = {"cpu", "cpuacct"}});
  CHECK(all[1] == mounts::hierarchy_mount{.name = "systemd", .own = "/sys/fs/cgroup/systemd/a/b", .data = {"name=systemd"},
                                          .source = "systemd"});
}

TEST_CASE("cgroup mounts: one directory per name") {
  auto twice = hybrid;
  twice.push_back(hybrid[0]);
  CHECK(mounts::plan_hierarchies(twice, "cgroup").size() == 2);
}

TEST_CASE("cgroup mounts: only a host with nothing but cgroup2 is unified") {
  CHECK_FALSE(mounts::host_is_unified(hybrid));
  CHECK(mounts::host_is_unified({{.controllers = {}, .mountpoint = "/sys/fs/cgroup", .below = "a"}}));
}

TEST_CASE("cgroup mounts: what is bound below is nosuid, nodev, noexec and private") {
  const auto p = mounts::detail::inner_plan({.read_only = true, .self = {.set = MOUNT_ATTR_RDONLY}});
  CHECK(p.self.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  CHECK(p.self.propagation == MS_PRIVATE);
}
