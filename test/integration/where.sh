#!/bin/bash
# where: which stage a container is in, what it waits for, and since when. It never waits itself.
. "$(dirname "$0")/lib.sh"

where() { timeout 5 "$OCITK" --root "$STATE" where "$@"; }
# of PROCESS FILTER: a part of what is told of one process.
of() { where -f json "$TAG-1" | jq -r ".processes[] | select(.process == \"$1\") | $2"; }
overall() { where -f json "$TAG-1" | jq -r .status; }
overall_is() { [ "$(overall)" = "$1" ]; }
in_call() { [ "$(of "$1" .call 2>/dev/null)" = "$2" ]; }
stage_is() { [ "$(of "$1" .stage 2>/dev/null)" = "$2" ]; }
# background OPTIONS...: without a shell between, for the sake of $!.
background() { "$OCITK" --root "$STATE" "$@" </dev/null >/dev/null 2>&1 9>&- & }
in_state() { [ "$(of "$1" .state 2>/dev/null)" = "$2" ]; }

at_the_gate() {
  local b; b=$(sh_bundle gate 'sleep 100')
  rt create -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  until_ 5 in_call init read
  same "$(overall)" created
  same "$(of init '[.pid, .alive, .stage, .state] | @csv')" "$(cat "$DIR/pid"),true,\"waits at the gate for start\",\"S\""
  has "$(of init .waiting_for)" "$STATE/$TAG-1/exec.fifo, the gate that start opens"
  of init .since | grep -Eq '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z$'
  same "$(of init '.seconds >= 0 and .seconds < 60')" true
  same "$(of parent '[.alive, has("call")] | @csv')" false,false
  local out; out=$(where "$TAG-1")
  same "$(head -1 <<<"$out")" "$TAG-1: created"
  same "$(wc -l <<<"$out")" 2  # create is long gone, and nobody misses it
  has "$out" "waits at the gate for start"
  has "$out" "in read(<$STATE/$TAG-1/exec.fifo>)"
  rt delete -f "$TAG-1"
}
running_and_paused() {
  local b; b=$(bundle run '.process.args = ["sleep", "100"]')
  rt run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  until_ 5 stage_is init payload
  until_ 5 in_state init S
  same "$(overall)" running
  has "$(where "$TAG-1")" "nanosleep("
  rt pause "$TAG-1"
  until_ 5 status_is "$TAG-1" paused
  same "$(overall)" paused
  has "$(where "$TAG-1")" payload
  rt delete -f "$TAG-1"
}
in_foreground() {
  local b; b=$(sh_bundle fore 'sleep 100')
  background run -b "$b" "$TAG-1"
  until_ 5 stage_is parent "waits for the payload to end"
  same "$(of parent .pid)" $!
  until_ 5 in_call parent ppoll || in_call parent poll
  rt kill "$TAG-1" KILL
  wait $! || true
}
stopped() {
  local b; b=$(sh_bundle stop true)
  rt run --keep -b "$b" "$TAG-1" </dev/null
  same "$(overall)" stopped
  same "$(where "$TAG-1")" "$TAG-1: stopped"
  same "$(of init .alive)" false
  rt delete "$TAG-1"
}
before_a_stage() {  # the lock is create's all the while
  local b creator; b=$(sh_bundle before 'sleep 100')
  background create -b "$b" --stop-before rootfs "$TAG-1"
  creator=$!
  until_ 5 stage_is parent "stopped before rootfs"
  until_ 5 in_call parent poll
  until_ 5 in_call init recvmsg
  same "$(overall)" creating
  same "$(of parent .pid)" $creator
  same "$(of init .stage)" "stopped before rootfs"
  has "$(of init .waiting_for)" ", the parent"
  has "$(of parent .waiting_for)" "signalfd"
  kill -STOP $creator
  until_ 5 in_state parent T
  has "$(where "$TAG-1")" "state T (stopped)"
  same "$(overall)" creating
  kill -CONT $creator
  wait $creator
  until_ 5 stage_is init "waits at the gate for start"
  same "$(overall)" created
  rt start "$TAG-1"
  until_ 5 stage_is init payload
  rt delete -f "$TAG-1"
}
killed_creator() {
  local b creator; b=$(sh_bundle killed 'sleep 100')
  background create -b "$b" --stop-before pivot "$TAG-1"
  creator=$!
  until_ 5 stage_is parent "stopped before pivot"
  kill -KILL $creator
  wait $creator || true
  until_ 5 overall_is stopped
  has "$(where "$TAG-1")" "half made"
  has "$(where "$TAG-1")" gone
  same "$(of parent .alive)" false
  rt delete -f "$TAG-1"
}
strangers() {  # F7: a process that has the pid now is not the one that was meant
  local b dir=$STATE/$TAG-1; b=$(sh_bundle stranger 'sleep 100')
  rt create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  sleep 0.1  # the creator's start is known to a hundredth of a second
  sleep 1000 >/dev/null 2>&1 & local stranger=$!
  # The parent's pid is the first number after the page's sign; see runtime/progress.hpp.
  printf "$(printf '\\x%02x' $((stranger & 255)) $((stranger >> 8 & 255)) $((stranger >> 16 & 255)) 0)" |
    dd of="$dir/progress" bs=1 seek=8 conv=notrunc 2>/dev/null
  same "$(of parent '[.pid, .alive] | @csv')" "$stranger,false"
  kill $stranger
  rt delete -f "$TAG-1"
}
unpublished() {  # a state without its progress, and a progress that is none
  local b; b=$(sh_bundle unpub 'sleep 100')
  rt run -d -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  rm "$STATE/$TAG-1/progress"
  until_ 5 stage_is init payload
  same "$(of init .pid)" "$(cat "$DIR/pid")"
  same "$(of init 'has("since")')" false
  echo rubbish >"$STATE/$TAG-1/progress"
  same "$(overall)" running
  rt delete -f "$TAG-1"
}
joined_namespaces() {  # a bridge stands between
  local b; b=$(sh_bundle join 'sleep 100' ".linux.namespaces |= map(if .type == \"ipc\" then .path = \"/proc/$$/ns/ipc\" else . end)")
  local i
  for i in 1 2 3 4 5 6; do  # before its first stage init speaks as early as it can
    background create -b "$b" --stop-before keyring "$TAG-1"
    until_ 5 in_call parent poll
    same "$(of init .stage)" "stopped before keyring"
    same "$(of bridge .alive)" false
    hasnt "$(where "$TAG-1")" bridge
    kill -CONT $!
    wait $!
    rt delete -f "$TAG-1"
  done
}
# A file system whose server never answers, not even to the first question; until descriptor 9 is closed.
mount_hung() {
  mkdir -p "$1"
  exec 9<>/dev/fuse
  mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 ocitk-hung "$1"
}
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status"; }
waits_for_hook() {
  local b; b=$(sh_bundle hooks 'sleep 100' ".hooks = {createRuntime: [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"cat >/dev/null; cat <$DIR/fifo\"]}]}")
  mkfifo "$DIR/fifo"
  background create -b "$b" "$TAG-1"
  until_ 5 stage_is parent hooks
  until_ 5 in_state parent S
  until_ 5 stage_is init "waits for hooks of the parent"
  same "$(overall)" creating
  has "$(of parent .waiting_for)" pipe
  : >"$DIR/fifo"
  wait $!
  rt delete -f "$TAG-1"
}
hung_mount() {
  local m=$DIR/hung b creator init out
  mount_hung "$m"
  b=$(sh_bundle hung 'sleep 100' ".mounts += [{destination: \"/data\", type: \"bind\", source: \"$m/data\", options: [\"rbind\"]}]")
  background create -b "$b" "$TAG-1"
  creator=$!
  until_ 5 stage_is init rootfs
  until_ 5 in_state init D
  same "$(of init .waiting_for)" "$m/data on fuse ocitk-hung at $m"
  same "$(of parent .stage)" "waits for init to be ready"
  has "$(of parent .waiting_for)" ", init"
  out=$(where "$TAG-1")
  has "$out" "stage rootfs"
  has "$out" "\"$m/data\") on fuse ocitk-hung at $m, state D (disk sleep) in "
  # Without its creator it hangs on.
  init=$(of init .pid)
  kill -KILL $creator
  wait $creator || true
  same "$(overall)" creating
  same "$(of parent .alive),$(of init .alive)" false,true
  has "$(where "$TAG-1" | grep parent)" gone
  exec 9>&-
  until_ 5 gone "$init"
  umount -l "$m"
  until_ 5 overall_is stopped
  rt delete -f "$TAG-1"
}
hung_bridge() {
  local m=$DIR/hung b
  mount_hung "$m"
  b=$(sh_bundle bridge 'sleep 100' ".linux.namespaces |= map(if .type == \"ipc\" then .path = \"$m/ipc\" else . end)")
  background create -b "$b" "$TAG-1"
  until_ 5 in_state bridge D
  same "$(of bridge .stage)" unshare
  same "$(of parent .stage)" "waits for the bridge to make init"
  has "$(of parent .waiting_for)" ", the bridge"
  same "$(of init .pid)" ""
  has "$(where "$TAG-1" | grep bridge)" "$m/ipc"
  exec 9>&-
  wait $! || true
  umount -l "$m"
  has "$(where "$TAG-1" 2>&1 || true)" "container does not exist"
}
unknown() {
  local rc=0 out
  out=$(where "$TAG-none" 2>&1) || rc=$?
  same "$rc" 1; has "$out" "container does not exist"
  rc=0; out=$("$OCITK" --root "$DIR/no-such-root" where "$TAG-1" 2>&1) || rc=$?
  same "$rc" 1; has "$out" "container does not exist"
  has "$(where ../x 2>&1 || true)" "invalid container ID format"
  rc=0; out=$(where -f yaml "$TAG-1" 2>&1) || rc=$?
  same "$rc" 1; has "$out" "invalid format option"
}

case_ "a created container waits at its gate" at_the_gate
case_ "of a running and of a paused container the payload is shown" running_and_paused
case_ "a run in the foreground waits for the payload" in_foreground
case_ "of a stopped container nobody is there" stopped
case_ "a setup stopped before a stage is shown there, with its creator stopped, too" before_a_stage
case_ "a setup whose creator was killed is half made" killed_creator
case_ "a stranger with the pid of the creator is not taken for it" strangers
case_ "without a readable progress init is shown" unpublished
case_ "with joined namespaces the bridge is shown only while it lives" joined_namespaces
if grep -qw fuse /proc/filesystems && [ -c /dev/fuse ]; then
  case_ "a bind source on a dead file system is named" hung_mount
  case_ "a bridge that hangs is shown" hung_bridge
fi
case_ "a setup waits for a hook" waits_for_hook
case_ "unknown containers and formats are refused" unknown
finish
