#ifndef OCITK_SYS_LISTING_HPP
#define OCITK_SYS_LISTING_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/owned.hpp>

#include <dirent.h>
#include <fcntl.h>

#include <string>
#include <string_view>
#include <vector>

namespace ocitk::sys {

/// One entry of a directory.
struct listed {
  std::string name{};
  bool is_directory = false;  ///< as far as the file system tells without a look at the file
};

/// What is in a directory, without `.` and `..`, in the order the file system has it.
///
/// Calls  openat(2), getdents(2)
inline auto list_directory(fd_ref dir) -> result<std::vector<listed>> {
  const int again = ::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0 && rehearsing()) return std::vector<listed>{};  // a directory that is only thought to be there
  if (again < 0) return failed("open", "list a directory");
  const owned<DIR*, ::closedir> listing{::fdopendir(again)};
  if (!listing) return failed("fdopendir");
  std::vector<listed> all;
  while (const dirent* entry = ::readdir(listing.get()))
    if (const std::string_view name = entry->d_name; name != "." && name != "..")
      all.push_back({.name = std::string{name}, .is_directory = entry->d_type == DT_DIR});
  return all;
}

}  // namespace ocitk::sys

#endif
