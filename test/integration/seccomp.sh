#!/bin/bash
# Filters: agents that answer for the kernel, flags, entries to the kernel, profiles of Docker and Podman.
. "$(dirname "$0")/lib.sh"
need python3
need cc
[ "$(uname -m)" = x86_64 ] || skip "the calls are named by their numbers on x86_64"
AGENT=$(dirname "$0")/../support/seccomp_agent.py
USERNS='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'

# agent [NAME=ERRNO]...: one that listens at $SOCKET and writes to $HEARD, until agent_ends or the end of the case.
SOCKET=$DIR/agent.sock HEARD=$DIR/heard
agent() {
  rm -rf "$HEARD" "$DIR/life" "$SOCKET"; mkdir "$HEARD"; mkfifo "$DIR/life"
  python3 "$AGENT" "$SOCKET" "$HEARD" "$@" <"$DIR/life" >"$DIR/agent.out" 2>&1 &
  AGENT_PID=$!
  exec 9>"$DIR/life"
  case $SOCKET in @*) until_ 5 grep -q "$SOCKET" /proc/net/unix ;; *) until_ 5 test -S "$SOCKET" ;; esac
  until_ 5 test -e "$HEARD/calls"
}
agent_ends() { exec 9>&-; wait "$AGENT_PID" || true; same "$(cat "$DIR/agent.out")" ""; }

# notifying NAMES [NNP]: a filter whose calls NAMES (a JSON list) wait for the agent.
notifying() {
  echo ".process.noNewPrivileges = ${2:-true} | .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", listenerPath: \"$SOCKET\",
    listenerMetadata: \"m 1\", architectures: [\"SCMP_ARCH_X86\", \"SCMP_ARCH_X32\", \"SCMP_ARCH_X86_64\"],
    syscalls: [{names: $1, action: \"SCMP_ACT_NOTIFY\"}]}"
}
MKDIR='["mkdir", "mkdirat"]'
inside() { rt run -b "$(sh_bundle in "$@")" "$TAG-1" </dev/null 2>&1; }
heard() { jq -c "$2" "$HEARD/$1.json"; }
# refused FILTER TEXT POINTER: run fails, says both, and leaves nothing.
refused() {
  local rc=0 out; out=$(rt --log "$DIR/log" run -b "$(sh_bundle in true "$1")" "$TAG-1" 2>&1 </dev/null) || rc=$?  # with a log, stderr has the bare text
  same "$rc" 1; has "$out" "$2"; has "$out" "(config.json#$3)"
}

# Prints what each call is answered: the errno, or 0. `x86:N` goes in by the entry of 32-bit programs.
cat >"$DIR/calls.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char** words) {
  for (int i = 1; i < count; ++i) {
    char* at = words[i];
    int x86 = strncmp(at, "x86:", 4) == 0;
    if (x86) at += 4;
    long n = strtol(at, &at, 0), arg[3] = {0};
    for (int a = 0; a < 3 && *at == ','; ++a) arg[a] = strtol(at + 1, &at, 0);
    long ret;
    if (x86) {
      __asm__ volatile("int $0x80" : "=a"(ret) : "a"(n), "b"(arg[0]), "c"(arg[1]), "d"(arg[2]) : "memory", "r8", "r9", "r10", "r11");
    } else {
      __asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(arg[0]), "S"(arg[1]), "d"(arg[2]) : "memory", "rcx", "r11");
    }
    printf("%d ", (int)ret < 0 && (int)ret > -4096 ? -(int)ret : 0);
    fflush(stdout);
  }
  return 0;
}
C
cc -static -O1 -o "$DIR/rootfs/bin/calls" "$DIR/calls.c" || skip "cannot link a static program"

