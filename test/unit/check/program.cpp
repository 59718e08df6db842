#include <ocitk/check/program.hpp>

#include "scratch.hpp"

#include <string>
#include <vector>

using namespace ocitk;
using check::view;

namespace {

struct rootfs {
  rootfs() {
    s.file("root/bin/script", "#!/bin/static\n", 0755);
    s.file("root/bin/plain", "text", 0644);
    s.file("root/bin/sub/empty", "", 0755);
    // Our own program: of this machine, and with a loader if it is dynamically linked.
    std::filesystem::copy_file("/proc/self/exe", s.in("root/bin/static"));
    const auto own = sys::open_at(fd_ref::cwd(), s.in("root/bin/static"), O_RDONLY);
    REQUIRE(own);
    loader = sys::recognise(*own).interpreter;
    if (!loader.empty()) s.file("root" + loader);
    if (!loader.empty()) std::filesystem::copy_file(loader, s.in("root" + loader), std::filesystem::copy_options::overwrite_existing);
  }
  /// The messages for a command line.
  auto told(spec::strings args, spec::strings env = {"PATH=/none:/bin"}, std::string cwd = "/") const {
    spec::config c{.process = spec::process{.args = std::move(args), .env = std::move(env), .cwd = std::move(cwd)}};
    std::vector<std::string> all;
    for (const auto& f : check::program_findings(c, view{s.open("root")})) {
      CHECK(f.pointer == "/process/args/0");
      all.push_back(f.message);
    }
    return all;
  }
  scratch s;
  std::string loader{};
};
using list = std::vector<std::string>;

}  // namespace

TEST_CASE("program: found by name, by path, from the working directory") {
  const rootfs r;
  CHECK(r.told({"static"}).empty());
  CHECK(r.told({"/bin/static"}).empty());
  CHECK(r.told({"./static"}, {}, "/bin").empty());
  CHECK(r.told({"static"}, {"PATH=bin"}).empty());
  CHECK(r.told({"script"}).empty());
}

TEST_CASE("program: nothing to run") {
  const rootfs r;
  CHECK(r.told({"nosuch"}) == list{"\"nosuch\": not found in /none:/bin"});
  CHECK(r.told({"plain"}) == list{"\"plain\": not found in /none:/bin"});
  CHECK(r.told({"static"}, {}) == list{"\"static\": no PATH in /process/env to look it up"});
  CHECK(r.told({"/nosuch"}) == list{"\"/nosuch\": no such file or directory"});
  CHECK(r.told({"/bin"}) == list{"\"/bin\": is a directory"});
  CHECK(r.told({"/bin/plain"}) == list{"\"/bin/plain\": is not executable"});
}

TEST_CASE("program: interpreters and loaders have to be in the rootfs too") {
  const rootfs r;
  r.s.file("root/bin/bad", "#!/bin/none\n", 0755);
  r.s.file("root/bin/chain", "#!/bin/bad\n", 0755);
  r.s.file("root/bin/nothing", "#!\n", 0755);
  r.s.file("root/bin/dir", "#!/bin\n", 0755);
  CHECK(r.told({"bad"}) == list{"interpreter \"/bin/none\" of /bin/bad is not in the root file system"});
  CHECK(r.told({"chain"}) == list{"interpreter \"/bin/none\" of /bin/bad is not in the root file system"});
  CHECK(r.told({"nothing"}) == list{"interpreter \"\" of /bin/nothing is not in the root file system"});
  CHECK(r.told({"dir"}) == list{"interpreter /bin of /bin/dir is a directory"});
  REQUIRE_FALSE(r.loader.empty());  // the unit tests are linked dynamically
  std::filesystem::remove(r.s.in("root" + r.loader));
  CHECK(r.told({"static"}) == list{"loader \"" + r.loader + "\" of /bin/static is not in the root file system"});
}

TEST_CASE("program: a script that interprets itself comes to an end") {
  const rootfs r;
  r.s.file("root/bin/self", "#!/bin/self\n", 0755);
  CHECK(r.told({"self"}) == list{"/bin/self: too many interpreters in a row"});
}

TEST_CASE("program: no format the kernel knows") {
  const rootfs r;
  CHECK(r.told({"/bin/sub/empty"}) == list{"/bin/sub/empty is neither an ELF program nor a script with #!"});
  std::string other(64, '\0');
  other.replace(0, 6, "\x7f" "ELF\x02\x01");
  other[18] = static_cast<char>(EM_SPARCV9);
  r.s.file("root/bin/other", other, 0755);
  CHECK(r.told({"other"}) == list{"/bin/other is for " + sys::machine_name(43)});
}
