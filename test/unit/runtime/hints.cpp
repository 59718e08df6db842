#include <ocitk/runtime/hints.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

namespace {

auto hint(const error& e) -> std::string { return runtime::hint_for(e).value_or(""); }

auto has(const std::string& text, std::string_view part) -> bool {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

}  // namespace

TEST_CASE("hints: known causes, by call, errno, stage and what it is about") {
  struct row {
    error met;
    std::string_view part;
  };
  const row rows[] = {
      {{.code = EINVAL, .call = "pivot_root"}, "--no-pivot"},
      {{.code = EPERM, .call = "fsmount", .detail = "proc on /proc"}, "systempaths=unconfined"},
      {{.code = EPERM, .call = "fsconfig", .detail = "sysfs on /sys"}, "bind /sys"},
      {{.code = EPERM, .call = "fsmount", .pointer = "/linux/sysctl", .stage = "sysctl"}, "new procfs"},
      {{.code = EBUSY, .call = "write", .detail = "cgroup.subtree_control", .stage = "cgroup"}, "leaves"},
      {{.code = EBUSY, .call = "write", .detail = "memory.max = 4096", .stage = "cgroup"}, "below what is in use"},
      {{.code = EBUSY, .call = "rmdir", .detail = "/sys/fs/cgroup/x"}, "cgroup.procs"},
      {{.code = ENOSPC, .call = "clone3"}, "/proc/sys/user/max_*_namespaces"},
      {{.code = EUSERS, .call = "unshare"}, "/proc/sys/user/max_*_namespaces"},
      {{.code = ENOSPC, .call = "openat2", .detail = "ptmx"}, "/proc/sys/kernel/pty/max"},
      {{.code = EDQUOT, .call = "keyctl"}, "--no-new-keyring"},
      {{.code = EMFILE, .call = "open"}, "RLIMIT_NOFILE"},
      {{.code = ENOENT, .call = "openat2", .pointer = "/linux/sysctl/net.x", .stage = "sysctl"}, "module"},
      {{.code = EOVERFLOW, .call = "open"}, "not mapped"},
      {{.code = EINVAL, .call = "setresuid"}, "uidMappings"},
      {{.code = ENOEXEC, .call = "execve", .detail = "/x (it is for aarch64, this kernel runs x86_64)"}, "--platform"},
      {{.code = ENOEXEC, .call = "execve", .detail = "/x"}, "another machine"},
      {{.code = ENOENT,
        .call = "execve",
        .detail = "/x (its ELF interpreter /lib/ld-musl-x86_64.so.1 is missing in the rootfs)"},
       "musl"},
      {{.code = ENOENT, .call = "execve", .detail = "/x (its ELF interpreter /lib64/ld-linux-x86-64.so.2 is missing)"},
       "glibc"},
      {{.code = ENOENT, .call = "execve", .detail = "/x (… a carriage return in its name …)"}, "sed -i"},
      {{.code = EPERM, .call = "prlimit"}, "LimitNOFILE="},
      {{.code = ENOSYS, .call = "openat2"}, "5.6"},
      {{.code = EACCES, .call = "mkdir", .detail = "/sys/fs/cgroup/x", .stage = "cgroup"}, "Delegate=yes"},
      {{.code = EPERM, .call = "write", .detail = "uid_map", .stage = "idmap"}, "/etc/subuid"},
      {{.code = ENOTCONN, .call = "open_tree"}, "FUSE"},
  };
  for (const auto& r : rows) {
    CAPTURE(to_string(r.met));
    CHECK(has(hint(r.met), r.part));
  }
}

TEST_CASE("hints: nothing is guessed where nothing is known") {
  CHECK(hint({}).empty());
  CHECK(hint({.detail = "args must not be empty"}).empty());
  CHECK(hint({.code = EINVAL, .call = "sethostname"}).empty());
  CHECK(hint({.code = EBUSY, .call = "pivot_root"}).empty());
  CHECK(hint({.code = EPERM, .call = "fsmount", .detail = "tmpfs on /tmp"}).empty());
  CHECK(hint({.code = ENOSPC, .call = "openat2", .detail = "x"}).empty());
  CHECK(hint({.code = ENOENT, .call = "openat2", .stage = "rootfs"}).empty());
  CHECK(hint({.code = EACCES, .call = "mkdir", .stage = "rootfs"}).empty());
}

TEST_CASE("hints: every row can be reached") {
  for (const auto& known : runtime::detail::known_causes) {
    CAPTURE(known.call);
    CAPTURE(known.code);
    CAPTURE(known.about);
    CHECK(known.code != 0);
    CHECK(hint({.code = known.code,
                .call = std::string{known.call.empty() ? "call" : known.call},
                .detail = std::string{known.about},
                .stage = std::string{known.stage.empty() ? "stage" : known.stage}}) == known.hint);
  }
}

TEST_CASE("hints: none has words that engines look for") {
  for (const auto& known : runtime::detail::known_causes) {
    CAPTURE(known.hint);
    CHECK(known.hint.size() < 300);
    CHECK_FALSE(known.hint.ends_with('.'));
    for (const char* words :
         {"no such file or directory", "permission denied", "operation not permitted", "not a directory",
          "is a directory", "executable file not found", "no such process", "does not exist", "invalid process",
          "not running", "already finished", "failed to run runc", "open executable"})
      CHECK(known.hint.find(words) == known.hint.npos);
  }
}
