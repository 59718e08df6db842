#include <ocitk/sys/privilege.hpp>

#include <ocitk/sys/io.hpp>

#include <doctest/doctest.h>

#include "../../support/scratch.hpp"

#include <set>

using namespace ocitk;
using sys::rights;

namespace {

constexpr auto bit(unsigned capability) -> std::uint64_t { return std::uint64_t{1} << capability; }
constexpr std::uint64_t all = ~std::uint64_t{0};
constexpr std::uint64_t owned = 0;  // no namespace is a stranger's

auto refused(const char* call, const rights& s, int code = EPERM, const char* detail = "") -> std::string {
  return sys::why_not_permitted({.code = code, .call = call, .detail = detail}, s);
}

}  // namespace

TEST_CASE("privilege: a capability that is not there is named") {
  const rights nobody{.effective = 0, .initial = true};
  CHECK(refused("open_tree", nobody) == "open_tree needs CAP_SYS_ADMIN, which this process does not have");
  CHECK(refused("chroot", nobody) == "chroot needs CAP_SYS_CHROOT, which this process does not have");
  CHECK(refused("setresuid", nobody) == "setresuid needs CAP_SETUID, which this process does not have");
  CHECK(refused("ioctl(SIOCSIFFLAGS)", nobody) ==
        "ioctl(SIOCSIFFLAGS) needs CAP_NET_ADMIN, which this process does not have");
  CHECK(refused("mknod", {.effective = bit(CAP_SYS_ADMIN), .initial = true}) ==
        "mknod needs CAP_MKNOD, which this process does not have");
  CHECK(refused("mknod", {.effective = 0, .initial = false}) ==
        "mknod needs CAP_MKNOD in the initial user namespace, which this process does not have");
}

TEST_CASE("privilege: a capability of one's own user namespace does not reach the host's objects") {
  const rights inside{.effective = all, .initial = false, .strange = CLONE_NEWUTS};
  CHECK(refused("sethostname", inside) ==
        "this process has CAP_SYS_ADMIN only in its own user namespace; the uts namespace belongs to another");
  CHECK(refused("mknod", inside) ==
        "this process has CAP_MKNOD only in its own user namespace; mknod needs it in the initial one");
  CHECK(refused("setns", inside).ends_with("; the namespace to be joined may belong to another"));
  CHECK(refused("pivot_root", {.effective = all, .initial = false})
            .ends_with("; the mount namespace may belong to another"));
}

TEST_CASE("privilege: where the capability reaches, something else refuses") {
  const rights inside{.effective = all, .initial = false, .strange = owned};
  CHECK(
      refused("sethostname", inside).find("this process has CAP_SYS_ADMIN, which sethostname needs: something else") ==
      0);
  const rights filtered{.effective = all, .initial = true, .strange = owned, .filtered = true};
  CHECK(refused("mount", filtered)
            .find("this process has CAP_SYS_ADMIN, which mount needs; a seccomp filter is in force") == 0);
  CHECK(refused("mount", {.effective = all}).find("something else refuses it") != std::string::npos);
}

TEST_CASE("privilege: the kind of file system decides whose namespace counts") {
  const rights inside{.effective = all, .initial = false, .strange = CLONE_NEWNET};
  CHECK(refused("fsconfig", inside, EPERM, "sysfs on /sys").ends_with("the network namespace belongs to another"));
  CHECK(refused("fsconfig", inside, EPERM, "proc on /proc").find("something else refuses it") != std::string::npos);
  CHECK(refused("fsconfig", inside, EPERM, "ext4 on /data").ends_with("fsconfig needs it in the initial one"));
  CHECK(refused("fsconfig", inside, EPERM, "tmpfs on /tmp").find("something else") != std::string::npos);
  CHECK(refused("fsconfig", inside).empty());
}

TEST_CASE("privilege: files with rules of their own") {
  const rights nobody{};
  CHECK(refused("write", nobody, EPERM, "uid_map") == "write needs CAP_SETUID, which this process does not have");
  CHECK(refused("write", nobody, EPERM, "gid_map") == "write needs CAP_SETGID, which this process does not have");
  CHECK(refused("write", nobody, EACCES, "/proc/12/oom_score_adj") ==
        "write needs CAP_SYS_RESOURCE, which this process does not have");
  CHECK(refused("write", nobody, EACCES, "uid_map").empty());
  CHECK(refused("write", nobody, EPERM, "memory.max").empty());
  CHECK(refused("seccomp", nobody, EACCES).find("CAP_SYS_ADMIN") != std::string::npos);
  CHECK(refused("seccomp", nobody, EPERM).empty());
}

