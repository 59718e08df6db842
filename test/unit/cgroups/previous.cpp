#include <ocitk/cgroups/previous.hpp>

#include <doctest/doctest.h>

#include <string>

using ocitk::cgroups::value_before;

TEST_CASE("previous: a file of one value is written back as it is") {
  CHECK(value_before("memory.limit_in_bytes", "5", "9223372036854771712\n") == "9223372036854771712");
  CHECK(value_before("cpu.max", "50000 20000", "max 100000\n") == "max 100000");
  CHECK(value_before("io.weight", "50", "default 100\n8:0 7\n") == "default 100");
  CHECK(value_before("cpuset.cpus", "0-1", "0\n") == "0");
}

TEST_CASE("previous: an empty file is emptied by a new line, since writing nothing does nothing") {
  CHECK(value_before("cpuset.cpus", "0-1", "\n") == "\n");
  CHECK(value_before("cpuset.cpus", "0-1", "") == "\n");
}

TEST_CASE("previous: a file of many entries gets the one back that changes") {
  const char* io = "8:0 rbps=1 wbps=max riops=max wiops=max\n8:16 rbps=2 wbps=max riops=max wiops=max\n";
  CHECK(value_before("io.max", "8:16 wbps=9", io) == "8:16 rbps=2 wbps=max riops=max wiops=max");
  CHECK(value_before("io.max", "8:1 wbps=9", io) == "8:1 rbps=max wbps=max riops=max wiops=max");
  CHECK(value_before("blkio.throttle.read_bps_device", "8:0 9", "") == "8:0 0");
  CHECK(value_before("blkio.throttle.read_bps_device", "8:0 9", "8:0 4\n") == "8:0 4");
  CHECK(value_before("net_prio.ifpriomap", "eth0 4", "lo 0\neth0 2\n") == "eth0 2");
  CHECK(value_before("rdma.max", "mlx5_0 hca_handle=2", "mlx4_0 hca_handle=3 hca_object=max\n") == "mlx5_0 hca_handle=max hca_object=max");
}

TEST_CASE("previous: memory.oom_control reads otherwise than it is written") {
  CHECK(value_before("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n") == "0");
  CHECK(value_before("memory.oom_control", "0", "oom_kill_disable 1\nunder_oom 0\noom_kill 0\n") == "1");
}
