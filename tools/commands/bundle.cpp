#include "bundle.hpp"

#include <ocitk/spec/read.hpp>
#include <ocitk/spec/validate.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>

#include <unistd.h>

#include <utility>

namespace ocitk::tools {

namespace {

/// `name` is config.json of the bundle, or a path of its own.
auto read_bundle(const std::string& bundle, const std::string& name) -> result<loaded> {
  const auto dir = sys::open_at(fd_ref::cwd(), bundle, O_PATH | O_DIRECTORY);
  if (!dir) return std::unexpected(dir.error());
  auto text = sys::read_file(*dir, name, spec::largest_json + 1);
  if (!text && text.error().code == ENOENT) return failure("JSON specification file " + name + " not found");
  if (!text) return std::unexpected(text.error());
  auto config = OCITK_TRY(spec::parse_config(*text));
  return loaded{std::move(config), std::move(*text)};
}

}  // namespace

auto load_spec(const surroundings& about, const cli::create_options& o) -> result<loaded> {
  auto from = OCITK_TRY(read_bundle(o.bundle, o.config.empty() ? "config.json" : o.config));
  if (about.global.no_cgroups) from.config.linux.resources = {};
  // A plan is for whoever may read the bundle: it tells what root would do.
  const auto warnings = OCITK_TRY(spec::validate(from.config, {.euid = o.plan ? 0 : ::geteuid(), .no_pivot = o.no_pivot}));
  for (const auto& text : warnings) about.log.write(runtime::level::warning, text);
  return from;
}

auto load_container(const runtime::entry& entry) -> result<spec::config> {
  const auto text = OCITK_TRY(entry.read_config());
  auto config = OCITK_TRY(spec::parse_config(text));
  if (!config.process) return failure("process property must not be empty", "/process");
  return config;
}

auto load_resources(const std::string& path) -> result<spec::resources> {
  const auto text = path == "-" ? OCITK_TRY(sys::read_all(fd_ref::of(0), spec::largest_json + 1))
                                : OCITK_TRY(sys::read_file(fd_ref::cwd(), path, spec::largest_json + 1));
  return spec::parse_resources(text);
}

auto load_process(const std::string& path) -> result<spec::process> {
  const auto text = OCITK_TRY(sys::read_file(fd_ref::cwd(), path, spec::largest_json + 1));
  return spec::parse_process(text);
}

}  // namespace ocitk::tools
