#include <ocitk/stages/apparmor.hpp>

#include "../../support/fake_proc.hpp"

#include <doctest/doctest.h>

using namespace ocitk;
namespace apparmor = stages::apparmor;

static_assert(stage<stages::set_profile>);

TEST_CASE("apparmor: the profile goes to the module's own attribute") {
  const support::fake_proc proc;
  proc.directory("/thread-self/attr/apparmor");
  const auto own = proc.file("/thread-self/attr/apparmor/exec", "");
  const spec::config config{.process = spec::process{.apparmor_profile = "containers-default"}};
  init_context ctx{.spec = config, .procfs = *duplicate(proc.root())};
  REQUIRE(stages::set_profile{}(ctx));
  CHECK(support::content(own) == "exec containers-default");
  CHECK(support::content(proc.path("/thread-self/attr/exec")).empty());
}

TEST_CASE("apparmor: a kernel with one attribute for all gets it there") {
  const support::fake_proc proc;
  REQUIRE(apparmor::apply("p", proc.root()));
  CHECK(support::content(proc.path("/thread-self/attr/exec")) == "exec p");
}

TEST_CASE("apparmor: a link out of the procfs is not followed") {
  const support::fake_proc proc;
  const support::scratch elsewhere;
  proc.directory("/thread-self/attr/apparmor");
  proc.link("/thread-self/attr/apparmor/exec", elsewhere.file("/file", ""));
  const auto refused = apparmor::apply("p", proc.root());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EXDEV);
  CHECK(support::content(elsewhere.path("/file")).empty());
}

TEST_CASE("apparmor: without a profile nothing is opened") {
  const spec::config config{.process = spec::process{}};
  init_context ctx{.spec = config, .procfs = unique_fd{}};
  CHECK(stages::set_profile{}(ctx));
}

TEST_CASE("apparmor: where it is off a profile is refused") {
  const support::scratch dir;
  CHECK(apparmor::require(dir.file("/on", "Y\n")));
  for (const auto& parameter : {dir.file("/off", "N\n"), dir.file("/empty", ""), dir.path("/missing")}) {
    const auto refused = apparmor::require(parameter);
    REQUIRE_FALSE(refused);
    CHECK(to_string(refused.error()) == "apparmor: config provided but apparmor not supported (config.json#/process/apparmorProfile)");
  }
}
