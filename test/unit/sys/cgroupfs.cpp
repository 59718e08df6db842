#include <ocitk/sys/cgroupfs.hpp>

#include <ocitk/sys/cgroup_tree.hpp>

#include <doctest/doctest.h>

#include <stdlib.h>

#include <string>
#include <vector>

namespace fs = ocitk::sys::cgroupfs;

namespace {

constexpr auto hybrid_mounts = R"(31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct
37 31 0:34 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
38 31 0:35 /docker/x /mnt/other rw - cgroup cgroup rw,memory
39 31 0:35 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
)";
constexpr auto hybrid_self = "9:name=systemd:/a\n4:memory:/b/c\n2:cpu,cpuacct:/\n7:pids:/\n0::/u\n";

constexpr auto v2_mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

/// A scratch directory on an ordinary file system.
struct scratch {
  std::string path = "/tmp/ocitk-cgroupfs-XXXXXX";
  scratch() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~scratch() {
    ::rmdir((path + "/a/b").c_str());
    ::rmdir((path + "/a").c_str());
    ::rmdir(path.c_str());
  }
  scratch(const scratch&) = delete;
  auto operator=(const scratch&) -> scratch& = delete;
  [[nodiscard]] auto open() const -> ocitk::unique_fd {
    return ocitk::unique_fd{::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  }
};

}  // namespace

TEST_CASE("cgroup: a hybrid layout has the v1 hierarchies and the unified one") {
  const auto layout = fs::parse_layout(hybrid_mounts, hybrid_self);
  CHECK_FALSE(layout.pure_v2);
  REQUIRE(layout.hierarchies.size() == 4);  // pids is not mounted
  REQUIRE(layout.find("cpuacct") != nullptr);
  CHECK(layout.find("cpuacct") == layout.find("cpu"));
  CHECK(layout.find("cpu")->mountpoint == "/sys/fs/cgroup/cpu,cpuacct");
  CHECK(layout.find("name=systemd")->own == "/a");
  CHECK(layout.find("pids") == nullptr);
  REQUIRE(layout.unified() != nullptr);
  CHECK(layout.unified()->mountpoint == "/sys/fs/cgroup/unified");
  CHECK(layout.unified()->own == "/u");
}

TEST_CASE("cgroup: a mount of the whole hierarchy is preferred to a mount of a part") {
  const auto layout = fs::parse_layout(hybrid_mounts, hybrid_self);
  CHECK(layout.find("memory")->mountpoint == "/sys/fs/cgroup/memory");
  CHECK(layout.find("memory")->own == "/b/c");
}

TEST_CASE("cgroup: the own path is seen through a mount of a part of the hierarchy") {
  const auto mounts = "38 31 0:35 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
  CHECK(fs::parse_layout(mounts, "4:memory:/docker/x\n").find("memory")->own == "/");
  CHECK(fs::parse_layout(mounts, "4:memory:/docker/x/y\n").find("memory")->own == "/y");
  CHECK(fs::parse_layout(mounts, "4:memory:/docker/xy\n").find("memory")->own == "/docker/xy");
}

TEST_CASE("cgroup: cgroup2 on /sys/fs/cgroup is v2 alone, whatever v1 is mounted elsewhere") {
  const auto more = std::string{v2_mounts} + "50 23 0:40 / /mnt/net_cls rw - cgroup cgroup rw,net_cls\n";
  const auto layout = fs::parse_layout(more, "1:net_cls:/\n0::/user.slice/x.scope\n");
  CHECK(layout.pure_v2);
  REQUIRE(layout.hierarchies.size() == 1);
  CHECK(layout.unified()->own == "/user.slice/x.scope");
}

TEST_CASE("cgroup: v1 without a unified tree") {
  const auto layout = fs::parse_layout("39 31 0:35 / /cg/mem\\040ory rw - cgroup cgroup rw,memory\n", "4:memory:/\n");
  CHECK(layout.unified() == nullptr);
  CHECK(layout.find("memory")->mountpoint == "/cg/mem ory");
}

