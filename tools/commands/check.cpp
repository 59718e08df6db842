#include "commands.hpp"

#include <ocitk/check/bundle.hpp>
#include <ocitk/check/report.hpp>
#include <ocitk/spec/read.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/io.hpp>

// check: verdicts before anything runs.
namespace ocitk::tools {

auto check(const surroundings&, const cli::check_options& o) -> result<int> {
  const auto dir = OCITK_TRY(sys::open_at(fd_ref::cwd(), o.bundle, O_PATH | O_DIRECTORY));
  const auto text = sys::read_file(dir, "config.json", spec::largest_json + 1);
  if (!text && text.error().code == ENOENT) return failure("JSON specification file config.json not found");
  if (!text) return std::unexpected(text.error());
  const auto found = check::check_bundle(*text, o.bundle, OCITK_TRY(check::survey()));
  OCITK_TRY(sys::write_all(fd_ref::of(1), o.json ? check::to_json(found) : check::to_text(found)));
  return check::exit_status(found, o.strict);
}

}  // namespace ocitk::tools
