#ifndef OCITK_CHECK_DOCUMENT_HPP
#define OCITK_CHECK_DOCUMENT_HPP

#include <ocitk/cgroups/limits.hpp>
#include <ocitk/check/finding.hpp>
#include <ocitk/check/identities.hpp>
#include <ocitk/check/mount_entries.hpp>
#include <ocitk/check/words.hpp>
#include <ocitk/mounts/devices.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/draft.hpp>
#include <ocitk/spec/unknown_keys.hpp>
#include <ocitk/spec/validate.hpp>
#include <ocitk/stages/cgroup.hpp>
#include <ocitk/stages/netdev.hpp>
#include <ocitk/stages/rdt.hpp>
#include <ocitk/stages/rlimits.hpp>
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/stages/sysctl.hpp>
#include <ocitk/stages/time.hpp>
#include <ocitk/stages/unshare.hpp>
#include <ocitk/stages/user.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A config.json judged by itself: everything that the runtime would refuse, and what it would pass over.
namespace ocitk::check {

/// The outcome for a document, and what is needed to go on with it.
struct examined {
  findings all{};
  spec::draft draft;                      ///< misspelt words are right, what could not be read is gone
  std::optional<spec::config> config{};   ///< what the draft says; nothing if it cannot be read at all

  /// Adds what was found in the config, unless it is about something the document does not say.
  void add(findings more) {
    for (auto& f : more) {
      f.pointer = draft.original(f.pointer);
      if (!draft.spoilt(f.pointer)) all.push_back(std::move(f));
    }
  }
};

namespace detail {

inline auto key_finding(const spec::unknown_key& u) -> finding {
  constexpr std::size_t few = 2;  // a key of many objects, like "path", tells nothing
  finding f{.how = severity::warning, .pointer = u.pointer, .message = "unknown key", .suggestion = u.near.value_or("")};
  if (u.homes.empty() || u.homes.size() > few) return f;
  f.suggestion.clear();
  f.message += fmt::format(", \"{}\" belongs to {}", u.key, u.homes.front());
  if (u.homes.size() > 1) f.message += " or " + u.homes.back();
  return f;
}

inline auto unknown_key_findings(const spec::draft& d) -> findings {
  findings all;
  for (const auto& u : spec::unknown_keys(d.document())) all.push_back(key_finding(u));
  return all;
}

inline void append_errors(findings& all, const std::vector<error>& errors) {
  for (const auto& e : errors)
    if (auto f = from_error(e); std::ranges::find(all, f) == all.end()) all.push_back(std::move(f));  // judges agree
  if (errors.size() == spec::most_errors)
    all.push_back({.how = severity::note, .message = fmt::format("only the first {} errors of a kind are shown", errors.size())});
}

/// Reports words and puts the right ones in, last first: what is taken out of a list moves what is behind it.
inline void settle_words(examined& e) {
  const auto words = unknown_words(*e.config);
  e.add(words);
  for (auto f = words.rbegin(); f != words.rend(); ++f) {
    if (f->how != severity::error) continue;
    if (f->suggestion.empty())
      (void)e.draft.mend(f->pointer);  // what cannot be mended is judged as it is
    else
      e.draft.correct(f->pointer, f->suggestion);
  }
}

template <class T>
auto verdict(const result<T>& r) -> result<> {
  if (!r) return std::unexpected(r.error());
  return {};
}

/// A cgroup that has everything: what is refused there is wrong anywhere on this kind of host.
inline auto ideal_place(bool cgroup2) -> cgroups::place {
  cgroups::place p{.mountpoint = "/", .below = "check", .is_v2 = cgroup2};
  if (!cgroup2)
    for (const auto controller : stages::cgroup::join_order) p.controllers.emplace_back(controller);
  return p;
}

inline auto judge_limits(const spec::config& c, bool cgroup2) -> result<> {
  auto wanted = c.linux.resources;
  if (!cgroup2) wanted.unified.clear();  // the host is short of something, not the document wrong
  OCITK_TRY(cgroups::plan({ideal_place(cgroup2)}, wanted));
  return verdict(at("/linux/cgroupsPath", stages::cgroup::normalised(c.linux.cgroups_path)));
}

inline auto judge_process(const spec::config& c) -> result<> {
  if (!c.process) return {};
  OCITK_TRY(stages::user::plan(c.process->user));
  OCITK_TRY(stages::rlimits::plan(c.process->rlimits));
  if (c.process->scheduler) OCITK_TRY(stages::scheduler::plan(*c.process->scheduler));
  return c.process->io_priority ? verdict(stages::ioprio::plan(*c.process->io_priority)) : result<>{};
}

inline auto judge_linux(const spec::config& c) -> result<> {
  OCITK_TRY(stages::unshare::plan_for(c.linux.namespaces));
  OCITK_TRY(stages::sysctl::plan_for(c.linux.sysctl));
  OCITK_TRY(stages::netdev::plan(c.linux.net_devices));
  if (c.linux.intel_rdt) OCITK_TRY(stages::rdt::plan(*c.linux.intel_rdt, "id"));
  OCITK_TRY(stages::time::plan(c.linux.time_offsets));
  if (c.linux.personality) OCITK_TRY(stages::personality::plan(*c.linux.personality));
  if (c.linux.memory_policy) OCITK_TRY(stages::mempolicy::plan(*c.linux.memory_policy));
  return verdict(mounts::plan_nodes(c.linux.devices));
}

inline auto judge_seccomp(const spec::config& c) -> result<> {
  return c.linux.seccomp ? verdict(stages::seccomp::compile(*c.linux.seccomp)) : result<>{};
}

/// Lets a judge start from the document as it was read, so that no judge's mending hides an error from another.
template <class Judge>
void hear(examined& e, Judge judge) {
  auto own = e.draft;
  append_errors(e.all, spec::hear_out(own, [&](const spec::draft& d) -> result<> { return judge(OCITK_TRY(d.read())); }));
}

inline void hear_judges(examined& e, bool cgroup2) {
  hear(e, [](const spec::config& c) { return verdict(spec::validate(c, {})); });
  hear(e, judge_process);
  hear(e, judge_linux);
  hear(e, judge_seccomp);
  hear(e, [&](const spec::config& c) { return judge_limits(c, cgroup2); });
}

/// Entries that are looked at one by one.
inline auto entries(const spec::config& c) -> findings {
  findings all;
  for (std::size_t i = 0; i < c.mounts.size(); ++i) append(all, mount_entry(c.mounts[i], i));
  if (c.process)
    for (std::size_t i = 0; i < c.process->rlimits.size(); ++i)
      if (const auto& r = c.process->rlimits[i]; r.soft > r.hard)
        all.push_back({.pointer = fmt::format("/process/rlimits/{}", i),
                       .message = fmt::format("the soft limit {} is above the hard limit {}", r.soft, r.hard)});
  return all;
}

/// `validate` warns without a pointer: an entry of /mounts is found by asking for each one alone.
inline auto warnings_of(const spec::config& c) -> findings {
  findings all;
  auto without = c;
  without.mounts.clear();
  const auto general = spec::validate(without, {});
  if (!general) return all;  // told as an error
  for (const auto& text : *general) all.push_back({.how = severity::warning, .message = text});
  for (std::size_t i = 0; i < c.mounts.size(); ++i) {
    without.mounts = {c.mounts[i]};
    const auto one = spec::validate(without, {});
    if (!one || one->size() <= general->size()) continue;
    all.push_back({.how = severity::warning, .pointer = fmt::format("/mounts/{}", i), .message = one->back()});
  }
  return all;
}

/// SemVer as far as it can go wrong by hand: three numbers, then anything after a dash or a plus.
inline auto is_version(std::string_view text) -> bool {
  for (int part = 0; part < 3; ++part) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0) return false;
    text.remove_prefix(digits);
    if (part == 2) return text.empty() || text[0] == '-' || text[0] == '+';
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  return false;
}

inline auto version_findings(const spec::config& c) -> findings {
  if (is_version(c.oci_version)) return {};
  return {{.how = severity::warning,
           .pointer = "/ociVersion",
           .message = fmt::format("\"{}\" is not a version like \"{}\"", c.oci_version, spec::oci_version)}};
}

}  // namespace detail

/// Everything that can be said of the text alone. `cgroup2`: the kind of limits this host has words for.
inline auto examine(std::string_view text, bool cgroup2) -> examined {
  auto parsed = spec::draft::parse(text);
  if (!parsed) return {.all = {from_error(parsed.error())}, .draft = spec::draft{nullptr}};
  examined e{.draft = std::move(*parsed)};
  append(e.all, detail::unknown_key_findings(e.draft));
  detail::append_errors(e.all, spec::hear_out(e.draft, [](const spec::draft& d) { return detail::verdict(d.read()); }));
  auto config = e.draft.read();
  if (!config) return e;
  e.config = std::move(*config);
  detail::settle_words(e);
  e.config = *e.draft.read();
  e.add(detail::version_findings(*e.config));
  detail::hear_judges(e, cgroup2);
  e.add(detail::entries(*e.config));
  e.add(identities(*e.config));
  e.add(detail::warnings_of(*e.config));
  return e;
}

}  // namespace ocitk::check

#endif
