#include "../../support/bpf_machine.hpp"

#include <ocitk/privileges/seccomp_program.hpp>
#include <ocitk/stages/seccomp.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

using namespace ocitk;
namespace program = privileges::seccomp;
using program::blueprint, program::rule;

namespace {

constexpr std::array<std::uint32_t, 4> entries{AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_PPC64LE};

/// Numbers around all that there are, and the argument values around those of the rules.
auto numbers() -> std::vector<std::uint32_t> {
  std::vector<std::uint32_t> all{0x3fffffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
  for (std::uint32_t n = 0; n < 600; ++n) all.insert(all.end(), {n, 0x40000000U | n});
  return all;
}

auto told(const seccomp_data& d, std::uint32_t ours, std::uint32_t theirs) -> std::string {
  std::string text = "arch " + std::to_string(d.arch) + " nr " + std::to_string(d.nr) + " args";
  for (const auto a : d.args) text += " " + std::to_string(a);
  return text + ": " + std::to_string(ours) + " for " + std::to_string(theirs);
}

using arguments = std::vector<std::array<std::uint64_t, 6>>;

/// The first call that the two answer differently; empty: there is none.
template <class Other>
auto first_difference(const blueprint& plan, const arguments& list, Other other) -> std::string {
  const auto ours = program::program_of(plan);
  if (!ours) return "left to libseccomp";
  for (const auto entry : entries)
    for (const auto n : numbers())
      for (const auto& args : list) {
        seccomp_data d{.nr = static_cast<int>(n), .arch = entry, .instruction_pointer = 0, .args = {}};
        std::copy(args.begin(), args.end(), d.args);
        const auto a = support::answer(*ours, d), b = other(d);
        if (a != b) return told(d, a, b);
      }
  return {};
}

/// From libseccomp's filter.
auto difference(const blueprint& plan, const arguments& list) -> std::string {
  const auto theirs = stages::seccomp::detail::by_libseccomp(plan);
  if (!theirs) return "libseccomp: " + to_string(theirs.error());
  return first_difference(plan, list, [&](const seccomp_data& d) { return support::answer(*theirs, d); });
}

/// From what the rules say, on x86_64 and x32; they have no calls that share a number.
auto deviation(const blueprint& plan, const arguments& list) -> std::string {
  const auto truth = [&](const seccomp_data& d) -> std::uint32_t {
    const auto number = static_cast<std::uint32_t>(d.nr);
    const bool narrow = (number & 0x40000000U) != 0;
    std::optional<std::uint32_t> said;
    for (const auto& r : plan.rules) {
      const int of_rule = ::seccomp_syscall_resolve_name_arch(narrow ? SCMP_ARCH_X32 : SCMP_ARCH_X86_64, r.syscall.c_str());
      if (of_rule < 0 || of_rule != d.nr) continue;
      if (r.args.empty()) return r.action;
      const bool all = std::all_of(r.args.begin(), r.args.end(), [&](auto c) {
        const std::uint64_t seen = narrow ? 0xffffffffU : ~0ULL;
        c.datum_a &= seen;
        c.datum_b &= c.datum_a;
        return program::detail::holds(c, d.args[c.arg] & seen);
      });
      if (all) said = r.action;
    }
    return said.value_or(plan.default_action);
  };
  const auto code = program::program_of(plan);
  return first_difference(plan, list, [&](const seccomp_data& d) { return d.arch == AUDIT_ARCH_X86_64 ? truth(d) : support::answer(*code, d); });
}

const std::vector<std::uint32_t> x86{SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32};
const std::vector<std::array<std::uint64_t, 6>> plain{{0, 0, 0, 0, 0, 0}, {1, 2, 9, 0, 0, 0}, {16, 3, 9, 0, 0, 0}};

auto eq(unsigned arg, std::uint64_t value) -> scmp_arg_cmp { return {.arg = arg, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0}; }
auto ne(unsigned arg, std::uint64_t value) -> scmp_arg_cmp { return {.arg = arg, .op = SCMP_CMP_NE, .datum_a = value, .datum_b = 0}; }

/// Some rules for some calls, one action each, the same for all of a call.
auto some_rules(std::mt19937& dice, std::size_t count) -> std::vector<rule> {
  constexpr std::array<const char*, 24> names{"read", "write", "openat2", "clone", "clone3", "socket", "bind", "socketcall", "ipc", "semget",
                                              "shmget", "msgctl", "personality", "umask", "ioctl", "stat64", "mmap2", "futex", "futex_time64",
                                              "sendmsg", "listen", "close_range", "no_such_call", "setrlimit"};
  constexpr std::array<std::uint64_t, 8> values{0, 1, 5, 16, 0xffffffff, 0x100000005, 0x7e020000, ~0ULL};
  const auto pick = [&](const auto& from) { return from[dice() % from.size()]; };
  constexpr std::array<scmp_compare, 7> operators{SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ};
  std::vector<rule> rules;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t which = dice() % names.size();
    rule r{.syscall = names[which], .action = which % 3 == 0 ? SCMP_ACT_ERRNO(static_cast<std::uint32_t>(which)) : SCMP_ACT_ALLOW};
    const bool shared = which >= 5 && which <= 11;  // several names are one call on i386: one action for all
    if (shared || names[which] == std::string{"sendmsg"} || names[which] == std::string{"listen"}) r.action = SCMP_ACT_ALLOW;
    for (unsigned arg = 0; arg < 3; ++arg)
      if (dice() % 3 == 0) r.args.push_back({.arg = arg, .op = pick(operators), .datum_a = pick(values), .datum_b = pick(values)});
    rules.push_back(std::move(r));
  }
  return rules;
}

}  // namespace

