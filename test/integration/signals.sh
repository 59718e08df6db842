#!/bin/bash
# Signals to a foreground run reach the payload; the shared root of a host and a parallel mess stay clean.
. "$(dirname "$0")/lib.sh"

forwarded() {
  local b n rc; b=$(sh_bundle fw 'for s in TERM HUP USR1 INT; do trap "echo got $s; exit 7" $s; done; echo ready; while :; do sleep 0.05; done')
  for n in TERM HUP USR1 INT; do
    rm -f "$DIR/out"; mkfifo "$DIR/out"
    "$OCITK" --root "$STATE" run -b "$b" "$TAG-1" >"$DIR/out" & local pid=$!
    exec 9<"$DIR/out"; local line; read -r -t 10 line <&9; same "$line" ready
    kill -CHLD $pid; kill -URG $pid; kill -PIPE $pid; kill -s $n $pid
    read -r -t 10 line <&9; exec 9<&-
    rc=0; wait $pid || rc=$?
    same "$line $rc" "got $n 7"
  done
}
killed_by_signal() {
  local b rc=0; b=$(sh_bundle kb 'sleep 100')
  "$OCITK" --root "$STATE" run -b "$b" "$TAG-1" & local pid=$!
  until_ 5 status_is "$TAG-1" running
  rt kill "$TAG-1" KILL
  wait $pid || rc=$?
  same "$rc" 137
}
vanished_reader() {  # F17
  local b; b=$(sh_bundle vr 'yes')
  timeout 10 "$OCITK" --root "$STATE" run -b "$b" "$TAG-1" 2>/dev/null | head -c 10000 | wc -c >"$DIR/n"
  same "$(cat "$DIR/n")" 10000
}
shared_root() {  # F33
  local b; b=$(sh_bundle sh 'mount | wc -l >/dev/null; echo ok')
  same "$(unshare -m --propagation shared sh -c 'before=$(wc -l </proc/self/mountinfo); "$0" --root "$1" run -b "$2" "$3"; [ $(wc -l </proc/self/mountinfo) = $before ] || echo leaked' "$OCITK" "$STATE" "$b" "$TAG-1")" ok
}
all_at_once() {  # F10
  local b i; b=$(sh_bundle aa 'sleep 100')
  rt create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  for i in 1 2 3; do
    timeout 20 "$OCITK" --root "$STATE" start "$TAG-1" >/dev/null 2>&1 &
    timeout 20 "$OCITK" --root "$STATE" state "$TAG-1" >/dev/null 2>&1 &
    timeout 20 "$OCITK" --root "$STATE" kill "$TAG-1" TERM >/dev/null 2>&1 &
    timeout 20 "$OCITK" --root "$STATE" delete -f "$TAG-1" >/dev/null 2>&1 &
  done
  wait
  rt delete -f "$TAG-1"
}
short_lives() {  # F13
  local b i; b=$(bundle short '.process.args = ["true"]')
  for i in $(seq 50); do timeout 10 "$OCITK" --root "$STATE" run -b "$b" "$TAG-1"; done
}
case_ "TERM, HUP, USR1 and INT are forwarded, CHLD, URG and PIPE are not" forwarded
case_ "death by signal is 128 and its number" killed_by_signal
case_ "a reader that goes away ends the payload" vanished_reader
case_ "with a shared root no mount shows on the host" shared_root
case_ "start, state, kill and delete at once do not hang" all_at_once
case_ "fifty short lives" short_lives
finish
