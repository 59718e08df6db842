#include <ocitk/cgroups/stats_text.hpp>

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace ocitk::cgroups;

namespace {

using files = std::map<std::string, std::string>;

auto from(std::vector<std::string> controllers, bool is_v2, files all) -> source {
  return {.controllers = std::move(controllers), .is_v2 = is_v2, .read = [all = std::move(all)](const std::string& file) -> std::optional<std::string> {
            const auto found = all.find(file);
            return found == all.end() ? std::nullopt : std::optional{found->second};
          }};
}

}  // namespace

TEST_CASE("stats: v1 files") {
  const auto s = read_stats(
      {from({"cpuacct"}, false, {{"cpuacct.stat", "user 200\nsystem 100\n"}, {"cpuacct.usage", "3000000005\n"}, {"cpuacct.usage_percpu", "1 2 \n"},
                                 {"cpuacct.usage_all", "cpu user system\n0 3 4\n1 5 6\n"}}),
       from({"cpu"}, false, {{"cpu.stat", "nr_periods 7\nnr_throttled 8\nthrottled_time 9\n"}}),
       from({"cpuset"}, false, {{"cpuset.cpus", "0-1,3\n"}, {"cpuset.mems", "0\n"}, {"cpuset.sched_load_balance", "1\n"}, {"cpuset.sched_relax_domain_level", "-1\n"}}),
       from({"memory"}, false, {{"memory.stat", "cache 11\nrss 12\n"}, {"memory.usage_in_bytes", "13\n"}, {"memory.limit_in_bytes", "14\n"},
                                {"memory.max_usage_in_bytes", "15\n"}, {"memory.failcnt", "16\n"}, {"memory.memsw.usage_in_bytes", "17\n"},
                                {"memory.kmem.usage_in_bytes", "18\n"}, {"memory.kmem.tcp.limit_in_bytes", "19\n"}}),
       from({"pids"}, false, {{"pids.current", "20\n"}, {"pids.max", "max\n"}}),
       from({"hugetlb"}, false, {{"hugetlb.2MB.rsvd.usage_in_bytes", "21\n"}, {"hugetlb.2MB.rsvd.failcnt", "22\n"}, {"hugetlb.2MB.usage_in_bytes", "99\n"}})},
      {"2MB", "1GB"});
  CHECK(s.cpu.total == 3000000005U);
  CHECK(s.cpu.user == 2 * s.cpu.kernel);
  CHECK(s.cpu.percpu == std::vector<number>{1, 2});
  CHECK(s.cpu.percpu_user == std::vector<number>{3, 5});
  CHECK(s.cpu.percpu_kernel == std::vector<number>{4, 6});
  CHECK(s.cpu.throttled_time == 9);
  CHECK(s.cpuset.cpus == std::vector<number>{0, 1, 3});
  CHECK(s.cpuset.sched_relax_domain_level == -1);
  CHECK(s.memory.cache == 11);
  CHECK(s.memory.usage.usage == 13);
  CHECK(s.memory.usage.failcnt == 16);
  CHECK(s.memory.swap.usage == 17);
  CHECK(s.memory.kernel.usage == 18);
  CHECK(s.memory.kernel_tcp.limit == 19);
  CHECK(s.pids.current == 20);
  CHECK(s.pids.limit == 0);
  REQUIRE(s.hugetlb.size() == 1);
  CHECK(s.hugetlb.at("2MB").usage == 21);
  CHECK(s.hugetlb.at("2MB").failcnt == 22);
}

TEST_CASE("stats: block io of v1 is of the scheduler that counts, else of the throttle") {
  const files throttle{{"blkio.throttle.io_serviced_recursive", "8:0 Read 3\n8:0 Write 4\nTotal 7\n"}, {"blkio.throttle.io_service_bytes_recursive", "8:0 Read 12\n"}};
  auto s = read_stats({from({"blkio"}, false, throttle)}, {});
  REQUIRE(s.block.serviced.size() == 2);
  CHECK(s.block.serviced[1].op == "Write");
  CHECK(s.block.serviced[1].value == 4);
  CHECK(s.block.service_bytes.at(0).value == 12);
  auto both = throttle;
  both["blkio.bfq.io_serviced_recursive"] = "8:16 Read 1\n";
  both["blkio.bfq.sectors_recursive"] = "8:16 5\n";
  s = read_stats({from({"blkio"}, false, both)}, {});
  CHECK(s.block.serviced.at(0).minor == 16);
  CHECK(s.block.sectors.at(0).value == 5);
  CHECK(s.block.sectors.at(0).op.empty());
}

