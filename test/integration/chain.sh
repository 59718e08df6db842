#!/bin/bash
# The stage tools: each alone, in chains with other programs between them, out of their order, and all of them in the
# place of `ocitk run`.
. "$(dirname "$0")/lib.sh"
need strace

TOOLS=$(dirname "$OCITK")
PATH=$TOOLS:$PATH
EXAMPLE=$(cd "$(dirname "$0")/../.." && pwd)/examples/step-by-step.sh

# rc CODE COMMAND...: wants that exit code; what was said is in $DIR/out and $DIR/err.
rc() {
  local want=$1 got=0
  shift
  "$@" >"$DIR/out" 2>"$DIR/err" </dev/null || got=$?
  [ "$got" = "$want" ] || { echo "  wanted exit code $want, got $got: $*"; cat "$DIR/err"; return 1; }
}
refused() { # WORDS COMMAND...: exit code 111, and why
  local words=$1
  shift
  rc 111 "$@"
  has "$(cat "$DIR/err")" "$words"
}
status_line() { awk -v f="$1:" '$1 == f {print $2}'; }

# The same chain as in pipelines.hpp, and what comes before it.
EARLY="ocitk-idmap ocitk-cgroup ocitk-unshare ocitk-keyring ocitk-network ocitk-rootfs ocitk-hooks ocitk-console ocitk-masks ocitk-sysctl"
LATE="ocitk-hostname ocitk-scheduler ocitk-ioprio ocitk-personality ocitk-mempolicy ocitk-rlimits ocitk-no-new-privs ocitk-cwd ocitk-bounding ocitk-user ocitk-caps ocitk-seccomp ocitk-hooks ocitk-exec"
chain() { ocitk-spec -b "$1" --id "$TAG-1" $EARLY ocitk-pivot $LATE; }