agent_answers() {
  local nnp out
  agent mkdir=123 mkdirat=123
  for nnp in true false; do
    out=$(inside 'echo $$; ls /proc/self/fd | tr "\n" " "; mkdir /tmp/x' "$(notifying "$MKDIR" $nnp) | .annotations = {a: \"b\"}" || true)
    has "$out" "No medium found"
    has "$out" "0 1 2 3 "  # and no listener
    hasnt "$out" "0 1 2 3 4"
  done
  agent_ends
  same "$(cat "$HEARD"/*.fds | uniq)" "1 anon_inode:seccomp notify"
  same "$(heard 2 'del(.pid, .state.pid)')" "{\"ociVersion\":\"1.3.0\",\"fds\":[\"seccompFd\"],\"metadata\":\"m 1\",\"state\":{\"ociVersion\":\"1.3.0\",\"id\":\"$TAG-1\",\"status\":\"creating\",\"bundle\":\"$DIR/b-in\",\"annotations\":{\"a\":\"b\"}}}"
  same "$(heard 1 '.pid == .state.pid and .pid > 1')" true
  same "$(cut -d' ' -f1,3 "$HEARD/calls" | sort | uniq -c | awk '{print $2, $3}' | tr '\n' ' ')" "1 mkdir 2 mkdir "
}
create_and_start() {
  local nnp
  for nnp in true false; do
    agent mkdir=123
    rt create -b "$(sh_bundle cs 'mkdir /tmp/x; sleep 100' "$(notifying "$MKDIR" $nnp)")" "$TAG-1" </dev/null >"$DIR/out" 2>&1
    same "$(heard 1 .state.status)" '"creating"'
    same "$(heard 1 .pid)" "$(rt state "$TAG-1" | jq .pid)"
    same "$(rt state "$TAG-1" | jq -r .status)" created
    same "$(ls -l "/proc/$(heard 1 .pid)/fd" | grep -c seccomp || true)" 0
    rt start "$TAG-1"
    until_ 5 grep -q mkdir "$HEARD/calls"
    until_ 5 grep -q "No medium found" "$DIR/out"
    rt delete -f "$TAG-1"
    agent_ends
  done
}
another_process() {
  local nnp out
  for nnp in true false; do
    agent mkdir=123
    rt run -d -b "$(sh_bundle ex 'sleep 100' "$(notifying "$MKDIR" $nnp)")" "$TAG-1" </dev/null >/dev/null 2>&1
    out=$(rt exec "$TAG-1" sh -c 'ls /proc/self/fd | tr "\n" " "; mkdir /tmp/y' 2>&1 </dev/null || true)
    has "$out" "No medium found"; has "$out" "0 1 2 3 "; hasnt "$out" "0 1 2 3 4"
    same "$(heard 2 '[.state.status, .metadata, .fds[0]]')" '["running","m 1","seccompFd"]'
    same "$(heard 2 .state.pid)" "$(rt state "$TAG-1" | jq .pid)"
    same "$(heard 2 '.pid != .state.pid')" true
    agent_ends
    out=$(rt exec "$TAG-1" true 2>&1 </dev/null) && fail "exec without its agent"
    has "$out" "exec failed: "; has "$out" "failed to connect with seccomp agent"
    same "$(rt state "$TAG-1" | jq -r .status)" running
    rt delete -f "$TAG-1"
  done
}
user_namespace() {
  agent mkdir=123
  has "$(inside 'mkdir /tmp/x' "$(notifying "$MKDIR") | $USERNS" || true)" "No medium found"
  has "$(inside 'mkdir /tmp/x' "$(notifying "$MKDIR" false) | $USERNS" || true)" "No medium found"
  agent_ends
}
own_calls_wait() {  # what init itself calls after the filter is there, the way its listener travels included
  local nnp
  agent
  for nnp in true false; do
    same "$(inside 'echo ran' "$(notifying '["execve", "open", "openat", "read", "close", "fcntl", "sendmsg", "recvmsg", "close_range", "setresuid", "capset", "chdir", "mkdir"]' $nnp)")" ran
    grep -q recvmsg "$HEARD/calls"; grep -q execve "$HEARD/calls"
  done
  grep -q setresuid "$HEARD/calls"
  agent_ends
}
own_calls_refused() {  # sendmsg(2) and recvmsg(2) fail: the listener is named instead, and what follows is written and read
  local nnp errno
  agent mkdir=123
  for nnp in true false; do
    for errno in 1 38; do
      has "$(inside 'mkdir /tmp/x' "$(notifying "$MKDIR" $nnp) | .linux.seccomp.syscalls += [{names: [\"sendmsg\", \"recvmsg\"], action: \"SCMP_ACT_ERRNO\", errnoRet: $errno}]" || true)" "No medium found"
    done
  done
  agent_ends
}
no_agent() {
  local rc=0 out
  rm -f "$SOCKET"
  refused "$(notifying "$MKDIR")" "failed to connect with seccomp agent $SOCKET: no such file or directory" /linux/seccomp/listenerPath
  refused "$(notifying "$MKDIR" false) | $USERNS" "failed to connect with seccomp agent" /linux/seccomp/listenerPath
  refused "$(notifying "$MKDIR") | .linux.seccomp.listenerPath = \"@$TAG-none\"" "connection refused" /linux/seccomp/listenerPath
  out=$(rt create -b "$(sh_bundle na true "$(notifying "$MKDIR")")" "$TAG-1" 2>&1 </dev/null) || rc=$?
  same "$rc" 1; has "$out" "seccomp: connect: failed to connect with seccomp agent"
  same "$(rt list -q)" ""
}
silent_agent() {  # takes the listener and answers nothing: init waits in a call of its own
  local rc=0 out began silent
  rm -f "$SOCKET"
  python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
held = s.accept()[0].recvmsg(1 << 20, socket.CMSG_LEN(4)); time.sleep(60)' "$SOCKET" >/dev/null 2>&1 &
  silent=$!
  until_ 5 test -S "$SOCKET"
  began=$SECONDS
  out=$(timeout -s KILL 20 "$OCITK" --root "$STATE" create -b "$(sh_bundle si true "$(notifying '["recvmsg"]')")" "$TAG-1" 2>&1 </dev/null) || rc=$?
  kill "$silent"
  same "$rc" 1; has "$out" "init waits for an answer of the seccomp agent"
  [ $((SECONDS - began)) -le 12 ] || fail "waited for $((SECONDS - began)) s"
  same "$(rt list -q)" ""
}
abstract_agent() {
  local SOCKET=@$TAG-agent
  agent mkdir=123
  has "$(inside 'mkdir /tmp/x' "$(notifying "$MKDIR")" || true)" "No medium found"
  agent_ends
}
agent_dies() {  # the calls fail, they do not wait for ever
  agent
  rt run -d -b "$(sh_bundle ad 'until [ -e /dev/shm/go ]; do sleep 0.05; done; mkdir /tmp/x; sleep 100' "$(notifying "$MKDIR")")" "$TAG-1" </dev/null >"$DIR/out" 2>&1
  agent_ends
  touch "/proc/$(rt state "$TAG-1" | jq .pid)/root/dev/shm/go"
  until_ 5 grep -q "Function not implemented" "$DIR/out"
  rt delete -f "$TAG-1"
}
not_needed() {  # a listenerPath without SCMP_ACT_NOTIFY is not looked at
  same "$(inside 'echo ran' '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/none", listenerMetadata: "x"}')" ran
}
bad_listeners() {
  local filter='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"}'
  refused "$(notifying "$MKDIR") | .linux.seccomp.listenerPath = \"\"| .linux.seccomp.listenerMetadata = \"\"" "listenerPath is not set" /linux/seccomp/listenerPath
  refused "$filter | .linux.seccomp.listenerMetadata = \"x\"" "listenerMetadata without listenerPath" /linux/seccomp/listenerMetadata
  refused "$(notifying '["mkdir", "write"]')" "SCMP_ACT_NOTIFY cannot be used for the write syscall" /linux/seccomp/syscalls/0
  refused "$(notifying "$MKDIR") | .linux.seccomp.defaultAction = \"SCMP_ACT_NOTIFY\"" "SCMP_ACT_NOTIFY cannot be used as default action" /linux/seccomp/defaultAction
}
hooks_get_no_listener() {
  agent mkdir=123
  local nnp
  for nnp in true false; do
    same "$(inside 'echo ran' "$(notifying "$MKDIR" $nnp) | .hooks.startContainer = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"[ \$(ls /proc/self/fd | wc -l) = 4 ] && ! mkdir /tmp/x\"]}]")" ran
  done
  grep -q mkdir "$HEARD/calls"  # the hook's, which is under the filter too
  agent_ends
}
planned() {
  agent
  local out; out=$(rt run --plan -b "$(sh_bundle pl true "$(notifying "$MKDIR")")" "$TAG-1")
  has "$out" "seccomp(SECCOMP_SET_MODE_FILTER, 12, {len="
  has "$out" "\"$SOCKET\")"
  same "$(ls "$HEARD")" calls  # nobody came
  agent_ends
}
by_the_tool() {
  agent mkdir=123
  local b out; b=$(sh_bundle tool 'mkdir /tmp/x' "$(notifying "$MKDIR")")
  out=$(cd / && PATH=$(dirname "$OCITK"):$PATH ocitk-spec -b "$b" ocitk-no-new-privs ocitk-seccomp sh -c "busybox mkdir '$DIR/made'" 2>&1 || true)
  has "$out" "No medium found"
  same "$(heard 1 '.state.status')" '"creating"'
  agent_ends
}

