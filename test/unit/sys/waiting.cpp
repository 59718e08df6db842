#include <ocitk/sys/waiting.hpp>

#include <doctest/doctest.h>

#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <ctime>
#include <string>
#include <utility>

using namespace ocitk;

namespace {

/// A copy of the test that does one thing for ever.
class busy_child {
 public:
  template <class Work>
  explicit busy_child(Work&& work) {
    auto made = sys::clone_process({});
    REQUIRE(made);
    if (made->pid == 0) {
      (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that fails leaves nobody behind
      std::forward<Work>(work)();
      ::_exit(1);
    }
    child_ = std::move(*made);
  }
  busy_child(const busy_child&) = delete;
  auto operator=(const busy_child&) -> busy_child& = delete;
  ~busy_child() { end(); }
  auto end() -> void {
    if (!child_.pidfd) return;
    (void)sys::send_signal(child_.pidfd, SIGKILL);
    (void)sys::exit_status(child_.pid);
    child_ = {};
  }
  [[nodiscard]] auto pid() const -> int { return child_.pid; }

  /// Looks until the child is in the call, and asleep there.
  [[nodiscard]] auto when_in(std::string_view call) const -> sys::waiting {
    constexpr int patience = 10;  // seconds
    for (const auto end = ::time(nullptr) + patience; ::time(nullptr) < end; ::sched_yield())
      if (auto w = sys::look_at(child_.pid); w && w->call == call && w->stat.state != 'R') return *w;
    return sys::look_at(child_.pid).value_or(sys::waiting{});
  }

 private:
  sys::child child_{};
};

using words = std::vector<std::string>;

}  // namespace

TEST_CASE("waiting: a pipe is named by the descriptor that is read") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const unique_fd out{ends[0]}, in{ends[1]};
  const busy_child child{[&] {
    char byte = 0;
    (void)!::read(out.get(), &byte, 1);
  }};
  const auto w = child.when_in("read");
  const auto pipe = sys::read_link_at(fd_ref::cwd(), filled("/proc/self/fd/{}", out.get()));
  REQUIRE(pipe);
  CHECK(w.call == "read");
  CHECK(w.target == *pipe);
  CHECK(w.args == words{"<" + *pipe + ">"});
  CHECK(w.stat.state == 'S');
  CHECK(w.wchan.contains("pipe"));
  CHECK(w.is_copy());
}

TEST_CASE("waiting: a sleep has no target") {
  const busy_child child{[] {
    const timespec hour{.tv_sec = 3600, .tv_nsec = 0};
    ::syscall(SYS_nanosleep, &hour, nullptr);
  }};
  const auto w = child.when_in("nanosleep");
  CHECK(w.call == "nanosleep");
  CHECK(w.args.empty());
  CHECK(w.target.empty());
}

TEST_CASE("waiting: a path is read from the memory of the process") {
  std::string dir = "/tmp/ocitk-waiting-XXXXXX";
  REQUIRE(::mkdtemp(dir.data()) != nullptr);
  const unique_fd base{::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  // On two pages and the second is the last: a read of a whole path's length must not give up.
  auto* pages = static_cast<char*>(::mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(::munmap(pages + 2 * 4096, 4096) == 0);
  const auto lay = [&](std::string_view text) {
    return std::copy(text.begin(), text.end(), pages + 4096 - text.size() / 2), pages + 4096 - text.size() / 2;
  };
  SUBCASE("absolute") {
    const auto fifo = dir + "/fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const auto* path = lay(fifo);
    const busy_child child{[&] { ::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY); }};
    const auto w = child.when_in("openat");
    CHECK(w.args == words{"\"" + fifo + "\""});
    CHECK(w.target == fifo);
    CHECK(w.mount.contains(" at /"));
    ::unlink(fifo.c_str());
  }
  SUBCASE("below a directory, with a byte that no terminal should see") {
    REQUIRE(::mkfifoat(base.get(), "a\033b", 0600) == 0);
    const auto* path = lay("a\033b");
    const busy_child child{[&] { ::syscall(SYS_openat, base.get(), path, O_RDONLY); }};
    const auto w = child.when_in("openat");
    CHECK(w.args == words{"<" + dir + ">", "\"a\\x1bb\""});
    CHECK(w.target == dir + "/a\\x1bb");
    ::unlinkat(base.get(), "a\033b", 0);
  }
  SUBCASE("below the current directory") {
    REQUIRE(::mkfifoat(base.get(), "here", 0600) == 0);
    const auto* path = lay("here");
    const busy_child child{[&] {
      if (::fchdir(base.get()) == 0) ::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
    }};
    CHECK(child.when_in("openat").target == dir + "/here");
    ::unlinkat(base.get(), "here", 0);
  }
  ::munmap(pages, 2 * 4096);
  ::rmdir(dir.c_str());
}

TEST_CASE("waiting: poll names all it listens to, wait4 the process") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const unique_fd out{ends[0]}, in{ends[1]};
  const busy_child listener{[&] {
    std::array<pollfd, 2> fds{{{.fd = -1, .events = POLLIN, .revents = 0}, {.fd = out.get(), .events = POLLIN, .revents = 0}}};
    ::syscall(SYS_ppoll, fds.data(), fds.size(), nullptr, nullptr, 0);
  }};
  CHECK(listener.when_in("ppoll").target.starts_with("pipe:["));
  const busy_child waiter{[] {
    const auto child = sys::clone_process({});
    if (child && child->pid == 0) {
      (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) ::pause();
    }
    ::syscall(SYS_wait4, -1, nullptr, 0, nullptr);
  }};
  const auto w = waiter.when_in("wait4");
  CHECK(w.args == words{"-1"});
  CHECK(w.target == "a child");
}