# What a payload can see of itself.
LOOK='echo "$(id) $(hostname) $$ $(umask) $(pwd)"; grep -E "^(Cap|NoNew|Seccomp:)" /proc/self/status; env | sort
ulimit -n; ls /proc/self/fd | wc -l; cat /proc/self/mounts; sed s/:.*:/:/ /proc/self/cgroup
cat /proc/keys; stat -c "%A %u %g %t:%T %N" /dev/*; cat /proc/sys/kernel/msgmax'
same_as_run() {
  local b=$1
  rt run -b "$b" "$TAG-1" </dev/null >"$DIR/run" 2>&1 || true
  shift
  "$@" </dev/null >"$DIR/chained" 2>&1 || true
  [ "$(wc -l <"$DIR/run")" -gt 30 ] || { cat "$DIR/run"; return 1; }
  diff "$DIR/run" "$DIR/chained"
}
example() {
  local b; b=$(sh_bundle example "$LOOK")
  same_as_run "$b" "$EXAMPLE" "$b" "$TAG-1"
  b=$(sh_bundle rc7 'exit 7')
  rc 7 "$EXAMPLE" "$b" "$TAG-1"
}
tools_only() {
  local b; b=$(sh_bundle tools "$LOOK" '.linux.sysctl = {"kernel.msgmax": "4321"} | .domainname = "d"')
  same_as_run "$b" chain "$b"
  has "$(cat "$DIR/chained")" 4321
}
other_user() {  # capabilities have to outlive two changes of program on the way
  local b; b=$(sh_bundle user "$LOOK" '.process.user = {uid: 1000, gid: 1000, additionalGids: [5, 6], umask: 63} | .process.cwd = "/tmp"
    | .process.capabilities |= (.ambient = ["CAP_KILL"] | .inheritable = ["CAP_KILL"])')
  same_as_run "$b" chain "$b"
  has "$(cat "$DIR/chained")" "uid=1000"
  same "$(status_line CapAmb <"$DIR/chained")" 0000000000000020
}
user_namespace() {
  local b; b=$(sh_bundle userns "$LOOK" '.linux.namespaces += [{type: "user"}]
    | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings')
  chmod 755 "$DIR"
  same_as_run "$b" chain "$b"
  refused "ocitk-idmap has to come first" ocitk-spec -b "$b" ocitk-unshare true
}
filtered() {
  local filter='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}'
  local b; b=$(sh_bundle sec "$LOOK; mkdir /tmp/x" "$filter")
  same_as_run "$b" chain "$b"
  has "$(cat "$DIR/chained")" "Operation not permitted"
}
terminal() {
  local b; b=$(sh_bundle tty 'tty; test -t 1 && echo yes; stty size' '.process.terminal = true | .process.consoleSize = {height: 21, width: 77}')
  same "$(chain "$b" </dev/null | tr -d '\r' | tr '\n' ' ')" "/dev/pts/0 yes 21 77 "
}
between() {  # sh, env and strace before and after the pivot
  local b; b=$(sh_bundle between 'echo "$X"; ls /proc/self/fd | tr "\n" " "; env | grep -c -e OCITK -e /proc/self' '.process.env += ["X=from the bundle"]')
  local out
  out=$(LATE=$LATE ocitk-spec -b "$b" --id "$TAG-1" ocitk-cgroup strace -f -o "$DIR/trace" -e trace=mount_setattr,pivot_root,sethostname ocitk-unshare \
    sh -c 'exec env X=y ocitk-network ocitk-rootfs "$@"' sh ocitk-masks ocitk-pivot \
    sh -c 'ls /bin/busybox >/dev/null && exec env X=z $LATE' </dev/null || true)
  same "$out" "from the bundle
0 1 2 3 0"
  has "$(cat "$DIR/trace")" pivot_root; has "$(cat "$DIR/trace")" sethostname
}
links() {  # a shell behind the pivot finds every tool that is there, and no other
  same "$(ocitk-unshare --mount ocitk-rootfs --root "$DIR/rootfs" --default-mounts ocitk-pivot sh -c 'ls "${PATH%%:*}"')" \
    "$(cd "$TOOLS" && ls -d ocitk-*)"
  local t
  for t in "$TOOLS"/ocitk-*; do rc 0 "$t" --help; has "$(cat "$DIR/out")" "EXAMPLE:"; done
}
no_proc_inside() {  # the tools need neither /proc nor links
  same "$(ocitk-unshare --mount --uts ocitk-rootfs --root "$DIR/rootfs" ocitk-pivot ocitk-hostname --host inside ocitk-cwd /bin \
    ocitk-exec sh -c 'hostname; pwd; ls /proc | wc -l' | tr '\n' ' ')" "inside /bin 0 "
}
fresh_root() {
  local out; out=$(ocitk-unshare --mount --pid --uts ocitk-rootfs --root "$DIR/rootfs" --default-mounts --mount tmpfs:tmpfs:/tmp:mode=1777,size=1m \
    ocitk-masks --mask /proc/keys --read-only-path /etc --read-only ocitk-pivot ocitk-user 1000 ocitk-exec \
    sh -c 'echo $$; cat /proc/keys; touch /etc/x /x 2>/dev/null || touch /tmp/x && stat -c "%a %u" /tmp /tmp/x; ls /proc/self/fd | tr "\n" " "; env | grep -c OCITK_ || true')
  same "$out" "1
1777 0
644 1000
0 1 2 3 0"
}

capabilities() {
  same "$(ocitk-caps --keep CAP_KILL,CAP_CHOWN grep ^Cap /proc/self/status | awk '{print $2}' | sort -u | tr '\n' ' ')" "0000000000000021 "
  same "$(ocitk-caps -- cat /proc/self/status | status_line CapEff)" 0000000000000000
  same "$(ocitk-bounding --keep CAP_KILL -- cat /proc/self/status | status_line CapBnd)" 0000000000000020
  same "$(ocitk-user 1000 --keep CAP_KILL ocitk-caps --keep CAP_KILL cat /proc/self/status | status_line CapEff)" 0000000000000020
  same "$(ocitk-user 1000 cat /proc/self/status | status_line CapPrm)" 0000000000000000
  refused "CAP_CHOWN is not there to be kept" ocitk-caps --keep CAP_KILL ocitk-caps --keep CAP_CHOWN true
  rc 100 ocitk-caps --keep cap_kill true
}
process_tools() {
  same "$(ocitk-user 1000:1001,5,6 --umask 077 sh -c 'id -u; id -g; id -G; umask' | tr '\n' ' ')" "1000 1001 1001 5 6 0077 "
  same "$(umask 027; ocitk-user 1000 sh -c umask)" 0027
  same "$(ocitk-rlimits --nofile 100:200 --core 0 -- bash -c 'ulimit -n; ulimit -Hn; ulimit -c' | tr '\n' ' ')" "100 200 0 "
  same "$(ocitk-no-new-privs cat /proc/self/status | status_line NoNewPrivs)" 1
  same "$(ocitk-cwd /usr pwd)" /usr
  same "$(ocitk-keyring --name "$TAG" cat /proc/keys | grep -c "_ses.$TAG")" 1
  same "$(ocitk-console sh -c 'cut -d" " -f6 /proc/$$/stat; echo $$' | uniq | wc -l)" 1
  same "$(OCITK_X=1 X=2 ocitk-exec env | grep -c -e OCITK_X -e '^X=2')" 1
  same "$(exec 7</etc/passwd; ocitk-exec ls /proc/self/fd | tr '\n' ' ')" "0 1 2 3 "
}
attributes() {
  same "$(ocitk-scheduler --policy BATCH --nice 7 -- sh -c 'cut -d" " -f19 /proc/$$/stat; chrt -p $$ | head -1 | sed "s/.*: //"' | tr '\n' ' ')" "7 SCHED_BATCH "
  rc 100 ocitk-scheduler true; rc 111 ocitk-scheduler --policy NONE true; rc 111 ocitk-scheduler --policy BATCH --nice 40 true
  has "$(cat "$DIR/err")" "invalid scheduler.nice: 40"
  same "$(ocitk-console ocitk-ioprio --class BE --level 6 -- ionice)" "best-effort: prio 6"
  rc 100 ocitk-ioprio true; rc 111 ocitk-ioprio --class BE --level 8 true
  rc 100 ocitk-personality true; rc 111 ocitk-personality --domain X true
  [ "$(uname -m)" != x86_64 ] || same "$(ocitk-personality --domain LINUX32 -- uname -m)" i686
  rc 100 ocitk-mempolicy true; rc 111 ocitk-mempolicy --mode BIND true
  [ ! -e /proc/self/numa_maps ] || same "$(ocitk-mempolicy --mode INTERLEAVE --nodes 0 -- sh -c 'head -n 1 /proc/self/numa_maps | cut -d" " -f2')" interleave:0
  local b; b=$(sh_bundle attributes "$LOOK"'; cut -d" " -f19 /proc/self/stat; ionice -p 0; uname -m; tr -s " " </proc/self/timens_offsets' '.process.scheduler = {policy: "SCHED_BATCH", nice: 7}
    | .process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6} | .linux.personality = {domain: "LINUX32"} | .linux.memoryPolicy = {mode: "MPOL_DEFAULT"}
    | .linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: 7881}}')
  same_as_run "$b" chain "$b"
  has "$(cat "$DIR/chained")" "monotonic 7881 0"
  b=$(sh_bundle label true '.process.apparmorProfile = "ocitk-no-such-profile"')
  [ "$(head -c 1 /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || refused "/process/apparmorProfile" chain "$b"
}
namespaces() {
  same "$(ocitk-unshare --uts ocitk-hostname --host h1 --domain d1 -- sh -c 'hostname; cat /proc/sys/kernel/domainname' | tr '\n' ' ')" "h1 d1 "
  same "$(ocitk-unshare --ipc ocitk-sysctl kernel.msgmax=4321 kernel.msgmni=99 -- cat /proc/sys/kernel/msgmax /proc/sys/kernel/msgmni | tr '\n' ' ')" "4321 99 "
  same "$(ocitk-unshare --net ocitk-network cat /sys/class/net/lo/flags)" "$(cat /sys/class/net/lo/flags)"
  rc 7 ocitk-unshare --pid -- sh -c '[ $$ = 1 ] && exit 7'
  rc 7 ocitk-unshare --pid --time --cgroup -- sh -c 'exit 7'
  same "$(ocitk-unshare --user --map-root sh -c 'id -u; id -g; cat /proc/self/setgroups' | tr '\n' ' ')" "0 0 deny "
  local n; for n in mount:mnt uts:uts ipc:ipc net:net user:user cgroup:cgroup; do
    [ "$(ocitk-unshare --"${n%:*}" readlink "/proc/self/ns/${n#*:}")" != "$(readlink "/proc/self/ns/${n#*:}")" ]
  done
}
joined() {
  ocitk-unshare --uts --pid ocitk-hostname --host joined -- sh -c 'sleep 30' & local outer=$!
  local inner; until_ 5 sh -c "pgrep -P $outer >/dev/null"; inner=$(pgrep -P $outer)
  until_ 5 sh -c "[ \$(readlink /proc/$inner/exe) != $OCITK ]"
  same "$(ocitk-unshare --uts="/proc/$inner/ns/uts" hostname)" joined
  same "$(ocitk-unshare --pid="/proc/$inner/ns/pid" --uts="/proc/$inner/ns/uts" sh -c 'readlink /proc/self/ns/pid; hostname' | tr '\n' ' ')" "$(readlink "/proc/$inner/ns/pid") joined "
  rc 4 ocitk-unshare --pid="/proc/$inner/ns/pid" -- sh -c 'exit 4'
  kill $inner; wait $outer || true
  rc 111 ocitk-unshare --net=/proc/1/ns/uts true
}
id_maps() {
  local maps="--uid-map 0:100000:1000 --gid-map 0:200000:1000"
  same "$(ocitk-idmap $maps ocitk-unshare --user sh -c 'id -u; cat /proc/self/uid_map /proc/self/gid_map' | tr -s ' \n' ' ')" "0 0 100000 1000 0 200000 1000 "
  same "$(ocitk-idmap $maps ocitk-unshare --user --pid ocitk-exec sh -c 'echo $$; id -u' | tr '\n' ' ')" "1 0 "
  refused uid_map ocitk-idmap --uid-map 0:0:10 --uid-map 5:0:10 --gid-map 0:0:1 ocitk-unshare --user true
  until_ 5 sh -c '! grep -ls "^ocitk:idmap" /proc/[0-9]*/comm | xargs -r dirname | xargs -rI{} grep -qs "^State:.*[SR] (" {}/status'
  rc 100 ocitk-idmap --uid-map 0:1 --gid-map 0:0:1 true
  ocitk-idmap $maps true
}
signals() {
  ocitk-cgroup --name "$TAG-s" ocitk-unshare --pid -- sh -c 'trap "echo got it; exit 5" TERM; echo up; while :; do sleep 0.05; done' >"$DIR/said" & local p=$!
  until_ 5 grep -q up "$DIR/said"
  kill -TERM $p
  local got=0; wait $p || got=$?
  same "$got $(tail -1 "$DIR/said")" "5 got it"
  rc 137 ocitk-cgroup --name "$TAG-k" -- sh -c 'kill -9 $$'
  (trap '' CHLD; rc 3 ocitk-unshare --pid -- sh -c 'exit 3')
}
cgroups() {
  local here='for f in $(grep -o "[^:]*$" /proc/self/cgroup | sort -u); do for d in /sys/fs/cgroup /sys/fs/cgroup/*; do cat $d$f/memory.limit_in_bytes $d$f/memory.max $d$f/pids.max 2>/dev/null; done; done; true'
  local out; out=$(ocitk-cgroup --name "$TAG-c" --memory 64M --pids 20 --cpu-quota 50000 -- sh -c "$here")
  has "$out" 67108864; has "$out" 20
  same "$(our_cgroups)" ""
  rc 3 ocitk-cgroup --name "$TAG-c" -- sh -c 'sleep 100 & exit 3'   # whoever stays behind goes with the cgroup
  same "$(our_cgroups)$(our_processes)" ""
  has "$(ocitk-cgroup --keep --name "$TAG-k" cat /proc/self/cgroup)" "$TAG-k"
  has "$(our_cgroups)" "$TAG-k"
  has "$(ocitk-cgroup --name "$TAG-k" cat /proc/self/cgroup)" "$TAG-k"   # it was there: nothing to remove at the end
  has "$(our_cgroups)" "$TAG-k"
  rc 0 ocitk-cgroup --remove "$TAG-k"
  same "$(our_cgroups)" ""
  rc 111 ocitk-cgroup --name "$TAG-c" --cpus 999 true
  same "$(our_cgroups)" ""
  rc 127 ocitk-cgroup --name "$TAG-c" nonexistent
  rc 100 ocitk-cgroup --memory 64Q true
}
profiles() {
  echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}' >"$DIR/p.json"
  rc 1 ocitk-seccomp --profile "$DIR/p.json" mkdir "$DIR/x"; has "$(cat "$DIR/err")" "not permitted"
  rc 0 ocitk-seccomp --profile "$DIR/p.json"; has "$(cat "$DIR/out")" "ERRNO(1)"
  local lines; lines=$(wc -l <"$DIR/out")
  rc 0 ocitk-seccomp --profile "$DIR/p.json" --raw; same "$(wc -c <"$DIR/out")" $((lines * 8))
  echo '{"defaultAction": "SCMP_ACT_NOPE"}' >"$DIR/p.json"; rc 111 ocitk-seccomp --profile "$DIR/p.json"
  echo '{"defaultAction": "SCMP_ACT_ALLOW", "archMap": []}' >"$DIR/p.json"; refused "Docker's form" ocitk-seccomp --profile "$DIR/p.json" true
}
filter_of_specs() {
  local b; b=$(sh_bundle filter true '.nonsense = 1')
  rc 0 sh -c "ocitk-spec <'$b/config.json'"
  same "$(jq 'del(.nonsense, .process.terminal)' -S "$b/config.json")" "$(jq -S . "$DIR/out")"
  cp "$DIR/out" "$DIR/again"; rc 0 sh -c "ocitk-spec <'$DIR/again'"; cmp "$DIR/out" "$DIR/again"
  refused "config.json#/process/cwd" sh -c "jq '.process.cwd = \"x\"' '$b/config.json' | ocitk-spec"
  refused "config.json#/process/args" sh -c "jq '.process.args = 1' '$b/config.json' | ocitk-spec"
  refused "line 2, column 1" sh -c "echo '{' | ocitk-spec"
}

