#ifndef OCITK_PRIVILEGES_SECCOMP_PROGRAM_HPP
#define OCITK_PRIVILEGES_SECCOMP_PROGRAM_HPP

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Seccomp rules to instructions, in a hundredth of the time that libseccomp takes, with its answers. It is asked for the
/// numbers of system calls, and left to do it all where rules contradict each other or the machine is not known here.
///
/// Two errors of libseccomp 2.5.4, seen under the kernel, are not repeated. Of two rules for one call that look at different
/// arguments, one may be lost or let pass what neither allows: with ALLOW for `a0 != 5` and for `a0 != 9 && a1 == 5`, the call
/// (5, 0) passes. On i386 it misses calls that go through socketcall(2) or ipc(2) alone: accept, send, recv, semop, semtimedop.
namespace ocitk::privileges::seccomp {

/// Conditions that must all hold, for one system call.
struct rule {
  std::string syscall{};
  std::uint32_t action = 0;  ///< SCMP_ACT_*
  std::vector<scmp_arg_cmp> args{};
  std::size_t index = 0;  ///< its place in /linux/seccomp/syscalls
  [[nodiscard]] auto notifies() const -> bool { return action == SCMP_ACT_NOTIFY; }
};

/// The spec in libseccomp's terms; nothing was asked of libseccomp but names.
struct blueprint {
  std::uint32_t default_action = SCMP_ACT_ALLOW;
  std::vector<std::uint32_t> architectures{};  ///< SCMP_ARCH_*, native first
  std::vector<rule> rules{};
  std::vector<std::string> names{};  ///< every system call the spec mentions, rule or not
  /// Does some call wait for the answer of an agent?
  [[nodiscard]] auto listens() const -> bool {
    return std::any_of(rules.begin(), rules.end(), [](const auto& r) { return r.notifies(); });
  }
};

using code = std::vector<sock_filter>;

namespace detail {

inline constexpr std::uint32_t x32_bit = 0x40000000;

/// An action and when it is due. Of a 32-bit entry the upper halves of arguments are not looked at.
struct branch {
  bool narrow = false;
  std::uint32_t action = 0;
  std::vector<scmp_arg_cmp> conditions{};  ///< by argument, each named once
};

/// What becomes of one system call: always the same, or what a branch that holds says, or the default.
struct verdict {
  std::optional<std::uint32_t> always{};
  std::vector<branch> branches{};
};
using verdicts = std::map<std::uint32_t, verdict>;

inline auto holds(const scmp_arg_cmp& c, std::uint64_t value) -> bool {
  switch (c.op) {
    case SCMP_CMP_NE: return value != c.datum_a;
    case SCMP_CMP_LT: return value < c.datum_a;
    case SCMP_CMP_LE: return value <= c.datum_a;
    case SCMP_CMP_EQ: return value == c.datum_a;
    case SCMP_CMP_GE: return value >= c.datum_a;
    case SCMP_CMP_GT: return value > c.datum_a;
    default: return (value & c.datum_a) == c.datum_b;
  }
}

/// Can the two never hold together? True only where that is plain to see.
inline auto contradict(const scmp_arg_cmp& a, const scmp_arg_cmp& b) -> bool {
  if (a.arg != b.arg) return false;
  if (a.op == SCMP_CMP_EQ) return !holds(b, a.datum_a);
  if (b.op == SCMP_CMP_EQ) return !holds(a, b.datum_a);
  return a.op == SCMP_CMP_MASKED_EQ && b.op == SCMP_CMP_MASKED_EQ && ((a.datum_b ^ b.datum_b) & a.datum_a & b.datum_a) != 0;
}

inline auto exclude_each_other(const branch& a, const branch& b) -> bool {
  return std::any_of(a.conditions.begin(), a.conditions.end(), [&](const auto& one) {
    return std::any_of(b.conditions.begin(), b.conditions.end(), [&](const auto& other) { return contradict(one, other); });
  });
}

/// One more rule for a call. Without conditions the first stands alone, as with libseccomp: those come before all others.
///
/// Returns  false: it may hold together with a rule of another action, and libseccomp has to say what that means
inline auto add(verdict& v, branch b) -> bool {
  if (v.always) return true;
  if (b.conditions.empty()) {
    v = {.always = b.action};
    return true;
  }
  const auto contends = [&](const branch& known) { return known.action != b.action && !exclude_each_other(known, b); };
  if (std::any_of(v.branches.begin(), v.branches.end(), contends)) return false;
  v.branches.push_back(std::move(b));
  return true;
}

/// By argument; without what always holds; with what a comparison sees of the numbers.
inline auto tidy(std::vector<scmp_arg_cmp> conditions, bool narrow) -> std::vector<scmp_arg_cmp> {
  for (auto& c : conditions) {
    if (narrow) c.datum_a &= 0xffffffffU;
    if (c.op == SCMP_CMP_MASKED_EQ) c.datum_b &= c.datum_a;
  }
  std::erase_if(conditions, [](const auto& c) { return c.op == SCMP_CMP_MASKED_EQ && c.datum_a == 0; });
  std::sort(conditions.begin(), conditions.end(), [](const auto& a, const auto& b) { return a.arg < b.arg; });
  return conditions;
}

/// On i386 some calls go through one that they share, with their kind as its first argument; most came to have a number
/// of their own later.
struct shared_call {
  std::string_view name{};
  std::uint32_t entry = 0, kind = 0, own = 0;  ///< own: 0 if there is none
};
inline constexpr std::uint32_t socketcall = 102, ipc = 117;
inline constexpr std::array<shared_call, 32> shared_calls{{
    {"socket", socketcall, 1, 359},      {"bind", socketcall, 2, 361},        {"connect", socketcall, 3, 362},
    {"listen", socketcall, 4, 363},      {"accept", socketcall, 5, 0},        {"getsockname", socketcall, 6, 367},
    {"getpeername", socketcall, 7, 368}, {"socketpair", socketcall, 8, 360},  {"send", socketcall, 9, 0},
    {"recv", socketcall, 10, 0},         {"sendto", socketcall, 11, 369},     {"recvfrom", socketcall, 12, 371},
    {"shutdown", socketcall, 13, 373},   {"setsockopt", socketcall, 14, 366}, {"getsockopt", socketcall, 15, 365},
    {"sendmsg", socketcall, 16, 370},    {"recvmsg", socketcall, 17, 372},    {"accept4", socketcall, 18, 364},
    {"recvmmsg", socketcall, 19, 337},   {"sendmmsg", socketcall, 20, 345},   {"semop", ipc, 1, 0},
    {"semget", ipc, 2, 393},             {"semctl", ipc, 3, 394},             {"semtimedop", ipc, 4, 0},
    {"msgsnd", ipc, 11, 400},            {"msgrcv", ipc, 12, 401},            {"msgget", ipc, 13, 399},
    {"msgctl", ipc, 14, 402},            {"shmat", ipc, 21, 397},             {"shmdt", ipc, 22, 398},
    {"shmget", ipc, 23, 395},            {"shmctl", ipc, 24, 396},
}};

inline auto shared_call_of(std::string_view name) -> const shared_call* {
  const auto found = std::find_if(shared_calls.begin(), shared_calls.end(), [&](const auto& s) { return s.name == name; });
  return found == shared_calls.end() ? nullptr : &*found;
}

/// What is behind the first argument of the shared call cannot be seen: conditions on the call's own first are left out.
inline auto add_shared(verdicts& all, const rule& r, const shared_call& s) -> bool {
  if (s.own == 0 && !r.args.empty()) return false;
  std::vector<scmp_arg_cmp> conditions{{.arg = 0, .op = SCMP_CMP_EQ, .datum_a = s.kind, .datum_b = 0}};
  for (const auto& c : r.args)
    if (c.arg != 0) conditions.push_back(c);
  if (!add(all[s.entry], {.narrow = true, .action = r.action, .conditions = tidy(std::move(conditions), true)})) return false;
  return s.own == 0 || add(all[s.own], {.narrow = true, .action = r.action, .conditions = tidy(r.args, true)});
}

inline auto add_rule(verdicts& all, const rule& r, std::uint32_t token) -> bool {
  if (const auto* shared = shared_call_of(r.syscall); shared != nullptr && token == SCMP_ARCH_X86) return add_shared(all, r, *shared);
  const int number = ::seccomp_syscall_resolve_name_arch(token, r.syscall.c_str());
  if (number < 0) return true;  // no call of this entry
  const bool narrow = token == SCMP_ARCH_X86 || token == SCMP_ARCH_X32;
  return add(all[static_cast<std::uint32_t>(number)], {.narrow = narrow, .action = r.action, .conditions = tidy(r.args, narrow)});
}

inline auto add_rules(verdicts& all, const std::vector<rule>& rules, std::uint32_t token) -> bool {
  for (const bool with_conditions : {false, true})
    for (const auto& r : rules)
      if (r.args.empty() != with_conditions && !add_rule(all, r, token)) return false;
  return true;
}

/// Numbers from `first` up to the next stretch.
struct stretch {
  std::uint32_t first = 0, action = 0;
  const std::vector<branch>* branches = nullptr;  ///< none: the action is all
};

inline auto stretches(const verdicts& all, std::uint32_t by_default, bool without_x32) -> std::vector<stretch> {
  std::vector<stretch> list;
  const auto put = [&](stretch s) {
    if (list.empty() || s.branches != nullptr || list.back().branches != nullptr || list.back().action != s.action) list.push_back(s);
  };
  std::uint32_t next = 0;
  for (const auto& [number, v] : all) {
    if (number > next) put({.first = next, .action = by_default});
    put(v.always ? stretch{.first = number, .action = *v.always} : stretch{.first = number, .action = by_default, .branches = &v.branches});
    next = number + 1;
  }
  put({.first = next, .action = by_default});
  if (!without_x32) return list;
  put({.first = x32_bit, .action = SCMP_ACT_KILL_PROCESS});
  put({.first = ~0U, .action = by_default});  // what a tracer sets to have a call left out
  return list;
}

/// Of one argument, for `if`s that go to the end of the branch where a condition does not hold.
class branch_writer {
 public:
  explicit branch_writer(bool narrow) : narrow_{narrow} {}

