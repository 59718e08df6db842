#ifndef OCITK_SPEC_WRITE_HPP
#define OCITK_SPEC_WRITE_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/detail/linkage.hpp>
#if OCITK_JSON_DEFINED
#include <ocitk/spec/detail/write.hpp>
#endif

#include <optional>
#include <string>
#include <string_view>

/// The structs of config.hpp to JSON text, keys in the order of the specification, as runc prints them.
namespace ocitk::spec {

/// A config.json, one tab per level as `runc spec` writes it, no newline at the end. Indent -1: one line.
OCITK_JSON_FUNCTION auto to_json_text(const config& c, int indent = 1, char fill = '\t') -> std::string;
OCITK_JSON_FUNCTION auto to_json_text(const process& p, int indent = 1, char fill = '\t') -> std::string;
OCITK_JSON_FUNCTION auto to_json_text(const resources& r, int indent = 1, char fill = '\t') -> std::string;

/// The text of a config.json with other resources, and other shares of resctrl if they are given; the rest of it stays,
/// what we do not know included.
///
/// Fails  a text that is no JSON object
OCITK_JSON_FUNCTION auto with_resources(std::string_view config_text, const resources& r, const std::optional<intel_rdt>& shares = {})
    -> result<std::string>;

/// The state document; `ocitk state` prints it with an indent of 2.
OCITK_JSON_FUNCTION auto state_text(const state& s, int indent) -> std::string;

/// What a hook gets: one line.
OCITK_JSON_FUNCTION auto state_text(const hook_state& s) -> std::string;

/// What a seccomp agent gets: one line.
OCITK_JSON_FUNCTION auto state_text(const container_process_state& s) -> std::string;

/// The text of a state.json.
OCITK_JSON_FUNCTION auto record_text(const record& r) -> std::string;

/// A string as JSON: quoted and escaped.
OCITK_JSON_FUNCTION auto quoted(std::string_view text) -> std::string;

#if OCITK_JSON_DEFINED

OCITK_JSON_FUNCTION auto to_json_text(const config& c, int indent, char fill) -> std::string { return detail::text_of(c, indent, fill); }
OCITK_JSON_FUNCTION auto to_json_text(const process& p, int indent, char fill) -> std::string { return detail::text_of(p, indent, fill); }
OCITK_JSON_FUNCTION auto to_json_text(const resources& r, int indent, char fill) -> std::string { return detail::text_of(r, indent, fill); }
OCITK_JSON_FUNCTION auto with_resources(std::string_view config_text, const resources& r, const std::optional<intel_rdt>& shares)
    -> result<std::string> {
  auto document = detail::ordered_json::parse(config_text, nullptr, false);
  if (!document.is_object() || (document.contains("linux") && !document["linux"].is_object())) return failure("config.json: not an object");
  document["linux"]["resources"] = detail::as_json(r);
  if (shares) document["linux"]["intelRdt"] = detail::as_json(*shares);
  return document.dump(1, '\t', false, detail::ordered_json::error_handler_t::replace);
}
OCITK_JSON_FUNCTION auto state_text(const state& s, int indent) -> std::string { return detail::text_of(s, indent, ' '); }
OCITK_JSON_FUNCTION auto state_text(const hook_state& s) -> std::string { return detail::text_of(s, -1, ' '); }
OCITK_JSON_FUNCTION auto state_text(const container_process_state& s) -> std::string { return detail::text_of(s, -1, ' '); }
OCITK_JSON_FUNCTION auto record_text(const record& r) -> std::string { return detail::text_of(r, -1, ' '); }
OCITK_JSON_FUNCTION auto quoted(std::string_view text) -> std::string { return detail::text_of(std::string{text}, -1, ' '); }

#endif

}  // namespace ocitk::spec

#endif
