#!/bin/bash
# Every limit that config.json can ask for, read back from the kernel: after `run` and after `update`. The table of
# docs/cgroups.md names these cases. A controller or file that this machine lacks is told, and counted apart.
. "$(dirname "$0")/lib.sh"

SKIPPED=0
V2=$([ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && echo yes || true)
plain() { sh_bundle "$1" 'exec sleep 1000' '.linux.cgroupsPath = $path' --arg path "/$TAG-$1"; }
sh_bundle() { bundle "$1" ".process.args = [\"sh\", \"-c\", \$script] | ${3:-.}" --arg script "$2" "${@:4}"; }
dir_of() { if [ -n "$V2" ]; then echo "/sys/fs/cgroup/$TAG-$2"; else echo "/sys/fs/cgroup/$1/$TAG-$2"; fi; }  # CONTROLLER NAME
start() { rt run -d -b "$1" "$2" </dev/null >/dev/null 2>"$DIR/err" || { cat "$DIR/err"; return 1; }; }
value() { cat "$(dir_of "$1" "$2")/$3"; }  # CONTROLLER NAME FILE
change() { echo "$1" | rt update -r - "$2"; }

# row FIELD CONTROLLER FILE RESOURCES WANTED: a limit from the start and by an update. FILE for v1 or v2, whichever is here.
FIELD= CONTROLLER= FILE= RESOURCES= WANTED=
kept() {
  local b; b=$(plain row)
  jq --argjson r "$RESOURCES" '.linux.resources *= $r' "$b/config.json" >"$b/new"; mv "$b/new" "$b/config.json"
  start "$b" "$TAG-1"
  has "$(value "$CONTROLLER" row "$FILE")" "$WANTED"
  rt delete -f "$TAG-1"
  b=$(plain row); start "$b" "$TAG-1"
  hasnt " $(value "$CONTROLLER" row "$FILE") " " $WANTED "
  change "$RESOURCES" "$TAG-1"
  has "$(value "$CONTROLLER" row "$FILE")" "$WANTED"
  rt delete -f "$TAG-1"
}
# Without the controller, or a file of it, the error names what is missing.
missing() {
  local b; b=$(plain row)
  jq --argjson r "$RESOURCES" '.linux.resources *= $r' "$b/config.json" >"$b/new"; mv "$b/new" "$b/config.json"
  has "$(rt run -b "$b" "$TAG-1" 2>&1 || true)" "controller \\\"$CONTROLLER\\\" not available (config.json#/linux/resources/"
}
row() {
  FIELD=$1 CONTROLLER=$2 FILE=$3 RESOURCES=$4 WANTED=$5
  local probe; probe=$(dir_of "$CONTROLLER" probe)
  if [ -z "$V2" ] && ! grep -q " /sys/fs/cgroup/$CONTROLLER " /proc/self/mounts; then
    SKIPPED=$((SKIPPED + 1)); echo "skip - $FIELD: this machine has no controller $CONTROLLER"
    case_ "$FIELD without its controller names it" missing
    return
  fi
  mkdir "$probe" || return
  local there=yes; [ -e "$probe/$FILE" ] || there=
  rmdir "$probe"
  if [ -z "$there" ]; then SKIPPED=$((SKIPPED + 1)); echo "skip - $FIELD: this kernel has no $FILE"; return; fi
  case_ "$FIELD is in $FILE" kept
}
one_of() { if [ -n "$V2" ]; then echo "$2"; else echo "$1"; fi; }  # V1 V2
DISK=$(for d in /sys/block/*; do case ${d##*/} in loop*|zram*|ram*) ;; *) cat "$d/dev"; break ;; esac; done)
MAJOR=${DISK%:*} MINOR=${DISK#*:}
HUGE=$(ls /sys/kernel/mm/hugepages 2>/dev/null | sed -n 's/hugepages-\([0-9]*\)kB/\1/p' | sort -n | head -1)
HUGE=$((${HUGE:-2048} / 1024))MB

row memory.limit memory "$(one_of memory.limit_in_bytes memory.max)" '{"memory": {"limit": 104857600}}' 104857600
row memory.swap memory "$(one_of memory.memsw.limit_in_bytes memory.swap.max)" '{"memory": {"limit": 104857600, "swap": 209715200}}' "$(one_of 209715200 104857600)"
row memory.reservation memory "$(one_of memory.soft_limit_in_bytes memory.low)" '{"memory": {"reservation": 52428800}}' 52428800
row cpu.quota cpu "$(one_of cpu.cfs_quota_us cpu.max)" '{"cpu": {"quota": 40000, "period": 50000}}' 40000
row cpu.period cpu "$(one_of cpu.cfs_period_us cpu.max)" '{"cpu": {"period": 50000}}' 50000
row cpu.burst cpu "$(one_of cpu.cfs_burst_us cpu.max.burst)" '{"cpu": {"quota": 40000, "burst": 3000}}' 3000
row cpu.shares cpu "$(one_of cpu.shares cpu.weight)" '{"cpu": {"shares": 512}}' "$(one_of 512 59)"
row "cpu.shares, the least" cpu "$(one_of cpu.shares cpu.weight)" '{"cpu": {"shares": 2}}' "$(one_of 2 1)"
row "cpu.shares, the most" cpu "$(one_of cpu.shares cpu.weight)" '{"cpu": {"shares": 262144}}' "$(one_of 262144 10000)"
row cpu.idle cpu cpu.idle '{"cpu": {"idle": 1}}' 1
row pids.limit pids pids.max '{"pids": {"limit": 77}}' 77
row "pids.limit 0" pids pids.max '{"pids": {"limit": 0}}' 1
row blockIO.weight blkio "$(one_of blkio.bfq.weight io.bfq.weight)" '{"blockIO": {"weight": 321}}' 321
for way in "read bps" "write bps" "read iops" "write iops"; do
  set -- $way; d=$1 kind=$2 D=${1^}
  case $kind in bps) K=Bps ;; *) K=IOPS ;; esac
  row "blockIO.throttle$D${K}Device" blkio "$(one_of "blkio.throttle.${d}_${kind}_device" io.max)" \
    "{\"blockIO\": {\"throttle$D${K}Device\": [{\"major\": $MAJOR, \"minor\": $MINOR, \"rate\": 12345}]}}" \
    "$(one_of "$DISK 12345" "${d:0:1}$kind=12345")"
