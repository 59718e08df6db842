#include <ocitk/stages/mempolicy.hpp>

#include "../../support/in_child.hpp"

#include <doctest/doctest.h>

using namespace ocitk;
namespace mempolicy = stages::mempolicy;

static_assert(stage<stages::set_memory_policy>);

TEST_CASE("mempolicy: mode, flags and nodes in the kernel's terms") {
  const auto bind = mempolicy::plan({.mode = "MPOL_BIND", .nodes = "0-1,65", .flags = {"MPOL_F_STATIC_NODES"}});
  REQUIRE(bind);
  CHECK(*bind == mempolicy::policy{.mode = MPOL_BIND | MPOL_F_STATIC_NODES, .nodes = {3, 2}});
  CHECK(*mempolicy::plan({.mode = "MPOL_DEFAULT"}) == mempolicy::policy{});
  CHECK(*mempolicy::plan({.mode = "MPOL_PREFERRED"}) == mempolicy::policy{.mode = MPOL_PREFERRED});
  CHECK(mempolicy::plan({.mode = "MPOL_WEIGHTED_INTERLEAVE", .nodes = "0"})->mode == 6);
}

TEST_CASE("mempolicy: every rule has its text and its place") {
  struct row {
    spec::memory_policy wanted{};
    std::string_view text{}, pointer{};
  };
  const row rows[] = {
      {{}, "invalid memory policy mode", "/linux/memoryPolicy/mode"},
      {{.mode = "INTERLEAVE", .nodes = "0"}, "invalid memory policy mode \"INTERLEAVE\"", "/linux/memoryPolicy/mode"},
      {{.mode = "MPOL_PREFERRED", .nodes = "0", .flags = {"MPOL_F_RELATIVE_NODES", "bad"}}, "invalid memory policy flag \"bad\"", "/linux/memoryPolicy/flags/1"},
      {{.mode = "MPOL_BIND", .nodes = "0-9876543210"}, "invalid memory policy node", "/linux/memoryPolicy/nodes"},
      {{.mode = "MPOL_BIND", .nodes = "x"}, "invalid memory policy node", "/linux/memoryPolicy/nodes"},
      {{.mode = "MPOL_DEFAULT", .nodes = "0-7"}, "mode requires 0 nodes but got 8", "/linux/memoryPolicy/nodes"},
      {{.mode = "MPOL_LOCAL", .nodes = "2"}, "mode requires 0 nodes but got 1", "/linux/memoryPolicy/nodes"},
      {{.mode = "MPOL_BIND"}, "mode requires at least one node but got 0", "/linux/memoryPolicy/nodes"},
      {{.mode = "MPOL_INTERLEAVE"}, "mode requires at least one node but got 0", "/linux/memoryPolicy/nodes"},
      {{.mode = "MPOL_WEIGHTED_INTERLEAVE"}, "mode requires at least one node but got 0", "/linux/memoryPolicy/nodes"},
      {{.mode = "MPOL_PREFERRED_MANY"}, "mode requires at least one node but got 0", "/linux/memoryPolicy/nodes"},
  };
  for (const auto& r : rows) {
    const auto refused = mempolicy::plan(r.wanted);
    CAPTURE(r.text);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail.find(r.text) != std::string::npos);
    CHECK(refused.error().pointer == r.pointer);
  }
}

TEST_CASE("mempolicy: the thread has it afterwards") {
  if (::syscall(SYS_get_mempolicy, nullptr, nullptr, 0, nullptr, 0) != 0) return;  // a kernel without NUMA
  CHECK(in_child([] {
          if (!mempolicy::apply({.mode = MPOL_BIND, .nodes = {1}})) return 1;
          int mode = -1;
          unsigned long nodes[1024 / 8 / sizeof(unsigned long)]{};
          if (::syscall(SYS_get_mempolicy, &mode, nodes, 1024, nullptr, 0) != 0) return 2;
          if (mode != MPOL_BIND || nodes[0] != 1) return 3;
          return mempolicy::apply({}) ? 0 : 4;
        }) == 0);
}
