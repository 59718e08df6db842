#include <ocitk/mounts/devices.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace ocitk;

namespace {
auto find(const std::vector<mounts::node>& nodes, std::string_view path) -> const mounts::node* {
  const auto found = std::ranges::find(nodes, path, &mounts::node::path);
  return found == nodes.end() ? nullptr : &*found;
}
}  // namespace

TEST_CASE("devices: every container gets the six") {
  const auto nodes = mounts::plan_nodes({});
  REQUIRE(nodes);
  REQUIRE(nodes->size() == 6);
  const struct { const char* path; unsigned major_number, minor_number; } rows[] = {
      {"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};
  for (const auto& row : rows) {
    CAPTURE(row.path);
    const auto* n = find(*nodes, row.path);
    REQUIRE(n != nullptr);
    CHECK(*n == mounts::node{.path = row.path, .major = row.major_number, .minor = row.minor_number});
  }
}

TEST_CASE("devices: an entry replaces the usual node of its path") {
  const auto nodes = mounts::plan_nodes({{.type = "c", .path = "/dev//null", .major = 1, .minor = 3, .file_mode = 0100600, .uid = 7, .gid = 8}});
  REQUIRE(nodes);
  REQUIRE(nodes->size() == 6);
  const auto* n = find(*nodes, "/dev/null");
  REQUIRE(n != nullptr);
  CHECK(n->mode == 0600);
  CHECK(n->uid == 7);
  CHECK(n->gid == 8);
  CHECK(n->pointer == "/linux/devices/0");
}

TEST_CASE("devices: types are character, block and fifo") {
  const auto nodes = mounts::plan_nodes({{.type = "u", .path = "/dev/u"}, {.type = "b", .path = "/dev/b"}, {.type = "p", .path = "/run/p"}});
  REQUIRE(nodes);
  CHECK(find(*nodes, "/dev/u")->type == S_IFCHR);
  CHECK(find(*nodes, "/dev/b")->type == S_IFBLK);
  CHECK(find(*nodes, "/run/p")->type == S_IFIFO);
  const auto odd = mounts::plan_nodes({{.type = "c", .path = "/dev/c"}, {.type = "x", .path = "/dev/x"}});
  REQUIRE_FALSE(odd);
  CHECK(odd.error().detail == "invalid device type \"x\"");
  CHECK(odd.error().pointer == "/linux/devices/1/type");
}

TEST_CASE("devices: ptmx is no node of ours") {
  const auto nodes = mounts::plan_nodes({{.type = "c", .path = "/dev/ptmx", .major = 5, .minor = 2}});
  REQUIRE(nodes);
  CHECK(find(*nodes, "/dev/ptmx") == nullptr);
}

TEST_CASE("devices: a bound /dev is somebody else's") {
  CHECK(mounts::dev_is_bound({{.destination = "/dev/", .type = "bind", .source = "/dev", .options = {}}}));
  CHECK(mounts::dev_is_bound({{.destination = "/dev", .type = "none", .source = "/dev", .options = {"rbind"}}}));
  CHECK_FALSE(mounts::dev_is_bound({{.destination = "/dev", .type = "tmpfs", .source = "tmpfs", .options = {}}}));
  CHECK_FALSE(mounts::dev_is_bound({{.destination = "/dev/shm", .type = "bind", .source = "/x", .options = {}}}));
}

TEST_CASE("devices: a node is known by type and number") {
  struct stat st{};
  REQUIRE(::stat("/dev/null", &st) == 0);
  CHECK(mounts::detail::is_node(st, {.path = "/dev/null", .major = 1, .minor = 3}));
  CHECK_FALSE(mounts::detail::is_node(st, {.path = "/dev/null", .major = 1, .minor = 5}));
  CHECK_FALSE(mounts::detail::is_node(st, {.path = "/dev/null", .type = S_IFBLK, .major = 1, .minor = 3}));
}
