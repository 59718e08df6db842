#include <ocitk/cgroups/merge.hpp>

#include <doctest/doctest.h>

namespace spec = ocitk::spec;
using ocitk::cgroups::merged;

TEST_CASE("merge: what a change does not speak of stays") {
  spec::resources old;
  old.memory = spec::memory{.limit = 100, .reservation = 10, .swap = 200};
  old.cpu = spec::cpu{.shares = 5, .cpus = "0-1", .mems = "0"};
  old.pids_limit = 7;
  old.devices = {{.allow = true, .access = "r"}};
  spec::resources change;
  change.memory = spec::memory{.limit = 150};
  change.cpu = spec::cpu{.burst = 3};
  const auto now = merged(old, change);
  CHECK(now.memory->limit == 150);
  CHECK(now.memory->reservation == 10);
  CHECK(now.memory->swap == 200);
  CHECK(now.cpu->shares == 5U);
  CHECK(now.cpu->burst == 3U);
  CHECK(now.cpu->cpus == "0-1");
  CHECK(now.pids_limit == 7);
  CHECK(now.devices.size() == 1);
  CHECK_FALSE(merged({}, {}).memory);
}

TEST_CASE("merge: no memory limit means no limit of memory and swap, unless one is told") {
  spec::resources old, change;
  old.memory = spec::memory{.limit = 100, .swap = 200};
  change.memory = spec::memory{.limit = -1};
  CHECK(merged(old, change).memory->swap == -1);
  change.memory->swap = 300;
  CHECK(merged(old, change).memory->swap == 300);
}

TEST_CASE("merge: quota and period change one without the other, and 0 changes nothing") {
  spec::resources old, change;
  old.cpu = spec::cpu{.quota = 50000, .period = 20000};
  change.cpu = spec::cpu{.quota = 10000};
  CHECK(merged(old, change).cpu->quota == 10000);
  CHECK(merged(old, change).cpu->period == 20000U);
  change.cpu = spec::cpu{.quota = 0, .period = 30000};
  CHECK(merged(old, change).cpu->quota == 50000);
  CHECK(merged(old, change).cpu->period == 30000U);
}

TEST_CASE("merge: shares end idleness, unless it is asked for again") {
  spec::resources old, change;
  old.cpu = spec::cpu{.idle = 1};
  change.cpu = spec::cpu{.shares = 512};
  CHECK(merged(old, change).cpu->idle == 0);
  change.cpu->idle = 1;
  CHECK(merged(old, change).cpu->idle == 1);
}

TEST_CASE("merge: lists are merged by key, the last entry wins; devices are replaced") {
  spec::resources old, change;
  old.block_io = spec::block_io{.weight_device = {{.major = 8, .minor = 0, .weight = 10, .leaf_weight = 20}},
                                .throttle_read_bps_device = {{.major = 8, .minor = 0, .rate = 1}, {.major = 8, .minor = 16, .rate = 2}}};
  old.hugepage_limits = {{.page_size = "2MB", .limit = 1}};
  old.unified = {{"a.b", "1"}, {"a.c", "2"}};
  old.devices = {{.allow = true, .access = "r"}, {.allow = false, .access = "w"}};
  change.block_io = spec::block_io{.weight_device = {{.major = 8, .minor = 0, .weight = 30}},
                                   .throttle_read_bps_device = {{.major = 8, .minor = 16, .rate = 3},
                                                                {.major = 8, .minor = 16, .rate = 4},
                                                                {.major = 8, .minor = 32, .rate = 5}}};
  change.hugepage_limits = {{.page_size = "1GB", .limit = 9}, {.page_size = "2MB", .limit = 8}};
  change.unified = {{"a.c", "3"}};
  change.devices = {{.allow = false, .access = "rwm"}};
  const auto now = merged(old, change);
  CHECK(now.block_io->weight_device.at(0).weight == 30);
  CHECK(now.block_io->weight_device.at(0).leaf_weight == 20);
  const auto& read = now.block_io->throttle_read_bps_device;
  REQUIRE(read.size() == 3);
  CHECK(read[0].rate == 1);
  CHECK(read[1].rate == 4);
  CHECK(read[2].minor == 32);
  CHECK(now.hugepage_limits.at(0).limit == 8);
  CHECK(now.hugepage_limits.at(1).page_size == "1GB");
  CHECK(now.unified.at("a.b") == "1");
  CHECK(now.unified.at("a.c") == "3");
  CHECK(now.devices.size() == 1);
}
