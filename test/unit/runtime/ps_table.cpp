#include <ocitk/runtime/ps_table.hpp>

#include <doctest/doctest.h>

#include <string>

using ocitk::runtime::rows_of;

TEST_CASE("ps table: the head line and the rows of the container stay as they are") {
  const std::string output =
      "UID          PID    PPID  C STIME TTY          TIME CMD\n"
      "root           1       0  0 10:00 ?        00:00:01 /init\n"
      "root          12       1  0 10:00 ?        00:00:00 sleep 12\n"
      "root         120       1  0 10:00 ?        00:00:00   two  words\n";
  CHECK(*rows_of(output, {12, 120}) ==
        "UID          PID    PPID  C STIME TTY          TIME CMD\n"
        "root          12       1  0 10:00 ?        00:00:00 sleep 12\n"
        "root         120       1  0 10:00 ?        00:00:00   two  words\n");
  CHECK(*rows_of(output, {}) == "UID          PID    PPID  C STIME TTY          TIME CMD\n");
  CHECK(*rows_of("  PID\n   7\n", {7}) == "  PID\n   7\n");
}

TEST_CASE("ps table: without a column of pids there is no telling whose a row is") {
  CHECK(rows_of("UID CMD\nroot sh\n", {1}).error().detail == "couldn't find PID field in ps output");
  CHECK(rows_of("", {1}).error().detail == "couldn't find PID field in ps output");
  CHECK(rows_of("UID PID\nroot x7\n", {7}).error().detail == "unable to parse pid: root x7");
  CHECK_FALSE(rows_of("UID PID\nroot\n", {7}));
}
