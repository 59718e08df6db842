#include <ocitk/check/permissions.hpp>
#include <ocitk/spec/defaults.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ocitk;

namespace {

constexpr auto all_of_them = ~std::uint64_t{0} >> 23;

auto root() -> check::host {
  check::host h;
  h.capabilities = {.known = all_of_them, .held = {.bounding = all_of_them, .permitted = all_of_them}};
  h.uids = h.gids = {{0, 4294967295U}};
  h.hard_limits = {{RLIMIT_NOFILE, 4096}, {RLIMIT_CORE, 0}};
  h.settings = {{"fs/nr_open", 1048576}, {"user/max_user_namespaces", 100}};
  return h;
}
auto user() -> check::host {
  auto h = root();
  h.euid = h.egid = 1000;
  h.capabilities.held.permitted = 0;
  return h;
}

auto told(const spec::config& c, const check::host& h) -> std::vector<std::string> {
  std::vector<std::string> all;
  for (const auto& f : check::permission_findings(c, h)) all.push_back(f.pointer + " " + f.needs);
  return all;
}
auto usual() { return spec::default_config(false, false, 0, 0); }
auto rootless() { return spec::default_config(false, true, 1000, 1000); }
using list = std::vector<std::string>;

void take(check::host& h, int capability) { h.capabilities.held.permitted &= ~stages::caps::bit(capability); }

}  // namespace

TEST_CASE("permissions: root may start the default bundle, a user the rootless one") {
  CHECK(told(usual(), root()).empty());
  CHECK(told(rootless(), user()).empty());
}

TEST_CASE("permissions: root without capabilities") {
  auto h = root();
  take(h, CAP_SYS_ADMIN);
  CHECK(told(usual(), h) == list{"/linux/namespaces CAP_SYS_ADMIN"});
  take(h, CAP_SETGID);
  take(h, CAP_SETUID);
  take(h, CAP_SETPCAP);
  auto c = usual();
  c.process->user.uid = 5;
  CHECK(told(c, h) == list{"/linux/namespaces CAP_SYS_ADMIN", "/process/user CAP_SETGID", "/process/user/uid CAP_SETUID",
                           "/process/capabilities/bounding CAP_SETPCAP"});
}

TEST_CASE("permissions: a filter without noNewPrivileges") {
  auto h = root();
  take(h, CAP_SYS_ADMIN);
  auto c = usual();
  c.linux.namespaces.clear();
  c.linux.seccomp.emplace();
  CHECK(told(c, h).empty());
  c.process->no_new_privileges = false;
  CHECK(told(c, h) == list{"/linux/seccomp CAP_SYS_ADMIN"});
}

TEST_CASE("permissions: ids that a user may map") {
  auto c = rootless();
  auto h = user();
  c.linux.uid_mappings = {{0, 1000, 1}, {1, 100000, 65536}};
  CHECK(told(c, h) == list{"/linux/uidMappings/1 a line in /etc/subuid that covers them", "/linux/uidMappings newuidmap"});
  h.sub_uids = {{100000, 65535}};
  CHECK(told(c, h).size() == 2);
  h.sub_uids = {{90000, 100000}};
  CHECK(told(c, h) == list{"/linux/uidMappings newuidmap"});
  h.newuidmap = true;
  CHECK(told(c, h).empty());
  c.linux.gid_mappings = {{0, 5, 1}};
  CHECK(told(c, h) == list{"/linux/gidMappings/0 a line in /etc/subgid that covers them", "/linux/gidMappings newgidmap"});
}

TEST_CASE("permissions: ids that do not exist here") {
  auto c = rootless();
  auto h = root();
  h.initial_user_namespace = false;
  h.uids = {{0, 1000}};
  CHECK(told(c, h) == list{"/linux/uidMappings/0 a user namespace that has them"});
}

TEST_CASE("permissions: user namespaces that are switched off") {
  auto h = user();
  h.settings["user/max_user_namespaces"] = 0;
  h.settings["kernel/unprivileged_userns_clone"] = 0;
  h.settings["kernel/apparmor_restrict_unprivileged_userns"] = 1;
  CHECK(told(rootless(), h) == list{"/linux/namespaces user.max_user_namespaces above 0",
                                    "/linux/namespaces kernel.unprivileged_userns_clone = 1",
                                    "/linux/namespaces an AppArmor profile that allows userns"});
  h.capabilities = root().capabilities;
  h.settings["user/max_user_namespaces"] = 1;
  CHECK(told(rootless(), h).empty());
}

TEST_CASE("permissions: capabilities that cannot be given, a warning each") {
  auto c = usual();
  c.process->capabilities = spec::capabilities{.bounding = {"CAP_KILL", "CAP_CHOWN", "CAP_NONE"}, .ambient = {"CAP_BPF"}};
  auto h = root();
  h.capabilities.held.bounding &= ~stages::caps::bit(CAP_CHOWN);
  h.capabilities.known &= ~stages::caps::bit(CAP_BPF);
  const auto all = check::permission_findings(c, h);
  REQUIRE(all.size() == 2);
  CHECK(all[0].pointer == "/process/capabilities/bounding/1");
  CHECK(all[0].how == check::severity::warning);
  CHECK(all[1].message == "the kernel does not know CAP_BPF");
  c.linux.namespaces.push_back({.type = "user", .path = "/x"});  // who has a namespace of its own holds them all there
  CHECK(told(c, h) == list{"/process/capabilities/ambient/0 CAP_BPF"});
}

TEST_CASE("permissions: limits above the caller's") {
  auto c = usual();
  c.process->rlimits = {{.type = "RLIMIT_NOFILE", .soft = 1, .hard = 8192}, {.type = "RLIMIT_CORE", .hard = 0}};
  c.process->oom_score_adj = -5;
  auto h = root();
  CHECK(told(c, h).empty());
  take(h, CAP_SYS_RESOURCE);
  CHECK(told(c, h) == list{"/process/rlimits/0/hard CAP_SYS_RESOURCE", "/process/oomScoreAdj CAP_SYS_RESOURCE"});
  h = root();
  h.initial_user_namespace = false;
  CHECK(told(c, h).size() == 2);
  c.process->rlimits[0].hard = 2000000;
  c.process->oom_score_adj = 0;
  CHECK(told(c, root()) == list{"/process/rlimits/0/hard fs.nr_open of 2000000"});
}
