#include <ocitk/watch/names.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
using names = watch::descriptor_names;

TEST_CASE("names: the standard streams are known, others by number") {
  const names n;
  CHECK(n.of(0) == "<stdin>");
  CHECK(n.of(2) == "<stderr>");
  CHECK(n.of(7) == "<fd 7>");
  CHECK(n.of(AT_FDCWD) == "AT_FDCWD");
}

TEST_CASE("names: a file is called by its directory and path") {
  names n;
  n.learn({.call = "openat", .args = {"AT_FDCWD", "\"/run\"", "O_PATH", "0"}}, 3);
  CHECK(n.of(3) == "</run>");
  const auto below = [&](const char* call, const char* path) {
    n.learn({.call = call, .args = {n.of(3), path, "O_PATH"}}, 4);
    return n.of(4);
  };
  CHECK(below("openat", "\"a\"") == "</run/a>");
  CHECK(below("openat2", "\"/a/b\"") == "</run/a/b>");
  CHECK(below("open_tree", "\"\"") == "</run>");
  CHECK(below("openat", "\".\"") == "</run>");
  n.learn({.call = "openat", .args = {"AT_FDCWD", "\"/\"", "O_PATH", "0"}}, 3);
  CHECK(below("openat", "\"a\"") == "</a>");
}

TEST_CASE("names: a call that failed teaches nothing") {
  names n;
  n.learn({.call = "openat", .args = {"AT_FDCWD", "\"/run\"", "O_PATH", "0"}}, -1);
  CHECK(n.of(-1) == "<fd -1>");
}

TEST_CASE("names: file systems, their mounts, terminals, sockets, copies") {
  names n;
  n.learn({.call = "fsopen", .args = {"\"tmpfs\"", "FSOPEN_CLOEXEC"}}, 5);
  CHECK(n.of(5) == "<fs tmpfs>");
  n.learn({.call = "fsmount", .args = {n.of(5), "FSMOUNT_CLOEXEC", "0"}}, 6);
  CHECK(n.of(6) == "<new tmpfs>");
  n.learn({.call = "ioctl", .args = {"<x>", "TIOCGPTPEER"}}, 7);
  CHECK(n.of(7) == "<terminal>");
  n.learn({.call = "ioctl", .args = {"<x>", "TIOCSCTTY", "0"}}, 0);
  CHECK(n.of(0) == "<stdin>");
  n.learn({.call = "socket", .args = {"2", "2"}}, 8);
  CHECK(n.of(8) == "<socket>");
  n.learn({.call = "dup2", .args = {n.of(7), "0"}}, 0);
  CHECK(n.of(0) == "<terminal>");
  n.learn(9, n.of(8));
  CHECK(n.of(9) == "<socket>");
}
