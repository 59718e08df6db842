#ifndef OCITK_TOOLS_STAGES_BPF_LISTING_HPP
#define OCITK_TOOLS_STAGES_BPF_LISTING_HPP

#include <fmt/core.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

/// A seccomp filter for people to read, in the words of bpf_dbg.
namespace ocitk::tools::stages {

namespace detail {

/// The field of struct seccomp_data at an offset.
inline auto field_at(std::uint32_t offset) -> std::string {
  if (offset == offsetof(seccomp_data, nr)) return "nr";
  if (offset == offsetof(seccomp_data, arch)) return "arch";
  constexpr std::uint32_t first = offsetof(seccomp_data, args);
  if (offset >= first && offset < sizeof(seccomp_data) && offset % 4 == 0)
    return fmt::format("args[{}]{}", (offset - first) / 8, (offset - first) % 8 == 0 ? "" : " high");
  return fmt::format("[{}]", offset);
}

inline auto verdict(std::uint32_t value) -> std::string {
  const auto data = value & SECCOMP_RET_DATA;
  switch (value & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_KILL_PROCESS: return "KILL_PROCESS";
    case SECCOMP_RET_KILL_THREAD: return "KILL_THREAD";
    case SECCOMP_RET_TRAP: return "TRAP";
    case SECCOMP_RET_ERRNO: return fmt::format("ERRNO({})", data);
    case SECCOMP_RET_USER_NOTIF: return "NOTIFY";
    case SECCOMP_RET_TRACE: return fmt::format("TRACE({})", data);
    case SECCOMP_RET_LOG: return "LOG";
    case SECCOMP_RET_ALLOW: return "ALLOW";
    default: return fmt::format("{:#x}", value);
  }
}

inline auto jump(const sock_filter& i, std::size_t line) -> std::string {
  if (BPF_OP(i.code) == BPF_JA) return fmt::format("ja    {}", line + 1 + i.k);
  static constexpr std::array<const char*, 5> names{"ja", "jeq", "jgt", "jge", "jset"};
  const auto which = static_cast<std::size_t>(BPF_OP(i.code)) >> 4U;
  return fmt::format("{:<5} {:#x}, {}, {}", which < names.size() ? names[which] : "j?", i.k, line + 1 + i.jt, line + 1 + i.jf);
}

inline auto instruction(const sock_filter& i, std::size_t line) -> std::string {
  if (BPF_CLASS(i.code) == BPF_LD && BPF_MODE(i.code) == BPF_ABS) return "ld    " + field_at(i.k);
  if (BPF_CLASS(i.code) == BPF_JMP) return jump(i, line);
  if (BPF_CLASS(i.code) == BPF_ALU && BPF_OP(i.code) == BPF_AND) return fmt::format("and   {:#x}", i.k);
  if (BPF_CLASS(i.code) == BPF_RET && BPF_RVAL(i.code) == BPF_K) return "ret   " + verdict(i.k);
  return fmt::format(".raw  {:#x}, {}, {}, {:#x}", i.code, i.jt, i.jf, i.k);
}

}  // namespace detail

inline auto listing(const std::vector<sock_filter>& program) -> std::string {
  std::string text;
  for (std::size_t line = 0; line < program.size(); ++line)
    text += fmt::format("{:>4}: {}\n", line, detail::instruction(program[line], line));
  return text;
}

}  // namespace ocitk::tools::stages

#endif
