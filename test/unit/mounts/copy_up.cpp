#include "../../support/scratch.hpp"

#include <ocitk/mounts/copy_up.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <string>

using namespace ocitk;
using support::scratch;

namespace {
auto copied(const scratch& from, const scratch& to) -> result<> {
  std::vector<std::string> warnings;
  const auto source = sys::open_at(from.root(), ".", O_RDONLY | O_DIRECTORY);
  const auto target = sys::open_at(to.root(), ".", O_RDONLY | O_DIRECTORY);
  REQUIRE(source);
  REQUIRE(target);
  auto done = mounts::detail::copier{warnings}.content(*source, *target);
  CHECK(warnings.empty());
  return done;
}
auto look(const scratch& where, const char* name) -> struct stat {
  struct stat st{};
  REQUIRE(::fstatat(where.root().get(), name, &st, AT_SYMLINK_NOFOLLOW) == 0);
  return st;
}
auto text_of(const scratch& where, const char* name) -> std::string {
  const auto text = sys::read_file(where.root(), name, 1U << 20U);
  REQUIRE(text);
  return *text;
}
}  // namespace

TEST_CASE("copy up: content, modes and times of files and directories") {
  const scratch from, to;
  from.directory("/d", 0751);
  from.file("/d/f", "text", 0640);
  const timespec times[2] = {{.tv_sec = 11, .tv_nsec = 12}, {.tv_sec = 13, .tv_nsec = 14}};
  REQUIRE(::utimensat(from.root().get(), "d/f", times, 0) == 0);
  REQUIRE(::utimensat(from.root().get(), "d", times, 0) == 0);
  REQUIRE(copied(from, to));
  CHECK(text_of(to, "d/f") == "text");
  for (const auto* name : {"d", "d/f"}) {
    CAPTURE(name);
    CHECK(look(to, name).st_mode == look(from, name).st_mode);
    CHECK(look(to, name).st_mtim.tv_sec == 13);
    CHECK(look(to, name).st_mtim.tv_nsec == 14);
  }
}

TEST_CASE("copy up: links are made again, wherever they point, and a fifo is not opened") {
  const scratch from, to;
  from.link("/away", "/etc/shadow");
  from.link("/up", "../../../etc");
  REQUIRE(::mkfifoat(from.root().get(), "fifo", 0604) == 0);
  REQUIRE(copied(from, to));
  CHECK(sys::read_link_at(to.root(), "away").value() == "/etc/shadow");
  CHECK(sys::read_link_at(to.root(), "up").value() == "../../../etc");
  CHECK(S_ISFIFO(look(to, "fifo").st_mode));
}

TEST_CASE("copy up: holes stay holes") {
  const scratch from, to;
  const auto path = from.file("/sparse", "begin");
  constexpr off_t huge = off_t{1} << 40;
  REQUIRE(::truncate(path.c_str(), huge) == 0);
  REQUIRE(copied(from, to));
  CHECK(look(to, "sparse").st_size == huge);
  CHECK(look(to, "sparse").st_blocks < 1024);
}

TEST_CASE("copy up: an error names what it was about, and depth has an end") {
  const scratch from, to;
  from.file("/x", "a");
  to.file("/x", "b");
  const auto there = copied(from, to);
  REQUIRE_FALSE(there);
  CHECK(there.error().code == EEXIST);
  CHECK(there.error().detail == "x");
  const scratch deep, copy;
  auto dir = sys::open_at(deep.root(), ".", O_PATH | O_DIRECTORY);
  for (int i = 0; i < 450; ++i) {
    REQUIRE(::mkdirat(dir->get(), "d", 0755) == 0);
    dir = sys::open_at(*dir, "d", O_PATH | O_DIRECTORY);
    REQUIRE(dir);
  }
  const auto done = copied(deep, copy);
  REQUIRE_FALSE(done);
  CHECK((done.error().detail == "directories are nested too deep to be copied" || done.error().code == EMFILE));
}
