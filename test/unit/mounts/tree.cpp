#include <ocitk/mounts/tree.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

TEST_CASE("tree: the host's mounts are slaves unless the spec says otherwise") {
  using mounts::propagation;
  CHECK(mounts::propagation_of_host("") == propagation{MS_SLAVE, true});
  CHECK(mounts::propagation_of_host("slave") == propagation{MS_SLAVE, false});
  CHECK(mounts::propagation_of_host("rshared") == propagation{MS_SHARED, true});
  CHECK(mounts::propagation_of_host("shared") == propagation{MS_SHARED, false});
  CHECK(mounts::propagation_of_host("rprivate") == propagation{MS_PRIVATE, true});
}

TEST_CASE("tree: an unbindable root has to be cloned first") {
  CHECK(mounts::propagation_of_host("unbindable") == mounts::propagation{MS_SLAVE, true});
  CHECK(mounts::propagation_of_host("runbindable") == mounts::propagation{MS_SLAVE, true});
}

TEST_CASE("tree: labels are for file systems that take them") {
  spec::config config;
  config.linux.mount_label = "system_u:object_r:c";
  const init_context ctx{.spec = config};
  CHECK(mounts::detail::label_for(ctx, "tmpfs") == "system_u:object_r:c");
  for (const auto* type : {"proc", "sysfs", "mqueue", "cgroup", "cgroup2"}) CHECK(mounts::detail::label_for(ctx, type).empty());
}

TEST_CASE("tree: podman tells what a label is for") {
  spec::config config;
  const init_context ctx{.spec = config};
  CHECK(*mounts::detail::label_key(ctx) == "context");
  config.annotations["run.oci.mount_context_type"] = "rootcontext";
  CHECK(*mounts::detail::label_key(ctx) == "rootcontext");
  config.annotations["run.oci.mount_context_type"] = "context=x,mode";
  CHECK(mounts::detail::label_key(ctx).error().pointer == "/annotations/run.oci.mount_context_type");
}

TEST_CASE("tree: a failing entry is named before anything is mounted") {
  spec::config config;
  config.mounts = {{.destination = "/a", .type = "bind", .source = "/b", .options = {"size=1"}}};
  init_context ctx{.spec = config};
  const auto done = mounts::mount_all(ctx);
  REQUIRE_FALSE(done);
  CHECK(done.error().pointer == "/mounts/0");
  CHECK(done.error().detail == "bind mounts cannot have any filesystem-specific options applied");
}
