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
  CHECK(text(entry("tmpfs", {"idmap"})) == "id-mapped mounts are only supported for bind-mounts");
  CHECK(text(entry("tmpfs", {"src-nofollow"})) == "src-nofollow is only supported for bind-mounts");
  CHECK(text(entry("tmpfs", {"copy-symlink"})) == "copy-symlink is only supported for bind-mounts");
  CHECK(text(entry("bind", {"tmpcopyup"})) == "tmpcopyup is only supported for tmpfs");
  CHECK(text(entry("tmpfs", {"bind", "tmpcopyup"})) == "tmpcopyup is only supported for tmpfs");
  CHECK(text(entry("bind", {"remount", "idmap"})).starts_with("remount cannot be combined with "));
  CHECK(text(entry("bind", {"idmap=uids=0-1-2"})) == "id-mapped mounts must have both uid and gid mappings specified");
  for (const auto* odd : {"idmap=uids=0-1", "idmap=uids=0-1-0;gids=0-1-1", "idmap=uids=0-1-1x;gids=0-1-1", "idmap=0-1-1",
                          "idmap=uids=0-1-4294967296;gids=0-1-1", "ridmap=pids=0-1-1"})
    CHECK(text(entry("bind", {odd})).starts_with("invalid id mapping "));
}

TEST_CASE("options: maps of the entry count before those of the word") {
  auto m = entry("bind", {"idmap=uids=0-1-2#@5-6-7;gids=0-3-4"});
  const auto by_word = plan_for(m);
  REQUIRE(by_word);
  CHECK(by_word->ids == mounts::id_map{.wanted = true,
                                       .uids = {{.from = 0, .to = 1, .size = 2}, {.from = 5, .to = 6, .size = 7, .relative = true}},
                                       .gids = {{.from = 0, .to = 3, .size = 4}}});
  m.uid_mappings = m.gid_mappings = {{.container_id = 8, .host_id = 9, .size = 10}};
  const auto by_entry = plan_for(m);
  REQUIRE(by_entry);
  CHECK(by_entry->ids.uids == std::vector<mounts::id_range>{{.from = 8, .to = 9, .size = 10}});
  m.gid_mappings.clear();
  CHECK_FALSE(plan_for(m));
}