# flags_are JSON NUMBER [FILTER]: what the kernel is given.
flags_are() {
  local f='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["getppid"], action: "SCMP_ACT_ERRNO"}]}'
  has "$(rt run --plan -b "$(sh_bundle fl true "${3:-$f} | .linux.seccomp.flags = $1")" "$TAG-1")" "seccomp(SECCOMP_SET_MODE_FILTER, $2, "
}
flags() {
  flags_are null 4
  flags_are '[]' 0
  flags_are '["SECCOMP_FILTER_FLAG_TSYNC"]' 0
  flags_are '["SECCOMP_FILTER_FLAG_LOG"]' 2
  flags_are '["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]' 6
  flags_are '["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]' 0  # the kernel refuses it without a listener
  flags_are '["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]' 40 "$(notifying "$MKDIR")"
  local flag
  for flag in TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV; do
    same "$(inside 'echo ran' ".linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", flags: [\"SECCOMP_FILTER_FLAG_$flag\"]}")" ran
  done
  agent mkdir=123
  has "$(inside 'mkdir /tmp/x' "$(notifying "$MKDIR") | .linux.seccomp.flags = [\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]" || true)" "No medium found"
  agent_ends
  refused '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_NEW_LISTENER"]}' \
    'seccomp flag "SECCOMP_FILTER_FLAG_NEW_LISTENER" is not known' /linux/seccomp/flags/1
}
features() { same "$("$OCITK" features | jq -c '.linux.seccomp | [(.actions | index("SCMP_ACT_NOTIFY") != null), (.supportedFlags | length), (.archs | index("SCMP_ARCH_X32") != null)]')" '[true,4,true]'; }
words() {
  local s='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["getppid"], action: "SCMP_ACT_ERRNO"}]} | .linux.seccomp'
  refused "$s.defaultAction = \"SCMP_ACT_X\"" 'seccomp action "SCMP_ACT_X" is not known' /linux/seccomp/defaultAction
  refused "$s.defaultErrnoRet = 1" 'seccomp action SCMP_ACT_ALLOW takes no errno' /linux/seccomp/defaultErrnoRet
  refused "$s.architectures = [\"SCMP_ARCH_X86\", \"SCMP_ARCH_VAX\"]" 'seccomp architecture "SCMP_ARCH_VAX" is not known' /linux/seccomp/architectures/1
  refused "$s.syscalls[0].action = \"ERRNO\"" 'seccomp action "ERRNO" is not known' /linux/seccomp/syscalls/0
  refused "$s.syscalls[0].errnoRet = 4096" 'seccomp errno 4096 is above 4095' /linux/seccomp/syscalls/0/errnoRet
  refused "$s.syscalls[0] = {names: [\"getppid\"], action: \"SCMP_ACT_KILL\", errnoRet: 1}" 'seccomp action SCMP_ACT_KILL takes no errno' /linux/seccomp/syscalls/0/errnoRet
  refused "$s.syscalls[0].args = [{index: 0, value: 1, op: \"SCMP_CMP_EQ\"}, {index: 6, value: 1, op: \"SCMP_CMP_EQ\"}]" 'seccomp argument index 6 is above 5' /linux/seccomp/syscalls/0/args/1
  refused "$s.syscalls[0].args = [{index: 0, value: 1, op: \"==\"}]" 'seccomp operator "==" is not known' /linux/seccomp/syscalls/0/args/0
}

