#!/bin/bash
# --shell-at: a shell in a half-built container; --stop-before: a container that waits.
. "$(dirname "$0")/lib.sh"
need python3
TERMINAL=$(dirname "$0")/../support/at_terminal.py
export SHELL=/bin/sh
unset ENV

# A root file system that a shell of its own could not come from.
mkdir -p "$DIR/bare/bin"; cp "$(command -v busybox)" "$DIR/bare/bin/busybox"
# bare NAME [FILTER]: its payload tells which namespaces it is in.
bare() {
  bundle "$1" ".root.path = \"$DIR/bare\" | .hostname = \"inside\" | .process.args = [\"/bin/busybox\", \"sh\", \"-c\",
    \"for n in mnt pid net ipc uts; do busybox readlink /proc/self/ns/\$n; done; echo payload; exit 4\"] | .process.env += [\"PATH=/bin\"] | ${2:-.}"
}
# What a shell says of where it is; it can write to the host's files, for it has the host's root.
cat >"$DIR/probe" <<EOF
{
  for n in mnt pid net ipc uts; do readlink /proc/self/ns/\$n; done >"$DIR/shell-ns"
  echo "stage \$OCITK_STAGE"
  echo "root \$(ls "\${OCITK_ROOT:-/none}/" 2>/dev/null | grep -v '^sys$' | sort | tr '\n' ' ')"
  echo "tool \$(ls --version | head -1 | grep -c coreutils)"
  echo "ids \$(id -u) \$(id -g)"
  echo "host \$(uname -n)"
  echo "files \$(ulimit -n)"
  grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status
  echo "pid \$(awk '/^NSpid/ {print \$NF}' /proc/self/status)"
  echo "fds \$(ls -l /proc/self/fd | sed 1d | grep -vcE ' [0-9]+ -> (/|pipe:)')"
} >"$DIR/said" 2>&1
EOF
said() { sed -n "s/^$1[: 	]*//p" "$DIR/said"; }
# at STAGE BUNDLE: probes in a shell without a terminal, then goes on; the payload's output in $DIR/out.
at() {
  local rc=0
  chmod 755 "$DIR"; rm -f "$DIR/said" "$DIR/shell-ns"; install -m 666 /dev/null "$DIR/said"; install -m 666 /dev/null "$DIR/shell-ns"
  echo ". $DIR/probe; exit 0" | rt run --shell-at "$1" -b "$2" "$TAG-1" >"$DIR/out" 2>"$DIR/err" || rc=$?
  same "$rc" 4 || { cat "$DIR/err"; return 1; }
  same "$(tail -1 "$DIR/out")" payload
  same "$(said stage)" "$1"
  same "$(said tool)" 1
  # the namespaces are the payload's, and none is the host's
  same "$(cat "$DIR/shell-ns")" "$(head -5 "$DIR/out")"
  local n; for n in mnt pid net ipc uts; do hasnt "$(cat "$DIR/shell-ns")" "$(readlink /proc/self/ns/$n)"; done
}
before_rootfs() {
  at rootfs "$(bare rootfs)"
  same "$(said root)" ""  # there is none yet
  same "$(said ids)" "0 0"; same "$(said host)" "$(uname -n)"; same "$(said Seccomp)" 0
  same "$(said CapEff)" "$(sed -n 's/^CapEff:\t//p' /proc/self/status)"
}
before_masks() {
  at masks "$(bare masks)"
  same "$(said root)" "bin dev proc "
  same "$(said host)" "$(uname -n)"
}
before_hostname() {
  at hostname "$(bare hostname)"
  same "$(said root)" "bin dev proc "
  same "$(said host)" "$(uname -n)"; same "$(said files)" "$(ulimit -n)"
}
before_user() {
  at user "$(bare user '.process.user = {uid: 1000, gid: 1001}')"
  same "$(said root)" "bin dev proc "
  same "$(said ids)" "0 0"; same "$(said host)" inside; same "$(said files)" 1024
  same "$(said NoNewPrivs)" 1; same "$(said Seccomp)" 0
  same "$(said CapBnd)" 0000000020000420
}
before_exec() {
  at exec "$(bare exec '.process.user = {uid: 1000, gid: 1001} | .process.capabilities.effective = [] | .process.capabilities.permitted = [] | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["reboot"], action: "SCMP_ACT_ERRNO"}]}')"
  same "$(said root)" "bin dev proc "
  same "$(said ids)" "1000 1001"; same "$(said host)" inside; same "$(said files)" 1024
  same "$(said NoNewPrivs)" 1; same "$(said Seccomp)" 2; same "$(said CapEff)" 0000000000000000; same "$(said CapBnd)" 0000000020000420
}
every_stage() {  # whichever it is, the container is complete afterwards
  local stage b rc list; b=$(bare every '.process.user = {uid: 1000, gid: 1001} | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"} | .linux.sysctl = {"kernel.shm_rmid_forced": "1"}')
  list=$(rt run --shell-at nonsense -b "$b" "$TAG-1" 2>&1 || true)
  for stage in $(sed 's/.*these are: //; s/,//g; s/"$//' <<<"$list"); do
    rc=0; echo 'echo "at $OCITK_STAGE"; exit 0' | rt run --shell-at "$stage" -b "$b" "$TAG-1" >"$DIR/out" 2>"$DIR/err" || rc=$?
    same "$stage: $rc $(head -1 "$DIR/out") $(tail -1 "$DIR/out")" "$stage: 4 at $stage payload"
  done
}
user_namespace() {
  chmod 755 "$DIR"; chmod 777 "$DIR/bare"
  local b stage rc; b=$(bare userns '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings')
  for stage in masks hostname exec; do
    rc=0; echo 'echo "ids $(id -u) $(awk "{print \$2}" /proc/self/uid_map)"; ls $OCITK_ROOT/bin; exit 0' | rt run --shell-at $stage -b "$b" "$TAG-1" >"$DIR/out" 2>"$DIR/err" || rc=$?
    same "$rc $(head -2 "$DIR/out" | tr '\n' ' ')" "4 ids 0 100000 busybox " || { cat "$DIR/err"; return 1; }
  done
}
no_mount_namespace() {
  local b rc=0; b=$(sh_bundle nomount 'exit 4' '.linux.namespaces |= map(select(.type != "mount")) | .mounts = [] | del(.linux.maskedPaths, .linux.readonlyPaths) | .root.readonly = false')
  echo 'ls --version >/dev/null && ls $OCITK_ROOT/bin/busybox; exit 0' | rt run --shell-at hostname -b "$b" "$TAG-1" >"$DIR/out" 2>"$DIR/err" || rc=$?
  same "$rc" 4
  grep -q busybox "$DIR/out"
}
given_up() {
  local b rc=0; b=$(bare given)
  echo 'exit 3' | rt run --shell-at masks -b "$b" "$TAG-1" >"$DIR/out" 2>"$DIR/err" || rc=$?
  same "$rc" 1; has "$(cat "$DIR/err")" "given up in the shell before masks (status 3)"; same "$(cat "$DIR/out")" ""
  rc=0; echo 'kill -9 $$' | rt run --shell-at exec -b "$b" "$TAG-1" >"$DIR/out" 2>"$DIR/err" || rc=$?
  same "$rc" 1; has "$(cat "$DIR/err")" "(status 137)"
  rc=0; SHELL=/no/such/shell rt run --shell-at exec -b "$b" "$TAG-1" >"$DIR/out" 2>"$DIR/err" </dev/null || rc=$?
  same "$rc" 1; has "$(cat "$DIR/err")" /no/such/shell; has "$(cat "$DIR/err")" "no such file or directory"
  rc=0; SHELL=/no/such/shell rt run --shell-at masks -b "$b" "$TAG-1" >"$DIR/out" 2>"$DIR/err" </dev/null || rc=$?
  same "$rc" 1; has "$(cat "$DIR/err")" /no/such/shell
}
ended_by_signal() {  # the shell is ended too, whatever it ignores, and what it started goes with the cgroup
  local b stage signal rc run inside; b=$(bare signal)
  for stage in rootfs hostname exec; do for signal in TERM HUP; do
    rm -f "$DIR/there" "$DIR/stdin"; mkfifo "$DIR/stdin"
    "$OCITK" --root "$STATE" run --shell-at $stage -b "$b" "$TAG-1" <"$DIR/stdin" >"$DIR/out" 2>"$DIR/err" & run=$!
    exec 8>"$DIR/stdin"; echo "trap '' TERM HUP; sleep 1000 & : >$DIR/there; wait" >&8
    until_ 5 test -e "$DIR/there"
    inside=$(pgrep -P "$(pgrep -P $run | head -1)" | head -1); [ -n "$inside" ]
    kill -$signal $run
    rc=0; wait $run || rc=$?
    exec 8>&-
    same "$stage $signal $rc" "$stage $signal 1"; has "$(cat "$DIR/err")" "given up in the shell before $stage by signal"
    until_ 5 test ! -e "/proc/$inside"; same "$(cat "$DIR/out")$(our_processes)$(our_cgroups)" ""
    rt state "$TAG-1" >/dev/null 2>&1 && fail "still known"
  done; done
  rm -f "$DIR/there"; (until_ 20 test -e "$DIR/there"; kill -TERM "$(cat "$DIR/run")") &
  rc=0; python3 "$TERMINAL" sh -c "sh -c 'echo \$\$ >$DIR/run; exec $OCITK --root $STATE run --shell-at rlimits -b $b $TAG-1'; echo ended-\$?; stty -a | grep -o ' icanon'" \
    >"$DIR/talk" 2>&1 <<EOF || rc=$?
expect ocitk rlimits# 
send : >$DIR/there; sleep 1000\n
expect ended-1\r+\n icanon
EOF
  same "$rc" 0 || { cat "$DIR/talk"; return 1; }
  has "$(cat "$DIR/talk")" "given up in the shell before rlimits by signal 15"
}
in_exec() {  # the container has no shell and no tools: both are the host's
  local b rc=0 stage run inside; b=$(bare inexec '.process.args = ["/bin/busybox", "sleep", "1000"]')
  rt run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  for stage in console user exec; do
    chmod 755 "$DIR"; install -m 666 /dev/null "$DIR/said"; install -m 666 /dev/null "$DIR/shell-ns"
    same "$(echo ". $DIR/probe; exit 0" | rt exec --shell-at $stage "$TAG-1" /bin/busybox echo after 2>"$DIR/err")" after
    same "$stage $(said stage) $(said tool) $(said host) $(said root | tr ' ' '\n' | grep -c -e '^bin$' -e '^proc$')" "$stage $stage 1 inside 2"
    same "$(cat "$DIR/shell-ns")" "$(rt exec "$TAG-1" /bin/busybox sh -c 'for n in mnt pid net ipc uts; do busybox readlink /proc/self/ns/$n; done' </dev/null)"
  done
  rm -f "$DIR/there" "$DIR/stdin"; mkfifo "$DIR/stdin"
  "$OCITK" --root "$STATE" exec --shell-at user "$TAG-1" /bin/busybox echo after <"$DIR/stdin" >"$DIR/out" 2>"$DIR/err" & run=$!
  exec 8>"$DIR/stdin"; echo "trap '' TERM; : >$DIR/there; sleep 1000" >&8
  until_ 5 test -e "$DIR/there"
  inside=$(pgrep -P "$(pgrep -P $run | head -1)" | head -1); [ -n "$inside" ]
  kill -TERM $run; wait $run || rc=$?
  exec 8>&-
  same "$rc $(cat "$DIR/out")" "255 "; has "$(cat "$DIR/err")" "given up in the shell before user by signal 15"
  status_is "$TAG-1" running  # the container itself is unharmed, and alone
  # What it started belongs to the container now, and so does the dead shell, if nobody waits for the dead there.
  until_ 5 sh -c "! grep -s ^State: /proc/$inside/status | grep -qv Z"
  rt delete -f "$TAG-1"
}
in_create() {
  local b; b=$(bare create)
  echo "hostname >$DIR/name; exit 0" | rt create --shell-at rlimits -b "$b" "$TAG-1" >/dev/null 2>&1
  same "$(cat "$DIR/name")" inside
  status_is "$TAG-1" created
  rt delete -f "$TAG-1"
  echo "exit 1" | rt create --shell-at rlimits -b "$b" "$TAG-1" >/dev/null 2>"$DIR/err" && fail "created after all"
  has "$(cat "$DIR/err")" "given up"
}
rest_of_stdin() {  # what the shell did not read is the payload's
  local b; b=$(sh_bundle rest 'cat')  # bash reads no further than it must
  same "$(printf 'echo shell\nexit 0\nfor the payload\n' | SHELL=/bin/bash rt run --shell-at exec -b "$b" "$TAG-1" 2>/dev/null)" "$(printf 'shell\nfor the payload')"
}
usual_signals() {  # what setup ignores and blocks for itself is not the shell's
  local seen; seen=$(printf 'grep -E "^Sig(Ign|Blk)" /proc/self/status\nexit 0\n' | SHELL=/bin/bash rt run --shell-at exec -b "$(sh_bundle sigs true)" "$TAG-1" 2>/dev/null)
  same "$(awk '/^Sig/ {print $2}' <<<"$seen" | tr '\n' ' ')" "0000000000000000 0000000000000000 "
}
wrong_stage() {
  local out; out=$(rt run --shell-at nonsense -b "$(bare wrong)" "$TAG-1" 2>&1 </dev/null || true)
  has "$out" '\"nonsense\" is no stage of init; these are: cgroup, unshare, time, procfs, keyring, network, rootfs, hooks, console, masks, sysctl, pivot, hostname, apparmor, scheduler, ioprio, personality, mempolicy, rlimits, selinux, no-new-privs, cwd, bounding, user, caps, seccomp, exec'
  has "$(rt run --stop-before nonsense -b "$(bare wrong)" "$TAG-1" 2>&1 </dev/null || true)" "is no stage of init"
  has "$(rt run --stop-before pivot --shell-at pivot -b "$(bare wrong)" "$TAG-1" 2>&1 </dev/null || true)" "exclude each other"
}
at_a_terminal() {
  local stage rc
  for stage in masks user; do
    rc=0
    python3 "$TERMINAL" --size 31x97 "$OCITK" --root "$STATE" run --shell-at $stage -b "$(bare tty)" "$TAG-1" >"$DIR/talk" 2>"$DIR/err" <<EOF || rc=$?
expect ocitk $stage# 
send tty; stty size\n
expect /dev/pts/[0-9]+\r\n31 97\r\n.*# 
size 40 120
send for i in 1 2 3 4 5 6 7 8 9; do stty size; sleep 0.2; done | tail -1\n
expect 40 120
expect # 
send sh -c 'echo begun; exec sleep 1000'\n
expect \nbegun\r
send \x03
expect # 
send echo still-\$((40 + 2)) there\n
expect still-42 there
expect # 
send sleep 1000 & kill -9 %1; wait; echo job-control-\$?\n
expect job-control-[0-9]+
expect # 
send exit 0\n
expect payload
EOF
    same "$rc" 4 || { cat "$DIR/err" "$DIR/talk"; return 1; }
    hasnt "$(cat "$DIR/talk")" "can't access tty"
  done
}
payload_at_a_terminal() {  # one after the other has it
  local rc=0
  python3 "$TERMINAL" "$OCITK" --root "$STATE" run --shell-at pivot -b "$(sh_bundle both 'echo what?; read x; echo "got $x"; tty; exit 6' '.process.terminal = true')" "$TAG-1" >"$DIR/talk" 2>"$DIR/err" <<'EOF' || rc=$?
expect ocitk pivot# 
send exit 0\n
expect what\?
send word\n
expect got word\r+\n/dev/pts/0
EOF
  same "$rc" 6 || { cat "$DIR/err" "$DIR/talk"; return 1; }
}
terminal_is_as_before() {
  local rc=0
  python3 "$TERMINAL" sh -c 'stty -g >'"$DIR"'/before; '"$OCITK --root $STATE run --shell-at pivot -b $(bare modes) $TAG-1"'; stty -g >'"$DIR/after" >"$DIR/talk" 2>&1 <<'EOF' || rc=$?
expect # 
send exit 3\n
expect given up
EOF
  same "$(cat "$DIR/after")" "$(cat "$DIR/before")"
}

