#ifndef OCITK_CHECK_WORDS_HPP
#define OCITK_CHECK_WORDS_HPP

#include <ocitk/check/finding.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/nearest.hpp>
#include <ocitk/stages/caps.hpp>
#include <ocitk/stages/ioprio.hpp>
#include <ocitk/stages/mempolicy.hpp>
#include <ocitk/stages/personality.hpp>
#include <ocitk/stages/rlimits.hpp>
#include <ocitk/stages/scheduler.hpp>
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/stages/time.hpp>
#include <ocitk/sys/namespace.hpp>

#include <fmt/core.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Words that the specification lists: those that are on no list, and which one was meant.
namespace ocitk::check {

namespace detail {

using names = std::vector<std::string>;

/// A word that has to be on a list; an absent one is not judged here.
template <class Words>
void expect(findings& all, const std::string& pointer, std::string_view what, const std::string& word, const Words& known,
            severity how = severity::error) {
  if (word.empty() || std::ranges::find(known, word) != std::ranges::end(known)) return;
  all.push_back({.how = how,
                 .pointer = pointer,
                 .message = fmt::format("{} \"{}\" does not exist", what, word),
                 .suggestion = spec::nearest(word, known).value_or("")});
}

template <class Words>
void expect_each(findings& all, const std::string& list, std::string_view what, const spec::strings& words,
                 const Words& known, severity how = severity::error) {
  for (std::size_t i = 0; i < words.size(); ++i) expect(all, fmt::format("{}/{}", list, i), what, words[i], known, how);
}

inline auto capability_names() -> names {
  names all;
  for (int number = 0; number < 64; ++number)
    if (auto name = stages::caps::name_of(number); stages::caps::number_of(name)) all.push_back(std::move(name));
  return all;
}

/// The runtime goes on without a capability that it does not know, so these are warnings.
inline void capability_words(findings& all, const spec::capabilities& c) {
  const auto known = capability_names();
  const std::string base = "/process/capabilities/";
  for (const auto& [key, set] : {std::pair{"bounding", &c.bounding}, std::pair{"effective", &c.effective},
                                 std::pair{"permitted", &c.permitted}, std::pair{"inheritable", &c.inheritable},
                                 std::pair{"ambient", &c.ambient}})
    expect_each(all, base + key, "capability", *set, known, severity::warning);
}

inline void scheduling_words(findings& all, const spec::process& p) {
  if (p.scheduler) {
    expect(all, "/process/scheduler/policy", "scheduling policy", p.scheduler->policy,
           spec::first_column(stages::scheduler::policies));
    expect_each(all, "/process/scheduler/flags", "scheduling flag", p.scheduler->flags,
                spec::first_column(stages::scheduler::flags));
  }
  if (p.io_priority)
    expect(all, "/process/ioPriority/class", "I/O priority class", p.io_priority->class_, spec::first_column(stages::ioprio::classes));
}

inline void process_words(findings& all, const spec::process& p) {
  if (p.capabilities) capability_words(all, *p.capabilities);
  const auto limits = spec::first_column(stages::rlimits::resources);
  for (std::size_t i = 0; i < p.rlimits.size(); ++i)
    expect(all, fmt::format("/process/rlimits/{}/type", i), "resource limit", p.rlimits[i].type, limits);
  scheduling_words(all, p);
}

/// The system calls of this architecture by libseccomp, which has no list of them but knows each number's name.
inline auto system_calls() -> names {
  constexpr int beyond_any = 1024;
  names all;
  for (int number = 0; number < beyond_any; ++number) {
    const std::unique_ptr<char, decltype(&std::free)> name{
        ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number), &std::free};
    if (name) all.emplace_back(name.get());
  }
  return all;
}

/// A name that libseccomp does not know is newer than it, or misspelt: `clone4` would be newer than `clone3`.
inline auto spelled_like(const std::string& name, const names& known) -> std::string {
  const auto stem = name.substr(0, name.find_last_not_of("0123456789") + 1);
  auto near = spec::nearest(name, known).value_or("");
  return near.substr(0, near.find_last_not_of("0123456789") + 1) == stem ? std::string{} : near;
}

/// The runtime leaves such a rule out, so the default action applies; what was told on one line before is enough.
inline void system_call_words(findings& all, const spec::strings& list, const std::string& pointer, const names& known) {
  std::string strangers;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (::seccomp_syscall_resolve_name(list[i].c_str()) != __NR_SCMP_ERROR) continue;
    if (auto meant = spelled_like(list[i], known); !meant.empty())
      all.push_back({.how = severity::warning,
                     .pointer = fmt::format("{}/{}", pointer, i),
                     .message = fmt::format("system call \"{}\" is not known to libseccomp", list[i]),
                     .suggestion = std::move(meant)});
    else
      strangers += (strangers.empty() ? "" : ", ") + list[i];
  }
  if (strangers.empty()) return;
  all.push_back({.how = severity::warning,
                 .pointer = pointer,
                 .message = "not known to libseccomp, so no rule is made for them: " + strangers});
}

