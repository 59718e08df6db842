#!/bin/bash
# `--plan` against what is kept in plans/: every line, but for what differs from machine to machine (see normal()).
# Renew them with OCITK_RENEW_PLANS=1, and read the difference before you commit it.
. "$(dirname "$0")/lib.sh"
PLANS=$(dirname "$0")/plans

# What belongs to this machine or this run becomes a word: directories, pids, times, sizes of texts that hold them, the
# cgroups of this host (one line for all calls of the parent's stage; init joins v1 only), /proc/kcore, capabilities this kernel has or the caller lacks.
normal() {
  sed -E -e "s#$DIR#DIR#g; s#$TAG#ID#g" \
    -e 's#/proc/[0-9]+#/proc/PID#g' \
    -e '/PR_CAPBSET_DROP, [0-9]+/s/DROP, [0-9]+/DROP, N/' \
    -e 's/(intent|state)\.json>, "\{\\"version.*, [0-9]+\)/\1.json>, RECORD)/' \
    -e 's/(config\.json>, ".*"\.\.\.), [0-9]+\)/\1, SIZE)/' \
    -e 's/pid>, "[0-9]+", [0-9]+\)/pid>, PID)/' \
    -e 's/\|CLONE_INTO_CGROUP, SIGCHLD, <[^>]*>|, SIGCHLD, no cgroup/, SIGCHLD, CGROUP/' \
    -e 's/^parent +cgroup  .*/parent  cgroup        WHAT THE HOST'"'"'S CGROUPS ASK FOR/' \
    -e '/^init +cgroup  /d' -e '/symlinkat\("\/proc\/kcore"/d' \
    -e 's/ftruncate\((<[^>]*progress>), [0-9]+\)/ftruncate(\1, SIZE)/' \
    -e 's/sched_setaffinity\(0, [0-9]+/sched_setaffinity(0, SIZE/' | uniq
}
plan_of() { rt run --plan -b "$1" "$TAG-1" </dev/null 2>"$DIR/err" || { cat "$DIR/err"; return 1; }; }
# as_kept NAME BUNDLE
as_kept() {
  plan_of "$2" >"$DIR/plan"
  normal <"$DIR/plan" >"$DIR/normal"
  if [ -n "${OCITK_RENEW_PLANS:-}" ]; then cp "$DIR/normal" "$PLANS/$1.txt"; fi
  diff -u "$PLANS/$1.txt" "$DIR/normal" >"$DIR/diff" || { cat "$DIR/diff"; fail "the plan is not what plans/$1.txt says"; }
}
# Without what only some kernels have: a cgroup mount, most of the paths to hide.
portable='del(.mounts[] | select(.type == "cgroup")) | del(.linux.namespaces[] | select(.type == "cgroup")) | .linux.maskedPaths = ["/proc/meminfo", "/sys/kernel", "/no/such"] | .linux.readonlyPaths = ["/proc/sys"] | .process.args = ["true"]'

