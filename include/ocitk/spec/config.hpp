#ifndef OCITK_SPEC_CONFIG_HPP
#define OCITK_SPEC_CONFIG_HPP

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#undef linux  // g++ -std=gnu++23, the usual choice of CMake, defines it as 1; here it is a word of the specification

/// Plain structs for config.json of runtime-spec 1.3, named as the specification names them.
/// An optional is a field whose absence means something else than its zero value.
namespace ocitk::spec {

inline constexpr std::size_t deepest_json = 128;              ///< levels of objects and arrays
inline constexpr std::size_t largest_json = 16 * 1024 * 1024;  ///< bytes

using strings = std::vector<std::string>;
using string_map = std::map<std::string, std::string>;

struct root {
  std::string path{};
  bool readonly = false;
};

struct box {
  std::uint32_t height = 0, width = 0;  ///< characters
};

struct user {
  std::uint32_t uid = 0, gid = 0;         ///< ids inside the container
  std::optional<std::uint32_t> umask{};   ///< mode bits
  std::vector<std::uint32_t> additional_gids{};
};

struct capabilities {  ///< names as in capabilities(7): "CAP_KILL"
  strings bounding{}, effective{}, permitted{}, inheritable{}, ambient{};
};

struct rlimit {
  std::string type{};  ///< "RLIMIT_NOFILE"
  std::uint64_t soft = 0, hard = 0;
};

struct scheduler {
  std::string policy{};
  std::int32_t nice = 0;
  std::int32_t priority = 0;
  strings flags{};
  std::uint64_t runtime = 0, deadline = 0, period = 0;  ///< nanoseconds
};

struct io_priority {
  std::string class_{};
  std::int32_t priority = 0;
};

struct exec_cpu_affinity {
  std::string initial{}, final{};  ///< cpu lists: "0-3,7"
};

struct process {
  bool terminal = false;
  std::optional<box> console_size{};
  struct user user{};
  strings args{};
  strings env{};
  std::string cwd{};
  std::optional<struct capabilities> capabilities{};
  std::vector<rlimit> rlimits{};
  bool no_new_privileges = false;
  std::string apparmor_profile{};
  std::optional<int> oom_score_adj{};
  std::string selinux_label{};
  std::optional<struct scheduler> scheduler{};
  std::optional<struct io_priority> io_priority{};
  std::optional<struct exec_cpu_affinity> exec_cpu_affinity{};
};

struct id_mapping {
  std::uint32_t container_id = 0, host_id = 0, size = 0;
  auto operator==(const id_mapping&) const -> bool = default;
};

struct mount {
  std::string destination{};
  std::string type{};
  std::string source{};
  strings options{};
  std::vector<id_mapping> uid_mappings{}, gid_mappings{};
};

struct hook {
  std::string path{};
  strings args{};
  std::optional<strings> env{};
  std::optional<int> timeout{};  ///< seconds
};

struct hooks {
  std::vector<hook> prestart{}, create_runtime{}, create_container{}, start_container{}, poststart{}, poststop{};
  [[nodiscard]] auto empty() const -> bool {
    return prestart.empty() && create_runtime.empty() && create_container.empty() && start_container.empty() &&
           poststart.empty() && poststop.empty();
  }
};

struct ns {
  std::string type{};  ///< "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"
  std::string path{};  ///< empty: a new one
};

struct time_offset {
  std::int64_t secs = 0;
  std::uint32_t nanosecs = 0;
};

struct device {
  std::string type{};  ///< "c", "b", "u", "p"
  std::string path{};
  std::int64_t major = 0, minor = 0;
  std::optional<std::uint32_t> file_mode{};  ///< mode bits
  std::optional<std::uint32_t> uid{}, gid{};
};

struct device_rule {
  bool allow = false;
  std::string type{};  ///< "a", "b", "c"; empty: all
  std::optional<std::int64_t> major{}, minor{};
  std::string access{};  ///< of "rwm"
};

struct memory {  ///< bytes
  std::optional<std::int64_t> limit{}, reservation{}, swap{}, kernel{}, kernel_tcp{};
  std::optional<std::uint64_t> swappiness{};
  std::optional<bool> disable_oom_killer{}, use_hierarchy{}, check_before_update{};
};

struct cpu {
  std::optional<std::uint64_t> shares{};
  std::optional<std::int64_t> quota{};                 ///< microseconds
  std::optional<std::uint64_t> burst{}, period{};      ///< microseconds
  std::optional<std::int64_t> realtime_runtime{};      ///< microseconds
  std::optional<std::uint64_t> realtime_period{};      ///< microseconds
  std::string cpus{}, mems{};
  std::optional<std::int64_t> idle{};
};

struct weight_device {
  std::int64_t major = 0, minor = 0;
  std::optional<std::uint16_t> weight{}, leaf_weight{};
};

struct throttle_device {
  std::int64_t major = 0, minor = 0;
  std::uint64_t rate = 0;
};

struct block_io {
  std::optional<std::uint16_t> weight{}, leaf_weight{};
  std::vector<struct weight_device> weight_device{};
  std::vector<throttle_device> throttle_read_bps_device{}, throttle_write_bps_device{};
  std::vector<throttle_device> throttle_read_iops_device{}, throttle_write_iops_device{};
};

struct hugepage_limit {
  std::string page_size{};
  std::uint64_t limit = 0;
};

struct interface_priority {
  std::string name{};
  std::uint32_t priority = 0;
};

struct network {
  std::optional<std::uint32_t> class_id{};
  std::vector<interface_priority> priorities{};
};

struct rdma {
  std::optional<std::uint32_t> hca_handles{}, hca_objects{};
};

struct resources {
  std::vector<device_rule> devices{};
  std::optional<struct memory> memory{};
  std::optional<struct cpu> cpu{};
  std::optional<std::int64_t> pids_limit{};  ///< /linux/resources/pids/limit
  std::optional<struct block_io> block_io{};
  std::vector<hugepage_limit> hugepage_limits{};
  std::optional<struct network> network{};
  std::map<std::string, struct rdma> rdma{};
  string_map unified{};
};

struct syscall_arg {
  std::uint32_t index = 0;
  std::uint64_t value = 0, value_two = 0;
  std::string op{};
};

struct syscall_rule {
  strings names{};
  std::string action{};
  std::optional<std::uint32_t> errno_ret{};
  std::vector<syscall_arg> args{};
};

struct seccomp {
  std::string default_action{};
  std::optional<std::uint32_t> default_errno_ret{};
  strings architectures{};
  std::optional<strings> flags{};
  std::string listener_path{};
  std::string listener_metadata{};
  std::vector<syscall_rule> syscalls{};
};

struct personality {
  std::string domain{};
  strings flags{};
};

struct memory_policy {
  std::string mode{};
  std::string nodes{};
  strings flags{};
};

struct intel_rdt {
  std::string clos_id{};
  std::string l3_cache_schema{}, mem_bw_schema{};
  strings schemata{};
  bool enable_monitoring = false;
};

struct net_device {
  std::string name{};
};

struct linux_ {
  std::vector<ns> namespaces{};
  std::vector<id_mapping> uid_mappings{}, gid_mappings{};
  std::map<std::string, time_offset> time_offsets{};
  std::vector<device> devices{};
  std::map<std::string, net_device> net_devices{};
  std::string cgroups_path{};
  struct resources resources{};
  string_map sysctl{};
  std::optional<struct seccomp> seccomp{};
  std::string rootfs_propagation{};
  strings masked_paths{}, readonly_paths{};
  std::string mount_label{};
  std::optional<struct personality> personality{};
  std::optional<struct memory_policy> memory_policy{};
  std::optional<struct intel_rdt> intel_rdt{};