# Programs of a profile that denies what it does not list.
LISTED='["execve", "exit_group", "exit", "brk", "arch_prctl", "write", "newfstatat", "fstat", "fstat64", "statx", "mmap", "mmap2", "munmap", "mprotect", "uname", "readlink", "readlinkat", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "ugetrlimit", "getrandom", "rt_sigreturn", "ioctl", "openat2"]'
listed() {  # FILTER WORDS...
  local f=$1; shift
  rt run -b "$(bundle li ".process.args = [\"/bin/calls\"] + (\$words | split(\" \")) | .linux.seccomp = {defaultAction: \"SCMP_ACT_ERRNO\", syscalls: [{names: $LISTED, action: \"SCMP_ACT_ALLOW\"}]} | .linux.seccomp |= ($f)" --arg words "$*")" "$TAG-1" </dev/null
}
newer_calls() {  # 437 is openat2(2), the newest listed
  same "$(listed . 9000 438 436 110)" "38 38 1 1 "
  same "$(listed '.defaultErrnoRet = 77' 9000 438 436)" "38 38 77 "
  same "$(listed '.defaultAction = "SCMP_ACT_LOG"' 9000 110)" "38 0 "  # the kernel's own ENOSYS
  local all='.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]'
  same "$(listed "$all" 9000 0x40002328 0x4000006e x86:9000 x86:438 x86:436 x86:64)" "38 38 1 38 38 1 1 "
  local rc=0; listed . x86:64 || rc=$?; same "$rc" 159  # an entry that is not listed kills
  rc=0; listed '.architectures = ["SCMP_ARCH_X86"]' 0x4000006e || rc=$?; same "$rc" 159
}
arguments() {
  local s='.syscalls += [{names: ["umask"], action: "SCMP_ACT_ERRNO", errnoRet: 9, args: $a}] | .defaultAction = "SCMP_ACT_ALLOW" | .syscalls[0].action = "SCMP_ACT_LOG"'
  for_args() { local a=$1; shift; same "$(listed "$a as \$a | $s" 95,3 95,4 95,5 95,6 95,5,1)" "$*"; }
  for_args '[{index: 0, value: 5, op: "SCMP_CMP_EQ"}]' "0 0 9 0 9 "
  for_args '[{index: 0, value: 5, op: "SCMP_CMP_NE"}]' "9 9 0 9 0 "
  for_args '[{index: 0, value: 5, op: "SCMP_CMP_LT"}]' "9 9 0 0 0 "
  for_args '[{index: 0, value: 5, op: "SCMP_CMP_LE"}]' "9 9 9 0 9 "
  for_args '[{index: 0, value: 5, op: "SCMP_CMP_GE"}]' "0 0 9 9 9 "
  for_args '[{index: 0, value: 5, op: "SCMP_CMP_GT"}]' "0 0 0 9 0 "
  for_args '[{index: 0, value: 4, valueTwo: 4, op: "SCMP_CMP_MASKED_EQ"}]' "0 9 9 9 9 "
  for_args '[{index: 0, value: 5, op: "SCMP_CMP_EQ"}, {index: 1, value: 1, op: "SCMP_CMP_EQ"}]' "0 0 0 0 9 "
  for_args '[{index: 0, value: 3, op: "SCMP_CMP_EQ"}, {index: 0, value: 6, op: "SCMP_CMP_EQ"}]' "9 0 0 9 0 "
}
unknown_names() { same "$(listed '.syscalls += [{names: ["no_such_call", "getppid"], action: "SCMP_ACT_ALLOW"}]' 110)" "0 "; }

