#ifndef OCITK_TEST_UNIT_CHECK_SCRATCH_HPP
#define OCITK_TEST_UNIT_CHECK_SCRATCH_HPP

#include <ocitk/fd.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

/// A directory that goes with the test: a bundle, a rootfs, sources.
class scratch {
 public:
  scratch() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  scratch(const scratch&) = delete;
  auto operator=(const scratch&) -> scratch& = delete;
  ~scratch() { std::filesystem::remove_all(path_); }

  [[nodiscard]] auto path() const -> const std::string& { return path_; }
  [[nodiscard]] auto in(const std::string& name) const -> std::string { return path_ + "/" + name; }
  [[nodiscard]] auto open(const std::string& name) const -> ocitk::unique_fd {
    ocitk::unique_fd fd{::open(in(name).c_str(), O_PATH | O_CLOEXEC)};
    REQUIRE(fd);
    return fd;
  }
  void dir(const std::string& name) const { std::filesystem::create_directories(in(name)); }
  void link(const std::string& name, const std::string& to) const { std::filesystem::create_symlink(to, in(name)); }
  void file(const std::string& name, const std::string& text = {}, mode_t mode = 0644) const {
    dir(std::filesystem::path{name}.parent_path());
    std::ofstream{in(name)} << text;
    REQUIRE(::chmod(in(name).c_str(), mode) == 0);
  }

 private:
  std::string path_ = "/tmp/ocitk-check-XXXXXX";
};

#endif