  auto add(const scmp_arg_cmp& c) -> void {
    const auto base = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + c.arg * sizeof(std::uint64_t));
    low_ = base;
    high_ = base + 4;
    const auto low = static_cast<std::uint32_t>(c.datum_a), high = static_cast<std::uint32_t>(c.datum_a >> 32U);
    switch (c.op) {
      case SCMP_CMP_EQ: return equal(low, high);
      case SCMP_CMP_NE: return differs(low, high);
      case SCMP_CMP_GE: return above(BPF_JGE, low, high);
      case SCMP_CMP_GT: return above(BPF_JGT, low, high);
      case SCMP_CMP_LT: return below(BPF_JGE, low, high);
      case SCMP_CMP_LE: return below(BPF_JGT, low, high);
      default: return masked(c.datum_a, c.datum_b);
    }
  }
  /// The branch, and where it ends what stands behind it is next.
  auto end(std::uint32_t action) && -> code {
    out_.push_back(BPF_STMT(BPF_RET | BPF_K, action));
    for (const auto& [at, if_true] : exits_)
      (if_true ? out_[at].jt : out_[at].jf) = static_cast<std::uint8_t>(out_.size() - at - 1);
    return std::move(out_);
  }

 private:
  enum class when { yes, no };
  auto load(std::uint32_t offset) -> void { out_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }
  auto leave_if(when answer, unsigned test, std::uint32_t value) -> void {
    exits_.emplace_back(out_.size(), answer == when::yes);
    out_.push_back(BPF_JUMP(BPF_JMP | test | BPF_K, value, 0, 0));
  }
  /// Over the next instructions if so: the condition holds.
  auto skip_if(unsigned test, std::uint32_t value, std::uint8_t count) -> void {
    out_.push_back(BPF_JUMP(BPF_JMP | test | BPF_K, value, count, 0));
  }
  auto equal(std::uint32_t low, std::uint32_t high) -> void {
    if (!narrow_) load(high_), leave_if(when::no, BPF_JEQ, high);
    load(low_);
    leave_if(when::no, BPF_JEQ, low);
  }
  auto differs(std::uint32_t low, std::uint32_t high) -> void {
    if (!narrow_) {
      load(high_);
      out_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 2));
    }
    load(low_);
    leave_if(when::yes, BPF_JEQ, low);
  }
  auto above(unsigned test, std::uint32_t low, std::uint32_t high) -> void {
    if (!narrow_) load(high_), skip_if(BPF_JGT, high, 3), leave_if(when::no, BPF_JEQ, high);
    load(low_);
    leave_if(when::no, test, low);
  }
  auto below(unsigned test, std::uint32_t low, std::uint32_t high) -> void {
    if (!narrow_) {
      load(high_);
      leave_if(when::yes, BPF_JGT, high);
      out_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 2));
    }
    load(low_);
    leave_if(when::yes, test, low);
  }
  auto masked(std::uint64_t mask, std::uint64_t value) -> void {
    const auto half = [&](std::uint32_t offset, unsigned shift) {
      const auto bits = static_cast<std::uint32_t>(mask >> shift);
      if (bits == 0) return;
      load(offset);
      out_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits));
      leave_if(when::no, BPF_JEQ, static_cast<std::uint32_t>(value >> shift));
    };
    if (!narrow_) half(high_, 32);
    half(low_, 0);
  }

  bool narrow_;
  std::uint32_t low_ = 0, high_ = 0;
  code out_{};
  std::vector<std::pair<std::size_t, bool>> exits_{};
};

