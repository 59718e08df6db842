#include <ocitk/mounts/make.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

namespace {
auto told(error e) -> std::string {
  const result<> r = std::unexpected(std::move(e));
  return mounts::describe("bind /srv on /data", r).error().detail;
}
}  // namespace

TEST_CASE("make: an error says what was to go where, and no name twice") {
  CHECK(told({.code = ENOENT, .call = "open_tree", .detail = "/srv"}) == "bind /srv on /data");
  CHECK(told({.code = EINVAL, .call = "move_mount"}) == "bind /srv on /data");
  CHECK(told({.code = EPERM, .detail = "cannot clear locked flags"}) == "bind /srv on /data: cannot clear locked flags");
  CHECK(mounts::describe("x", result<int>{3}).value() == 3);
}

TEST_CASE("make: nothing asked for is nothing done") {
  CHECK(mounts::change(fd_ref::of(-1), {}, true));
  CHECK_FALSE(mounts::change(fd_ref::of(-1), {.set = MOUNT_ATTR_RDONLY}, true));
}
