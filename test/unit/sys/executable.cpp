#include <ocitk/sys/executable.hpp>

#include <doctest/doctest.h>

#include "../../support/scratch.hpp"

#include <sched.h>
#include <sys/mount.h>

#include <array>
#include <cstring>

using namespace ocitk;
using support::scratch;

namespace {

/// The errno of execve(2), 0 if the program ran: the judge of our judge.
auto kernel_says(const std::string& path) -> int {
  int ends[2] = {-1, -1};
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const unique_fd out{ends[0]};
  unique_fd in{ends[1]};
  const pid_t child = ::fork();
  if (child == 0) {
    std::array<char*, 2> argv{const_cast<char*>(path.c_str()), nullptr};
    char* env = nullptr;
    ::execve(path.c_str(), argv.data(), &env);
    const int code = errno;
    ::_exit(::write(in.get(), &code, sizeof code) == sizeof code ? 0 : 1);
  }
  in.reset();
  int code = 0;
  (void)!::read(out.get(), &code, sizeof code);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  return code;
}

/// The reason, where kernel and judge agree.
auto why(const std::string& path) -> std::string {
  const auto v = sys::judge_program(path);
  const int code = kernel_says(path);
  if (v.code != code) return fmt::format("the kernel says {}, the judge {}: {}", code, v.code, v.why);
  return code == 0 ? "runs" : sys::why_not_executed(v, code);
}

constexpr unsigned ours =
#if defined __x86_64__
    EM_X86_64;
#elif defined __aarch64__
    EM_AARCH64;
#elif defined __riscv
    EM_RISCV;
#else
    EM_NONE;
#endif

template <class T>
auto put(std::string& bytes, std::size_t offset, const T& value) -> void {
  if (bytes.size() < offset + sizeof value) bytes.resize(offset + sizeof value, '\0');
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

struct elf_wish {
  unsigned machine = ours;
  std::uint16_t type = ET_EXEC, entry_size = sizeof(Elf64_Phdr), entries = 1;
  std::uint64_t table = sizeof(Elf64_Ehdr);
  std::string interpreter{"/lib64/no-such-loader.so.2"};
  std::uint64_t interpreter_offset = 256, interpreter_size = 0;  ///< 0: as long as the name is
};

/// A 64-bit ELF file with one program header.
auto elf(const elf_wish& w) -> std::string {
  Elf64_Ehdr head{};
  std::memcpy(head.e_ident, ELFMAG, SELFMAG);
  head.e_ident[EI_CLASS] = ELFCLASS64;
  head.e_ident[EI_DATA] = sys::detail::we_are_little ? ELFDATA2LSB : ELFDATA2MSB;
  head.e_ident[EI_VERSION] = EV_CURRENT;
  head.e_type = w.type;
  head.e_machine = static_cast<Elf64_Half>(w.machine);
  head.e_version = EV_CURRENT;
  head.e_phoff = w.table;
  head.e_ehsize = sizeof head;
  head.e_phentsize = w.entry_size;
  head.e_phnum = w.entries;
  Elf64_Phdr interp{};
  interp.p_type = PT_INTERP;
  interp.p_offset = w.interpreter_offset;
  interp.p_filesz = w.interpreter_size != 0 ? w.interpreter_size : w.interpreter.size() + 1;
  std::string bytes;
  put(bytes, 0, head);
  put(bytes, sizeof head, interp);
  bytes.resize(256, '\0');
  bytes += w.interpreter;
  bytes += '\0';
  return bytes;
}

/// The same in 32 bits and any byte order.
auto narrow_elf(unsigned machine, bool little, const std::string& interpreter) -> std::string {
  std::string bytes(sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr), '\0');
  const auto number = [&](std::size_t offset, std::size_t width, std::uint64_t value) {
    for (std::size_t i = 0; i < width; ++i) {
      const auto shift = 8 * (little ? i : width - 1 - i);
      bytes[offset + i] = static_cast<char>(value >> shift & 0xff);
    }
  };
  std::memcpy(bytes.data(), ELFMAG, SELFMAG);
  bytes[EI_CLASS] = ELFCLASS32;
  bytes[EI_DATA] = static_cast<char>(little ? ELFDATA2LSB : ELFDATA2MSB);
  number(offsetof(Elf32_Ehdr, e_type), 2, ET_EXEC);
  number(offsetof(Elf32_Ehdr, e_machine), 2, machine);
  number(offsetof(Elf32_Ehdr, e_phoff), 4, sizeof(Elf32_Ehdr));
  number(offsetof(Elf32_Ehdr, e_phentsize), 2, sizeof(Elf32_Phdr));
  number(offsetof(Elf32_Ehdr, e_phnum), 2, 1);
  number(sizeof(Elf32_Ehdr) + offsetof(Elf32_Phdr, p_type), 4, PT_INTERP);
  number(sizeof(Elf32_Ehdr) + offsetof(Elf32_Phdr, p_offset), 4, bytes.size());
  number(sizeof(Elf32_Ehdr) + offsetof(Elf32_Phdr, p_filesz), 4, interpreter.size() + 1);
  return bytes + interpreter + '\0';
}

auto has(const std::string& text, std::string_view part) -> bool {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

}  // namespace

TEST_CASE("executable: a #! line is taken apart as the kernel does") {
  using line = sys::script_line;
  CHECK(sys::script_line_of("#!/bin/sh\nexit") == line{"/bin/sh", ""});
  CHECK(sys::script_line_of("#! \t/bin/sh \t-e  -x \t\n") == line{"/bin/sh", "-e  -x"});
  CHECK(sys::script_line_of("#!/bin/sh") == line{"/bin/sh", ""});
  CHECK(sys::script_line_of("#!/bin/sh\r\n") == line{"/bin/sh\r", ""});
  CHECK(sys::script_line_of("#!/bin/sh  \n") == line{"/bin/sh", ""});
  CHECK(sys::script_line_of(std::string_view{"#!/bin/sh\0x\n", 12}) == line{"/bin/sh", ""});
  for (const char* text : {"", "#", "/bin/sh", "#!\n", "#! \t \n", " #!/bin/sh\n"})
    CHECK_FALSE(sys::script_line_of(text));
  const std::string long_name(300, 'x');
  CHECK_FALSE(sys::script_line_of("#!/" + long_name + "\n"));
  CHECK_FALSE(sys::script_line_of("#!" + std::string(300, ' ') + "/bin/sh\n"));
  const auto cut = sys::script_line_of("#!/bin/sh " + long_name + "\n");
  REQUIRE(cut);
  CHECK(cut->interpreter == "/bin/sh");
  CHECK(cut->argument.size() == 255 - 10);
}

TEST_CASE("executable: what runs is not refused") {
  const scratch s;
  CHECK(why("/bin/true") == "runs");
  CHECK(why(s.file("/ok", "#!/bin/true\n")) == "runs");
  CHECK(why(s.file("/cut", "#!/bin/true " + std::string(300, 'x'))) == "runs");
  CHECK(why(s.file("/rel", "#!no-such/interpreter\n"))
            .starts_with("its #! interpreter no-such/interpreter is missing in the rootfs ("));
}

TEST_CASE("executable: a missing program is named by its first missing element") {
  const scratch s;
  s.directory("/d");
  CHECK(why(s.path("/d/none/prog")) == s.path("/d/none") + " is missing; " + s.path("/d") + " is there");
  const auto f = s.file("/f", "x");
  CHECK(why(f + "/prog") == f + " is a regular file, no directory");
  s.link("/loop", "loop");
  CHECK(has(why(s.path("/loop")), "circle"));
}

TEST_CASE("executable: a missing interpreter is told from a missing script") {
  const scratch s;
  CHECK(why(s.file("/a", "#!/none/bash -e\n")) ==
        "its #! interpreter /none/bash is missing in the rootfs (/none is missing)");
  CHECK(why(s.file("/b", "#!/none\n")) == "its #! interpreter /none is missing in the rootfs");
  CHECK(sys::judge_program(s.file("/empty", "#!")).why == "its #! line names no interpreter");
  const auto inner = s.path("/a");
  CHECK(why(s.file("/c", "#!" + inner + "\n")) ==
        "its #! interpreter " + inner +
            " cannot be used: its #! interpreter /none/bash is missing in the rootfs (/none is missing)");
}

TEST_CASE("executable: CR LF in the #! line is said to be it") {
  const scratch s;
  const auto text = why(s.file("/dos", "#!/bin/sh\r\necho\r\n"));
  CHECK(has(text, "CR LF"));
  CHECK(has(text, "/bin/sh with a carriage return"));
  CHECK(why(s.file("/arg", "#!/bin/true -e\r\n")) == "runs");
  // The file with the carriage return in its name is there, but is no program.
  s.file("/odd\r", "text");
  CHECK(has(why(s.file("/dos2", "#!" + s.path("/odd\r\n"))), "cannot be used: it is text without a #! line"));
}

TEST_CASE("executable: scripts of scripts, as many as the kernel allows") {
  const scratch s;
  s.file("/s1", "#!/bin/true\n");
  for (int i = 2; i <= 6; ++i)
    s.file(fmt::format("/s{}", i), fmt::format("#!{}\n", s.path(fmt::format("/s{}", i - 1))));
  CHECK(why(s.path("/s5")) == "runs");
  CHECK(has(why(s.path("/s6")), "it is a script too, the sixth in a row"));
  const auto self = s.path("/self");
  s.file("/self", "#!" + self + "\n");
  CHECK(has(why(self), "the sixth in a row"));
}

TEST_CASE("executable: what is no program at all") {
  const scratch s;
  CHECK(why(s.file("/e", "")) == "it is empty");
  CHECK(why(s.file("/t", "echo hello\n")) == "it is text without a #! line");
  CHECK(has(why(s.file("/bom", "\xef\xbb\xbf#!/bin/sh\n")), "byte order mark"));
  CHECK(has(why(s.file("/u16", std::string{"\xff\xfe#\0!\0", 6})), "UTF-16"));
  CHECK(why(s.file("/exe", "MZ\x90")) == "it is a program for Windows");
  CHECK(why(s.file("/mac", "\xcf\xfa\xed\xfe")) == "it is a program for macOS");
  CHECK(has(why(s.file("/bin", std::string{"\x01\x02\0\x03", 4})), "neither"));
  CHECK(has(why(s.file("/blank", "#!  \n/bin/sh")), "names no interpreter"));
  CHECK(has(why(s.file("/long", "#!/" + std::string(300, 'x'))), "longer than 255 bytes"));
}

TEST_CASE("executable: kind, mode and mount") {
  const scratch s;
  CHECK(why(s.directory("/dir")) == "it is no regular file but a directory");
  CHECK(sys::why_not_executed(s.path("/dir"), EISDIR) == "it is no regular file but a directory");
  REQUIRE(::mkfifo(s.path("/fifo").c_str(), 0777) == 0);
  CHECK(why(s.path("/fifo")) == "it is no regular file but a fifo");
  CHECK(why(s.file("/plain", "#!/bin/true\n", 0644)) == "its mode 0644 lets nobody execute it");
  s.file("/root-only", "#!/bin/true\n", 0744);
  if (::geteuid() == 0)
    CHECK(support::unprivileged([&] { return sys::why_not_executed(s.path("/root-only"), EACCES); }) ==
          "it may not be executed by uid 65534 (mode 0744, owner 0:0)");
  s.file("/interp", "#!/bin/true\n", 0644);
  CHECK(why(s.file("/via", "#!" + s.path("/interp") + "\n")) ==
        "its #! interpreter " + s.path("/interp") + " cannot be used: its mode 0644 lets nobody execute it");
}

TEST_CASE("executable: a mount with noexec") {
  const scratch s;
  const auto file = s.file("/x", "#!/bin/true\n");
  const auto answer = support::unprivileged([&] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return std::string{"skip"};
    const auto top = s.path();
    if (::mount(top.c_str(), top.c_str(), nullptr, MS_BIND, nullptr) != 0) return std::string{"skip"};
    if (::mount(nullptr, top.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_NOEXEC | MS_NOSUID | MS_NODEV, nullptr) != 0)
      return std::string{"cannot remount: "} + errno_text(errno);
    std::array<char*, 2> argv{const_cast<char*>(file.c_str()), nullptr};
    ::execve(file.c_str(), argv.data(), argv.data() + 1);
    return sys::why_not_executed(file, errno);
  });
  if (answer == "skip") {
    MESSAGE("no user namespaces here");
    return;
  }
  CHECK(answer == "it is on a mount with the option noexec");
}

