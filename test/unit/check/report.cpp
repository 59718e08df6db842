#include <ocitk/check/report.hpp>

#include <doctest/doctest.h>

using namespace ocitk;
using check::severity;

TEST_CASE("report: one line a finding and a line that sums up") {
  CHECK(check::to_text({}) == "no errors, no warnings\n");
  CHECK(check::to_text({{.pointer = "/mounts/3/options/1", .message = "bad", .suggestion = "good"},
                        {.how = severity::warning, .pointer = "/x", .message = "lacks", .needs = "CAP_KILL"},
                        {.how = severity::note, .message = "by the way"}}) ==
        "error: /mounts/3/options/1: bad, did you mean \"good\"?\n"
        "warning: /x: lacks (needs CAP_KILL)\n"
        "note: by the way\n"
        "1 error, 1 warning\n");
  CHECK(check::to_text({{.message = "a"}, {.message = "b"}}).ends_with("2 errors, 0 warnings\n"));
}

TEST_CASE("report: a document cannot write to the terminal") {
  CHECK(check::to_text({{.pointer = "/a", .message = "x\n\x1b[31m"}}) == "error: /a: x\\x0a\\x1b[31m\n1 error, 0 warnings\n");
}

TEST_CASE("report: JSON has what there is, quoted") {
  CHECK(check::to_json({}) == "{\"findings\":[],\"errors\":0,\"warnings\":0}\n");
  CHECK(check::to_json({{.pointer = "/a\"b", .message = "m"},
                        {.how = severity::warning, .message = "n\n", .suggestion = "s", .needs = "t"}}) ==
        "{\"findings\":[{\"severity\":\"error\",\"pointer\":\"/a\\\"b\",\"message\":\"m\"},"
        "{\"severity\":\"warning\",\"pointer\":\"\",\"message\":\"n\\n\",\"suggestion\":\"s\",\"needs\":\"t\"}],"
        "\"errors\":1,\"warnings\":1}\n");
}

TEST_CASE("report: the exit status tells the document from the host") {
  const check::finding document{}, host{.needs = "x"};
  const check::finding warning{.how = severity::warning}, host_warning{.how = severity::warning, .needs = "x"};
  const check::finding note{.how = severity::note};
  CHECK(check::exit_status({}, false) == 0);
  CHECK(check::exit_status({note, warning, host_warning}, false) == 0);
  CHECK(check::exit_status({host, document}, false) == 1);
  CHECK(check::exit_status({host, warning}, false) == 2);
  CHECK(check::exit_status({host, warning}, true) == 1);
  CHECK(check::exit_status({host_warning}, true) == 2);
  CHECK(check::exit_status({note}, true) == 0);
}
