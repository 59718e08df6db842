#include <ocitk/check/kernel.hpp>
#include <ocitk/spec/defaults.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ocitk;

namespace {

auto able() -> check::host {
  check::host h{.namespaces = {"user", "cgroup", "ipc", "uts", "network", "pid", "mount", "time"},
                .filesystems = {"proc", "tmpfs", "devpts", "mqueue", "sysfs", "cgroup"},
                .seccomp_actions = {SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW},
                .seccomp_flags = SECCOMP_FILTER_FLAG_LOG};
  return h;
}

/// "pointer needs" of every finding.
template <class Change>
auto told(Change change) -> std::vector<std::string> {
  auto c = spec::default_config(false, false, 0, 0);
  auto h = able();
  change(c, h);
  std::vector<std::string> all;
  for (const auto& f : check::kernel_findings(c, h)) all.push_back(f.pointer + " " + f.needs);
  return all;
}
using list = std::vector<std::string>;

}  // namespace

TEST_CASE("kernel: one that has all that is asked for") {
  CHECK(told([](auto&, auto&) {}).empty());
}

TEST_CASE("kernel: calls without which nothing starts") {
  CHECK(told([](auto&, auto& h) { h.missing_calls = {"openat2 (Linux 5.6)", "mount_setattr (Linux 5.12)"}; }) ==
        list{"/root/path openat2 (Linux 5.6)", "/mounts mount_setattr (Linux 5.12)"});
}

TEST_CASE("kernel: namespaces it was built without") {
  CHECK(told([](auto& c, auto& h) {
          std::erase(h.namespaces, "time");
          c.linux.namespaces.push_back({.type = "time"});
        }) == list{"/linux/namespaces/5 time namespaces"});
  CHECK(told([](auto&, auto& h) { std::erase(h.namespaces, "time"); }).empty());
}

TEST_CASE("kernel: file systems it does not know") {
  const auto mounting = [](std::string type, spec::strings options = {}) {
    return told([&](auto& c, auto&) { c.mounts.push_back({.destination = "/x", .type = type, .options = options}); });
  };
  CHECK(mounting("tmpsf") == list{"/mounts/7/type file system tmpsf"});
  CHECK(mounting("proc.sub").empty());
  CHECK(mounting("none", {"rbind"}).empty());
  CHECK(mounting("bind").empty());
  CHECK(told([](auto&, auto& h) { h.cgroups.pure_v2 = true; }) == list{"/mounts/6/type file system cgroup2"});
  auto c = spec::default_config(false, false, 0, 0);
  c.mounts[1].type = "tmpsf";
  CHECK(check::kernel_findings(c, able())[0].suggestion == "tmpfs");
}

TEST_CASE("kernel: security modules and resctrl that are off") {
  CHECK(told([](auto& c, auto&) {
          c.process->apparmor_profile = "p";
          c.process->selinux_label = "l";
          c.linux.mount_label = "m";
          c.linux.intel_rdt.emplace();
        }) == list{"/linux/mountLabel SELinux", "/linux/intelRdt Intel RDT", "/process/apparmorProfile AppArmor",
                   "/process/selinuxLabel SELinux"});
  const auto on = [](std::string profile, std::optional<std::vector<std::string>> loaded) {
    return told([&](auto& c, auto& h) {
      h.apparmor = true;
      h.profiles = loaded;
      c.process->apparmor_profile = profile;
    });
  };
  CHECK(on("p", list{"q"}) == list{"/process/apparmorProfile AppArmor profile p"});
  CHECK(on("p", list{"p"}).empty());
  CHECK(on("unconfined", list{}).empty());
  CHECK(on("p", std::nullopt).empty());  // who may not look cannot tell
}

TEST_CASE("kernel: actions and flags of filters that came later") {
  CHECK(told([](auto& c, auto&) {
          c.linux.seccomp = spec::seccomp{.default_action = "SCMP_ACT_ERRNO",
                                          .flags = spec::strings{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
                                          .syscalls = {{.names = {"read"}, .action = "SCMP_ACT_ALLOW"},
                                                       {.names = {"write"}, .action = "SCMP_ACT_LOG"}}};
        }) == list{"/linux/seccomp/syscalls/1/action SCMP_ACT_LOG",
                   "/linux/seccomp/flags/1 SECCOMP_FILTER_FLAG_SPEC_ALLOW"});
}
