#include <ocitk/watch/model.hpp>

#include "../../support/scratch.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace ocitk;

namespace {

constexpr std::uint64_t in_root = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

/// A model whose container has the scratch directory as its root; `root` is the descriptor of it.
struct container {
  support::scratch files{};
  watch::model machine{};
  int root = -1;

  auto enter() -> void {
    root = static_cast<int>(machine.open_tree(AT_FDCWD, files.path().c_str(), OPEN_TREE_CLONE));
    REQUIRE(root >= 0);
    REQUIRE(machine.move_mount(root, AT_FDCWD, "/") == 0);
  }
  auto open(const char* path, std::uint64_t flags = O_PATH, std::uint64_t resolve = in_root) -> long { return machine.open(root, path, flags, resolve); }
  auto mode_of(const char* path, int flags = 0) -> mode_t {
    struct stat info{};
    const long fd = open(path, O_PATH | ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0));
    REQUIRE(fd >= 0);
    REQUIRE(machine.stat(static_cast<int>(fd), "", AT_EMPTY_PATH, info) == 0);
    return info.st_mode;
  }
  auto mount(const char* type, const char* path) -> int {
    const long fs = machine.fsopen(type);
    const long mount = machine.fsmount(static_cast<int>(fs));
    const long target = open(path);
    REQUIRE(target >= 0);
    REQUIRE(machine.move_mount(static_cast<int>(mount), static_cast<int>(target), "") == 0);
    return static_cast<int>(mount);
  }
  auto filesystem_of(const char* path) -> long {
    struct statfs fs{};
    const long fd = open(path);
    REQUIRE(fd >= 0);
    REQUIRE(machine.statfs(static_cast<int>(fd), fs) == 0);
    return static_cast<long>(fs.f_type);
  }
  auto link_of(int dir, const char* path) -> std::string {
    std::array<char, 100> text{};
    const long n = machine.readlink(dir, path, text.data(), text.size());
    return n < 0 ? "error " + std::to_string(-n) : std::string{text.data(), static_cast<std::size_t>(n)};
  }
};

auto text_of(const std::string& path) -> std::string {
  const unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::string text(100, '\0');
  const auto n = ::read(file.get(), text.data(), text.size());
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

}  // namespace

TEST_CASE("model: real files are found and read, and never written to") {
  container c;
  const auto path = c.files.file("/file", "before", 0644);
  std::array<char, 10> text{};
  const long reading = c.machine.open(AT_FDCWD, path.c_str(), O_RDONLY, 0);
  REQUIRE(reading >= 0);
  CHECK(c.machine.read(static_cast<int>(reading), text.data(), text.size()) == 6);
  for (const std::uint64_t how : {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_CREAT}) {
    const long writing = c.machine.open(AT_FDCWD, path.c_str(), how, 0);
    REQUIRE(writing >= 0);
    CHECK(c.machine.write(static_cast<int>(writing), "after", 5) == 5);
    CHECK(::write(static_cast<int>(writing), "after", 5) == -1);
  }
  CHECK(text_of(path) == "before");
  CHECK(c.machine.open(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0) == -EEXIST);
  CHECK(c.machine.open(AT_FDCWD, c.files.path("/none").c_str(), O_RDONLY, 0) == -ENOENT);
  CHECK(c.machine.open(AT_FDCWD, c.files.path("/file/x").c_str(), O_RDONLY, 0) == -ENOTDIR);
}