inline auto append(code& to, const code& what) -> void { to.insert(to.end(), what.begin(), what.end()); }

inline auto leaf(const stretch& s) -> code {
  code out;
  if (s.branches != nullptr)
    for (const auto& b : *s.branches) {
      branch_writer writer{b.narrow};
      for (const auto& c : b.conditions) writer.add(c);
      append(out, std::move(writer).end(b.action));
    }
  out.push_back(BPF_STMT(BPF_RET | BPF_K, s.action));
  return out;
}

/// Halves the stretches until one is left: a number is found in as many comparisons as there are halvings.
inline auto tree(const stretch* first, const stretch* last) -> code {
  if (last - first == 1) return leaf(*first);
  const auto* middle = first + (last - first) / 2;
  const auto left = tree(first, middle), right = tree(middle, last);
  constexpr std::size_t farthest = 255;
  code out;
  if (left.size() <= farthest) {
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, middle->first, static_cast<std::uint8_t>(left.size()), 0));
  } else {
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, middle->first, 0, 1));
    out.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(left.size())));
  }
  append(out, left);
  append(out, right);
  return out;
}

/// Entries whose calls are plain numbers, or shared as on i386.
inline auto is_plain(std::uint32_t token) -> bool {
  return token == SCMP_ARCH_X86_64 || token == SCMP_ARCH_X32 || token == SCMP_ARCH_X86 || token == SCMP_ARCH_AARCH64;
}

}  // namespace detail

