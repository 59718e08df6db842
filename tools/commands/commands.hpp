#ifndef OCITK_TOOLS_COMMANDS_HPP
#define OCITK_TOOLS_COMMANDS_HPP

#include <ocitk/cli/request.hpp>
#include <ocitk/error.hpp>
#include <ocitk/runtime/log.hpp>

#include <functional>
#include <string>
#include <string_view>

/// The commands of `ocitk`. Each returns the exit code of the program, or why it failed; nothing but main prints
/// errors.
namespace ocitk::tools {

/// What every command gets to work with.
struct surroundings {
  const cli::global_options& global;
  const runtime::logger& log;
};

/// For the library, which prints nothing itself.
inline auto warnings_of(const surroundings& about) -> std::function<void(error)> {
  return [&log = about.log](const error& why) { log.write(runtime::level::warning, why); };
}

auto create(const surroundings&, const cli::create_options&) -> result<int>;
auto run(const surroundings&, const cli::create_options&) -> result<int>;
auto exec(const surroundings&, const cli::exec_options&) -> result<int>;
auto start(const surroundings&, const std::string& id) -> result<int>;
auto state(const surroundings&, const std::string& id) -> result<int>;
auto pause(const surroundings&, const std::string& id) -> result<int>;
auto ps(const surroundings&, const cli::ps_options&) -> result<int>;
auto update(const surroundings&, const cli::update_options&) -> result<int>;
auto events(const surroundings&, const cli::events_options&) -> result<int>;
auto stats(const surroundings&, const cli::stats_options&) -> result<int>;
auto resume(const surroundings&, const std::string& id) -> result<int>;
auto list(const surroundings&, const cli::list_options&) -> result<int>;
auto kill(const surroundings&, const cli::kill_options&) -> result<int>;
auto remove(const surroundings&, const cli::delete_options&) -> result<int>;
auto write_spec(const surroundings&, const cli::spec_options&) -> result<int>;
auto where(const surroundings&, const cli::where_options&) -> result<int>;
auto print_features() -> result<int>;
auto list_stages(std::string_view format) -> result<int>;
auto check(const surroundings&, const cli::check_options&) -> result<int>;
auto print_version(std::string_view program) -> result<int>;

}  // namespace ocitk::tools

#endif
