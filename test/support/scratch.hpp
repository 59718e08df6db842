#ifndef OCITK_TEST_SCRATCH_HPP
#define OCITK_TEST_SCRATCH_HPP

#include <ocitk/fd.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

namespace support {

/// A directory that goes with the test, and everything in it.
class scratch {
 public:
  scratch() {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
    REQUIRE(::chmod(path_.c_str(), 0755) == 0);
    root_ = ocitk::unique_fd{::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    REQUIRE(root_);
  }
  scratch(const scratch&) = delete;
  auto operator=(const scratch&) -> scratch& = delete;
  ~scratch() {
    const auto remove = [](const char* name, const struct stat*, int, FTW*) { return ::remove(name); };
    (void)::nftw(path_.c_str(), remove, 16, FTW_DEPTH | FTW_PHYS);  // what cannot go is below /tmp
  }

  [[nodiscard]] auto root() const -> const ocitk::unique_fd& { return root_; }
  [[nodiscard]] auto path(std::string_view name = {}) const -> std::string { return path_ + std::string{name}; }

  auto file(const std::string& name, std::string_view content, mode_t mode = 0755) const -> std::string {
    const ocitk::unique_fd fd{::open(path(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    REQUIRE(fd);
    REQUIRE(::write(fd.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    REQUIRE(::fchmod(fd.get(), mode) == 0);
    return path(name);
  }
  auto directory(const std::string& name, mode_t mode = 0755) const -> std::string {
    REQUIRE(::mkdir(path(name).c_str(), 0700) == 0);
    REQUIRE(::chmod(path(name).c_str(), mode) == 0);
    return path(name);
  }
  auto link(const std::string& name, const std::string& target) const -> std::string {
    REQUIRE(::symlink(target.c_str(), path(name).c_str()) == 0);
    return path(name);
  }

 private:
  std::string path_ = "/tmp/ocitk-unit-XXXXXX";
  ocitk::unique_fd root_{};
};

/// What a child says that has no privileges, whoever runs the tests.
inline auto unprivileged(const std::function<std::string()>& ask) -> std::string {
  int ends[2] = {-1, -1};
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const ocitk::unique_fd out{ends[0]};
  ocitk::unique_fd in{ends[1]};
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    const bool stripped =
        ::geteuid() != 0 || (::setgroups(0, nullptr) == 0 && ::setresgid(nobody, nobody, nobody) == 0 &&
                             ::setresuid(nobody, nobody, nobody) == 0);
    const auto answer = stripped ? ask() : std::string{"cannot give up privileges"};
    ::_exit(::write(in.get(), answer.data(), answer.size()) == static_cast<ssize_t>(answer.size()) ? 0 : 1);
  }
  in.reset();
  std::string said(8192, '\0');
  const auto n = ::read(out.get(), said.data(), said.size());
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  said.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return said;
}

}  // namespace support

#endif
