#ifndef OCITK_STAGES_PERSONALITY_HPP
#define OCITK_STAGES_PERSONALITY_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/kernel/process.hpp>
#include <ocitk/text.hpp>

#include <sys/personality.h>

#include <array>
#include <string_view>
#include <utility>

namespace ocitk::stages {

namespace personality {

inline constexpr std::array<std::pair<std::string_view, unsigned long>, 2> domains{
    {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}}};

/// Fails    a domain that is none
inline auto plan(const spec::personality& wanted) -> result<unsigned long> {
  for (const auto& [word, number] : domains)
    if (word == wanted.domain) return number;
  return failure(filled("invalid personality domain {}", wanted.domain), "/linux/personality/domain");
}

inline auto apply(unsigned long domain) -> result<> {
  return checked(sys::kernel::personality(domain), "personality");
}

}  // namespace personality

/// Lets uname(2) speak of a 32-bit machine, or not. The specification knows no flags yet; some are a warning.
///
/// Reads    /linux/personality
/// Process  init, before the seccomp filter, which may forbid the call
/// Calls    personality(2)
struct set_personality : stage_in<init_context> {
  static constexpr std::string_view name = "personality";
  static constexpr std::string_view reads = "/linux/personality";
  static constexpr std::string_view summary = "chooses between a 64 and a 32-bit machine";
  auto operator()(init_context& ctx) const -> result<> {
    const auto& wanted = ctx.spec.linux.personality;
    if (!wanted) return {};
    if (!wanted->flags.empty()) ctx.warnings.emplace_back("ignoring personality flags: none are defined");
    const auto domain = OCITK_TRY(personality::plan(*wanted));
    return at("/linux/personality", [&] { return personality::apply(domain); });
  }
};

}  // namespace ocitk::stages

#endif