# stopped STAGE BUNDLE: a run in the background that waits before the stage; RUN is its process.
stopped() {
  rm -f "$DIR/err"; touch "$DIR/err"  # what the last one said must not be taken for this one's
  rt run --stop-before "$1" -b "$2" "$TAG-1" </dev/null >"$DIR/out" 2>"$DIR/err" &
  JOB=$!
  until_ 10 grep -q "stopped before" "$DIR/err" || { cat "$DIR/err"; fail "does not stop"; }
  RUN=$(sed -n 's/.*kill -CONT \([0-9]*\).*/\1/p' "$DIR/err")
  INIT=$(sed -n 's/.*init is process \([0-9]*\).*/\1/p' "$DIR/err")
}
goes_on() {
  local b stage rc; b=$(bare on)
  for stage in cgroup rootfs pivot hostname seccomp exec; do
    stopped $stage "$b"
    has "$(cat "$DIR/err")" "stopped before $stage: init is process $INIT"
    has "$(rt where "$TAG-1")" "stopped before $stage"
    status_is "$TAG-1" creating
    same "$(cat "$DIR/out")" ""
    kill -CONT "$RUN"
    rc=0; wait $JOB || rc=$?
    same "$stage $rc $(tail -1 "$DIR/out")" "$stage 4 payload"
  done
}
stage_is_not_done() {
  stopped hostname "$(bare half)"
  same "$(nsenter -t "$INIT" -u uname -n)" "$(uname -n)"
  same "$(readlink "/proc/$INIT/root/bin/busybox" || ls "/proc/$INIT/root/bin")" busybox  # the pivot is
  kill -CONT "$RUN"; wait $JOB || true
}
torn_down() {
  local b signal rc; b=$(bare down)
  for signal in TERM INT HUP; do
    stopped masks "$b"
    kill -$signal "$RUN"
    rc=0; wait $JOB || rc=$?
    same "$rc" 1
    has "$(cat "$DIR/err")" "stopped before masks and given up by signal"
    rt state "$TAG-1" >/dev/null 2>&1 && fail "still known"
    until_ 5 test ! -e "/proc/$INIT"
  done
}
killed() {
  stopped pivot "$(bare killed)"
  kill -KILL "$RUN"; wait $JOB 2>/dev/null || true
  until_ 5 test ! -e "/proc/$INIT" || grep -q '^State:.*Z' "/proc/$INIT/status"
  has "$(rt run -b "$(bare killed)" "$TAG-1" 2>&1 || true)" "container with given ID already exists"
  rt delete -f "$TAG-1"
  same "$(our_cgroups)" ""
}
init_killed() {
  local rc=0; stopped pivot "$(bare initkilled)"
  kill -KILL "$INIT"
  wait $JOB || rc=$?
  same "$rc" 1; has "$(cat "$DIR/err")" "container init was killed while it set up"
}

case_ "before rootfs" before_rootfs
case_ "before masks" before_masks
case_ "before hostname: the host's tools, the container's root" before_hostname
case_ "before user: root still, bounded already" before_user
case_ "before exec: complete" before_exec
case_ "before every stage there is" every_stage
case_ "a user namespace" user_namespace
case_ "no mount namespace" no_mount_namespace
case_ "any other end tears everything down" given_up
case_ "a signal to the command ends the shell and tears down" ended_by_signal
case_ "exec into a container without a shell" in_exec
case_ "create" in_create
case_ "without a terminal: the caller's stdin" rest_of_stdin
case_ "the shell has the usual signals" usual_signals
case_ "an unknown stage: the known ones" wrong_stage
case_ "at a terminal: size, Ctrl-C, jobs" at_a_terminal
case_ "a payload at the same terminal" payload_at_a_terminal
case_ "the terminal is as before" terminal_is_as_before
case_ "stopped: SIGCONT goes on" goes_on
case_ "stopped: the stage is not done, those before are" stage_is_not_done
case_ "stopped: a signal tears down" torn_down
case_ "stopped: the command is killed" killed
case_ "stopped: init is killed" init_killed
finish
