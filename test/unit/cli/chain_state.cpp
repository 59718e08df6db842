#include <ocitk/cli/chain_state.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>

using namespace ocitk;
using cli::parse_state;
using cli::text_of;

TEST_CASE("chain state: what is written comes back") {
  cli::chain_state s;
  s.id = "web 1";
  s.bundle = "/srv/a:b,c%d";
  s.cgroups = {{.controllers = {"cpu", "cpuacct"}, .mountpoint = "/sys/fs/cgroup/cpu,cpuacct", .below = "a/web 1"},
               {.controllers = {}, .mountpoint = "/sys/fs/cgroup/unified", .below = "a"}};
  s.namespaces = {{.type = "mount", .inode = 4026532000, .joined = false}, {.type = "uts", .inode = 7, .joined = true}};
  s.pivoted = s.lent = true;
  const auto text = text_of(s);
  REQUIRE(text);
  const auto again = parse_state(*text);
  REQUIRE(again);
  CHECK(again->id == s.id);
  CHECK(again->bundle == s.bundle);
  CHECK(again->namespaces == s.namespaces);
  CHECK(again->pivoted);
  CHECK(again->lent);
  REQUIRE(again->cgroups.size() == 2);
  CHECK(again->cgroups[0].controllers == s.cgroups[0].controllers);
  CHECK(again->cgroups[0].mountpoint == s.cgroups[0].mountpoint);
  CHECK(again->cgroups[0].below == s.cgroups[0].below);
  CHECK(again->cgroups[1].controllers.empty());
}

TEST_CASE("chain state: nothing to tell is no variable") {
  const auto text = text_of({});
  REQUIRE(text);
  CHECK(*text == "");
  const auto state = parse_state("");
  REQUIRE(state);
  CHECK(state->namespaces.empty());
}

TEST_CASE("chain state: a descriptor arrives close-on-exec, if it is still the same file") {
  unique_fd file{::open("/", O_PATH | O_DIRECTORY)};
  REQUIRE(file);
  const auto word = cli::detail::described(file);
  REQUIRE(word);
  SUBCASE("the same") {
    const int number = file.release();  // the state owns it now
    const auto state = parse_state("1 rootfs=" + *word);
    REQUIRE(state);
    CHECK(state->rootfs.get() == number);
    CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  }
  SUBCASE("another file has the number, and keeps it") {
    const unique_fd other{::open("/dev/null", O_RDONLY)};
    REQUIRE(::dup2(other.get(), file.get()) == file.get());
    const auto state = parse_state("1 rootfs=" + *word);
    REQUIRE(!state);
    CHECK(state.error().detail.find("is no longer the chain's rootfs") != std::string::npos);
    CHECK(::fcntl(file.get(), F_GETFD) >= 0);
  }
  SUBCASE("closed") {
    file.reset();
    const auto state = parse_state("1 rootfs=" + *word);
    REQUIRE(!state);
    CHECK(state.error().detail.find("is closed") != std::string::npos);
  }
}

TEST_CASE("chain state: what is not understood is refused") {
  for (const auto* text : {"2 id=x", "1 id", "1 nonsense=1", "1 pivoted=2", "1 ns=mount:x:made", "1 ns=mount:1:found", "1 id=%4",
                           "1 cgroup=a:b", "1 rootfs=1:2:3", "1 rootfs=x:2:3", "1  id=x", "x"}) {
    CAPTURE(text);
    CHECK(!parse_state(text));
  }
}
