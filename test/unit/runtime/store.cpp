#include <ocitk/runtime/store.hpp>

#include <doctest/doctest.h>

#include <cstdlib>

using namespace ocitk;
using runtime::store;

namespace {

struct temporary_root {
  std::string path = "/tmp/ocitk-store-XXXXXX";
  temporary_root() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~temporary_root() {
    const auto dir = sys::open_at(fd_ref::cwd(), path, O_RDONLY | O_DIRECTORY);
    if (dir) (void)runtime::detail::remove_below(*dir);
    ::rmdir(path.c_str());
  }
};

}  // namespace

TEST_CASE("store: ids that are no file name of ours are refused") {
  for (const char* id : {"a", "A.b-c_d+e", "0"}) CHECK(runtime::check_id(id));
  for (const char* id : {"", ".", "..", "a/b", "a b", "\xc3\xa4"}) CHECK_FALSE(runtime::check_id(id));
  CHECK(runtime::check_id(std::string(1024, 'a')));
  CHECK_FALSE(runtime::check_id(std::string(1025, 'a')));
}

TEST_CASE("store: an id is taken once, and free again when it was not kept") {
  const temporary_root root;
  const auto s = store::open(root.path, false);
  REQUIRE(s);
  {
    const auto first = s->create("c");
    REQUIRE(first);
    const auto second = s->create("c");
    REQUIRE_FALSE(second);
    CHECK(second.error().detail == "container with given ID already exists");
  }
  CHECK(s->ids()->empty());
  CHECK(s->open("c").error().detail == "container does not exist");
}

TEST_CASE("store: a record comes back as it was written, garbage does not") {
  const temporary_root root;
  const auto s = store::open(root.path, false);
  auto e = s->create("c");
  REQUIRE(e);
  runtime::record r;
  r.id = "c";
  r.pid = 7;
  r.start_time = 123456789;
  r.cgroup_paths = {"/a", "/b"};
  r.own_pid_namespace = false;
  REQUIRE(e->write_state(r));
  const auto back = e->read();
  REQUIRE(back);
  CHECK(back->pid == 7);
  CHECK(back->start_time == 123456789);
  CHECK(back->cgroup_paths == r.cgroup_paths);
  CHECK_FALSE(back->own_pid_namespace);
  for (const char* text : {"", "{", "{}", "[1]", "{\"id\":\"c\",\"version\":2}"}) CHECK_FALSE(spec::parse_record(text));
}

TEST_CASE("store: whoever waits for the lock of a deleted container is told") {
  const temporary_root root;
  const auto s = store::open(root.path, false);
  auto e = s->create("c");
  REQUIRE(e);
  const auto other = s->open("c");
  REQUIRE(other);
  CHECK(other->lock(0).error().code == ETIMEDOUT);
  REQUIRE(e->remove());
  e->unlock();
  CHECK(other->lock(1000).error().detail == "container does not exist");
}