TEST_CASE("seccomp_program: what each condition lets through is what libseccomp's does") {
  const std::vector<std::array<std::uint64_t, 6>> values{{4}, {5}, {6}, {0x100000005}, {0x100000004}, {0x100000006}, {0x200000005}, {0}, {~0ULL}, {0xffffffff}};
  for (const auto op : {SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ})
    for (const std::uint64_t value : {0ULL, 5ULL, 0x100000005ULL, ~0ULL, 0xffffffffULL, 0x100000000ULL}) {
      CAPTURE(op);
      CAPTURE(value);
      const blueprint plan{.default_action = SCMP_ACT_ERRNO(1), .architectures = x86,
                           .rules = {{.syscall = "umask", .action = SCMP_ACT_ALLOW, .args = {{.arg = 0, .op = op, .datum_a = value, .datum_b = 5}}}}};
      CHECK(difference(plan, values) == "");
    }
}

TEST_CASE("seccomp_program: any rules have the answers they ask for, and libseccomp's") {
  std::mt19937 dice{7};
  const std::vector<std::array<std::uint64_t, 6>> values{{0, 0, 0}, {5, 5, 5}, {1, 16, 0x100000005}, {~0ULL, 1, 0xffffffff}, {0x7e020000, 4, 6}};
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    const auto rules = some_rules(dice, 1 + dice() % 30);
    const auto default_action = round % 4 == 0 ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(99);
    const auto list = round % 3 == 0 ? std::vector<std::uint32_t>{SCMP_ARCH_X86_64} : round % 3 == 1 ? x86 : std::vector<std::uint32_t>{SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64};
    if (round % 3 == 1) CHECK(deviation({.default_action = default_action, .architectures = list, .rules = rules}, values) == "");
    // Of several rules for one call libseccomp 2.5.4 loses some; rules with < and > are compared one by one above.
    auto apart = rules;
    std::erase_if(apart, [](const auto& r) {
      return std::any_of(r.args.begin(), r.args.end(), [](const auto& c) { return c.op != SCMP_CMP_EQ && c.op != SCMP_CMP_NE && c.op != SCMP_CMP_MASKED_EQ; });
    });
    std::sort(apart.begin(), apart.end(), [](const auto& a, const auto& b) { return a.syscall < b.syscall; });
    apart.erase(std::unique(apart.begin(), apart.end(), [](const auto& a, const auto& b) { return a.syscall == b.syscall; }), apart.end());
    CHECK(difference({.default_action = default_action, .architectures = list, .rules = apart}, values) == "");
  }
}

TEST_CASE("seccomp_program: calls that i386 shares") {
  for (const auto& shared : program::detail::shared_calls) {
    CAPTURE(shared.name);
    if (shared.own == 0) {  // libseccomp 2.5.4 forgets that i386 has the call
      const auto code = program::program_of({.default_action = SCMP_ACT_ALLOW, .architectures = x86, .rules = {{.syscall = std::string{shared.name}, .action = SCMP_ACT_ERRNO(1)}}});
      REQUIRE(code);
      const auto says = [&](std::uint64_t kind) {
        return support::answer(*code, {.nr = static_cast<int>(shared.entry), .arch = AUDIT_ARCH_I386, .instruction_pointer = 0, .args = {kind}});
      };
      CHECK(says(shared.kind) == SCMP_ACT_ERRNO(1));
      CHECK(says(shared.kind + 1) == SCMP_ACT_ALLOW);
      continue;
    }
    for (const auto& args : std::vector<std::vector<scmp_arg_cmp>>{{}, {eq(0, 16)}, {ne(2, 9)}, {eq(0, 16), eq(2, 9)}}) {
      const blueprint plan{.default_action = SCMP_ACT_ERRNO(1), .architectures = x86,
                           .rules = {{.syscall = std::string{shared.name}, .action = SCMP_ACT_ALLOW, .args = args}}};
      std::vector<std::array<std::uint64_t, 6>> values;
      for (std::uint64_t kind = 0; kind < 26; ++kind) values.insert(values.end(), {{kind, 0, 9}, {kind, 0, 8}});
      CHECK(difference(plan, values) == "");
    }
  }
}

