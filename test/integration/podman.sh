#!/bin/bash
# podman with ocitk as its runtime: run, stop, remove.
. "$(dirname "$0")/lib.sh"
need podman

cgroup_folders() { find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d | sort; }
FOLDERS=$(cgroup_folders)
# podman leaves plain folders for controllers that are not mounted; they would confuse whoever comes next.
remove_podman_folders() {
  local d
  comm -13 <(echo "$FOLDERS") <(cgroup_folders) | while read -r d; do find "$d" -depth -type d -exec rmdir {} + 2>/dev/null; done
  find /sys/fs/cgroup -depth -type d -name conmon -exec rmdir {} + 2>/dev/null
  find /sys/fs/cgroup -depth -type d -name 'libpod*' -exec rmdir {} + 2>/dev/null
}
pod() {
  podman --root "$DIR/engine/root" --runroot "$DIR/engine/run" --tmpdir "$DIR/engine/tmp" --storage-driver vfs \
    --cgroup-manager cgroupfs --events-backend file --runtime "$OCITK" "$@"
}
stop_engine() { pod rm -af -t 0 >/dev/null 2>&1; umount -R "$DIR/engine/root" 2>/dev/null; remove_podman_folders; cleanup; }
trap stop_engine EXIT
LIMITS="--ulimit nofile=1024:1024 --ulimit nproc=1024:1024"
tar -C "$DIR/rootfs" -c . | pod import - busybox >/dev/null 2>"$DIR/import" || { cat "$DIR/import"; exit 1; }

# shellcheck disable=SC2086  # LIMITS is a list of words
runs() {
  same "$(pod run --rm $LIMITS --network none busybox echo hello)" hello
  local rc=0; pod run --rm $LIMITS --network none busybox sh -c 'exit 5' || rc=$?; same "$rc" 5
  rc=0; pod run --rm $LIMITS --network host busybox no-such 2>/dev/null || rc=$?; same "$rc" 127
  same "$(echo through | pod run -i --rm $LIMITS --network none busybox cat)" through
}
# shellcheck disable=SC2086
stops() {
  pod run -d --name "$TAG" $LIMITS --network none busybox sleep 100 >/dev/null
  same "$(pod inspect -f '{{.State.Status}}' "$TAG")" running
  pod stop -t 1 "$TAG" >/dev/null
  same "$(pod inspect -f '{{.State.Status}}' "$TAG")" exited
  pod rm "$TAG" >/dev/null
}
# shellcheck disable=SC2086
execs() {
  pod run -d --name "$TAG" $LIMITS --network none --health-cmd 'test -e /tmp/well' --health-interval disable busybox sleep 100 >/dev/null
  same "$(pod exec "$TAG" echo inside)" inside
  same "$(echo through | pod exec -i "$TAG" cat)" through
  same "$(pod exec -u 1000:1000 -w /tmp -e A=1 "$TAG" sh -c 'id -u; pwd; echo $A' | tr '\n' ' ')" "1000 /tmp 1 "
  local rc=0; pod exec "$TAG" sh -c 'exit 7' || rc=$?; same "$rc" 7
  rc=0; pod exec "$TAG" nosuch 2>/dev/null || rc=$?; same "$rc" 127
  rc=0; pod exec "$TAG" /etc/passwd 2>/dev/null || rc=$?; same "$rc" 126
  pod exec -d "$TAG" touch /tmp/well
  until_ 10 pod exec "$TAG" test -e /tmp/well
  pod healthcheck run "$TAG"
  pod exec "$TAG" rm /tmp/well
  rc=0; pod healthcheck run "$TAG" >/dev/null || rc=$?; same "$rc" 1
  pod rm -f -t 0 "$TAG" >/dev/null
}
# shellcheck disable=SC2086
controls() {
  local id; id=$(pod run -d --name "$TAG" $LIMITS --network none --memory 64m --pids-limit 50 busybox sleep 100)
  pod pause "$TAG" >/dev/null
  same "$(pod inspect -f '{{.State.Status}}' "$TAG")" paused
  has "$(pod exec "$TAG" true 2>&1 || true)" "container state improper"
  pod unpause "$TAG" >/dev/null
  same "$(pod inspect -f '{{.State.Status}}' "$TAG")" running
  same "$(pod exec "$TAG" echo again)" again
  has "$(pod top "$TAG" pid comm)" sleep
  has "$(pod stats --no-stream --format '{{.ID}} {{.MemUsage}} {{.PIDs}}' "$TAG")" "${id:0:12}"
  if pod update --help >/dev/null 2>&1; then
    pod update --memory 32m --cpu-shares 333 "$TAG" >/dev/null
    local limit; limit=$(find /sys/fs/cgroup -path "*libpod-$id/memory.limit_in_bytes" -o -path "*libpod-$id/memory.max" | grep -v /memory/memory | head -1)
    same "$(cat "$limit")" 33554432
    same "$(cat "$(find /sys/fs/cgroup -path "*libpod-$id/cpu.shares" | head -1)" 2>/dev/null || echo 333)" 333
  else
    echo "skip - podman update: this podman has none"
  fi
  pod rm -f -t 0 "$TAG" >/dev/null
}
case_ "podman runs a container and gets its output and exit code" runs
case_ "podman stops and removes a container" stops
case_ "podman executes in a container, health checks too" execs
case_ "podman pauses, measures and updates a container" controls
finish
