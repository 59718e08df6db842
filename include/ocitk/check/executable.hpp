#ifndef OCITK_CHECK_EXECUTABLE_HPP
#define OCITK_CHECK_EXECUTABLE_HPP

#include <elf.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// What execve(2) will find in a file: a program for some machine with its loader, or a script with its interpreter.
namespace ocitk::check {

enum class image_kind { elf, script, neither };

struct image {
  image_kind kind = image_kind::neither;
  std::string interpreter{};  ///< PT_INTERP, or the path after #!; empty for a static program
  std::uint16_t machine = 0;  ///< EM_*
  bool operator==(const image&) const = default;
};

namespace detail {

/// Where a number stands in a structure, and how many bytes it has.
struct elf_number {
  std::size_t at, size;
};

/// The members that lead to the interpreter.
struct elf_layout {
  elf_number table, entry_size, entries;  ///< of the file header
  elf_number type, offset, bytes;         ///< of a program header
};

inline constexpr elf_layout elf32{
    .table = {offsetof(Elf32_Ehdr, e_phoff), 4}, .entry_size = {offsetof(Elf32_Ehdr, e_phentsize), 2},
    .entries = {offsetof(Elf32_Ehdr, e_phnum), 2}, .type = {offsetof(Elf32_Phdr, p_type), 4},
    .offset = {offsetof(Elf32_Phdr, p_offset), 4}, .bytes = {offsetof(Elf32_Phdr, p_filesz), 4}};
inline constexpr elf_layout elf64{
    .table = {offsetof(Elf64_Ehdr, e_phoff), 8}, .entry_size = {offsetof(Elf64_Ehdr, e_phentsize), 2},
    .entries = {offsetof(Elf64_Ehdr, e_phnum), 2}, .type = {offsetof(Elf64_Phdr, p_type), 4},
    .offset = {offsetof(Elf64_Phdr, p_offset), 8}, .bytes = {offsetof(Elf64_Phdr, p_filesz), 8}};

inline auto number_at(std::string_view bytes, elf_number n, bool big_endian) -> std::uint64_t {
  std::uint64_t number = 0;
  if (n.at + n.size > bytes.size()) return number;
  for (std::size_t i = 0; i < n.size; ++i)
    number = number << 8U | static_cast<unsigned char>(bytes[n.at + (big_endian ? i : n.size - 1 - i)]);
  return number;
}

/// The path after `#!`, up to a space or the end of the line.
inline auto interpreter_of_script(std::string_view head) -> std::string {
  head.remove_prefix(2);
  const auto start = std::min(head.find_first_not_of(" \t"), head.size());
  head.remove_prefix(start);
  return std::string{head.substr(0, head.find_first_of(" \t\n"))};
}

template <class ReadAt>
auto interpreter_of_elf(std::string_view head, ReadAt& read_at) -> std::string {
  const bool big_endian = head[EI_DATA] == ELFDATA2MSB;
  const auto& layout = head[EI_CLASS] == ELFCLASS64 ? elf64 : elf32;
  const auto entry_size = number_at(head, layout.entry_size, big_endian);
  const auto size = entry_size * number_at(head, layout.entries, big_endian);
  if (entry_size == 0 || size > UINT16_MAX) return {};  // execve(2) has the same limit
  const std::string table = read_at(number_at(head, layout.table, big_endian), size);
  for (std::string_view rest = table; rest.size() >= entry_size; rest.remove_prefix(entry_size)) {
    if (number_at(rest, layout.type, big_endian) != PT_INTERP) continue;
    const auto length = number_at(rest, layout.bytes, big_endian);
    if (length > PATH_MAX) return {};
    const std::string path = read_at(number_at(rest, layout.offset, big_endian), length);
    return path.substr(0, path.find('\0'));
  }
  return {};
}

}  // namespace detail

/// Looks into a file through `read_at(offset, size)`, which gives fewer bytes at its end.
template <class ReadAt>
auto recognise(ReadAt&& read_at) -> image {
  constexpr std::size_t enough = 256;  // BINPRM_BUF_SIZE of the kernel
  const std::string head = read_at(std::uint64_t{0}, enough);
  if (head.starts_with("#!")) return {.kind = image_kind::script, .interpreter = detail::interpreter_of_script(head)};
  if (!head.starts_with(ELFMAG) || head.size() < sizeof(Elf32_Ehdr)) return {};
  const auto machine = detail::number_at(head, {offsetof(Elf64_Ehdr, e_machine), 2}, head[EI_DATA] == ELFDATA2MSB);
  return {.kind = image_kind::elf,
          .interpreter = detail::interpreter_of_elf(head, read_at),
          .machine = static_cast<std::uint16_t>(machine)};
}

/// Can a kernel for one machine run programs for another by itself?
inline auto runs_on(std::uint16_t program, std::uint16_t host) -> bool {
  return program == host || (host == EM_X86_64 && program == EM_386) || (host == EM_AARCH64 && program == EM_ARM);
}

/// "x86_64" and the like; a number for the others.
inline auto machine_name(std::uint16_t machine) -> std::string {
  static constexpr std::array<std::pair<std::uint16_t, const char*>, 8> known{{{EM_386, "i386"},
                                                                               {EM_X86_64, "x86_64"},
                                                                               {EM_ARM, "arm"},
                                                                               {EM_AARCH64, "aarch64"},
                                                                               {EM_RISCV, "riscv"},
                                                                               {EM_PPC64, "ppc64"},
                                                                               {EM_S390, "s390"},
                                                                               {EM_MIPS, "mips"}}};
  for (const auto& [number, name] : known)
    if (number == machine) return name;
  return "machine " + std::to_string(machine);
}

}  // namespace ocitk::check

#endif
