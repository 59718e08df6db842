#include <ocitk/sys/missing.hpp>

#include <doctest/doctest.h>

#include "../../support/scratch.hpp"

using namespace ocitk;
using support::scratch;

namespace {

/// What open(2) says to the path, and what the walk says; both have to agree.
auto told(const std::string& path) -> std::string {
  const unique_fd fd{::open(path.c_str(), O_PATH | O_CLOEXEC)};
  const int code = fd ? 0 : errno;
  const auto o = sys::find_obstacle(path);
  return o.code == code ? sys::to_string(o) : "open says " + errno_text(code) + ", the walk " + errno_text(o.code);
}

auto told_below(const scratch& s, const std::string& path) -> std::string {
  const auto opened = sys::open_in_root(s.root(), path);
  const int code = opened ? 0 : opened.error().code;
  const auto o = sys::find_obstacle_in_root(s.root(), path);
  return o.code == code ? sys::to_string(o) : "open says " + errno_text(code) + ", the walk " + errno_text(o.code);
}

}  // namespace

TEST_CASE("missing: the first element that is not there, and the last that is") {
  const scratch s;
  s.directory("/a");
  s.file("/a/f", "");
  const auto a = s.path("/a");
  CHECK(told(a + "/x/y/z") == a + "/x is missing; " + a + " is there");
  CHECK(told(a + "/../a/./x") == a + "/x is missing; " + a + " is there");
  CHECK(told(a + "/f").empty());
  CHECK(told("/").empty());
  CHECK(told("/nowhere-at-all/x") == "/nowhere-at-all is missing");
  CHECK(told("") == "the path is empty");
  CHECK(told("nowhere-at-all/x") == "nowhere-at-all is missing");
}

TEST_CASE("missing: a file on the way is no directory") {
  const scratch s;
  const auto f = s.file("/f", "");
  CHECK(told(f + "/x") == f + " is a regular file, no directory");
  CHECK(told(f + "/") == f + " is a regular file, no directory");
  CHECK(told(f + "/..") == f + " is a regular file, no directory");
  REQUIRE(::mkfifo(s.path("/p").c_str(), 0600) == 0);
  CHECK(told(s.path("/p/x")) == s.path("/p") + " is a fifo, no directory");
  const auto o = sys::find_obstacle(f, {.directory = true});
  CHECK(o.code == ENOTDIR);
  CHECK(o.element == f);
}

TEST_CASE("missing: a link that leads nowhere is named with what it says") {
  const scratch s;
  s.directory("/a");
  const auto dangling = s.link("/dangling", "a/gone");
  CHECK(told(dangling) ==
        dangling + " links to a/gone; " + s.path("/a/gone") + " is missing; " + s.path("/a") + " is there");
  s.link("/first", "dangling");
  CHECK(told(s.path("/first")).starts_with(dangling + " links to a/gone; "));
  s.link("/dir", "a");
  CHECK(told(s.path("/dir/x")) ==
        s.path("/dir") + " links to a; " + s.path("/a/x") + " is missing; " + s.path("/a") + " is there");
  s.directory("/a/b");
  CHECK(told(s.path("/dir/b/x")) == s.path("/a/b/x") + " is missing; " + s.path("/a/b") + " is there");
}

TEST_CASE("missing: links in a circle") {
  const scratch s;
  s.link("/one", "two");
  s.link("/two", "one");
  const auto text = told(s.path("/one/x"));
  CHECK(text.find("links to") != text.npos);
  CHECK(text.find("circle") != text.npos);
}

TEST_CASE("missing: as many links as the kernel follows are followed") {
  const scratch s;
  s.file("/l0", "");
  for (int i = 1; i <= 41; ++i) s.link("/l" + std::to_string(i), "l" + std::to_string(i - 1));
  CHECK(told(s.path("/l40")).empty());
  CHECK(told(s.path("/l41")).find("one link too many") != std::string::npos);
  CHECK(told_below(s, "/l40").empty());
  CHECK(told_below(s, "/l41").find("one link too many") != std::string::npos);
}

TEST_CASE("missing: below a root no link leads out") {
  const scratch s;
  s.directory("/etc");
  s.link("/etc/out", "/etc/../../../../usr/bin");
  CHECK(told_below(s, "/etc/out") == "/etc/out links to /etc/../../../../usr/bin; /usr is missing");
  CHECK(told_below(s, "/../../tmp") == "/tmp is missing");
  CHECK(told_below(s, "etc/x") == "/etc/x is missing; /etc is there");
  s.directory("/usr");
  s.directory("/usr/bin");
  CHECK(told_below(s, "/etc/out").empty());
  CHECK(told_below(s, "/etc/out/../x") == "/usr/x is missing; /usr is there");
}