TEST_CASE("executable: what may be executed but not read is not judged") {
  const scratch s;
  s.file("/blind", "#!/none\n", 0711);
  if (::geteuid() == 0)
    CHECK(support::unprivileged([&] { return fmt::format("{}", sys::judge_program(s.path("/blind")).code); }) == "0");
}

TEST_CASE("executable: an ELF interpreter that is missing or unfit") {
  const scratch s;
  CHECK(why(s.file("/a", elf({.interpreter = "/none64/ld.so"}))) ==
        "its ELF interpreter /none64/ld.so is missing in the rootfs (/none64 is missing)");
  CHECK(why(s.file("/b", elf({.interpreter = "/no-such-ld.so"}))) ==
        "its ELF interpreter /no-such-ld.so is missing in the rootfs");
  const auto text = s.file("/text", std::string(100, 'x'));
  CHECK(why(s.file("/c", elf({.interpreter = text}))) ==
        "its ELF interpreter " + text + " cannot be used: it is no ELF file");
  const auto shorter = s.file("/short", "x");
  CHECK(why(s.file("/d", elf({.interpreter = shorter}))) ==
        "its ELF interpreter " + shorter + " cannot be used: it is cut off");
  const auto other = s.file("/other", elf({.machine = ours == EM_AARCH64 ? EM_X86_64 : EM_AARCH64}));
  CHECK(has(why(s.file("/e", elf({.interpreter = other}))), "cannot be used: it is for "));
  const auto plain = s.file("/plain", elf({}), 0644);
  CHECK(has(why(s.file("/f", elf({.interpreter = plain}))), "cannot be used: its mode 0644 lets nobody execute it"));
  const auto broken = s.file("/broken", elf({.table = 1U << 30U}));
  CHECK(has(why(s.file("/g", elf({.interpreter = broken}))), "cannot be used: its program headers are damaged"));
  const auto script = s.file("/script", "#!" + s.path("/a") + "\n");
  CHECK(has(why(script), "cannot be used: its ELF interpreter /none64/ld.so is missing in the rootfs"));
}

