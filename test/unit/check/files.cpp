#include <ocitk/check/files.hpp>

#include "scratch.hpp"

#include <string>
#include <vector>

using namespace ocitk;

namespace {

/// "pointer: message" of every finding, with the bundle's path as B.
auto told(const spec::config& c, const scratch& s, bool makes_nodes = true) -> std::vector<std::string> {
  std::vector<std::string> all;
  for (const auto& f : check::file_findings(c, s.path(), makes_nodes)) {
    CHECK_FALSE(f.needs.empty());
    auto text = f.pointer + ": " + f.message;
    for (auto at = text.find(s.path()); at != text.npos; at = text.find(s.path())) text.replace(at, s.path().size(), "B");
    all.push_back(std::move(text));
  }
  return all;
}
using list = std::vector<std::string>;

auto with_root(std::string path = "root") -> spec::config { return {.root = spec::root{.path = std::move(path)}}; }

}  // namespace

TEST_CASE("files: the root is a directory, not a link to one") {
  const scratch s;
  s.dir("root");
  s.file("file");
  s.link("link", "root");
  CHECK(told(with_root(), s).empty());
  CHECK(told(with_root(s.in("root")), s).empty());
  CHECK(told(with_root("none"), s) == list{"/root/path: B/none: no such file or directory"});
  CHECK(told(with_root("link"), s) == list{"/root/path: B/link is a symbolic link"});
  CHECK(told(with_root("file"), s) == list{"/root/path: B/file is no directory"});
}

TEST_CASE("files: sources of bind mounts, and what they would go onto") {
  const scratch s;
  s.dir("root/dir");
  s.file("root/file");
  s.dir("src");
  s.file("srcfile");
  auto c = with_root();
  const auto add = [&](std::string source, std::string destination) {
    c.mounts.push_back({.destination = std::move(destination), .type = "bind", .source = std::move(source)});
  };
  add("src", "/dir");
  add("srcfile", "/file");
  add("src", "/made/anew");
  CHECK(told(c, s).empty());
  c.mounts = {{.destination = "/file", .type = "tmpfs"}};
  CHECK(told(c, s) == list{"/mounts/0/destination: /file is no directory, what goes there is one"});
  c.mounts.clear();
  add("none", "/dir");
  add("srcfile", "/");
  add("src", "/file");
  add("srcfile", "/dir/../dir");
  CHECK(told(c, s) == list{"/mounts/0/source: B/none: no such file or directory",
                           "/mounts/1/destination: / is a directory, what goes there is none",
                           "/mounts/2/destination: /file is no directory, what goes there is one"});
}

TEST_CASE("files: namespaces to join are of their kind") {
  const scratch s;
  s.dir("root");
  s.file("file");
  auto c = with_root();
  c.linux.namespaces = {{.type = "uts", .path = "/proc/self/ns/uts"}, {.type = "network", .path = "/proc/self/ns/net"},
                        {.type = "pid"}};
  CHECK(told(c, s).empty());
  c.linux.namespaces = {{.type = "uts", .path = "/proc/self/ns/net"}, {.type = "ipc", .path = s.in("none")},
                        {.type = "mount", .path = s.in("file")}};
  CHECK(told(c, s) == list{"/linux/namespaces/0/path: /proc/self/ns/net is no uts namespace",
                           "/linux/namespaces/1/path: B/none: no such file or directory",
                           "/linux/namespaces/2/path: B/file is no mount namespace"});
}

TEST_CASE("files: hooks of the host, and the one that is the container's") {
  const scratch s;
  s.file("root/inside", "x", 0755);
  s.file("good", "#!/bin/sh\n", 0755);
  s.file("bad", "", 0644);
  auto c = with_root();
  c.hooks.prestart = {{.path = s.in("good")}, {.path = s.in("bad")}};
  c.hooks.poststop = {{.path = s.in("none")}, {.path = s.path()}};
  c.hooks.start_container = {{.path = "/inside"}, {.path = s.in("good")}};
  CHECK(told(c, s) == list{"/hooks/prestart/1/path: B/bad is not executable",
                           "/hooks/startContainer/1/path: B/good in the root file system: no such file or directory",
                           "/hooks/poststop/0/path: B/none: no such file or directory",
                           "/hooks/poststop/1/path: B is a directory"});
}

TEST_CASE("files: device nodes that have to be bound are there") {
  const scratch s;
  s.dir("root");
  auto c = with_root();
  c.linux.devices = {{.type = "c", .path = "/dev/null", .major = 1, .minor = 3},
                     {.type = "c", .path = "/dev/zero", .major = 1, .minor = 3},
                     {.type = "c", .path = "/dev/no-such", .major = 1, .minor = 3},
                     {.type = "p", .path = "/dev/pipe"}};
  CHECK(told(c, s).empty());
  const list bound{"/linux/devices/1: /dev/zero of the host is another device",
                   "/linux/devices/2: /dev/no-such: no such file or directory"};
  CHECK(told(c, s, false) == bound);
  c.linux.namespaces = {{.type = "user"}};
  CHECK(told(c, s) == bound);
}

TEST_CASE("files: a working directory that is missing is a warning") {
  const scratch s;
  s.dir("root/there");
  auto c = with_root();
  c.process = spec::process{.cwd = "/there"};
  CHECK(told(c, s).empty());
  c.process->cwd = "/missing";
  const auto all = check::file_findings(c, s.path(), true);
  REQUIRE(all.size() == 1);
  CHECK(all[0].how == check::severity::warning);
  CHECK(all[0].pointer == "/process/cwd");
}
