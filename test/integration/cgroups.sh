#!/bin/bash
# What lives on the cgroups of a container: pause, resume, ps, kill without a PID namespace, removal. Each on the
# hierarchies of this machine and, where it is not cgroup2 anyway, on a cgroup2 mounted in place of them for the
# command alone: it has no controllers then, but the core is there.
. "$(dirname "$0")/lib.sh"

# v2 COMMAND ARGS...: the runtime on a machine whose only cgroup file system is cgroup2.
v2() { unshare -m sh -c 'umount -lR /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"' sh "$OCITK" --root "$STATE" "$@"; }
RT=rt
status_now() { $RT state "$1" 2>/dev/null | jq -r .status; }
now_is() { [ "$(status_now "$1")" = "$2" ]; }
run_detached() { $RT run -d -b "$1" "$2" </dev/null >/dev/null 2>"$DIR/err" || { cat "$DIR/err"; return 1; }; }
# counting NAME: a bundle that writes ever more to $DIR/count-NAME.
counting() {
  : >"$DIR/count-$1"
  sh_bundle "$1" 'while :; do echo x >>/count; sleep 0.02; done' \
    '.linux.cgroupsPath = $path | .mounts += [{destination: "/count", type: "bind", source: $file, options: ["bind"]}]' \
    --arg file "$DIR/count-$1"
}
sh_bundle() { bundle "$1" ".process.args = [\"sh\", \"-c\", \$script] | ${3:-.}" --arg script "$2" --arg path "/$TAG-$1" "${@:4}"; }
stands_still() { local a b; a=$(wc -c <"$1"); sleep 0.2; b=$(wc -c <"$1"); [ "$a" = "$b" ]; }
# case_both "sentence" function: a case for each.
case_both() {
  RT=rt; case_ "$1, on this machine" "$2"
  if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then return; fi
  RT=v2; case_ "$1, on cgroup2 alone" "$2"
  RT=rt
}