TEST_CASE("executable: hostile sizes and offsets are refused as the kernel refuses them") {
  const scratch s;
  const auto damaged = [&](const elf_wish& w) { return why(s.file("/x", elf(w))); };
  CHECK(damaged({.table = ~std::uint64_t{0}}) == "its ELF program headers are damaged or cut off");
  CHECK(damaged({.table = 0x7fffffffffffffff}) == "its ELF program headers are damaged or cut off");
  CHECK(damaged({.table = 1 << 20}) == "its ELF program headers are damaged or cut off");
  CHECK(damaged({.entries = 0}) == "its ELF program headers are damaged or cut off");
  CHECK(damaged({.entries = 65535}) == "its ELF program headers are damaged or cut off");
  CHECK(damaged({.entries = 100}) == "its ELF program headers are damaged or cut off");
  CHECK(damaged({.entry_size = 0}) == "its ELF program headers are damaged or cut off");
  CHECK(damaged({.entry_size = 1}) == "its ELF program headers are damaged or cut off");
  CHECK(damaged({.interpreter_size = 1}) == "the name of its ELF interpreter is damaged");
  CHECK(damaged({.interpreter_size = ~std::uint64_t{0}}) == "the name of its ELF interpreter is damaged");
  CHECK(damaged({.interpreter_size = 5000}) == "the name of its ELF interpreter is damaged");
  CHECK(damaged({.interpreter_size = 5}) == "the name of its ELF interpreter is damaged");  // no zero at its end
  CHECK(damaged({.interpreter_size = 4000}) == "it ends before the name of its ELF interpreter does");
  const auto far = sys::judge_program(s.file("/far", elf({.interpreter_offset = ~std::uint64_t{0} - 8})));
  CHECK(far.why == "it ends before the name of its ELF interpreter does");
  CHECK(why(s.file("/head", elf({}).substr(0, 40))) == "its ELF header is cut off");
  CHECK(why(s.file("/magic",
                   "\x7f"
                   "ELF")) == "its ELF header is cut off");
  CHECK(damaged({.type = ET_REL}) == "it is an object file that nobody has linked");
  CHECK(damaged({.type = ET_CORE}) == "it is an ELF file but no program");
}

