#ifndef OCITK_STAGES_CAPS_HPP
#define OCITK_STAGES_CAPS_HPP

#include <ocitk/context.hpp>
#include <ocitk/privileges/capabilities.hpp>
#include <ocitk/stage.hpp>

#include <array>
#include <string_view>
#include <utility>

namespace ocitk::stages {

namespace caps = privileges::capabilities;

/// Gives the payload exactly the capabilities it asked for, and looks whether that worked.
/// After `user`: setresuid(2) clears the effective and ambient sets.
///
/// Reads    /process/capabilities; absent object: none
/// Process  init
/// Calls    capset(2), prctl(2) PR_CAP_AMBIENT and PR_SET_KEEPCAPS, capget(2)
/// Fails    EPERM never for a set too large, that is a warning; an error if the kernel's answer differs
struct drop_capabilities : stage_in<init_context> {
  static constexpr std::string_view name = "caps";
  static constexpr std::string_view reads = "/process/capabilities";
  static constexpr std::string_view summary = "sets the capabilities";
  static constexpr std::array<std::string_view, 2> after{"bounding", "user"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process) return {};
    auto chosen = caps::plan(ctx.spec.process->capabilities, OCITK_TRY(caps::available()));
    for (auto& text : chosen.warnings) ctx.warnings.push_back(std::move(text));
    return at("/process/capabilities", [&] { return caps::apply(chosen.wanted, ctx.warnings); });
  }
};

}  // namespace ocitk::stages

#endif
