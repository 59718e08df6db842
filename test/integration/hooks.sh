#!/bin/bash
# Hooks of all six kinds: what each sees, what it reads, and what its failure does.
. "$(dirname "$0")/lib.sh"
need nsenter

HOOKS=$DIR/hooks
mkdir -p "$HOOKS"
OWN_NS=$(readlink /proc/self/ns/mnt)
# hook NAME SCRIPT: a hook of the host; $OUT/NAME.* is what it leaves. Prints its path.
hook() {
  printf '#!/bin/bash\nPATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin\nOUT=%s NAME=%s\n%s\n' "$HOOKS" "$1" "$2" >"$HOOKS/$1"
  chmod +x "$HOOKS/$1"
  echo "$HOOKS/$1"
}
# The report that most cases look at: state, namespace, working directory, environment at its start.
REPORT='cat >$OUT/$NAME.state; readlink /proc/self/ns/mnt >$OUT/$NAME.ns; pwd -P >$OUT/$NAME.cwd
mapfile -d "" -t all </proc/self/environ; printf "%s\n" "${all[@]}" | sort >$OUT/$NAME.env; echo $NAME >>$OUT/order; ls -l /proc/self/fd >$OUT/$NAME.fds'
# with_hooks NAME JQ-OF-HOOKS [SCRIPT]: a bundle whose .hooks are that; $h is the folder of hooks.
with_hooks() {
  bundle "$1" '.process.args = ["sh", "-c", $script] | .annotations = {"a.b": "c"} | .hooks = ('"$2"')' --arg script "${3:-sleep 100}" --arg h "$HOOKS"
}
clear_hooks() { rm -rf "${HOOKS:?}"; mkdir -p "$HOOKS"; }
create() { rt create -b "$1" --pid-file "$DIR/pid" "$TAG-1" </dev/null >"$DIR/out" 2>"$DIR/err"; }
fails() { local rc=0; "$@" || rc=$?; [ $rc != 0 ] || fail "succeeded: $*"; }
gone() { has "$(rt state "$TAG-1" 2>&1 || true)" "container does not exist"; }