done
row hugepageLimits hugetlb "hugetlb.$HUGE.$(one_of limit_in_bytes max)" "{\"hugepageLimits\": [{\"pageSize\": \"$HUGE\", \"limit\": 20971520}]}" 20971520
row rdma rdma rdma.max '{"rdma": {"mlx5_0": {"hcaHandles": 3}}}' hca_handle=3
row cpu.cpus cpuset cpuset.cpus "$(jq -nc --arg c "$(nproc --all | awk '{print $1 - 1}')" '{cpu: {cpus: $c}}')" "$(nproc --all | awk '{print $1 - 1}')"
cpus_and_mems() {  # one node is all that most machines have: what is copied from above shows no difference
  local b; b=$(plain row); start "$b" "$TAG-1"
  change '{"cpu": {"cpus": "0", "mems": "0"}}' "$TAG-1"
  same "$(value cpuset row cpuset.cpus)" 0; same "$(value cpuset row cpuset.mems)" 0
  has "$(change '{"cpu": {"mems": "900"}}' "$TAG-1" 2>&1 || true)" "900 to cpuset.mems"
  same "$(value cpuset row cpuset.mems)" 0
  rt delete -f "$TAG-1"
}
case_ "cpu.cpus and cpu.mems are in cpuset.cpus and cpuset.mems" cpus_and_mems
if [ -z "$V2" ]; then
  row memory.swappiness memory memory.swappiness '{"memory": {"swappiness": 13}}' 13
  row memory.disableOOMKiller memory memory.oom_control '{"memory": {"disableOOMKiller": true}}' "oom_kill_disable 1"
  row cpu.realtimePeriod cpu cpu.rt_period_us '{"cpu": {"realtimePeriod": 600000}}' 600000
  row cpu.realtimeRuntime cpu cpu.rt_runtime_us '{"cpu": {"realtimeRuntime": 2000}}' 2000
  if grep -qs '\[bfq\]' "/sys/dev/block/$DISK/queue/scheduler"; then row blockIO.weightDevice blkio blkio.bfq.weight_device "{\"blockIO\": {\"weightDevice\": [{\"major\": $MAJOR, \"minor\": $MINOR, \"weight\": 222}]}}" "$DISK 222"
  else SKIPPED=$((SKIPPED + 1)); echo "skip - blockIO.weightDevice: the disk $DISK is not scheduled by bfq"; fi
  row blockIO.leafWeight blkio blkio.leaf_weight '{"blockIO": {"leafWeight": 222}}' 222
  row network.classID net_cls net_cls.classid '{"network": {"classID": 65537}}' 65537
  row network.priorities net_prio net_prio.ifpriomap '{"network": {"priorities": [{"name": "lo", "priority": 3}]}}' "lo 3"
  row devices devices devices.list '{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}' "c 10:229 rw"
fi

