#!/bin/bash
# What a container uses: events for programs, stats for people; and what happens when its memory runs out.
. "$(dirname "$0")/lib.sh"

v2() { unshare -m sh -c 'umount -lR /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"' sh "$OCITK" --root "$STATE" "$@"; }
PURE=$([ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && echo yes || true)
sh_bundle() { bundle "$1" ".process.args = [\"sh\", \"-c\", \$script] | .linux.cgroupsPath = \$path | ${3:-.}" --arg script "$2" --arg path "/$TAG-$1"; }
start() { rt run -d -b "$1" "$2" </dev/null >/dev/null 2>"$DIR/err" || { cat "$DIR/err"; return 1; }; }
has_memory() { [ -n "$PURE" ] || [ -d /sys/fs/cgroup/memory ]; }
dir_of() { if [ -n "$PURE" ]; then echo "/sys/fs/cgroup/$TAG-$2"; else echo "/sys/fs/cgroup/$1/$TAG-$2"; fi; }  # CONTROLLER NAME

one_record() {
  local b r; b=$(sh_bundle one 'while [ $(cut -d" " -f14 /proc/self/stat) -lt 3 ]; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done; exec sleep 1000' '.linux.resources.memory = {limit: 104857600} | .linux.resources.pids = {limit: 44}')
  start "$b" "$TAG-1"
  r=$(rt events --stats "$TAG-1")
  same "$(echo "$r" | wc -l)" 1
  same "$(echo "$r" | jq -c 'keys_unsorted')" '["type","id","data"]'
  same "$(echo "$r" | jq -r '.type + " " + .id')" "stats $TAG-1"
  same "$(echo "$r" | jq -c '.data | keys_unsorted')" '["cpu","cpuset","memory","pids","blkio","hugetlb","intel_rdt","network_interfaces"]'
  same "$(echo "$r" | jq .data.memory.usage.limit)" 104857600
  same "$(echo "$r" | jq .data.pids.limit)" 44
  same "$(echo "$r" | jq .data.pids.current)" "$(cat "$(dir_of pids one)/pids.current")"
  [ "$(echo "$r" | jq .data.cpu.usage.total)" -gt 1000000 ]
  [ "$(echo "$r" | jq .data.memory.usage.usage)" -gt 4096 ]
  [ "$(echo "$r" | jq '.data.memory.raw | length')" -gt 10 ]
  rt delete -f "$TAG-1"
  has "$(rt events --stats "$TAG-1" 2>&1 || true)" "container does not exist"
}
like_runc() {  # the same container by runc: the same keys, but for those that Go leaves out when they are zero
  local b r o; b=$(sh_bundle like 'exec sleep 1000' '.ociVersion = "1.0.2"')
  start "$b" "$TAG-1"; o=$(rt events --stats "$TAG-1"); rt delete -f "$TAG-1"
  runc --root "$DIR/runc" run -d -b "$b" "$TAG-2" </dev/null >/dev/null 2>&1; r=$(runc --root "$DIR/runc" events --stats "$TAG-2"); runc --root "$DIR/runc" delete -f "$TAG-2"
  keys() { jq -c '[paths(scalars) | map(select(type == "string")) | join(".")] | unique' <<<"$1"; }
  local only; only=$(jq -nc --argjson a "$(keys "$o")" --argjson b "$(keys "$r")" '($a - $b) + ($b - $a)')
  same "$(jq -c 'map(select(test("\\.(usage|max|total|cache|percpu|percpu_kernel|percpu_user|value|psi.*|failcnt|op|major|minor)$|ioServ") | not))' <<<"$only")" '[]'
  rm -rf "$DIR/runc"
}
a_stream() {
  local b; b=$(sh_bundle stream 'sleep 1.2')
  start "$b" "$TAG-1"
  timeout 10 "$OCITK" --root "$STATE" events --interval 300ms "$TAG-1" >"$DIR/events"  # ends with the container
  [ "$(grep -c '"type":"stats"' "$DIR/events")" -ge 2 ]
  jq -es 'all(.type == "stats")' "$DIR/events" >/dev/null
  has "$(rt events "$TAG-1" 2>&1 || true)" "container with id $TAG-1 is not running"
  rt delete "$TAG-1"
  has "$(rt events --interval 0s "$TAG-1" 2>&1 || true)" "duration interval must be greater than 0"
  has "$(rt events --interval soon "$TAG-1" 2>&1 || true)" "invalid value \\\"soon\\\" for flag -interval"
}
out_of_memory() {
  local b; b=$(sh_bundle oom 'sleep 0.7; tail /dev/zero; sleep 0.5' '.linux.resources.memory = {limit: 20971520, swap: 20971520}')
  start "$b" "$TAG-1"
  timeout 10 "$OCITK" --root "$STATE" events --interval 10s "$TAG-1" >"$DIR/events"
  same "$(sort -u "$DIR/events")" "{\"type\":\"oom\",\"id\":\"$TAG-1\"}"
  rt delete "$TAG-1"
}
no_false_alarm() {
  local b; b=$(sh_bundle calm 'sleep 0.7' '.linux.resources.memory = {limit: 20971520}')
  start "$b" "$TAG-1"
  same "$(timeout 10 "$OCITK" --root "$STATE" events --interval 10s "$TAG-1")" ""
  rt delete "$TAG-1"
}
killed_for_memory() {
  local b rc=0; b=$(sh_bundle oomrun 'exec tail /dev/zero' '.linux.resources.memory = {limit: 20971520, swap: 20971520}')
  rt run -b "$b" "$TAG-1" </dev/null 2>"$DIR/err" || rc=$?
  same "$rc" 137
}
far_too_low() {
  local b rc=0; b=$(sh_bundle low 'exec true' '.linux.resources.memory = {limit: 4096, swap: 4096}')
  rt run -b "$b" "$TAG-1" </dev/null 2>"$DIR/err" || rc=$?
  same "$rc" 1
  has "$(cat "$DIR/err")" "container init was OOM-killed (memory limit too low?) (config.json#/linux/resources/memory/limit)"
}
smallest() {
  local b l
  for l in 256 512 1024 2048 4096; do
    b=$(sh_bundle "small$l" true ".process.args = [\"true\"] | .linux.resources.memory = {limit: ($l * 1024), swap: ($l * 1024)}")
    rt run -b "$b" "$TAG-1" </dev/null 2>/dev/null || continue
    echo "smallest limit that runs true: $l KiB" >"$DIR/smallest"
    return
  done
  fail "true does not run with 4 MiB"
}
pressure_on_v2() {
  local b r; b=$(sh_bundle psi 'exec sleep 1000')
  v2 run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  r=$(v2 events --stats "$TAG-1")
  if [ -e "/sys/fs/cgroup/unified/$TAG-psi/cpu.pressure" ] || [ -e "/sys/fs/cgroup/$TAG-psi/cpu.pressure" ]; then
    same "$(echo "$r" | jq -c '.data.cpu.psi | [keys_unsorted, (.some | keys_unsorted)]')" '[["some","full"],["avg10","avg60","avg300","total"]]'
  fi
  same "$(echo "$r" | jq .data.pids.current)" 1
  [ "$(echo "$r" | jq .data.cpu.usage.total)" -gt 0 ]
  v2 kill "$TAG-1" KILL & timeout 5 unshare -m sh -c 'umount -lR /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"' sh "$OCITK" --root "$STATE" events "$TAG-1" >/dev/null 2>&1 || true
  wait
  v2 delete -f "$TAG-1"
}
a_table() {
  local b out; b=$(sh_bundle table 'while :; do :; done' '.linux.resources.memory = {limit: 104857600}')
  start "$b" "$TAG-1"
  sh_bundle table2 'exec sleep 1000' >/dev/null; start "$DIR/b-table2" "$TAG-2"
  out=$(rt stats --once)
  same "$(echo "$out" | wc -l)" 3
  has "$(echo "$out" | head -1)" "MEMORY"
  has "$out" "/ 100.0MiB"; has "$out" "[.........."; has "$out" "/ no limit"
  [ "$(echo "$out" | awk -v id="$TAG-1" '$1 == id { print int($3) }')" -gt 20 ]
  [ "$(echo "$out" | awk -v id="$TAG-2" '$1 == id { print int($3) }')" -lt 20 ]
  rt pause "$TAG-2"
  has "$(rt stats --once "$TAG-2")" paused
  hasnt "$(rt stats --once "$TAG-2")" "$TAG-1"
  has "$(rt stats --once "$TAG-3" 2>&1 || true)" "container does not exist"
  rt delete -f "$TAG-2"
  timeout 5 "$OCITK" --root "$STATE" stats --interval 200ms "$TAG-1" >"$DIR/table" & local watcher=$!
  sleep 0.8; rt delete -f "$TAG-1"
  wait $watcher  # it ends with the container
  [ "$(grep -c MEMORY "$DIR/table")" -ge 2 ]
  same "$(rt stats --once | wc -l)" 1
}

if has_memory; then
  case_ "events --stats prints one record" one_record
  case_ "events tells when the memory runs out" out_of_memory
  case_ "events tells of no memory that does not run out" no_false_alarm
  case_ "run returns 137 for a container that is killed for its memory" killed_for_memory
  case_ "a memory limit that is far too low is blamed" far_too_low
  case_ "true runs in four mebibytes at the most" smallest
  cat "$DIR/smallest" 2>/dev/null
else
  echo "skip - six cases: this machine has no controller memory"
fi
case_ "events prints records at an interval and ends with the container" a_stream
if command -v runc >/dev/null && [ -z "$PURE" ]; then case_ "events has the keys of runc" like_runc; else echo "skip - the keys of runc: no runc here"; fi
case_ "events tells the pressure on cgroup2" pressure_on_v2
case_ "stats shows a table, once or until the containers end" a_table
finish