pauses() {
  local b; b=$(counting pause)
  run_detached "$b" "$TAG-1"
  until_ 5 test -s "$DIR/count-pause"
  $RT pause "$TAG-1"
  same "$(status_now "$TAG-1")" paused
  has "$($RT list)" paused
  stands_still "$DIR/count-pause" || fail "it goes on"
  has "$($RT pause "$TAG-1" 2>&1 || true)" "container not running"
  has "$($RT start "$TAG-1" 2>&1 || true)" "cannot start a container in the paused state"
  has "$($RT delete "$TAG-1" 2>&1 || true)" "that is not stopped: paused"
  has "$($RT exec "$TAG-1" true 2>&1 || true)" "cannot exec in a paused container (use --ignore-paused to override)"
  $RT resume "$TAG-1"
  same "$(status_now "$TAG-1")" running
  if stands_still "$DIR/count-pause"; then fail "it does not go on"; fi
  has "$($RT resume "$TAG-1" 2>&1 || true)" "container not paused"
  $RT pause "$TAG-1"
  $RT kill "$TAG-1" KILL
  until_ 5 now_is "$TAG-1" stopped
  has "$($RT pause "$TAG-1" 2>&1 || true)" "container not running"
  has "$($RT resume "$TAG-1" 2>&1 || true)" "container not paused"
  $RT delete "$TAG-1"
}
pauses_created() {
  local b; b=$(counting created)
  $RT create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  $RT pause "$TAG-1"
  same "$(status_now "$TAG-1")" paused
  has "$($RT start "$TAG-1" 2>&1 || true)" "cannot start a container in the paused state"
  $RT resume "$TAG-1"
  same "$(status_now "$TAG-1")" created
  $RT start "$TAG-1"
  until_ 5 test -s "$DIR/count-created"
  $RT pause "$TAG-1"
  $RT delete -f "$TAG-1"
}
unknown_ones() {
  has "$($RT pause "$TAG-no" 2>&1 || true)" "container does not exist"
  has "$($RT resume "$TAG-no" 2>&1 || true)" "container does not exist"
  has "$($RT ps "$TAG-no" 2>&1 || true)" "container does not exist"
}
# The cgroups of this machine that can freeze: for v1 the hierarchy, for v2 the only one.
freezer_of() {
  if [ "$RT" = v2 ] || [ ! -d /sys/fs/cgroup/freezer ]; then echo "$(unified_root)/$TAG-$1"; else echo "/sys/fs/cgroup/freezer/$TAG-$1"; fi
}
unified_root() { [ -d /sys/fs/cgroup/unified ] && echo /sys/fs/cgroup/unified || echo /sys/fs/cgroup; }
freeze_dir() { if [ -e "$1/freezer.state" ]; then echo FROZEN >"$1/freezer.state"; else echo 1 >"$1/cgroup.freeze"; fi; }
thaw_dir() { if [ -e "$1/freezer.state" ]; then echo THAWED >"$1/freezer.state"; else echo 0 >"$1/cgroup.freeze"; fi; }
own_freezing() { cat "$1/freezer.self_freezing" 2>/dev/null || cat "$1/cgroup.freeze"; }
frozen_by_others() {
  local b g top; b=$(counting others); top=$(freezer_of others); g=$top/inside
  jq ".linux.cgroupsPath += \"/inside\"" "$b/config.json" >"$b/new"; mv "$b/new" "$b/config.json"
  run_detached "$b" "$TAG-1"
  mkdir "$g/inner"; freeze_dir "$g/inner"
  same "$(status_now "$TAG-1")" running
  $RT pause "$TAG-1"; $RT resume "$TAG-1"
  same "$(own_freezing "$g/inner")" 1  # the container's own, as it left it
  $RT pause "$TAG-1"
  freeze_dir "$top"
  has "$($RT resume "$TAG-1" 2>&1 || true)" "is frozen"
  thaw_dir "$top"
  $RT delete -f "$TAG-1"
  find /sys/fs/cgroup -maxdepth 2 -type d -name "$TAG-others" -exec rmdir {} +
}
shows_processes() {
  local b out; b=$(sh_bundle ps 'sleep 100 & sleep 101; :' '.linux.cgroupsPath = $path')
  run_detached "$b" "$TAG-1"
  until_ 5 sh -c "[ \$(cat $(freezer_of ps)/cgroup.procs | wc -l) = 3 ]"
  out=$($RT ps "$TAG-1")
  same "$(echo "$out" | wc -l)" 4
  has "$(echo "$out" | head -1)" "UID"
  has "$out" "sleep 101"
  same "$($RT ps -f json "$TAG-1")" "[$(sort -n "$(freezer_of ps)/cgroup.procs" | paste -sd,)]"
  same "$($RT ps "$TAG-1" -o pid,args | sed 's/ *[0-9]* //' | sort | paste -sd,)" "PID COMMAND,sh -c sleep 100 & sleep 101; :,sleep 100,sleep 101"
  has "$($RT ps "$TAG-1" -o args 2>&1 || true)" "couldn't find PID field in ps output"
  has "$($RT ps "$TAG-1" --no-such-option 2>&1 || true)" "ps: exit status 1"
  has "$(PATH=/nowhere "$OCITK" --root "$STATE" ps "$TAG-1" 2>&1 || true)" "executable file not found"
  has "$($RT ps -f xml "$TAG-1" 2>&1 || true)" "invalid format option"
  $RT delete -f "$TAG-1"
}
no_pid_namespace() {
  local b g; b=$(sh_bundle nopid 'sleep 1000 & sleep 1001 & sleep 1002; :' \
    '.linux.cgroupsPath = $path | .linux.namespaces |= map(select(.type != "pid"))')
  g=$(freezer_of nopid)
  run_detached "$b" "$TAG-1"
  until_ 5 sh -c "[ \$(wc -l <$g/cgroup.procs) = 4 ]"
  $RT kill "$TAG-1" KILL
  until_ 5 sh -c "! grep -q . $g/cgroup.procs"
  until_ 5 now_is "$TAG-1" stopped
  $RT delete "$TAG-1"
}
survivors() {  # init dies alone: the others are of a stopped container, for kill and delete to find
  local b g; b=$(sh_bundle surv 'sleep 1000 & sleep 1001 & exit 0' \
    '.linux.cgroupsPath = $path | .linux.namespaces |= map(select(.type != "pid"))')
  g=$(freezer_of surv)
  run_detached "$b" "$TAG-1"
  until_ 5 now_is "$TAG-1" stopped
  same "$(wc -l <"$g/cgroup.procs")" 2
  has "$($RT kill "$TAG-1" TERM 2>&1 || true)" "container not running"
  same "$(wc -l <"$g/cgroup.procs")" 2
  $RT kill -a "$TAG-1" KILL
  until_ 5 sh -c "! grep -q . $g/cgroup.procs"
  $RT delete "$TAG-1"
  run_detached "$b" "$TAG-1"
  until_ 5 now_is "$TAG-1" stopped
  $RT delete "$TAG-1"
  [ ! -d "$g" ]
}
always_forking() {
  local b g; b=$(sh_bundle bomb 'i=0; while [ $i -lt 20 ]; do (while :; do (sleep 0.01; :) & wait; done) & i=$((i+1)); done; wait' \
    '.linux.cgroupsPath = $path | .linux.namespaces |= map(select(.type != "pid"))')
  g=$(freezer_of bomb)
  run_detached "$b" "$TAG-1"
  until_ 10 sh -c "[ \$(wc -l <$g/cgroup.procs) -gt 20 ]"
  $RT kill "$TAG-1" KILL
  ! grep -q . "$g/cgroup.procs"
  until_ 5 now_is "$TAG-1" stopped
  $RT delete "$TAG-1"
}
children_of_theirs() {
  local b g; b=$(sh_bundle kids 'sleep 1000' '.linux.cgroupsPath = $path'); g=$(freezer_of kids)
  run_detached "$b" "$TAG-1"
  mkdir -p "$g/a/b" "$g/a/c" "$g/d"
  echo "$(cat "$g/cgroup.procs" | head -1)" >"$g/a/b/cgroup.procs"
  same "$($RT ps -f json "$TAG-1" | jq length)" 1
  $RT delete -f "$TAG-1"
  [ ! -d "$g" ]
}
busy_when_deleted() {  # a process that takes its time to die holds the cgroup: the removal is tried again
  local b g; b=$(sh_bundle busy 'exit 0' '.linux.cgroupsPath = $path'); g=$(freezer_of busy)
  run_detached "$b" "$TAG-1"
  until_ 5 now_is "$TAG-1" stopped
  sleep 1000 & local stranger=$!
  echo $stranger >"$g/cgroup.procs"
  (sleep 0.3; kill -9 $stranger) &
  $RT delete "$TAG-1"
  wait
  [ ! -d "$g" ]
}
never_free() {
  local b g; b=$(sh_bundle held 'exit 0' '.linux.cgroupsPath = $path'); g=$(freezer_of held)
  run_detached "$b" "$TAG-1"
  until_ 5 now_is "$TAG-1" stopped
  sleep 1000 & local stranger=$!
  echo $stranger >"$g/cgroup.procs"
  has "$($RT delete "$TAG-1" 2>&1 || true)" "held by $stranger"
  kill -9 $stranger; wait $stranger 2>/dev/null || true
  $RT delete "$TAG-1"
}

