#!/bin/bash
# What the payload sees and may do: masks, devices, descriptors, privileges, limits, namespaces.
. "$(dirname "$0")/lib.sh"

inside() { rt run -b "$(sh_bundle in "$@")" "$TAG-1" </dev/null; }

masks() {
  same "$(inside 'cat /proc/keys; ls /sys/firmware; ls /proc/acpi')" ""
  has "$(inside 'echo 1 >/proc/sys/kernel/panic || true' 2>&1)" "Read-only file system"
  has "$(inside 'touch /x || true' 2>&1)" "Read-only file system"
  hasnt "$(inside 'touch /x; rm /x' '.root.readonly = false' 2>&1)" "Read-only"
  same "$(inside 'grep -c " /sys/firmware " /proc/self/mountinfo; grep -c " /proc/sys " /proc/self/mountinfo' \
    '.linux.maskedPaths += ["/sys/firmware"] | .linux.readonlyPaths += ["/proc/sys"]' | tr '\n' ' ')" "1 1 "
}
devices() {
  same "$(inside 'for d in null zero full random urandom tty; do stat -c "%t:%T %a" /dev/$d; done' | tr '\n' ' ')" \
    "1:3 666 1:5 666 1:7 666 1:8 666 1:9 666 5:0 666 "
  same "$(inside 'for l in fd stdin ptmx; do readlink /dev/$l; done' | tr '\n' ' ')" "/proc/self/fd /proc/self/fd/0 pts/ptmx "
  same "$(inside 'stat -c "%t:%T %a %u:%g" /dev/mine' '.linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 3, fileMode: 384, uid: 5, gid: 6}]')" "1:3 600 5:6"
}
descriptors() {
  exec 7</etc/passwd 8>/dev/null
  same "$(inside 'ls /proc/self/fd' | tr '\n' ' ')" "0 1 2 3 "
  local out; out=$(rt run --preserve-fds 1 -b "$(sh_bundle pf 'cat <&3; ls /proc/self/fd')" "$TAG-1" 3< <(echo passed) | tr '\n' ' ')
  exec 7<&- 8>&-
  same "$out" "passed 0 1 2 3 4 "
  out=$(rt --log "$DIR/log" run --preserve-fds 2 -b "$(sh_bundle pf true)" "$TAG-1" 2>&1 3</dev/null 4>&- || true)
  has "$out" "unable to stat preserved-fd 1 (of 2)"  # not the log, which would be the next to get that number
}
privileges() {
  same "$(inside 'grep -E "^Cap(Eff|Bnd|Inh|Amb)|NoNew" /proc/self/status' | awk '{print $2}' | tr '\n' ' ')" \
    "0000000000000000 0000000020000420 0000000020000420 0000000000000000 1 "
  same "$(inside 'grep CapBnd /proc/self/status' 'del(.process.capabilities)' | awk '{print $2}')" 0000000000000000
  same "$(inside 'id -u; id -g; id -G; umask; echo $HOME; ulimit -n' \
    '.process.user = {uid: 1000, gid: 1000, additionalGids: [5, 6], umask: 63}' | tr '\n' ' ')" "1000 1000 1000 5 6 0077 /home/app 1024 "
  same "$(inside 'cat /proc/self/oom_score_adj' '.process.oomScoreAdj = 321')" 321
}
seccomp() {
  has "$(inside 'mkdir /tmp/x || true' '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}' 2>&1)" "Operation not permitted"
  has "$(inside 'mkdir /tmp/x || true' '.process.noNewPrivileges = false | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}' 2>&1)" "Operation not permitted"
}
namespaces() {
  local n host
  local all; all=$(inside 'for n in pid net ipc uts mnt; do readlink /proc/self/ns/$n; done')
  for n in pid net ipc uts mnt; do host=$(readlink /proc/self/ns/$n); hasnt "$all" "$host"; done
  same "$(inside 'hostname; cat /proc/sys/kernel/domainname' '.hostname = "h1" | .domainname = "d1"' | tr '\n' ' ')" "h1 d1 "
  same "$(inside 'cat /proc/sys/kernel/msgmax' '.linux.sysctl = {"kernel.msgmax": "4321"}')" 4321
}
joined() {
  local b; b=$(sh_bundle host 'sleep 100')
  rt run -d -b "$b" "$TAG-2" </dev/null >/dev/null 2>&1
  local pid; pid=$(rt state "$TAG-2" | jq .pid)
  local filter='.linux.namespaces |= map(if .type == "network" then .path = $p + "net" elif .type == "ipc" then .path = $p + "ipc" elif .type == "uts" then .path = $p + "uts" elif .type == "pid" then .path = $p + "pid" else . end) | del(.hostname)'
  b=$(bundle joined ".process.args = [\"sh\", \"-c\", \"readlink /proc/self/ns/net; readlink /proc/self/ns/pid\"] | $filter" --arg p "/proc/$pid/ns/")
  same "$(rt run -b "$b" "$TAG-1")" "$(readlink "/proc/$pid/ns/net"; readlink "/proc/$pid/ns/pid")"
  rt delete -f "$TAG-2"
}
user_namespace() {
  local maps='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
  same "$(inside 'id -u; awk "{print \$2}" /proc/self/uid_map; ls -ln /dev/null | awk "{print \$3}"; touch /x 2>/dev/null || echo no' "$maps | .root.readonly = false" | tr '\n' ' ')" "0 100000 65534 no "
  joined_user_namespace
  chmod 700 "$DIR"  # the container's root cannot reach the rootfs by path
  same "$(inside 'echo there' "$maps")" there
}
limits() {
  local b; b=$(sh_bundle lim 'sleep 100' '.linux.resources.memory = {limit: 33554432} | .linux.resources.cpu = {shares: 512, quota: 50000, period: 100000} | .linux.resources.pids = {limit: 33}')
  rt run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  local values; values=$(cat $(find /sys/fs/cgroup -path "*$TAG-1/memory.limit_in_bytes" -o -path "*$TAG-1/cpu.shares" -o -path "*$TAG-1/pids.max" -o -path "*$TAG-1/memory.max") | sort -n | tr '\n' ' ')
  rt delete -f "$TAG-1"
  has "$values" 33554432; has "$values" "33 "
}
joined_user_namespace() {  # root of a joined one makes files and mounts as of its own
  local b pid; b=$(sh_bundle usr 'sleep 100' "$maps")
  rt run -d -b "$b" "$TAG-2" </dev/null >/dev/null 2>&1
  pid=$(rt state "$TAG-2" | jq .pid)
  same "$(inside 'id -u; cat /proc/self/setgroups; awk "{print \$2}" /proc/self/uid_map; stat -c %u /dev/pts' \
    ".linux.namespaces += [{type: \"user\", path: \"/proc/$pid/ns/user\"}]" | tr '\n' ' ')" "0 allow 100000 0 "
  rt delete -f "$TAG-2"
}
hostile_rootfs() {  # links in the image lead nowhere but into the image
  make_rootfs "$DIR/evil"; mkdir "$DIR/victim"
  rm -rf "$DIR/evil/dev"; ln -s "$DIR/victim" "$DIR/evil/dev"; ln -s ../../../../../..$DIR/victim "$DIR/evil/opt"
  ln -s "$DIR/victim/made" "$DIR/evil/dangling"
  local b; b=$(sh_bundle evil 'echo ran' ".root.path = \"$DIR/evil\" | .mounts += [{destination: \"/opt/sub\", type: \"tmpfs\", source: \"t\"}, {destination: \"/dangling\", type: \"tmpfs\", source: \"t\"}]")
  same "$(rt run -b "$b" "$TAG-1" 2>&1)" ran
  same "$(ls -A "$DIR/victim")" ""
  rm "$DIR/evil/proc" -rf; ln -s /etc "$DIR/evil/proc"
  has "$(rt run -b "$b" "$TAG-1" 2>&1 || true)" "must be mounted on ordinary directory"
}
runtime_binary() {  # CVE-2019-5736: what /proc/1/exe showed before the exec cannot be written to
  local b; b=$(sh_bundle bin 'sleep 100')
  rt create -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  local sum; sum=$(sha256sum <"$OCITK")
  exec 9<"/proc/$(cat "$DIR/pid")/exe"
  rt start "$TAG-1"; until_ 5 status_is "$TAG-1" running
  ( : >>/proc/self/fd/9 ) 2>"$DIR/err" && fail "the runtime was opened for writing"
  exec 9<&-
  has "$(cat "$DIR/err")" "Read-only file system"
  same "$(sha256sum <"$OCITK")" "$sum"
  rt delete -f "$TAG-1"
}

not_dumpable() {  # R9: a user of the payload's uid cannot look into init before the payload runs
  local b; b=$(sh_bundle nd 'sleep 100' '.process.user = {uid: 1000, gid: 1000}')
  rt create -b "$b" --pid-file "$DIR/pid" "$TAG-1" </dev/null >/dev/null 2>&1
  same "$(stat -c %u "/proc/$(cat "$DIR/pid")/environ")" 0
  rt start "$TAG-1"
  until_ 5 sh -c "[ \$(stat -c %u /proc/$(cat "$DIR/pid")/environ) = 1000 ]"
  rt delete -f "$TAG-1"
}

case_ "masked paths are empty, read-only paths read-only" masks
case_ "devices and links of /dev" devices
case_ "descriptors of the caller stay outside, unless preserved" descriptors
case_ "capabilities, ids, groups, umask, HOME, rlimits" privileges
case_ "a seccomp rule, with and without no_new_privs" seccomp
case_ "namespaces, host name, sysctl" namespaces
case_ "namespaces joined by path" joined
case_ "a user namespace" user_namespace
case_ "limits of memory, cpu and pids" limits
case_ "a hostile rootfs does not reach the host" hostile_rootfs
case_ "init is not dumpable until the payload runs" not_dumpable
case_ "the runtime's binary cannot be written through /proc" runtime_binary
finish
