#ifndef OCITK_TEST_SUPPORT_BPF_MACHINE_HPP
#define OCITK_TEST_SUPPORT_BPF_MACHINE_HPP

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace support {

/// What the kernel would make of a filter. ~0 for an instruction no seccomp filter has, or a jump out of it.
inline auto answer(const std::vector<sock_filter>& program, const seccomp_data& about) -> std::uint32_t {
  constexpr std::uint32_t broken = ~0U;
  std::uint32_t a = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const auto& i = program[at];
    const auto jump = [&](bool yes) { at += yes ? i.jt : i.jf; };
    switch (i.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (i.k % 4 != 0 || i.k >= sizeof about) return broken;
        std::memcpy(&a, reinterpret_cast<const char*>(&about) + i.k, sizeof a);
        break;
      case BPF_ALU | BPF_AND | BPF_K: a &= i.k; break;
      case BPF_JMP | BPF_JA: at += i.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: jump(a == i.k); break;
      case BPF_JMP | BPF_JGT | BPF_K: jump(a > i.k); break;
      case BPF_JMP | BPF_JGE | BPF_K: jump(a >= i.k); break;
      case BPF_JMP | BPF_JSET | BPF_K: jump((a & i.k) != 0); break;
      case BPF_RET | BPF_K: return i.k;
      default: return broken;
    }
  }
  return broken;
}

}  // namespace support

#endif
