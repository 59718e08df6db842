#ifndef OCITK_SYS_EXECUTABLE_HPP
#define OCITK_SYS_EXECUTABLE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/missing.hpp>

#include <elf.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Why execve(2) refuses a program: the same questions the kernel asks, asked again after it said no. One errno stands
/// for many reasons there; "no such file or directory" may mean the interpreter of an interpreter.
///
/// The files are the image's: nothing but a regular file is opened, no size or offset of theirs is believed, no read
/// is longer than 64 KiB, and whatever of theirs gets into a message is made printable.
namespace ocitk::sys {

/// What execve(2) would say to a program, and the reason for it; 0: no reason to refuse it was found.
struct verdict {
  int code = 0;
  std::string why{};     ///< one clause: "its #! interpreter /bin/bash is missing in the rootfs"
  bool missing = false;  ///< the file itself was not found
  bool foreign = false;  ///< it is for another machine: an emulator may be missing
  bool narrow = false;   ///< it is a 32-bit program, and we are a 64-bit one
};

/// The first line of a script, taken apart as the kernel does (fs/binfmt_script.c).
struct script_line {
  std::string interpreter{};
  std::string argument{};  ///< the rest of the line, blanks included; the kernel makes one argument of it
  bool operator==(const script_line&) const = default;
};

namespace detail {

inline constexpr std::size_t first_bytes = 256;  ///< BINPRM_BUF_SIZE: the kernel looks at no more

/// The first byte from..last that is (not) a blank or (also) the end of a string; npos if there is none.
template <class Wanted>
auto next_byte(std::string_view bytes, std::size_t from, std::size_t last, Wanted wanted) -> std::size_t {
  for (; from <= last; ++from)
    if (wanted(bytes[from])) return from;
  return std::string_view::npos;
}

inline auto is_blank(char c) -> bool { return c == ' ' || c == '\t'; }
inline auto is_text(char c) -> bool { return !is_blank(c); }
inline auto ends_word(char c) -> bool { return is_blank(c) || c == '\0'; }

/// Where the line ends in a buffer padded with zeros; npos: it may go on behind, and the name with it.
inline auto end_of_script_line(std::string_view buffer) -> std::size_t {
  const auto newline = buffer.find('\n');
  if (newline < buffer.find('\0')) return newline;
  const auto last = buffer.size() - 1;
  const auto name = next_byte(buffer, 2, last, is_text);
  return name == buffer.npos || next_byte(buffer, name, last, ends_word) == buffer.npos ? buffer.npos : last;
}

}  // namespace detail

/// The `#!` line of a file that begins with these bytes, or nothing where the kernel sees none: no name, or one that
/// may be cut off. An argument may.
inline auto script_line_of(std::string_view start) -> std::optional<script_line> {
  constexpr auto none = std::string_view::npos;
  if (!start.starts_with("#!")) return std::nullopt;
  std::string buffer{start.substr(0, detail::first_bytes)};
  buffer.resize(detail::first_bytes, '\0');
  auto end = detail::end_of_script_line(buffer);
  if (end == none) return std::nullopt;
  while (detail::is_blank(buffer[end - 1])) --end;
  const auto name = detail::next_byte(buffer, 2, end, detail::is_text);
  if (name == none || name == end) return std::nullopt;
  const auto gap = std::min(end, detail::next_byte(buffer, name, end, detail::ends_word));
  script_line found{.interpreter = buffer.substr(name, gap - name)};
  if (!detail::is_blank(buffer[gap])) return found;
  const auto argument = detail::next_byte(buffer, gap, end, detail::is_text);
  if (argument < end) found.argument = std::string{buffer.substr(argument, end - argument).c_str()};
  return found;
}

/// What the head of an ELF file says, whatever its class and byte order.
struct elf_head {
  bool wide = false;          ///< 64-bit
  bool native_order = false;  ///< its byte order is this machine's
  unsigned type = 0;          ///< ET_EXEC, ET_DYN, ...
  unsigned machine = 0;       ///< EM_*
  std::uint64_t table = 0;    ///< offset of the program headers
  unsigned entry_size = 0, entries = 0;
};

namespace detail {

/// A number of the given width at an offset that is inside.
inline auto number_at(std::string_view bytes, std::size_t offset, std::size_t width, bool little) -> std::uint64_t {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const auto at = little ? offset + width - 1 - i : offset + i;
    value = value << 8 | static_cast<unsigned char>(bytes[at]);
  }
  return value;
}

inline constexpr bool we_are_little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

struct machine_row {
  unsigned machine;
  std::string_view name;     ///< as in uname(2)
  std::string_view runs_on;  ///< uname(2) machines that execute it, blanks between
};

/// What images are built for.
inline constexpr std::array<machine_row, 13> machines{{
    {EM_X86_64, "x86_64", "x86_64"},
    {EM_386, "i386", "x86_64 i686 i586 i486 i386"},
    {EM_AARCH64, "aarch64", "aarch64 aarch64_be armv8l"},
    {EM_ARM, "arm", "aarch64 armv8l armv8b armv7l armv7b armv6l armv5tel"},
    {EM_RISCV, "riscv64", "riscv64 riscv32"},
    {EM_PPC64, "ppc64le", "ppc64le ppc64"},
    {EM_PPC, "ppc", "ppc64 ppc"},
    {EM_S390, "s390x", "s390x s390"},
    {EM_MIPS, "mips", "mips mips64"},
    {EM_LOONGARCH, "loongarch64", "loongarch64"},
    {EM_SPARCV9, "sparc64", "sparc64"},
    {EM_IA_64, "ia64", "ia64"},
    {EM_68K, "m68k", "m68k"},
}};

inline auto row_of(unsigned machine) -> const machine_row* {
  for (const auto& row : machines)
    if (row.machine == machine) return &row;
  return nullptr;
}

inline auto holds_word(std::string_view words, std::string_view word) -> bool {
  return fmt::format(" {} ", words).find(fmt::format(" {} ", word)) != std::string::npos;
}

}  // namespace detail