runtime_side() {
  clear_hooks; local k b
  for k in pre cr ps st; do hook $k "$REPORT" >/dev/null; done
  b=$(with_hooks all '{prestart: [{path: "\($h)/pre"}], createRuntime: [{path: "\($h)/cr", args: ["zero", "one"], env: ["K=v", "L="]}],
    poststart: [{path: "\($h)/ps"}], poststop: [{path: "\($h)/st"}]}')
  MARK=of-the-caller create "$b"
  local pid; pid=$(cat "$DIR/pid")
  same "$(cat "$HOOKS/order")" "$(printf 'pre\ncr')"
  same "$(jq -c . "$HOOKS/pre.state")" "$(cat "$HOOKS/pre.state")"
  same "$(jq -r 'keys_unsorted | join(" ")' "$HOOKS/pre.state")" "ociVersion id status pid bundle annotations"
  same "$(jq -rc '[.id, .status, .pid, .bundle, .annotations["a.b"]]' "$HOOKS/cr.state")" "[\"$TAG-1\",\"creating\",$pid,\"$b\",\"c\"]"
  same "$(cat "$HOOKS/pre.ns" "$HOOKS/cr.ns")" "$(printf '%s\n' "$OWN_NS" "$OWN_NS")"
  same "$(cat "$HOOKS/pre.cwd" "$HOOKS/cr.cwd")" "$(printf '%s\n' "$b" "$b")"
  has "$(cat "$HOOKS/pre.env")" "MARK=of-the-caller"
  same "$(cat "$HOOKS/cr.env")" "$(printf 'K=v\nL=')"
  rt start "$TAG-1"
  same "$(jq -rc '[.status, .pid]' "$HOOKS/ps.state")" "[\"running\",$pid]"
  same "$(cat "$HOOKS/ps.ns") $(cat "$HOOKS/ps.cwd")" "$OWN_NS $(pwd -P)"
  rt kill "$TAG-1" KILL; until_ 5 status_is "$TAG-1" stopped
  MARK=of-delete rt delete "$TAG-1"
  same "$(jq -rc '[.status, has("pid")]' "$HOOKS/st.state")" '["stopped",false]'
  same "$(cat "$HOOKS/st.ns")" "$OWN_NS"
  has "$(cat "$HOOKS/st.env")" "MARK=of-delete"
  same "$(cat "$HOOKS/order")" "$(printf 'pre\ncr\nps\nst')"
  local f; for f in pre cr ps st; do same "$(grep -c ' -> ' "$HOOKS/$f.fds")" 4; done  # 0 to 2 and the listing itself
}
in_the_middle() {  # when createRuntime runs: mounts are there, limits too, the pivot is not
  clear_hooks
  hook mid 'pid=$(jq .pid); for c in $(cut -d: -f3 /proc/$pid/cgroup | sort -u); do cat /sys/fs/cgroup/{pids,}$c/pids.max 2>/dev/null; done >$OUT/limit
readlink /proc/$pid/ns/mnt >$OUT/theirs
nsenter -t $pid -m sh -c "ls '"$DIR"'/own/dev; mkdir '"$DIR"'/own/tmp/in; mount -t tmpfs t '"$DIR"'/own/tmp/in; touch '"$DIR"'/own/tmp/in/file" >$OUT/dev 2>&1
ls $PWD >/dev/null' >/dev/null
  local b; make_rootfs "$DIR/own"
  b=$(with_hooks mid '{createRuntime: [{path: "\($h)/mid"}]}' 'ls /tmp/in; test -e /proc/self')
  jq '.root.path = "../own" | .root.readonly = true | .linux.resources.pids.limit = 77' "$b/config.json" >"$b/n" && mv "$b/n" "$b/config.json"
  local w
  for w in null shared private rslave; do
    jq --arg w $w 'if $w == "null" then del(.linux.rootfsPropagation) else .linux.rootfsPropagation = $w end' "$b/config.json" >"$b/n" && mv "$b/n" "$b/config.json"
    same "$(rt run -b "$b" "$TAG-1" 2>&1)" file
    has "$(cat "$HOOKS/dev")" null
    hasnt "$(cat "$HOOKS/theirs")" "$OWN_NS"
    has "$(cat "$HOOKS/limit")" 77
    rmdir "$DIR/own/tmp/in"
    same "$(grep -c "$DIR/own" /proc/self/mountinfo)" 0
  done
}
container_side() {
  clear_hooks; local b
  hook cc "$REPORT; touch made-by-hook" >/dev/null
  make_rootfs "$DIR/own"
  cat >"$DIR/own/bin/own-hook" <<'X'
#!/bin/sh
{ cat; echo; pwd; tr '\0' '\n' </proc/$$/environ | sort; cat /proc/1/comm; id -u; grep -e ^CapEff -e ^Seccomp: /proc/self/status; } >/tmp/$1
X
  chmod +x "$DIR/own/bin/own-hook"; chmod 1777 "$DIR/own/tmp"
  b=$(with_hooks cont '{createContainer: [{path: "\($h)/cc"}, {path: "\($h)/cc", env: ["K=v"]}],
    startContainer: [{path: "/bin/own-hook", args: ["own-hook", "a"]}, {path: "/bin/own-hook", args: ["own-hook", "b"], env: ["K=w"]}]}' 'id -u >/tmp/payload; cat /made-by-hook && sleep 100')
  jq '.root = {path: "../own", readonly: false} | .process.cwd = "/etc" | .process.user = {uid: 1000, gid: 1000} | .process.capabilities = {}
    | .process.env = ["PATH=/bin", "P=q"]' "$b/config.json" >"$b/n" && mv "$b/n" "$b/config.json"
  create "$b"
  same "$(jq -rc '[.id, .status, .pid, .bundle]' "$HOOKS/cc.state")" "[\"$TAG-1\",\"creating\",1,\"$b\"]"
  same "$(cat "$HOOKS/cc.ns")" "$(readlink "/proc/$(cat "$DIR/pid")/ns/mnt")"
  same "$(cat "$HOOKS/cc.cwd")" "$DIR/own"
  same "$(cat "$HOOKS/cc.env")" "K=v"
  same "$(cat "$HOOKS/order")" "$(printf 'cc\ncc')"
  [ ! -e "$DIR/own/tmp/a" ] || fail "startContainer before start"
  rt start "$TAG-1"
  until_ 5 test -s "$DIR/own/tmp/payload"
  same "$(head -1 "$DIR/own/tmp/a" | jq -rc '[.id, .status, .pid]')" "[\"$TAG-1\",\"created\",1]"
  same "$(sed -n '2,$p' "$DIR/own/tmp/a" | head -5 | tr '\n' '|')" "/etc|HOME=/home/app|P=q|PATH=/bin|ocitk|"
  same "$(sed -n '3p' "$DIR/own/tmp/b")" "K=w"
  has "$(cat "$DIR/own/tmp/a")" 1000; has "$(cat "$DIR/own/tmp/a")" "CapEff:	0000000000000000"
  has "$(cat "$DIR/own/tmp/a")" "Seccomp:	0"
  status_is "$TAG-1" running
  rt delete -f "$TAG-1"
}
empty_environment() {
  clear_hooks; hook cc "$REPORT" >/dev/null
  local b; b=$(with_hooks ee '{createContainer: [{path: "\($h)/cc"}]}' true)
  MARK=x rt run -b "$b" "$TAG-1"
  same "$(tr -d '\n' <"$HOOKS/cc.env")" ""
}
filtered() {  # the last hooks are under the payload's filter, loaded early or late
  local b nnp
  for nnp in true false; do
    b=$(with_hooks filt '{startContainer: [{path: "/bin/sh", args: ["sh", "-c", "grep ^Seccomp: /proc/self/status >&2; exit 3"]}]}' true)
    jq --argjson n $nnp '.process.noNewPrivileges = $n | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38}, {names: ["pidfd_open"], action: "SCMP_ACT_ERRNO"}]}' "$b/config.json" >"$b/n" && mv "$b/n" "$b/config.json"
    has "$(rt run -b "$b" "$TAG-1" 2>&1 || true)" "exit status 3, stdout: , stderr: Seccomp:\\x092\\x0a"
  done
}
failing_creation() {  # F31; the others of the list are not run, everything is taken back, poststop is
  local b k
  for k in prestart createRuntime createContainer; do
    clear_hooks
    hook bad 'echo to-out; echo to-err >&2; echo bad >>$OUT/order; exit 1' >/dev/null
    hook good "$REPORT" >/dev/null
    b=$(with_hooks fail "{$k: [{path: \"\(\$h)/good\"}, {path: \"\(\$h)/bad\"}, {path: \"\(\$h)/good\"}], poststop: [{path: \"\(\$h)/good\"}]}" true)
    fails create "$b"
    has "$(cat "$DIR/err")" "error running $k hook #1: exit status 1, stdout: to-out"
    has "$(cat "$DIR/err")" ", stderr: to-err"
    has "$(cat "$DIR/err")" "config.json#/hooks/$k/1"
    has "$(cat "$DIR/err")" "runc create failed: unable to start container process: "
    same "$(tr '\n' ' ' <"$HOOKS/order")" "good bad good "
    same "$(jq -r .status "$HOOKS/good.state")" stopped
    gone
  done
}
failing_start() {
  clear_hooks; hook st "$REPORT" >/dev/null
  local b out rc=0; b=$(with_hooks fs '{startContainer: [{path: "/bin/sh", args: ["sh", "-c", "echo no; exit 4"]}, {path: "/bin/touch", args: ["touch", "/dev/shm/second"]}], poststop: [{path: "\($h)/st"}]}' 'echo payload')
  out=$(rt run -b "$b" "$TAG-1" 2>&1) || rc=$?
  same "$rc" 255
  same "$(wc -l <<<"$out")" 1
  has "$out" "error running startContainer hook #0: exit status 4, stdout: no"
  hasnt "$out" payload
  same "$(cat "$HOOKS/order")" st
  rt create -b "$b" "$TAG-1" </dev/null >"$DIR/out" 2>&1
  rt start "$TAG-1"
  until_ 5 status_is "$TAG-1" stopped
  has "$(cat "$DIR/out")" "error running startContainer hook #0"
  rt delete "$TAG-1"
}
failing_poststart() {
  clear_hooks; hook bad 'exit 1' >/dev/null; hook st "$REPORT" >/dev/null
  local b rc=0; b=$(with_hooks fp '{poststart: [{path: "\($h)/bad"}], poststop: [{path: "\($h)/st"}]}')
  create "$b"; local pid; pid=$(cat "$DIR/pid")
  has "$(rt start "$TAG-1" 2>&1 || true)" "error running poststart hook #0: exit status 1"
  status_is "$TAG-1" stopped
  [ ! -e "$HOOKS/order" ] || fail "poststop before delete"
  rt delete "$TAG-1"
  same "$(cat "$HOOKS/order")" st
  for d in "" -d; do
    rc=0; rt run $d -b "$b" "$TAG-1" </dev/null >"$DIR/out" 2>&1 || rc=$?
    same "$rc" 1
    has "$(cat "$DIR/out")" "error running poststart hook #0: exit status 1"
    gone
  done
}
after_the_payload() {  # poststart comes after the payload has begun, startContainer hooks included
  clear_hooks; hook ps 'tr "\0" " " </proc/$(jq .pid)/cmdline >$OUT/payload' >/dev/null
  local b; b=$(with_hooks atp '{startContainer: [{path: "/bin/sleep", args: ["sleep", "0.3"]}], poststart: [{path: "\($h)/ps"}]}' 'sleep 100; :')
  create "$b"; rt start "$TAG-1"
  same "$(cat "$HOOKS/payload")" "sh -c sleep 100; : "
  rt delete -f "$TAG-1"; rm "$HOOKS/payload"
  rt run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  same "$(cat "$HOOKS/payload")" "sh -c sleep 100; : "
  rt delete -f "$TAG-1"
}
failing_poststop() {  # F32
  clear_hooks; hook bad 'echo why >&2; exit 1' >/dev/null; hook st "$REPORT" >/dev/null
  local b; b=$(with_hooks fpp '{poststop: [{path: "\($h)/bad"}, {path: "/no/such"}, {path: "\($h)/st"}]}' true)
  create "$b"
  rt --log "$DIR/log" delete -f "$TAG-1"
  gone
  has "$(cat "$DIR/log")" "level=warning"
  has "$(cat "$DIR/log")" "error running poststop hook #0: exit status 1"
  has "$(cat "$DIR/log")" "error running poststop hook #1: fork/exec /no/such: no such file or directory"
  same "$(cat "$HOOKS/order")" st
  rt run -b "$b" "$TAG-1" 2>"$DIR/err"
  has "$(cat "$DIR/err")" "poststop hook #0"
  gone
}
killed_delete() {  # runc#4363: whoever is killed in the middle can be called again
  clear_hooks; hook st 'echo $NAME >>$OUT/order; [ -e $OUT/go ] || { echo $$ >$OUT/pid; exec sleep 100; }' >/dev/null
  local b; b=$(with_hooks kd '{poststop: [{path: "\($h)/st"}]}' true)
  create "$b"
  timeout -s KILL 1 "$OCITK" --root "$STATE" delete -f "$TAG-1" || true
  status_is "$TAG-1" stopped
  touch "$HOOKS/go"
  rt delete "$TAG-1"
  same "$(cat "$HOOKS/order")" "$(printf 'st\nst')"
  gone
  kill -9 "$(cat "$HOOKS/pid")"
}
killed_create() {  # F1: what createRuntime hooks may have made is undone by delete
  clear_hooks; hook cr 'echo cr >>$OUT/order; echo $$ >$OUT/cr.pid; exec sleep 100' >/dev/null; hook st "$REPORT" >/dev/null
  local b; b=$(with_hooks kc '{createRuntime: [{path: "\($h)/cr"}], poststop: [{path: "\($h)/st"}]}' true)
  timeout -s KILL 1 "$OCITK" --root "$STATE" create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1 || true
  kill -9 "$(cat "$HOOKS/cr.pid")"
  rt delete -f "$TAG-1"
  same "$(cat "$HOOKS/order")" "$(printf 'cr\nst')"
  same "$(jq -rc '[.id, .status, .bundle]' "$HOOKS/st.state")" "[\"$TAG-1\",\"stopped\",\"$b\"]"
  gone
  rm "$HOOKS/order"  # before the hooks there is nothing for them to undo
  jq '.mounts += [{destination: "/mnt", type: "bind", source: "/nowhere", options: ["bind"]}]' "$b/config.json" >"$b/n" && mv "$b/n" "$b/config.json"
  fails create "$b"
  [ ! -e "$HOOKS/order" ] || fail "poststop of a container that never was"
}
overlong() {
  clear_hooks; hook slow 'sleep 100 & echo $! >$OUT/pid; wait' >/dev/null
  local b k
  for k in createRuntime createContainer; do
    b=$(with_hooks slow "{$k: [{path: \"\(\$h)/slow\", timeout: 1}]}" true)
    SECONDS=0; fails create "$b"; [ $SECONDS -lt 8 ] || fail "took $SECONDS s"
    has "$(cat "$DIR/err")" "error running $k hook #0: hook ran past specified timeout of 1.0s"
    gone
  done
}
noisy_and_idle() {  # F31: a megabyte of output, a daemon, a hook that does not read
  clear_hooks
  hook loud 'exec <&-; head -c 1048576 /dev/zero | tee /dev/stderr' >/dev/null
  hook daemon 'sleep 7 & echo $! >>$OUT/pids' >/dev/null
  local b; b=$(with_hooks noisy '{createRuntime: [{path: "\($h)/loud"}, {path: "\($h)/daemon"}], createContainer: [{path: "\($h)/loud"}], poststop: [{path: "\($h)/loud"}, {path: "\($h)/daemon"}]}' 'echo fine')
  SECONDS=0
  same "$(rt run -b "$b" "$TAG-1")" fine
  [ $SECONDS -lt 6 ] || fail "waited for a daemon: $SECONDS s"
  kill $(cat "$HOOKS/pids")
}
unexecutable() {  # the reason behind the errno, whoever tried
  clear_hooks; printf '#!/no/interpreter\n' >"$HOOKS/odd"; chmod +x "$HOOKS/odd"
  local b k
  for k in createRuntime createContainer; do
    b=$(with_hooks odd "{$k: [{path: \"\(\$h)/odd\"}]}" true)
    fails create "$b"
    has "$(cat "$DIR/err")" "error running $k hook #0: fork/exec $HOOKS/odd ("
    has "$(cat "$DIR/err")" "/no/interpreter"
    has "$(cat "$DIR/err")" "): no such file or directory (config.json#/hooks/$k/0)"
    gone
  done
}
stopped_before() {  # --stop-before hooks is before all of them, the parent's too
  clear_hooks; hook cr "$REPORT" >/dev/null
  local b p; b=$(with_hooks sb '{createRuntime: [{path: "\($h)/cr"}]}' true)
  rt run --stop-before hooks -b "$b" "$TAG-1" </dev/null >/dev/null 2>"$DIR/err" & p=$!
  until_ 10 grep -q "stopped before hooks" "$DIR/err"
  [ ! -e "$HOOKS/order" ] || fail "a hook ran"
  kill -CONT "$(sed -n 's/.*kill -CONT \([0-9]*\).*/\1/p' "$DIR/err")"; wait $p
  same "$(cat "$HOOKS/order")" cr
}
judged() {
  local out
  out=$(rt run -b "$(with_hooks j1 '{poststop: [{path: "/bin/true"}, {path: "bin/true"}]}' true)" "$TAG-1" 2>&1) && fail ran
  has "$out" "the path of a hook must be absolute"; has "$out" "config.json#/hooks/poststop/1/path"
  out=$(rt run -b "$(with_hooks j2 '{createRuntime: [{path: "/bin/true", timeout: 0}]}' true)" "$TAG-1" 2>&1) && fail ran
  has "$out" "must be greater than zero"; has "$out" "config.json#/hooks/createRuntime/0/timeout"
}
planned() {  # --plan tells which hooks would run, and runs none
  clear_hooks; local k b; for k in cr cc sc ps; do hook $k "$REPORT" >/dev/null; done
  b=$(with_hooks plan '{createRuntime: [{path: "\($h)/cr"}], createContainer: [{path: "\($h)/cc"}], startContainer: [{path: "/bin/true"}], poststart: [{path: "\($h)/ps"}]}' true)
  rt run --plan -b "$b" "$TAG-1" >"$DIR/plan"
  [ ! -e "$HOOKS/order" ] || fail "a hook ran"
  same "$(grep 'execve(' "$DIR/plan" | sed 's/.*<- //' | tr '\n' ' ')" "/hooks/createRuntime/0 /hooks/createContainer/0 /hooks/startContainer/0 /process/args /hooks/poststart/0 "
  has "$(grep createRuntime/0 "$DIR/plan" | grep execve)" "parent  hooks"
  has "$(grep execve "$DIR/plan" | grep createContainer)" "execve(\"$HOOKS/cc\", [\"$HOOKS/cc\"], [])"
  [ "$(grep -n move_mount "$DIR/plan" | head -1 | cut -d: -f1)" -lt "$(grep -n createRuntime/0 "$DIR/plan" | head -1 | cut -d: -f1)" ] || fail "hooks before mounts"
}
in_user_namespace() {
  clear_hooks; hook cr "$REPORT" >/dev/null; hook cc "cat >\$OUT/cc.state; pwd -P >\$OUT/cc.cwd; cat /proc/self/uid_map >\$OUT/cc.map" >/dev/null
  chmod 777 "$HOOKS"; chmod 755 "$DIR"
  local b; b=$(with_hooks uns '{createRuntime: [{path: "\($h)/cr"}], createContainer: [{path: "\($h)/cc"}]}' 'id -u')
  jq '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings' "$b/config.json" >"$b/n" && mv "$b/n" "$b/config.json"
  same "$(rt run -b "$b" "$TAG-1" 2>&1)" 0
  has "$(cat "$HOOKS/cc.map")" 100000
  same "$(cat "$HOOKS/cc.cwd")" "$DIR/rootfs"
}

case_ "runtime hooks: namespaces, environment, directory, state and order" runtime_side
case_ "createRuntime sees mounts and limits before the pivot, and can add a mount" in_the_middle
case_ "createContainer and startContainer: namespaces, environment, directory, state" container_side
case_ "createContainer without env gets an empty environment" empty_environment
case_ "startContainer hooks are under the payload's filter" filtered
case_ "a failing hook of creation stops the list, and leaves nothing" failing_creation
case_ "a failing startContainer hook: one line, and no payload" failing_start
case_ "a failing poststart hook kills the container" failing_poststart
case_ "poststart hooks come after the payload has begun" after_the_payload
case_ "failing poststop hooks are warnings, the others run" failing_poststop
case_ "a killed delete can be called again" killed_delete
case_ "delete of a killed create runs poststop hooks" killed_create
case_ "a hook past its timeout is killed" overlong
case_ "output, daemons and unread input do not hang" noisy_and_idle
case_ "a hook that cannot be executed: the reason" unexecutable
case_ "a setup stops before all hooks" stopped_before
case_ "a bad hook is an error with its place" judged
case_ "--plan shows hooks and runs none" planned
case_ "hooks with a user namespace" in_user_namespace
finish
