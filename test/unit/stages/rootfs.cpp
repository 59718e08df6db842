#include <ocitk/stages/masks.hpp>
#include <ocitk/stages/rootfs.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

static_assert(stage<stages::build_rootfs>);
static_assert(stage<stages::protect_paths>);

TEST_CASE("rootfs: a spec without a root is refused") {
  const spec::config config;
  init_context ctx{.spec = config};
  const auto done = stages::build_rootfs{}(ctx);
  REQUIRE_FALSE(done);
  CHECK(done.error().pointer == "/root");
}

TEST_CASE("rootfs: without a mount namespace the root is opened and nothing else") {
  spec::config config;
  config.root = spec::root{.path = "/"};
  init_context ctx{.spec = config};
  REQUIRE(stages::build_rootfs{}(ctx));
  CHECK(sys::is_directory(ctx.rootfs).value());
  CHECK(stages::protect_paths{}(ctx));
}

TEST_CASE("rootfs: a root that is not there says so") {
  spec::config config;
  config.root = spec::root{.path = "nowhere"};
  init_context ctx{.spec = config, .bundle = "/nonexistent"};
  const auto done = stages::build_rootfs{}(ctx);
  REQUIRE_FALSE(done);
  CHECK(done.error().pointer == "/root/path");
  CHECK(done.error().code == ENOENT);
}

TEST_CASE("rootfs: the caller's umask is given back") {
  const auto before = ::umask(027);
  spec::config config;
  config.root = spec::root{.path = "/"};
  init_context ctx{.spec = config};
  REQUIRE(stages::build_rootfs{}(ctx));
  REQUIRE(stages::protect_paths{}(ctx));
  CHECK(::umask(before) == 027);
}