/// "aarch64", or "ELF machine 4711" for what nobody here knows.
inline auto machine_name(unsigned machine) -> std::string {
  const auto* row = detail::row_of(machine);
  return row != nullptr ? std::string{row->name} : fmt::format("ELF machine {}", machine);
}

/// May a kernel that uname(2) calls so execute it, without an emulator? A machine nobody here knows: not.
inline auto runs_on(unsigned machine, std::string_view kernel) -> bool {
  const auto* row = detail::row_of(machine);
  return row != nullptr && detail::holds_word(row->runs_on, kernel);
}

inline auto is_elf(std::string_view start) -> bool { return start.starts_with(std::string_view{ELFMAG, SELFMAG}); }

/// The head, or nothing where the file ends before its head does.
inline auto elf_head_of(std::string_view start) -> std::optional<elf_head> {
  if (!is_elf(start) || start.size() < EI_NIDENT) return std::nullopt;
  elf_head h;
  h.wide = start[EI_CLASS] == ELFCLASS64;
  if (start.size() < (h.wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr))) return std::nullopt;
  const bool little = start[EI_DATA] != ELFDATA2MSB;
  h.native_order = little == detail::we_are_little;
  const auto at = [&](std::size_t offset32, std::size_t offset64, std::size_t width32, std::size_t width64) {
    return detail::number_at(start, h.wide ? offset64 : offset32, h.wide ? width64 : width32, little);
  };
  const auto half = [&](std::size_t offset32, std::size_t offset64) {
    return static_cast<unsigned>(at(offset32, offset64, 2, 2));
  };
  h.type = half(offsetof(Elf32_Ehdr, e_type), offsetof(Elf64_Ehdr, e_type));
  h.machine = half(offsetof(Elf32_Ehdr, e_machine), offsetof(Elf64_Ehdr, e_machine));
  h.table = at(offsetof(Elf32_Ehdr, e_phoff), offsetof(Elf64_Ehdr, e_phoff), 4, 8);
  h.entry_size = half(offsetof(Elf32_Ehdr, e_phentsize), offsetof(Elf64_Ehdr, e_phentsize));
  h.entries = half(offsetof(Elf32_Ehdr, e_phnum), offsetof(Elf64_Ehdr, e_phnum));
  return h;
}

