#include <ocitk/spec/nearest.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ocitk;

namespace {
auto meant(std::string_view word, const std::vector<std::string>& known) -> std::string {
  return spec::nearest(word, known).value_or("-");
}
}  // namespace

TEST_CASE("nearest: each kind of slip counts as one letter") {
  CHECK(spec::distance("capabilities", "capabilities") == 0);
  CHECK(spec::distance("capabilites", "capabilities") == 1);   // left out
  CHECK(spec::distance("mountss", "mounts") == 1);             // put in
  CHECK(spec::distance("nosuix", "nosuid") == 1);              // replaced
  CHECK(spec::distance("netwrok", "network") == 1);            // swapped
  CHECK(spec::distance("ARGS", "args") == 0);
  CHECK(spec::distance("", "abc") == 3);
  CHECK(spec::distance("abc", "") == 3);
  CHECK(spec::distance("kitten", "sitting") == 3);
}

TEST_CASE("nearest: the closest word wins, the first of equals") {
  CHECK(meant("netwrok", {"mount", "network", "networks"}) == "network");
  CHECK(meant("CAP_SETXID", {"CAP_SETUID", "CAP_SETGID"}) == "CAP_SETUID");
  CHECK(meant("Args", {"env", "args"}) == "args");
}

TEST_CASE("nearest: no guess where too much differs") {
  CHECK(meant("ro", {"rw"}) == "-");
  CHECK(meant("gd", {"gid"}) == "gid");
  CHECK(meant("SCMP_ACT_BLOCK", {"SCMP_ACT_LOG", "SCMP_ACT_TRAP"}) == "-");
  CHECK(meant("word", {}) == "-");
  CHECK(meant(std::string(100, 'a'), {std::string(99, 'a')}) == "-");
}

TEST_CASE("nearest: a word is not its own correction") {
  CHECK(meant("args", {"args"}) == "-");
}
