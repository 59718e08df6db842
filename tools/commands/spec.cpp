#include "commands.hpp"

#include <ocitk/runtime/stage_table.hpp>
#include <ocitk/spec/defaults.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>

#include <fmt/core.h>
#include <seccomp.h>
#include <unistd.h>

// spec, stages and --version: documents about ourselves.
namespace ocitk::tools {

auto write_spec(const surroundings&, const cli::spec_options& o) -> result<int> {
  const auto dir = OCITK_TRY(sys::open_at(fd_ref::cwd(), o.bundle.empty() ? "." : o.bundle, O_PATH | O_DIRECTORY));
  const auto file = sys::open_at(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (!file && file.error().code == EEXIST) return failure("File config.json exists. Remove it first");
  if (!file) return std::unexpected(file.error());
  const bool v2 = ::access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
  const auto document = spec::default_config(v2, o.rootless, ::geteuid(), ::getegid());
  OCITK_TRY(sys::write_all(*file, spec::to_json_text(document) + "\n"));
  return 0;
}

auto list_stages(std::string_view format) -> result<int> {
  const auto table = runtime::stage_table();
  OCITK_TRY(sys::write_all(fd_ref::of(1), format == "json"       ? runtime::stage_json(table)
                                          : format == "markdown" ? runtime::stage_markdown(table)
                                                                 : runtime::stage_text(table)));
  return 0;
}

/// Callers that know runc only understand a first line that starts with its name.
auto print_version(std::string_view program) -> result<int> {
  const auto name = cli::is_called_runc(program) ? "runc" : "ocitk";
  const auto* seccomp = ::seccomp_version();
  const auto text = fmt::format("{} version {}\ncommit: {}\nspec: {}\nlibseccomp: {}.{}.{}\n", name, OCITK_VERSION,
                                OCITK_COMMIT, spec::oci_version, seccomp->major, seccomp->minor, seccomp->micro);
  OCITK_TRY(sys::write_all(fd_ref::of(1), text));
  return 0;
}

}  // namespace ocitk::tools
