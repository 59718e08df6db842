#include <ocitk/stages/user.hpp>

#include <doctest/doctest.h>

#include <sys/sysmacros.h>

#include <cstdlib>
#include <fstream>

using namespace ocitk;
namespace user = stages::user;

static_assert(stage<stages::set_user>);

namespace {

/// A directory that stands for a container's root.
struct image {
  std::string path = "/tmp/ocitk-user-XXXXXX";
  unique_fd root{};
  image() {
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    REQUIRE(::mkdir((path + "/etc").c_str(), 0755) == 0);
    root = unique_fd{::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  }
  ~image() {
    ::unlink((path + "/etc/passwd").c_str());
    ::unlink((path + "/etc/real").c_str());
    ::rmdir((path + "/etc").c_str());
    ::rmdir(path.c_str());
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream{path + "/etc/" + name} << text; }
};

}  // namespace

TEST_CASE("user: groups are set even when none are asked for") {
  const auto who = user::plan({.uid = 1, .gid = 2});
  REQUIRE(who);
  CHECK(*who == user::identity{.uid = 1, .gid = 2, .umask = 0022, .groups = std::vector<gid_t>{}});
}

TEST_CASE("user: groups are left where setgroups is known to be denied") {
  const auto who = user::plan({.uid = 1, .gid = 2, .umask = 0077, .additional_gids = {5}}, false);
  REQUIRE(who);
  CHECK_FALSE(who->groups);
  CHECK(who->umask == 0077);
}

TEST_CASE("user: 4294967295 would keep root and is refused") {
  constexpr auto minus_one = static_cast<std::uint32_t>(-1);
  CHECK(user::plan({.uid = minus_one}).error().pointer == "/process/user/uid");
  CHECK(user::plan({.gid = minus_one}).error().pointer == "/process/user/gid");
  CHECK(user::plan({.additional_gids = {1, minus_one}}).error().pointer == "/process/user/additionalGids");
}

TEST_CASE("user: an unmapped id is named") {
  const auto text = user::name_unmapped("uid", 7, std::unexpected(error{.code = EINVAL, .call = "setresuid"}));
  CHECK(text.error().detail == "cannot setuid to unmapped uid 7 in user namespace");
  CHECK(user::name_unmapped("uid", 7, std::unexpected(error{.code = EPERM})).error().detail.empty());
}

TEST_CASE("user: stdio is given away only if it is a pipe or terminal of ours") {
  struct stat info {};
  info.st_uid = 5;
  info.st_mode = S_IFIFO;
  CHECK(user::may_own(info, false, 5));
  CHECK_FALSE(user::may_own(info, false, 0));
  info.st_mode = S_IFCHR;
  info.st_rdev = makedev(1, 3);
  CHECK_FALSE(user::may_own(info, false, 5));
  CHECK(user::may_own(info, true, 5));
  info.st_mode = S_IFREG;
  CHECK_FALSE(user::may_own(info, false, 5));
}

TEST_CASE("user: the last of equal names stays where it stands") {
  const spec::process process{.env = {"A=1", "HOME=/h", "B=2", "A=3", "AA=4"}};
  CHECK(user::environment(process, "/x") == spec::strings{"HOME=/h", "B=2", "A=3", "AA=4"});
}

TEST_CASE("user: an empty HOME counts as absent") {
  CHECK(user::environment({.env = {"HOME=", "A=1"}}, "/x") == spec::strings{"A=1", "HOME=/x"});
  CHECK(user::environment({.env = {"HOME=/old", "HOME="}}, "/x") == spec::strings{"HOME=/x"});
  CHECK(user::environment({}, "/x") == spec::strings{"HOME=/x"});
}

TEST_CASE("user: HOME is the first match in passwd") {
  const std::string_view passwd =
      "root:x:0:0:root:/root:/bin/sh\n"
      "broken\n"
      "a:x:7x:7::/wrong:/bin/sh\n"
      "a:x:7:7::/home/a:/bin/sh\n"
      "b:x:7:7::/home/b:/bin/sh\n"
      "c:x:8:8:::\n"
      "d:x:9:9::home/d:\n"
      "last:x:10:10::/home/last";
  CHECK(sys::home_in(passwd, 0) == "/root");
  CHECK(sys::home_in(passwd, 7) == "/home/a");
  CHECK(sys::home_in(passwd, 8) == "/");
  CHECK(sys::home_in(passwd, 9) == "/");
  CHECK(sys::home_in(passwd, 10) == "/home/last");
  CHECK(sys::home_in(passwd, 11) == "/");
  CHECK(sys::home_in("", 0) == "/");
}

TEST_CASE("user: passwd is read beneath the root") {
  const image img;
  CHECK(user::home_of(0, img.root) == "/");  // none there
  img.write("passwd", "r:x:0:0::/inside:/bin/sh\n");
  CHECK(user::home_of(0, img.root) == "/inside");
}

TEST_CASE("user: what is not a small regular file is no passwd") {
  const image img;
  const std::string passwd = img.path + "/etc/passwd";
  SUBCASE("a FIFO does not hang us") { REQUIRE(::mkfifo(passwd.c_str(), 0666) == 0); }
  SUBCASE("a link is not followed") {
    img.write("real", "r:x:0:0::/inside:/bin/sh\n");
    REQUIRE(::symlink("real", passwd.c_str()) == 0);
  }
  SUBCASE("above 1 MiB") { img.write("passwd", "r:x:0:0::/inside:/bin/sh\n" + std::string(1 << 20, '#')); }
  CHECK(user::home_of(0, img.root) == "/");
}