ignored() {
  local b; b=$(plain row); start "$b" "$TAG-1"
  has "$(rt update --kernel-memory 100m "$TAG-1" 2>&1)" "Kernel memory settings are ignored"
  change '{"memory": {"kernel": 104857600, "kernelTCP": 104857600, "useHierarchy": true}}' "$TAG-1" 2>/dev/null
  rt delete -f "$TAG-1"
}
v2_only_on_v1() {
  local b; b=$(plain row)
  jq '.linux.resources.unified = {"memory.high": "1000000"}' "$b/config.json" >"$b/new"; mv "$b/new" "$b/config.json"
  has "$(rt run -b "$b" "$TAG-1" 2>&1 || true)" "invalid configuration: unified resources need cgroup v2 (config.json#/linux/resources/unified/memory.high)"
  b=$(plain row); start "$b" "$TAG-1"
  has "$(change '{"unified": {"memory.high": "1"}}' "$TAG-1" 2>&1 || true)" "invalid configuration"
  rt delete -f "$TAG-1"
}
by_options() {
  local b; b=$(plain opt); start "$b" "$TAG-1"
  rt update --memory 100m --memory-reservation 20m --cpu-share 700 --cpu-quota 30000 --cpu-period 60000 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 55 "$TAG-1"
  same "$(value memory opt "$(one_of memory.limit_in_bytes memory.max)")" 104857600
  same "$(value pids opt pids.max)" 55
  rt update --cpu-quota 20000 "$TAG-1"  # the period stays
  has "$(value cpu opt "$(one_of cpu.cfs_quota_us cpu.max)")" 20000
  has "$(value cpu opt "$(one_of cpu.cfs_period_us cpu.max)")" 60000
  rt update --memory -1 "$TAG-1"
  same "$(value memory opt "$(one_of memory.limit_in_bytes memory.max)")" "$(one_of 9223372036854771712 max)"
  same "$(jq -c '.linux.resources | [.memory.limit, .cpu.quota, .cpu.period, .pids.limit]' "$STATE/$TAG-1/config.json")" '[-1,20000,60000,55]'
  same "$(jq -c '.process.args' "$STATE/$TAG-1/config.json")" '["sh","-c","exec sleep 1000"]'
  same "$(rt exec "$TAG-1" echo still here)" "still here"
  echo '{"pids": {"limit": 66}}' >"$DIR/r.json"
  rt update -r "$DIR/r.json" --pids-limit 1 "$TAG-1"  # the file alone counts
  same "$(value pids opt pids.max)" 66
  rt delete -f "$TAG-1"
}
# Every file that an update may write, with its value.
snapshot() {
  local c f
  for c in memory cpu pids cpuset blkio; do
    for f in memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes memory.swappiness memory.max memory.low cpu.shares cpu.weight \
      cpu.cfs_quota_us cpu.cfs_period_us cpu.cfs_burst_us cpu.rt_runtime_us cpu.rt_period_us cpu.max cpu.idle pids.max cpuset.cpus cpuset.mems \
      blkio.bfq.weight blkio.throttle.read_bps_device; do
      [ ! -e "$(dir_of $c "$1")/$f" ] || echo "$f $(value $c "$1" $f)"
    done
  done
}
all_or_nothing() {
  local b before text; b=$(plain all); start "$b" "$TAG-1"
  rt update --memory 100m --cpu-quota 30000 --cpu-period 60000 --pids-limit 55 "$TAG-1"
  before=$(snapshot all; jq .linux.resources "$STATE/$TAG-1/config.json")
  # The last one of each list is refused, after the others were written.
  for text in \
    "{\"pids\": {\"limit\": 99}, \"memory\": {\"limit\": 209715200, \"reservation\": 1048576}, \"blockIO\": {\"weight\": 300, \"throttleReadBpsDevice\": [{\"major\": $MAJOR, \"minor\": $MINOR, \"rate\": 777}]}, \"cpu\": {\"shares\": 99, \"quota\": 10000, \"period\": 20000, \"idle\": 0, \"cpus\": \"0\", \"mems\": \"900\"}}" \
    '{"pids": {"limit": 99}, "memory": {"limit": 209715200}, "cpu": {"shares": 99, "quota": 10000, "cpus": "900"}}' \
    '{"pids": {"limit": 99}, "cpu": {"idle": 7}}' \
    '{"pids": {"limit": 99}, "memory": {"limit": 4096}}' \
    '{"pids": {"limit": 99}, "cpu": {"quota": 5}}'; do
    if change "$text" "$TAG-1" 2>"$DIR/err"; then fail "accepted: $text"; fi
    has "$(cat "$DIR/err")" "(config.json#/linux/resources/"
    same "$(snapshot all; jq .linux.resources "$STATE/$TAG-1/config.json")" "$before"
  done
  rt delete -f "$TAG-1"
}
any_to_any() {  # from each of these states to each other one
  local b m from to; b=$(plain any); start "$b" "$TAG-1"
  if [ -e "$(dir_of memory any)/memory.memsw.limit_in_bytes" ] || [ -e "$(dir_of memory any)/memory.swap.max" ]; then
    m='"104857600 157286400" "209715200 314572800" "52428800 52428800" "314572800 -1" "-1 -1" "10485760 1073741824"'
    eval "set -- $m"
    for from in "$@"; do for to in "$@"; do
      for state in "$from" "$to"; do change "{\"memory\": {\"limit\": ${state% *}, \"swap\": ${state#* }}}" "$TAG-1"; done
      case ${to% *} in -1) ;; *) same "$(value memory any "$(one_of memory.limit_in_bytes memory.max)")" "${to% *}" ;; esac
    done; done
  fi
  # quota period burst; the share of a cpu in a cgroup above is one half, which both have to fit all the time
  set -- "50000 100000 0" "10000 20000 10000" "500000 1000000 100000" "1000 2000 1000" "40000 100000 40000"
  for from in "$@"; do for to in "$@"; do
    for state in "$from" "$to"; do
      read -r q p u <<<"$state"
      change "{\"cpu\": {\"quota\": $q, \"period\": $p, \"burst\": $u}}" "$TAG-1"
    done
    has "$(value cpu any "$(one_of cpu.cfs_quota_us cpu.max)")" "${to%% *}"
  done; done
  set -- '{"idle": 1}' '{"idle": 0, "shares": 512}' '{"shares": 2}' '{"idle": 1, "shares": 9}' '{"idle": 0}'
  for from in "$@"; do for to in "$@"; do change "{\"cpu\": $from}" "$TAG-1"; change "{\"cpu\": $to}" "$TAG-1"; done; done
  change '{"cpu": {"shares": 600}}' "$TAG-1"
  same "$(value cpu any "$(one_of cpu.shares cpu.weight)")" "$(one_of 600 66)"
  rt delete -f "$TAG-1"
}
within_a_half() {  # the same below a cgroup that may use half a cpu
  [ -z "$V2" ] || without "cgroup2 bounds a cgroup by those above itself"
  local b top; b=$(plain half); top=$(dir_of cpu half)
  jq '.linux.cgroupsPath += "/inside" | .linux.resources.cpu = {"quota": 50000, "period": 100000}' "$b/config.json" >"$b/new"; mv "$b/new" "$b/config.json"
  start "$b" "$TAG-1"
  echo 50000 >"$top/cpu.cfs_quota_us"
  set -- "50000 100000" "10000 20000" "500000 1000000" "1000 2000" "5000 100000"
  for from in "$@"; do for to in "$@"; do for state in "$from" "$to"; do
    change "{\"cpu\": {\"quota\": ${state% *}, \"period\": ${state#* }}}" "$TAG-1"
  done; done; done
  has "$(change '{"cpu": {"quota": 90000, "period": 100000}}' "$TAG-1" 2>&1 || true)" "90000 to cpu.cfs_quota_us"
  same "$(cat "$top/inside/cpu.cfs_quota_us")" 5000
  rt delete -f "$TAG-1"
  find /sys/fs/cgroup -maxdepth 2 -type d -name "$TAG-half" -exec rmdir {} +
}
not_running() {
  local b; b=$(plain stop); start "$b" "$TAG-1"
  rt kill "$TAG-1" KILL; until_ 5 status_is "$TAG-1" stopped
  has "$(rt update --pids-limit 5 "$TAG-1" 2>&1 || true)" "container not running"
  rt delete "$TAG-1"
  has "$(rt update --pids-limit 5 "$TAG-1" 2>&1 || true)" "container does not exist"
}
shares_of_cache() {
  local b; b=$(plain rdt); start "$b" "$TAG-1"
  has "$(rt update --l3-cache-schema L3:0=f "$TAG-1" 2>&1 || true)" "updating a non-existent Intel RDT configuration is not supported"
  rt delete -f "$TAG-1"
}
bad_documents() {
  local b; b=$(plain bad); start "$b" "$TAG-1"
  has "$(change '{' "$TAG-1" 2>&1 || true)" "resources"
  has "$(change '{"pids": {"limit": "x"}}' "$TAG-1" 2>&1 || true)" "config.json#/linux/resources/pids/limit"
  has "$(rt update -r /nowhere "$TAG-1" 2>&1 || true)" "no such file or directory"
  rt delete -f "$TAG-1"
}
case_ "kernel memory and hierarchies are ignored, with a warning" ignored
[ -n "$V2" ] || case_ "fields of v2 alone are errors on v1" v2_only_on_v1
case_ "update takes options, and remembers" by_options
case_ "an update that fails changes nothing" all_or_nothing
case_ "an update gets from any limits to any other ones" any_to_any
case_ "an update fits into the cgroup above all the time" within_a_half
case_ "update wants a container that runs" not_running
case_ "update gives no share of a cache that the container has none of" shares_of_cache
case_ "update names what is wrong with a document" bad_documents
[ $SKIPPED = 0 ] || echo "limits: $SKIPPED rows skipped for want of a controller or file, see above"
finish
