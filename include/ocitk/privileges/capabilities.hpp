#ifndef OCITK_PRIVILEGES_CAPABILITIES_HPP
#define OCITK_PRIVILEGES_CAPABILITIES_HPP

#include <ocitk/error.hpp>
#include <ocitk/owned.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/sys/kernel/call.hpp>
#include <ocitk/sys/prctl.hpp>
#include <ocitk/text.hpp>

#include <sys/capability.h>

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// Capability sets: what a spec asks for, what can be had, how it is set. The stages `bounding` and `caps` share it.
namespace ocitk::privileges::capabilities {


using mask = std::uint64_t;  ///< one bit per capability number

/// The five sets of a thread (capabilities(7)).
struct sets {
  mask bounding = 0, permitted = 0, effective = 0, inheritable = 0, ambient = 0;
  auto operator==(const sets&) const -> bool = default;
};

/// What the kernel and the calling thread have to offer.
struct offer {
  mask known = 0;  ///< by the kernel
  sets held{};
};

/// What will be set, and what of the spec was left out.
struct decision {
  sets wanted{};
  std::vector<std::string> warnings{};
};

constexpr auto bit(int number) -> mask { return mask{1} << number; }

/// "CAP_KILL" for 5.
inline auto name_of(int number) -> std::string {
  const owned<char*, ::cap_free> lower{::cap_to_name(number)};
  std::string text{lower ? lower.get() : ""};
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

/// 5 for "CAP_KILL". Spelled exactly so: libcap alone would take "cap_kill" and "5" too.
inline auto number_of(const std::string& name) -> std::optional<int> {
  cap_value_t number = 0;
  if (::cap_from_name(name.c_str(), &number) != 0 || number >= 64 || name_of(number) != name) return std::nullopt;
  return number;
}

/// "[CAP_CHOWN CAP_KILL]", the way Go prints a list.
inline auto list(mask set) -> std::string {
  std::string text;
  for (int number = 0; number < 64; ++number)
    if ((set & bit(number)) != 0) text += (text.empty() ? "" : " ") + name_of(number);
  return "[" + text + "]";
}

namespace detail {

/// Collects the names that are no capability of this kernel.
inline auto to_mask(const spec::strings& names, mask known, std::set<std::string>& strangers) -> mask {
  mask set = 0;
  for (const auto& name : names) {
    const auto number = number_of(name);
    if (number && (known & bit(*number)) != 0)
      set |= bit(*number);
    else
      strangers.insert(name);
  }
  return set;
}

inline auto warning_about(const std::set<std::string>& strangers) -> std::string {
  std::string text;
  for (const auto& name : strangers) text += (text.empty() ? "" : " ") + name;
  return filled("ignoring unknown or unavailable capabilities: [{}]", text);
}

/// Lowers a set to what the kernel will grant, and says so.
inline void lower(mask& set, mask grantable, std::string_view which, std::vector<std::string>& warnings) {
  if (const mask excess = set & ~grantable; excess != 0)
    warnings.push_back(filled("capabilities cannot be made {}, left out: {}", which, list(excess)));
  set &= grantable;
}

}  // namespace detail

/// What the spec asks for as far as it can be had. No capabilities object means none at all, bounding
/// set included: runc keeps its own ones then, which nobody who leaves the object out means to ask for.
inline auto plan(const std::optional<spec::capabilities>& asked, const offer& from) -> decision {
  decision d;
  if (!asked) return d;
  std::set<std::string> strangers;
  d.wanted = {.bounding = detail::to_mask(asked->bounding, from.known, strangers) & from.held.bounding,
              .permitted = detail::to_mask(asked->permitted, from.known, strangers),
              .effective = detail::to_mask(asked->effective, from.known, strangers),
              .inheritable = detail::to_mask(asked->inheritable, from.known, strangers),
              .ambient = detail::to_mask(asked->ambient, from.known, strangers)};
  if (!strangers.empty()) d.warnings.push_back(detail::warning_about(strangers));
  // The rules of capset(2): it refuses the whole call if one bit breaks them.
  detail::lower(d.wanted.permitted, from.held.permitted, "permitted", d.warnings);
  detail::lower(d.wanted.effective, d.wanted.permitted, "effective", d.warnings);
  detail::lower(d.wanted.inheritable, from.held.permitted & d.wanted.bounding, "inheritable", d.warnings);
  return d;
}

namespace detail {

using handle = owned<cap_t, ::cap_free>;

inline auto flag_mask(cap_t state, cap_flag_t flag, mask known) -> mask {
  mask set = 0;
  for (int number = 0; number < 64 && (known & bit(number)) != 0; ++number)
    if (cap_flag_value_t value = CAP_CLEAR; ::cap_get_flag(state, number, flag, &value) == 0 && value == CAP_SET)
      set |= bit(number);
  return set;
}

inline auto mark(cap_t state, cap_flag_t flag, mask set) -> result<> {
  for (cap_value_t number = 0; number < 64; ++number)
    if ((set & bit(number)) != 0) OCITK_TRY(checked(::cap_set_flag(state, flag, 1, &number, CAP_SET), "cap_set_flag"));
  return {};
}

}  // namespace detail

/// Asks the kernel what it knows and what the calling thread has. By number until EINVAL, not by
/// cap_last_cap in /proc, which belongs to the image.
inline auto available() -> result<offer> {
  offer have;
  for (int number = 0; number < 64; ++number) {
    const auto bounding = sys::in_bounding_set(number);
    if (!bounding) break;
    have.known |= bit(number);
    if (*bounding) have.held.bounding |= bit(number);
    if (OCITK_TRY(sys::in_ambient_set(number))) have.held.ambient |= bit(number);
  }
  if (rehearsing() && watching->pretends()->has_every_capability()) {
    have.held.permitted = have.held.effective = have.known;
    return have;
  }
  const detail::handle state{::cap_get_proc()};
  if (!state) return failed("capget");
  have.held.permitted = detail::flag_mask(state.get(), CAP_PERMITTED, have.known);
  have.held.effective = detail::flag_mask(state.get(), CAP_EFFECTIVE, have.known);
  have.held.inheritable = detail::flag_mask(state.get(), CAP_INHERITABLE, have.known);
  return have;
}

/// Drops from the bounding set all that is not in `keep`.
inline auto limit(mask keep, const offer& have) -> result<> {
  for (int number = 0; number < 64; ++number)
    if ((have.held.bounding & ~keep & bit(number)) != 0)
      OCITK_TRY(trying(name_of(number), sys::drop_from_bounding_set(number)));
  return {};
}

/// Clears the ambient set, then raises one by one; what cannot be raised becomes a warning, as with runc.
inline auto raise_ambient(mask& wanted, std::vector<std::string>& warnings) -> result<> {
  OCITK_TRY(sys::clear_ambient());
  for (int number = 0; number < 64; ++number) {
    if ((wanted & bit(number)) == 0) continue;
    if (const auto raised = sys::raise_ambient(number); !raised) {
      warnings.push_back(
          filled("can't raise ambient capability {}: {}", name_of(number), errno_text(raised.error().code)));
      wanted &= ~bit(number);
    }
  }
  return {};
}

/// The kernel's word on what the thread ended up with; the bounding set is the other stage's.
inline auto confirm(const sets& wanted) -> result<> {
  if (rehearsing()) return {};  // nothing was set
  sets held = OCITK_TRY(available()).held;
  held.bounding = wanted.bounding;
  if (held != wanted) return failure("capabilities are not what was set: permitted " + list(held.permitted));
  return {};
}

namespace detail {

inline auto set(cap_t state, const sets& wanted) -> result<> {
  return checked(sys::kernel::call(effect::changes, "capset", [&] { return ::cap_set_proc(state); }, sys::kernel::succeed,
                                   [&] { return "permitted=" + list(wanted.permitted); },
                                   [&] { return "effective=" + list(wanted.effective); },
                                   [&] { return "inheritable=" + list(wanted.inheritable); }),
                 "capset");
}

}  // namespace detail

/// Calls    capset(2), prctl(2) PR_CAP_AMBIENT, then capget(2) to compare
inline auto apply(sets wanted, std::vector<std::string>& warnings) -> result<> {
  const detail::handle state{::cap_init()};
  if (!state) return failed("cap_init");
  OCITK_TRY(detail::mark(state.get(), CAP_PERMITTED, wanted.permitted));
  OCITK_TRY(detail::mark(state.get(), CAP_EFFECTIVE, wanted.effective));
  OCITK_TRY(detail::mark(state.get(), CAP_INHERITABLE, wanted.inheritable));
  OCITK_TRY(sys::clear_ambient());
  OCITK_TRY(detail::set(state.get(), wanted));
  OCITK_TRY(raise_ambient(wanted.ambient, warnings));
  OCITK_TRY(sys::keep_capabilities(false));
  return confirm(wanted);
}

}  // namespace ocitk::privileges::capabilities

#endif
