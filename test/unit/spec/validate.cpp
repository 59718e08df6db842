#include <ocitk/spec/defaults.hpp>
#include <ocitk/spec/validate.hpp>

#include <doctest/doctest.h>

using namespace ocitk;

namespace {

auto usual() -> spec::config { return spec::default_config(false, false, 0, 0); }

template <class Change>
auto verdict(Change change) -> error {
  auto c = usual();
  change(c);
  const auto v = spec::validate(c, {});
  return v ? error{} : v.error();
}

}  // namespace

TEST_CASE("validate: the default document is fine, with and without privileges") {
  CHECK(spec::validate(usual(), {}));
  CHECK(spec::validate(spec::default_config(true, true, 1000, 1000), {.euid = 1000}));
}

TEST_CASE("validate: each rule names its place") {
  CHECK(verdict([](auto& c) { c.root.reset(); }).detail == "root must be specified");
  CHECK(verdict([](auto& c) { c.process.reset(); }).detail == "process property must not be empty");
  CHECK(verdict([](auto& c) { c.process->cwd = "x"; }).detail == "Cwd must be an absolute path");
  CHECK(verdict([](auto& c) { c.process->args.clear(); }).pointer == "/process/args");
  CHECK(verdict([](auto& c) { c.process->env.push_back("A"); }).pointer == "/process/env/2");
  CHECK(verdict([](auto& c) { c.linux.namespaces.push_back({.type = "pid"}); }).detail == "malformed spec file: duplicated ns");
  CHECK(verdict([](auto& c) { c.linux.namespaces.push_back({.type = "x"}); }).detail == "namespace \"x\" does not exist");
  CHECK(verdict([](auto& c) { c.linux.namespaces.push_back({.type = "user"}); }).detail.find("nor mappings") != std::string::npos);
  CHECK(verdict([](auto& c) { c.linux.uid_mappings.push_back({}); }).detail.find("isn't enabled") != std::string::npos);
  CHECK(verdict([](auto& c) { c.linux.masked_paths.push_back("x"); }).pointer == "/linux/maskedPaths/10");
  CHECK(verdict([](auto& c) { c.linux.rootfs_propagation = "x"; }).detail == "rootfsPropagation=x is not supported");
}

TEST_CASE("validate: only sysctls of namespaces that are the container's") {
  const auto with = [](const char* key, const char* without) {
    return verdict([&](auto& c) {
      std::erase_if(c.linux.namespaces, [&](const auto& n) { return n.type == without; });
      c.linux.sysctl[key] = "1";
    });
  };
  CHECK(with("net.ipv4.ip_forward", "").detail.empty());
  CHECK(with("kernel.msgmax", "").detail.empty());
  CHECK(with("net.ipv4.ip_forward", "network").pointer == "/linux/sysctl/net.ipv4.ip_forward");
  CHECK(with("kernel.msgmax", "ipc").detail == "sysctl \"kernel.msgmax\" is not allowed in the hosts ipc namespace");
  CHECK(with("kernel.panic", "").detail == "sysctl \"kernel.panic\" is not in a separate kernel namespace");
  CHECK(with("net/../kernel/panic", "").detail.find("is not a name") != std::string::npos);
}

TEST_CASE("validate: hooks are absolute paths, and their time is not over before it begins") {
  const auto with = [](std::vector<spec::hook> spec::hooks::*kind, spec::hook hook) {
    return verdict([&](auto& c) { c.hooks.*kind = {{.path = "/fine", .timeout = 1}, std::move(hook)}; }).pointer;
  };
  CHECK(with(&spec::hooks::prestart, {.path = "x"}) == "/hooks/prestart/1/path");
  CHECK(with(&spec::hooks::create_runtime, {}) == "/hooks/createRuntime/1/path");
  CHECK(with(&spec::hooks::create_container, {.path = "/x", .timeout = 0}) == "/hooks/createContainer/1/timeout");
  CHECK(with(&spec::hooks::start_container, {.path = "/x", .timeout = -1}) == "/hooks/startContainer/1/timeout");
  CHECK(with(&spec::hooks::poststart, {.path = "./x"}) == "/hooks/poststart/1/path");
  CHECK(with(&spec::hooks::poststop, {.path = "x"}) == "/hooks/poststop/1/path");
  CHECK(with(&spec::hooks::poststop, {.path = "/x"}).empty());
}

TEST_CASE("validate: clocks need a time namespace of the container's own, network devices a network namespace") {
  const auto with = [](spec::ns time) {
    return verdict([&](auto& c) {
      if (!time.type.empty()) c.linux.namespaces.push_back(time);
      c.linux.time_offsets["monotonic"] = {.secs = 1};
    });
  };
  CHECK(with({.type = "time"}).detail.empty());
  CHECK(with({}).detail == "time namespace offsets specified, but time namespace isn't enabled in the config");
  CHECK(with({}).pointer == "/linux/timeOffsets");
  CHECK(with({.type = "time", .path = "/x"}).detail.find("both namespace path and time offsets specified") != std::string::npos);
  const auto devices = [](const char* without, ::uid_t euid) {
    auto c = spec::default_config(false, euid != 0, euid, euid);
    if (euid != 0) c.linux.namespaces.push_back({.type = "network"});
    std::erase_if(c.linux.namespaces, [&](const auto& n) { return n.type == without; });
    c.linux.net_devices["x"] = {};
    const auto v = spec::validate(c, {.euid = euid});
    return v ? error{} : v.error();
  };
  CHECK(devices("", 0).detail.empty());
  CHECK(devices("network", 0).detail == "unable to move network devices without a NET namespace");
  CHECK(devices("", 1000).detail == "network devices are not supported for rootless containers");
  CHECK(devices("", 1000).pointer == "/linux/netDevices");
}

TEST_CASE("validate: ids in mount options have to be mapped in a new user namespace") {
  const auto with = [](const char* option) {
    return verdict([&](auto& c) {
      c.linux.namespaces.push_back({.type = "user"});
      c.linux.uid_mappings = c.linux.gid_mappings = {{.container_id = 0, .host_id = 1000, .size = 10}};
      c.mounts = {{.destination = "/x", .type = "tmpfs", .source = "x", .options = {"nosuid", option}}};
    });
  };
  CHECK(with("uid=9").detail.empty());
  CHECK(with("size=1,gid=9,mode=1").detail.empty());
  CHECK(with("uid=many").detail.empty());
  CHECK(with("size=1,gid=10,mode=1").detail.starts_with("cannot specify gid=10 mount option "));
  CHECK(with("uid=10").pointer == "/mounts/0/options");
}

TEST_CASE("validate: id-mapped mounts need privileges, a root that is not pivoted to must not be private") {
  auto rootless = spec::default_config(true, true, 1000, 1000);
  rootless.mounts.push_back({.destination = "/x", .type = "bind", .source = "/x", .options = {"idmap"}});
  const auto refused = spec::validate(rootless, {.euid = 1000});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail == "id-mapped mounts are not supported for rootless containers");
  auto c = usual();
  c.linux.rootfs_propagation = "rprivate";
  CHECK(spec::validate(c, {}));
  const auto unsafe = spec::validate(c, {.no_pivot = true});
  REQUIRE_FALSE(unsafe);
  CHECK(unsafe.error().detail == "rootfsPropagation of [r]private is not safe with no_pivot_root");
}