TEST_CASE("stats: v2 files") {
  const files all{{"cpu.stat", "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 1\nnr_throttled 1\nthrottled_usec 4\n"},
                  {"cpu.pressure", "some avg10=0.50 avg60=1.00 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.25 total=8\n"},
                  {"memory.current", "100\n"}, {"memory.max", "1000\n"}, {"memory.peak", "200\n"}, {"memory.swap.current", "10\n"}, {"memory.swap.max", "500\n"},
                  {"memory.stat", "anon 6\nfile 7\n"}, {"pids.current", "2\n"}, {"pids.max", "50\n"},
                  {"io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n"}, {"hugetlb.2MB.current", "5\n"}, {"hugetlb.2MB.events", "max 6\n"}};
  auto s = read_stats({from({}, true, all)}, {"2MB"});
  CHECK(s.cpu.total == 5000);
  CHECK(s.cpu.throttled_time == 4000);
  CHECK(s.cpu.psi->some.avg10 == 0.5);
  CHECK(s.cpu.psi->some.total == 77);
  CHECK(s.cpu.psi->full.avg300 == 0.25);
  CHECK(s.memory.usage.max == 200);
  CHECK(s.memory.swap.usage == 110);
  CHECK(s.memory.swap.limit == 1500);
  CHECK(s.memory.cache == 7);
  CHECK(s.pids.limit == 50);
  CHECK(s.block.service_bytes.at(1).value == 2);
  CHECK(s.block.serviced.at(0).op == "Read");
  CHECK(s.block.serviced.at(1).value == 4);
  CHECK(s.hugetlb.at("2MB").failcnt == 6);
  auto unlimited = all;
  unlimited["memory.swap.max"] = "max\n";
  CHECK(read_stats({from({}, true, unlimited)}, {}).memory.swap.limit == no_limit);
  CHECK(read_stats({from({}, true, {{"cgroup.procs", "1\n2\n"}})}, {}).pids.current == 2);
}

TEST_CASE("stats: the names are runc's, zeros may be left out") {
  CHECK(to_json(stats{}) ==
        R"({"cpu":{"usage":{"kernel":0,"user":0},"throttling":{}},"cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,)"
        R"("memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},"memory":{"usage":)"
        R"({"limit":0,"failcnt":0},"swap":{"limit":0,"failcnt":0},"kernel":{"limit":0,"failcnt":0},"kernelTCP":{"limit":0,"failcnt":0}},"pids":{},"blkio":{},)"
        R"("hugetlb":{},"intel_rdt":{},"network_interfaces":null})");
  stats s;
  s.cpu = {.total = 1, .kernel = 2, .user = 3, .percpu = {4, 5}, .percpu_kernel = {6}, .percpu_user = {7}, .periods = 8, .throttled_periods = 9, .throttled_time = 10,
           .psi = pressure{.some = {.avg10 = 0.5, .avg60 = 1, .avg300 = 12.25, .total = 11}}};
  s.memory.raw = {{"anon", 5}};
  s.memory.usage = {.limit = no_limit, .usage = 2, .max = 3, .failcnt = 4};
  s.pids = {.current = 1, .limit = 2};
  s.block.serviced = {{.major = 8, .minor = 0, .op = "Read", .value = 3}};
  s.hugetlb["2MB"] = {.usage = 1, .max = 2, .failcnt = 3};
  const auto text = to_json(s);
  for (const char* part : {R"("usage":{"total":1,"percpu":[4,5],"percpu_kernel":[6],"percpu_user":[7],"kernel":2,"user":3})",
                           R"("throttling":{"periods":8,"throttledPeriods":9,"throttledTime":10})",
                           R"("psi":{"some":{"avg10":0.5,"avg60":1,"avg300":12.25,"total":11},"full":{"avg10":0,"avg60":0,"avg300":0,"total":0}})",
                           R"("usage":{"limit":18446744073709551615,"usage":2,"max":3,"failcnt":4})", R"("raw":{"anon":5})",
                           R"("pids":{"current":1,"limit":2})", R"("blkio":{"ioServicedRecursive":[{"major":8,"op":"Read","value":3}]})",
                           R"("hugetlb":{"2MB":{"usage":1,"max":2,"failcnt":3}})"})
    CHECK_MESSAGE(text.find(part) != text.npos, part);
}
