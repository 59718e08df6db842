#include <ocitk/mounts/sources.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
using mounts::tables_for;
using maps = std::vector<spec::id_mapping>;

namespace {
const maps container{{.container_id = 0, .host_id = 0, .size = 1}, {.container_id = 1, .host_id = 2, .size = 1000}};

auto with_user_namespace(const char* path = "") -> spec::linux_ {
  spec::linux_ linux;
  linux.namespaces.push_back({.type = "user", .path = path});
  if (*path == '\0') linux.uid_mappings = linux.gid_mappings = container;
  return linux;
}
auto ids(std::vector<mounts::id_range> ranges) -> mounts::id_map { return {.wanted = true, .uids = ranges, .gids = ranges}; }
}  // namespace

TEST_CASE("sources: a mount without maps takes the container's") {
  CHECK(tables_for(ids({}), with_user_namespace()).value() == mounts::id_tables{});
  CHECK(tables_for(ids({}), with_user_namespace("/proc/1/ns/user")).value() == mounts::id_tables{});
  const auto nothing = tables_for(ids({}), {});
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().detail == "id-mapped mounts must have both uid and gid mappings specified");
}

TEST_CASE("sources: maps of its own are taken as they are") {
  const maps wanted{{.container_id = 5, .host_id = 100, .size = 3}};
  CHECK(tables_for(ids({{.from = 5, .to = 100, .size = 3}}), {}).value().uids == wanted);
  CHECK(tables_for(ids({{.from = 5, .to = 100, .size = 3}}), with_user_namespace()).value().gids == wanted);
}

TEST_CASE("sources: maps that are the container's need no namespace of their own") {
  const auto same = ids({{.from = 0, .to = 0, .size = 1}, {.from = 1, .to = 2, .size = 1000}});
  CHECK(tables_for(same, with_user_namespace()).value() == mounts::id_tables{});
  auto joined = with_user_namespace("/proc/1/ns/user");
  joined.uid_mappings = joined.gid_mappings = container;  // what the joined one has may be something else
  CHECK(tables_for(same, joined).value().uids == container);
}

TEST_CASE("sources: a relative range counts in the container's user namespace, line by line") {
  const auto of = [](mounts::id_range r) {
    r.relative = true;
    const auto t = tables_for(ids({r}), with_user_namespace());
    REQUIRE(t);
    return t->uids;
  };
  CHECK(of({.from = 1, .to = 3, .size = 10}) == maps{{.container_id = 1, .host_id = 4, .size = 10}});
  CHECK(of({.from = 7, .to = 0, .size = 3}) == maps{{.container_id = 7, .host_id = 0, .size = 1}, {.container_id = 8, .host_id = 2, .size = 2}});
  const auto beyond = tables_for(ids({{.from = 0, .to = 999, .size = 3, .relative = true}}), with_user_namespace());
  REQUIRE_FALSE(beyond);
  CHECK(beyond.error().detail == "id 1001 of an id-mapped mount is not mapped in the container's user namespace");
}

TEST_CASE("sources: relative paths start at the bundle") {
  const spec::config config;
  const init_context ctx{.spec = config, .bundle = "/run/b"};
  CHECK(mounts::host_path(ctx, "rootfs") == "/run/b/rootfs");
  CHECK(mounts::host_path(ctx, "/srv") == "/srv");
}