usual() { as_kept usual "$(bundle usual "$portable")"; }
user_namespace() {
  as_kept user "$(bundle user "$portable"' | .linux.namespaces += [{type: "user"}]
    | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings
    | .process.capabilities.bounding = []')"
}
joined() {
  as_kept joined "$(bundle joined "$portable"' | .linux.namespaces = [{type: "mount"}, {type: "uts", path: "/proc/self/ns/uts"},
    {type: "network", path: "/proc/self/ns/net"}, {type: "pid", path: "/proc/self/ns/pid"}]')"
}
odd_rootfs() {  # nothing to mount on; links that dangle, lead out, lead to another mount
  rm -rf "$DIR/odd"; mkdir -p "$DIR/odd/bin" "$DIR/odd/other" "$DIR/src/d"; echo x >"$DIR/src/f"
  cp "$DIR/rootfs/bin/busybox" "$DIR/odd/bin/true"
  ln -s ../../../other "$DIR/odd/etc"; ln -s /made/by/link "$DIR/odd/dangling"; ln -s /dev/shm "$DIR/odd/to-shm"; ln -s ../../../../../.. "$DIR/odd/up"
  as_kept odd "$(bundle odd "$portable"' | .root = {path: ($dir + "/odd")} | .process.args = ["/bin/true"]
    | .mounts += [{destination: "/dangling/x", type: "bind", source: ($dir + "/src/d"), options: ["bind"]},
                  {destination: "/to-shm/in/shm", type: "tmpfs", source: "tmpfs"},
                  {destination: "/up/above", type: "bind", source: ($dir + "/src/f"), options: ["bind", "ro"]},
                  {destination: "/etc/resolv.conf", type: "bind", source: ($dir + "/src/f"), options: ["bind"]}]' --arg dir "$DIR")"
  [ ! -e "$DIR/odd/dev" ] || fail "the plan made something"
}
many_options() {
  as_kept many "$(bundle many "$portable"' | .process.user = {uid: 1000, gid: 1001, additionalGids: [5, 6], umask: 23}
    | .process.rlimits += [{type: "RLIMIT_CORE", soft: 0, hard: 1048576}] | .process.oomScoreAdj = 100
    | .process.capabilities.inheritable = ["CAP_KILL"] | .process.capabilities.ambient = ["CAP_KILL"] | .process.cwd = "/tmp"
    | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [{names: ["reboot"], action: "SCMP_ACT_ERRNO"}]}
    | .linux.sysctl = {"net.ipv4.ip_forward": "0", "kernel.shm_rmid_forced": "1"} | .domainname = "example.org"
    | .linux.devices = [{path: "/dev/mine/null", type: "c", major: 1, minor: 3, fileMode: 384, uid: 1000, gid: 1001}]
    | .linux.rootfsPropagation = "shared" | .linux.namespaces += [{type: "cgroup"}]
    | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=1m", "nosuid", "noexec"]}]')"
}
terminal() { as_kept terminal "$(bundle terminal "$portable"' | .process.terminal = true | .process.consoleSize = {height: 10, width: 20}')"; }
no_mount_namespace() {
  as_kept nomount "$(bundle nomount "$portable"' | .linux.namespaces |= map(select(.type != "mount")) | .mounts = []
    | del(.linux.maskedPaths, .linux.readonlyPaths) | .root.readonly = false')"
}
as_json() {
  local b; b=$(bundle json "$portable"' | .linux.sysctl = {"kernel.shm_rmid_forced": "1"}')
  rt run --plan=json -b "$b" "$TAG-1" >"$DIR/json" </dev/null
  same "$(jq -r 'map(keys_unsorted | join(" ")) | unique | join("|")' "$DIR/json")" "process stage call args pointer"
  same "$(jq -r 'all(.[]; (.process, .stage, .call, .pointer | type) == "string" and (.args | type) == "array" and all(.args[]; type == "string"))' "$DIR/json")" true
  same "$(jq -r '[.[].process] | unique | join(" ")' "$DIR/json")" "init parent"
  same "$(jq -r '.[] | select(.call == "sethostname") | [.process, .stage, .pointer] + .args | join("|")' "$DIR/json")" 'init|hostname|/hostname|"runc"|4'
  same "$(jq -r '.[] | select(.pointer == "/linux/sysctl/kernel.shm_rmid_forced").call' "$DIR/json")" write
  # line by line the text says the same
  plan_of "$b" | normal >"$DIR/text"
  jq -r 'def pad($n): . + (" " * ([$n - length, 0] | max)); .[] | (.process | pad(7)) + " " + ((if .stage == "" then "-" else .stage end) | pad(12)) + "  " + .call
    + "(" + (.args | join(", ")) + ")" + (if .pointer == "" then "" else "  <- " + .pointer end)' "$DIR/json" | normal | diff -u "$DIR/text" -
}
other_commands() {  # create stops at its gate, then goes on; a detached run has the caller's streams
  local b; b=$(bundle cmd "$portable")
  rt create --plan --pid-file "$DIR/pid" -b "$b" "$TAG-1" >"$DIR/create" </dev/null
  has "$(cat "$DIR/create")" '"exec.fifo", S_IFIFO|0600'
  has "$(cat "$DIR/create")" "renameat(<$DIR>, \".pid\", <$DIR>, \"pid\")"
  has "$(tail -1 "$DIR/create")" 'execve("/bin/true", ["true"]'
  [ ! -e "$DIR/pid" ] || fail "a pid file"
  rt run -d --plan -b "$b" "$TAG-1" >"$DIR/detached" </dev/null
  hasnt "$(cat "$DIR/detached")" exec.fifo; hasnt "$(cat "$DIR/detached")" 'dup2(<pipe'
  has "$(rt run --plan=xml -b "$b" "$TAG-1" 2>&1 || true)" "--plan is text or json"
  timeout 20 "$OCITK" --root "$STATE" run --plan --stop-before pivot -b "$b" "$TAG-1" >"$DIR/stop" </dev/null
  diff <(normal <"$DIR/stop") <(plan_of "$b" | normal)
}
# same_error BUNDLE: planned or run, a broken bundle says the same
same_error() {
  local planned done rc=0 rc2=0
  planned=$(rt run --plan -b "$1" "$TAG-1" 2>&1 </dev/null) || rc=$?
  done=$(rt run -b "$1" "$TAG-1" 2>&1 </dev/null) || rc2=$?
  same "$rc $rc2" "1 1"
  same "$(sed 's/time="[^"]*"//' <<<"$planned")" "$(sed 's/time="[^"]*"//' <<<"$done")"
  has "$done" "$2"
}
errors() {
  mkdir -p "$DIR/none" "$DIR/broken"; echo '{' >"$DIR/broken/config.json"
  same_error "$DIR/none" "JSON specification file config.json not found"
  same_error "$DIR/broken" "config.json"
  same_error "$(bundle e1 '.process.args = "sh"')" "config.json#/process/args"
  same_error "$(bundle e2 '.process.rlimits = [{type: "RLIMIT_NONE", soft: 1, hard: 1}]')" "rlimits"
  same_error "$(bundle e3 '.root.path = "/nowhere"')" "config.json#/root/path"
  same_error "$(bundle e4 '.mounts += [{destination: "/mnt", type: "bind", source: "/nowhere", options: ["bind"]}]')" "config.json#/mounts/7"
  same_error "$(bundle e5 '.process.args = ["no-such"]')" 'exec: \"no-such\": executable file not found in $PATH'
  same_error "$(bundle e6 '.process.args = ["/etc/passwd"]')" "permission denied"
  same_error "$(bundle e7 '.process.args = ["/bin"]')" "is a directory"
  same_error "$(bundle e8 '.linux.namespaces[0].path = "/nowhere/ns"')" "/linux/namespaces/0"
  same_error "$(bundle e10 '.linux.seccomp = {defaultAction: "SCMP_ACT_NONSENSE"}')" "seccomp"
  same_error "$(bundle e11 '.mounts += [{destination: "/etc/passwd/x", type: "tmpfs", source: "tmpfs"}]')" "config.json#/mounts/7"
  same_error "$(bundle e12 '.linux.sysctl = {"kernel.no_such_thing": "1"}')" "sysctl"
}
taken_id() {
  rt run -d -b "$(sh_bundle taken 'sleep 100')" "$TAG-1" </dev/null >/dev/null 2>&1
  has "$(rt run --plan -b "$(bundle taken2 "$portable")" "$TAG-1" 2>&1 </dev/null || true)" "container with given ID already exists"
  status_is "$TAG-1" running
  rt delete -f "$TAG-1"
}
snapshot() {
  find "$DIR/rootfs" -printf '%p %y %m %U %G %s %T@ %C@\n' | sort
  find /sys/fs/cgroup -maxdepth 3 -type d -name "$TAG*"
  ls -la "$STATE" "$DIR/none-yet" 2>&1 | grep -v total
  host_mounts
  hostname
}
does_nothing() {
  local b; mkdir -p "$STATE"
  b=$(bundle nothing "$portable"' | .linux.sysctl = {"kernel.shm_rmid_forced": "1"} | .linux.resources.pids = {limit: 9}
    | .mounts += [{destination: "/new/place", type: "tmpfs", source: "tmpfs"}] | .root.readonly = false | .hostname = "changed"')
  snapshot >"$DIR/before"
  rt run --plan -b "$b" --pid-file "$DIR/none-yet" "$TAG-1" >/dev/null </dev/null
  rt create --plan=json -b "$b" "$TAG-1" >/dev/null </dev/null
  "$OCITK" --root "$DIR/new/root" run --plan -b "$b" "$TAG-1" >/dev/null </dev/null
  diff "$DIR/before" <(snapshot)
  [ ! -e "$DIR/new" ] || fail "a state root"
  local p left=
  for p in /proc/[0-9]*; do [ "$(tr '\0' ' ' <"$p/cmdline" 2>/dev/null | grep -c -- "--plan.*$TAG-1")" = 0 ] || left+=" $p"; done
  same "$left" ""
}
ordinary_user() {
  local b; b=$(bundle nobody "$portable"); chmod 755 "$DIR" "$b"
  cp "$OCITK" "$DIR/ocitk"
  local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  "${nobody[@]}" "$DIR/ocitk" --root /tmp/none run --plan -b "$b" "$TAG-1" >"$DIR/out" 2>"$DIR/err" </dev/null || { cat "$DIR/err"; fail "nobody may not plan"; }
  has "$(tail -1 "$DIR/out")" 'execve("/bin/true", ["true"]'
  has "$(cat "$DIR/out")" 'sethostname("runc", 4)'
  [ ! -e /tmp/none ] || fail "a state root"
  chmod 600 "$b/config.json"
  local rc=0; "${nobody[@]}" "$DIR/ocitk" --root /tmp/none run --plan -b "$b" "$TAG-1" >"$DIR/out" 2>&1 </dev/null || rc=$?
  same "$rc" 1
  has "$(cat "$DIR/out")" "config.json"; has "$(cat "$DIR/out")" "permission denied"
}
terminal_codes() {  # what an unknown image says reaches nobody's terminal
  local b; b=$(bundle codes "$portable"' | .process.env += ["X=\u001b[31m\u009b1m"] | .linux.sysctl = {"net.\u001b]0;x": "1"}')
  local out; out=$(rt run --plan -b "$b" "$TAG-1" 2>&1 </dev/null || true)
  same "$(tr -d '\n' <<<"$out" | LC_ALL=C grep -c $'[\x01-\x1f]\|\xc2[\x80-\x9f]')" 0
  b=$(bundle codes "$portable"' | .process.env += ["X=\u001b[31m\u009b1m"]')
  out=$(rt run --plan -b "$b" "$TAG-1" 2>&1 </dev/null)
  has "$out" 'X=\x1b[31m'
  same "$(tr -d '\n' <<<"$out" | LC_ALL=C grep -c $'[\x01-\x1f]\|\xc2[\x80-\x9f]')" 0
}
closed_output() { local rc=0; rt run --plan -b "$(bundle closed "$portable")" "$TAG-1" >/dev/full 2>"$DIR/err" </dev/null || rc=$?; same "$rc" 1; has "$(cat "$DIR/err")" "no space left"; }

case_ "the usual bundle" usual
case_ "a user namespace" user_namespace
case_ "joined namespaces: bridge and all" joined
case_ "an odd rootfs: missing mountpoints, links" odd_rootfs
case_ "seccomp, rlimits, sysctls, devices, user" many_options
case_ "a terminal" terminal
case_ "no mount namespace" no_mount_namespace
case_ "JSON: the same with fixed keys" as_json
case_ "create, run -d; nobody waits in a plan" other_commands
case_ "what is broken is told as by run" errors
case_ "a taken id" taken_id
case_ "nothing is done" does_nothing
case_ "an ordinary user may plan what it can read" ordinary_user
case_ "no codes for the terminal" terminal_codes
case_ "an output that cannot be written" closed_output
finish
