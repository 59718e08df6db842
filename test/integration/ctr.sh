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
case_ "ctr runs a container and gets its output and exit code" runs
case_ "ctr kills and removes a container" kills
find /sys/fs/cgroup -depth -type d -name "ns-$TAG" -exec rmdir {} + 2>/dev/null
finish
