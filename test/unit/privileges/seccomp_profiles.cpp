#include "../../support/bpf_machine.hpp"

#include <ocitk/privileges/seccomp_program.hpp>
#include <ocitk/stages/seccomp.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <set>
#include <string>
#include <vector>

/// The default profiles of Podman and Docker: the assembler's filters against libseccomp's, call by call.
using namespace ocitk;
using nlohmann::json;
namespace program = privileges::seccomp;
using program::blueprint;

namespace {

using vector_of_args = std::array<std::uint64_t, 6>;
using values_of_args = std::array<std::set<std::uint64_t>, 6>;

auto has_any(const json& wanted, const std::set<std::string>& there) -> bool {
  return std::any_of(wanted.begin(), wanted.end(), [&](const json& w) { return there.contains(w.get<std::string>()); });
}

/// Does an entry of an engine's profile reach a container on x86_64 with these capabilities?
auto is_for(const json& entry, const std::set<std::string>& capabilities) -> bool {
  const auto in = entry.value("includes", json::object()), out = entry.value("excludes", json::object());
  for (const auto& c : in.value("caps", json::array()))
    if (!capabilities.contains(c.get<std::string>())) return false;
  if (in.contains("arches") && !has_any(in["arches"], {"amd64"})) return false;
  return !has_any(out.value("arches", json::array()), {"amd64"}) && !has_any(out.value("caps", json::array()), capabilities);
}

auto errno_of(const json& from, const char* key) -> std::optional<std::uint32_t> {
  return from.contains(key) ? std::optional{from[key].get<std::uint32_t>()} : std::nullopt;
}

/// An engine's profile as it gives it to the runtime.
auto for_runtime(const json& profile, const std::set<std::string>& capabilities) -> spec::seccomp {
  spec::seccomp s;
  s.default_action = profile["defaultAction"];
  s.default_errno_ret = errno_of(profile, "defaultErrnoRet");
  for (const auto& a : profile["archMap"])
    if (a["architecture"] == "SCMP_ARCH_X86_64") {
      s.architectures.push_back(a["architecture"]);
      for (const auto& sub : a["subArchitectures"]) s.architectures.push_back(sub);
    }
  for (const auto& entry : profile["syscalls"]) {
    if (!is_for(entry, capabilities)) continue;
    spec::syscall_rule r;
    r.names = entry["names"].get<spec::strings>();
    r.action = entry["action"];
    r.errno_ret = errno_of(entry, "errnoRet");
    for (const auto& a : entry["args"].is_array() ? entry["args"] : json::array())
      r.args.push_back({.index = a["index"], .value = a["value"], .value_two = a.value("valueTwo", std::uint64_t{0}), .op = a["op"]});
    s.syscalls.push_back(std::move(r));
  }
  return s;
}

/// Everything the profile can have to do with: its own capabilities, one by one and all together.
auto capabilities_of(const json& profile) -> std::vector<std::set<std::string>> {
  std::set<std::string> all;
  for (const auto& entry : profile["syscalls"])
    for (const auto* when : {"includes", "excludes"})
      for (const auto& c : entry.value(when, json::object()).value("caps", json::array())) all.insert(c.get<std::string>());
  return {{}, {"CAP_SYS_ADMIN"}, all};
}

auto around(std::uint64_t operand) -> std::set<std::uint64_t> {
  constexpr std::uint64_t high = 0xffffffff00000000;
  return {operand - 1, operand, operand + 1, operand | high, operand | (1ULL << 32U), operand & 0xffffffffU, (operand + 1) | (1ULL << 32U)};
}

/// For the calls of a number: values that its rules can tell apart, and some that they must not.
auto values_for(const blueprint& plan, std::uint32_t entry, std::uint32_t number) -> values_of_args {
  values_of_args values;
  for (auto& v : values) v = {0};
  bool any = false;
  const bool shares = entry == AUDIT_ARCH_I386 && (number == program::detail::socketcall || number == program::detail::ipc);
  for (const auto& r : plan.rules) {
    const auto resolved = [&](std::uint32_t token) { return ::seccomp_syscall_resolve_name_arch(token, r.syscall.c_str()); };
    const std::uint32_t token = entry != AUDIT_ARCH_X86_64 ? entry : (number & program::detail::x32_bit) != 0 ? SCMP_ARCH_X32 : SCMP_ARCH_X86_64;
    const bool of_shared = shares && program::detail::shared_call_of(r.syscall) != nullptr;
    if (!of_shared && resolved(token) != static_cast<int>(number)) continue;
    for (const auto& c : r.args) {
      any = true;
      values[c.arg].merge(around(c.datum_a));
      values[c.arg].merge(around(c.datum_b));
    }
  }
  if (shares)
    for (std::uint64_t kind = 0; kind < 30; ++kind) values[0].insert({kind, kind | (1ULL << 32U)});
  if (!any && !shares) values[0] = {0, 1, 5, 16, 0xffffffff, 0x100000000, ~0ULL};
  return values;
}

auto products(const values_of_args& values) -> std::vector<vector_of_args> {
  std::vector<vector_of_args> all{{}};
  for (std::size_t arg = 0; arg < values.size(); ++arg) {
    std::vector<vector_of_args> longer;
    for (auto one : all)
      for (const auto v : values[arg]) longer.push_back((one[arg] = v, one));
    all = std::move(longer);
  }
  return all;
}

auto numbers() -> std::vector<std::uint32_t> {
  std::vector<std::uint32_t> all{1000,       9000,       0x3fffffff, 0x40000000 + 9000, 0x7ffffffe, 0x7fffffff, 0x80000000,
                                 0x80000001, 0xbfffffff, 0xc0000000, 0xc0000001,        0xfffffffe, 0xffffffff};
  for (std::uint32_t n = 0; n <= 600; ++n) all.insert(all.end(), {n, program::detail::x32_bit | n});
  return all;
}

struct comparison {
  std::size_t calls = 0, differences = 0;
  std::string first{};
};

constexpr std::array<std::uint32_t, 7> entries{AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, AUDIT_ARCH_PPC64LE, 0, 0x40000000};

/// Every call that a profile can be asked about, by both filters.
auto compare(const blueprint& plan, const program::code& ours, const program::code& theirs) -> comparison {
  comparison seen;
  for (const auto entry : entries)
    for (const auto n : numbers())
      for (const auto& args : products(values_for(plan, entry, n))) {
        seccomp_data d{.nr = static_cast<int>(n), .arch = entry, .instruction_pointer = 0, .args = {}};
        std::copy(args.begin(), args.end(), d.args);
        const auto a = support::answer(ours, d), b = support::answer(theirs, d);
        ++seen.calls;
        if (a == b) continue;
        if (seen.differences++ == 0)
          seen.first = "arch " + std::to_string(entry) + " nr " + std::to_string(n) + " args " + std::to_string(args[0]) + ' ' + std::to_string(args[1]) + ' ' +
                       std::to_string(args[2]) + ": " + std::to_string(a) + " for " + std::to_string(b);
      }
  return seen;
}

auto check_profile(const char* path) -> void {
  std::ifstream file{path};
  if (!file) {
    MESSAGE("skipped: " << path << " is not here (scripts/install-deps --tests brings Docker's, containers-common Podman's)");
    return;
  }
  const auto profile = json::parse(file);
  using tokens = std::vector<std::uint32_t>;
  for (const auto& capabilities : capabilities_of(profile))
    for (const auto& architectures : std::vector<tokens>{{}, {SCMP_ARCH_X86_64}, {SCMP_ARCH_X86_64, SCMP_ARCH_X86}, {SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64}}) {
      auto plan = stages::seccomp::plan(for_runtime(profile, capabilities));
      REQUIRE(plan);
      if (!architectures.empty()) plan->architectures = architectures;
      CAPTURE(capabilities.size());
      CAPTURE(plan->architectures.size());
      const auto ours = program::program_of(*plan);
      const auto theirs = stages::seccomp::detail::by_libseccomp(*plan);
      REQUIRE(ours);
      REQUIRE(theirs);
      const auto seen = compare(*plan, *ours, *theirs);
      CHECK(seen.first == "");
      CHECK(seen.differences == 0);
      CHECK(seen.calls > 10000);
    }
}

}  // namespace

TEST_CASE("seccomp_profiles: Podman's, call by call, is libseccomp's" * doctest::skip(::seccomp_arch_native() != SCMP_ARCH_X86_64)) {
  check_profile("/usr/share/containers/seccomp.json");
}

TEST_CASE("seccomp_profiles: Docker's, call by call, is libseccomp's" * doctest::skip(::seccomp_arch_native() != SCMP_ARCH_X86_64)) {
  check_profile("/usr/local/share/ocitk-tests/docker-seccomp.json");
}
