#include <ocitk/sys/kernel/file.hpp>

#include "../../../support/watching.hpp"

#include <doctest/doctest.h>

using namespace ocitk;
namespace kernel = ocitk::sys::kernel;

TEST_CASE("kernel files: opening asks, making and emptying changes") {
  support::one_answer stands_in{9};
  support::listener all{&stands_in};
  CHECK(kernel::openat(AT_FDCWD, "a", O_WRONLY) == 9);
  CHECK(kernel::openat(AT_FDCWD, "a", O_WRONLY | O_CREAT, 0600) == 9);
  CHECK(kernel::openat(AT_FDCWD, "a", O_WRONLY | O_TRUNC) == 9);
  CHECK(kernel::openat2(AT_FDCWD, "a", {.flags = O_RDWR, .mode = 0, .resolve = RESOLVE_BENEATH}) == 9);
  CHECK(kernel::openat2(AT_FDCWD, "a", {.flags = O_RDWR | O_CREAT, .mode = 0600, .resolve = 0}) == 9);
  REQUIRE(all.calls.size() == 5);
  CHECK(all.calls[0].does == effect::asks);
  CHECK(all.calls[1].does == effect::changes);
  CHECK(all.calls[2].does == effect::changes);
  CHECK(all.calls[3].does == effect::asks);
  CHECK(all.calls[4].does == effect::changes);
  CHECK(all.calls[1].args.at(2) == "O_WRONLY|O_CREAT");
  CHECK(all.calls[1].args.at(3) == "0600");
  CHECK(all.calls[3].args.at(3) == "RESOLVE_BENEATH");
}

TEST_CASE("kernel files: each pretended failure is -1 and errno") {
  support::one_answer stands_in{-EROFS};
  support::listener all{&stands_in};
  struct stat info{};
  struct statfs fs{};
  char text[8]{};
  const auto fails = [](auto returned) { return returned == decltype(returned)(-1) && errno == EROFS; };
  CHECK(fails(kernel::openat(AT_FDCWD, "a", O_RDONLY)));
  CHECK(fails(kernel::openat2(AT_FDCWD, "a", {})));
  CHECK(fails(kernel::fstat(0, info)));
  CHECK(fails(kernel::fstatat(AT_FDCWD, "a", info, 0)));
  CHECK(fails(kernel::fstatfs(0, fs)));
  CHECK(fails(kernel::readlinkat(AT_FDCWD, "a", text, sizeof text)));
  CHECK(fails(kernel::faccessat(AT_FDCWD, "a", F_OK, 0)));
  CHECK(fails(kernel::read(0, text, sizeof text)));
  CHECK(fails(kernel::write(0, text, sizeof text)));
  CHECK(fails(kernel::mkdirat(AT_FDCWD, "a", 0755)));
  CHECK(fails(kernel::mknodat(AT_FDCWD, "a", S_IFCHR | 0600, makedev(1, 3))));
  CHECK(fails(kernel::symlinkat("target", AT_FDCWD, "a")));
  CHECK(fails(kernel::unlinkat(AT_FDCWD, "a", 0)));
  CHECK(fails(kernel::renameat(AT_FDCWD, "a", AT_FDCWD, "b")));
  CHECK(fails(kernel::dup2(0, 50)));
  for (const auto& c : all.calls) CHECK_MESSAGE(c.code == EROFS, c.call);
}

TEST_CASE("kernel files: what needs no answer succeeds and is not done") {
  support::one_answer stands_in{0};
  support::listener all{&stands_in};
  CHECK(kernel::fchmod(-1, 0600) == 0);
  CHECK(kernel::fchown(-1, 0, static_cast<gid_t>(-1)) == 0);
  CHECK(kernel::fchownat(-1, "a", 1, 2, AT_SYMLINK_NOFOLLOW) == 0);
  CHECK(kernel::fsync(-1) == 0);
  CHECK(kernel::flock(-1, LOCK_EX | LOCK_NB) == 0);
  CHECK(kernel::ftruncate(-1, 5) == 0);
  REQUIRE(all.calls.size() == 6);
  CHECK(all.calls[1].args == std::vector<std::string>{"<-1>", "0", "-1"});
  CHECK(all.calls[2].args == std::vector<std::string>{"<-1>", "\"a\"", "1", "2", "AT_SYMLINK_NOFOLLOW"});
}

TEST_CASE("kernel files: a rehearsal hands back the umask that it set before") {
  const auto usual = ::umask(027);
  {
    support::one_answer stands_in{0};
    support::listener all{&stands_in};
    CHECK(kernel::umask(0) == 027);
    CHECK(kernel::umask(077) == 0);
    CHECK(all.calls.at(1).args.at(0) == "077");
  }
  ::umask(usual);
}

TEST_CASE("kernel files: nodes are shown with type, mode and numbers") {
  support::one_answer stands_in{0};
  support::listener all{&stands_in};
  kernel::mknodat(3, "null", S_IFCHR | 0666, makedev(1, 3));
  kernel::mknodat(3, "gate", S_IFIFO | 0600, 0);
  CHECK(all.calls.at(0).args == std::vector<std::string>{"<3>", "\"null\"", "S_IFCHR|0666", "1:3"});
  CHECK(all.calls.at(1).args == std::vector<std::string>{"<3>", "\"gate\"", "S_IFIFO|0600", "0:0"});
}