  /// The entry for a namespace type, or nullptr where the container keeps the runtime's.
  [[nodiscard]] auto find(std::string_view type) const -> const ns* {
    for (const auto& n : namespaces)
      if (n.type == type) return &n;
    return nullptr;
  }
  [[nodiscard]] auto has(std::string_view type) const -> bool { return find(type) != nullptr; }
  /// Is a new namespace of this type asked for (not a joined one)?
  [[nodiscard]] auto creates(std::string_view type) const -> bool {
    const ns* n = find(type);
    return n != nullptr && n->path.empty();
  }
};

struct config {
  std::string oci_version{};
  std::optional<struct root> root{};
  std::optional<struct process> process{};
  std::string hostname{};
  std::string domainname{};
  std::vector<mount> mounts{};
  struct hooks hooks{};
  string_map annotations{};
  linux_ linux{};
};

/// What hooks read on their standard input.
struct hook_state {
  std::string oci_version{};
  std::string id{};
  std::string status{};
  int pid = 0;  ///< as the hook sees it; 0: stopped, left out
  std::string bundle{};
  string_map annotations{};
};

/// What a seccomp agent gets beside the listener: the specification's container process state.
struct container_process_state {
  std::string oci_version{};
  strings fds{};          ///< what the descriptors are, in their order
  int pid = 0;            ///< of the process under the filter, as the agent sees it
  std::string metadata{};
  hook_state state{};
};

/// The state document that `ocitk state` prints.
struct state {
  std::string oci_version{};
  std::string id{};
  int pid = 0;  ///< 0: stopped
  std::string status{};
  std::string bundle{};
  std::string rootfs{};
  std::string created{};  ///< RFC 3339, nanoseconds, UTC
  string_map annotations{};
  std::string owner{};
};

/// What a container's state.json holds: enough to find its process and all its traces again.
struct record {
  int version = 1;
  std::string id{};
  int pid = 0;                   ///< of init; 0: not born yet
  std::uint64_t start_time = 0;  ///< of init, clock ticks since boot; tells it from a later process of that pid
  std::string created{};         ///< RFC 3339, nanoseconds, UTC
  std::string oci_version{};
  std::string bundle{}, rootfs{};
  string_map annotations{};
  strings cgroup_paths{};        ///< absolute, in join order
  string_map namespace_paths{};  ///< by "NEWNET" and the like
  bool own_pid_namespace = true; ///< all its processes die with init
  bool callers_keyring = false;  ///< it has no session keyring of its own
  struct hooks hooks{};          ///< as they were at create; in an intent: their time has come, `poststop` is due
  strings rdt_groups{};          ///< directories of resctrl to be removed with it, the last one first
};

}  // namespace ocitk::spec

#endif
