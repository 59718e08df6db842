#ifndef OCITK_TOOLS_STAGES_KEEP_HPP
#define OCITK_TOOLS_STAGES_KEEP_HPP

#include <ocitk/cli/chain.hpp>
#include <ocitk/stages/caps.hpp>

#include <string>

/// `--keep CAP[,CAP...]`, which three tools understand.
namespace ocitk::tools::stages {

/// All five sets: what is kept is held, and held on to.
inline auto capabilities_of(const std::string& text) -> result<spec::capabilities> {
  const auto names = cli::words_in(text);
  for (const auto& name : names)
    if (!ocitk::stages::caps::number_of(name)) return failure(name + " is no capability; they are spelled CAP_KILL");
  return spec::capabilities{.bounding = names, .effective = names, .permitted = names, .inheritable = names, .ambient = names};
}

/// What was asked for by name has to be there.
inline auto require_held(const spec::strings& names, ocitk::stages::caps::mask held) -> result<> {
  for (const auto& name : names)
    if ((held & ocitk::stages::caps::bit(*ocitk::stages::caps::number_of(name))) == 0)
      return failure(name + " is not there to be kept");
  return {};
}

}  // namespace ocitk::tools::stages

#endif
