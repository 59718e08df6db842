#include <ocitk/stages/keyring.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
namespace keyring = stages::keyring;

static_assert(stage<stages::join_keyring>);

TEST_CASE("keyring: permissions are the fourth field of the description") {
  CHECK(keyring::permissions_in("keyring;0;0;3f1b0000;_ses.web").value() == 0x3f1b0000);
  CHECK(keyring::permissions_in("keyring;4294967295;0;3f130000;_ses.a;b").value() == 0x3f130000);
}

TEST_CASE("keyring: a description it cannot read costs no permissions") {
  for (const auto* text : {"", "keyring;0;0", "keyring;0;0;", "keyring;0;0;3f1b0000", "keyring;0;0;xyz;n", "keyring;0;0;3fzz;n"}) {
    CAPTURE(text);
    CHECK_FALSE(keyring::permissions_in(text));
  }
}

TEST_CASE("keyring: the caller's own is kept where asked") {
  const spec::config config;
  init_context ctx{.spec = config, .new_keyring = false};
  CHECK(stages::join_keyring{}(ctx));
  CHECK(ctx.warnings.empty());
}
