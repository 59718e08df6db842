#ifndef OCITK_RUNTIME_STAGE_TABLE_HPP
#define OCITK_RUNTIME_STAGE_TABLE_HPP

#include <ocitk/runtime/pipelines.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/stages/idmap.hpp>
#include <ocitk/stages/netdev.hpp>
#include <ocitk/stages/rdt.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

/// The stages as a table: the same for `ocitk stages`, for the README and for the tools' help.
namespace ocitk::runtime {

struct stage_row {
  std::string word{};
  std::string process{};  ///< "parent", "init", "parent, init"
  std::string reads{};    ///< spec pointers, separated by ", "
  std::string summary{};

  /// Which tool does its work in a chain; empty: none. Clocks are set where the namespace is made, labels by whoever
  /// executes the program; what works on another process is for `ocitk run`.
  [[nodiscard]] auto tool() const -> std::string {
    if (word == "time") return "ocitk-unshare";
    if (word == "procfs" || word == "apparmor" || word == "selinux") return "ocitk-exec";
    if (word == "rdt" || word == "netdev") return {};
    return "ocitk-" + word;
  }
  [[nodiscard]] auto header() const -> std::string {
    if (word == "spec") return "spec/read.hpp";  // what all others read: no stage of a process
    auto name = word;
    std::ranges::replace(name, '-', '_');
    return "stages/" + name + ".hpp";
  }
};

namespace detail {

template <class S>
auto row_of() -> stage_row {
  constexpr bool in_parent = std::same_as<typename S::context, parent_context>;
  return {.word = std::string{S::name}, .process = in_parent ? "parent" : "init", .reads = std::string{S::reads},
          .summary = std::string{S::summary}};
}

template <class Stages>
auto add_rows(std::vector<stage_row>& rows, const Stages& stages) -> void {
  const auto add = [&]<class S>(const S&) {
    rows.push_back(row_of<S>());
    return true;
  };
  ocitk::detail::each_of(stages, add);
}

/// `more` behind `list`, but for what is there already.
inline auto joined(std::string list, const std::string& more) -> std::string {
  constexpr std::string_view comma = ", ";
  for (std::size_t from = 0; from < more.size();) {
    const auto end = std::min(more.find(comma, from), more.size());
    const auto part = more.substr(from, end - from);
    if ((", " + list + ",").find(", " + part + ",") == std::string::npos) list += (list.empty() ? "" : ", ") + part;
    from = end + comma.size();
  }
  return list;
}

/// A word that works in two processes is one row.
inline auto merged(const std::vector<stage_row>& all) -> std::vector<stage_row> {
  std::vector<stage_row> rows;
  for (const auto& r : all) {
    const auto same = std::ranges::find(rows, r.word, &stage_row::word);
    if (same == rows.end()) {
      rows.push_back(r);
    } else if (same->process != r.process) {
      same->process += ", " + r.process;
      same->reads = joined(same->reads, r.reads);
      same->summary += "; " + r.summary;
    }
  }
  return rows;
}

}  // namespace detail

/// In the order they run.
inline auto stage_table() -> std::vector<stage_row> {
  std::vector<stage_row> all{{.word = "spec", .process = "parent", .reads = "/", .summary = "reads and judges config.json"},
                             detail::row_of<stages::make_cgroup>(), detail::row_of<stages::enter_namespaces>(),
                             detail::row_of<stages::map_ids>(), detail::row_of<stages::join_resctrl_group>(),
                             detail::row_of<stages::move_net_devices>(), detail::row_of<stages::run_create_runtime_hooks>()};
  detail::add_rows(all, enter | furnish | stages::forbid_new_privileges{} | become_user | stages::load_filter{} | stages::execute{});
  auto rows = detail::merged(all);
  std::ranges::find(rows, "unshare", &stage_row::word)->process = "parent, bridge, init";  // by clone3(2), setns(2), unshare(2)
  return rows;
}

/// For people: columns.
inline auto stage_text(const std::vector<stage_row>& rows) -> std::string {
  std::string text = fmt::format("{:<13} {:<21} {:<19} {:<26} {}\n", "WORD", "PROCESS", "TOOL", "HEADER", "READS");
  for (const auto& r : rows)
    text += fmt::format("{:<13} {:<21} {:<19} {:<26} {}\n", r.word, r.process, r.tool().empty() ? "-" : r.tool(), r.header(),
                        r.reads.empty() ? "-" : r.reads);
  return text;
}

inline auto stage_json(const std::vector<stage_row>& rows) -> std::string {
  std::string text;
  for (const auto& r : rows)
    text += fmt::format("{}{{\"word\":{},\"process\":{},\"reads\":{},\"tool\":{},\"header\":{},\"summary\":{}}}", text.empty() ? "[\n" : ",\n",
                        spec::quoted(r.word), spec::quoted(r.process), spec::quoted(r.reads), spec::quoted(r.tool()),
                        spec::quoted(r.header()), spec::quoted(r.summary));
  return text + "\n]\n";
}

/// The table of the README; a test compares.
inline auto stage_markdown(const std::vector<stage_row>& rows) -> std::string {
  std::string text = "| Word | Process | Does | Reads | Tool | Header |\n|---|---|---|---|---|---|\n";
  for (const auto& r : rows)
    text += fmt::format("| [{0}](docs/stages/{0}.md) | {1} | {2} | {3} | {4} | {5} |\n", r.word, r.process, r.summary, r.reads,
                        r.tool(), r.header());
  return text;
}

}  // namespace ocitk::runtime

#endif
