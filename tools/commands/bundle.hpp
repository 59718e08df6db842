#ifndef OCITK_TOOLS_BUNDLE_HPP
#define OCITK_TOOLS_BUNDLE_HPP

#include "commands.hpp"

#include <ocitk/spec/config.hpp>

namespace ocitk::tools {

/// The bundle's config.json, read and judged; warnings go to the log. In a file of its own: the JSON parser is what
/// takes long to compile.
auto load_spec(const surroundings&, const cli::create_options&) -> result<spec::config>;

}  // namespace ocitk::tools

#endif
