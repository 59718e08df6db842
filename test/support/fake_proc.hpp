#ifndef OCITK_TEST_FAKE_PROC_HPP
#define OCITK_TEST_FAKE_PROC_HPP

#include "scratch.hpp"

#include <ocitk/sys/io.hpp>

#include <string>

namespace support {

/// A procfs as far as the stages of security modules look at one.
struct fake_proc : scratch {
  fake_proc() {
    directory("/thread-self");
    directory("/thread-self/attr");
    file("/thread-self/attr/exec", "");
  }
};

inline auto content(const std::string& path) -> std::string {
  return *ocitk::sys::read_file(ocitk::fd_ref::cwd(), path, 4096);
}

}  // namespace support

#endif
