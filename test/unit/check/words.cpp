#include <ocitk/check/words.hpp>
#include <ocitk/spec/defaults.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ocitk;

namespace {

/// "severity pointer=suggestion" of every finding after a change to the default document.
template <class Change>
auto told(Change change) -> std::vector<std::string> {
  auto c = spec::default_config(true, false, 0, 0);
  change(c);
  std::vector<std::string> all;
  for (const auto& f : check::unknown_words(c))
    all.push_back(std::string{check::word_for(f.how)} + " " + f.pointer + "=" + f.suggestion);
  return all;
}
using list = std::vector<std::string>;

}  // namespace

TEST_CASE("words: the default document has only known ones") {
  CHECK(told([](auto&) {}).empty());
}

TEST_CASE("words: a capability that does not exist is left out by the runtime, so it is a warning") {
  CHECK(told([](auto& c) { c.process->capabilities->ambient = {"CAP_KILL", "CAP_SYS_ADMN", "CAP_WIBBLE"}; }) ==
        list{"warning /process/capabilities/ambient/1=CAP_SYS_ADMIN", "warning /process/capabilities/ambient/2="});
  CHECK(told([](auto& c) { c.process->capabilities->permitted = {"cap_kill"}; }) ==
        list{"warning /process/capabilities/permitted/0=CAP_KILL"});
}

TEST_CASE("words: limits, namespaces, propagation, scheduling, policies") {
  CHECK(told([](auto& c) { c.process->rlimits.push_back({.type = "RLIMIT_NPROCS"}); }) ==
        list{"error /process/rlimits/1/type=RLIMIT_NPROC"});
  CHECK(told([](auto& c) { c.linux.namespaces[1].type = "netwrok"; }) == list{"error /linux/namespaces/1/type=network"});
  CHECK(told([](auto& c) { c.linux.rootfs_propagation = "privat"; }) == list{"error /linux/rootfsPropagation=private"});
  CHECK(told([](auto& c) { c.process->scheduler = spec::scheduler{.policy = "SCHED_FIF", .flags = {"SCHED_FLAG_NONE"}}; }) ==
        list{"error /process/scheduler/policy=SCHED_FIFO", "error /process/scheduler/flags/0="});
  CHECK(told([](auto& c) { c.process->io_priority = spec::io_priority{.class_ = "IOPRIO_CLASS_B"}; }) ==
        list{"error /process/ioPriority/class=IOPRIO_CLASS_BE"});
  CHECK(told([](auto& c) { c.linux.time_offsets["monotonc"] = {}; }) == list{"error /linux/timeOffsets/monotonc=monotonic"});
  CHECK(told([](auto& c) { c.linux.personality = spec::personality{.domain = "LINUX23"}; }) ==
        list{"error /linux/personality/domain=LINUX32"});
  CHECK(told([](auto& c) { c.linux.memory_policy = spec::memory_policy{.mode = "MPOL_BINT", .flags = {"X"}}; }) ==
        list{"error /linux/memoryPolicy/mode=MPOL_BIND", "error /linux/memoryPolicy/flags/0="});
}

TEST_CASE("words: seccomp's") {
  const auto with = [](auto change) {
    return told([&](auto& c) {
      c.linux.seccomp = spec::seccomp{.default_action = "SCMP_ACT_ALLOW"};
      change(*c.linux.seccomp);
    });
  };
  CHECK(with([](auto&) {}).empty());
  CHECK(with([](auto& s) { s.default_action = "SCMP_ACT_ALOW"; }) == list{"error /linux/seccomp/defaultAction=SCMP_ACT_ALLOW"});
  CHECK(with([](auto& s) { s.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH46"}; }) ==
        list{"error /linux/seccomp/architectures/1=SCMP_ARCH_AARCH64"});
  CHECK(with([](auto& s) { s.flags = spec::strings{"SECCOMP_FILTER_FLAG_LOGS"}; }) ==
        list{"error /linux/seccomp/flags/0=SECCOMP_FILTER_FLAG_LOG"});
  CHECK(with([](auto& s) { s.syscalls = {{.names = {"read"}, .action = "SCMP_ACT_NOTIFY"}}; }).empty());
  CHECK(with([](auto& s) { s.syscalls = {{.names = {"read"}, .action = "SCMP_ACT_ERNO", .args = {{.op = "SCMP_CMP_EG"}}}}; }) ==
        list{"error /linux/seccomp/syscalls/0/action=SCMP_ACT_ERRNO", "error /linux/seccomp/syscalls/0/args/0/op=SCMP_CMP_EQ"});
}

TEST_CASE("words: system calls that libseccomp does not know are misspelt, or newer than it") {
  const auto names = [](spec::strings list) {
    return told([&](auto& c) {
      c.linux.seccomp = spec::seccomp{.default_action = "SCMP_ACT_ALLOW",
                                      .syscalls = {{.names = std::move(list), .action = "SCMP_ACT_ERRNO"}}};
    });
  };
  CHECK(names({"read", "write", "socketcall"}).empty());
  CHECK(names({"read", "mmmap"}) == list{"warning /linux/seccomp/syscalls/0/names/1=mmap"});
  CHECK(names({"clone9", "brand_new_call"}) == list{"warning /linux/seccomp/syscalls/0/names="});
}