TEST_CASE("executable: a name made for the terminal is made harmless") {
  const scratch s;
  const auto text = why(s.file("/x", elf({.interpreter = "/no\x1b[2Jne"})));
  CHECK(text == "its ELF interpreter /no\\x1b[2Jne is missing in the rootfs");
  CHECK(has(why(s.file("/y", "#!/no\x1b[2Jne\n")), "/no\\x1b[2Jne is missing"));
}

TEST_CASE("executable: a program for another machine") {
  const scratch s;
  const auto other = elf({.machine = EM_S390});
  CHECK(why(s.file("/x", other)) == fmt::format("it is for s390x, this kernel runs {}", sys::detail::kernel_machine()));
  CHECK(has(why(s.file("/y", elf({.machine = 4711}))), "it is for ELF machine 4711, this kernel runs "));
  const auto v = sys::judge_program(s.root(), "/x", "/", "x86_64");
  CHECK(has(sys::why_not_executed(v, ENOEXEC), "it is for s390x, this kernel runs x86_64"));
  CHECK(has(sys::why_not_executed(v, ENOENT), "the emulator that binfmt_misc names for it is missing"));
  CHECK(sys::why_not_executed(v, EACCES).empty());
}

TEST_CASE("executable: 32-bit programs, in either byte order") {
  const scratch s;
  s.file("/i386", narrow_elf(EM_386, true, "/lib/none.so"));
  const auto v = sys::judge_program(s.root(), "/i386", "/", "x86_64");
  CHECK(v.why == "its ELF interpreter /lib/none.so is missing in the rootfs (/lib is missing)");
  s.file("/lib-is-fine", narrow_elf(EM_386, true, "/i386"));
  const auto narrow = sys::judge_program(s.root(), "/lib-is-fine", "/", "x86_64");
  CHECK(narrow.code == 0);
  if (sizeof(void*) == 8) CHECK(has(sys::why_not_executed(narrow, ENOEXEC), "32-bit program"));
  s.file("/ppc", narrow_elf(EM_PPC, false, "/lib/none.so"));
  CHECK(sys::judge_program(s.root(), "/ppc", "/", "x86_64").why == "it is for ppc, this kernel runs x86_64");
  s.file("/armeb", narrow_elf(EM_ARM, !sys::detail::we_are_little, "/lib/none.so"));
  CHECK(sys::judge_program(s.root(), "/armeb", "/", "aarch64").why ==
        "it is for arm in the other byte order, this kernel runs aarch64");
  const auto head = sys::elf_head_of(narrow_elf(EM_PPC, false, "/x"));
  REQUIRE(head);
  CHECK(head->machine == EM_PPC);
  CHECK(head->table == sizeof(Elf32_Ehdr));
  CHECK(head->entry_size == sizeof(Elf32_Phdr));
  CHECK(head->entries == 1);
}

