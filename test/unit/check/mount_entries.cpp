#include <ocitk/check/mount_entries.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ocitk;

namespace {

auto told(spec::mount m) -> std::vector<std::string> {
  std::vector<std::string> all;
  for (const auto& f : check::mount_entry(m, 3))
    all.push_back(std::string{check::word_for(f.how)} + " " + f.pointer + "=" + f.suggestion);
  return all;
}
auto tmpfs(spec::strings options) -> spec::mount {
  return {.destination = "/t", .type = "tmpfs", .source = "t", .options = std::move(options)};
}
auto bind(spec::strings options) -> spec::mount {
  return {.destination = "/t", .source = "/s", .options = std::move(options)};
}
using list = std::vector<std::string>;

}  // namespace

TEST_CASE("mount entries: known options and those of file systems are fine") {
  CHECK(told(tmpfs({"nosuid", "ro", "size=64k", "mode=755", "huge=always", "rprivate", "sync"})).empty());
  CHECK(told(bind({"rbind", "ro", "rslave", "noatime"})).empty());
  CHECK(told({.destination = "/x", .type = "xfs", .source = "/dev/x", .options = {"nouuid", "wsync"}}).empty());
}

TEST_CASE("mount entries: an option near a known one is probably that one") {
  CHECK(told(tmpfs({"nosiud", "size=1"})) == list{"warning /mounts/3/options/0=nosuid"});
  CHECK(told(bind({"rbind", "noexc"})) == list{"error /mounts/3/options/1=noexec"});
}

TEST_CASE("mount entries: each option that a bind mount cannot have") {
  CHECK(told(bind({"bind", "size=1", "ro", "mode=1"})) == list{"error /mounts/3/options/1=", "error /mounts/3/options/3="});
}

TEST_CASE("mount entries: the entry as a whole") {
  CHECK(told({.destination = "/", .type = "tmpfs"}) == list{"error /mounts/3="});
  CHECK(told({.destination = "/x"}) == list{"error /mounts/3="});
  CHECK(told({.destination = "/x", .options = {"bind"}}) == list{"error /mounts/3="});
  CHECK(told({.destination = "/x", .options = {"remount", "ro"}}).empty());
  CHECK(told({.destination = "/x", .type = "tmpfs", .options = {"remount", "size=1"}}) == list{"error /mounts/3/options="});
}