TEST_CASE("cgroupfs: what a later mount covers is not there") {
  const std::string v1 = "30 20 0:29 / /sys/fs/cgroup rw - tmpfs t rw\n31 30 0:30 / /sys/fs/cgroup/memory rw - cgroup c rw,memory\n";
  const std::string v2 = "40 30 0:31 / /sys/fs/cgroup rw - cgroup2 none rw\n", self = "4:memory:/a\n0::/b\n";
  CHECK(fs::parse_layout(v1, self).find("memory") != nullptr);
  CHECK(fs::parse_layout(v1 + "50 20 0:40 / / rw - ext4 d rw\n", self).find("memory") != nullptr);
  CHECK(fs::parse_layout(v1 + "50 20 0:40 / /sys/fs/cgroup/mem rw - ext4 d rw\n", self).find("memory") != nullptr);
  CHECK(fs::parse_layout(v1 + "50 20 0:40 / /sys/fs/cgroup/memory rw - ext4 d rw\n", self).find("memory") == nullptr);
  const auto layout = fs::parse_layout(v1 + v2, self);
  CHECK(layout.pure_v2);
  CHECK(layout.find("memory") == nullptr);
  REQUIRE(layout.unified() != nullptr);
  CHECK(layout.unified()->own == "/b");
}

TEST_CASE("cgroup: damaged kernel text yields nothing instead of a crash") {
  CHECK(fs::parse_layout("", "").hierarchies.empty());
  CHECK(fs::parse_layout("1 2 - cgroup\n - cgroup2\n31 - cgroup a b\n", "0::/\n::\nx\n1:cpu\n").hierarchies.empty());
}

TEST_CASE("cgroup: missing levels are made one by one and counted") {
  const scratch dir;
  const auto root = dir.open();
  std::vector<std::string> seen;
  const auto note = [&](ocitk::fd_ref, ocitk::fd_ref, fs::level at) -> ocitk::result<> {
    seen.push_back(std::string{at.created ? "new" : "old"} + (at.last ? " last" : ""));
    return {};
  };
  auto first = fs::make_below(root, "a", note);
  REQUIRE(first);
  CHECK(first->created == 1);
  auto second = fs::make_below(root, "a/b", note);
  REQUIRE(second);
  CHECK(second->created == 1);
  CHECK(second->levels == 2);
  auto third = fs::make_below(root, "a/b", note);
  REQUIRE(third);
  CHECK(third->created == 0);
  CHECK(seen == std::vector<std::string>{"new last", "old", "new last", "old", "old last"});
}

TEST_CASE("cgroup: a level that cannot be set up is not left behind") {
  const scratch dir;
  const auto refuse_last = [](ocitk::fd_ref, ocitk::fd_ref, fs::level at) -> ocitk::result<> {
    if (at.last) return ocitk::failure("no");
    return {};
  };
  CHECK(fs::make_below(dir.open(), "a/b", refuse_last).error().detail == "no");
  CHECK(::access((dir.path + "/a").c_str(), F_OK) != 0);
}

TEST_CASE("cgroup: a symbolic link on the way is not followed") {
  const scratch dir;
  REQUIRE(::symlink("/", (dir.path + "/a").c_str()) == 0);
  const auto nothing = [](ocitk::fd_ref, ocitk::fd_ref, fs::level) -> ocitk::result<> { return {}; };
  CHECK_FALSE(fs::make_below(dir.open(), "a/b", nothing));
  ::unlink((dir.path + "/a").c_str());
}

TEST_CASE("cgroup: what is gone has no processes, is not frozen and is removed") {
  const std::vector<std::string> gone{"/sys/fs/cgroup/ocitk-never/was"};
  CHECK(fs::pids(gone)->empty());
  CHECK_FALSE(*fs::frozen(gone));
  CHECK(fs::thaw(gone));
  CHECK(fs::remove(gone));
  CHECK(fs::kill_all(gone));
}

TEST_CASE("cgroup: a directory of another file system is never taken for a cgroup") {
  const scratch dir;
  const std::vector<std::string> not_one{dir.path};
  CHECK(fs::open_dir(dir.path).error().detail == dir.path + " is not a cgroup");
  CHECK_FALSE(fs::pids(not_one));
}