inline void seccomp_words(findings& all, const spec::seccomp& s) {
  auto actions = spec::first_column(stages::seccomp::detail::actions);
  if (std::ranges::find(actions, "SCMP_ACT_NOTIFY") == actions.end()) actions.emplace_back("SCMP_ACT_NOTIFY");
  const auto operators = spec::first_column(stages::seccomp::detail::operators);
  const auto known_calls = s.syscalls.empty() ? names{} : system_calls();
  expect(all, "/linux/seccomp/defaultAction", "seccomp action", s.default_action, actions);
  for (std::size_t i = 0; i < s.architectures.size(); ++i)
    if (!stages::seccomp::architecture_of(s.architectures[i]))
      expect(all, fmt::format("/linux/seccomp/architectures/{}", i), "seccomp architecture", s.architectures[i],
             stages::seccomp::architecture_words);
  if (s.flags) expect_each(all, "/linux/seccomp/flags", "seccomp flag", *s.flags, spec::first_column(stages::seccomp::flag_words));
  for (std::size_t i = 0; i < s.syscalls.size(); ++i) {
    const auto pointer = fmt::format("/linux/seccomp/syscalls/{}", i);
    expect(all, pointer + "/action", "seccomp action", s.syscalls[i].action, actions);
    for (std::size_t a = 0; a < s.syscalls[i].args.size(); ++a)
      expect(all, fmt::format("{}/args/{}/op", pointer, a), "seccomp operator", s.syscalls[i].args[a].op, operators);
    system_call_words(all, s.syscalls[i].names, pointer + "/names", known_calls);
  }
}

inline void policy_words(findings& all, const spec::linux_& l) {
  if (l.personality)
    expect(all, "/linux/personality/domain", "personality", l.personality->domain, spec::first_column(stages::personality::domains));
  if (!l.memory_policy) return;
  expect(all, "/linux/memoryPolicy/mode", "memory policy", l.memory_policy->mode, spec::first_column(stages::mempolicy::modes));
  expect_each(all, "/linux/memoryPolicy/flags", "memory policy flag", l.memory_policy->flags,
              spec::first_column(stages::mempolicy::flags));
}

inline void linux_words(findings& all, const spec::linux_& l) {
  static constexpr std::array<std::string_view, 8> propagations{"shared",  "slave",  "private",  "unbindable",
                                                                "rshared", "rslave", "rprivate", "runbindable"};
  names kinds;
  for (const auto& kind : sys::namespace_kinds) kinds.emplace_back(kind.type);
  for (std::size_t i = 0; i < l.namespaces.size(); ++i)
    expect(all, fmt::format("/linux/namespaces/{}/type", i), "namespace", l.namespaces[i].type, kinds);
  expect(all, "/linux/rootfsPropagation", "propagation", l.rootfs_propagation, propagations);
  for (const auto& [clock, offset] : l.time_offsets) expect(all, "/linux/timeOffsets/" + clock, "clock", clock, stages::time::clocks);
  if (l.seccomp) seccomp_words(all, *l.seccomp);
  policy_words(all, l);
}

}  // namespace detail

/// Reads  /process/capabilities, /process/rlimits, /process/scheduler, /process/ioPriority, /linux/namespaces,
///        /linux/rootfsPropagation, /linux/timeOffsets, /linux/seccomp, /linux/personality, /linux/memoryPolicy
inline auto unknown_words(const spec::config& c) -> findings {
  findings all;
  if (c.process) detail::process_words(all, *c.process);
  detail::linux_words(all, c.linux);
  return all;
}

}  // namespace ocitk::check

#endif
