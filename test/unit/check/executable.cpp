#include <ocitk/check/executable.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <string>

using namespace ocitk;
using check::image;
using check::image_kind;

namespace {

auto look(const std::string& file) -> image {
  return check::recognise([&](std::uint64_t offset, std::size_t size) {
    return offset < file.size() ? file.substr(offset, size) : std::string{};
  });
}

template <class T>
void put(std::string& file, std::size_t at, T value, bool big_endian) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    file[at + (big_endian ? sizeof value - 1 - i : i)] = static_cast<char>(value >> (8 * i) & 0xff);
}

/// A file header, two program headers and the path of a loader behind them.
template <class Header, class Entry>
auto elf(unsigned char width, bool big_endian, std::uint16_t machine, const std::string& loader) -> std::string {
  std::string file(sizeof(Header) + 2 * sizeof(Entry), '\0');
  file.replace(0, 4, "\x7f" "ELF");
  file[EI_CLASS] = static_cast<char>(width);
  file[EI_DATA] = big_endian ? ELFDATA2MSB : ELFDATA2LSB;
  put<std::uint16_t>(file, offsetof(Header, e_machine), machine, big_endian);
  put<decltype(Header::e_phoff)>(file, offsetof(Header, e_phoff), sizeof(Header), big_endian);
  put<std::uint16_t>(file, offsetof(Header, e_phentsize), sizeof(Entry), big_endian);
  put<std::uint16_t>(file, offsetof(Header, e_phnum), 2, big_endian);
  const auto second = sizeof(Header) + sizeof(Entry);
  put<std::uint32_t>(file, sizeof(Header), PT_LOAD, big_endian);
  put<std::uint32_t>(file, second, loader.empty() ? PT_NOTE : PT_INTERP, big_endian);
  put<decltype(Entry::p_offset)>(file, second + offsetof(Entry, p_offset), static_cast<decltype(Entry::p_offset)>(file.size()), big_endian);
  put<decltype(Entry::p_filesz)>(file, second + offsetof(Entry, p_filesz), static_cast<decltype(Entry::p_filesz)>(loader.size() + 1), big_endian);
  return file + loader + '\0' + "rest";
}

}  // namespace

TEST_CASE("executable: the interpreter of a script") {
  CHECK(look("#!/bin/sh\necho") == image{.kind = image_kind::script, .interpreter = "/bin/sh"});
  CHECK(look("#! /usr/bin/env -S x\n").interpreter == "/usr/bin/env");
  CHECK(look("#!\t/bin/a\t-b").interpreter == "/bin/a");
  CHECK(look("#!") == image{.kind = image_kind::script});
  CHECK(look("#!\n/bin/sh") == image{.kind = image_kind::script});
}

TEST_CASE("executable: the loader of a program, in both widths and byte orders") {
  for (const bool big : {false, true}) {
    const image wanted{.kind = image_kind::elf, .interpreter = "/lib/ld.so", .machine = EM_AARCH64};
    CHECK(look(elf<Elf64_Ehdr, Elf64_Phdr>(ELFCLASS64, big, EM_AARCH64, "/lib/ld.so")) == wanted);
    CHECK(look(elf<Elf32_Ehdr, Elf32_Phdr>(ELFCLASS32, big, EM_AARCH64, "/lib/ld.so")) == wanted);
  }
  CHECK(look(elf<Elf64_Ehdr, Elf64_Phdr>(ELFCLASS64, false, EM_X86_64, "")).interpreter.empty());
}

TEST_CASE("executable: neither, cut short or lying") {
  CHECK(look("").kind == image_kind::neither);
  CHECK(look("text").kind == image_kind::neither);
  CHECK(look("\x7f" "ELF").kind == image_kind::neither);
  auto file = elf<Elf64_Ehdr, Elf64_Phdr>(ELFCLASS64, false, EM_X86_64, "/lib/ld.so");
  put<std::uint64_t>(file, offsetof(Elf64_Ehdr, e_phoff), ~std::uint64_t{0}, false);
  CHECK(look(file) == image{.kind = image_kind::elf, .machine = EM_X86_64});
  put<std::uint16_t>(file, offsetof(Elf64_Ehdr, e_phnum), 0xffff, false);
  CHECK(look(file).interpreter.empty());
  put<std::uint16_t>(file, offsetof(Elf64_Ehdr, e_phentsize), 0, false);
  CHECK(look(file).interpreter.empty());
}

TEST_CASE("executable: machines that run each other's programs") {
  CHECK(check::runs_on(EM_X86_64, EM_X86_64));
  CHECK(check::runs_on(EM_386, EM_X86_64));
  CHECK_FALSE(check::runs_on(EM_X86_64, EM_386));
  CHECK_FALSE(check::runs_on(EM_AARCH64, EM_X86_64));
  CHECK(check::machine_name(EM_AARCH64) == "aarch64");
  CHECK(check::machine_name(9999) == "machine 9999");
}
