// A row of stages without any config.json: the structs are filled in here, the last stage becomes the program.
#include <ocitk/stages/exec.hpp>
#include <ocitk/stages/hostname.hpp>
#include <ocitk/stages/no_new_privs.hpp>
#include <ocitk/stages/rlimits.hpp>

#include <sched.h>

#include <cstdio>

using namespace ocitk;

auto main() -> int {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWUTS) != 0) {  // so that the name given here is not this machine's
    std::perror("unshare");
    return 1;
  }
  spec::config config{.hostname = "inside"};
  config.process = spec::process{.args = {"sh", "-c", "uname -n; ulimit -n; grep NoNewPrivs /proc/self/status"},
                                 .env = {"PATH=/usr/bin:/bin"},
                                 .cwd = "/",
                                 .rlimits = {{.type = "RLIMIT_NOFILE", .soft = 64, .hard = 64}},
                                 .no_new_privileges = true};
  constexpr auto row =
      stages::set_hostname{} | stages::set_rlimits{} | stages::forbid_new_privileges{} | stages::execute{};
  init_context here{.spec = config};
  const auto why = row(here);  // comes back only if something fails
  std::fprintf(stderr, "%s\n", to_string(why.error()).c_str());
  return 1;
}
