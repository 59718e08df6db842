// One stage alone: resource limits, written as in config.json, for this process and its children.
#include <ocitk/stages/rlimits.hpp>

#include <sys/resource.h>

#include <cstdio>
#include <vector>

auto main() -> int {
  const std::vector<ocitk::spec::rlimit> wanted{{.type = "RLIMIT_NOFILE", .soft = 64, .hard = 128}};
  const auto plan = ocitk::stages::rlimits::plan(wanted);
  const auto done = plan ? ocitk::stages::rlimits::apply(*plan) : std::unexpected(plan.error());
  if (!done) {
    std::fprintf(stderr, "%s\n", to_string(done.error()).c_str());
    return 1;
  }
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  std::printf("open files: %ld of %ld\n", static_cast<long>(now.rlim_cur), static_cast<long>(now.rlim_max));
}