TEST_CASE("executable: which kernels run what") {
  CHECK(sys::runs_on(EM_X86_64, "x86_64"));
  CHECK(sys::runs_on(EM_386, "x86_64"));
  CHECK(sys::runs_on(EM_ARM, "aarch64"));
  CHECK_FALSE(sys::runs_on(EM_X86_64, "i686"));
  CHECK_FALSE(sys::runs_on(EM_AARCH64, "x86_64"));
  CHECK_FALSE(sys::runs_on(EM_X86_64, "x86"));
  CHECK_FALSE(sys::runs_on(4711, "x86_64"));
}

TEST_CASE("executable: below a root, links of the image stay inside") {
  const scratch s;
  s.directory("/bin");
  s.link("/bin/sh", "/bin/busybox");
  const auto v = sys::judge_program(s.root(), "/bin/sh");
  CHECK(v.code == ENOENT);
  CHECK(v.why == "/bin/sh links to /bin/busybox; /bin/busybox is missing; /bin is there");
  s.file("/bin/script", "#!/bin/true\n");  // the host's is not ours
  CHECK(sys::judge_program(s.root(), "script", "/bin").why == "its #! interpreter /bin/true is missing in the rootfs");
}

TEST_CASE("executable: a security module is named only where all else allows") {
  CHECK(has(sys::why_not_executed(sys::verdict{}, EACCES), "security module"));
  CHECK(sys::why_not_executed(sys::verdict{}, ENOENT).empty());
  CHECK(sys::why_not_executed(sys::verdict{.code = ENOENT, .why = "x"}, EACCES).empty());
  CHECK(sys::why_not_executed(sys::verdict{.why = "x"}, 0).empty());
}

