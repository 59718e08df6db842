#ifndef OCITK_STAGES_BOUNDING_HPP
#define OCITK_STAGES_BOUNDING_HPP

#include <ocitk/context.hpp>
#include <ocitk/privileges/capabilities.hpp>
#include <ocitk/stage.hpp>

#include <array>
#include <string_view>

namespace ocitk::stages {

namespace caps = privileges::capabilities;

/// Takes from the container for good what the spec does not bound it to, and lets the rest outlive setuid.
/// Before `user`: dropping needs CAP_SETPCAP to be effective, which it no longer is after setresuid(2).
///
/// Reads    /process/capabilities/bounding; absent object: everything is dropped
/// Process  init
/// Calls    prctl(2) PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_KEEPCAPS
/// Fails    EPERM without CAP_SETPCAP (runc goes on with a bounding set too large)
struct limit_capabilities : stage_in<init_context> {
  static constexpr std::string_view name = "bounding";
  static constexpr std::string_view reads = "/process/capabilities/bounding";
  static constexpr std::string_view summary = "drops capabilities for good";
  static constexpr std::array<std::string_view, 2> after{"pivot", "rlimits"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.process) return {};
    const auto have = OCITK_TRY(caps::available());
    const auto chosen = caps::plan(ctx.spec.process->capabilities, have);  // its warnings are for `caps` to tell
    OCITK_TRY(at("/process/capabilities/bounding", [&] { return caps::limit(chosen.wanted.bounding, have); }));
    return sys::keep_capabilities(true);
  }
};

}  // namespace ocitk::stages

#endif
