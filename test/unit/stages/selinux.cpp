#include <ocitk/stages/selinux.hpp>

#include "../../support/fake_proc.hpp"

#include <ocitk/stages/keyring.hpp>
#include <ocitk/stages/procfs.hpp>
#include <ocitk/sys/io.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
namespace selinux = stages::selinux;

static_assert(stage<stages::label_payload> && stage<stages::open_procfs>);

namespace {

constexpr std::string_view label = "system_u:system_r:container_t:s0:c4,c5";

}  // namespace

TEST_CASE("selinux: the payload's label is an attribute of its own") {
  const support::fake_proc proc;
  const auto keys = proc.file("/thread-self/attr/keycreate", "");
  const spec::config config{.process = spec::process{.selinux_label = std::string{label}}};
  init_context ctx{.spec = config, .procfs = *duplicate(proc.root())};
  REQUIRE(stages::label_payload{}(ctx));
  CHECK(support::content(proc.path("/thread-self/attr/exec")) == label);
  CHECK(support::content(keys).empty());
}

TEST_CASE("selinux: keys get the label before any is made") {
  const support::fake_proc proc;
  const spec::config config{.process = spec::process{.selinux_label = std::string{label}}};
  const init_context ctx{.spec = config, .procfs = *duplicate(proc.root())};
  CHECK(stages::keyring::label_keys(ctx));  // a kernel without keys
  const auto keys = proc.file("/thread-self/attr/keycreate", "");
  REQUIRE(stages::keyring::label_keys(ctx));
  CHECK(support::content(keys) == label);
  CHECK(support::content(proc.path("/thread-self/attr/exec")).empty());
}

TEST_CASE("selinux: a refused label is told in the quotes podman looks for, at the end") {
  const support::scratch dir;
  dir.directory("/thread-self");
  dir.directory("/thread-self/attr");
  dir.link("/thread-self/attr/exec", "full");
  if (::mknod(dir.path("/thread-self/attr/full").c_str(), S_IFCHR | 0600, 0x107) != 0) return;  // needs privileges
  const auto refused = privileges::attributes::set_label("exec", "bad", dir.root());
  if (!refused && refused.error().call == "openat2") return;  // a mount with nodev
  REQUIRE_FALSE(refused);
  CHECK(to_string(refused.error()) == "write: write label bad to `/proc/thread-self/attr/exec`: no space left on device");
}

TEST_CASE("selinux: where it is off a label is refused") {
  const support::scratch dir;
  const auto kind = sys::filesystem_of(dir.root());
  REQUIRE(kind);
  CHECK(selinux::require("/process/selinuxLabel", dir.path(), *kind));
  for (const auto& filesystem : {dir.path(), dir.path("/missing")}) {
    const auto refused = selinux::require("/linux/mountLabel", filesystem);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail.find("selinux label is specified in config, but selinux is disabled or not supported") == 0);
    CHECK(refused.error().detail.ends_with("`/proc/thread-self/attr/exec`"));
    CHECK(refused.error().pointer == "/linux/mountLabel");
  }
}

TEST_CASE("procfs: opened only for labels") {
  const spec::config plain{.process = spec::process{}};
  init_context ctx{.spec = plain};
  CHECK(stages::open_procfs{}(ctx));
  CHECK_FALSE(ctx.procfs);
  const spec::config labelled{.process = spec::process{.apparmor_profile = "p"}};
  init_context other{.spec = labelled};
  REQUIRE(stages::open_procfs{}(other));
  CHECK(*sys::filesystem_of(other.procfs) == PROC_SUPER_MAGIC);
  CHECK(privileges::attributes::open(other.procfs, "current"));
}
