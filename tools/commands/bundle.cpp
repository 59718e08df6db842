#include "bundle.hpp"

#include <ocitk/spec/read.hpp>
#include <ocitk/spec/validate.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>

#include <unistd.h>

namespace ocitk::tools {

namespace {

auto read_bundle(const std::string& bundle) -> result<spec::config> {
  const auto dir = sys::open_at(fd_ref::cwd(), bundle, O_PATH | O_DIRECTORY);
  if (!dir) return std::unexpected(dir.error());
  const auto text = sys::read_file(*dir, "config.json", spec::largest_json + 1);
  if (!text && text.error().code == ENOENT) return failure("JSON specification file config.json not found");
  if (!text) return std::unexpected(text.error());
  return spec::parse_config(*text);
}

}  // namespace

auto load_spec(const surroundings& about, const cli::create_options& o) -> result<spec::config> {
  auto config = OCITK_TRY(read_bundle(o.bundle));
  const auto warnings = OCITK_TRY(spec::validate(config, {.euid = ::geteuid(), .no_pivot = o.no_pivot}));
  OCITK_TRY(spec::check_supported(config));
  for (const auto& text : warnings) about.log.write(runtime::level::warning, text);
  return config;
}

}  // namespace ocitk::tools