/// The instructions for a blueprint; another entry to the kernel than those it names kills.
///
/// Returns  nothing where libseccomp has to do it: architectures beyond x86 and arm64, rules of different actions for
///          one call that may hold together
inline auto program_of(const blueprint& plan) -> std::optional<code> {
  if constexpr (std::endian::native != std::endian::little) return std::nullopt;
  std::map<std::uint32_t, detail::verdicts> entries;  // by AUDIT_ARCH_*
  for (const auto token : plan.architectures) {
    if (!detail::is_plain(token)) return std::nullopt;
    const std::uint32_t entry = token == SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : token;  // told apart by a bit of the number
    if (!detail::add_rules(entries[entry], plan.rules, token)) return std::nullopt;
  }
  const bool x32 = std::find(plan.architectures.begin(), plan.architectures.end(), SCMP_ARCH_X32) != plan.architectures.end();
  code out{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch))};
  for (const auto& [entry, all] : entries) {
    const auto list = detail::stretches(all, plan.default_action, entry == AUDIT_ARCH_X86_64 && !x32);
    const auto section = detail::tree(list.data(), list.data() + list.size());
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, entry, 1, 0));
    out.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(section.size() + 1)));
    out.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    detail::append(out, section);
  }
  out.push_back(BPF_STMT(BPF_RET | BPF_K, SCMP_ACT_KILL_PROCESS));
  return out;
}

}  // namespace ocitk::privileges::seccomp

#endif
