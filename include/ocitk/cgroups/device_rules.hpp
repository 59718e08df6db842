#ifndef OCITK_CGROUPS_DEVICE_RULES_HPP
#define OCITK_CGROUPS_DEVICE_RULES_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/sys/kernel/call.hpp>
#include <ocitk/text.hpp>

#include <linux/bpf.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Device rules of a spec, for either kind of cgroup: one exact list for v1, one BPF program for v2.
namespace ocitk::cgroups::devices {

/// What a container may use whatever its spec says, told after its own rules.
inline auto default_rules() -> std::vector<spec::device_rule> {
  const auto allow = [](const char* type, std::optional<std::int64_t> major, std::optional<std::int64_t> minor,
                        const char* access) {
    return spec::device_rule{.allow = true, .type = type, .major = major, .minor = minor, .access = access};
  };
  return {allow("c", {}, {}, "m"), allow("b", {}, {}, "m"),
          allow("c", 1, 3, "rwm"), allow("c", 1, 5, "rwm"), allow("c", 1, 7, "rwm"),  // null zero full
          allow("c", 5, 0, "rwm"), allow("c", 1, 8, "rwm"), allow("c", 1, 9, "rwm"),  // tty random urandom
          allow("c", 136, {}, "rwm"), allow("c", 5, 2, "rwm"), allow("c", 10, 200, "rwm")};  // pts ptmx tun
}

/// A rule in the terms of the kernel.
struct rule {
  bool allow = false;
  char type = 'a';                  ///< 'a', 'b', 'c'
  std::int64_t major = -1, minor = -1;  ///< -1: any
  unsigned access = 7;              ///< BPF_DEVCG_ACC_MKNOD 1, READ 2, WRITE 4
  auto operator==(const rule&) const -> bool = default;
};

inline constexpr unsigned all_access = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

inline auto is_everything(const rule& r) -> bool {
  return r.type == 'a' && r.major < 0 && r.minor < 0 && r.access == all_access;
}

namespace detail {

inline auto access_bits(std::string_view letters) -> result<unsigned> {
  unsigned bits = 0;
  for (const char c : letters) {
    if (c != 'r' && c != 'w' && c != 'm') return failure(filled("invalid device access {}", letters));
    bits |= c == 'r' ? BPF_DEVCG_ACC_READ : c == 'w' ? BPF_DEVCG_ACC_WRITE : BPF_DEVCG_ACC_MKNOD;
  }
  return bits;
}

inline auto read_rule(const spec::device_rule& from, std::size_t index) -> result<rule> {
  if (from.access.empty()) return failure(filled("device access at {} field cannot be empty", index));
  const auto type = from.type.empty() ? std::string{"a"} : from.type;
  if (type != "a" && type != "b" && type != "c") return failure("invalid device type " + type);
  return rule{.allow = from.allow, .type = type[0], .major = from.major.value_or(-1),
              .minor = from.minor.value_or(-1), .access = OCITK_TRY(access_bits(from.access))};
}

}  // namespace detail

/// The rules of the spec and then the default ones.
///
/// Reads  /linux/resources/devices
/// Fails  an empty access, an unknown type or letter
inline auto rules_of(const std::vector<spec::device_rule>& from) -> result<std::vector<rule>> {
  std::vector<rule> rules;
  for (std::size_t i = 0; i < from.size(); ++i)
    rules.push_back(
        OCITK_TRY(at(filled("/linux/resources/devices/{}", i), detail::read_rule(from[i], i))));
  for (const auto& extra : default_rules()) rules.push_back(OCITK_TRY(detail::read_rule(extra, rules.size())));
  return rules;
}

/// What v1 can hold: one default and a list of exceptions from it.
struct exceptions {
  bool default_allow = false;
  std::vector<rule> rules{};  ///< each the opposite of the default
  auto operator==(const exceptions&) const -> bool = default;
};

namespace detail {

inline auto same_devices(const rule& a, const rule& b) -> bool {
  return a.type == b.type && a.major == b.major && a.minor == b.minor;
}

inline auto overlap(const rule& a, const rule& b) -> bool {
  const auto meet = [](std::int64_t x, std::int64_t y) { return x < 0 || y < 0 || x == y; };
  return (a.type == b.type || a.type == 'a' || b.type == 'a') && meet(a.major, b.major) && meet(a.minor, b.minor) &&
         (a.access & b.access) != 0;
}

inline auto covers(const rule& wide, const rule& narrow) -> bool {
  return (wide.type == 'a' || wide.type == narrow.type) && (wide.major < 0 || wide.major == narrow.major) &&
         (wide.minor < 0 || wide.minor == narrow.minor);
}

inline auto add(std::vector<rule>& list, const rule& r) -> void {
  for (auto& old : list) {
    if (!same_devices(old, r)) continue;
    old.access |= r.access;
    return;
  }
  list.push_back(r);
}

/// Takes access away again. An exception can lose it for all of its devices or for none.
inline auto subtract(std::vector<rule>& list, const rule& r) -> result<> {
  for (auto& old : list) {
    if (!overlap(old, r)) continue;
    if (!covers(r, old)) return failure("cannot punch hole in existing wildcard rule");
    old.access &= ~r.access;
  }
  std::erase_if(list, [](const rule& old) { return old.access == 0; });
  return {};
}

}  // namespace detail

namespace detail {

inline auto play(exceptions& now, rule r) -> result<> {
  if (is_everything(r)) {
    now = {.default_allow = r.allow, .rules = {}};
    return {};
  }
  if (r.type == 'a') {  // to v1 "a" means everything, whatever numbers and access follow it
    for (const char type : {'b', 'c'}) {
      r.type = type;
      OCITK_TRY(play(now, r));
    }
    return {};
  }
  if (r.allow == now.default_allow) return subtract(now.rules, r);
  add(now.rules, r);
  return {};
}

}  // namespace detail

/// Plays the rules in order, starting from "nothing is allowed".
///
/// Fails  where v1 has no words for the result: an exception from an exception
inline auto as_exceptions(const std::vector<rule>& rules) -> result<exceptions> {
  exceptions now;
  for (std::size_t i = 0; i < rules.size(); ++i)
    OCITK_TRY(at(filled("/linux/resources/devices/{}", i), detail::play(now, rules[i])));
  return now;
}

/// "c 1:3 rwm", as devices.allow and devices.deny take it.
inline auto to_line(const rule& r) -> std::string {
  const auto number = [](std::int64_t n) { return n < 0 ? std::string{"*"} : std::to_string(n); };
  std::string access;
  if ((r.access & BPF_DEVCG_ACC_READ) != 0) access += 'r';
  if ((r.access & BPF_DEVCG_ACC_WRITE) != 0) access += 'w';
  if ((r.access & BPF_DEVCG_ACC_MKNOD) != 0) access += 'm';
  return filled("{} {}:{} {}", r.type, number(r.major), number(r.minor), access);
}

namespace detail {

/// What of a list another one does not have.
inline auto beyond(const std::vector<rule>& list, const std::vector<rule>& other) -> std::vector<rule> {
  std::vector<rule> rest;
  for (auto r : list) {
    for (const auto& o : other)
      if (same_devices(o, r)) r.access &= ~o.access;
    if (r.access != 0) rest.push_back(r);
  }
  return rest;
}

}  // namespace detail

/// The rules to write, in order, to a v1 cgroup that holds the first list, to get the second: what both allow is
/// allowed all the time, and what others added to the list stays.
inline auto transition(const exceptions& from, const exceptions& to) -> std::vector<rule> {
  std::vector<rule> steps;
  const auto add = [&](const std::vector<rule>& list, bool allow) {
    for (auto r : list) {
      r.allow = allow;
      steps.push_back(r);
    }
  };
  if (from.default_allow != to.default_allow) {
    steps.push_back({.allow = to.default_allow});  // this clears the list
    add(to.rules, !to.default_allow);
    return steps;
  }
  const auto fresh = detail::beyond(to.rules, from.rules), gone = detail::beyond(from.rules, to.rules);
  add(to.default_allow ? gone : fresh, true);
  add(to.default_allow ? fresh : gone, false);
  return steps;
}

using program = std::vector<bpf_insn>;

namespace detail {

inline auto insn(int code, int dst, int src, int offset, std::int64_t value) -> bpf_insn {
  return {.code = static_cast<std::uint8_t>(code), .dst_reg = static_cast<std::uint8_t>(dst & 15),
          .src_reg = static_cast<std::uint8_t>(src & 15), .off = static_cast<std::int16_t>(offset),
          .imm = static_cast<std::int32_t>(value)};
}

constexpr int kind = BPF_REG_2, asked = BPF_REG_3, major_number = BPF_REG_4, minor_number = BPF_REG_5;

inline auto add_verdict(program& p, bool allow) -> void {
  p.push_back(insn(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow ? 1 : 0));
  p.push_back(insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

/// `struct bpf_cgroup_dev_ctx`: (access << 16 | type), major, minor.
inline auto prologue() -> program {
  return {insn(BPF_LDX | BPF_MEM | BPF_W, kind, BPF_REG_1, 0, 0),
          insn(BPF_ALU | BPF_MOV | BPF_X, asked, kind, 0, 0),
          insn(BPF_ALU | BPF_AND | BPF_K, kind, 0, 0, 0xffff),
          insn(BPF_ALU | BPF_RSH | BPF_K, asked, 0, 0, 16),
          insn(BPF_LDX | BPF_MEM | BPF_W, major_number, BPF_REG_1, 4, 0),
          insn(BPF_LDX | BPF_MEM | BPF_W, minor_number, BPF_REG_1, 8, 0)};
}

/// Skips itself for other devices; else denies what it forbids, or takes what it grants off the list asked for.
inline auto block_of(const rule& r) -> program {
  program body;
  std::vector<std::size_t> leaving;  // jumps to behind the block
  const auto leave_unless_equal = [&](int reg, std::int64_t value) {
    leaving.push_back(body.size());
    body.push_back(insn(BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, 0, value));
  };
  if (r.type != 'a') leave_unless_equal(kind, r.type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
  if (r.major >= 0) leave_unless_equal(major_number, r.major);
  if (r.minor >= 0) leave_unless_equal(minor_number, r.minor);
  if (r.allow) {
    body.push_back(insn(BPF_ALU | BPF_AND | BPF_K, asked, 0, 0, ~static_cast<std::int64_t>(r.access)));
    leave_unless_equal(asked, 0);
  } else {
    body.push_back(insn(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_0, asked, 0, 0));
    body.push_back(insn(BPF_ALU | BPF_AND | BPF_K, BPF_REG_0, 0, 0, r.access));
    leaving.push_back(body.size());
    body.push_back(insn(BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, 0));
  }
  add_verdict(body, r.allow);
  for (const auto jump : leaving) body[jump].off = static_cast<std::int16_t>(body.size() - jump - 1);
  return body;
}

}  // namespace detail

/// The rules as one program. For each kind of access the last rule that speaks of it decides; access that none
/// speaks of is denied.
inline auto compile(const std::vector<rule>& rules) -> program {
  auto code = detail::prologue();
  bool decided = false;
  for (auto i = rules.size(); i > 0 && !decided; --i) {
    const auto& r = rules[i - 1];
    decided = is_everything(r);  // the verifier refuses code that is never reached
    if (decided) detail::add_verdict(code, r.allow);
    else
      for (const auto& instruction : detail::block_of(r)) code.push_back(instruction);
  }
  if (!decided) detail::add_verdict(code, false);
  return code;
}

namespace detail {

inline auto bpf(int command, std::string_view name, bpf_attr& attr) -> long {
  return sys::kernel::call(effect::changes, "bpf", [&] { return ::syscall(SYS_bpf, command, &attr, sizeof attr); },
                           [&](pretence& p) { return command == BPF_PROG_LOAD ? p.placeholder("a device filter") : 0L; },
                           [&] { return name; });
}

inline auto address(const void* p) -> std::uint64_t { return reinterpret_cast<std::uintptr_t>(p); }

inline auto load(const program& code) -> result<unique_fd> {
  static constexpr char license[] = "Apache";
  bpf_attr attr{};
  attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attr.insns = address(code.data());
  attr.insn_cnt = static_cast<std::uint32_t>(code.size());
  attr.license = address(license);
  const long fd = bpf(BPF_PROG_LOAD, "BPF_PROG_LOAD", attr);
  if (fd < 0) return failed("bpf", "load the device filter");
  return unique_fd{static_cast<int>(fd)};
}

inline auto attached(fd_ref cgroup) -> result<std::vector<std::uint32_t>> {
  std::vector<std::uint32_t> ids(64);
  bpf_attr attr{};
  attr.query.target_fd = static_cast<std::uint32_t>(cgroup.get());
  attr.query.attach_type = BPF_CGROUP_DEVICE;
  attr.query.prog_ids = address(ids.data());
  attr.query.prog_cnt = static_cast<std::uint32_t>(ids.size());
  if (bpf(BPF_PROG_QUERY, "BPF_PROG_QUERY", attr) != 0) return failed("bpf", "query device filters");
  ids.resize(attr.query.prog_cnt);
  return ids;
}

inline auto open_program(std::uint32_t id) -> result<unique_fd> {
  bpf_attr by_id{};
  by_id.prog_id = id;
  unique_fd old{static_cast<int>(bpf(BPF_PROG_GET_FD_BY_ID, "BPF_PROG_GET_FD_BY_ID", by_id))};
  if (!old) return failed("bpf", "open the old device filter");
  return old;
}

inline auto detach(fd_ref cgroup, std::uint32_t id) -> result<> {
  const auto old = OCITK_TRY(open_program(id));
  bpf_attr attr{};
  attr.target_fd = static_cast<std::uint32_t>(cgroup.get());
  attr.attach_bpf_fd = static_cast<std::uint32_t>(old.get());
  attr.attach_type = BPF_CGROUP_DEVICE;
  return trying("detach the old device filter", checked(bpf(BPF_PROG_DETACH, "BPF_PROG_DETACH", attr), "bpf"));
}

}  // namespace detail

/// Puts a program on a v2 cgroup. It takes the place of the old one in one step; of several, the old ones go after
/// the new one is there. There is no moment without a filter.
///
/// Calls  bpf(2) BPF_PROG_LOAD, BPF_PROG_ATTACH with BPF_F_ALLOW_MULTI and BPF_F_REPLACE, BPF_PROG_DETACH
/// Fails  EPERM without CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN
inline auto attach(fd_ref cgroup, const program& code, bool may_have_old) -> result<> {
  const auto old = may_have_old ? OCITK_TRY(detail::attached(cgroup)) : std::vector<std::uint32_t>{};
  const auto filter = OCITK_TRY(detail::load(code));
  bpf_attr attr{};
  attr.target_fd = static_cast<std::uint32_t>(cgroup.get());
  attr.attach_bpf_fd = static_cast<std::uint32_t>(filter.get());
  attr.attach_type = BPF_CGROUP_DEVICE;
  attr.attach_flags = BPF_F_ALLOW_MULTI;
  if (old.size() == 1) {
    const auto replaced = OCITK_TRY(detail::open_program(old[0]));
    auto at_once = attr;
    at_once.attach_flags |= BPF_F_REPLACE;
    at_once.replace_bpf_fd = static_cast<std::uint32_t>(replaced.get());
    if (detail::bpf(BPF_PROG_ATTACH, "BPF_PROG_ATTACH", at_once) == 0) return {};  // else: it was not attached as one of many, or Linux < 5.6
  }
  OCITK_TRY(trying("attach the device filter", checked(detail::bpf(BPF_PROG_ATTACH, "BPF_PROG_ATTACH", attr), "bpf")));
  for (const auto id : old) OCITK_TRY(detail::detach(cgroup, id));
  return {};
}

}  // namespace ocitk::cgroups::devices

#endif
