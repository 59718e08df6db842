#include <ocitk/spec/defaults.hpp>
#include <ocitk/spec/unknown_keys.hpp>
#include <ocitk/spec/write.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ocitk;

namespace {

auto found_in(std::string_view text) { return spec::unknown_keys(nlohmann::json::parse(text)); }

/// "pointer=near" of every finding.
auto told(std::string_view text) -> std::vector<std::string> {
  std::vector<std::string> all;
  for (const auto& u : found_in(text)) all.push_back(u.pointer + "=" + u.near.value_or(""));
  return all;
}
using list = std::vector<std::string>;

}  // namespace

TEST_CASE("unknown keys: what `spec` writes has none") {
  CHECK(told(spec::to_json_text(spec::default_config(true, true, 1, 1))).empty());
}

TEST_CASE("unknown keys: at every level, with the key that was meant") {
  CHECK(told(R"({"proces": {}})") == list{"/proces=process"});
  CHECK(told(R"({"process": {"capabilites": {}}})") == list{"/process/capabilites=capabilities"});
  CHECK(told(R"({"mounts": [{}, {"option": []}]})") == list{"/mounts/1/option=options"});
  CHECK(told(R"({"linux": {"resources": {"pids": {"limt": 1}}}})") == list{"/linux/resources/pids/limt=limit"});
  CHECK(told(R"({"linux": {"resources": {"rdma": {"mlx5": {"hcaHandels": 1}}}}})") ==
        list{"/linux/resources/rdma/mlx5/hcaHandels=hcaHandles"});
  CHECK(told(R"({"linux": {"seccomp": {"syscalls": [{"args": [{"idx": 1, "valeu": 1}]}]}}})") ==
        list{"/linux/seccomp/syscalls/0/args/0/idx=", "/linux/seccomp/syscalls/0/args/0/valeu=value"});
  CHECK(told(R"({"a/b~c": 1})") == list{"/a~1b~0c="});
}

TEST_CASE("unknown keys: Go's readers take any case, this one does not") {
  CHECK(told(R"({"process": {"Args": []}})") == list{"/process/Args=args"});
}

TEST_CASE("unknown keys: keys of maps are the user's own") {
  CHECK(told(R"({"annotations": {"prcess": "x"}, "linux": {"sysctl": {"devcies": "1"}, "resources": {"unified": {"cpus": "1"}}}})")
            .empty());
}

TEST_CASE("unknown keys: other platforms' parts are known but not looked into, in their place only") {
  CHECK(told(R"({"solaris": {"x": 1}, "windows": {"y": {}}, "vm": {}, "zos": {}, "freebsd": {}, "process":
                 {"commandLine": "", "user": {"username": ""}}})")
            .empty());
  CHECK(told(R"({"linux": {"windows": {}}})") == list{"/linux/windows="});
}

TEST_CASE("unknown keys: the object that a key belongs to") {
  const auto seccomp = found_in(R"({"seccomp": {}})");
  REQUIRE(seccomp.size() == 1);
  CHECK(seccomp[0].homes == list{"/linux"});
  const auto top = found_in(R"({"process": {"hostname": "x"}})");
  REQUIRE(top.size() == 1);
  CHECK(top[0].homes == list{"/"});
  const auto entry = found_in(R"({"linux": {"destination": "x"}})");
  REQUIRE(entry.size() == 1);
  CHECK(entry[0].homes == list{"/mounts/*"});
  CHECK(found_in(R"({"nowhere": 1})")[0].homes.empty());
}

TEST_CASE("unknown keys: a value of the wrong kind is the reader's to judge") {
  CHECK(told(R"({"process": [1], "mounts": {"x": 1}, "linux": "y", "annotations": 3})").empty());
  CHECK(told("[1]").empty());
  CHECK(told("null").empty());
}
