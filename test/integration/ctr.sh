#!/bin/bash
# containerd's ctr with ocitk below its runc shim: run, kill, remove.
. "$(dirname "$0")/lib.sh"
need containerd
need ctr

E=$DIR/engine
mkdir -p "$E"
# The shim remembers addresses below /run/containerd; a state directory of our own keeps the rest apart.
cat >"$E/config.toml" <<TOML
version = 2
root = "$E/root"
state = "$E/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$E/c.sock"
[ttrpc]
  address = "$E/t.sock"
TOML
containerd -c "$E/config.toml" >"$E/log" 2>&1 & DAEMON=$!
c() { ctr -a "$E/c.sock" -n "ns-$TAG" "$@"; }
stop_engine() {
  local t
  for t in $(c task ls -q 2>/dev/null); do c task rm -f "$t" >/dev/null 2>&1; done
  kill "$DAEMON" 2>/dev/null; wait "$DAEMON" 2>/dev/null
  pkill -f "containerd-shim.*-namespace ns-$TAG" 2>/dev/null
  sleep 0.2
  find /sys/fs/cgroup -depth -type d -name "ns-$TAG" -exec rmdir {} + 2>/dev/null
  cleanup
}
trap stop_engine EXIT
until_ 20 c version >/dev/null 2>&1 || { tail -5 "$E/log"; exit 1; }

run() { c run --runc-binary "$OCITK" --rootfs "$@"; }
runs() {
  same "$(run --rm "$DIR/rootfs" "$TAG-1" /bin/echo hello)" hello
  local rc=0; run --rm "$DIR/rootfs" "$TAG-2" /bin/sh -c 'exit 6' || rc=$?; same "$rc" 6
}
kills() {
  run -d "$DIR/rootfs" "$TAG-3" /bin/sleep 100
  has "$(c task ls)" RUNNING
  c task kill -s KILL "$TAG-3"
  until_ 10 sh -c "ctr -a '$E/c.sock' -n 'ns-$TAG' task ls | grep -q STOPPED"
  c task rm "$TAG-3"; c container rm "$TAG-3"
}
execs() {
  run -d "$DIR/rootfs" "$TAG-4" /bin/sleep 100
  same "$(c task exec --exec-id e1 "$TAG-4" /bin/echo inside)" inside
  same "$(echo through | c task exec --exec-id e2 "$TAG-4" /bin/cat)" through
  local rc=0; c task exec --exec-id e3 "$TAG-4" /bin/sh -c 'exit 9' || rc=$?; same "$rc" 9
  same "$(c task exec --exec-id e4 --cwd /tmp --user 5:6 "$TAG-4" /bin/sh -c 'pwd; id -u' | tr '\n' ' ')" "/tmp 5 "
  has "$(c task exec --exec-id e5 "$TAG-4" /bin/nosuch 2>&1 || true)" "no such file or directory"
  has "$(script -qec "ctr -a '$E/c.sock' -n 'ns-$TAG' task exec -t --exec-id e6 '$TAG-4' /bin/tty" /dev/null </dev/null)" /dev/pts/
  c task kill -s KILL "$TAG-4"
  until_ 10 sh -c "ctr -a '$E/c.sock' -n 'ns-$TAG' task ls | grep -q STOPPED"
  c task rm "$TAG-4"; c container rm "$TAG-4"
}
controls() {
  run -d --memory-limit 67108864 "$DIR/rootfs" "$TAG-5" /bin/sleep 100
  c task pause "$TAG-5"; has "$(c task ls)" PAUSED
  c task resume "$TAG-5"; has "$(c task ls)" RUNNING
  has "$(c task ps "$TAG-5")" "$(c task ls | awk -v id="$TAG-5" '$1 == id { print $2 }')"
  has "$(c task metrics "$TAG-5")" 67108864
  c task kill -s KILL "$TAG-5"
  until_ 10 sh -c "ctr -a '$E/c.sock' -n 'ns-$TAG' task ls | grep -q STOPPED"
  c task rm "$TAG-5"; c container rm "$TAG-5"
}
case_ "ctr runs a container and gets its output and exit code" runs
case_ "ctr kills and removes a container" kills
case_ "ctr executes in a container" execs
case_ "ctr pauses, lists and measures a container" controls
find /sys/fs/cgroup -depth -type d -name "ns-$TAG" -exec rmdir {} + 2>/dev/null
finish