# Devices are given and taken by an update: loop-control (10:237) stands for any that is not
# there by default; whether a driver answers does not matter.
devices() {
  local b; b=$(sh_bundle dev 'while :; do cat /dev/null || echo denied >>/out; done' '.linux.cgroupsPath = $path
    | .linux.devices = [{path: "/dev/probe", type: "c", major: 10, minor: 237, fileMode: 438, uid: 0, gid: 0}]
    | .linux.resources.devices = [{allow: false, access: "rwm"}]
    | .mounts += [{destination: "/out", type: "bind", source: $file, options: ["bind", "rw"]}]' --arg file "$DIR/denied")
  : >"$DIR/denied"
  run_detached "$b" "$TAG-1"
  opens() { $RT exec "$TAG-1" dd if=/dev/probe of=/dev/null count=1 2>&1 || true; }
  has "$(opens)" "peration not permitted"
  local allow='{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 237, "access": "rw"}]}'
  local i; for i in 1 2 3; do
    echo "$allow" | $RT update -r - "$TAG-1"
    hasnt "$(opens)" "peration not permitted"
    echo '{"devices": [{"allow": false, "access": "rwm"}]}' | $RT update -r - "$TAG-1"
    has "$(opens)" "peration not permitted"
  done
  echo '{"pids": {}}' | $RT update -r - "$TAG-1"  # says nothing of devices
  has "$(opens)" "peration not permitted"
  same "$(cat "$DIR/denied")" ""  # what both lists allow was allowed all the time
  has "$(echo '{"devices": [{"allow": true, "type": "x", "access": "r"}]}' | $RT update -r - "$TAG-1" 2>&1 || true)" "config.json#/linux/resources/devices/0"
  $RT delete -f "$TAG-1"
}
case_both "devices are given and taken by an update" devices
case_both "pause stops a container, resume lets it go on" pauses
case_both "a created container is paused and resumed" pauses_created
case_ "pause, resume and ps know no unknown container" unknown_ones
case_both "resume leaves what the container froze, and tells of a frozen cgroup above" frozen_by_others
case_both "ps shows the processes of a container alone" shows_processes
case_both "SIGKILL reaches everything without a PID namespace" no_pid_namespace
case_both "what outlives init without a PID namespace is killed" survivors
case_both "processes that fork all the time are killed" always_forking
case_both "cgroups that the container made are removed with it" children_of_theirs
case_both "a cgroup that is still busy is removed when it is free" busy_when_deleted
case_both "a cgroup that stays busy names who holds it" never_free
finish
