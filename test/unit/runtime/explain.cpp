#include <ocitk/runtime/explain.hpp>

#include <doctest/doctest.h>

#include "../../support/scratch.hpp"

using namespace ocitk;
using runtime::explained;
using support::scratch;

namespace {

/// A spec whose root is a scratch directory that is not entered yet.
struct bundle {
  scratch s{};
  spec::config spec{};
  init_context ctx{.spec = spec};
  bundle() {
    s.directory("/rootfs");
    spec.root = spec::root{.path = "rootfs"};
    spec.process = spec::process{.args = {"/prog"}, .env = {"PATH=/none"}, .cwd = "/"};
    ctx.bundle = s.path();
    ctx.rootfs = unique_fd{::open(s.path("/rootfs").c_str(), O_PATH | O_CLOEXEC)};
  }
  auto told(error e) const -> std::string { return explained(std::move(e), ctx).detail; }
};

auto has(const std::string& text, std::string_view part) -> bool {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

}  // namespace

TEST_CASE("explain: a clause stands behind what was tried, the errno's words stay last") {
  const auto e =
      runtime::with_clause({.code = ENOENT, .call = "open_tree", .detail = "bind /a on /b"}, "/a is missing");
  CHECK(to_string(e) == "open_tree: bind /a on /b (/a is missing): no such file or directory");
  CHECK(runtime::with_clause({.code = EPERM, .call = "unshare"}, "x").detail == "x");
  CHECK(runtime::with_clause({.detail = "same"}, "").detail == "same");
  CHECK(runtime::with_clause({}, std::string(5000, 'x')).detail.size() < 710);
}

TEST_CASE("explain: the source of a mount is the host's, its destination the container's") {
  bundle b;
  b.s.directory("/data");
  b.spec.mounts = {{.destination = "/etc/x/y", .type = "bind", .source = b.s.path("/data/gone/deep")},
                   {.destination = "/m", .type = "bind", .source = "data/rel"}};
  const auto data = b.s.path("/data");
  CHECK(b.told({.code = ENOENT, .call = "open_tree", .detail = "bind", .pointer = "/mounts/0"}) ==
        "bind (" + data + "/gone is missing; " + data + " is there)");
  CHECK(b.told({.code = ENOENT, .call = "open_tree", .detail = "bind", .pointer = "/mounts/1"}) ==
        "bind (" + data + "/rel is missing; " + data + " is there)");
  b.s.file("/rootfs/etc", "");
  CHECK(b.told({.code = ENOTDIR, .call = "openat2", .detail = "bind", .pointer = "/mounts/0"}) ==
        "bind (/etc is a regular file, no directory)");
  CHECK(b.told({.code = EINVAL, .call = "move_mount", .detail = "bind", .pointer = "/mounts/0"}) == "bind");
  CHECK(b.told({.code = ENOTDIR, .call = "openat2", .detail = "bind", .pointer = "/mounts/99"}) == "bind");
  CHECK(b.told({.code = ENOENT, .call = "openat2", .detail = "bind", .pointer = "/mounts/0"}) ==
        "bind");  // another errno
}

TEST_CASE("explain: a mountpoint that cannot be made is the fault of the directory above") {
  bundle b;
  b.s.directory("/rootfs/etc", 0555);
  b.spec.mounts = {{.destination = "/etc/x/y", .type = "tmpfs"}};
  if (::geteuid() != 0) return;
  const auto text = support::unprivileged(
      [&] { return b.told({.code = EACCES, .call = "mkdir", .detail = "x", .pointer = "/mounts/0"}); });
  CHECK(text == "x (/etc may not be written by uid 65534 (mode 0555, owner 0:0))");
}

TEST_CASE("explain: the root, the working directory and namespaces by path") {
  bundle b;
  b.spec.root->path = "/nowhere-at-all/rootfs";
  CHECK(b.told({.code = ENOENT, .call = "open_tree", .detail = "d", .pointer = "/root/path"}) ==
        "d (/nowhere-at-all is missing)");
  b.spec.process->cwd = "/bin/true/x";
  CHECK(has(b.told({.code = ENOTDIR, .call = "chdir", .detail = "d", .pointer = "/process/cwd"}),
            "a regular file, no directory)"));
  b.spec.linux.namespaces = {{.type = "network", .path = "/nowhere-at-all/ns"}};
  CHECK(b.told({.code = ENOENT, .call = "open", .detail = "d", .pointer = "/linux/namespaces/0/path"}) ==
        "d (/nowhere-at-all is missing)");
  b.spec.linux.devices = {{.type = "c", .path = "/dev/x"}};
  b.s.file("/rootfs/dev", "");
  CHECK(b.told({.code = ENOTDIR, .call = "openat2", .detail = "d", .pointer = "/linux/devices/0"}) ==
        "d (/dev is a regular file, no directory)");
}

TEST_CASE("explain: without a spec, a detail that is a path is looked up") {
  CHECK(explained({.code = ENOENT, .call = "open", .detail = "/nowhere-at-all/x"}).detail ==
        "/nowhere-at-all/x (/nowhere-at-all is missing)");
  CHECK(explained({.code = ENOENT, .call = "open", .detail = "config.json"}).detail == "config.json");
  CHECK(explained({.code = ENOENT, .call = "openat2", .detail = "/nowhere-at-all"}).detail ==
        "/nowhere-at-all");  // of whose root?
  CHECK(explained({.code = 0, .call = "open", .detail = "/nowhere-at-all"}).detail == "/nowhere-at-all");
}

TEST_CASE("explain: the program") {
  bundle b;
  const auto script = b.s.file("/script", "#!/none\r\n");
  b.spec.process->args = {script};
  CHECK(has(b.told({.code = ENOENT, .call = "execve", .detail = script, .pointer = "/process/args/0"}), "CR LF"));
  b.spec.process->args = {"/nowhere-at-all/x"};
  CHECK(b.told({.code = ENOENT, .detail = "exec: \"x\": stat x", .pointer = "/process/args/0"}) ==
        "exec: \"x\": stat x (/nowhere-at-all is missing)");
  b.spec.process->args = {"no-such-program"};
  b.spec.process->env = {"A=1", "PATH=/none:/bin"};
  CHECK(b.told({.code = ENOENT, .detail = "not found", .pointer = "/process/args/0"}) ==
        "not found (PATH is /none:/bin)");
  b.spec.process->env.clear();
  CHECK(b.told({.code = ENOENT, .detail = "not found", .pointer = "/process/args/0"}) ==
        "not found (the environment has no PATH)");
}

TEST_CASE("explain: privileges, where no path is at fault") {
  bundle b;
  const auto text = support::unprivileged([&] { return b.told({.code = EPERM, .call = "mount_setattr"}); });
  CHECK(text == "mount_setattr needs CAP_SYS_ADMIN, which this process does not have");
  CHECK(support::unprivileged([] { return explained({.code = EPERM, .call = "sethostname"}).detail; }) ==
        "sethostname needs CAP_SYS_ADMIN, which this process does not have");
}

TEST_CASE("explain: a capability is missed only where one is needed") {
  spec::linux_ linux{};
  linux.namespaces = {{.type = "uts", .path = ""}};
  const auto refused = [&] {
    return support::unprivileged([&] { return explained({.code = EPERM, .call = "clone3"}, linux).detail; });
  };
  CHECK(refused() == "clone3 needs CAP_SYS_ADMIN, which this process does not have");
  linux.namespaces.push_back({.type = "user", .path = ""});
  CHECK(refused().empty());
}

TEST_CASE("explain: limits on namespaces, of those that were asked for") {
  bundle b;
  const error full{.code = ENOSPC, .call = "clone3"};
  CHECK(b.told(full).empty());
  b.spec.linux.namespaces = {{.type = "uts", .path = "/a/path"}};
  CHECK(b.told(full).empty());
  b.spec.linux.namespaces = {{.type = "mount", .path = ""}};
  CHECK(has(b.told(full), "/proc/sys/user/max_mnt_namespaces is "));
  CHECK(has(explained(full, b.spec.linux).detail, "/proc/sys/user/max_mnt_namespaces is "));
  CHECK(explained({.code = ENOSPC, .call = "mkdir"}, b.spec.linux).detail.empty());
}

TEST_CASE("explain: under a filter that kills nothing is asked") {
  bundle b;
  b.spec.process->args = {"/nowhere-at-all/x"};
  const error late{
      .code = ENOENT, .call = "execve", .detail = "/nowhere-at-all/x", .pointer = "/process/args/0", .stage = "exec"};
  const auto line = [&] { return runtime::line_of_failed_exec("/nowhere-at-all/x", ENOENT, b.spec); };
  const std::string bare = "exec /nowhere-at-all/x: no such file or directory\n";
  const std::string full = "exec /nowhere-at-all/x: no such file or directory (/nowhere-at-all is missing)\n";
  CHECK(has(b.told(late), "is missing"));
  CHECK(line() == full);
  b.spec.linux.seccomp =
      spec::seccomp{.default_action = "SCMP_ACT_ERRNO", .syscalls = {{.names = {"open"}, .action = "SCMP_ACT_ALLOW"}}};
  CHECK(has(b.told(late), "is missing"));
  CHECK(line() == full);
  for (const char* action : {"SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
                             "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY"}) {
    b.spec.linux.seccomp->syscalls[0].action = action;
    CHECK(b.told(late) == late.detail);
    CHECK(line() == bare);
  }
  b.spec.linux.seccomp->syscalls.clear();
  b.spec.linux.seccomp->default_action = "SCMP_ACT_KILL";
  CHECK(b.told(late) == late.detail);
  auto early = late;
  early.stage = "rootfs";
  CHECK(has(b.told(early), "is missing"));
}

TEST_CASE("explain: a result is explained only if it failed") {
  CHECK(runtime::explaining(result<int>{7}) == 7);
  const auto r = runtime::explaining(
      result<int>{std::unexpected(error{.code = ENOENT, .call = "open", .detail = "/nowhere-at-all"})});
  REQUIRE_FALSE(r);
  CHECK(r.error().detail == "/nowhere-at-all (/nowhere-at-all is missing)");
  const spec::linux_ linux{};
  CHECK(runtime::explaining(result<>{}, linux).has_value());
}

TEST_CASE("explain: pointers are taken apart to the end") {
  CHECK(runtime::detail::index_below("/mounts/7", "/mounts/") == 7);
  CHECK(runtime::detail::index_below("/mounts/12/source", "/mounts/") == 12);
  for (const char* pointer :
       {"/mounts/", "/mounts/x", "/mounts/1x", "/mounts/-1", "/mounts/99999999999999999999", "/root/path"})
    CHECK_FALSE(runtime::detail::index_below(pointer, "/mounts/"));
}
