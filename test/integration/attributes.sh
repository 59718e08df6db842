#!/bin/bash
# Attributes of the payload beyond ids and limits: scheduling, clocks, memory policy, labels, network devices, and the
# document that tells what of all that there is.
. "$(dirname "$0")/lib.sh"
need chrt
need ionice
need ip

inside() { rt run -b "$(sh_bundle in "$@")" "$TAG-1" </dev/null; }
# refused FILTER TEXT...: run fails with 1, before the payload, and says every text.
refused() {
  local rc=0 out b; b=$(sh_bundle bad 'echo ran' "$1"); shift
  out=$(rt run -b "$b" "$TAG-1" 2>&1 </dev/null) || rc=$?
  same "$rc" 1
  hasnt "$out" "ran
"
  while [ $# -gt 0 ]; do has "$out" "$1"; shift; done
}
# up FILTER: a container that sleeps; PID is its init's.
up() {
  rt run -d -b "$(sh_bundle up 'sleep 100' "$1")" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  PID=$(cat "$DIR/pid")
}
down() { rt delete -f "$TAG-1"; }

USERNS='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'

scheduler() {
  up '.process.scheduler = {policy: "SCHED_BATCH", nice: 7, priority: 0}'
  has "$(chrt -p "$PID")" "scheduling policy: SCHED_BATCH"
  same "$(awk '{print $19}' "/proc/$PID/stat")" 7
  same "$(rt exec "$TAG-1" awk '{print $19}' /proc/self/stat </dev/null)" 7
  down
  up '.process.scheduler = {policy: "SCHED_IDLE"}'
  has "$(chrt -p "$PID")" "scheduling policy: SCHED_IDLE"
  down
  up '.process.scheduler = {policy: "SCHED_DEADLINE", nice: 19, runtime: 42000, deadline: 1000000, period: 1000000, flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
  has "$(chrt -p "$PID")" "42000/1000000/1000000"
  down
}
scheduler_rules() {
  refused '.process.scheduler = {}' "scheduler policy is required" "config.json#/process/scheduler/policy"
  refused '.process.scheduler = {policy: "SCHED_OTHER", nice: 20}' "scheduler: invalid scheduler.nice: 20" "config.json#/process/scheduler/nice"
  refused '.process.scheduler = {policy: "SCHED_FIFO", priority: 1} | .linux.resources.cpu = {cpus: "0"}' \
    "process scheduler can't be used together with AllowedCPUs"
  refused '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 42000, deadline: 1000000, period: 1000000} | .linux.resources.cpu = {cpus: "0"}' \
    "process scheduler can't be used together with AllowedCPUs"
  refused '.process.scheduler = {policy: "SCHED_ISO"}' "scheduler: sched_setattr: invalid argument" "config.json#/process/scheduler"
}
io_priority() {
  up '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}'
  same "$(ionice -p "$PID")" "best-effort: prio 6"
  same "$(rt exec "$TAG-1" ionice -p 0 </dev/null)" "best-effort: prio 6"
  down
  same "$(ionice -p $$)" "$(ionice -p $PPID)"  # nobody else's
  same "$(inside 'ionice -p 0' '.process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}')" "idle"
  refused '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 8}' "invalid ioPriority.Priority: 8"
}
personality() {
  [ "$(uname -m)" = x86_64 ] || without "the machine is no x86_64"
  same "$(inside 'uname -m' '.linux.personality = {domain: "LINUX32"}')" i686
  same "$(inside 'uname -m' '.linux.personality = {domain: "LINUX"} | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["personality"], action: "SCMP_ACT_ERRNO"}]}')" x86_64
  has "$(inside 'uname -m' '.linux.personality = {domain: "LINUX32", flags: ["X"]}' 2>&1)" "ignoring personality flags"
  up '.linux.personality = {domain: "LINUX32"}'
  same "$(rt exec "$TAG-1" uname -m </dev/null)" i686
  down
  refused '.linux.personality = {domain: "LINUX64"}' "invalid personality domain LINUX64" "config.json#/linux/personality/domain"
}
memory_policy() {
  [ -e /proc/self/numa_maps ] || without "the kernel has no NUMA"
  local first='head -n 1 /proc/self/numa_maps | cut -d " " -f 2'
  same "$(inside "$first" '.linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "0"}')" "interleave:0"
  has "$(inside "$first" '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"]}')" "bind=static:0"
  same "$(inside "$first" '.linux.memoryPolicy = {mode: "MPOL_DEFAULT"}')" default
  up '.linux.memoryPolicy = {mode: "MPOL_PREFERRED", nodes: "0", flags: ["MPOL_F_RELATIVE_NODES"]}'
  has "$(rt exec "$TAG-1" sh -c "$first" </dev/null)" "prefer=relative:0"
  down
  refused '.linux.memoryPolicy = {}' "invalid memory policy mode" "config.json#/linux/memoryPolicy/mode"
  refused '.linux.memoryPolicy = {mode: "MPOL_DEFAULT", nodes: "0-7"}' "mode requires 0 nodes but got 8"
  refused '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0-9876543210"}' "invalid memory policy node"
  refused '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "60"}' "mempolicy: set_mempolicy: invalid argument"
}
time_offsets() {
  [ -e /proc/self/timens_offsets ] || without "the kernel has no time namespaces"
  local time='.linux.namespaces += [{type: "time"}]' offsets='.linux.timeOffsets = {monotonic: {secs: 7881, nanosecs: 2718281}, boottime: {secs: 100000000, nanosecs: 3141519}}'
  local show='tr -s " " </proc/self/timens_offsets; cut -d. -f1 /proc/uptime'
  local here; here=$(cut -d. -f1 /proc/uptime)
  local seen; seen=$(inside "$show" "$time | $offsets")
  has "$seen" "monotonic 7881 2718281"; has "$seen" "boottime 100000000 3141519"
  [ "$(tail -n 1 <<<"$seen")" -ge $((here + 100000000)) ] || fail "the clock inside says $seen"
  seen=$(inside "$show" "$time | $offsets | $USERNS")
  has "$seen" "monotonic 7881 2718281"
  seen=$(inside "$show" "$time")
  has "$seen" "monotonic 0 0"
  up "$time | $offsets"
  has "$(rt exec "$TAG-1" sh -c 'tr -s " " </proc/self/timens_offsets; readlink /proc/self/ns/time' </dev/null)" "monotonic 7881 2718281"
  same "$(rt exec "$TAG-1" readlink /proc/self/ns/time </dev/null)" "$(readlink "/proc/$PID/ns/time")"
  down
  refused "$offsets" "time namespace offsets specified, but time namespace isn't enabled" "config.json#/linux/timeOffsets"
  refused '.linux.namespaces += [{type: "time", path: "/proc/self/ns/time"}] | '"$offsets" "time namespace enabled, but both namespace path and time offsets specified"
  refused "$time"' | .linux.timeOffsets = {realtime: {secs: 1}}' "realtime" "config.json#/linux/timeOffsets/realtime"
  refused "$time"' | .linux.timeOffsets = {monotonic: {secs: -100000000}}' "time: write: timens_offsets" "config.json#/linux/timeOffsets"
}
labels() {  # what nobody enforces must not look enforced
  if [ "$(head -c 1 /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then
    refused '.process.apparmorProfile = "ocitk-no-such-profile"' "apparmor: write: apply apparmor profile ocitk-no-such-profile: it is not loaded"
  else
    refused '.process.apparmorProfile = "unconfined"' "apparmor: config provided but apparmor not supported" "config.json#/process/apparmorProfile"
  fi
  [ ! -d /sys/fs/selinux/class ] || without "SELinux is on"
  refused '.process.selinuxLabel = "system_u:system_r:container_t:s0"' "selinux label is specified in config, but selinux is disabled or not supported" \
    '`/proc/thread-self/attr/exec`' "config.json#/process/selinuxLabel"
  refused '.linux.mountLabel = "system_u:object_r:container_file_t:s0"' "selinux is disabled or not supported" "config.json#/linux/mountLabel"
}
rdt() {
  refused '.linux.intelRdt = {closID: "a/b"}' 'invalid intelRdt.ClosID' "config.json#/linux/intelRdt/closID"
  ! grep -q ' - resctrl ' /proc/self/mountinfo || without "resctrl is mounted"
  refused '.linux.intelRdt = {memBwSchema: "MB:0=50"}' "rdt: intelRdt is specified in config, but Intel RDT is not enabled" "config.json#/linux/intelRdt"
}

# veth NAME: a pair of devices, the other end is NAME-p; false where the kernel has none.
veth() { ip link add "$1" type veth peer name "$1-p" 2>/dev/null; }
no_veth() { local d; for d in "$@"; do ip link del "$d" 2>/dev/null || true; done; }
D=ot$(($$ % 10000))
trap 'no_veth "${D}a" "${D}b" "${D}c" "${D}d"; cleanup' EXIT
net_devices() {
  veth "${D}a" || without "the kernel makes no veth"
  ip address add 10.99.3.7/24 dev "${D}a"; ip address add 169.254.7.7/16 scope link dev "${D}a"; ip link set mtu 1400 dev "${D}a"
  ip address add fd00:99::7/64 dev "${D}a" nodad
  ip link set "${D}a" up
  local seen; seen=$(inside 'ip address show dev wan0; cat /proc/sys/net/ipv4/conf/wan0/forwarding' \
    ".linux.netDevices = {\"${D}a\": {name: \"wan%d\"}} | .linux.sysctl = {\"net/ipv4/conf/wan0/forwarding\": \"1\"}")
  has "$seen" "10.99.3.7/24"; has "$seen" "fd00:99::7/64"; has "$seen" "mtu 1400"; hasnt "$seen" "169.254.7.7"; has "$seen" ",UP"
  same "$(tail -n 1 <<<"$seen")" 1
  no_veth "${D}a" "${D}a-p"
  veth "${D}b"
  unshare --net sleep 100 &
  local there=$!
  until_ 5 sh -c "[ \$(readlink /proc/$there/ns/net) != $(readlink /proc/self/ns/net) ]"
  local joined='.linux.namespaces |= map(if .type == "network" then .path = "/proc/'$there'/ns/net" else . end)'
  has "$(inside "ip link show dev ${D}b" "$joined | .linux.netDevices = {\"${D}b\": {}}")" "${D}b"
  nsenter --net="/proc/$there/ns/net" ip link show dev "${D}b" >/dev/null  # it stays
  kill "$there"; no_veth "${D}b" "${D}b-p"
}
net_device_rules() {
  refused '.linux.netDevices = {nosuchdev: {}}' "netdev: RTM_GETLINK: link not found for interface nosuchdev on runtime namespace: no such device" "config.json#/linux/netDevices/nosuchdev"
  refused '.linux.netDevices = {x: {}} | .linux.namespaces |= map(select(.type != "network"))' "unable to move network devices without a NET namespace"
  refused '.linux.netDevices = {"a/b": {}}' 'invalid network device name' "config.json#/linux/netDevices)"
  refused '.linux.netDevices = {a: {name: ".."}}' 'invalid network device name' "config.json#/linux/netDevices/a/name"
  veth "${D}c" || without "the kernel makes no veth"
  refused ".linux.netDevices = {\"${D}c\": {name: \"lo\"}}" "the name lo is taken" "file exists" "config.json#/linux/netDevices/${D}c"
  ip link show dev "${D}c" >/dev/null  # still ours
  no_veth "${D}c"
}
planned() {  # every one of them shows in a plan, and a plan does none of it
  veth "${D}d" || without "the kernel makes no veth"
  local b; b=$(sh_bundle plan 'true' "$USERNS"' | .linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: 5}}
    | .process.scheduler = {policy: "SCHED_BATCH"} | .process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}
    | .linux.personality = {domain: "LINUX32"} | .linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "0"} | .linux.netDevices = {"'"${D}d"'": {name: "wan%d"}}')
  local plan; plan=$(rt run --plan -b "$b" "$TAG-1" 2>&1 </dev/null)
  local word
  for word in sched_setattr ioprio_set PER_LINUX32 set_mempolicy 'setns' timens_offsets 'monotonic 5 0' RTM_NEWLINK /linux/netDevices/ /linux/memoryPolicy; do
    has "$plan" "$word"
  done
  ip link show dev "${D}d" >/dev/null
  no_veth "${D}d"
}
features() {
  rt features >"$DIR/features" 2>"$DIR/err"
  same "$(cat "$DIR/err")" ""
  has "$(head -n 2 "$DIR/features")" '
    "ociVersionMin": "1.0.0"'
  local f; f() { jq -e "$@" "$DIR/features" >/dev/null || fail "not so: $*"; }
  f '.ociVersionMax | test("^1\\.[0-9]+\\.[0-9]+$")'
  f '.hooks == ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]'
  f '.mountOptions as $m | ["ro", "rbind", "rshared", "noatime", "nosymfollow", "sync", "async"] | all(IN($m[]))'
  f '[.mountOptions[] | select(. == "idmap" or . == "ridmap")] == []'
  f '.linux.namespaces == ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]'
  f '.linux.capabilities | index("CAP_CHOWN") != null and index("CAP_BPF") != null and length > 38'
  f '.linux.seccomp | .enabled and (.actions | index("SCMP_ACT_ERRNO") != null) and (.operators | length == 7) and (.archs | index("SCMP_ARCH_X86_64") != null)'
  f '.linux.seccomp | .supportedFlags - .knownFlags == []'
  f '.linux.memoryPolicy | (.modes | length == 7) and (.flags | length == 3)'
  f '[.linux | .apparmor, .selinux, .intelRdt, .netDevices | .enabled] | all'
  f '.linux.cgroup | has("v1") and has("v2") and has("systemd") and has("systemdUser") and has("rdma")'
  f '.linux.mountExtensions.idmap.enabled | type == "boolean"'
  # What is listed works, what works is listed.
  local option b
  for option in $(jq -r '.mountOptions[]' "$DIR/features"); do
    case $option in remount | bind | rbind) continue ;; esac
    b=$(bundle opt '.process.args = ["true"] | .mounts += [{destination: "/tmp", type: "tmpfs", source: "t", options: [$o]}]' --arg o "$option")
    (cd "$b" && "$OCITK" check . 2>&1) | grep -q "not supported" && fail "$option is listed and refused"
  done
  rt features x >/dev/null 2>&1 && fail "an argument was taken"
  true
}

case_ "a scheduling policy, of init and of exec" scheduler
case_ "rules of the scheduler" scheduler_rules
case_ "a priority for disk accesses" io_priority
case_ "a personality" personality
case_ "a memory policy" memory_policy
case_ "offsets of clocks" time_offsets
case_ "AppArmor and SELinux are refused where they are off" labels
case_ "Intel RDT is refused where it is not there" rdt
case_ "network devices move in" net_devices
case_ "rules of network devices" net_device_rules
case_ "all of it in a plan" planned
case_ "features, complete and true" features
finish
