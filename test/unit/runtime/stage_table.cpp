#include <ocitk/cli/applets.hpp>
#include <ocitk/runtime/stage_table.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace ocitk;

namespace {

auto is_stage(std::string_view word) -> bool {
  return std::ranges::count(runtime::stage_table(), word, &runtime::stage_row::word) == 1;
}

auto has_tool(std::string_view word) -> bool { return std::ranges::count(cli::applets, word, &cli::applet::word) == 1; }

}  // namespace

TEST_CASE("stage table: each tool is of a stage") {
  for (const auto& tool : cli::applets) {
    CAPTURE(tool.word);
    CHECK(is_stage(tool.word));
  }
}

TEST_CASE("stage table: the tool of a stage is there, its own or another's that does the work") {
  std::string without;
  for (const auto& row : runtime::stage_table()) {
    CAPTURE(row.word);
    const auto tool = row.tool();
    if (tool.empty()) without += row.word + " ";
    else CHECK(has_tool(std::string_view{tool}.substr(cli::applet_prefix.size())));
    CHECK((tool == "ocitk-" + row.word) == has_tool(row.word));
  }
  CHECK(without == "rdt netdev ");
}

TEST_CASE("stage table: no word stands twice") {
  const auto table = runtime::stage_table();
  for (const auto& row : table) {
    CAPTURE(row.word);
    CHECK(std::ranges::count(table, row.word, &runtime::stage_row::word) == 1);
  }
}

TEST_CASE("stage table: a word of two processes reads what both read, each once") {
  const auto table = runtime::stage_table();
  const auto row_of = [&](std::string_view word) { return *std::ranges::find(table, word, &runtime::stage_row::word); };
  CHECK(row_of("hooks").reads == "/hooks/prestart, /hooks/createRuntime, /hooks/createContainer");
  CHECK(row_of("cgroup").reads == "/linux/cgroupsPath, /linux/resources");
}