namespace detail {

/// Up to `size` bytes of a regular file from an offset that nobody has checked.
inline auto read_part(fd_ref file, std::uint64_t offset, std::size_t size) -> std::string {
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < size && offset <= static_cast<std::uint64_t>(INT64_MAX) - filled) {
    const auto n = ::pread(file.get(), bytes.data() + filled, size - filled, static_cast<off_t>(offset + filled));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    filled += static_cast<std::size_t>(n);
  }
  bytes.resize(filled);
  return bytes;
}

/// A file that may be executed as far as its name, kind, mount and mode go, and what it starts with.
struct program {
  verdict refused{};
  bool readable = true;  ///< false: it may be executed but not read
  unique_fd file{};
  std::string start{};
};

/// What an empty answer of the kernel to X_OK means on a filter that knows no faccessat2(2): the mode has to do.
inline auto may_execute(fd_ref file, const struct stat& st) -> bool {
  if (::faccessat(file.get(), "", X_OK, AT_EMPTY_PATH | AT_EACCESS) == 0) return true;
  if (errno == EPERM || errno == ENOSYS) return (st.st_mode & 0111U) != 0;
  return errno != EACCES;
}

inline auto mode_verdict(fd_ref file, const struct stat& st) -> verdict {
  if (!S_ISREG(st.st_mode))
    return {.code = EACCES, .why = fmt::format("it is no regular file but {}", kind_of_file(st.st_mode))};
  struct statvfs fs {};
  if (::fstatvfs(file.get(), &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0)
    return {.code = EACCES, .why = "it is on a mount with the option noexec"};
  if (may_execute(file, st)) return {};
  if ((st.st_mode & 0111U) == 0)
    return {.code = EACCES, .why = fmt::format("its mode {:04o} lets nobody execute it", st.st_mode & 07777U)};
  return {.code = EACCES, .why = "it " + denial(st.st_mode, st.st_uid, st.st_gid, X_OK)};
}

/// A regular file that has just been looked at, for reading. It may be another one by now, so its kind is asked again;
/// O_NONBLOCK keeps a fifo in its place from holding us up.
inline auto open_to_read(fd_ref root, const std::string& path, const struct stat& seen) -> unique_fd {
  auto file = open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return {};
  const auto st = status_of(*file);
  if (!st || !S_ISREG(st->st_mode) || !same_file(*st, seen)) return {};
  return std::move(*file);
}

inline auto absolute_path(std::string_view path, std::string_view cwd) -> std::string {
  return path.starts_with('/') ? std::string{path} : joined_path(cwd, path);
}

inline auto look_at(fd_ref root, const std::string& path) -> program {
  program p;
  const auto there = open_in_root(root, path);
  if (!there) {
    const int code = there.error().code;
    p.refused = {.code = code, .why = clause_of(find_obstacle_in_root(root, path), code), .missing = true};
    return p;
  }
  const auto st = status_of(*there);
  if (!st) return {.refused = {.code = st.error().code}};
  p.refused = mode_verdict(*there, *st);
  if (p.refused.code != 0) return p;
  p.file = open_to_read(root, path, *st);
  p.readable = static_cast<bool>(p.file);
  if (p.readable) p.start = read_part(p.file, 0, first_bytes);
  return p;
}

inline auto kernel_machine() -> std::string {
  utsname u{};
  return ::uname(&u) == 0 ? std::string{static_cast<const char*>(u.machine)} : std::string{};
}

/// What somebody may have taken for a program.
inline auto nameless_format(std::string_view start) -> std::string {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (start.empty()) return "it is empty";
  if (start.starts_with(byte_order_mark) && start.substr(byte_order_mark.size()).starts_with("#!"))
    return "there is a byte order mark in front of its #! line: save it as UTF-8 without one";
  if (start.starts_with("\xff\xfe") || start.starts_with("\xfe\xff")) return "it is text in UTF-16: save it as UTF-8";
  if (start.starts_with("#!")) return "its #! line names no interpreter, or is longer than 255 bytes";
  if (start.starts_with("MZ")) return "it is a program for Windows";
  if (start.starts_with("\xcf\xfa\xed\xfe") || start.starts_with("\xca\xfe\xba\xbe"))
    return "it is a program for macOS";
  if (start.starts_with("!<arch>\n")) return "it is an archive of object files";
  const auto text = start.substr(0, start.find('\n'));
  if (printable(text, 4 * first_bytes) == text) return "it is text without a #! line";
  return "it is neither an ELF program nor a script with a #! line";
}

/// PT_INTERP of a program, as the kernel takes it: the first one, with its zero at the end.
struct interpreter_wish {
  verdict refused{};
  std::string path{};  ///< empty: it needs none
};

inline auto program_headers(fd_ref file, const elf_head& h) -> std::string {
  constexpr std::size_t most = 65536;  // the kernel's own limit
  const auto entry = h.wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
  const auto size = entry * h.entries;
  if (h.entry_size != entry || size == 0 || size > most) return {};
  auto table = read_part(file, h.table, size);
  return table.size() == size ? table : std::string{};
}

inline auto interpreter_at(fd_ref file, std::uint64_t offset, std::uint64_t size) -> interpreter_wish {
  if (size < 2 || size > PATH_MAX)
    return {.refused = {.code = ENOEXEC, .why = "the name of its ELF interpreter is damaged"}};
  const auto name = read_part(file, offset, static_cast<std::size_t>(size));
  if (name.size() != size)
    return {.refused = {.code = EIO, .why = "it ends before the name of its ELF interpreter does"}};
  if (name.back() != '\0') return {.refused = {.code = ENOEXEC, .why = "the name of its ELF interpreter is damaged"}};
  return {.path = name.c_str()};
}

inline auto wished_interpreter(fd_ref file, const elf_head& h) -> interpreter_wish {
  const auto table = program_headers(file, h);
  if (table.empty()) return {.refused = {.code = ENOEXEC, .why = "its ELF program headers are damaged or cut off"}};
  const bool little = h.native_order == we_are_little;
  const auto entry = h.wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
  for (std::size_t at = 0; at < table.size(); at += entry) {
    if (number_at(table, at, 4, little) != PT_INTERP) continue;  // p_type is first in both classes
    const auto offset = h.wide ? number_at(table, at + offsetof(Elf64_Phdr, p_offset), 8, little)
                               : number_at(table, at + offsetof(Elf32_Phdr, p_offset), 4, little);
    const auto size = h.wide ? number_at(table, at + offsetof(Elf64_Phdr, p_filesz), 8, little)
                             : number_at(table, at + offsetof(Elf32_Phdr, p_filesz), 4, little);
    return interpreter_at(file, offset, size);
  }
  return {};
}

}  // namespace detail

