// A stage of one's own in the runtime's row. usage: own_stage BUNDLE, as root
#include <ocitk/runtime/pipelines.hpp>
#include <ocitk/spec/read.hpp>
#include <ocitk/sys/process.hpp>
#include <sys/resource.h>
#include <cstdio>
using namespace ocitk;
struct be_nice : stage_in<init_context> {
  static constexpr std::string_view name = "nice";
  static constexpr std::array<std::string_view, 1> after{"rlimits"};  // the compiler sees to it
  auto operator()(init_context&) const -> result<> { return checked(::setpriority(PRIO_PROCESS, 0, 7), "setpriority"); }
};

auto run(const std::string& bundle) -> result<int> {
  constexpr auto row = runtime::enter | runtime::furnish | be_nice{} | runtime::become_user | stages::execute{};
  const auto text = OCITK_TRY(sys::read_file(fd_ref::cwd(), bundle + "/config.json", 1U << 20));
  const auto config = OCITK_TRY(spec::parse_config(text));
  const auto namespaces = OCITK_TRY(stages::unshare::plan_for(config.linux.namespaces));
  const auto init = OCITK_TRY(sys::clone_process({.flags = namespaces.at_birth}));
  if (init.pid != 0) return sys::exit_status(init.pid);
  init_context here{.spec = config, .id = "nice", .bundle = bundle};
  return std::unexpected(row(here).error());  // a row that ends in `execute` comes back only if it fails
}

auto main(int argc, char** argv) -> int {
  const auto status = run(argc > 1 ? argv[1] : ".");
  if (!status) std::fprintf(stderr, "%s\n", to_string(status.error()).c_str());
  return status.value_or(1);
}
