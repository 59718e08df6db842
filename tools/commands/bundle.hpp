#ifndef OCITK_TOOLS_BUNDLE_HPP
#define OCITK_TOOLS_BUNDLE_HPP

#include "commands.hpp"

#include <ocitk/runtime/store.hpp>
#include <ocitk/spec/config.hpp>

#include <string>

namespace ocitk::tools {

// In files of their own: the JSON parser is what takes long to compile.

/// A config.json, and its text as it was read.
struct loaded {
  spec::config config{};
  std::string text{};
};

/// The bundle's, read and judged; warnings go to the log.
auto load_spec(const surroundings&, const cli::create_options&) -> result<loaded>;
/// What a container was created from, whatever its bundle says now. It has been judged then.
auto load_container(const runtime::entry&) -> result<spec::config>;
/// The file of `update --resources`, "-" for standard input.
auto load_resources(const std::string& path) -> result<spec::resources>;
/// The file of `exec --process`.
auto load_process(const std::string& path) -> result<spec::process>;

}  // namespace ocitk::tools

#endif