# Each hook notes its list, where it is, what it reads, its environment, and whether the pid in the state is the container's.
hooks_bundle() {
  cat >"$DIR/note" <<END
state=\$(cat); pid=\${state#*\"pid\":}; pid=\${pid%%,*}
[ "\$(readlink /proc/\$pid/ns/uts)" = "$(readlink /proc/self/ns/uts)" ] && whose=host || whose=own
echo "\$1 \$# \$(pwd) \$whose \$(echo "\$state" | sed "s/:\$pid,/:PID,/") \$(id -u) \$(env | grep -v -e ^PWD= -e ^_= -e ^OLDPWD -e ^SHLVL | sort | md5sum)" >>"\$2"
END
  cp "$DIR/note" "$DIR/rootfs/tmp"
  sh_bundle "$1" 'echo payload; cat /tmp/log' '.mounts |= map(select(.destination != "/tmp")) | .root.readonly = false
    | .annotations = {a: "b"} | .process.env += ["E=1"] | .process.user = {uid: 1000, gid: 1000}
    | def on($list; $dir): {path: "/bin/sh", args: ["sh", ($dir + "/note"), $list, ($dir + "/log")]};
    "'"$DIR"'" as $host | .hooks = {prestart: [on("prestart"; $host)], createContainer: [on("createContainer"; $host) | .env = ["PATH=/bin:/usr/bin"]],
        createRuntime: [on("createRuntime"; $host), (on("another"; $host) | .env = ["X=1", "PATH=/bin:/usr/bin"])], startContainer: [on("startContainer"; "/tmp")]}'
}
hooks() {  # those of the bundle, as in ocitk run
  chmod 1777 "$DIR/rootfs/tmp"; rm -f "$DIR/log"
  local b; b=$(hooks_bundle hooks)
  rm -f "$DIR/rootfs/tmp/log"; rt run -b "$b" "$TAG-1" >"$DIR/run"; mv "$DIR/log" "$DIR/log-of-run"; rm -f "$DIR/rootfs/tmp/log"
  chain "$b" >"$DIR/chained"
  diff "$DIR/run" "$DIR/chained"; diff "$DIR/log-of-run" "$DIR/log"; rm -f "$DIR/rootfs/tmp/log"
  same "$(cut -d" " -f1,2,4 "$DIR/log" | tr '\n' ' ')" "prestart 2 own createRuntime 2 own another 2 own createContainer 2 own "
  has "$(cat "$DIR/chained")" "payload
startContainer 2 / own"
  rm "$DIR/log"  # only those that are asked for
  ocitk-spec -b "$b" ocitk-unshare ocitk-rootfs ocitk-hooks --at createContainer,prestart ocitk-pivot true
  same "$(cut -d" " -f1 "$DIR/log" | tr '\n' ' ')" "createContainer prestart "
  rm "$DIR/log"
  refused "ocitk-rootfs has to come first" ocitk-spec -b "$b" ocitk-hooks true
  refused "ocitk-pivot has to come first" ocitk-spec -b "$b" ocitk-hooks --at startContainer true
  refused "the pivot is done already" ocitk-spec -b "$b" ocitk-unshare ocitk-rootfs ocitk-pivot ocitk-hooks --at createContainer true
  refused "ocitk-caps has to come first" ocitk-spec -b "$b" ocitk-unshare ocitk-rootfs ocitk-pivot ocitk-bounding ocitk-hooks true
  rc 100 ocitk-spec -b "$b" ocitk-hooks --at poststart true; has "$(cat "$DIR/err")" "nobody of the chain is left"
  rc 100 ocitk-spec -b "$b" ocitk-hooks --at never true; has "$(cat "$DIR/err")" "never is no list of hooks"
  [ ! -e "$DIR/log" ]
}
failing_hooks() {  # the chain ends there, with the pointer; what comes later never starts
  local b; b=$(sh_bundle badhook 'echo ran' '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "echo why >&2; exit 3"]}]}')
  refused "error running createRuntime hook #0: exit status 3, stdout: , stderr: why" chain "$b"
  has "$(cat "$DIR/err")" "config.json#/hooks/createRuntime/0"; same "$(cat "$DIR/out")" ""
  b=$(sh_bundle badhook 'echo ran' '.hooks = {startContainer: [{path: "/nonexistent"}]}')
  refused "error running startContainer hook #0: fork/exec /nonexistent: no such file or directory" chain "$b"; same "$(cat "$DIR/out")" ""
  b=$(sh_bundle badhook 'echo ran' '.hooks = {poststop: [{path: "/bin/sh", args: ["sh", "-c", "cat >'"$DIR"'/log"]}]}')
  rc 0 chain "$b"; [ ! -e "$DIR/log" ]  # for who stands outside at the end
  ocitk-spec -b "$b" --id "$TAG-1" ocitk-hooks --at poststop true
  same "$(jq -c '[.id, .status, .pid]' "$DIR/log")" "[\"$TAG-1\",\"stopped\",null]"; rm "$DIR/log"
}
one_hook() {  # without a bundle
  local look='echo "$0 $* $X$(env | grep -c -e ^HOME= -e ^OCITK_)"; cat'
  ocitk-hooks --path /bin/sh --arg -c --arg "($look) >$DIR/log" --arg name --arg '' --env X=1 --timeout 5 -- sh -c 'echo "next $X"' >"$DIR/out"
  same "$(cat "$DIR/out")" "next "; same "$(head -1 "$DIR/log")" "name  10"
  same "$(tail -n +2 "$DIR/log" | jq -c '[.status, .pid > 1, .ociVersion != null]')" '["creating",true,true]'
  OCITK_X=1 HOME=/h ocitk-hooks --path /bin/sh --arg -c --arg "($look) >$DIR/log" true; same "$(head -1 "$DIR/log")" "/bin/sh  1"; rm "$DIR/log"
  refused "error running hook /bin/false: exit status 1" ocitk-hooks --path /bin/false true
  refused "ran past specified timeout of 1.0s" ocitk-hooks --path /bin/sleep --arg 60 --timeout 1 true
  refused "fork/exec /nonexistent: no such file" ocitk-hooks --path /nonexistent true
  rc 4 ocitk-hooks --path /bin/true -- sh -c 'exit 4'
  rc 0 env --ignore-signal=CHLD ocitk-hooks --path /bin/true -- grep -q "^SigIgn:.*1....$" /proc/self/status  # the caller's choice outlives the tool
  rc 100 ocitk-hooks true; rc 100 ocitk-hooks --path x true; rc 100 ocitk-hooks --path /x --timeout 0 true; rc 100 ocitk-hooks --path /x --env X true
  rc 100 ocitk-hooks --at prestart --path /x true; rc 100 ocitk-hooks --arg x true
  same "$(ocitk-hooks --path /bin/true sh -c 'ls /proc/self/fd | wc -l; env | grep -c OCITK_' | tr '\n' ' ')" "$(ls /proc/self/fd | wc -l) 0 "
}
plans() {  # what would be done, and nothing is
  local before; before=$(hostname)
  has "$(ocitk-hostname --host inside --plan)" 'tool    hostname      sethostname("inside", 6)'
  same "$(hostname)" "$before"
  has "$(ocitk-caps --keep CAP_KILL --plan)" "effective=[CAP_KILL]"
  has "$(ocitk-rootfs --root "$DIR/rootfs" --default-mounts --plan)" 'fsopen("proc", FSOPEN_CLOEXEC)'
  has "$(ocitk-cgroup --name "$TAG-plan" --pids 7 --plan true)" 'pids.max>, "7", 1)'
  same "$(our_cgroups)" ""
  has "$(ocitk-unshare --uts --ipc --plan true)" "unshare(CLONE_NEWIPC|CLONE_NEWUTS)"
  rc 111 ocitk-cwd "$DIR/none" --plan true
  has "$(ocitk-hooks --path /bin/false --arg x --plan)" 'execve("/bin/false", ["/bin/false", "x"]'
  same "$(ocitk-hostname --host inside --plan=json | jq -c .)" '[{"process":"tool","stage":"hostname","call":"sethostname","args":["\"inside\"","6"],"pointer":"/hostname"}]'
  same "$(ocitk-no-new-privs --plan=text true)" "$(ocitk-no-new-privs --plan true)"
  local b; b=$(sh_bundle plan true)
  same "$(ocitk-spec -b "$b" ocitk-rlimits --plan=json true | jq -c '[.[] | .pointer] | unique')" '["/process/rlimits/0"]'
  rc 100 ocitk-hostname --host x --plan=yaml true; has "$(cat "$DIR/err")" "--plan is text or json, not yaml"
  rc 111 ocitk-cwd "$DIR/none" --plan=json true; same "$(cat "$DIR/out")" ""
}
exit_codes() {
  local t
  for t in caps bounding no-new-privs keyring console; do
    rc 127 "ocitk-$t" "$DIR/none"; rc 127 "ocitk-$t" nonexistent-program; rc 126 "ocitk-$t" /etc/passwd; rc 126 "ocitk-$t" /
    rc 100 "ocitk-$t"; rc 100 "ocitk-$t" --nonsense true; rc 5 "ocitk-$t" -- sh -c 'exit 5'
  done
  rc 127 ocitk-exec nonexistent-program; rc 126 ocitk-exec /etc/passwd; rc 100 ocitk-exec
  rc 111 ocitk-cwd "$DIR/none" true; rc 100 ocitk-user x true; rc 100 ocitk-rlimits --nofile 1:2:3 true
  rc 111 ocitk-rlimits --nofile 3:2 true
  rc 127 ocitk-nonsense true
  local b; b=$(bundle codes '.process.args = ["/nonexistent"]')
  rc 127 chain "$b"
  b=$(bundle codes '.process.args = ["/etc/passwd"]'); rc 126 chain "$b"
}
silence() {  # all is well: not a word
  rc 0 ocitk-unshare --mount --uts --pid --net --ipc ocitk-network ocitk-rootfs --root "$DIR/rootfs" --default-mounts ocitk-console \
    ocitk-masks ocitk-pivot ocitk-hostname --host x ocitk-rlimits --core 0 ocitk-no-new-privs ocitk-user 1000 ocitk-exec true
  same "$(cat "$DIR/out" "$DIR/err")" ""
}
out_of_order() {
  local b; b=$(sh_bundle order 'echo ran')
  local name; name=$(hostname) ; local msgmax; msgmax=$(cat /proc/sys/kernel/msgmax)
  refused "ocitk-unshare --mount has to come first" ocitk-rootfs --root "$DIR/rootfs" true
  refused "ocitk-unshare --mount has to come first" unshare -m ocitk-rootfs --root "$DIR/rootfs" true
  refused "ocitk-unshare --mount has to come first" ocitk-unshare --uts ocitk-rootfs --root "$DIR/rootfs" true
  refused "ocitk-unshare --mount has to come first" ocitk-spec -b "$b" ocitk-rootfs true
  refused "ocitk-unshare --uts has to come first" ocitk-hostname --host "$name" true
  refused "ocitk-unshare --uts has to come first" ocitk-spec -b "$b" ocitk-hostname true
  refused "ocitk-unshare --uts has to come first" ocitk-unshare --uts=/proc/self/ns/uts ocitk-hostname --host "$name" true
  # the host's namespace stays the host's, whatever the chain went through on the way
  refused "ocitk-unshare --uts has to come first" ocitk-unshare --uts nsenter --uts="/proc/$$/ns/uts" "$TOOLS/ocitk-hostname" --host "$name" true
  refused "ocitk-unshare --mount has to come first" ocitk-unshare --mount nsenter --mount="/proc/$$/ns/mnt" "$TOOLS/ocitk-rootfs" --root "$DIR/rootfs" true
  readlink /proc/1/ns/uts >/dev/null ||  # who cannot see process 1 takes no joined namespace for its own
    refused "ocitk-unshare --uts has to come first" unshare -u "$TOOLS/ocitk-unshare" --uts="/proc/$$/ns/uts" ocitk-hostname --host "$name" true
  refused "hosts ipc namespace" ocitk-sysctl kernel.msgmax=4321 true
  refused "host network namespace" ocitk-unshare --ipc ocitk-sysctl net.ipv4.ip_forward=1 true
  refused "not in a separate kernel namespace" ocitk-unshare --ipc --net --uts ocitk-sysctl kernel.panic=1 true
  refused "ocitk-unshare --net has to come first" ocitk-network true
  refused "ocitk-rootfs has to come first" ocitk-unshare --mount ocitk-pivot true
  refused "ocitk-rootfs has to come first" ocitk-unshare --mount ocitk-masks --mask /proc true
  refused "ocitk-rootfs has to come first" ocitk-unshare --mount ocitk-console --terminal true
  local built="ocitk-unshare --mount ocitk-rootfs --root $DIR/rootfs --default-mounts"
  refused "there is a new root already" $built ocitk-rootfs --root "$DIR/rootfs" true
  refused "the pivot is done already" $built ocitk-pivot ocitk-rootfs --root / true
  refused "the pivot is done already" $built ocitk-pivot ocitk-masks --mask /proc true
  refused "the pivot is done already" $built ocitk-pivot ocitk-pivot true
  refused "ocitk-pivot has to come first" ocitk-spec -b "$b" ocitk-exec
  refused "ocitk-pivot has to come first" ocitk-spec -b "$b" ocitk-cwd true
  refused "ocitk-caps has to come first" ocitk-spec -b "$b" ocitk-bounding ocitk-exec true
  refused "ids cannot be changed any more" ocitk-caps --keep CAP_KILL ocitk-user 1000 true
  echo '{"defaultAction": "SCMP_ACT_ALLOW"}' >"$DIR/p.json"
  refused "ocitk-no-new-privs has to come first" ocitk-caps ocitk-seccomp --profile "$DIR/p.json" true
  rc 0 $built ocitk-pivot ocitk-unshare --uts --pid ocitk-hostname --host inner ocitk-exec true
  same "$(hostname) $(cat /proc/sys/kernel/msgmax)" "$name $msgmax"
}
damaged_state() {
  local b; b=$(sh_bundle damaged 'echo ran')
  refused "another version" env OCITK_CHAIN="2 id=x" ocitk-keyring true
  refused "not known" env OCITK_CHAIN="1 nonsense=x" ocitk-keyring true
  refused "is closed" env OCITK_CHAIN="1 rootfs=99:1:1" ocitk-keyring true
  refused "is no longer the chain's" bash -c 'exec 9</; OCITK_CHAIN="1 rootfs=9:1:1" exec ocitk-keyring true'
  refused "no sealed memory file" bash -c "OCITK_SPEC_FD=9 exec ocitk-keyring true 9<'$b/config.json'"
  refused "cannot be the chain's" env OCITK_SPEC_FD=1 ocitk-keyring true
  # a shell in between that takes the root's number for itself
  refused "is no longer the chain's" ocitk-unshare --mount ocitk-rootfs --root "$DIR/rootfs" \
    bash -c 'n=${OCITK_CHAIN##*rootfs=}; n=${n%%:*}; eval "exec $n</"; exec ocitk-pivot true'
}
program_is_safe() {  # CVE-2019-5736: nothing behind the pivot writes to the program on the host
  local sum; sum=$(sha256sum <"$OCITK")
  local out; out=$(ocitk-unshare --mount --pid ocitk-rootfs --root "$DIR/rootfs" --default-mounts ocitk-pivot \
    sh -c 'for f in /proc/self/fd/*; do [ -f "$f" ] && { echo x >>"$f"; } 2>&1; done; true' 2>&1 || true)
  has "$out" "peration not permitted"
  same "$(sha256sum <"$OCITK")" "$sum"
}

case_ "the example prints what ocitk run prints" example
case_ "a chain of tools alone does what ocitk run does" tools_only
case_ "another user with an ambient capability" other_user
case_ "a user namespace, its ids mapped from outside" user_namespace
case_ "a seccomp filter before ocitk-exec" filtered
case_ "a terminal reaches the ocitk-unshare outside" terminal
case_ "sh, env and strace stand before and after the pivot" between
case_ "behind the pivot every tool is found by PATH" links
case_ "a root without /proc" no_proc_inside
case_ "a root without a bundle" fresh_root
case_ "caps and bounding keep what they are told" capabilities
case_ "user, rlimits, no-new-privs, cwd, keyring, console, exec alone" process_tools
case_ "scheduler, ioprio, personality, mempolicy alone and in a chain; clocks; labels" attributes
case_ "unshare makes namespaces, and what belongs in them is set" namespaces
case_ "unshare joins namespaces by path" joined
case_ "idmap maps ids from outside, and its helper goes" id_maps
case_ "signals reach the child, its status comes back" signals
case_ "cgroup limits, cleans up, keeps and removes" cgroups
case_ "seccomp prints and loads profiles" profiles
case_ "hooks runs those of the bundle that are due where it stands" hooks
case_ "a hook that fails ends the chain" failing_hooks
case_ "hooks runs one hook without a bundle" one_hook
case_ "spec is a filter" filter_of_specs
case_ "--plan of a tool tells and does nothing" plans
case_ "exit codes 100, 111, 126 and 127" exit_codes
case_ "nothing is printed when all is well" silence
case_ "a tool outside its order refuses, the host is unharmed" out_of_order
case_ "a damaged state is refused" damaged_state
case_ "the program cannot be written from behind the pivot" program_is_safe
finish
