#include <ocitk/mounts/target.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

using namespace ocitk;
using mounts::place;

namespace {

/// A directory that goes with the test: a root without a container.
class scratch {
 public:
  scratch() {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
    root_ = unique_fd{::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    REQUIRE(root_);
  }
  scratch(const scratch&) = delete;
  auto operator=(const scratch&) -> scratch& = delete;
  ~scratch() {
    for (const auto* name : {"x/deep/er", "x/deep", "x", "etc/y", "etc", "link", "rel", "file", "loop"})
      if (::unlinkat(root_.get(), name, 0) != 0) (void)::unlinkat(root_.get(), name, AT_REMOVEDIR);  // not all were made
    (void)::rmdir(path_.c_str());
  }
  [[nodiscard]] auto root() const -> const unique_fd& { return root_; }
  auto link(const char* name, const char* to) const -> void { REQUIRE(::symlinkat(to, root_.get(), name) == 0); }

 private:
  std::string path_ = "/tmp/ocitk-target-XXXXXX";
  unique_fd root_{};
};

}  // namespace

TEST_CASE("target: a path without links is judged by its words") {
  CHECK(mounts::place_of("/") == place::root);
  CHECK(mounts::place_of("/proc") == place::proc);
  CHECK(mounts::place_of("/proc/uptime") == place::proc_file);
  CHECK(mounts::place_of("/proc/sys/kernel/ns_last_pid") == place::proc_file);
  CHECK(mounts::place_of("/proc/sys") == place::below_proc);
  CHECK(mounts::place_of("/proc/uptime/x") == place::below_proc);
  CHECK(mounts::place_of("/process") == place::elsewhere);
  CHECK(mounts::place_of("/data/proc") == place::elsewhere);
}

TEST_CASE("target: what is missing is made, and known to be new") {
  const scratch s;
  const auto made = mounts::open_target(s.root(), "/x/deep/er", sys::target_kind::directory);
  REQUIRE(made);
  CHECK_FALSE(made->existed);
  CHECK(made->straight);
  const auto again = mounts::open_target(s.root(), "/x/deep/er", sys::target_kind::directory);
  REQUIRE(again);
  CHECK(again->existed);
  const auto file = mounts::open_target(s.root(), "/file", sys::target_kind::file);
  REQUIRE(file);
  CHECK(S_ISREG(sys::status_of(file->fd)->st_mode));
}

TEST_CASE("target: a dangling link is made whole below the root, however it points") {
  const scratch s;
  s.link("link", "/etc/y");
  s.link("rel", "../../../../../../etc/y");
  const auto made = mounts::open_target(s.root(), "/link", sys::target_kind::directory);
  REQUIRE(made);
  CHECK_FALSE(made->straight);
  CHECK_FALSE(made->existed);
  struct stat inside{};
  REQUIRE(::fstatat(s.root().get(), "etc/y", &inside, AT_SYMLINK_NOFOLLOW) == 0);
  CHECK(sys::same_file(inside, *sys::status_of(made->fd)));
  const auto relative = mounts::open_target(s.root(), "/rel", sys::target_kind::directory);
  REQUIRE(relative);
  CHECK(relative->existed);
  CHECK(sys::same_file(inside, *sys::status_of(relative->fd)));
}

TEST_CASE("target: a link that leads to itself is an error") {
  const scratch s;
  s.link("loop", "loop");
  const auto t = mounts::open_target(s.root(), "/loop", sys::target_kind::directory);
  REQUIRE_FALSE(t);
  CHECK(t.error().code == ELOOP);
}

TEST_CASE("target: a link at the end can be the mountpoint itself") {
  const scratch s;
  s.link("link", "/etc");
  const auto itself = mounts::open_target(s.root(), "/link", sys::target_kind::directory, true);
  REQUIRE(itself);
  CHECK(S_ISLNK(sys::status_of(itself->fd)->st_mode));
  CHECK(itself->existed);
  s.link("rel", "x");
  REQUIRE(mounts::open_target(s.root(), "/rel/deep", sys::target_kind::directory, true));  // links above it are followed
  const auto made = sys::open_in_root(s.root(), "/x/deep");
  CHECK(made);
  const auto missing = mounts::open_target(s.root(), "/file", sys::target_kind::file, true);
  REQUIRE(missing);
  CHECK_FALSE(missing->existed);
}

TEST_CASE("target: a link to the root is the root, whatever it is called") {
  const scratch s;
  s.link("link", "/");
  const auto t = mounts::open_target(s.root(), "/link", sys::target_kind::directory);
  REQUIRE(t);
  const auto checked = mounts::check_place(s.root(), "/link", *t, t->fd);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().detail.starts_with("mounting on / "));
}

TEST_CASE("target: a path with `..` is judged by where it leads") {
  const scratch s;
  const mounts::target up{.fd = std::move(*sys::open_in_root(s.root(), "/.."))};
  CHECK_FALSE(mounts::check_place(s.root(), "/..", up, up.fd));
}

TEST_CASE("target: only a procfs may cover /proc") {
  const scratch s;
  const mounts::target proc{.fd = std::move(*sys::open_in_root(s.root(), "/"))};
  const auto refused = mounts::check_place(s.root(), "/proc", proc, s.root());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail == "\"/proc\" cannot be mounted because it is not of type proc");
  const auto inside = mounts::check_place(s.root(), "/proc/sys", proc, s.root());
  REQUIRE_FALSE(inside);
  CHECK(inside.error().detail == "\"/proc/sys\" cannot be mounted because it is inside /proc");
  const auto host = sys::open_at(fd_ref::cwd(), "/proc", O_PATH | O_DIRECTORY);
  REQUIRE(host);
  CHECK(mounts::check_place(s.root(), "/proc", proc, *host));
  const auto part = sys::open_at(fd_ref::cwd(), "/proc/sys", O_PATH | O_DIRECTORY);
  REQUIRE(part);
  CHECK_FALSE(mounts::check_place(s.root(), "/proc", proc, *part));
}
