#!/bin/bash
# exec: another process in a container that is there.
. "$(dirname "$0")/lib.sh"
need script
need python3

SLEEP='trap "exit 0" TERM; while :; do sleep 100 & wait $!; done'
USERNS='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'

# up [FILTER]: a container that sleeps, $TAG-1; PID is its init.
up() {
  local b; b=$(sh_bundle exec "$SLEEP" "${1:-.}")
  rt run -d -b "$b" --pid-file "$DIR/init.pid" "$TAG-1" </dev/null >/dev/null 2>&1
  PID=$(cat "$DIR/init.pid")
}
down() { rt delete -f "$TAG-1"; }
in_() { rt exec "$TAG-1" "$@" </dev/null; }
words() { tr '\n' ' '; }
# refused TEXT ARGUMENTS...: exec fails with 255 and says so.
refused() {
  local text=$1 rc=0 out
  shift
  out=$(rt --log "$DIR/log" exec "$@" 2>&1 </dev/null) || rc=$?  # with a log, stderr has the bare text
  same "$rc" 255; has "$out" "exec failed: "; has "$out" "$text"
}

streams() {
  up
  same "$(echo hello | rt exec "$TAG-1" sh -c 'cat; echo err >&2' 2>"$DIR/err")" hello
  same "$(cat "$DIR/err")" err
  same "$(in_ head -c 10000000 /dev/zero | wc -c)" 10000000
  same "$(in_ echo a -t --env -- -d)" "a -t --env -- -d"
  down
}
codes() {
  up
  local rc
  rc=0; in_ sh -c 'exit 7' || rc=$?; same "$rc" 7
  rc=0; in_ sh -c 'kill -9 $$' || rc=$?; same "$rc" 137
  rc=0; in_ sh -c 'kill -TERM $$' || rc=$?; same "$rc" 143
  in_ true
  rc=0; in_ false || rc=$?; same "$rc" 1
  down
}
refusals() {
  up
  refused "exec args cannot be empty" "$TAG-1"
  refused 'exec: "nosuch": executable file not found in $PATH' "$TAG-1" nosuch
  refused 'exec: "/no/such": stat /no/such' "$TAG-1" /no/such
  refused 'is a directory' "$TAG-1" /etc
  refused 'permission denied' "$TAG-1" /etc/passwd
  refused "Cwd must be an absolute path" --cwd tmp "$TAG-1" true
  refused "no such file or directory" --cwd /nowhere "$TAG-1" true
  refused "bad uid" -u root "$TAG-1" true
  refused "bad uid" -u 4294967295 "$TAG-1" true
  refused "bad gid" -u 0:x "$TAG-1" true
  refused "missing '='" -e NOVALUE "$TAG-1" true
  refused "apparmor" --apparmor ocitk-no-such-profile "$TAG-1" true
  [ -d /sys/fs/selinux/class ] || refused "selinux is disabled or not supported" --process-label x "$TAG-1" true
  refused "unable to stat preserved-fd 1 (of 2)" --preserve-fds 2 "$TAG-1" true 3</dev/null 4>&-
  refused "cannot allocate tty if runc will detach" -d -t "$TAG-1" true
  refused "cannot use console socket" --console-socket "$DIR/none" "$TAG-1" true
  refused "no such file or directory" -p "$DIR/none" "$TAG-1"
  refused "container does not exist" "$TAG-2" true
  refused "invalid container ID format" ../x true
  printf '\x7fELF nonsense' >"$DIR/rootfs/bin/broken"; chmod 755 "$DIR/rootfs/bin/broken"
  local rc=0; in_ /bin/broken 2>"$DIR/err" || rc=$?; same "$rc" 255
  has "$(cat "$DIR/err")" "exec /bin/broken: exec format error"; same "$(wc -l <"$DIR/err")" 1
  rm "$DIR/rootfs/bin/broken"
  down
}
states() {
  local b; b=$(sh_bundle st "$SLEEP")
  rt create -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  same "$(in_ echo early)" early
  status_is "$TAG-1" created
  rt start "$TAG-1"
  in_ true
  local f
  for f in /sys/fs/cgroup/freezer/*"$TAG-1" /sys/fs/cgroup/freezer/*/"$TAG-1" /sys/fs/cgroup/"$TAG-1" /sys/fs/cgroup/*/"$TAG-1"; do
    [ -e "$f/freezer.state" ] && { echo FROZEN >"$f/freezer.state"; FROZEN=$f/freezer.state THAW=THAWED; }
    [ -e "$f/cgroup.freeze" ] && [ -z "${FROZEN:-}" ] && { echo 1 >"$f/cgroup.freeze"; FROZEN=$f/cgroup.freeze THAW=0; }
  done
  until_ 5 status_is "$TAG-1" paused
  refused "cannot exec in a paused container (use --ignore-paused to override)" "$TAG-1" true
  (sleep 1; echo "$THAW" >"$FROZEN") &
  same "$(timeout 20 "$OCITK" --root "$STATE" exec --ignore-paused "$TAG-1" echo thawed </dev/null)" thawed
  wait
  rt kill "$TAG-1" KILL
  until_ 5 status_is "$TAG-1" stopped
  refused "cannot exec in a stopped container" "$TAG-1" true
  down
}
environment() {
  up '.process.env += ["A=1", "B=2"] | .process.cwd = "/etc"'
  same "$(in_ sh -c 'echo $A $B $HOME; pwd' | words)" "1 2 /root /etc "
  same "$(rt exec -e A=3 --env C=4,5 "$TAG-1" sh -c 'echo $A $B $C' </dev/null)" "3 2 4,5"
  same "$(rt exec -u 1000 "$TAG-1" sh -c 'echo $HOME' </dev/null)" /home/app
  same "$(rt exec -u 4711 "$TAG-1" sh -c 'echo $HOME' </dev/null)" /
  same "$(rt exec -u 1000 -e HOME=/x "$TAG-1" sh -c 'echo $HOME' </dev/null)" /x
  same "$(rt exec -e HOME= "$TAG-1" sh -c 'echo $HOME' </dev/null)" /root
  same "$(rt exec --cwd /tmp "$TAG-1" pwd </dev/null)" /tmp
  same "$(FOO=bar rt exec "$TAG-1" sh -c 'echo "<$FOO>"' </dev/null)" "<>"
  down
}
ids() {
  up '.process.user = {uid: 5, gid: 6, additionalGids: [7]}'
  local id='id -u; id -g; id -G'
  same "$(in_ sh -c "$id" | words)" "5 6 6 7 "
  same "$(rt exec -u 1000 "$TAG-1" sh -c "$id" </dev/null | words)" "1000 6 6 7 "
  same "$(rt exec -u 1000:1001 -g 8 --additional-gids 9 "$TAG-1" sh -c "$id" </dev/null | words)" "1000 1001 1001 7 8 9 "
  down
}
privileges() {
  up '.process.oomScoreAdj = 123'
  local show='grep -E "^Cap(Inh|Prm|Eff|Bnd|Amb)|^NoNew|^Seccomp:" /proc/self/status'
  same "$(in_ sh -c "$show")" "$(grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)|^NoNew|^Seccomp:' "/proc/$PID/status")"
  same "$(rt exec -c CAP_CHOWN "$TAG-1" sh -c "$show" </dev/null | awk '/^Cap/ {print $2}' | words)" \
    "0000000000000000 0000000020000421 0000000020000421 0000000020000421 0000000000000000 "
  same "$(in_ sh -c 'ulimit -n; cat /proc/self/oom_score_adj' | words)" "1024 123 "
  same "$(rt exec -u 1000 "$TAG-1" sh -c "$show" </dev/null | awk '/^Cap(Eff|Prm)/ {print $2}' | words)" "0000000000000000 0000000000000000 "
  down
  up '.process.noNewPrivileges = false'
  same "$(in_ awk '/^NoNew/ {print $2}' /proc/self/status)" 0
  same "$(rt exec --no-new-privs "$TAG-1" awk '/^NoNew/ {print $2}' /proc/self/status </dev/null)" 1
  down
}
seccomp() {
  local nnp
  for nnp in true false; do
    up ".process.noNewPrivileges = $nnp"' | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}'
    has "$(in_ sh -c 'mkdir /tmp/x || true' 2>&1)" "Operation not permitted"
    same "$(in_ awk '/^Seccomp:/ {print $2}' /proc/self/status)" 2
    down
  done
}
affinity() {
  [ "$(nproc)" -gt 1 ] || without "there is one cpu"
  local show='/^Cpus_allowed_list/ {print $2}'
  up '.process.execCPUAffinity = {initial: "1", final: "0"}'
  same "$(in_ awk "$show" /proc/self/status)" 0
  down
  up
  same "$(taskset -c 1 "$OCITK" --root "$STATE" exec "$TAG-1" awk "$show" /proc/self/status </dev/null)" "$(awk "$show" "/proc/$PID/status")"
  down
  up '.process.execCPUAffinity = {final: "x"}'
  refused "not a list of cpus (config.json#/process/execCPUAffinity/final)" "$TAG-1" true
  down
}
umasks() {
  up '.process.user.umask = 63'
  same "$(umask 011; in_ sh -c umask)" 0077
  down
  up
  same "$(umask 011; in_ sh -c umask)" 0011
  down
}
same_places() {
  local p='for n in cgroup ipc mnt net pid user uts time; do readlink /proc/self/ns/$n; done'
  up "${1:-.}"
  same "$(in_ sh -c "$p")" "$(for n in cgroup ipc mnt net pid user uts time; do readlink "/proc/$PID/ns/$n"; done)"
  rt exec -d --pid-file "$DIR/pid" "$TAG-1" sleep 100 </dev/null >/dev/null 2>&1
  same "$(cat "/proc/$(cat "$DIR/pid")/cgroup")" "$(cat "/proc/$PID/cgroup")"
  same "$(in_ cat /proc/self/cgroup)" "$(in_ cat /proc/1/cgroup)"
  down
}
own_namespaces() { same_places; }
own_user_namespace() {
  same_places "$USERNS"
  up "$USERNS"
  same "$(in_ sh -c 'id -u; awk "{print \$2}" /proc/self/uid_map' | words)" "0 100000 "
  rt exec -d --pid-file "$DIR/pid" "$TAG-1" sleep 100 </dev/null >/dev/null 2>&1
  same "$(stat -c %u "/proc/$(cat "$DIR/pid")")" 100000
  down
}
own_cgroup_and_time_namespaces() { same_places '.linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}, {type: "time"}])'; }
shared_namespaces() {
  up '.linux.namespaces |= map(select(.type == "mount"))| del(.hostname)'
  local n
  for n in pid net ipc uts user; do same "$(in_ readlink "/proc/self/ns/$n")" "$(readlink "/proc/self/ns/$n")"; done
  same "$(in_ readlink /proc/self/ns/mnt)" "$(readlink "/proc/$PID/ns/mnt")"
  rt exec -d --pid-file "$DIR/pid" "$TAG-1" sleep 100 </dev/null >/dev/null 2>&1
  down
  until_ 5 sh -c "! grep -qs '^State:.[^ZX]' /proc/$(cat "$DIR/pid")/status"  # delete kills all of the cgroup
}
shared_mounts() {  # no mount namespace: the container's root all the same
  up '.linux.namespaces |= map(select(.type == "pid")) | .mounts = [] | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | .root.readonly = false | del(.hostname)'
  same "$(in_ ls / | words)" "$(ls "$DIR/rootfs" | words)"
  same "$(in_ pwd)" /
  down
}
no_proc() {
  up '.mounts |= map(select(.destination != "/proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
  same "$(in_ echo there; rt exec -t "$TAG-1" true </dev/null >/dev/null 2>&1 || echo failed)" there
  down
}
init_not_dumpable() {
  local b; b=$(sh_bundle nd "$SLEEP")
  rt create -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  same "$(stat -c %u "/proc/$(cat "$DIR/pid")/environ")" 0
  same "$(in_ echo inside)" inside
  down
}
files() {
  up '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 512, hard: 512}]'
  echo '{"args": ["sh", "-c", "id -u; id -G; pwd; echo $X; ulimit -n; grep CapEff /proc/self/status"], "cwd": "/tmp", "env": ["X=y", "PATH=/bin"], "user": {"uid": 1, "gid": 2, "additionalGids": [3]},
    "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}}' >"$DIR/p.json"
  same "$(rt exec -p "$DIR/p.json" "$TAG-1" </dev/null | words)" "1 2 3 /tmp y 512 CapEff:	0000000000000020 "
  (cd "$DIR" && same "$(rt exec --process p.json "$TAG-1" </dev/null | head -1)" 1)
  echo '{"args": ["true"]}' >"$DIR/p.json"; refused "Cwd property must not be empty (config.json#/process/cwd)" -p "$DIR/p.json" "$TAG-1"
  echo '{"cwd": "/", "args": []}' >"$DIR/p.json"; refused "args must not be empty" -p "$DIR/p.json" "$TAG-1"
  echo '{"cwd": "/", "args": ["x"], "user": {"uid": -1}}' >"$DIR/p.json"; refused "(config.json#/process/user/uid)" -p "$DIR/p.json" "$TAG-1"
  down
}
bundle_may_change() {
  up '.process.env += ["WHEN=then"]'
  echo broken >"$DIR/b-exec/config.json"
  same "$(in_ sh -c 'echo $WHEN')" then
  rm -r "$DIR/b-exec"
  same "$(in_ sh -c 'echo $WHEN')" then
  same "$(stat -c %a "$STATE/$TAG-1/config.json")" 600
  down
}
detached() {
  up
  rt exec -d --pid-file "$DIR/pid" "$TAG-1" sh -c 'echo out; exec sleep 100' </dev/null >"$DIR/out" 2>&1
  until_ 5 grep -q out "$DIR/out"
  same "$(wc -l <"$DIR/pid")" 0
  local pid; pid=$(cat "$DIR/pid")
  until_ 5 sh -c "tr '\\0' ' ' </proc/$pid/cmdline | grep -qx 'sleep 100 '"
  same "$(readlink "/proc/$pid/ns/pid")" "$(readlink "/proc/$PID/ns/pid")"
  kill -9 "$pid"
  local rc=0; rt exec -d --pid-file "$DIR/pid2" "$TAG-1" sh -c 'exit 9' </dev/null || rc=$?; same "$rc" 0
  rc=0; rt exec -d --pid-file "$DIR/pid3" "$TAG-1" nosuch </dev/null 2>/dev/null || rc=$?; same "$rc" 255
  [ ! -e "$DIR/pid3" ]
  down
}
is_callers_child() {  # conmon and shims wait for the pid in the file: nothing of ours may stand between
  up
  same "$(python3 - "$OCITK" "$STATE" "$TAG-1" "$DIR/pid4" <<'PY'
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
subprocess.run([sys.argv[1], "--root", sys.argv[2], "exec", "-d", "--pid-file", sys.argv[4], sys.argv[3], "sh", "-c", "sleep 0.3; exit 33"], check=True)
pid = int(open(sys.argv[4]).read())
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
)" 33
  down
}
terminal() {
  up
  local rc=0 out
  out=$(script -qec "stty rows 33 cols 77; '$OCITK' --root '$STATE' exec -t '$TAG-1' sh -c 'tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo all; ps -o pid,sid,tty | grep [s]tty; exit 3'" /dev/null </dev/null) || rc=$?
  out=${out//$'\r'/}
  same "$rc" 3
  has "$out" "/dev/pts/0"; has "$out" "33 77"; has "$out" "all"
  has "$(rt exec "$TAG-1" tty 2>&1 </dev/null || true)" "not a tty"
  down
}
console_socket() {
  up "$USERNS"
  echo '{"args": ["sh", "-c", "stty size; stat -c %u $(tty); echo from inside; sleep 100"], "cwd": "/", "env": ["PATH=/bin"], "terminal": true, "consoleSize": {"height": 22, "width": 66}, "user": {"uid": 1000, "gid": 1000}}' >"$DIR/p.json"
  python3 - "$DIR/sock" "$DIR/pidsock" >"$DIR/got" <<'PY' &
import array, os, socket, sys
def serve(path):
    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(1)
    return s
def take(s):
    c, _ = s.accept()
    data, anc, _, _ = c.recvmsg(4096, 4096)
    fds = array.array("i")
    for level, kind, payload in anc: fds.frombytes(payload)
    return data.decode(), fds
p = serve(sys.argv[2]); t = serve(sys.argv[1])
name, fds = take(t)
print(name, len(fds), flush=True)
kind, pidfds = take(p)
print(kind, [l for l in open("/proc/self/fdinfo/%d" % pidfds[0]) if l.startswith("Pid:")][0].split()[1], flush=True)
out = b""
while b"inside" not in out: out += os.read(fds[0], 1000)
print(out.decode(), flush=True)
PY
  local receiver=$!
  until_ 5 test -S "$DIR/sock"
  rt exec -d -p "$DIR/p.json" --console-socket "$DIR/sock" --pidfd-socket "$DIR/pidsock" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  wait $receiver
  has "$(cat "$DIR/got")" "/dev/pts/0 1"; has "$(cat "$DIR/got")" "setns $(cat "$DIR/pid")"; has "$(cat "$DIR/got")" "22 66"
  has "$(cat "$DIR/got")" "1000"; has "$(cat "$DIR/got")" "from inside"
  down
}
descriptors() {
  up
  exec 7</etc/passwd 8>/dev/null
  same "$(in_ ls /proc/self/fd | words)" "0 1 2 3 "
  same "$(rt exec --preserve-fds 1 "$TAG-1" sh -c 'cat <&3; ls /proc/self/fd' 3< <(echo passed) | words)" "passed 0 1 2 3 4 "
  exec 7<&- 8>&-
  same "$(sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' sh "$OCITK" --root "$STATE" exec "$TAG-1" sh -c 'cat <&3; echo $LISTEN_FDS $LISTEN_PID' 3< <(echo socket) | words)" "socket 1 1 "
  down
}
# While the newcomer waits inside, before it lets go of anything: what could those inside get hold of?
protected() {
  up "${1:-.}"
  rm -f "$DIR/told"; touch "$DIR/told"  # what the last one said must not be taken for this one's
  ( "$OCITK" --root "$STATE" exec --stop-before exec -u 1000 "$TAG-1" echo went on </dev/null >"$DIR/out" 2>"$DIR/told" ) &
  until_ 10 grep -q 'stopped before exec' "$DIR/told"
  local pid ours fd; pid=$(grep -o 'process [0-9]*' "$DIR/told" | cut -d' ' -f2); ours=$(grep -o 'CONT [0-9]*' "$DIR/told" | cut -d' ' -f2)
  same "$(readlink "/proc/$pid/ns/mnt")" "$(readlink "/proc/$PID/ns/mnt")"
  same "$(stat -c %u "/proc/$pid/environ")" 0  # not dumpable
  exec 9<"/proc/$pid/exe"
  for fd in /proc/"$pid"/fd/*; do
    case $(readlink "$fd") in socket:*|pipe:*|/|/dev/null) ;; *) echo "$(readlink "$fd")" ;; esac
  done >"$DIR/fds"  # no file of the host, no namespace, no cgroup, nobody's pidfd
  same "$(cat "$DIR/fds")" ""
  kill -CONT "$ours"
  wait
  same "$(cat "$DIR/out")" "went on"
  ( : >>/proc/self/fd/9 ) 2>"$DIR/err" && fail "the runtime was opened for writing"  # what /proc/PID/exe showed
  has "$(cat "$DIR/err")" "Read-only file system"
  exec 9<&-
  down
}
protected_in_user_namespace() { protected "$USERNS"; }
limits() {
  up '.linux.resources.pids = {limit: 3}'  # init, its sleep, and one more: no room for a helper
  same "$(in_ echo fits)" fits
  down
  up '.linux.resources.memory = {limit: 4194304}'
  same "$(in_ echo fits)" fits
  down
}
sub_cgroups() {
  [ -d /sys/fs/cgroup/memory ] || without "the host has no cgroup v1"
  up
  local p; p=$(sed -n 's/^[0-9]*:memory://p' "/proc/$PID/cgroup")
  refused "bad sub cgroup path" --cgroup .. "$TAG-1" true
  refused "bad sub cgroup path" --cgroup memory:../x "$TAG-1" true
  refused " adding pid " --cgroup nonexistent "$TAG-1" true
  refused "no such file or directory" --cgroup memory:nonexistent "$TAG-1" true
  refused "unknown controller" --cgroup whaaat:/ "$TAG-1" true
  refused "invalid --cgroup argument" --cgroup a --cgroup b "$TAG-1" true
  mkdir "/sys/fs/cgroup/memory$p/sub"
  rt exec -d --cgroup memory:sub --pid-file "$DIR/pid" "$TAG-1" sleep 100 </dev/null >/dev/null 2>&1
  same "$(sed -n 's/^[0-9]*:memory://p' "/proc/$(cat "$DIR/pid")/cgroup")" "$p/sub"
  same "$(sed -n 's/^[0-9]*:pids://p' "/proc/$(cat "$DIR/pid")/cgroup")" "$(sed -n 's/^[0-9]*:pids://p' "/proc/$PID/cgroup")"
  rt exec -d --cgroup / --pid-file "$DIR/pid" "$TAG-1" sleep 100 </dev/null >/dev/null 2>&1
  same "$(cat "/proc/$(cat "$DIR/pid")/cgroup")" "$(cat "/proc/$PID/cgroup")"
  down
}
# A cgroup2 that hands a controller down takes no process: the container has moved its own deeper.
moved_away() {
  local root=/sys/fs/cgroup had
  [ -d $root/unified ] && root=$root/unified
  grep -q hugetlb $root/cgroup.controllers 2>/dev/null || without "cgroup2 has no hugetlb"
  had=$(cat $root/cgroup.subtree_control)
  echo +hugetlb >$root/cgroup.subtree_control
  up "$1"
  local p; p=$root$(sed -n 's/^0:://p' "/proc/$PID/cgroup")
  mkdir "$p/deeper"
  local pid  # until none is left: a process may fork meanwhile
  while read -r pid <"$p/cgroup.procs"; do echo "$pid" >"$p/deeper/cgroup.procs"; done
  echo +hugetlb >"$p/cgroup.subtree_control"
  rt exec -d --pid-file "$DIR/pid" "$TAG-1" sleep 100 </dev/null >/dev/null 2>&1
  same "$(sed -n 's/^0:://p' "/proc/$(cat "$DIR/pid")/cgroup")" "$(sed -n 's/^0:://p' "/proc/$PID/cgroup")"
  same "$(in_ echo inside)" inside
  refused " adding pid " --cgroup / "$TAG-1" true
  refused "device or resource busy" --cgroup / "$TAG-1" true
  down
  case $had in *hugetlb*) ;; *) echo -hugetlb >$root/cgroup.subtree_control ;; esac
}
moved_away_plain() { moved_away .; }
moved_away_in_namespace() { moved_away '.linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}])'; }
many() {
  up
  local i pids=() rc
  for i in $(seq 50); do ( in_ sh -c "exit $i" ) & pids+=($!); done
  for i in $(seq 50); do rc=0; wait "${pids[$((i - 1))]}" || rc=$?; same "$rc" "$i"; done
  down
}
container_dies() {
  up
  local rc=0
  rt exec "$TAG-1" sh -c 'echo there; sleep 100' </dev/null >"$DIR/out" & local p=$!
  until_ 5 grep -q there "$DIR/out"
  rt kill "$TAG-1" KILL
  wait $p || rc=$?
  same "$rc" 137
  down
}
signals() {
  up
  ( exec "$OCITK" --root "$STATE" exec "$TAG-1" sh -c 'trap "echo got; exit 4" TERM; echo ready; while :; do sleep 0.1; done' </dev/null >"$DIR/out" ) & local p=$! rc=0
  until_ 5 grep -q ready "$DIR/out"
  kill -TERM $p
  wait $p || rc=$?
  same "$rc" 4; same "$(cat "$DIR/out" | words)" "ready got "
  down
}
plans() {
  up "$USERNS"
  local out; out=$(rt exec --plan -u 1000 "$TAG-1" ls -l </dev/null)
  has "$out" "CLONE_PARENT"; has "$out" "setns("; has "$out" "CLONE_NEWUSER|CLONE_NEWNS|CLONE_NEWPID"; has "$out" "setresuid(1000"
  has "$out" 'execve("/bin/ls", ["ls", "-l"]'; hasnt "$out" "pivot_root"
  same "$(rt exec --plan=json "$TAG-1" ls </dev/null | jq -r '.[-1].call')" execve
  refused 'executable file not found in $PATH' --plan "$TAG-1" nosuch
  rt exec --trace "$DIR/trace.json" "$TAG-1" true </dev/null
  has "$(jq -r '.. | .name? // empty' "$DIR/trace.json")" setns
  refused "is no stage of init" --stop-before pivot "$TAG-1" true
  same "$(echo 'echo stage $OCITK_STAGE; ls $OCITK_ROOT/bin/busybox >/dev/null && echo container; test -e '"$DIR"' && echo host; exit 0' |
    SHELL=/bin/sh rt exec --shell-at caps "$TAG-1" echo after 2>/dev/null | words)" "stage caps container host after "
  local rc=0; echo 'exit 1' | SHELL=/bin/sh rt exec --shell-at console "$TAG-1" echo after >"$DIR/out" 2>/dev/null || rc=$?
  same "$rc" 255; same "$(cat "$DIR/out")" ""
  down
}
keyrings() {
  up
  has "$(rt exec --plan "$TAG-1" true </dev/null)" "keyctl(KEYCTL_JOIN_SESSION_KEYRING, \"_ses.$TAG-1\")"
  down
  rt run -d --no-new-keyring -b "$DIR/b-exec" "$TAG-1" </dev/null >/dev/null 2>&1
  hasnt "$(rt exec --plan "$TAG-1" true </dev/null)" KEYCTL_JOIN_SESSION_KEYRING
  down
}

case_ "streams go both ways, and words after the id are the command's" streams
case_ "the exit code is the process', or 128 and the signal" codes
case_ "refusals in runc's words, with 255" refusals
case_ "created and running are entered; paused and stopped are not" states
case_ "environment, HOME and working directory" environment
case_ "ids and groups" ids
case_ "capabilities, limits, no_new_privs and oom score" privileges
case_ "the container's seccomp filter, with no_new_privs and without" seccomp
case_ "cpus are execCPUAffinity's, or all of the cpuset" affinity
case_ "the umask is the container's, or else the caller's" umasks
case_ "the same namespaces and cgroups as init" own_namespaces
case_ "the same with a user namespace" own_user_namespace
case_ "the same with cgroup and time namespaces" own_cgroup_and_time_namespaces
case_ "namespaces shared with the host" shared_namespaces
case_ "a shared mount namespace: the container's root all the same" shared_mounts
case_ "no /proc inside" no_proc
case_ "an init that is not dumpable" init_not_dumpable
case_ "a process from a file" files
case_ "what happens to the bundle after create does not matter" bundle_may_change
case_ "detached, with a pid file" detached
case_ "the process is a child of whoever called" is_callers_child
case_ "a terminal of the caller's size" terminal
case_ "console and pidfd sockets" console_socket
case_ "descriptors of the caller stay outside, unless preserved" descriptors
case_ "nothing to get hold of in a process that enters" protected
case_ "nothing to get hold of, with a user namespace" protected_in_user_namespace
case_ "tight limits of pids and memory" limits
case_ "sub-cgroups" sub_cgroups
case_ "a cgroup2 that takes no process: where init is" moved_away_plain
case_ "the same with a cgroup namespace" moved_away_in_namespace
case_ "fifty at once lose no exit code" many
case_ "the container dies while it runs" container_dies
case_ "signals are forwarded" signals
case_ "plan, trace, stop and shell" plans
case_ "the keyring is the container's, or the caller's where the container's is" keyrings
finish
