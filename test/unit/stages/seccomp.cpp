#include <ocitk/stages/seccomp.hpp>
#include <ocitk/sys/prctl.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <functional>
#include <sys/resource.h>
#include <sys/wait.h>

using namespace ocitk;
namespace seccomp = stages::seccomp;

static_assert(stage<stages::load_filter>);

namespace {

/// Runs a question in a child under the filter: the exit code, 200 if it could not be loaded, or -signal.
auto under(const spec::seccomp& asked, const std::function<int()>& question) -> int {
  const auto filter = seccomp::compile(asked);
  REQUIRE_MESSAGE(filter, to_string(filter.error()));
  const pid_t child = ::fork();
  if (child == 0) {
    const ::rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    if (!sys::forbid_new_privileges() || !seccomp::load(*filter)) ::_exit(200);
    ::_exit(question());
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

auto errno_of(long number, long a = 0, long b = 0) -> int { return ::syscall(number, a, b) < 0 ? errno : 0; }

auto denying(spec::syscall_rule rule) -> spec::seccomp {
  return {.default_action = "SCMP_ACT_ALLOW", .syscalls = {std::move(rule)}};
}

#ifdef __SANITIZE_ADDRESS__
constexpr bool denies_the_sanitizer = true;  // its runtime dies in a child that denies what is not listed
#else
constexpr bool denies_the_sanitizer = false;
#endif

constexpr long future_syscall = 9000;  // no kernel has it

}  // namespace

TEST_CASE("seccomp: actions carry their errno") {
  CHECK(seccomp::action_of("SCMP_ACT_ERRNO", std::nullopt) == SCMP_ACT_ERRNO(EPERM));
  CHECK(seccomp::action_of("SCMP_ACT_ERRNO", 38) == SCMP_ACT_ERRNO(38));
  CHECK(seccomp::action_of("SCMP_ACT_TRACE", 3) == SCMP_ACT_TRACE(3));
  CHECK(seccomp::action_of("SCMP_ACT_KILL", std::nullopt) == SCMP_ACT_KILL_THREAD);
  CHECK(seccomp::action_of("SCMP_ACT_KILL_PROCESS", std::nullopt) == SCMP_ACT_KILL_PROCESS);
  CHECK_FALSE(seccomp::action_of("SCMP_ACT_ALLOW", 1));
  CHECK_FALSE(seccomp::action_of("SCMP_ACT_ERRNO", 4096));
  CHECK(seccomp::action_of("SCMP_ACT_NOTIFY", std::nullopt) == SCMP_ACT_NOTIFY);
  CHECK_FALSE(seccomp::action_of("SCMP_ACT_NOTIFY", 1));
  CHECK_FALSE(seccomp::action_of("allow", std::nullopt));
}

TEST_CASE("seccomp: architectures are those of the specification") {
  CHECK(seccomp::architecture_of("SCMP_ARCH_X86_64") == SCMP_ARCH_X86_64);
  CHECK(seccomp::architecture_of("SCMP_ARCH_PPC64LE") == SCMP_ARCH_PPC64LE);
  CHECK(seccomp::architecture_of("SCMP_ARCH_MIPSEL64N32") == SCMP_ARCH_MIPSEL64N32);
  CHECK_FALSE(seccomp::architecture_of("SCMP_ARCH_PDP11"));
  CHECK_FALSE(seccomp::architecture_of("X86"));
}

TEST_CASE("seccomp: flags absent, empty, known, unknown") {
  CHECK(seccomp::flags_of(std::nullopt, false, true) == SECCOMP_FILTER_FLAG_SPEC_ALLOW);
  CHECK(seccomp::flags_of(std::nullopt, false, false) == 0UL);
  CHECK(seccomp::flags_of(spec::strings{}, false, true) == 0UL);
  const spec::strings most{"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
  CHECK(seccomp::flags_of(most, false, true) == SECCOMP_FILTER_FLAG_LOG);
  CHECK(seccomp::flags_of(most, true, true) == (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV));
  const auto unknown = seccomp::flags_of(spec::strings{"SECCOMP_FILTER_FLAG_LOG", "X"}, false, true);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().detail == "seccomp flag \"X\" is not known to ocitk");
  CHECK(unknown.error().pointer == "/linux/seccomp/flags/1");
}

TEST_CASE("seccomp: calls that wait need an agent, and some cannot wait") {
  const auto told = [](auto change) {
    spec::seccomp s{.default_action = "SCMP_ACT_ALLOW", .listener_path = "/a", .listener_metadata = "m",
                    .syscalls = {{.names = {"mkdir"}, .action = "SCMP_ACT_NOTIFY"}}};
    change(s);
    const auto f = seccomp::compile(s);
    return f ? (f->listens ? f->sendmsg_waits ? "named" : "sent" : "none") : f.error().detail + " " + f.error().pointer;
  };
  CHECK(told([](auto&) {}) == "sent");
  CHECK(told([](auto& s) { s.syscalls[0].names.push_back("sendmsg"); }) == "named");
  CHECK(told([](auto& s) { s.syscalls.clear(); }) == "none");
  CHECK(told([](auto& s) { s.listener_path.clear(); }) ==
        "seccomp listenerPath is not set: SCMP_ACT_NOTIFY needs an agent /linux/seccomp/listenerPath");
  CHECK(told([](auto& s) { s.syscalls.clear(), s.listener_path.clear(); }) ==
        "listenerMetadata without listenerPath /linux/seccomp/listenerMetadata");
  CHECK(told([](auto& s) { s.syscalls[0].names.push_back("write"); }) ==
        "SCMP_ACT_NOTIFY cannot be used for the write syscall /linux/seccomp/syscalls/0");
  CHECK(told([](auto& s) { s.default_action = "SCMP_ACT_NOTIFY"; }) ==
        "SCMP_ACT_NOTIFY cannot be used as default action /linux/seccomp/defaultAction");
}

TEST_CASE("seccomp: loading gives the listener, close-on-exec") {
  const auto filter = seccomp::compile({.default_action = "SCMP_ACT_ALLOW", .listener_path = "/a",
                                        .syscalls = {{.names = {"getppid"}, .action = "SCMP_ACT_NOTIFY"}}});
  REQUIRE(filter);
  const pid_t child = ::fork();
  if (child == 0) {
    if (!sys::forbid_new_privileges()) ::_exit(200);
    auto listener = seccomp::load(*filter);
    if (!listener || !*listener) ::_exit(201);
    if ((::fcntl(listener->get(), F_GETFD) & FD_CLOEXEC) == 0) ::_exit(202);
    listener->reset();
    ::_exit(errno_of(SYS_getppid));
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == ENOSYS);  // nobody is left to answer
}

TEST_CASE("seccomp: conditions on one argument are alternatives, on several they hold together") {
  const auto together = seccomp::alternatives({{0, 1, 0, "SCMP_CMP_EQ"}, {1, 2, 0, "SCMP_CMP_EQ"}});
  REQUIRE(together);
  REQUIRE(together->size() == 1);
  CHECK((*together)[0].size() == 2);
  const auto apart = seccomp::alternatives({{0, 1, 0, "SCMP_CMP_EQ"}, {0, 2, 0, "SCMP_CMP_EQ"}});
  REQUIRE(apart);
  CHECK(apart->size() == 2);
  const auto none = seccomp::alternatives({});
  REQUIRE(none);
  REQUIRE(none->size() == 1);
  CHECK((*none)[0].empty());
  CHECK_FALSE(seccomp::alternatives({{6, 1, 0, "SCMP_CMP_EQ"}}));
  CHECK_FALSE(seccomp::alternatives({{0, 1, 0, "=="}}));
}

TEST_CASE("seccomp: a rule that says what the default says is skipped, its names are not") {
  const spec::seccomp asked{.default_action = "SCMP_ACT_ERRNO",
                            .syscalls = {{.names = {"read"}, .action = "SCMP_ACT_ERRNO"},
                                         {.names = {"write"}, .action = "SCMP_ACT_ERRNO", .errno_ret = 2}}};
  const auto plan = seccomp::plan(asked);
  REQUIRE(plan);
  REQUIRE(plan->rules.size() == 1);
  CHECK(plan->rules[0].syscall == "write");
  CHECK(plan->rules[0].index == 1);
  CHECK(plan->names == std::vector<std::string>{"read", "write"});
}

TEST_CASE("seccomp: the native architecture is always there, once") {
  const auto plan = seccomp::plan(
      {.default_action = "SCMP_ACT_ALLOW", .architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_X86"}});
  REQUIRE(plan);
  CHECK(plan->architectures.front() == ::seccomp_arch_native());
  CHECK(std::count(plan->architectures.begin(), plan->architectures.end(), ::seccomp_arch_native()) == 1);
}

TEST_CASE("seccomp: errors point into the spec") {
  CHECK(seccomp::compile({.default_action = "x"}).error().pointer == "/linux/seccomp/defaultAction");
  CHECK(seccomp::compile({.default_action = "SCMP_ACT_ALLOW", .architectures = {"x"}}).error().pointer ==
        "/linux/seccomp/architectures/0");
  CHECK(seccomp::compile(denying({.names = {"read"}, .action = "x"})).error().pointer == "/linux/seccomp/syscalls/0");
  CHECK(seccomp::compile(denying({.names = {"read"}, .action = "SCMP_ACT_KILL", .errno_ret = 1})).error().pointer ==
        "/linux/seccomp/syscalls/0/errnoRet");
  CHECK(seccomp::compile(denying({.names = {"read"}, .action = "SCMP_ACT_ERRNO", .args = {{0, 1, 0, "SCMP_CMP_EQ"}, {1, 1, 0, "="}}})).error().pointer ==
        "/linux/seccomp/syscalls/0/args/1");
  CHECK(seccomp::compile({.default_action = "SCMP_ACT_KILL", .default_errno_ret = 1}).error().pointer == "/linux/seccomp/defaultErrnoRet");
}

TEST_CASE("seccomp: nothing asked for loads nothing") {
  const auto filter = seccomp::compile({});
  REQUIRE(filter);
  CHECK(filter->program.empty());
  CHECK(seccomp::load(*filter));
}

TEST_CASE("seccomp: a default that lets calls pass needs no ENOSYS prologue") {
  CHECK(seccomp::lets_pass(SCMP_ACT_ALLOW));
  CHECK(seccomp::lets_pass(SCMP_ACT_LOG));
  CHECK(seccomp::lets_pass(SCMP_ACT_TRACE(1)));
  CHECK_FALSE(seccomp::lets_pass(SCMP_ACT_ERRNO(1)));
  CHECK_FALSE(seccomp::lets_pass(SCMP_ACT_TRAP));
  CHECK(seccomp::enosys_prologue({}).empty());
}

TEST_CASE("seccomp: each kernel entry has its own horizon") {
  const seccomp::blueprint plan{.architectures = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32},
                                .names = {"read", "openat2", "no_such_call"}};
  const auto list = seccomp::horizons(plan);
  REQUIRE(list.size() == 2);
  CHECK(list[0].architecture == AUDIT_ARCH_I386);
  CHECK(list[0].newest == 437U);
  CHECK_FALSE(list[0].newest_x32);
  CHECK(list[1].architecture == AUDIT_ARCH_X86_64);
  CHECK(list[1].newest == 437U);
  CHECK(list[1].newest_x32 == (0x40000000U | 437U));
}

TEST_CASE("seccomp: a denied call returns the errno of its rule") {
  CHECK(under(denying({.names = {"getppid"}, .action = "SCMP_ACT_ERRNO"}), [] { return errno_of(SYS_getppid); }) ==
        EPERM);
  CHECK(under(denying({.names = {"getppid"}, .action = "SCMP_ACT_ERRNO", .errno_ret = 77}),
              [] { return errno_of(SYS_getppid); }) == 77);
  CHECK(under(denying({.names = {"getppid"}, .action = "SCMP_ACT_KILL_PROCESS"}),
              [] { return errno_of(SYS_getppid); }) == -SIGSYS);
  CHECK(under(denying({.names = {"no_such_call", "getppid"}, .action = "SCMP_ACT_ERRNO"}),
              [] { return errno_of(SYS_getppid); }) == EPERM);
}

TEST_CASE("seccomp: arguments decide") {
  // umask(2) is harmless with any argument.
  const auto answer = [](std::vector<spec::syscall_arg> args, long value) {
    return under(denying({.names = {"umask"}, .action = "SCMP_ACT_ERRNO", .errno_ret = 9, .args = std::move(args)}),
                 [=] { return errno_of(SYS_umask, value); });
  };
  CHECK(answer({{0, 5, 0, "SCMP_CMP_EQ"}}, 5) == 9);
  CHECK(answer({{0, 5, 0, "SCMP_CMP_EQ"}}, 6) == 0);
  CHECK(answer({{0, 5, 0, "SCMP_CMP_NE"}}, 5) == 0);
  CHECK(answer({{0, 5, 0, "SCMP_CMP_LT"}}, 4) == 9);
  CHECK(answer({{0, 5, 0, "SCMP_CMP_GE"}}, 4) == 0);
  CHECK(answer({{0, 0xf, 3, "SCMP_CMP_MASKED_EQ"}}, 0x73) == 9);
  CHECK(answer({{0, 0xf, 3, "SCMP_CMP_MASKED_EQ"}}, 0x74) == 0);
  CHECK(answer({{0, 5, 0, "SCMP_CMP_EQ"}, {0, 6, 0, "SCMP_CMP_EQ"}}, 6) == 9);
  CHECK(answer({{0, 5, 0, "SCMP_CMP_EQ"}, {1, 1, 0, "SCMP_CMP_EQ"}}, 5) == 0);
}

TEST_CASE("seccomp: calls newer than the profile return ENOSYS, older ones its errno" *
          doctest::skip(denies_the_sanitizer)) {
  spec::seccomp asked{.default_action = "SCMP_ACT_ERRNO",
                      .syscalls = {{.names = {"exit_group", "exit", "openat2", "rt_sigreturn"}, .action = "SCMP_ACT_ALLOW"}}};
  SUBCASE("native only") {}
  SUBCASE("with the native architecture's relatives") {
    if (::seccomp_arch_native() == SCMP_ARCH_X86_64)
      asked.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
  }
  CHECK(under(asked, [] { return errno_of(future_syscall); }) == ENOSYS);
  CHECK(under(asked, [] { return errno_of(SYS_openat2 + 1); }) == ENOSYS);
  CHECK(under(asked, [] { return errno_of(SYS_openat2 - 1); }) == EPERM);
  CHECK(under(asked, [] { return errno_of(SYS_getppid); }) == EPERM);
  if (!asked.architectures.empty()) {
    CHECK(under(asked, [] { return errno_of(0x40000000 | future_syscall); }) == ENOSYS);
    CHECK(under(asked, [] { return errno_of(0x40000000 | SYS_getppid); }) == EPERM);
  }
}

#ifdef __x86_64__
TEST_CASE("seccomp: an entry the profile does not list kills") {
  const spec::seccomp asked{.default_action = "SCMP_ACT_ERRNO",
                            .syscalls = {{.names = {"exit_group", "openat2"}, .action = "SCMP_ACT_ALLOW"}}};
  CHECK(under(asked, [] { return errno_of(0x40000000 | SYS_getppid); }) == -SIGSYS);
}
#endif

TEST_CASE("seccomp: many names make a tree with the same answers" *
          doctest::skip(denies_the_sanitizer)) {
  spec::seccomp asked{.default_action = "SCMP_ACT_ERRNO", .default_errno_ret = 71};
  asked.syscalls.push_back({.names = {"exit_group", "getppid", "umask"}, .action = "SCMP_ACT_ALLOW"});
  for (const char* name : {"read", "write", "open", "close", "stat", "fstat", "lstat", "poll", "lseek", "mmap",
                           "mprotect", "munmap", "brk", "ioctl", "pread64", "pwrite64", "readv", "writev", "access",
                           "pipe", "select", "sched_yield", "mremap", "msync", "mincore", "madvise", "shmget", "dup",
                           "dup2", "pause", "nanosleep", "openat2"})
    asked.syscalls.push_back({.names = {name}, .action = "SCMP_ACT_ALLOW"});
  CHECK(under(asked, [] { return errno_of(SYS_getppid); }) == 0);
  CHECK(under(asked, [] { return errno_of(SYS_getpgid); }) == 71);
  CHECK(under(asked, [] { return errno_of(future_syscall); }) == ENOSYS);
}
