#!/bin/bash
# --trace and OCITK_TRACE: what is in the file, and that the container does not notice.
. "$(dirname "$0")/lib.sh"
need python3
CHECK=$(dirname "$0")/../support/trace_check.py

row="cgroup unshare time procfs keyring network rootfs hooks console masks sysctl pivot hostname apparmor scheduler ioprio personality mempolicy rlimits selinux"
late="no-new-privs cwd bounding user caps"
early="seccomp cwd bounding user caps"
# The stages of init with their order, from the file.
stages_of() { jq -r '[.traceEvents[] | select(.cat == "stage" and .args.process == "init")] | sort_by(.args.start_ns) | [.[].name] | join(" ")' "$1"; }

every_stage() {
  local b out; b=$(sh_bundle all 'echo hello; exit 7')
  out=$(rt run --trace "$DIR/t.json" -b "$b" "$TAG-1" </dev/null) && fail "exit code 0"
  same "$out" hello
  same "$(stages_of "$DIR/t.json")" "$row $late exec hooks seccomp"
  python3 "$CHECK" "$DIR/t.json"
  same "$(jq -r '[.traceEvents[] | select(.ph == "M") | .args.name] | join(" ")' "$DIR/t.json")" "parent bridge init"
  same "$(jq -r '[.traceEvents[] | select(.cat == "call" and .name == "execve")] | length' "$DIR/t.json")" 1
  b=$(sh_bundle early true '.process.noNewPrivileges = false | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"}')
  rt run --trace "$DIR/t.json" -b "$b" "$TAG-1" </dev/null
  same "$(stages_of "$DIR/t.json")" "$row $early exec hooks"
  python3 "$CHECK" "$DIR/t.json"
}
user_namespace() {
  chmod 755 "$DIR"
  local b; b=$(sh_bundle user true '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings')
  rt run --trace "$DIR/t.json" -b "$b" "$TAG-1" </dev/null
  python3 "$CHECK" "$DIR/t.json"
  same "$(stages_of "$DIR/t.json")" "idmap $row $late exec hooks seccomp"
  same "$(jq -r '[.traceEvents[] | select(.cat == "call" and .name == "write" and .args.process == "parent" and .args.stage == "idmap") | .args.pointer] | join(" ")' "$DIR/t.json")" \
    "/linux/uidMappings /linux/gidMappings"
}
bridge() {
  local b; b=$(sh_bundle bridge true '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/net" else . end)')
  rt run --trace "$DIR/t.json" -b "$b" "$TAG-1" </dev/null
  python3 "$CHECK" "$DIR/t.json"
  same "$(jq -r '[.traceEvents[] | select(.cat == "call" and .args.process == "bridge" and .name == "setns")] | length' "$DIR/t.json")" 1
  same "$(jq -r '[.traceEvents[] | select(.cat == "stage" and .name == "unshare") | .args.process] | unique | join(" ")' "$DIR/t.json")" "bridge init parent"
}
failing() {
  local b rc=0; b=$(bundle fail '.mounts += [{destination: "/mnt", type: "bind", source: "/nowhere", options: ["bind"]}]')
  rt run --trace "$DIR/t.json" -b "$b" "$TAG-1" </dev/null 2>"$DIR/err" || rc=$?
  same "$rc" 1
  has "$(cat "$DIR/err")" "bind /nowhere on /mnt"
  same "$(jq -r '.traceEvents[] | select(.name == "open_tree" and .args.errno != 0) | [.args.stage, .args.errno, .args.error, .args.pointer, .args.result] | join("|")' "$DIR/t.json")" \
    "rootfs|2|no such file or directory|/mounts/7|-1"
  same "$(jq -r '[.traceEvents[] | select(.cat == "stage" and .args.errno != 0) | .name] | join(" ")' "$DIR/t.json")" rootfs
  python3 "$CHECK" "$DIR/t.json"
  rt run --trace - -b "$b" "$TAG-1" </dev/null 2>"$DIR/err" || true
  grep -Eq '^init +rootfs .*failed$' "$DIR/err" || fail "$(cat "$DIR/err")"
}
failing_exec() {  # a payload that cannot be executed is one execve, and it failed
  printf '#!/none\n' >"$DIR/rootfs/bad"; chmod +x "$DIR/rootfs/bad"
  local rc=0; rt run --trace "$DIR/t.json" -b "$(bundle bad '.process.args = ["/bad"]')" "$TAG-1" </dev/null 2>/dev/null || rc=$?
  same "$rc" 255
  same "$(jq -r '[.traceEvents[] | select(.name == "execve") | .args.error] | join("|")' "$DIR/t.json")" "no such file or directory"
}
time_line() {
  local b stage; b=$(sh_bundle line 'echo out; echo err >&2')
  same "$(rt run --trace=- -b "$b" "$TAG-1" 2>"$DIR/err" </dev/null)" out
  has "$(head -1 "$DIR/err")" err
  for stage in $row $late; do grep -Eq "^init +$stage +[0-9]+\.[0-9]{3} +[0-9]+\.[0-9]{3} +[0-9]+ *█+$" "$DIR/err" || fail "no bar for $stage in $(cat "$DIR/err")"; done
  grep -Eq '^parent +cgroup ' "$DIR/err"
  grep -Eq '^in all +[0-9]+\.[0-9]{3} +[0-9]+$' "$DIR/err" || fail "$(tail -1 "$DIR/err")"
  # no bar ends beyond the columns there are
  same "$(sed -n 's/█/#/g; s/^[a-z]* *[a-z-]* *[0-9.]* *[0-9.]* *[0-9]* //p' "$DIR/err" | awk '{ if (length($0) > 48) n++ } END { print n + 0 }')" 0
}
as_engines_call() {  # they pass options of their own only
  mkdir -p "$DIR/traces"
  local b; b=$(sh_bundle engine 'exit 3')
  OCITK_TRACE=$DIR/traces rt create -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  local file; file=$(ls "$DIR/traces")
  case $file in "$TAG-1-create-"[0-9]*.json) ;; *) fail "named $file" ;; esac
  OCITK_TRACE=$DIR/traces rt start "$TAG-1"
  until_ 5 status_is "$TAG-1" stopped
  OCITK_TRACE=$DIR/traces rt delete "$TAG-1"
  same "$(ls "$DIR/traces")" "$file"
  python3 "$CHECK" "$DIR/traces/$file"
  same "$(stages_of "$DIR/traces/$file")" "$row $late exec"
  OCITK_TRACE=$DIR/traces/one.json rt run -b "$(sh_bundle engine true)" "$TAG-1" </dev/null
  python3 "$CHECK" "$DIR/traces/one.json"
  OCITK_TRACE=$DIR/traces rt run --trace "$DIR/option.json" -b "$b" "$TAG-1" </dev/null || true
  [ -s "$DIR/option.json" ] && same "$(ls "$DIR/traces" | wc -l)" 2
}
unnoticed() {  # streams, code, descriptors, environment, memory
  local script='ls -l /proc/self/fd | sed -n "s/.* \([0-9]*\) -> .*/\1/p" | tr "\n" " "; env; cat; cat /proc/self/status | grep -E "^(Seccomp|NoNewPrivs|Cap|Uid|Gid|Groups|SigIgn|SigBlk)"; exit 5'
  local b rc=0 with without; b=$(sh_bundle unnoticed "$script")
  without=$(echo in | rt run -b "$b" "$TAG-1") || rc=$?
  same "$rc" 5; rc=0
  with=$(echo in | rt run --trace "$DIR/t.json" -b "$b" "$TAG-1") || rc=$?
  same "$rc" 5
  same "$with" "$without"
  # with descriptors that the payload keeps
  exec 7</dev/null
  without=$(rt run --preserve-fds 2 -b "$b" "$TAG-1" 3</dev/null 4</dev/null </dev/null || true)
  with=$(rt run --trace "$DIR/t.json" --preserve-fds 2 -b "$b" "$TAG-1" 3</dev/null 4</dev/null </dev/null || true)
  exec 7<&-
  same "$with" "$without"; has "$with" "0 1 2 3 4"
}
little_memory() {
  local file; file=$(ls /sys/fs/cgroup/memory/memory.usage_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null | head -1)
  [ -n "$file" ] || without "no controller memory"
  local b with without; b=$(sh_bundle memory 'sleep 100' '.linux.resources.memory = {limit: 67108864}')
  used() {
    rt run -d "$@" -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
    sleep 0.2
    local d; d=$(our_cgroups | grep -E 'memory/|^/sys/fs/cgroup/[^/]*$' | head -1)
    cat "$d/memory.usage_in_bytes" "$d/memory.current" 2>/dev/null
    rt delete -f "$TAG-1"
  }
  without=$(used); with=$(used --trace "$DIR/t.json")
  [ "$with" -lt $((without + 1048576)) ] || fail "a trace costs the container $((with - without)) bytes"
}
unwritable() {  # told, and no reason to fail
  local rc=0; rt run --trace /no/such/place -b "$(sh_bundle unw 'exit 3')" "$TAG-1" </dev/null 2>"$DIR/err" || rc=$?
  same "$rc" 3
  has "$(cat "$DIR/err")" "trace: "; has "$(cat "$DIR/err")" "/no/such/place"
}

case_ "every stage of the row is there, in order, with its calls" every_stage
case_ "a user namespace" user_namespace
case_ "three processes" bridge
case_ "a failure: call, errno, text and pointer" failing
case_ "a payload that cannot be executed" failing_exec
case_ "the time line on stderr" time_line
case_ "OCITK_TRACE, as engines call" as_engines_call
case_ "the container does not notice" unnoticed
case_ "little memory of the container's" little_memory
case_ "a trace that cannot be written" unwritable
finish