TEST_CASE("executable: a search through PATH tells what almost fits") {
  const scratch s;
  s.directory("/bin");
  s.directory("/opt");
  s.file("/bin/plain", "#!/bin/true\n", 0644);
  s.directory("/bin/dir");
  s.link("/bin/dangling", "../opt/gone");
  s.link("/sbin", "bin");
  const auto searched = [&](const char* name, const char* path) { return sys::why_not_found(s.root(), name, path); };
  CHECK(searched("plain", "/none:/bin") == "/bin/plain is there, but its mode 0644 lets nobody execute it");
  CHECK(searched("dir", "/bin") == "/bin/dir is there, but it is no regular file but a directory");
  CHECK(searched("dangling", "/sbin") == "/bin/dangling links to ../opt/gone; /opt/gone is missing; /opt is there");
  CHECK(searched("none", "/sbin:/bin:") == "PATH is /sbin:/bin:");
  CHECK(searched("none", "") == "the environment has no PATH");
  CHECK(sys::why_not_found(s.root(), "plain", "bin") ==
        "/bin/plain is there, but its mode 0644 lets nobody execute it");
}

TEST_CASE("executable: no reason has the words that engines look for") {
  const scratch s;
  s.file("/plain", "x", 0644);
  s.file("/script", "#!/none\n");
  s.file("/dos", "#!/none\r\n");
  s.file("/elf", elf({}));
  s.file("/text", "text");
  s.directory("/dir");
  for (const char* name : {"/plain", "/script", "/dos", "/elf", "/text", "/dir", "/none", "/plain/x"}) {
    const auto text = sys::judge_program(s.root(), name).why;
    CHECK_FALSE(text.empty());
    for (const char* words :
         {"no such file or directory", "permission denied", "operation not permitted", "not a directory",
          "is a directory", "executable file not found", "no such process", "does not exist"})
      CHECK(text.find(words) == text.npos);
  }
}
