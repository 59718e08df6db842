#include <ocitk/check/identities.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ocitk;

namespace {

auto told(std::vector<spec::id_mapping> uids, std::vector<spec::id_mapping> gids, spec::user user = {}) {
  spec::config c{.process = spec::process{.user = user}};
  c.linux.namespaces = {{.type = "user"}};
  c.linux.uid_mappings = std::move(uids);
  c.linux.gid_mappings = std::move(gids);
  std::vector<std::string> pointers;
  for (const auto& f : check::identities(c)) pointers.push_back(f.pointer);
  return pointers;
}
using list = std::vector<std::string>;
using maps = std::vector<spec::id_mapping>;
const maps usual{{0, 1000, 10}};

}  // namespace

TEST_CASE("identities: maps in order, a user within them") {
  CHECK(told(usual, usual).empty());
  CHECK(told({{0, 1000, 1}, {1, 2000, 9}}, usual, {.uid = 9, .gid = 9}).empty());
}

TEST_CASE("identities: the payload's ids have to be mapped") {
  CHECK(told(usual, usual, {.uid = 10, .gid = 11, .additional_gids = {1, 12}}) ==
        list{"/process/user/uid", "/process/user/gid", "/process/user/additionalGids/1"});
}

TEST_CASE("identities: what the kernel refuses of a map") {
  CHECK(told({{0, 1000, 0}}, usual) == list{"/linux/uidMappings/0"});
  CHECK(told({{0, 1000, 2}, {1, 2000, 1}}, usual) == list{"/linux/uidMappings/1"});          // inside
  CHECK(told(usual, {{0, 1000, 2}, {5, 1001, 1}}) == list{"/linux/gidMappings/1"});          // outside
  CHECK(told({{0, 4294967290U, 6}}, usual) == list{"/linux/uidMappings/0"});
  maps many;
  for (std::uint32_t i = 0; i < 341; ++i) many.push_back({i, i, 1});
  CHECK(told(many, usual) == list{"/linux/uidMappings"});
}

TEST_CASE("identities: of no interest without a new user namespace") {
  spec::config c{.process = spec::process{.user = {.uid = 50}}};
  c.linux.uid_mappings = c.linux.gid_mappings = usual;
  CHECK(check::identities(c).empty());
  c.linux.namespaces = {{.type = "user", .path = "/joined"}};
  CHECK(check::identities(c).empty());
}
