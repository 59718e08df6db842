#include <ocitk/stages/cgroup.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace cgroup = ocitk::stages::cgroup;
namespace devices = ocitk::cgroups::devices;
namespace fs = ocitk::sys::cgroupfs;
using ocitk::spec::resources;

namespace {

auto hybrid() -> fs::layout {
  return {.hierarchies = {{.controllers = {"memory"}, .mountpoint = "/cg/memory", .own = "/own"},
                          {.controllers = {"cpu", "cpuacct"}, .mountpoint = "/cg/cpu,cpuacct", .own = "/"},
                          {.controllers = {"cpuset"}, .mountpoint = "/cg/cpuset", .own = "/"},
                          {.mountpoint = "/cg/unified", .is_v2 = true, .own = "/"}}};
}

auto v2(std::string own = "/user.slice/me.scope") -> fs::layout {
  return {.hierarchies = {{.mountpoint = "/cg", .is_v2 = true, .own = std::move(own)}}, .pure_v2 = true};
}

auto v1_places() -> std::vector<cgroup::place> {
  std::vector<cgroup::place> places;
  for (const char* name : {"cpuset", "devices", "memory", "cpu", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma"})
    places.push_back({.controllers = {name}, .mountpoint = std::string{"/cg/"} + name, .below = "x"});
  return places;
}
auto v2_places() -> std::vector<cgroup::place> { return {{.mountpoint = "/cg", .below = "x", .is_v2 = true}}; }

/// "memory.max=5" for each write; devices have their own tests.
auto lines(const std::vector<cgroup::place>& places, const resources& wanted) -> std::vector<std::string> {
  const auto plan = cgroup::plan(places, wanted, {.devices = false});
  if (!plan) return {plan.error().detail + " at " + plan.error().pointer};
  std::vector<std::string> all;
  for (const auto& w : *plan) all.push_back(w.file + "=" + w.value);
  return all;
}
using list = std::vector<std::string>;

auto with_memory(ocitk::spec::memory m) -> resources {
  resources r;
  r.memory = m;
  return r;
}
auto with_cpu(ocitk::spec::cpu c) -> resources {
  resources r;
  r.cpu = c;
  return r;
}

auto exceptions_of(std::vector<ocitk::spec::device_rule> rules) -> ocitk::result<devices::exceptions> {
  auto read = devices::rules_of(rules);
  if (!read) return std::unexpected(read.error());
  return devices::as_exceptions(*read);
}

/// Runs a filter the way the kernel would.
auto allows(const devices::program& code, char type, std::uint32_t major, std::uint32_t minor, unsigned access) -> bool {
  const std::uint32_t ctx[3] = {access << 16 | (type == 'c' ? 2U : 1U), major, minor};
  std::uint64_t reg[11] = {};
  for (std::size_t pc = 0; pc < code.size(); ++pc) {
    const auto& i = code[pc];
    const auto imm = static_cast<std::uint32_t>(i.imm);
    auto& dst = reg[i.dst_reg];
    const auto low = static_cast<std::uint32_t>(dst);
    switch (i.code) {
      case BPF_LDX | BPF_MEM | BPF_W: dst = ctx[i.off / 4]; break;
      case BPF_ALU | BPF_MOV | BPF_X: dst = static_cast<std::uint32_t>(reg[i.src_reg]); break;
      case BPF_ALU64 | BPF_MOV | BPF_K: dst = imm; break;
      case BPF_ALU | BPF_AND | BPF_K: dst = low & imm; break;
      case BPF_ALU | BPF_RSH | BPF_K: dst = low >> imm; break;
      case BPF_JMP32 | BPF_JNE | BPF_K: pc += low != imm ? static_cast<std::size_t>(i.off) : 0; break;
      case BPF_JMP32 | BPF_JEQ | BPF_K: pc += low == imm ? static_cast<std::size_t>(i.off) : 0; break;
      case BPF_JMP | BPF_EXIT: return reg[0] != 0;
      default: FAIL("unexpected instruction"); return false;
    }
  }
  FAIL("fell off the end");
  return false;
}
auto filter(std::vector<ocitk::spec::device_rule> rules) -> devices::program {
  return devices::compile(*devices::rules_of(rules));
}
constexpr unsigned m = 1, r = 2, w = 4;

}  // namespace

TEST_CASE("cgroup: places come in join order, shared hierarchies once, the unified tree last") {
  const auto places = cgroup::resolve(hybrid(), "/box/one", "id");
  REQUIRE(places);
  CHECK(cgroup::paths_of(*places) ==
        list{"/cg/cpuset/box/one", "/cg/memory/box/one", "/cg/cpu,cpuacct/box/one", "/cg/unified/box/one"});
  CHECK_FALSE(places->back().limits);
}

TEST_CASE("cgroup: a relative path starts at the own cgroup on v1, at its parent on v2") {
  CHECK(cgroup::resolve(hybrid(), "box", "id")->at(1).path() == "/cg/memory/own/box");
  CHECK(cgroup::resolve(hybrid(), "", "id")->at(1).path() == "/cg/memory/own/id");
  CHECK(cgroup::resolve(v2(), "", "id")->at(0).path() == "/cg/user.slice/id");
  CHECK(cgroup::resolve(v2("/"), "", "id")->at(0).path() == "/cg/id");
  CHECK(cgroup::resolve(v2(), "", "id")->at(0).limits);
}

TEST_CASE("cgroup: a path is normalised and never leaves its hierarchy") {
  CHECK(cgroup::normalised("//a/./b//c/") == "a/b/c");
  for (const char* bad : {"..", "/a/../b", "../../x", "a/..", "a\nb"})
    CHECK(cgroup::resolve(hybrid(), bad, "id").error().pointer == "/linux/cgroupsPath");
  CHECK_FALSE(cgroup::normalised(std::string_view{"a\0b", 3}));
  CHECK_FALSE(cgroup::resolve(hybrid(), "/", "id"));
  CHECK_FALSE(cgroup::resolve(hybrid(), "/./", "id"));
  CHECK_FALSE(cgroup::resolve(v2("/../outside"), "x", "id"));
}

TEST_CASE("cgroup: no limits, no writes") {
  CHECK(lines(v1_places(), {}).empty());
  CHECK(lines(v2_places(), {}).empty());
  CHECK(lines({}, {}).empty());
}

TEST_CASE("cgroup: memory limits of v1") {
  SUBCASE("limit before memsw, to be tried again if it has to rise after memsw") {
    const auto plan = *cgroup::plan(v1_places(), with_memory({.limit = 100, .swap = 200}), {.devices = false});
    REQUIRE(plan.size() == 2);
    CHECK(plan[0] == cgroup::write{.dir = 2, .file = "memory.limit_in_bytes", .value = "100",
                                   .pointer = "/linux/resources/memory/limit", .again_at_end = true});
    CHECK(plan[1].file == "memory.memsw.limit_in_bytes");
  }
  SUBCASE("no limit at all opens memsw first") {
    CHECK(lines(v1_places(), with_memory({.limit = -1})) ==
          list{"memory.memsw.limit_in_bytes=-1", "memory.limit_in_bytes=-1"});
  }
  SUBCASE("0 means unset") { CHECK(lines(v1_places(), with_memory({.limit = 0, .reservation = 0, .swap = 0})).empty()); }
  SUBCASE("the rest") {
    CHECK(lines(v1_places(), with_memory({.reservation = 7, .swappiness = 60, .disable_oom_killer = true})) ==
          list{"memory.soft_limit_in_bytes=7", "memory.oom_control=1", "memory.swappiness=60"});
  }
  SUBCASE("a swappiness beyond 100 is refused") {
    CHECK(lines(v1_places(), with_memory({.swappiness = 101})) ==
          list{"invalid memory swappiness value: 101 (valid range is 0-100) at /linux/resources/memory/swappiness"});
  }
}

TEST_CASE("cgroup: memory limits of v2 count swap alone") {
  const auto swap_of = [](std::int64_t limit, std::int64_t swap) {
    return lines(v2_places(), with_memory({.limit = limit, .swap = swap})).at(0);
  };
  CHECK(swap_of(100, 300) == "memory.swap.max=200");
  CHECK(swap_of(100, 100) == "memory.swap.max=0");
  CHECK(swap_of(100, -1) == "memory.swap.max=max");
  CHECK(swap_of(-1, 0) == "memory.swap.max=max");
  CHECK(swap_of(-1, 50) == "memory.swap.max=50");
  CHECK(swap_of(100, 0) == "memory.max=100");
  CHECK(swap_of(0, 50).starts_with("unable to set swap limit without memory limit"));
  CHECK(swap_of(100, 50).starts_with("memory+swap limit should be >= memory limit"));
  CHECK(lines(v2_places(), with_memory({.reservation = -1})) == list{"memory.low=max"});
}

TEST_CASE("cgroup: what v2 has not is an error there, if it would do something") {
  const auto told = [](const resources& wanted) { return lines(v2_places(), wanted).at(0); };
  CHECK(told(with_memory({.swappiness = 5})) == "invalid configuration: cgroup v2 has no memory.swappiness at /linux/resources/memory/swappiness");
  CHECK(told(with_memory({.disable_oom_killer = true})).ends_with("no memory.oom_control at /linux/resources/memory/disableOOMKiller"));
  CHECK(told(with_cpu({.realtime_runtime = 5})).ends_with("/linux/resources/cpu/realtimeRuntime"));
  CHECK(told(with_cpu({.realtime_period = 5})).ends_with("/linux/resources/cpu/realtimePeriod"));
  resources wanted;
  wanted.block_io = ocitk::spec::block_io{.leaf_weight = 10};
  CHECK(told(wanted).ends_with("/linux/resources/blockIO/leafWeight"));
  wanted = {};
  wanted.network = ocitk::spec::network{.class_id = 1};
  CHECK(told(wanted).ends_with("/linux/resources/network/classID"));
  wanted.network = ocitk::spec::network{.priorities = {{.name = "lo", .priority = 1}}};
  CHECK(told(wanted).ends_with("/linux/resources/network/priorities"));
  wanted.network = ocitk::spec::network{.class_id = 0};
  CHECK(lines(v2_places(), wanted).empty());
  CHECK(lines(v2_places(), with_memory({.kernel = 5, .kernel_tcp = 5, .disable_oom_killer = false, .use_hierarchy = true})).empty());
}

TEST_CASE("cgroup: kernel memory is ignored, hierarchical memory is asked for where it can be") {
  CHECK(lines(v1_places(), with_memory({.kernel = 5, .kernel_tcp = 5, .use_hierarchy = true})) == list{"memory.use_hierarchy=1"});
  CHECK(lines(v1_places(), with_memory({.disable_oom_killer = false})) == list{"memory.oom_control=0"});
  CHECK(lines({}, with_memory({.disable_oom_killer = false})).empty());
}

TEST_CASE("cgroup: an idle group has no shares; a group stops to be idle before it gets some") {
  for (const auto& [places, shares] : {std::pair{v1_places(), "cpu.shares=1024"}, std::pair{v2_places(), "cpu.weight=100"}}) {
    CHECK(lines(places, with_cpu({.shares = 1024, .idle = 1})) == list{"cpu.idle=1"});
    CHECK(lines(places, with_cpu({.shares = 1024, .idle = 0})) == list{"cpu.idle=0", shares});
  }
}

TEST_CASE("cgroup: realtime limits of v1, the period again after the runtime") {
  const auto plan = *cgroup::plan(v1_places(), with_cpu({.realtime_runtime = 5, .realtime_period = 10}), {.devices = false});
  REQUIRE(plan.size() == 2);
  CHECK(plan[0].file == "cpu.rt_period_us");
  CHECK(plan[0].again_at_end);
  CHECK(plan[1].value == "5");
}

TEST_CASE("cgroup: shares become weights") {
  const std::pair<std::uint64_t, std::uint64_t> table[] = {{0, 1}, {2, 1}, {3, 2}, {1024, 100}, {262144, 10000}, {~0ULL, 10000}};
  for (const auto& [shares, weight] : table) CHECK(ocitk::cgroups::weight_of_shares(shares) == weight);
}

TEST_CASE("cgroup: cpu limits") {
  const auto wanted = with_cpu({.shares = 1024, .quota = 50000, .burst = 10, .period = 20000, .cpus = "0-1", .mems = "0", .idle = 1});
  CHECK(lines(v1_places(), wanted) == list{"cpu.cfs_period_us=20000", "cpu.cfs_burst_us=10",
                                           "cpu.cfs_quota_us=50000", "cpu.idle=1", "cpuset.cpus=0-1", "cpuset.mems=0"});
  CHECK(lines(v2_places(), wanted) == list{"cpu.idle=1", "cpu.max.burst=10", "cpu.max=50000 20000",
                                           "cpuset.cpus=0-1", "cpuset.mems=0"});
  CHECK(lines(v2_places(), with_cpu({.quota = -1})) == list{"cpu.max=max 100000"});
  CHECK(lines(v2_places(), with_cpu({.period = 5000})) == list{"cpu.max=max 5000"});
}

TEST_CASE("cgroup: pids 0 leaves room for init, below 0 is no limit") {
  resources wanted;
  for (const auto& [limit, value] : {std::pair{-1, "pids.max=max"}, {0, "pids.max=1"}, {20, "pids.max=20"}}) {
    wanted.pids_limit = limit;
    CHECK(lines(v1_places(), wanted) == list{value});
    CHECK(lines(v2_places(), wanted) == list{value});
  }
}

TEST_CASE("cgroup: block devices, huge pages and verbatim files") {
  resources wanted;
  SUBCASE("the weight goes to whichever scheduler is there") {
    wanted.block_io = ocitk::spec::block_io{.weight = 1000};
    CHECK(lines(v1_places(), wanted) == list{"blkio.bfq.weight=1000", "blkio.weight=1000"});
    CHECK(lines(v2_places(), wanted) == list{"io.bfq.weight=1000", "io.weight=10000"});
    CHECK(cgroup::plan(v2_places(), wanted)->at(0).or_next);
  }
  SUBCASE("throttling") {
    wanted.block_io = ocitk::spec::block_io{.throttle_read_bps_device = {{.major = 8, .minor = 0, .rate = 5}}};
    CHECK(lines(v1_places(), wanted) == list{"blkio.throttle.read_bps_device=8:0 5"});
    CHECK(lines(v2_places(), wanted) == list{"io.max=8:0 rbps=5"});
  }
  SUBCASE("a page size is no path") {
    wanted.hugepage_limits = {{.page_size = "../2MB", .limit = 1}};
    CHECK(lines(v2_places(), wanted).at(0).ends_with("/linux/resources/hugepageLimits/0"));
  }
  SUBCASE("unified is for v2 and names files only") {
    wanted.unified = {{"memory.high", "9"}};
    CHECK(lines(v2_places(), wanted) == list{"memory.high=9"});
    CHECK(lines(v1_places(), wanted).at(0).starts_with("invalid configuration"));
    wanted.unified = {{"../memory.high", "9"}};
    CHECK_FALSE(cgroup::plan(v2_places(), wanted));
  }
}

TEST_CASE("cgroup: each limit goes to its file") {
  resources wanted;
  SUBCASE("real time") {
    const auto r = with_cpu({.realtime_runtime = 5, .realtime_period = 9});
    CHECK(lines(v1_places(), r) == list{"cpu.rt_period_us=9", "cpu.rt_runtime_us=5"});
    CHECK(lines(v2_places(), r).at(0).starts_with("invalid configuration"));
  }
  SUBCASE("weights of leaves and of devices") {
    wanted.block_io = ocitk::spec::block_io{.leaf_weight = 20, .weight_device = {{.major = 8, .minor = 1, .weight = 30, .leaf_weight = 40}}};
    CHECK(lines(v1_places(), wanted) == list{"blkio.leaf_weight=20", "blkio.bfq.weight_device=8:1 30",
                                             "blkio.weight_device=8:1 30", "blkio.leaf_weight_device=8:1 40"});
    wanted.block_io->leaf_weight = wanted.block_io->weight_device[0].leaf_weight = std::nullopt;
    CHECK(lines(v2_places(), wanted) == list{"io.bfq.weight=8:1 30"});
  }
  SUBCASE("each direction of throttling") {
    wanted.block_io = ocitk::spec::block_io{.throttle_write_bps_device = {{.major = 8, .minor = 0, .rate = 1}},
                                            .throttle_read_iops_device = {{.major = 8, .minor = 1, .rate = 2}},
                                            .throttle_write_iops_device = {{.major = 8, .minor = 2, .rate = 3}}};
    CHECK(lines(v1_places(), wanted) == list{"blkio.throttle.write_bps_device=8:0 1", "blkio.throttle.read_iops_device=8:1 2",
                                             "blkio.throttle.write_iops_device=8:2 3"});
    CHECK(lines(v2_places(), wanted) == list{"io.max=8:0 wbps=1", "io.max=8:1 riops=2", "io.max=8:2 wiops=3"});
  }
  SUBCASE("huge pages, also those only reserved") {
    wanted.hugepage_limits = {{.page_size = "2MB", .limit = 4}};
    CHECK(lines(v1_places(), wanted) == list{"hugetlb.2MB.limit_in_bytes=4", "hugetlb.2MB.rsvd.limit_in_bytes=4"});
    CHECK(lines(v2_places(), wanted) == list{"hugetlb.2MB.max=4", "hugetlb.2MB.rsvd.max=4"});
  }
  SUBCASE("network") {
    wanted.network = ocitk::spec::network{.class_id = 1048577, .priorities = {{.name = "eth0", .priority = 500}}};
    CHECK(lines(v1_places(), wanted) == list{"net_cls.classid=1048577", "net_prio.ifpriomap=eth0 500"});
    CHECK(lines(v2_places(), wanted).at(0).ends_with("/linux/resources/network/classID"));
  }
  SUBCASE("rdma") {
    wanted.rdma = {{"mlx5_1", {.hca_handles = 3, .hca_objects = 10000}}};
    CHECK(lines(v1_places(), wanted) == list{"rdma.max=mlx5_1 hca_handle=3 hca_object=10000"});
    CHECK(lines(v2_places(), wanted) == list{"rdma.max=mlx5_1 hca_handle=3 hca_object=10000"});
  }
}

TEST_CASE("cgroup: what no kernel limits any more is not written") {
  const auto old = with_memory({.kernel = 1, .kernel_tcp = 2, .use_hierarchy = true, .check_before_update = true});
  CHECK(lines(v1_places(), old) == list{"memory.use_hierarchy=1"});
  CHECK(lines(v2_places(), old).empty());
}

TEST_CASE("cgroup: a missing controller matters only to a limit") {
  const std::vector<cgroup::place> only_pids{{.controllers = {"pids"}, .mountpoint = "/cg/pids", .below = "x"}};
  CHECK(cgroup::plan(only_pids, {})->empty());
  CHECK(lines(only_pids, with_memory({.limit = 1})) ==
        list{"controller \"memory\" not available at /linux/resources/memory/limit"});
  resources wanted;
  wanted.devices = {{.allow = false, .access = "rwm"}};
  CHECK_FALSE(cgroup::plan(only_pids, wanted));
  CHECK(cgroup::plan(only_pids, wanted, {.devices = false}));
}

TEST_CASE("cgroup: devices are denied but for the default ones, one write each") {
  resources wanted;
  const auto none = *cgroup::plan(v1_places(), wanted);
  wanted.devices = {{.allow = false, .access = "rwm"}};
  CHECK(*cgroup::plan(v1_places(), wanted) == none);
  REQUIRE(none.size() == 12);
  CHECK(none[0].file == "devices.deny");
  CHECK(none[0].value == "a");
  CHECK(none[1].value == "c *:* m");
  CHECK(none[3].value == "c 1:3 rwm");
  CHECK(cgroup::plan(v2_places(), wanted)->empty());
}

TEST_CASE("cgroup: rdma, networks and huge pages") {
  std::vector<cgroup::place> places;
  for (const char* name : {"net_cls", "net_prio", "rdma", "hugetlb"})
    places.push_back({.controllers = {name}, .mountpoint = std::string{"/cg/"} + name, .below = "x"});
  resources wanted;
  wanted.network = ocitk::spec::network{.class_id = 7, .priorities = {{.name = "lo", .priority = 2}}};
  wanted.rdma = {{"mlx5_0", {.hca_handles = 3, .hca_objects = 4}}};
  wanted.hugepage_limits = {{.page_size = "2MB", .limit = 5}};
  CHECK(lines(places, wanted) == list{"hugetlb.2MB.limit_in_bytes=5", "hugetlb.2MB.rsvd.limit_in_bytes=5", "net_cls.classid=7", "net_prio.ifpriomap=lo 2",
                                      "rdma.max=mlx5_0 hca_handle=3 hca_object=4"});
  wanted.network.reset();
  CHECK(lines(v2_places(), wanted) == list{"hugetlb.2MB.max=5", "hugetlb.2MB.rsvd.max=5", "rdma.max=mlx5_0 hca_handle=3 hca_object=4"});
}

TEST_CASE("cgroup: from one list of devices to another, what both allow is never denied") {
  const auto steps = [](std::vector<ocitk::spec::device_rule> from, std::vector<ocitk::spec::device_rule> to) {
    list all;
    for (const auto& step : devices::transition(*exceptions_of(std::move(from)), *exceptions_of(std::move(to))))
      all.push_back((step.allow ? "allow " : "deny ") + devices::to_line(step));
    return all;
  };
  const ocitk::spec::device_rule fuse{.allow = true, .type = "c", .major = 10, .minor = 229, .access = "rw"};
  const ocitk::spec::device_rule kvm{.allow = true, .type = "c", .major = 10, .minor = 232, .access = "rw"};
  const ocitk::spec::device_rule all{.allow = true, .access = "rwm"};
  CHECK(steps({fuse}, {fuse}).empty());
  CHECK(steps({fuse}, {kvm}) == list{"allow c 10:232 rw", "deny c 10:229 rw"});
  CHECK(steps({fuse}, {{.allow = true, .type = "c", .major = 10, .minor = 229, .access = "r"}}) == list{"deny c 10:229 w"});
  CHECK(steps({all, {.allow = false, .type = "c", .major = 10, .minor = 229, .access = "rw"}}, {all}) == list{"allow c 10:229 rw"});
  CHECK(steps({fuse}, {all}).at(0) == "allow a *:* rwm");
  CHECK(steps({all}, {}).at(0) == "deny a *:* rwm");
}

TEST_CASE("cgroup: device rules that v1 has no words for are refused, never widened") {
  SUBCASE("a hole in a wildcard") {
    const auto r1 = exceptions_of({{.allow = true, .type = "c", .access = "rw"},
                                   {.allow = false, .type = "c", .major = 10, .minor = 229, .access = "rw"}});
    CHECK(r1.error().detail == "cannot punch hole in existing wildcard rule");
    CHECK(r1.error().pointer == "/linux/resources/devices/1");
  }
  SUBCASE("a rule for all types with little access is not 'a'") {
    const auto list = *exceptions_of({{.allow = true, .access = "r"}});
    CHECK_FALSE(list.default_allow);
    CHECK(devices::to_line(list.rules.at(0)) == "b *:* rm");  // with the default mknod
    CHECK(devices::to_line(list.rules.at(1)) == "c *:* rm");
  }
  SUBCASE("allow all, then less") {
    const auto list = *exceptions_of({{.allow = true, .access = "rwm"},
                                      {.allow = false, .type = "b", .major = 8, .access = "w"}});
    CHECK(list.default_allow);
    REQUIRE(list.rules.size() == 1);
    CHECK(devices::to_line(list.rules[0]) == "b 8:* w");
  }
  SUBCASE("taken back whole") {
    const auto list = *exceptions_of({{.allow = true, .type = "c", .major = 9, .minor = 1, .access = "rw"},
                                      {.allow = false, .type = "c", .major = 9, .access = "w"}});
    CHECK(devices::to_line(list.rules.at(0)) == "c 9:1 r");
  }
  CHECK(exceptions_of({{.allow = true, .type = "c"}}).error().detail == "device access at 0 field cannot be empty");
  CHECK(exceptions_of({{.allow = true, .type = "x", .access = "r"}}).error().pointer == "/linux/resources/devices/0");
  CHECK_FALSE(exceptions_of({{.allow = true, .type = "c", .access = "rx"}}));
}

TEST_CASE("cgroup: the v2 device filter decides each kind of access by the last rule about it") {
  SUBCASE("default") {
    const auto code = filter({{.allow = false, .access = "rwm"}});
    CHECK(allows(code, 'c', 1, 3, r | w));
    CHECK(allows(code, 'c', 10, 229, m));
    CHECK(allows(code, 'b', 8, 0, m));
    CHECK(allows(code, 'c', 136, 77, r | w));
    CHECK_FALSE(allows(code, 'c', 10, 229, r));
    CHECK_FALSE(allows(code, 'b', 8, 0, r | m));
    CHECK_FALSE(allows(code, 'b', 1, 3, r));
  }
  SUBCASE("access granted by two rules adds up") {
    const auto code = filter({{.allow = true, .type = "c", .major = 9, .minor = 1, .access = "r"},
                              {.allow = true, .type = "c", .major = 9, .access = "w"}});
    CHECK(allows(code, 'c', 9, 1, r | w));
    CHECK_FALSE(allows(code, 'c', 9, 2, r | w));
  }
  SUBCASE("a denial of a part denies the whole request") {
    const auto code = filter({{.allow = true, .access = "rwm"}, {.allow = false, .type = "c", .major = 9, .access = "w"}});
    CHECK(allows(code, 'c', 9, 1, r));
    CHECK_FALSE(allows(code, 'c', 9, 1, r | w));
    CHECK(allows(code, 'b', 9, 1, r | w));
  }
  SUBCASE("a hole in a wildcard is fine") {
    const auto code = filter({{.allow = true, .type = "c", .access = "rw"},
                              {.allow = false, .type = "c", .major = 10, .minor = 229, .access = "rw"}});
    CHECK(allows(code, 'c', 10, 228, r | w));
    CHECK_FALSE(allows(code, 'c', 10, 229, r));
  }
}
