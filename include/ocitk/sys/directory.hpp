#ifndef OCITK_SYS_DIRECTORY_HPP
#define OCITK_SYS_DIRECTORY_HPP

#include <ocitk/error.hpp>
#include <ocitk/sys/kernel/mount.hpp>
#include <ocitk/text.hpp>

#include <climits>
#include <string>
#include <string_view>
#include <utility>

/// The working directory of a process that is about to become a payload.
namespace ocitk::sys {

/// Where the process is, by the kernel. Not by getcwd(3): that hides the "(unreachable)" we are looking for.
inline auto current_directory() -> result<std::string> {
  std::string path(PATH_MAX, '\0');
  const long length = kernel::getcwd(path.data(), path.size());
  if (length < 0) return failed("getcwd");
  path.resize(static_cast<std::size_t>(length) - 1);
  return path;
}

/// Is the working directory inside the root? A leaked descriptor of the host would lead out (CVE-2024-21626).
inline auto verify_directory() -> result<> {
  constexpr std::string_view breakout =
      "current working directory is outside of container mount namespace root -- possible container breakout detected";
  const auto here = current_directory();
  if (!here && here.error().code != ENOENT) return std::unexpected(here.error());
  if (!here || !here->starts_with('/')) return failure(std::string{breakout});
  return {};
}

/// Goes to the working directory of the payload. A user who may not enter it can stay if root went there before.
///
/// Reads    /process/cwd
/// Calls    chdir(2), getcwd(2)
inline auto change_directory(const std::string& cwd) -> result<> {
  const auto move = [&]() -> result<> {
    auto moved = trying(filled("chdir to cwd (\"{}\") set in config.json failed", cwd),
                        checked(kernel::chdir(cwd.c_str()), "chdir"));
    if (!moved && moved.error().code == EACCES)
      if (const auto here = current_directory(); here && *here == cwd) moved = {};
    OCITK_TRY(std::move(moved));
    return verify_directory();
  };
  return at("/process/cwd", move);
}

}  // namespace ocitk::sys

#endif