# A profile of an engine as the runtime gets it: for this machine and these capabilities.
CONVERT='def fits: (.arches // ["amd64"] | index("amd64") != null) and ((.caps // []) - $caps == []);
  def hit: (.arches // [] | index("amd64") != null) or ((.caps // []) - ((.caps // []) - $caps) != []);
  {defaultAction, defaultErrnoRet, architectures: [.archMap[] | select(.architecture == "SCMP_ARCH_X86_64") | .architecture, .subArchitectures[]],
   syscalls: [.syscalls[] | select((.includes // {} | fits) and ((.excludes // {} | hit) | not))
     | {names, action, args: (.args // []), errnoRet} | with_entries(select(.value != null))]} | with_entries(select(.value != null))'
# profile FILE [CAPS]: what a container with CAPS (a JSON list) gets of it, as $DIR/profile.json.
profile() { jq --argjson caps "${2:-[]}" "$CONVERT" "$1" >"$DIR/profile.json"; }
with_profile() { rt run -b "$(bundle rp ".process.args = [\"sh\", \"-c\", \$script] | .linux.seccomp = \$s[0] | .process.noNewPrivileges = $2" --arg script "$1" --slurpfile s "$DIR/profile.json")" "$TAG-1" </dev/null 2>&1; }
real_profile() {  # FILE WORDS ANSWERS: answers of `calls`, without capabilities
  local nnp
  profile "$1"
  for nnp in true false; do
    same "$(with_profile 'mkdir /dev/shm/x && cd /dev/shm/x && echo a | sed s/a/b/ | tee f && ls -l f | wc -l; calls 9000 x86:9000 0x40002328 39 x86:20 | tr -d "\n"' $nnp)" "$(printf 'b\n1\n38 38 38 0 0 ')"
    has "$(with_profile 'mount -t tmpfs t /dev/shm' $nnp || true)" "ermi"  # denied or not permitted
    same "$(with_profile "calls $2 41,1,1 135,0xffffffff 135,8 135,131080" $nnp)" "$3 0 0 0 0 "
  done
}
podman_profile() { real_profile /usr/share/containers/seccomp.json "135,5 41,16,3,9 180" "38 22 1"; }
docker_profile() {  # unshare(CLONE_NEWUSER), clone(CLONE_NEWUSER), clone3, personality(5)
  real_profile "$DOCKER" "272,0x10000000 56,0x10000000 435 135,5" "1 1 38 1"
  profile "$DOCKER" '["CAP_SYS_ADMIN"]'
  same "$(with_profile 'calls 272,0x10000000' true)" "0 "
}
rm -f "$SOCKET"
case_ "seccomp: an agent answers the calls that wait, and knows of which container" agent_answers
case_ "seccomp: the agent is told at create" create_and_start
case_ "seccomp: the agent is told of another process, and asked for" another_process
case_ "seccomp: an agent for a container with a user namespace" user_namespace
case_ "seccomp: calls of the setup wait for the agent" own_calls_wait
case_ "seccomp: a listener by name" own_calls_refused
case_ "seccomp: no agent, no container" no_agent
case_ "seccomp: an agent that takes the listener and never answers" silent_agent
case_ "seccomp: an agent of the abstract kind" abstract_agent
case_ "seccomp: an agent that dies leaves ENOSYS" agent_dies
case_ "seccomp: an agent nobody needs" not_needed
case_ "seccomp: a listener that cannot be" bad_listeners
case_ "seccomp: hooks get no listener" hooks_get_no_listener
case_ "seccomp: a plan tells nobody" planned
case_ "seccomp: the tool tells the agent" by_the_tool
case_ "seccomp: flags" flags
case_ "seccomp: features" features
case_ "seccomp: words that are not known" words
case_ "seccomp: calls newer than the profile" newer_calls
case_ "seccomp: arguments" arguments
case_ "seccomp: names nobody knows are skipped" unknown_names
case_ "seccomp: Podman's profile" podman_profile
DOCKER=/usr/local/share/ocitk-tests/docker-seccomp.json
if [ -e "$DOCKER" ]; then case_ "seccomp: Docker's profile" docker_profile
else echo "skip - seccomp: Docker's profile is not here (scripts/install-deps --tests brings it)"; fi
finish
