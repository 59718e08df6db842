#!/bin/bash
# What `--plan` says is what strace sees: every call that changes something, in order, with its arguments, and no other.
. "$(dirname "$0")/lib.sh"
need strace
need python3
strace -qq -o /dev/null true 2>/dev/null || skip "needs the right to trace"
HELPER=$(dirname "$0")/../support/plan_strace.py
mkdir -p -m 700 "$STATE"

# matches BUNDLE COMMAND [option...]: the same command line, planned and traced. A container that only waits is killed.
matches() {
  local b=$1 command=$2 tracer; shift 2
  ID=$TAG-${b##*/}-$command  # a keyring of that name may still be there from the case before
  rt "$command" --plan=json -b "$b" "$@" "$ID" </dev/null >"$DIR/plan.json" 2>"$DIR/out"
  rm -rf "$DIR/trace"; mkdir "$DIR/trace"
  strace -ff -v -s 65536 -o "$DIR/trace/t" "$OCITK" --root "$STATE" "$command" -b "$b" "$@" "$ID" </dev/null >"$DIR/out" 2>&1 &
  tracer=$!
  if [ "$command" = create ]; then
    until_ 20 status_is "$ID" created
    rt start "$ID"
  fi
  wait $tracer || { cat "$DIR/out"; fail "the container failed"; }
  [ "$command" = run ] || rt delete "$ID"
  python3 "$HELPER" "$DIR/plan.json" "$DIR/trace/t"
}
# The comparison itself: a plan with one call less, more or different is not what was done.
sees_differences() {
  matches "$(true_bundle sees .)" run
  local change
  for change in 'del(.[first(to_entries | .[] | select(.value.call == "pivot_root") | .key)])' \
    'del(.[first(to_entries | .[] | select(.value.call == "renameat") | .key)])' \
    '. += [.[-1] | .call = "chdir" | .args = ["\"/\""]]' \
    'map(if .call == "sethostname" then .args[0] = "\"other\"" else . end)' \
    'map(if .call == "umask" then .args[0] = "0777" else . end)' \
    'map(if .call == "fsmount" then .args[2] = "MOUNT_ATTR_NOSUID" else . end)' \
    'map(if .call == "move_mount" then .args[2] = "</elsewhere>" else . end)' \
    'map(if .call == "capset" then .args[0] = "permitted=[]" else . end)' \
    'map(if .call == "execve" then .args[2] = "[]" else . end)' \
    'map(if .call == "mount_setattr" then .args[3] = "{}" else . end)' \
    'map(if .call == "clone3" then .args[0] |= sub("CLONE_NEWNS.CLONE"; "CLONE") else . end)' \
    'map(if .call == "setsid" then .process = "parent" else . end)'; do
    jq "$change" "$DIR/plan.json" >"$DIR/other.json"
    if cmp -s <(jq -c . "$DIR/plan.json") <(jq -c . "$DIR/other.json"); then fail "changes nothing: $change"; fi
    if python3 "$HELPER" "$DIR/other.json" "$DIR/trace/t" >/dev/null; then fail "not seen: $change"; fi
  done
}
true_bundle() { local b=$1 filter=$2; shift 2; bundle "$b" ".process.args = [\"true\"] | $filter" "$@"; }

usual() { matches "$(true_bundle usual .)" run; }
created() { matches "$(true_bundle created .)" create --pid-file "$DIR/pid"; }
user_namespace() {
  chmod 755 "$DIR"
  matches "$(true_bundle user '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
    | .linux.gidMappings = .linux.uidMappings')" run
}
joined() {
  rt run -d -b "$(sh_bundle other 'sleep 100')" "$TAG-o" </dev/null >/dev/null 2>&1
  local pid rc=0; pid=$(rt state "$TAG-o" | jq .pid)
  matches "$(true_bundle joined '.linux.namespaces |= map(if .type == "network" or .type == "ipc" or .type == "pid" then .path = "/proc/\($pid)/ns/" + (if .type == "network" then "net" else .type end) else . end)
    ' --argjson pid "$pid")" run || rc=1
  rt delete -f "$TAG-o"
  return $rc
}
much() {
  mkdir -p "$DIR/src/d"; echo x >"$DIR/src/f"
  matches "$(bundle much '.process.args = ["true"] | .process.user = {uid: 1000, gid: 1000, additionalGids: [5, 6], umask: 23}
    | .process.rlimits += [{type: "RLIMIT_CORE", soft: 0, hard: 1048576}]
    | .process.oomScoreAdj = 100 | .process.noNewPrivileges = true
    | .process.capabilities.inheritable = ["CAP_KILL"] | .process.capabilities.ambient = ["CAP_KILL"]
    | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["reboot"], action: "SCMP_ACT_ERRNO"}]}
    | .linux.sysctl = {"net.ipv4.ip_forward": "0", "kernel.shm_rmid_forced": "1"}
    | .linux.resources.memory = {limit: 268435456} | .linux.resources.pids = {limit: 50}
    | .linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 3, fileMode: 384, uid: 1000, gid: 1000}]
    | .linux.namespaces += [{type: "cgroup"}] | .root.readonly = false | .process.cwd = "/tmp"
    | .mounts += [{destination: "/new/dir", type: "bind", source: ($src + "/d"), options: ["rbind", "ro", "nosuid"]},
                  {destination: "/new/file", type: "bind", source: ($src + "/f"), options: ["bind"]},
                  {destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=1m"]}]' --arg src "$DIR/src")" run
}
early_filter() {
  matches "$(true_bundle early '.process.noNewPrivileges = false | .linux.namespaces += [{type: "cgroup"}]
    | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["reboot"], action: "SCMP_ACT_KILL"}]}')" run
}
no_mount_namespace() { matches "$(true_bundle nomnt '.linux.namespaces |= map(select(.type != "mount")) | .mounts = [] | del(.linux.maskedPaths, .linux.readonlyPaths)')" run; }

hooks() {  # in both processes; what they start is theirs, not the plan's
  local hook='{path: "/bin/true", args: ["true", "x"], env: ["A=1"], timeout: 60}'
  matches "$(true_bundle hooks ".hooks = {prestart: [$hook], createRuntime: [$hook, $hook], createContainer: [$hook], startContainer: [$hook]}")" run
}

case_ "the usual bundle" usual
case_ "the comparison sees every kind of difference" sees_differences
case_ "create, up to the payload" created
case_ "a user namespace" user_namespace
case_ "joined namespaces: three processes" joined
case_ "an ordinary user, limits, sysctls, a filter, devices, bind mounts at missing places" much
case_ "a filter loaded before the ids change" early_filter
case_ "hooks of the parent and of init" hooks
case_ "no mount namespace" no_mount_namespace
finish
