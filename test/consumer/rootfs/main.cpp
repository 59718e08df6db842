// Makes a root file system out of a directory that holds busybox, and a program in it tells what it sees.
#include <ocitk/stages/rootfs.hpp>

#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace {

auto enter_root(const std::string& directory) -> ocitk::result<> {
  ocitk::spec::config config;
  config.root = ocitk::spec::root{.path = directory};
  config.linux.namespaces = {{.type = "mount"}};
  config.mounts = {
      {.destination = "/proc", .type = "proc", .source = "proc"},
      {.destination = "/dev", .type = "tmpfs", .source = "tmpfs", .options = {"nosuid", "mode=755", "size=64k"}}};
  OCITK_TRY(ocitk::checked(::unshare(CLONE_NEWNS), "unshare"));
  ocitk::init_context here{.spec = config};
  OCITK_TRY(ocitk::stages::build_rootfs{}(here));
  OCITK_TRY(ocitk::checked(::fchdir(here.rootfs.get()), "fchdir"));
  return ocitk::checked(::chroot("."), "chroot");
}

}  // namespace

auto main(int argc, char** argv) -> int {
  if (argc != 2) return 2;
  if (const auto done = enter_root(argv[1]); !done) {
    std::fprintf(stderr, "%s\n", to_string(done.error()).c_str());
    return 1;
  }
  constexpr auto look = R"(
    echo /*
    echo /dev/*
    while read -r _ where type _; do case $where in /proc|/dev) echo "$where $type" ;; esac; done </proc/self/mounts
    echo gone >/dev/null && echo "null swallows"
  )";
  ::execl("/bin/busybox", "busybox", "sh", "-c", look, nullptr);
  return 127;
}