namespace {
/// What a word makes of the plan of a bind mount, or of a new file system where a bind cannot show it.
struct word_row {
  const char* word;
  void (*change)(plan&);
};

template <std::uint64_t Bit> void set(plan& p) { p.self.set |= Bit; }
template <std::uint64_t Bit> void clear(plan& p) { p.self.clear |= Bit; }
template <std::uint64_t Bit> void below(plan& p) { p.below.set |= Bit; }
template <std::uint64_t Bit> void clear_below(plan& p) { p.below.clear |= Bit; }
template <std::uint64_t Value> void atime(plan& p) { p.self.set |= Value, p.self.clear |= MOUNT_ATTR__ATIME; }
template <std::uint64_t Value> void atime_below(plan& p) { p.below.set |= Value, p.below.clear |= MOUNT_ATTR__ATIME; }
template <std::uint64_t Flag> void propagation(plan& p) { p.self.propagation = Flag; }
template <std::uint64_t Flag> void propagation_below(plan& p) { p.self.propagation = 0, p.below.propagation = Flag; }
void nothing(plan&) {}

constexpr word_row rows_of_binds[] = {
    {"defaults", nothing},
    {"ro", [](plan& p) { p.self.set |= MOUNT_ATTR_RDONLY, p.read_only = true; }},
    {"rw", clear<MOUNT_ATTR_RDONLY>},
    {"nosuid", set<MOUNT_ATTR_NOSUID>},
    {"suid", clear<MOUNT_ATTR_NOSUID>},
    {"nodev", set<MOUNT_ATTR_NODEV>},
    {"dev", clear<MOUNT_ATTR_NODEV>},
    {"noexec", set<MOUNT_ATTR_NOEXEC>},
    {"exec", clear<MOUNT_ATTR_NOEXEC>},
    {"nodiratime", set<MOUNT_ATTR_NODIRATIME>},
    {"diratime", clear<MOUNT_ATTR_NODIRATIME>},
    {"nosymfollow", set<MOUNT_ATTR_NOSYMFOLLOW>},
    {"symfollow", clear<MOUNT_ATTR_NOSYMFOLLOW>},
    {"noatime", atime<MOUNT_ATTR_NOATIME>},
    {"atime", atime<MOUNT_ATTR_RELATIME>},
    {"relatime", atime<MOUNT_ATTR_RELATIME>},
    {"norelatime", nothing},  // what else there should be it does not say
    {"strictatime", atime<MOUNT_ATTR_STRICTATIME>},
    {"nostrictatime", atime<MOUNT_ATTR_RELATIME>},
    // of the superblock, which a bind mount shares with its source
    {"sync", nothing}, {"async", nothing}, {"dirsync", nothing}, {"lazytime", nothing}, {"nolazytime", nothing},
    {"mand", nothing}, {"nomand", nothing}, {"iversion", nothing}, {"noiversion", nothing}, {"silent", nothing}, {"loud", nothing},
    {"bind", nothing},
    {"rbind", [](plan& p) { p.recursive = true, p.self.propagation = 0, p.below.propagation = MS_PRIVATE; }},
    {"remount", [](plan& p) { p.remount = true, p.self.propagation = 0; }},
    {"private", propagation<MS_PRIVATE>},
    {"slave", propagation<MS_SLAVE>},
    {"shared", propagation<MS_SHARED>},
    {"unbindable", propagation<MS_UNBINDABLE>},
    {"rprivate", propagation_below<MS_PRIVATE>},
    {"rslave", propagation_below<MS_SLAVE>},
    {"rshared", propagation_below<MS_SHARED>},
    {"runbindable", propagation_below<MS_UNBINDABLE>},
    {"rro", below<MOUNT_ATTR_RDONLY>},
    {"rrw", clear_below<MOUNT_ATTR_RDONLY>},
    {"rnosuid", below<MOUNT_ATTR_NOSUID>},
    {"rsuid", clear_below<MOUNT_ATTR_NOSUID>},
    {"rnodev", below<MOUNT_ATTR_NODEV>},
    {"rdev", clear_below<MOUNT_ATTR_NODEV>},
    {"rnoexec", below<MOUNT_ATTR_NOEXEC>},
    {"rexec", clear_below<MOUNT_ATTR_NOEXEC>},
    {"rnodiratime", below<MOUNT_ATTR_NODIRATIME>},
    {"rdiratime", clear_below<MOUNT_ATTR_NODIRATIME>},
    {"rnosymfollow", below<MOUNT_ATTR_NOSYMFOLLOW>},
    {"rsymfollow", clear_below<MOUNT_ATTR_NOSYMFOLLOW>},
    {"rnoatime", atime_below<MOUNT_ATTR_NOATIME>},
    {"ratime", atime_below<MOUNT_ATTR_RELATIME>},
    {"rrelatime", atime_below<MOUNT_ATTR_RELATIME>},
    {"rnorelatime", nothing},
    {"rstrictatime", atime_below<MOUNT_ATTR_STRICTATIME>},
    {"rnostrictatime", atime_below<MOUNT_ATTR_RELATIME>},
    {"idmap", [](plan& p) { p.ids.wanted = true; }},
    {"ridmap", [](plan& p) { p.ids.wanted = p.ids.recursive = true; }},
    {"copy-symlink", [](plan& p) { p.copy_symlink = true; }},
    {"src-nofollow", [](plan& p) { p.source_nofollow = true; }},
    {"dest-nofollow", [](plan& p) { p.target_nofollow = true; }},
    // crun's
    {"rsync", nothing}, {"rasync", nothing}, {"rdirsync", nothing}, {"rmand", nothing}, {"rnomand", nothing},
};

constexpr word_row rows_of_new[] = {
    {"sync", [](plan& p) { p.data = {"sync"}; }},
    {"rsync", [](plan& p) { p.data = {"sync"}; }},
    {"async", nothing},
    {"rasync", nothing},
    {"dirsync", [](plan& p) { p.data = {"dirsync"}; }},
    {"rdirsync", [](plan& p) { p.data = {"dirsync"}; }},
    {"lazytime", [](plan& p) { p.data = {"lazytime"}; }},
    {"nolazytime", nothing},
    {"tmpcopyup", [](plan& p) { p.copy_up = true; }},
    {"ro", [](plan& p) { p.read_only = p.read_only_later = true; }},
    {"rro", [](plan& p) { p.read_only = p.read_only_later = true; }},
    {"dest-nofollow", [](plan& p) { p.target_nofollow = true; }},
    {"size=1m", [](plan& p) { p.data = {"size=1m"}; }},
    {"newword", [](plan& p) { p.data = {"newword"}; }},
};
}  // namespace

TEST_CASE("options: every word does what it says and nothing else") {
  for (const auto& row : rows_of_binds) {
    CAPTURE(row.word);
    plan wanted{.destination = "/data", .bind = true, .self = {.propagation = MS_PRIVATE}};
    row.change(wanted);
    CHECK(read("none", {"bind", row.word}) == wanted);
  }
  for (const auto& row : rows_of_new) {
    CAPTURE(row.word);
    plan wanted{.destination = "/data"};
    row.change(wanted);
    CHECK(read("tmpfs", {row.word}) == wanted);
  }
}

TEST_CASE("options: a bind drops switches of the superblock") { CHECK(read("bind", {"sync", "lazytime"}).data.empty()); }

TEST_CASE("options: an option belongs to its key only") {
  CHECK(mounts::names("mode=755", "mode"));
  CHECK_FALSE(mounts::names("modex=755", "mode"));
  CHECK_FALSE(mounts::names("mode", "mode"));
}
