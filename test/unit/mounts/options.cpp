#include <ocitk/mounts/options.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
using mounts::plan;
using mounts::plan_for;

namespace {
auto entry(std::string type, spec::strings options, std::string destination = "/data") -> spec::mount {
  return {.destination = std::move(destination), .type = std::move(type), .source = "src", .options = std::move(options)};
}
auto read(std::string type, spec::strings options, std::string destination = "/data") -> plan {
  const auto p = plan_for(entry(std::move(type), std::move(options), std::move(destination)));
  REQUIRE(p);
  return *p;
}
}  // namespace

TEST_CASE("options: a path is cleaned but `..` is left to the kernel") {
  CHECK(mounts::clean("//dev/./pts/") == "/dev/pts");
  CHECK(mounts::clean("dev") == "/dev");
  CHECK(mounts::clean("") == "/");
  CHECK(mounts::clean("/.") == "/");
  CHECK(mounts::clean("/a/../b") == "/a/../b");
}

TEST_CASE("options: the default /dev of a bundle") {
  const auto p = read("tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}, "/dev");
  CHECK(p.self.set == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME));
  CHECK(p.self.propagation == 0);
  CHECK(p.data == spec::strings{"mode=755", "size=65536k"});
  CHECK_FALSE(p.bind);
  CHECK_FALSE(p.read_only_later);
}

TEST_CASE("options: of a pair the later word counts") {
  CHECK(read("bind", {"ro", "rw"}).self.set == 0);
  CHECK(read("bind", {"ro", "rw"}).self.clear == MOUNT_ATTR_RDONLY);
  CHECK(read("bind", {"rw", "ro"}).self.set == MOUNT_ATTR_RDONLY);
  CHECK(read("bind", {"rw", "ro"}).self.clear == 0);
  CHECK(read("tmpfs", {"sync", "async"}).data.empty());
  CHECK(read("tmpfs", {"async", "sync"}).data == spec::strings{"sync"});
}

TEST_CASE("options: access times are one field, set as a whole") {
  CHECK(read("bind", {"nosuid"}).self.clear == 0);
  CHECK(read("bind", {"noatime"}).self.set == MOUNT_ATTR_NOATIME);
  CHECK(read("bind", {"noatime"}).self.clear == MOUNT_ATTR__ATIME);
  CHECK(read("bind", {"noatime", "strictatime"}).self.set == MOUNT_ATTR_STRICTATIME);
  CHECK(read("bind", {"noatime", "atime"}).self.set == MOUNT_ATTR_RELATIME);
  CHECK(read("bind", {"noatime", "atime"}).self.clear == MOUNT_ATTR__ATIME);
  CHECK(read("bind", {"noatime", "nostrictatime"}).self.set == MOUNT_ATTR_NOATIME);
  CHECK(read("bind", {"relatime", "norelatime"}).self.clear == 0);
}

TEST_CASE("options: a bind is private unless it says otherwise") {
  CHECK(read("bind", {}).self.propagation == MS_PRIVATE);
  CHECK(read("none", {"rbind"}).self.propagation == 0);
  CHECK(read("none", {"rbind"}).below.propagation == MS_PRIVATE);
  CHECK(read("none", {"rbind", "rslave"}).below.propagation == MS_SLAVE);
  CHECK(read("none", {"bind", "shared"}).self.propagation == MS_SHARED);
  CHECK(read("tmpfs", {}).self.propagation == 0);
  CHECK(read("none", {"remount", "bind", "ro"}).self.propagation == 0);
}

TEST_CASE("options: bind by word or by type, with its submounts by word only") {
  CHECK(read("bind", {}).bind);
  CHECK_FALSE(read("bind", {}).recursive);
  CHECK(read("tmpfs", {"rbind"}).bind);
  CHECK(read("bind", {"rbind"}).recursive);
}

TEST_CASE("options: recursive attributes go to the whole tree") {
  const auto p = read("none", {"rbind", "rro", "rnoatime", "nosuid"});
  CHECK(p.below.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME));
  CHECK(p.below.clear == MOUNT_ATTR__ATIME);
  CHECK(p.self.set == MOUNT_ATTR_NOSUID);
}

TEST_CASE("options: what has to be filled becomes read-only later") {
  SUBCASE("a tmpfs") {
    const auto p = read("tmpfs", {"ro", "nodev"});
    CHECK(p.read_only_later);
    CHECK(p.read_only);
    CHECK(p.self.set == MOUNT_ATTR_NODEV);
  }
  SUBCASE("whatever is on /dev") { CHECK(read("bind", {"ro"}, "/dev/").read_only_later); }
  SUBCASE("not another file system") {
    const auto p = read("sysfs", {"ro"}, "/sys");
    CHECK_FALSE(p.read_only_later);
    CHECK(p.self.set == MOUNT_ATTR_RDONLY);
  }
  SUBCASE("not a bind that is called tmpfs") { CHECK_FALSE(read("tmpfs", {"bind", "ro"}).read_only_later); }
}

TEST_CASE("options: other words are the file system's, one by one") {
  CHECK(read("devpts", {"newinstance", "ptmxmode=0666,gid=5"}).data == spec::strings{"newinstance", "ptmxmode=0666", "gid=5"});
  CHECK(read("tmpfs", {"defaults", "silent", "mand", "iversion"}).data.empty());
}

TEST_CASE("options: what cannot be is refused in words") {
  const auto text = [](const spec::mount& m) {
    const auto p = plan_for(m);
    REQUIRE_FALSE(p);
    return p.error().detail;
  };
  CHECK(text(entry("bind", {"size=1m"})) == "bind mounts cannot have any filesystem-specific options applied");
  CHECK(text(entry("tmpfs", {}, "/./")).starts_with("mounting on / "));
  CHECK(text(entry("tmpfs", {std::string("a\0b", 3)})).find("NUL") != std::string::npos);
  for (const auto* word : {"idmap", "ridmap", "idmap=uids=0-1-2", "tmpcopyup"})
    CHECK(text(entry("tmpfs", {word})).ends_with("is not supported"));
}

TEST_CASE("options: a bind drops switches of the superblock") { CHECK(read("bind", {"sync", "lazytime"}).data.empty()); }

TEST_CASE("options: an option belongs to its key only") {
  CHECK(mounts::names("mode=755", "mode"));
  CHECK_FALSE(mounts::names("modex=755", "mode"));
  CHECK_FALSE(mounts::names("mode", "mode"));
}