enum class image_kind { elf, script, neither };

/// What execve(2) will look for behind a file.
struct image {
  image_kind kind = image_kind::neither;
  std::string interpreter{};  ///< PT_INTERP, or the path after #!; empty for a static program
  unsigned machine = 0;       ///< EM_*
};

/// Looks into a file that is open for reading.
inline auto recognise(fd_ref file) -> image {
  const auto start = detail::read_part(file, 0, detail::first_bytes);
  if (start.starts_with("#!")) {
    const auto line = script_line_of(start);
    return {.kind = image_kind::script, .interpreter = line ? line->interpreter : std::string{}};
  }
  const auto head = elf_head_of(start);
  if (!head) return {};
  return {.kind = image_kind::elf, .interpreter = detail::wished_interpreter(file, *head).path, .machine = head->machine};
}

/// As uname(2) calls this machine.
inline auto kernel_machine() -> std::string { return detail::kernel_machine(); }

namespace detail {

/// `its ELF interpreter /lib/ld.so is missing in the rootfs (/lib is missing)`; the reason for other refusals.
inline auto through(std::string_view what, std::string_view name, verdict v) -> verdict {
  const auto shown = printable(name);
  if (v.missing && v.code == ENOENT)
    v.why = fmt::format("{} {} is missing in the rootfs{}", what, shown,
                        v.why.empty() || v.why.starts_with(shown + " is missing") ? "" : " (" + v.why + ")");
  else if (!v.why.empty())
    v.why = fmt::format("{} {} cannot be used: {}", what, shown, v.why);
  v.missing = false;
  return v;
}

/// The interpreter of an ELF program, which has to be ELF itself, for the same machine.
inline auto judge_loader(fd_ref root, std::string_view name, std::string_view cwd, const elf_head& of) -> verdict {
  constexpr std::string_view what = "its ELF interpreter";
  const auto p = look_at(root, absolute_path(name, cwd));
  if (p.refused.code != 0) return through(what, name, p.refused);
  if (!p.readable) return {};
  if (p.start.size() < (of.wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
    return through(what, name, {.code = EIO, .why = "it is cut off"});
  const auto head = elf_head_of(p.start);
  if (!head) return through(what, name, {.code = ELIBBAD, .why = "it is no ELF file"});
  if (head->machine != of.machine)
    return through(
        what, name,
        {.code = ELIBBAD,
         .why = "it is for " + machine_name(head->machine) + ", the program for " + machine_name(of.machine)});
  if (program_headers(p.file, *head).empty())
    return through(what, name, {.code = ELIBBAD, .why = "its program headers are damaged or cut off"});
  return {};
}

inline auto judge_elf(fd_ref root, const program& p, std::string_view cwd, std::string_view kernel) -> verdict {
  const auto head = elf_head_of(p.start);
  if (!head) return {.code = ENOEXEC, .why = "its ELF header is cut off"};
  if (!runs_on(head->machine, kernel) || !head->native_order)
    return {.code = ENOEXEC,
            .why = fmt::format("it is for {}{}, this kernel runs {}", machine_name(head->machine),
                               runs_on(head->machine, kernel) ? " in the other byte order" : "", kernel),
            .foreign = true};
  if (head->type != ET_EXEC && head->type != ET_DYN)
    return {.code = ENOEXEC,
            .why = head->type == ET_REL ? "it is an object file that nobody has linked"
                                        : "it is an ELF file but no program"};
  const auto wish = wished_interpreter(p.file, *head);
  if (wish.refused.code != 0) return wish.refused;
  auto v = wish.path.empty() ? verdict{} : judge_loader(root, wish.path, cwd, *head);
  v.narrow = !head->wide && sizeof(void*) == 8;
  return v;
}

inline auto named_by_script(const script_line& line, verdict v) -> verdict {
  if (v.missing && v.code == ENOENT && line.interpreter.ends_with('\r')) {
    const auto name = std::string_view{line.interpreter}.substr(0, line.interpreter.size() - 1);
    v.why = fmt::format(
        "its #! line ends in CR LF, so that its interpreter would be {} with a carriage return in its name: save it "
        "with LF line ends",
        printable(name));
    v.missing = false;
    return v;
  }
  return through("its #! interpreter", line.interpreter, std::move(v));
}

inline constexpr int most_scripts = 5;  ///< one after the other; fs/exec.c, exec_binprm()

inline auto judge_chain(fd_ref root, const std::string& path, std::string_view cwd, std::string_view kernel,
                        int scripts) -> verdict {
  const auto p = look_at(root, path);
  if (p.refused.code != 0 || !p.readable) return p.refused;
  if (is_elf(p.start)) return judge_elf(root, p, cwd, kernel);
  const auto line = script_line_of(p.start);
  if (!line) return {.code = ENOEXEC, .why = nameless_format(p.start)};
  if (line->interpreter.empty())  // the kernel opens the working directory then, and that is no program
    return {.code = EACCES, .why = "its #! line names no interpreter"};
  if (scripts == most_scripts) return {.code = ELOOP, .why = "it is a script too, the sixth in a row"};
  return named_by_script(*line, judge_chain(root, absolute_path(line->interpreter, cwd), cwd, kernel, scripts + 1));
}

}  // namespace detail

/// Judges a program below a root, for a process with that root and working directory.
///
/// Process  any that may look at the files; the answer about modes is for the calling one
/// Calls    openat2(2) RESOLVE_IN_ROOT, fstat(2), fstatvfs(2), faccessat(2), pread(2), uname(2)
inline auto judge_program(fd_ref root, std::string_view path, std::string_view cwd = "/",
                          const std::string& kernel = detail::kernel_machine()) -> verdict {
  return detail::judge_chain(root, detail::absolute_path(path, cwd), cwd, kernel, 0);
}

/// The same as the calling process sees it, after the pivot: its own root and working directory.
inline auto judge_program(std::string_view path) -> verdict {
  const auto root = open_at(fd_ref::cwd(), "/", O_PATH | O_DIRECTORY);
  std::string cwd(PATH_MAX, '\0');
  const long length = ::syscall(SYS_getcwd, cwd.data(), cwd.size());  // getcwd(3) might walk the tree
  cwd.resize(length > 0 ? static_cast<std::size_t>(length) - 1 : 0);
  if (!root) return {};
  return judge_program(*root, path, cwd.starts_with('/') ? cwd : "/");
}

/// The clause that accounts for an errno of execve(2), or of a search that went before it. Empty where what is there
/// does not: then nothing is claimed.
inline auto why_not_executed(const verdict& v, int code) -> std::string {
  if (code == 0) return {};
  if (code == v.code || (code == EISDIR && v.code == EACCES)) return v.why;
  if (code == ENOENT && v.foreign)
    return v.why + "; the emulator that binfmt_misc names for it is missing in the rootfs (register it with flag F)";
  if (code == EACCES && v.code == 0)
    return "its mode and its mount allow it: a security module (AppArmor, SELinux) does not";
  if (code == ENOEXEC && v.code == 0 && v.narrow)
    return "it is a 32-bit program, which this kernel was built or started not to run";
  return {};
}

inline auto why_not_executed(std::string_view path, int code) -> std::string {
  return why_not_executed(judge_program(path), code);
}

namespace detail {

/// A file of that name which is there, in a way, and still will not do; empty where there is none.
inline auto near_miss(fd_ref root, std::string_view dir, std::string_view name) -> std::string {
  const auto path = joined_path(dir, name);
  const auto v = look_at(root, path).refused;
  if (v.code == 0 || v.code == ENOTDIR) return {};
  if (!v.missing) return fmt::format("{} is there, but {}", printable(path), v.why);
  if (v.code != ENOENT) return v.why;
  const auto o = find_obstacle_in_root(root, path);
  const bool dangling = o.code == ENOENT && o.link.ends_with(fmt::format("/{}", name));
  return dangling ? v.why : std::string{};
}

}  // namespace detail

/// Why a search through PATH came to nothing: what almost fits, or where it looked.
///
/// Reads  PATH as the payload has it; relative entries start at `cwd`
inline auto why_not_found(fd_ref root, std::string_view name, std::string_view path, std::string_view cwd = "/")
    -> std::string {
  if (path.empty()) return "the environment has no PATH";
  for (auto rest = path; !rest.empty();) {
    const auto end = rest.find(':');
    auto why = detail::near_miss(root, detail::absolute_path(rest.substr(0, end), cwd), name);
    if (!why.empty()) return why;
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  }
  return "PATH is " + printable(path);
}

}  // namespace ocitk::sys

#endif