TEST_CASE("missing: magic links of procfs are followed on the host only") {
  CHECK(told("/proc/self/ns/uts").empty());
  CHECK(told("/proc/self/fd/0/x") != "");
  CHECK(told("/proc/self/ns/none")
            .ends_with("/ns/none is missing; /proc/" + std::to_string(::getpid()) + "/ns is there"));
  const unique_fd root{::open("/", O_PATH | O_CLOEXEC)};
  CHECK(sys::find_obstacle_in_root(root, "/proc/self/ns/uts").code == ELOOP);
  CHECK(sys::find_obstacle_in_root(root, "/proc/self/status").code == 0);
}

TEST_CASE("missing: a directory that may not be searched, and by whom") {
  const scratch s;
  s.directory("/shut", 0700);
  s.directory("/shut/in");
  s.file("/secret", "", 0600);
  s.file("/plain", "", 0644);
  if (::geteuid() == 0) {
    const auto shut = s.path("/shut");
    CHECK(support::unprivileged([&] { return told(shut + "/in"); }) ==
          shut + " may not be searched by uid 65534 (mode 0700, owner 0:0)");
    CHECK(support::unprivileged([&] { return told(shut + "/../plain"); }).find("may not be searched") !=
          std::string::npos);
    const auto asked = [&](const char* name, int right) {
      return support::unprivileged([&] { return sys::to_string(sys::find_obstacle(s.path(name), {.access = right})); });
    };
    CHECK(asked("/secret", R_OK).find("may not be read by uid 65534 (mode 0600") != std::string::npos);
    CHECK(asked("/plain", W_OK).find("may not be written by uid 65534 (mode 0644") != std::string::npos);
    CHECK(asked("/plain", R_OK).empty());
    CHECK(asked("/shut", X_OK).find("may not be searched") != std::string::npos);
  } else {
    s.directory("/closed", 0600);
    CHECK(told(s.path("/closed/x")).find("/closed may not be searched by uid ") != std::string::npos);
  }
}

TEST_CASE("missing: a refusal that the mode does not explain is not laid to it") {
  CHECK(sys::detail::denial(S_IFDIR | 0777, ::geteuid(), 0, X_OK)
            .ends_with("but by an ACL or a security module (SELinux, AppArmor)"));
  CHECK(sys::detail::mode_allows(0070, ::geteuid(), ::getegid(), R_OK) == false);  // the owner's bits are the owner's
  CHECK(sys::detail::mode_allows(0040, ::geteuid() + 1, ::getegid(), R_OK));
  CHECK(sys::detail::mode_allows(0004, ::geteuid() + 1, ::getegid(), R_OK) == false);
}

TEST_CASE("missing: nothing is explained by what the call did not return") {
  const sys::obstacle o{.code = ENOENT, .element = "/x", .reached = "/"};
  CHECK(sys::clause_of(o, ENOENT) == "/x is missing");
  CHECK(sys::clause_of(o, EACCES).empty());
  CHECK(sys::to_string(sys::obstacle{}).empty());
}

TEST_CASE("missing: no sentence has the words of an errno") {
  for (const int code : {ENOENT, ENOTDIR, EACCES, ELOOP, EROFS, ENAMETOOLONG, ESTALE}) {
    const auto text = sys::to_string({.code = code, .element = "/a/b", .reached = "/a", .link = "/l", .target = "b"});
    CHECK_FALSE(text.empty());
    for (const int other : {ENOENT, ENOTDIR, EACCES, EPERM, EISDIR, ESRCH})
      CHECK(text.find(errno_text(other)) == text.npos);
    CHECK(text.find("does not exist") == text.npos);
  }
}

TEST_CASE("missing: a name too long") {
  const scratch s;
  const auto text = told(s.path("/" + std::string(300, 'x')));
  CHECK(text.find("longer") != text.npos);
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += "/.";
  CHECK(told(deep).find("longer") != text.npos);
}

TEST_CASE("missing: names of others reach no terminal unchanged") {
  CHECK(sys::printable("plain /text") == "plain /text");
  CHECK(sys::printable("a\nb\x1b[2J\x7f") == "a\\x0ab\\x1b[2J\\x7f");
  CHECK(sys::printable("B\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80") == "B\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(sys::printable("\xc3") == "\\xc3");                    // cut off
  CHECK(sys::printable("\xc0\xaf") == "\\xc0\\xaf");           // overlong
  CHECK(sys::printable("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");  // overlong
  CHECK(sys::printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // a surrogate
  CHECK(sys::printable("\xf5\x80\x80\x80") == "\\xf5\\x80\\x80\\x80");
  CHECK(sys::printable("\xc2\x9b") == "\\xc2\\x9b");  // CSI, as C1 has it
  CHECK(sys::printable("12345678", 4) == "1234...");
  CHECK(sys::printable("\xc3\xbc\xc3\xbc", 3) == "\xc3\xbc...");
}
