#include "tools.hpp"

#include <ocitk/spec/detail/read.hpp>
#include <ocitk/spec/read.hpp>
#include <ocitk/spec/validate.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/sys/io.hpp>

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

// ocitk-spec: reads, checks and normalises a config.json; hands it to the tools behind it, or prints it.
namespace ocitk::tools::stages {

namespace {

auto sealed_file(const std::string& text) -> result<unique_fd> {
  unique_fd file{::memfd_create("ocitk-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!file) return failed("memfd_create");
  OCITK_TRY(sys::write_all(file, text));
  constexpr int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  OCITK_TRY(checked(::fcntl(file.get(), F_ADD_SEALS, all), "fcntl"));
  return cli::lifted(std::move(file));
}

auto absolute(const std::string& path) -> result<std::string> {
  const std::unique_ptr<char, decltype(&std::free)> real{::realpath(path.c_str(), nullptr), &std::free};
  if (!real) return failed("realpath", path);
  return std::string{real.get()};
}

class spec_tool : public cli::tool {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("bundle", &bundle_, "directory of config.json; default: the current one, or stdin if no program follows", "b");
    o.add("id", &id_, "name of the container, for its cgroup and keyring; default: ocitk-PID");
  }
  [[nodiscard]] auto may_end(bool) const -> bool override { return true; }

  auto run(cli::chain_link& here) -> result<> override {
    const bool filter = here.next.empty();
    here.has_spec = true;  // errors point into it
    const auto document = OCITK_TRY(text(filter && bundle_.empty()));
    const auto config = OCITK_TRY(spec::parse_config(document));
    const auto warnings = OCITK_TRY(spec::validate(config, {.euid = ::geteuid()}));
    for (const auto& warning : warnings) cli::print_line(here.row, "warning: " + warning);
    if (filter) {
      here.ended = 0;
      return sys::write_all(fd_ref::of(1), spec::to_json_text(config) + "\n");
    }
    here.state.spec = OCITK_TRY(sealed_file(spec::to_json_text(config, -1)));
    here.state.bundle = OCITK_TRY(absolute(bundle_.empty() ? "." : bundle_));
    here.state.id = id_.empty() ? fmt::format("ocitk-{}", ::getpid()) : id_;
    return {};
  }

 private:
  [[nodiscard]] auto text(bool from_stdin) const -> result<std::string> {
    if (from_stdin) return trying("standard input", sys::read_all(fd_ref::of(0), spec::largest_json + 1));
    const auto dir = OCITK_TRY(sys::open_at(fd_ref::cwd(), bundle_.empty() ? "." : bundle_, O_PATH | O_DIRECTORY));
    return sys::read_file(dir, "config.json", spec::largest_json + 1);
  }
  std::string bundle_, id_;
};

/// A profile of Docker's has conditions that stand outside of any container's spec.
auto check_form(const spec::detail::json& profile) -> result<> {
  constexpr auto dockers = "this is a profile in Docker's form, which is not supported yet: give a linux.seccomp object";
  if (!profile.is_object()) return failure("a profile is a linux.seccomp object");
  if (profile.contains("archMap")) return failure(dockers);
  const auto rules = profile.find("syscalls");
  if (rules == profile.end() || !rules->is_array()) return {};
  for (const auto& rule : *rules)
    for (const auto* key : {"includes", "excludes", "name"})
      if (rule.is_object() && rule.contains(key)) return failure(dockers);
  return {};
}

}  // namespace

auto make_spec() -> made_tool { return std::make_unique<spec_tool>(); }

auto read_profile(const std::string& path) -> result<spec::seccomp> {
  const auto text = OCITK_TRY(sys::read_file(fd_ref::cwd(), path, spec::largest_json + 1));
  const auto document = OCITK_TRY(spec::detail::parse_document(text, path));
  OCITK_TRY(check_form(document));
  return spec::detail::parse_as<spec::seccomp>(text, path, "/linux/seccomp");
}

}  // namespace ocitk::tools::stages