TEST_CASE("privilege: other errors and other calls are left alone") {
  for (const int code : {0, ENOENT, EINVAL, EBUSY}) CHECK(refused("mount", {}, code).empty());
  CHECK(refused("stat", {}).empty());
  CHECK(refused("", {.filtered = true}).empty());
  CHECK(refused("personality", {.filtered = true}).find("seccomp filter") != std::string::npos);
  CHECK(refused("personality", {.filtered = true}, EACCES).empty());
}

TEST_CASE("privilege: the table answers for every call that sets up a container") {
  for (const char* call : {"mount",         "open_tree", "move_mount",
                           "mount_setattr", "fsopen",    "fsmount",
                           "pivot_root",    "umount2",   "sethostname",
                           "setdomainname", "unshare",   "clone3",
                           "setns",         "setresuid", "setresgid",
                           "setgroups",     "capset",    "prctl(PR_CAPBSET_DROP)",
                           "prlimit",       "mknod",     "chown",
                           "keyctl",        "bpf",       "sched_setattr",
                           "ioprio_set",    "chroot",    "ioctl(SIOCSIFFLAGS)"}) {
    CAPTURE(call);
    CHECK(refused(call, {}).find("CAP_") != std::string::npos);
  }
  std::set<std::tuple<std::string_view, std::string_view, int>> keys;
  for (const auto& row : sys::detail::privileges) {
    CAPTURE(row.call);
    CHECK(keys.emplace(row.call, row.about, row.code).second);
    CHECK(row.needs.name.starts_with("CAP_"));
    CHECK((row.where == sys::realm::owner) == !row.object.empty());
  }
}

TEST_CASE("privilege: no sentence has the words of an errno") {
  for (const auto& row : sys::detail::privileges)
    for (const auto& s :
         {rights{}, rights{.effective = all, .initial = false}, rights{.effective = all, .filtered = true}}) {
      const auto text = sys::why_not_permitted(
          {.code = row.code, .call = std::string{row.call}, .detail = std::string{row.about}}, s);
      CHECK_FALSE(text.empty());
      for (const int code : {EPERM, EACCES, ENOENT, ENOTDIR}) CHECK(text.find(errno_text(code)) == text.npos);
      CHECK(text.find("does not exist") == text.npos);
    }
}

TEST_CASE("privilege: the rights of a process is what the kernel says") {
  const auto proc = sys::open_proc();
  REQUIRE(proc);
  const auto here = sys::rights_now(*proc);
  REQUIRE(here.initial.has_value());
  REQUIRE(here.strange.has_value());
  const auto status = sys::read_file(fd_ref::cwd(), "/proc/self/status", 1 << 16);
  REQUIRE(status);
  CHECK(status->find(fmt::format("CapEff:\t{:016x}\n", here.effective)) != std::string::npos);
  const auto bare = sys::rights_now(unique_fd{});
  CHECK(bare.effective == here.effective);
  CHECK_FALSE(bare.initial.has_value());
  CHECK(support::unprivileged([&] { return sys::rights_now(*proc).effective == 0 ? "none" : "some"; }) == "none");
  CHECK(support::unprivileged([&] {
          (void)::prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
          return sys::rights_now(*proc).no_new_privileges ? "set" : "not set";
        }) == "set");
}

TEST_CASE("privilege: in a user namespace of its own a process owns none of the old namespaces") {
  const auto answer = support::unprivileged([] {
    if (::unshare(CLONE_NEWUSER) != 0) return std::string{"skip"};
    const auto proc = sys::open_proc();
    if (!proc) return to_string(proc.error());
    auto s = sys::rights_now(*proc);
    constexpr std::uint64_t everywhere = CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC;
    if (s.initial != false || (s.strange.value_or(0) & everywhere) != everywhere) return std::string{"wrong at first"};
    const auto named = checked(::sethostname("x", 1), "sethostname");
    if (named) return std::string{"renamed the machine"};
    const auto text = sys::why_not_permitted(named.error(), s);
    if (text.find("the uts namespace belongs to another") == text.npos) return text;
    if (::unshare(CLONE_NEWUTS) != 0) return std::string{"no uts namespace"};
    s = sys::rights_now(*proc);
    return std::string{(s.strange.value_or(0) & CLONE_NEWUTS) == 0 ? "fine" : "not ours"};
  });
  if (answer == "skip") return;
  CHECK(answer == "fine");
}
