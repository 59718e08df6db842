// Forbids itself to make directories, with an errno that mkdir(2) never has, and tries it before and after.
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/sys/prctl.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace {

auto forbid_mkdir() -> ocitk::result<> {
  const ocitk::spec::seccomp filter{
      .default_action = "SCMP_ACT_ALLOW",
      .syscalls = {{.names = {"mkdir", "mkdirat"}, .action = "SCMP_ACT_ERRNO", .errno_ret = EXDEV}}};
  const auto program = OCITK_TRY(ocitk::stages::seccomp::compile(filter));
  OCITK_TRY(ocitk::sys::forbid_new_privileges());  // or loading would take CAP_SYS_ADMIN
  OCITK_TRY(ocitk::stages::seccomp::load(program));  // a descriptor where the program asks for a listener: none here
  return {};
}

void try_mkdir(const char* path) {
  const int code = ::mkdir(path, 0700) == 0 ? 0 : errno;
  std::printf("mkdir: %s\n", std::strerror(code));
  if (code == 0) ::rmdir(path);
}

}  // namespace

auto main(int argc, char** argv) -> int {
  if (argc != 2) return 2;
  try_mkdir(argv[1]);
  if (const auto done = forbid_mkdir(); !done) {
    std::fprintf(stderr, "%s\n", to_string(done.error()).c_str());
    return 1;
  }
  try_mkdir(argv[1]);
  return 0;
}
