#!/bin/bash
# create, start, state, list, kill, delete, run: the way of a container.
. "$(dirname "$0")/lib.sh"

foreground() {
  local b; b=$(sh_bundle fg 'cat; echo err >&2')
  local out; out=$(echo hello | rt run -b "$b" "$TAG-1" 2>"$DIR/err")
  same "$out" hello; same "$(cat "$DIR/err")" err
}
big_output() {
  local b; b=$(sh_bundle big 'head -c 10000000 /dev/zero')
  same "$(rt run -b "$b" "$TAG-1" | wc -c)" 10000000
}
step_by_step() {
  local b; b=$(sh_bundle steps 'sleep 100')
  rt create -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >"$DIR/out" 2>&1
  same "$(cat "$DIR/out")" ""
  same "$(wc -l <"$DIR/pid")" 0
  local pid; pid=$(cat "$DIR/pid")
  same "$(rt state "$TAG-1" | jq -r '[.status, .pid, .id, .bundle] | @csv')" "\"created\",$pid,\"$TAG-1\",\"$b\""
  same "$(rt state "$TAG-1" | jq -r 'keys_unsorted | join(" ")')" "ociVersion id pid status bundle rootfs created owner"
  rt start "$TAG-1"
  status_is "$TAG-1" running
  has "$(rt start "$TAG-1" 2>&1 || true)" "cannot start an already running container"
  has "$(rt delete "$TAG-1" 2>&1 || true)" "that is not stopped: running"
  has "$(rt list)" "$TAG-1"
  same "$(rt list -f json | jq -r '.[0].id')" "$TAG-1"
  same "$(rt list -q)" "$TAG-1"
  rt kill "$TAG-1" 0
  rt kill "$TAG-1" KILL
  until_ 5 status_is "$TAG-1" stopped
  has "$(rt kill "$TAG-1" TERM 2>&1 || true)" "container not running"
  has "$(rt start "$TAG-1" 2>&1 || true)" "cannot start a container that has stopped"
  rt delete "$TAG-1"
  has "$(rt state "$TAG-1" 2>&1 || true)" "container does not exist"
}
detached() {
  local b; b=$(sh_bundle det 'echo $$ >/tmp/x; sleep 100' '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]')
  rt run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  status_is "$TAG-1" running
  rt delete -f "$TAG-1"
}
created_is_deletable() {
  local b; b=$(sh_bundle cr 'sleep 100')
  rt create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  rt delete "$TAG-1"
}
kept() {
  local b; b=$(sh_bundle keep true)
  rt run --keep -b "$b" "$TAG-1"
  status_is "$TAG-1" stopped
  rt delete "$TAG-1"
}
init_dies_before_start() {
  local b; b=$(sh_bundle dies 'sleep 100')
  rt create -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  kill -9 "$(cat "$DIR/pid")"
  until_ 5 status_is "$TAG-1" stopped
  has "$(timeout 5 "$OCITK" --root "$STATE" start "$TAG-1" 2>&1 || true)" "cannot start a container that has stopped"
  rt delete "$TAG-1"
}
reparented() {  # conmon and buildah wait for init themselves: it has to become the caller's
  local b; b=$(sh_bundle rep 'sleep 100')
  rt create -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  local parent; parent=$(awk '/^PPid/ {print $2}' "/proc/$(cat "$DIR/pid")/status")
  [ ! -e "/proc/$parent/exe" ] || hasnt "$(readlink "/proc/$parent/cmdline" || true)" ocitk
  rt delete -f "$TAG-1"
}
careless_callers() {
  local b; b=$(sh_bundle care 'umask; exit 4')
  local rc=0
  (umask 077; rt run -b "$b" "$TAG-1" >"$DIR/out") || rc=$?
  same "$rc $(cat "$DIR/out")" "4 0022"
  rc=0; (trap '' CHLD; rt run -b "$b" "$TAG-1" >/dev/null) || rc=$?; same "$rc" 4
  rc=0; rt run -b "$b" "$TAG-1" <&- >&- 2>&- || rc=$?; same "$rc" 4
}
same_id_at_once() {
  local b i; b=$(sh_bundle par 'sleep 100')
  for i in 1 2 3 4 5 6; do
    (rt run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>"$DIR/par-$i" && echo won >>"$DIR/won") &
  done
  wait
  same "$(wc -l <"$DIR/won")" 1
  status_is "$TAG-1" running
  rt delete -f "$TAG-1"
}
killed_runtime() {  # F1: whenever create is killed, delete -f makes the id usable again
  local b i; b=$(sh_bundle kr 'sleep 100')
  for i in 0.001 0.002 0.003 0.004 0.005 0.006 0.007 0.008; do
    timeout -s KILL $i "$OCITK" --root "$STATE" create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1 || true
    rt delete -f "$TAG-1"
  done
}
recycled_pid() {  # F7: a stranger of that pid is not ours
  local b; b=$(sh_bundle f7 'sleep 100')
  rt run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  local s=$STATE/$TAG-1/state.json pid; pid=$(jq .init_process_pid "$s")
  sleep 1000 & local stranger=$!
  jq -c ".init_process_pid = $stranger" "$s" >"$DIR/s" && cp "$DIR/s" "$s"
  status_is "$TAG-1" stopped
  kill -9 "$pid"
  rt delete -f "$TAG-1"
  kill -0 $stranger; kill $stranger
}
bad_state_hides_nothing() {  # F4, F5
  local b; b=$(sh_bundle f4 'sleep 100')
  rt run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  rt run -d -b "$b" "$TAG-2" </dev/null >/dev/null 2>&1
  echo '{' >"$STATE/$TAG-2/state.json"; mkdir "$STATE/$TAG-3"
  local out; out=$(rt list 2>"$DIR/err"); has "$out" "$TAG-1"; hasnt "$out" "$TAG-3"
  has "$(cat "$DIR/err")" "$TAG-2"
  rt state "$TAG-2" 2>/dev/null && fail "state of garbage"
  has "$(rt create -b "$b" "$TAG-3" 2>&1 || true)" "container with given ID already exists"
  rt delete -f "$TAG-2"; rt delete -f "$TAG-3"; rt delete -f "$TAG-1"
}
created_and_signalled() {  # a container that waits for start has no payload that would handle signals
  local b sig; b=$(sh_bundle waits 'sleep 100')
  for sig in TERM INT HUP QUIT; do
    rt create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
    rt kill "$TAG-1" $sig
    until_ 5 status_is "$TAG-1" stopped
    rt delete "$TAG-1"
  done
}
waits_with_little() {  # no descriptor of the setup stays open while a container waits
  rt create -b "$(sh_bundle fds 'sleep 100')" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  same "$(for f in "/proc/$(cat "$DIR/pid")"/fd/*; do readlink "$f"; done | grep -v '^/dev/null$\|exec.fifo')" ""
  rt delete "$TAG-1"
}
orphans() {  # without a PID namespace processes outlive init
  local b kill; b=$(sh_bundle orphans 'sleep 1000 & sleep 1001 & wait' '.linux.namespaces |= map(select(.type != "pid"))')
  for kill in kill 'kill --all'; do
    rt run -d -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
    until_ 5 eval '[ "$(our_processes | wc -l)" = 3 ]'
    kill -9 "$(cat "$DIR/pid")"; until_ 5 status_is "$TAG-1" stopped
    has "$(rt kill "$TAG-1" TERM 2>&1 || true)" "container not running"
    same "$(our_processes | wc -l)" 2
    rt $kill "$TAG-1" KILL
    same "$(our_processes)" ""
    has "$(rt kill "$TAG-1" KILL 2>&1 || true)" "container not running"
    rt delete "$TAG-1"
  done
}

