#ifndef OCITK_SPEC_READ_HPP
#define OCITK_SPEC_READ_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/detail/linkage.hpp>
#if OCITK_JSON_DEFINED
#include <ocitk/spec/detail/read.hpp>
#endif

#include <string_view>

/// JSON text to the structs of config.hpp. Unknown fields are ignored, `null` counts as absent, of duplicate
/// keys the last wins; a wrong type or a number out of range is an error that names the place.
namespace ocitk::spec {

/// The text of a config.json.
///
/// Fails    broken JSON ("config.json: line 3, column 7: ..."), more than 16 MiB or 128 levels; a wrong type, a
///          number out of range, an id of 4294967295, a NUL in a string: with the pointer of the value
OCITK_JSON_FUNCTION auto parse_config(std::string_view text) -> result<config>;

/// The text of a process alone, as `exec --process` takes it. Pointers start with /process, as in a config.json.
///
/// Fails    as parse_config does
OCITK_JSON_FUNCTION auto parse_process(std::string_view text) -> result<process>;

/// The text of a resources object alone, as `update --resources` takes it. Pointers start with /linux/resources.
///
/// Fails    as parse_config does
OCITK_JSON_FUNCTION auto parse_resources(std::string_view text) -> result<resources>;

/// A state document, as `state_text` writes it.
///
/// Fails    as parse_config does
OCITK_JSON_FUNCTION auto parse_state(std::string_view text) -> result<state>;

/// A state.json of ours. Fields of later versions are ignored.
///
/// Fails    as parse_config does; a text that names no container
OCITK_JSON_FUNCTION auto parse_record(std::string_view text) -> result<record>;

#if OCITK_JSON_DEFINED

OCITK_JSON_FUNCTION auto parse_config(std::string_view text) -> result<config> {
  return detail::parse_as<config>(text, "config.json", "");
}

OCITK_JSON_FUNCTION auto parse_process(std::string_view text) -> result<process> {
  return detail::parse_as<process>(text, "process.json", "/process");
}

OCITK_JSON_FUNCTION auto parse_resources(std::string_view text) -> result<resources> {
  return detail::parse_as<resources>(text, "resources", "/linux/resources");
}

OCITK_JSON_FUNCTION auto parse_state(std::string_view text) -> result<state> {
  return detail::parse_as<state>(text, "state", "");
}

OCITK_JSON_FUNCTION auto parse_record(std::string_view text) -> result<record> {
  auto r = OCITK_TRY(detail::parse_as<record>(text, "state.json", ""));
  if (r.id.empty() || r.version != 1) return failure("state.json: not a state of this runtime");
  return r;
}

#endif

}  // namespace ocitk::spec

#endif