TEST_CASE("seccomp_program: rules of several actions for one call") {
  const auto with = [](std::vector<rule> rules) {
    const blueprint plan{.default_action = SCMP_ACT_ERRNO(38), .architectures = x86, .rules = std::move(rules)};
    return program::program_of(plan) ? difference(plan, plain) : "left to libseccomp";
  };
  const std::uint32_t allow = SCMP_ACT_ALLOW, deny = SCMP_ACT_ERRNO(22);
  SUBCASE("they exclude each other, in any order") {
    std::vector<rule> rules{{.syscall = "fsync", .action = deny, .args = {eq(0, 16), eq(2, 9)}},
                            {.syscall = "fsync", .action = allow, .args = {ne(2, 9)}},
                            {.syscall = "fsync", .action = allow, .args = {ne(0, 16)}}};
    std::sort(rules.begin(), rules.end(), [](const auto& a, const auto& b) { return a.action < b.action; });
    for (int i = 0; i < 3; ++i) {
      std::rotate(rules.begin(), rules.begin() + 1, rules.end());
      const auto code = program::program_of({.default_action = SCMP_ACT_ERRNO(38), .architectures = {SCMP_ARCH_X86_64}, .rules = rules});
      REQUIRE(code);
      const auto says = [&](std::uint64_t first, std::uint64_t third) {
        return support::answer(*code, {.nr = 74, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = 0, .args = {first, 0, third}});
      };
      CHECK(says(16, 9) == deny);
      CHECK(says(16, 8) == allow);
      CHECK(says(1, 9) == allow);
      CHECK(says(1, 8) == allow);
    }
  }
  SUBCASE("the first without conditions stands, wherever it is") {
    CHECK(with({{.syscall = "umask", .action = deny, .args = {eq(0, 1)}}, {.syscall = "umask", .action = allow}}) == "");
    CHECK(with({{.syscall = "umask", .action = allow}, {.syscall = "umask", .action = deny, .args = {eq(0, 1)}}}) == "");
    CHECK(with({{.syscall = "umask", .action = allow}, {.syscall = "umask", .action = deny}}) == "");
  }
  SUBCASE("they contend") {
    for (const auto& other : std::vector<std::vector<scmp_arg_cmp>>{{eq(1, 2)}, {eq(0, 1)}, {eq(0, 1), eq(1, 2)}, {ne(0, 2)}})
      CHECK(with({{.syscall = "umask", .action = deny, .args = {eq(0, 1)}}, {.syscall = "umask", .action = allow, .args = other}}) == "left to libseccomp");
    CHECK(with({{.syscall = "bind", .action = deny, .args = {eq(0, 1)}}, {.syscall = "bind", .action = allow, .args = {ne(0, 1)}}}) ==
          "left to libseccomp");  // i386 cannot tell them apart
  }
}

TEST_CASE("seccomp_program: what can contradict") {
  const auto masked = [](std::uint64_t mask, std::uint64_t value) { return scmp_arg_cmp{.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value}; };
  const auto than = [](scmp_compare op, std::uint64_t value) { return scmp_arg_cmp{.arg = 0, .op = op, .datum_a = value, .datum_b = 0}; };
  using program::detail::contradict;
  CHECK(contradict(eq(0, 1), eq(0, 2)));
  CHECK(contradict(ne(0, 1), eq(0, 1)));
  CHECK(contradict(eq(0, 6), masked(4, 0)));
  CHECK(contradict(masked(6, 2), masked(2, 0)));
  CHECK(contradict(eq(0, 5), than(SCMP_CMP_LT, 5)));
  CHECK(contradict(than(SCMP_CMP_GT, 5), eq(0, 5)));
  CHECK_FALSE(contradict(eq(0, 5), than(SCMP_CMP_LE, 5)));
  CHECK_FALSE(contradict(eq(0, 5), than(SCMP_CMP_GE, 5)));
  CHECK_FALSE(contradict(eq(0, 1), eq(1, 2)));
  CHECK_FALSE(contradict(eq(0, 1), eq(0, 1)));
  CHECK_FALSE(contradict(masked(6, 2), masked(1, 1)));
}

TEST_CASE("seccomp_program: architectures it does not know are libseccomp's") {
  CHECK_FALSE(program::program_of({.architectures = {SCMP_ARCH_X86_64, SCMP_ARCH_MIPS}}));
  CHECK_FALSE(program::program_of({.architectures = {SCMP_ARCH_S390X}}));
}