TEST_CASE("waiting: memory that does not answer holds nobody up") {
  const unique_fd faults{static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC))};
  uffdio_api api{.api = UFFD_API, .features = 0, .ioctls = 0};
  if (!faults || ::ioctl(faults.get(), UFFDIO_API, &api) != 0) {
    MESSAGE("no userfaultfd here");
    return;
  }
  auto* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uffdio_register area{.range = {.start = reinterpret_cast<std::uintptr_t>(page), .len = 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING, .ioctls = 0};
  REQUIRE(::ioctl(faults.get(), UFFDIO_REGISTER, &area) == 0);
  const auto begin = ::time(nullptr);
  CHECK(sys::detail::memory_of(::getpid(), reinterpret_cast<std::uintptr_t>(page), 16).empty());
  CHECK(::time(nullptr) - begin < 5);
  ::munmap(page, 4096);
}

TEST_CASE("waiting: what is no copy of ours any more, or not there") {
  busy_child other{[] { ::execl("/bin/sleep", "sleep", "3600", nullptr); }};
  CHECK_FALSE(other.when_in("clock_nanosleep").is_copy());
  const int pid = other.pid();
  other.end();
  CHECK_FALSE(sys::look_at(pid));
}

TEST_CASE("waiting: the text of /proc/PID/syscall") {
  const auto read = sys::call_from("0 0x3 0x7f0b69c48000 0x20000 0x22 0xffffffff 0x0 0x7ffede9562b8 0x7f0b69dc22ad\n");
  REQUIRE(read);
  CHECK(read->number == 0);
  CHECK(read->args[0] == 3);
  CHECK(read->args[4] == 0xffffffff);
  CHECK(read->stack == 0x7ffede9562b8);
  const auto none = sys::call_from("-1 0x7ffede9562b8 0x7f0b69dc22ad\n");
  REQUIRE(none);
  CHECK(none->number == -1);
  CHECK(sys::call_name(*none).empty());
  for (const char* text : {"running\n", "", "0 0x3", "-1"}) CHECK_FALSE(sys::call_from(text));
  CHECK(sys::call_name({.number = 1'000'000, .stack = ~0ULL}) == "system call 1000000");
#if defined(__x86_64__)
  CHECK(sys::call_name({.number = 3, .stack = 0x7ffede9562b8}) == "close");
  CHECK(sys::call_name({.number = 3, .stack = 0xffffd000}) == "read");  // a 32-bit program's
#endif
}

TEST_CASE("waiting: the longest mount point above a path wins, of equal ones the last") {
  constexpr std::string_view table =
      "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
      "30 22 0:40 / /mnt rw shared:1 - tmpfs none rw\n"
      "31 30 0:41 / /mnt/n\\040s rw - nfs4 server:/export rw\n"
      "32 22 0:42 / /mnt rw - fuse.sshfs host: rw\n"
      "broken\n";
  CHECK(sys::mount_of("/etc/passwd", table) == "ext4 /dev/sda1 at /");
  CHECK(sys::mount_of("/mnt/x", table) == "fuse.sshfs host: at /mnt");
  CHECK(sys::mount_of("/mnt", table) == "fuse.sshfs host: at /mnt");
  CHECK(sys::mount_of("/mntx", table) == "ext4 /dev/sda1 at /");
  CHECK(sys::mount_of("/mnt/n s/data", table) == "nfs4 server:/export at /mnt/n s");
  CHECK(sys::mount_of("x", table).empty());
}
