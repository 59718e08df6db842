// Gives up every capability but the one to bind low ports, for good, and shows what the kernel says of it.
#include <ocitk/stages/caps.hpp>

#include <cstdio>
#include <fstream>
#include <string>

namespace caps = ocitk::stages::caps;

static auto keep_one() -> ocitk::result<> {
  const auto have = OCITK_TRY(caps::available());
  const ocitk::spec::strings one{"CAP_NET_BIND_SERVICE"};
  auto chosen = caps::plan(ocitk::spec::capabilities{.bounding = one, .effective = one, .permitted = one}, have);
  OCITK_TRY(caps::limit(chosen.wanted.bounding, have));
  return caps::apply(chosen.wanted, chosen.warnings);
}

auto main() -> int {
  if (const auto done = keep_one(); !done) {
    std::fprintf(stderr, "%s\n", to_string(done.error()).c_str());
    return 1;
  }
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Cap")) std::puts(line.c_str());
  return 0;
}
