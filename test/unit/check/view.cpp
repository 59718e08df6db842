#include <ocitk/check/view.hpp>

#include "scratch.hpp"

#include <string>

using namespace ocitk;
using check::view;
using check::whereabouts;

namespace {

auto bound(std::string source, std::string destination) -> spec::mount {
  return {.destination = std::move(destination), .type = "bind", .source = std::move(source)};
}
auto tmpfs(std::string destination) -> spec::mount { return {.destination = std::move(destination), .type = "tmpfs"}; }

/// The way a path leads, or "missing" or "later N".
auto way(const view& v, std::string_view path) -> std::string {
  const auto l = v.find(path);
  if (l.is == whereabouts::later) return "later " + std::to_string(l.mount);
  return l.is == whereabouts::found ? l.path : "missing";
}

}  // namespace

TEST_CASE("view: links lead where they would inside") {
  const scratch s;
  s.file("root/usr/bin/sh");
  s.link("root/bin", "usr/bin");
  s.link("root/abs", "/usr/bin/sh");
  s.link("root/out", "../../../../../usr/bin");
  s.link("root/loop", "loop");
  const view v{s.open("root")};
  CHECK(way(v, "/bin/sh") == "/usr/bin/sh");
  CHECK(way(v, "/abs") == "/usr/bin/sh");
  CHECK(way(v, "/out/sh") == "/usr/bin/sh");
  CHECK(way(v, "/../../bin/./sh") == "/usr/bin/sh");
  CHECK(way(v, "/") == "/");
  CHECK(v.find("/loop").code == ELOOP);
  CHECK(v.find("/none").code == ENOENT);
  CHECK(v.find("/abs/x").code == ENOTDIR);
  CHECK(sys::same_file(*sys::status_of(v.find("/abs").file), *sys::status_of(s.open("root/usr/bin/sh"))));
}

TEST_CASE("view: a bind mount shows its source, also through links") {
  const scratch s;
  s.dir("root/usr");
  s.link("root/opt", "usr/opt");
  s.file("src/deep/tool");
  s.link("src/up", "/usr");
  view v{s.open("root")};
  v.add(bound("src", "/opt"), 0, s.path());
  CHECK(way(v, "/usr/opt/deep/tool") == "/usr/opt/deep/tool");
  CHECK(way(v, "/opt/deep/tool") == "/usr/opt/deep/tool");
  CHECK(way(v, "/opt/up") == "/usr");
  CHECK(way(v, "/opt/none") == "missing");
  CHECK(sys::same_file(*sys::status_of(v.find("/opt/deep/tool").file), *sys::status_of(s.open("src/deep/tool"))));
}

TEST_CASE("view: what a new file system will hold cannot be told") {
  const scratch s;
  s.file("root/data/x");
  view v{s.open("root")};
  v.add(tmpfs("/data"), 4, s.path());
  CHECK(way(v, "/data/x") == "later 4");
  CHECK(v.find("/data/x").path == "/data/x");
  v.add(bound(s.in("root/data"), "/data/inner"), 5, s.path());
  CHECK(way(v, "/data/x") == "later 4");
}

TEST_CASE("view: directories are made on the way to a mount") {
  const scratch s;
  s.dir("root");
  s.file("src/run");
  view v{s.open("root")};
  v.add(bound("src", "/srv/deep/src"), 2, s.path());
  CHECK(way(v, "/srv/deep/src/run") == "/srv/deep/src/run");
  CHECK(way(v, "/srv/deep") == "later 2");
  CHECK(way(v, "/srv/other") == "missing");
  CHECK(way(v, "/srvx") == "missing");
}

TEST_CASE("view: a later mount hides earlier ones at and below its target") {
  const scratch s;
  s.dir("root/a/b");
  s.file("one/x");
  s.file("two/y");
  view v{s.open("root")};
  v.add(bound("one", "/a/b"), 0, s.path());
  CHECK(way(v, "/a/b/x") == "/a/b/x");
  v.add(bound("two", "/a"), 1, s.path());
  CHECK(way(v, "/a/b/x") == "missing");
  CHECK(way(v, "/a/y") == "/a/y");
  v.add({.destination = "/a", .options = {"remount", "ro"}}, 2, s.path());
  CHECK(way(v, "/a/y") == "/a/y");
}
