#include <ocitk/watch/guard.hpp>

#include "../../support/scratch.hpp"

#include <doctest/doctest.h>

#include <sys/mount.h>
#include <sys/syscall.h>

#include <map>

using namespace ocitk;

namespace {

/// What a guarded child can do: names of what it could, in order.
auto could(const std::vector<std::pair<std::string, std::function<bool()>>>& tries) -> std::string {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string done;
    if (!watch::deny_changes()) done = "no guard";
    else
      for (const auto& [name, attempt] : tries) {
        errno = 0;
        if (attempt()) done += name + " ";
        else if (errno != EPERM) done += name + " failed otherwise: " + std::to_string(errno) + " ";
      }
    (void)!::write(ends[1], done.data(), done.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said(1000, '\0');
  const auto n = ::read(ends[0], said.data(), said.size());
  ::close(ends[0]);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  said.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return said;
}

}  // namespace

TEST_CASE("guard: nothing beyond the process itself can be changed") {
  const support::scratch files;
  const auto file = files.file("/file", "text");
  const auto path = files.path("/new");
  const auto opens = [&](int how) { return [&, how] { return ::openat(AT_FDCWD, file.c_str(), how, 0600) >= 0; }; };
  CHECK(could({{"mount", [&] { return ::mount("none", files.path().c_str(), "tmpfs", 0, nullptr) == 0; }},
               {"fsopen", [] { return ::syscall(SYS_fsopen, "tmpfs", 0) >= 0; }},
               {"clone a tree", [&] { return ::syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */) >= 0; }},
               {"sethostname", [] { return ::sethostname("x", 1) == 0; }},
               {"unshare", [] { return ::unshare(CLONE_NEWUSER) == 0; }},
               {"mkdir", [&] { return ::mkdir(path.c_str(), 0700) == 0; }},
               {"mknod", [&] { return ::mknod(path.c_str(), S_IFREG | 0600, 0) == 0; }},
               {"symlink", [&] { return ::symlink("x", path.c_str()) == 0; }},
               {"link", [&] { return ::link(file.c_str(), path.c_str()) == 0; }},
               {"rename", [&] { return ::rename(file.c_str(), path.c_str()) == 0; }},
               {"unlink", [&] { return ::unlink(file.c_str()) == 0; }},
               {"chmod", [&] { return ::chmod(file.c_str(), 0600) == 0; }},
               {"chown", [&] { return ::chown(file.c_str(), ::getuid(), ::getgid()) == 0; }},
               {"truncate", [&] { return ::truncate(file.c_str(), 0) == 0; }},
               {"utimensat", [&] { return ::utimensat(AT_FDCWD, file.c_str(), nullptr, 0) == 0; }},
               {"open to write", opens(O_WRONLY)},
               {"open to read and write", opens(O_RDWR)},
               {"open to make", opens(O_RDONLY | O_CREAT)},
               {"open to empty", opens(O_RDONLY | O_TRUNC)},
               {"old open to write",
                [&] {
#ifdef SYS_open
                  return ::syscall(SYS_open, file.c_str(), O_WRONLY) >= 0;
#else
                  errno = EPERM;
                  return false;
#endif
                }},
               {"io_uring", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr) >= 0; }},
               {"execve", [] { return ::execl("/bin/true", "true", nullptr) == 0; }},
               {"setuid", [] { return ::setuid(::getuid()) == 0; }}}) == "");
  struct stat info{};
  CHECK(::stat(path.c_str(), &info) == -1);
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK(info.st_size == 4);
  CHECK((info.st_mode & 07777) == 0755);
}

TEST_CASE("guard: looking, and talking through what is open, goes on") {
  const support::scratch files;
  const auto file = files.file("/file", "text");
  CHECK(could({{"read", [&] { return ::openat(AT_FDCWD, file.c_str(), O_RDONLY) >= 0; }},
               {"stat", [&] { struct stat info{}; return ::stat(file.c_str(), &info) == 0; }},
               {"pipe", [] { std::array<int, 2> ends{}; return ::pipe(ends.data()) == 0 && ::write(ends[1], "x", 1) == 1; }},
               {"umask", [] { ::umask(022); return true; }},
               {"open_tree", [] { return ::syscall(SYS_open_tree, AT_FDCWD, "/", 0) >= 0; }}}) == "read stat pipe umask open_tree ");
}

TEST_CASE("guard: it holds for children too") {
  const support::scratch files;
  CHECK(could({{"child", [&] {
                  const pid_t child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
                  if (child == 0) ::_exit(::mkdir(files.path("/new").c_str(), 0700) == -1 && errno == EPERM ? 0 : 1);
                  int status = -1;
                  return ::waitpid(child, &status, 0) == child && status == 0;
                }}}) == "child ");
}