being_created() {
  mkfifo "$DIR/hold"
  local b creator; b=$(sh_bundle creating 'sleep 100' '.annotations = {a: "b"} | .hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "cat >'"$DIR"'/seen; : <'"$DIR"'/hold"]}]}')
  "$OCITK" --root "$STATE" create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1 & creator=$!
  until_ 5 test -s "$DIR/seen"
  same "$(rt state "$TAG-1" | jq -c '[.id, .status, .pid, .bundle, .annotations.a, .created != ""]')" "[\"$TAG-1\",\"creating\",$(jq .pid "$DIR/seen"),\"$b\",\"b\",true]"
  same "$(rt list -f json | jq -c '[.[] | .id, .status]')" "[\"$TAG-1\",\"creating\"]"
  same "$(rt list | tail -1 | awk '{print $1, $3, $4}')" "$TAG-1 creating $b"; same "$(rt list -q)" "$TAG-1"
  : >"$DIR/hold"; wait $creator
  same "$(rt state "$TAG-1" | jq -r .status)" created
  rt delete -f "$TAG-1"; rm "$DIR/seen"
  "$OCITK" --root "$STATE" create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1 & creator=$!
  until_ 5 test -s "$DIR/seen"
  kill -KILL $creator; wait $creator || true
  abandoned
  : <>"$DIR/hold"  # the hook, which outlives its runtime
  rt delete -f "$TAG-1"
  mkdir -p "$STATE/$TAG-1"; abandoned  # killed right after its first step
  exec 8<"$STATE/$TAG-1"; flock 8; same "$(rt state "$TAG-1" | jq -c '[.status, .pid]')" '["creating",0]'  # before it has written a word
  exec 8<&-
  rt delete -f "$TAG-1"
}
abandoned() {
  local rc=0; rt state "$TAG-1" >"$DIR/out" 2>"$DIR/err" || rc=$?
  same "$rc $(cat "$DIR/out")" "1 "; has "$(cat "$DIR/err")" "container does not exist: whoever was creating it died; delete --force removes what is left"
  same "$(rt list -q 2>"$DIR/err")" ""; has "$(cat "$DIR/err")" "load container $TAG-1: container does not exist"
}
case_ "state and list of a container that is being created" being_created
case_ "run passes stdin, stdout and stderr" foreground
case_ "run passes ten megabytes" big_output
case_ "create, start, kill and delete tell the states of a container" step_by_step
case_ "run -d leaves the container running" detached
case_ "a created container is deleted without force" created_is_deletable
case_ "run --keep leaves a stopped container" kept
case_ "a created container ends at a signal that ends processes" created_and_signalled
case_ "a container that waits holds no descriptor of its setup" waits_with_little
case_ "kill KILL reaches what outlived init" orphans
case_ "start of a container whose init died fails at once" init_dies_before_start
case_ "create leaves no process of ours above init" reparented
case_ "umask, SIGCHLD and closed streams of the caller change nothing" careless_callers
case_ "of six creates of one id exactly one wins" same_id_at_once
case_ "delete -f cleans up after a killed create" killed_runtime
case_ "a stranger with the recorded pid is never signalled" recycled_pid
case_ "a bad state file hides no other container" bad_state_hides_nothing
finish