TEST_CASE("model: a directory it knows nothing of gives nothing to write to either") {
  container c;
  const auto path = c.files.file("/file", "before", 0644);
  const unique_fd dir{::open(c.files.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  for (const std::uint64_t how : {O_WRONLY, O_RDWR | O_TRUNC, O_WRONLY | O_CREAT}) {
    const long fd = c.machine.open(dir.get(), "file", how, 0);
    REQUIRE(fd >= 0);
    CHECK(::write(static_cast<int>(fd), "after", 5) == -1);
    ::close(static_cast<int>(fd));
  }
  CHECK(text_of(path) == "before");
}

TEST_CASE("model: what is made is there, once, for the model alone") {
  container c;
  const auto top = c.files.path();
  const auto path = c.files.path("/made");
  struct stat info{};
  CHECK(c.machine.stat(AT_FDCWD, path.c_str(), 0, info) == -ENOENT);
  CHECK(c.machine.make(AT_FDCWD, path.c_str(), S_IFDIR | 0711, 0) == 0);
  CHECK(c.machine.make(AT_FDCWD, path.c_str(), S_IFDIR | 0711, 0) == -EEXIST);
  CHECK(c.machine.stat(AT_FDCWD, path.c_str(), 0, info) == 0);
  CHECK(info.st_mode == (S_IFDIR | 0711));
  CHECK(c.machine.make(AT_FDCWD, (path + "/node").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0);
  CHECK(c.machine.stat(AT_FDCWD, (path + "/node").c_str(), 0, info) == 0);
  CHECK(S_ISCHR(info.st_mode));
  CHECK(info.st_rdev == makedev(1, 3));
  CHECK(c.machine.make(AT_FDCWD, (path + "/node/x").c_str(), S_IFDIR, 0) == -ENOTDIR);
  CHECK(c.machine.make(AT_FDCWD, (path + "/none/x").c_str(), S_IFDIR, 0) == -ENOENT);
  CHECK(c.machine.access(AT_FDCWD, path.c_str(), F_OK, 0) == 0);
  CHECK(c.machine.open(AT_FDCWD, (path + "/node").c_str(), O_PATH | O_DIRECTORY, 0) == -ENOTDIR);
  CHECK(::access(path.c_str(), F_OK) == -1);
}

TEST_CASE("model: what is removed or renamed is gone, what is real stays") {
  container c;
  const auto real = c.files.file("/real", "text");
  CHECK(c.machine.remove(AT_FDCWD, real.c_str()) == 0);
  CHECK(c.machine.open(AT_FDCWD, real.c_str(), O_PATH, 0) == -ENOENT);
  CHECK(c.machine.remove(AT_FDCWD, real.c_str()) == -ENOENT);
  CHECK(text_of(real) == "text");
  CHECK(c.machine.make(AT_FDCWD, real.c_str(), S_IFREG | 0600, 0) == 0);  // again
  CHECK(c.machine.open(AT_FDCWD, real.c_str(), O_PATH, 0) >= 0);
  const auto from = c.files.path("/from"), to = c.files.path("/to");
  CHECK(c.machine.open(AT_FDCWD, from.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0) >= 0);
  CHECK(c.machine.rename(AT_FDCWD, from.c_str(), to.c_str()) == 0);
  CHECK(c.machine.open(AT_FDCWD, from.c_str(), O_PATH, 0) == -ENOENT);
  CHECK(c.machine.open(AT_FDCWD, to.c_str(), O_PATH, 0) >= 0);
}

TEST_CASE("model: a mount covers what was there, and only that") {
  container c;
  c.files.directory("/etc");
  c.files.file("/etc/passwd", "root");
  c.files.directory("/other");
  c.enter();
  CHECK(c.open("/etc/passwd") >= 0);
  CHECK(c.open("/etc/passwd", O_PATH | O_DIRECTORY) == -ENOTDIR);
  c.mount("tmpfs", "/etc");
  CHECK(c.open("/etc/passwd") == -ENOENT);
  CHECK(c.filesystem_of("/etc") == TMPFS_MAGIC);
  CHECK(c.open("/other") >= 0);
  const long etc = c.open("/etc");
  CHECK(c.machine.make(static_cast<int>(etc), "new", S_IFDIR | 0755, 0) == 0);
  CHECK(S_ISDIR(c.mode_of("/etc/new")));
  CHECK(c.filesystem_of("/etc/new") == TMPFS_MAGIC);
  c.mount("tmpfs", "/etc");  // once more over it: what was made below is covered too
  CHECK(c.open("/etc/new") == -ENOENT);
}

TEST_CASE("model: the kernel's own file systems show what the host's do") {
  container c;
  c.files.directory("/proc");
  c.enter();
  CHECK(c.open("/proc/meminfo") == -ENOENT);
  c.mount("proc", "/proc");
  CHECK(S_ISREG(c.mode_of("/proc/meminfo")));
  CHECK(S_ISDIR(c.mode_of("/proc/sys")));
  CHECK(c.open("/proc/no-such-thing") == -ENOENT);
  CHECK(c.filesystem_of("/proc/sys") == PROC_SUPER_MAGIC);
}

TEST_CASE("model: a new devpts has a ptmx") {
  container c;
  c.files.directory("/pts");
  c.enter();
  const int devpts = c.mount("devpts", "/pts");
  struct stat info{};
  const long ptmx = c.machine.open(devpts, "ptmx", O_RDWR, RESOLVE_BENEATH);
  REQUIRE(ptmx >= 0);
  CHECK(c.machine.stat(static_cast<int>(ptmx), "", AT_EMPTY_PATH, info) == 0);
  CHECK(info.st_rdev == makedev(5, 2));
  CHECK(c.filesystem_of("/pts") == DEVPTS_SUPER_MAGIC);
}

TEST_CASE("model: links of the rootfs stay below it, and lead into mounts") {
  container c;
  c.files.directory("/dev");
  c.files.directory("/etc");
  c.files.link("/up", "../../../../etc");
  c.files.link("/abs", "/etc");
  c.files.link("/to-shm", "/dev/shm");
  c.files.link("/dangling", "/no/such");
  c.files.link("/a", "b");
  c.files.link("/b", "a");
  c.enter();
  CHECK(S_ISDIR(c.mode_of("/up")));
  CHECK(S_ISDIR(c.mode_of("/abs")));
  CHECK(S_ISLNK(c.mode_of("/up", AT_SYMLINK_NOFOLLOW)));
  CHECK(c.open("/up", O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS) == -ELOOP);
  CHECK(c.open("/dangling") == -ENOENT);
  CHECK(c.open("/a") == -ELOOP);
  CHECK(c.link_of(c.root, "up") == "../../../../etc");
  CHECK(c.link_of(c.root, "etc") == "error 22");
  CHECK(c.link_of(c.root, "none") == "error 2");
  CHECK(c.open("/to-shm") == -ENOENT);
  c.mount("tmpfs", "/dev");
  const long dev = c.open("/dev");
  CHECK(c.machine.make(static_cast<int>(dev), "shm", S_IFDIR | 0755, 0) == 0);
  CHECK(c.filesystem_of("/to-shm") == TMPFS_MAGIC);
  c.mount("mqueue", "/to-shm");
  const long shm = c.open("/dev/shm");
  CHECK(c.machine.make(static_cast<int>(shm), "deep", S_IFDIR | 0755, 0) == 0);
  CHECK(S_ISDIR(c.mode_of("/to-shm/deep")));
  CHECK(c.open("/to-shm/none") == -ENOENT);
}

TEST_CASE("model: links it made are links") {
  container c;
  c.files.directory("/dev");
  c.files.directory("/etc");
  c.enter();
  c.mount("tmpfs", "/dev");
  const auto dev = static_cast<int>(c.open("/dev"));
  CHECK(c.machine.symlink("null", dev, "other") == 0);
  CHECK(c.machine.symlink("/etc", dev, "etc") == 0);
  CHECK(c.machine.symlink("two", dev, "one") == 0);
  CHECK(c.machine.symlink("one", dev, "two") == 0);
  CHECK(c.machine.symlink("x", dev, "one") == -EEXIST);
  CHECK(c.machine.make(dev, "null", S_IFCHR | 0666, makedev(1, 3)) == 0);
  CHECK(c.link_of(dev, "other") == "null");
  CHECK(S_ISLNK(c.mode_of("/dev/other", AT_SYMLINK_NOFOLLOW)));
  CHECK(S_ISCHR(c.mode_of("/dev/other")));
  CHECK(S_ISDIR(c.mode_of("/dev/etc")));
  CHECK(c.open("/dev/one") == -ELOOP);
  CHECK(c.open("/dev/other", O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS) == -ELOOP);
  c.files.file("/etc/hosts", "x");
  CHECK(S_ISREG(c.mode_of("/dev/etc/hosts")));  // through it, back to real files
}

TEST_CASE("model: a file can be a mountpoint") {
  container c;
  const auto source = c.files.file("/source", "text", 0644);
  c.enter();
  CHECK(c.machine.make(c.root, "target", S_IFREG | 0644, 0) == 0);
  const auto tree = static_cast<int>(c.machine.open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE));
  CHECK(c.machine.move_mount(tree, static_cast<int>(c.open("/target")), "") == 0);
  CHECK(S_ISREG(c.mode_of("/target")));
  CHECK(c.open("/target", O_PATH | O_DIRECTORY) == -ENOTDIR);
  CHECK(c.open("/target/x") == -ENOTDIR);
  const long fd = c.open("/target", O_RDONLY);
  REQUIRE(fd >= 0);
  std::array<char, 10> text{};
  CHECK(c.machine.read(static_cast<int>(fd), text.data(), text.size()) == 4);
}

TEST_CASE("model: after the pivot every path is the container's") {
  container c;
  c.files.directory("/only-here");
  c.enter();
  CHECK(c.machine.chdir(c.root, "") == 0);
  CHECK(c.machine.change_root() == 0);
  std::array<char, 100> where{};
  CHECK(c.machine.getcwd(where.data(), where.size()) == 2);
  CHECK(std::string_view{where.data()} == "/");
  CHECK(c.machine.getcwd(where.data(), 1) == -ERANGE);
  CHECK(c.machine.open(AT_FDCWD, "/only-here", O_PATH, 0) >= 0);
  CHECK(c.machine.open(AT_FDCWD, c.files.path("/only-here").c_str(), O_PATH, 0) == -ENOENT);
  CHECK(c.machine.chdir(AT_FDCWD, "/only-here") == 0);
  CHECK(c.machine.chdir(AT_FDCWD, "/none") == -ENOENT);
  CHECK(c.machine.getcwd(where.data(), where.size()) == 11);
}

TEST_CASE("model: a cgroup that was made has every file of one") {
  struct stat info{};
  if (::stat("/sys/fs/cgroup", &info) != 0) return;
  watch::model machine;
  const char* made = "/sys/fs/cgroup/ocitk-unit-test";
  REQUIRE(machine.make(AT_FDCWD, made, S_IFDIR | 0755, 0) == 0);
  const auto dir = static_cast<int>(machine.open(AT_FDCWD, made, O_PATH | O_DIRECTORY, 0));
  REQUIRE(dir >= 0);
  const auto procs = static_cast<int>(machine.open(dir, "cgroup.procs", O_WRONLY, 0));
  REQUIRE(procs >= 0);
  CHECK(machine.write(procs, "0", 1) == 1);
  const auto type = static_cast<int>(machine.open(dir, "cgroup.type", O_RDONLY, 0));
  std::array<char, 4> text{};
  CHECK(machine.read(type, text.data(), text.size()) == 4);
  CHECK(std::string_view{text.data(), 4} == "doma");
  CHECK(machine.read(type, text.data(), text.size()) == 3);
  CHECK(machine.read(type, text.data(), text.size()) == 0);
  struct statfs fs{};
  CHECK(machine.statfs(dir, fs) == 0);
  CHECK(fs.f_type == CGROUP2_SUPER_MAGIC);
  CHECK(machine.open(dir, "none/below", O_RDONLY, 0) == -ENOENT);
  CHECK(::stat(made, &info) == -1);
}

TEST_CASE("model: a gate that was made opens at once") {
  container c;
  REQUIRE(c.machine.make(AT_FDCWD, c.files.path("/gate").c_str(), S_IFIFO | 0600, 0) == 0);
  const auto gate = static_cast<int>(c.machine.open(AT_FDCWD, c.files.path("/gate").c_str(), O_RDWR, 0));
  char byte = 0;
  CHECK(c.machine.read(gate, &byte, 1) == 1);
  CHECK(byte == '0');
}

TEST_CASE("model: numbers that copies get stand for the same") {
  container c;
  const auto terminal = static_cast<int>(c.machine.placeholder(terminal_slave));
  CHECK(c.machine.is_terminal(terminal));
  CHECK_FALSE(c.machine.is_terminal(static_cast<int>(c.machine.placeholder("a filter"))));
  constexpr int high = 200;
  CHECK(c.machine.dup2(terminal, high) == high);
  CHECK(c.machine.is_terminal(high));
  CHECK(::fcntl(high, F_GETFD) == -1);  // nothing is there
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  CHECK(c.machine.dup2(ends[1], high) == high);  // a real one is
  CHECK_FALSE(c.machine.is_terminal(high));
  CHECK(c.machine.write(high, "x", 1) == 1);
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 1);
  const auto made = static_cast<int>(c.machine.open(AT_FDCWD, c.files.path("/new").c_str(), O_WRONLY | O_CREAT, 0));
  c.machine.duplicated(made, high);
  CHECK(c.machine.write(high, "lost", 4) == 4);
  c.machine.forget(high);
  CHECK(c.machine.write(high, "y", 1) == 1);
  CHECK(::read(ends[0], &byte, 1) == 1);
  CHECK(byte == 'y');
  for (const int fd : {ends[0], ends[1], high}) ::close(fd);
}
