#ifndef OCITK_SPEC_DETAIL_FIELDS_HPP
#define OCITK_SPEC_DETAIL_FIELDS_HPP

#include <ocitk/spec/config.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// Which JSON key belongs to which member, told once for the reader, the writer and the checks. Keys stand in
/// the order of the specification's Go structs, because runc prints them that way.
namespace ocitk::spec::detail {

/// How a field differs from one that is left out of the output when zero or empty.
enum class trait { plain, always, id, always_id };

/// A key and the member it fills. `id` fields refuse 4294967295, which setuid(2) reads as "leave as it is".
template <class T>
struct field {
  std::string_view key;
  T& value;
  trait how = trait::plain;

  [[nodiscard]] constexpr auto always() const -> bool { return how == trait::always || how == trait::always_id; }
  [[nodiscard]] constexpr auto is_id() const -> bool { return how == trait::id || how == trait::always_id; }
};
template <class T>
field(std::string_view, T&, trait) -> field<T>;
template <class T>
field(std::string_view, T&) -> field<T>;

/// A JSON object that has no struct of its own: `pids` is one number in ours.
template <class T>
struct object_of {
  field<T> only;
};

template <class T, class Struct>
concept one = std::same_as<std::remove_const_t<T>, Struct>;

template <class... Fs>
constexpr auto list(Fs... fs) -> std::tuple<Fs...> {
  return {fs...};
}

// clang-format off
template <one<root> T> auto fields(T& s) {
  return list(field{"path", s.path, trait::always}, field{"readonly", s.readonly});
}
template <one<box> T> auto fields(T& s) {
  return list(field{"height", s.height, trait::always}, field{"width", s.width, trait::always});
}
template <one<user> T> auto fields(T& s) {
  return list(field{"uid", s.uid, trait::always_id}, field{"gid", s.gid, trait::always_id}, field{"umask", s.umask},
              field{"additionalGids", s.additional_gids, trait::id});
}
template <one<capabilities> T> auto fields(T& s) {
  return list(field{"bounding", s.bounding}, field{"effective", s.effective}, field{"inheritable", s.inheritable},
              field{"permitted", s.permitted}, field{"ambient", s.ambient});
}
template <one<rlimit> T> auto fields(T& s) {
  return list(field{"type", s.type, trait::always}, field{"hard", s.hard, trait::always},
              field{"soft", s.soft, trait::always});
}
template <one<scheduler> T> auto fields(T& s) {
  return list(field{"policy", s.policy, trait::always}, field{"nice", s.nice}, field{"priority", s.priority},
              field{"flags", s.flags}, field{"runtime", s.runtime}, field{"deadline", s.deadline},
              field{"period", s.period});
}
template <one<io_priority> T> auto fields(T& s) {
  return list(field{"class", s.class_, trait::always}, field{"priority", s.priority, trait::always});
}
template <one<exec_cpu_affinity> T> auto fields(T& s) {
  return list(field{"initial", s.initial}, field{"final", s.final});
}
template <one<process> T> auto fields(T& s) {
  return list(field{"terminal", s.terminal}, field{"consoleSize", s.console_size},
              field{"user", s.user, trait::always}, field{"args", s.args}, field{"env", s.env},
              field{"cwd", s.cwd, trait::always}, field{"capabilities", s.capabilities}, field{"rlimits", s.rlimits},
              field{"noNewPrivileges", s.no_new_privileges}, field{"apparmorProfile", s.apparmor_profile},
              field{"oomScoreAdj", s.oom_score_adj}, field{"scheduler", s.scheduler},
              field{"selinuxLabel", s.selinux_label}, field{"ioPriority", s.io_priority},
              field{"execCPUAffinity", s.exec_cpu_affinity});
}
template <one<id_mapping> T> auto fields(T& s) {
  return list(field{"containerID", s.container_id, trait::always_id}, field{"hostID", s.host_id, trait::always_id},
              field{"size", s.size, trait::always});
}
template <one<mount> T> auto fields(T& s) {
  return list(field{"destination", s.destination, trait::always}, field{"type", s.type}, field{"source", s.source},
              field{"options", s.options}, field{"uidMappings", s.uid_mappings},
              field{"gidMappings", s.gid_mappings});
}
template <one<hook> T> auto fields(T& s) {
  return list(field{"path", s.path, trait::always}, field{"args", s.args}, field{"env", s.env},
              field{"timeout", s.timeout});
}
template <one<hooks> T> auto fields(T& s) {
  return list(field{"prestart", s.prestart}, field{"createRuntime", s.create_runtime},
              field{"createContainer", s.create_container}, field{"startContainer", s.start_container},
              field{"poststart", s.poststart}, field{"poststop", s.poststop});
}
template <one<ns> T> auto fields(T& s) {
  return list(field{"type", s.type, trait::always}, field{"path", s.path});
}
template <one<time_offset> T> auto fields(T& s) {
  return list(field{"secs", s.secs}, field{"nanosecs", s.nanosecs});
}
template <one<device> T> auto fields(T& s) {
  return list(field{"path", s.path, trait::always}, field{"type", s.type, trait::always},
              field{"major", s.major, trait::always}, field{"minor", s.minor, trait::always},
              field{"fileMode", s.file_mode}, field{"uid", s.uid, trait::id}, field{"gid", s.gid, trait::id});
}
template <one<device_rule> T> auto fields(T& s) {
  return list(field{"allow", s.allow, trait::always}, field{"type", s.type}, field{"major", s.major},
              field{"minor", s.minor}, field{"access", s.access});
}
template <one<memory> T> auto fields(T& s) {
  return list(field{"limit", s.limit}, field{"reservation", s.reservation}, field{"swap", s.swap},
              field{"kernel", s.kernel}, field{"kernelTCP", s.kernel_tcp}, field{"swappiness", s.swappiness},
              field{"disableOOMKiller", s.disable_oom_killer}, field{"useHierarchy", s.use_hierarchy},
              field{"checkBeforeUpdate", s.check_before_update});
}
template <one<cpu> T> auto fields(T& s) {
  return list(field{"shares", s.shares}, field{"quota", s.quota}, field{"burst", s.burst}, field{"period", s.period},
              field{"realtimeRuntime", s.realtime_runtime}, field{"realtimePeriod", s.realtime_period},
              field{"cpus", s.cpus}, field{"mems", s.mems}, field{"idle", s.idle});
}
template <one<weight_device> T> auto fields(T& s) {
  return list(field{"major", s.major, trait::always}, field{"minor", s.minor, trait::always},
              field{"weight", s.weight}, field{"leafWeight", s.leaf_weight});
}
template <one<throttle_device> T> auto fields(T& s) {
  return list(field{"major", s.major, trait::always}, field{"minor", s.minor, trait::always},
              field{"rate", s.rate, trait::always});
}
template <one<block_io> T> auto fields(T& s) {
  return list(field{"weight", s.weight}, field{"leafWeight", s.leaf_weight}, field{"weightDevice", s.weight_device},
              field{"throttleReadBpsDevice", s.throttle_read_bps_device},
              field{"throttleWriteBpsDevice", s.throttle_write_bps_device},
              field{"throttleReadIOPSDevice", s.throttle_read_iops_device},
              field{"throttleWriteIOPSDevice", s.throttle_write_iops_device});
}
template <one<hugepage_limit> T> auto fields(T& s) {
  return list(field{"pageSize", s.page_size, trait::always}, field{"limit", s.limit, trait::always});
}
template <one<interface_priority> T> auto fields(T& s) {
  return list(field{"name", s.name, trait::always}, field{"priority", s.priority, trait::always});
}
template <one<network> T> auto fields(T& s) {
  return list(field{"classID", s.class_id}, field{"priorities", s.priorities});
}
template <one<rdma> T> auto fields(T& s) {
  return list(field{"hcaHandles", s.hca_handles}, field{"hcaObjects", s.hca_objects});
}
template <class Limit> auto fields(object_of<Limit>& s) { return list(s.only); }
template <class Limit> auto fields(const object_of<Limit>& s) { return list(s.only); }
template <one<syscall_arg> T> auto fields(T& s) {
  return list(field{"index", s.index, trait::always}, field{"value", s.value, trait::always},
              field{"valueTwo", s.value_two}, field{"op", s.op, trait::always});
}
template <one<syscall_rule> T> auto fields(T& s) {
  return list(field{"names", s.names, trait::always}, field{"action", s.action, trait::always},
              field{"errnoRet", s.errno_ret}, field{"args", s.args});
}
template <one<seccomp> T> auto fields(T& s) {
  return list(field{"defaultAction", s.default_action, trait::always}, field{"defaultErrnoRet", s.default_errno_ret},
              field{"architectures", s.architectures}, field{"flags", s.flags}, field{"listenerPath", s.listener_path},
              field{"listenerMetadata", s.listener_metadata}, field{"syscalls", s.syscalls});
}
template <one<personality> T> auto fields(T& s) {
  return list(field{"domain", s.domain, trait::always}, field{"flags", s.flags});
}
template <one<memory_policy> T> auto fields(T& s) {
  return list(field{"mode", s.mode, trait::always}, field{"nodes", s.nodes}, field{"flags", s.flags});
}
template <one<intel_rdt> T> auto fields(T& s) {
  return list(field{"closID", s.clos_id}, field{"schemata", s.schemata}, field{"l3CacheSchema", s.l3_cache_schema},
              field{"memBwSchema", s.mem_bw_schema}, field{"enableMonitoring", s.enable_monitoring});
}
template <one<net_device> T> auto fields(T& s) {
  return list(field{"name", s.name});
}
template <one<config> T> auto fields(T& s) {
  return list(field{"ociVersion", s.oci_version, trait::always}, field{"process", s.process}, field{"root", s.root},
              field{"hostname", s.hostname}, field{"domainname", s.domainname}, field{"mounts", s.mounts},
              field{"hooks", s.hooks}, field{"annotations", s.annotations}, field{"linux", s.linux});
}
template <one<linux_> T> auto fields(T& s) {
  return list(field{"uidMappings", s.uid_mappings}, field{"gidMappings", s.gid_mappings},
              field{"timeOffsets", s.time_offsets}, field{"sysctl", s.sysctl}, field{"resources", s.resources},
              field{"cgroupsPath", s.cgroups_path}, field{"namespaces", s.namespaces}, field{"devices", s.devices},
              field{"netDevices", s.net_devices}, field{"seccomp", s.seccomp},
              field{"rootfsPropagation", s.rootfs_propagation}, field{"maskedPaths", s.masked_paths},
              field{"readonlyPaths", s.readonly_paths}, field{"mountLabel", s.mount_label},
              field{"intelRdt", s.intel_rdt}, field{"memoryPolicy", s.memory_policy},
              field{"personality", s.personality});
}
template <one<record> T> auto fields(T& s) {
  return list(field{"version", s.version, trait::always}, field{"id", s.id, trait::always},
              field{"init_process_pid", s.pid, trait::always},
              field{"init_process_start", s.start_time, trait::always}, field{"created", s.created, trait::always},
              field{"ociVersion", s.oci_version, trait::always}, field{"bundle", s.bundle, trait::always},
              field{"rootfs", s.rootfs, trait::always}, field{"annotations", s.annotations},
              field{"cgroups", s.cgroup_paths, trait::always},
              field{"namespace_paths", s.namespace_paths, trait::always},
              field{"own_pid_namespace", s.own_pid_namespace, trait::always}, field{"callers_keyring", s.callers_keyring},
              field{"hooks", s.hooks}, field{"intel_rdt_groups", s.rdt_groups});
}
template <one<hook_state> T> auto fields(T& s) {
  return list(field{"ociVersion", s.oci_version, trait::always}, field{"id", s.id, trait::always},
              field{"status", s.status, trait::always}, field{"pid", s.pid},
              field{"bundle", s.bundle, trait::always}, field{"annotations", s.annotations});
}
template <one<container_process_state> T> auto fields(T& s) {
  return list(field{"ociVersion", s.oci_version, trait::always}, field{"fds", s.fds, trait::always},
              field{"pid", s.pid, trait::always}, field{"metadata", s.metadata}, field{"state", s.state, trait::always});
}
template <one<state> T> auto fields(T& s) {
  return list(field{"ociVersion", s.oci_version, trait::always}, field{"id", s.id, trait::always},
              field{"pid", s.pid, trait::always}, field{"status", s.status, trait::always},
              field{"bundle", s.bundle, trait::always}, field{"rootfs", s.rootfs, trait::always},
              field{"created", s.created, trait::always}, field{"annotations", s.annotations},
              field{"owner", s.owner, trait::always});
}
// clang-format on

/// `pids` in JSON is an object around one limit; this field carries the object by value.
template <class T>
struct wrapped_field {
  std::string_view key;
  object_of<T> value;
  [[nodiscard]] constexpr auto always() const -> bool { return false; }
  [[nodiscard]] constexpr auto is_id() const -> bool { return false; }
};

template <one<resources> T>
auto fields(T& s) {
  using limit = std::remove_reference_t<decltype((s.pids_limit))>;
  return list(field{"devices", s.devices}, field{"memory", s.memory}, field{"cpu", s.cpu},
              wrapped_field<limit>{"pids", {field{"limit", s.pids_limit}}}, field{"blockIO", s.block_io},
              field{"hugepageLimits", s.hugepage_limits}, field{"network", s.network}, field{"rdma", s.rdma},
              field{"unified", s.unified});
}

/// A struct that `fields` can take apart.
template <class T>
concept described = requires(T& s) { fields(s); };

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class T>
inline constexpr bool is_map<std::map<std::string, T>> = true;

/// Is there anything to write? Present optionals count, zeros, empty lists and structs of nothing do not.
template <class T>
auto is_set(const T& value) -> bool {
  if constexpr (is_optional<T>)
    return value.has_value();
  else if constexpr (std::is_arithmetic_v<T>)
    return value != T{};
  else if constexpr (described<const T>)
    return std::apply([](const auto&... f) { return (is_set(f.value) || ...); }, fields(value));
  else
    return !value.empty();
}

/// `/linux/sysctl/a~1b` out of `/linux/sysctl` and `a/b` (RFC 6901).
inline auto below(std::string_view pointer, std::string_view key) -> std::string {
  std::string longer{pointer};
  longer += '/';
  for (const char c : key) {
    if (c == '~')
      longer += "~0";
    else if (c == '/')
      longer += "~1";
    else
      longer += c;
  }
  return longer;
}
inline auto below(std::string_view pointer, std::size_t index) -> std::string {
  return below(pointer, std::to_string(index));
}

}  // namespace ocitk::spec::detail

#endif
