#!/bin/bash
# Verdicts before anything runs: each kind of finding, both formats, the exit status, and that what check passes runs.
. "$(dirname "$0")/lib.sh"

# judged STATUS BUNDLE [option...]: prints the findings, one `severity pointer` a line, after a look at the status.
judged() {
  local wanted=$1 b=$2 rc=0 out; shift 2
  out=$(rt check -f json "$@" "$b") || rc=$?
  same "$rc" "$wanted" || return 1
  same "$(jq -r '.errors == ([.findings[] | select(.severity == "error")] | length)' <<<"$out")" true || return 1
  same "$(jq -r '.warnings == ([.findings[] | select(.severity == "warning")] | length)' <<<"$out")" true || return 1
  jq -r '.findings[] | [.severity, .pointer] | join(" ")' <<<"$out"
}
# finding POINTER BUNDLE: the finding about one place, as an object.
finding() { rt check -f json "$2" | jq -c --arg p "$1" '.findings[] | select(.pointer == $p)' || true; }
# contents DIRECTORY: what is there, for a comparison.
contents() { (cd "$1" && find . -printf '%p %s %T@ %m\n' | sort); }

fine() {
  local b; b=$(sh_bundle fine true)
  same "$(judged 0 "$b")" ""
  same "$(rt check "$b")" "no errors, no warnings"
  same "$(cd "$b" && rt check --strict)" "no errors, no warnings"
  rt run -b "$b" "$TAG-1"
}
unknown_keys() {
  local b; b=$(bundle keys '.process.capabilites = {} | .seccomp = {} | .annotations.proces = "x" | .windows = {a: 1}')
  same "$(judged 0 "$b")" "warning /process/capabilites
warning /seccomp"
  has "$(rt check "$b")" 'warning: /process/capabilites: unknown key, did you mean "capabilities"?'
  same "$(finding /process/capabilites "$b" | jq -r .suggestion)" capabilities
  has "$(finding /seccomp "$b")" "belongs to /linux"
  judged 1 "$b" --strict >/dev/null
}
many_errors() {
  local b; b=$(bundle many '.process.env += [3, "A", "B=1", "=c"] | .process.cwd = "x" | .process.rlimits[0].type = "RLIMIT_NOFIL"
    | .mounts[1].options += ["nosiud"] | .mounts += [{destination: "/x", type: "bind", source: "/tmp", options: ["noexc"]}]
    | .linux.sysctl = {"kernel.panic": "1", "net.ipv4.ip_forward": "1"} | .linux.namespaces[1].type = "netwrok"
    | .linux.seccomp = {defaultAction: "SCMP_ACT_ALOW", syscalls: [{names: ["raed"], action: "SCMP_ACT_ERRNO"}]}')
  same "$(judged 1 "$b" | sort)" "error /linux/namespaces/1/type
error /linux/seccomp/defaultAction
error /linux/sysctl/kernel.panic
error /mounts/7/options/0
error /process/cwd
error /process/env/2
error /process/env/3
error /process/env/5
error /process/rlimits/0/type
warning /linux/seccomp/syscalls/0/names/0
warning /mounts/1/options/4"
  local p
  for p in /linux/namespaces/1/type=network /linux/seccomp/defaultAction=SCMP_ACT_ALLOW /mounts/7/options/0=noexec \
    /process/rlimits/0/type=RLIMIT_NOFILE /linux/seccomp/syscalls/0/names/0=read /mounts/1/options/4=nosuid; do
    same "$p $(finding "${p%=*}" "$b" | jq -r .suggestion)" "$p ${p#*=}"
  done
}
broken() {
  mkdir -p "$DIR/broken"; printf '{\n  "a": [1,\n}' >"$DIR/broken/config.json"
  same "$(judged 1 "$DIR/broken")" "error "
  has "$(rt check "$DIR/broken" || true)" "line 3, column 1"
  local rc=0; rt check "$DIR/nowhere" 2>/dev/null || rc=$?; same "$rc" 1
  mkdir -p "$DIR/none"; has "$(rt check "$DIR/none" 2>&1 || true)" "config.json not found"
}
roots() {
  ln -sfn "$DIR/rootfs" "$DIR/link"
  has "$(rt check "$(bundle r1 '.root.path = "/nowhere"')" || true)" "error: /root/path: /nowhere: no such file or directory"
  same "$(judged 2 "$(bundle r2 '.root.path = $link' --arg link "$DIR/link")")" "error /root/path"
}
programs() {
  printf '#!/bin/none\n' >"$DIR/rootfs/bin/bad"; chmod +x "$DIR/rootfs/bin/bad"
  local b; b=$(bundle p1 '.process.args = ["bad"]')
  same "$(judged 2 "$b")" "error /process/args/0"
  has "$(finding /process/args/0 "$b")" "/bin/none"
  has "$(rt run -b "$b" "$TAG-1" 2>&1 || true)" "exec /bin/bad: no such file or directory"  # what the kernel tells
  rm "$DIR/rootfs/bin/bad"
  same "$(judged 2 "$(bundle p2 '.process.args = ["nosuch"]')")" "error /process/args/0"
  same "$(judged 2 "$(bundle p3 '.process.args = ["/etc/passwd"]')")" "error /process/args/0"
  mkdir -p "$DIR/tools"; cp "$(command -v busybox)" "$DIR/tools/true"
  b=$(bundle p4 '.process.args = ["/opt/tools/true"] | .mounts += [{destination: "/opt/tools", type: "bind", source: $s, options: ["bind"]}]' --arg s "$DIR/tools")
  same "$(judged 0 "$b")" ""
  rt run -b "$b" "$TAG-1"
  same "$(judged 0 "$(bundle p5 '.process.args = ["/t/x"] | .mounts += [{destination: "/t", type: "tmpfs"}]')")" "note /process/args/0"
}
host_files() {
  : >"$DIR/plain"
  local b; b=$(bundle files '.mounts += [{destination: "/x", type: "bind", source: "nowhere"}] | .hooks = {prestart: [{path: $plain}, {path: "/bin/true"}]}
    | .linux.namespaces |= map(if .type == "uts" then .path = "/proc/self/ns/net" elif .type == "ipc" then .path = "/nowhere" else . end)' --arg plain "$DIR/plain")
  same "$(finding /mounts/7/source "$b" | jq -r '.severity + " " + .needs')" "error $b/nowhere"
  same "$(finding /hooks/prestart/0/path "$b" | jq -r .needs)" "an executable $DIR/plain"
  same "$(finding /hooks/prestart/1/path "$b")" ""
  has "$(finding /linux/namespaces/3/path "$b")" "/proc/self/ns/net is no uts namespace"
  has "$(finding /linux/namespaces/2/path "$b")" "no such file or directory"
}
kernel() {
  local b; b=$(bundle kernel '.mounts += [{destination: "/x", type: "tmpsf"}]')
  same "$(judged 2 "$b")" "error /mounts/7/type"
  same "$(finding /mounts/7/type "$b" | jq -r '.needs + "," + .suggestion')" "file system tmpsf,tmpfs"
  has "$(rt run -b "$b" "$TAG-1" 2>&1 || true)" "no such device"
  grep -qs Y /sys/module/apparmor/parameters/enabled && return
  has "$(finding /process/apparmorProfile "$(bundle aa '.process.apparmorProfile = "p"')")" '"needs":"AppArmor"'
}
limits() {
  local b; b=$(bundle lim '.linux.resources.rdma = {nodev: {hcaHandles: 1}} | .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1, hard: 1000000000000}]')
  has "$(judged 2 "$b")" "error /process/rlimits/0/hard"
  if ! grep -qw rdma /proc/cgroups /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
    has "$(finding /linux/resources/rdma/nodev "$b")" '"needs":"cgroup controller rdma"'
    has "$(rt run -b "$b" "$TAG-1" 2>&1 || true)" 'controller \"rdma\" not available'
  fi
}
without_root() {
  chmod 711 "$DIR"; cp "$OCITK" "$DIR/ocitk"
  local as="setpriv --reuid 1000 --regid 1000 --clear-groups" b out rc=0
  b=$(sh_bundle user true)
  out=$($as "$DIR/ocitk" check "$b") || rc=$?
  same "$rc" 2
  has "$out" "error: /linux/namespaces: rootless container requires user namespaces (needs root)"
  rm "$b/config.json"; chown 1000 "$b"
  (cd "$b" && $as "$DIR/ocitk" spec --rootless)
  jq --arg rootfs "$DIR/rootfs" '.root.path = $rootfs | .process.terminal = false' "$b/config.json" >"$b/new" && mv "$b/new" "$b/config.json"
  chmod 644 "$b/config.json"
  same "$($as "$DIR/ocitk" check "$b")" "no errors, no warnings"
  jq '.linux.uidMappings += [{containerID: 1, hostID: 5, size: 3}]' "$b/config.json" >"$b/new" && mv "$b/new" "$b/config.json"
  rc=0; out=$($as "$DIR/ocitk" check "$b") || rc=$?
  same "$rc" 2
  has "$out" "error: /linux/uidMappings/1: the caller may not map host ids 5 to 7"
}
changes_nothing() {
  local b before; b=$(bundle same '.process.args = ["nosuch"] | .process.cwd = "/new" | .linux.cgroupsPath = "/" + $id + "-check"
    | .mounts += [{destination: "/a/b", type: "bind", source: $root, options: ["bind"]}]' --arg id "$TAG" --arg root "$DIR/rootfs")
  before=$(contents "$b"; contents "$DIR/rootfs")
  rt check "$b" >/dev/null || true
  same "$(contents "$b"; contents "$DIR/rootfs")" "$before"
  same "$(our_cgroups)" ""
  [ ! -e "$STATE" ] || same "$(ls "$STATE")" ""
}
usage() {
  has "$(rt check -f xml 2>&1 || true)" "invalid format option"
  has "$(rt check a b 2>&1 || true)" "requires a maximum of 1 argument"
  has "$(rt check --help)" "--strict"
  has "$(rt --help)" "check"
}

case_ "a fine bundle has no findings, and runs" fine
case_ "unknown keys are warnings, with what was meant or where they belong" unknown_keys
case_ "errors do not hide each other" many_errors
case_ "a document that cannot be read" broken
case_ "the root file system is missing, or a link" roots
case_ "the program, its interpreter, and those in bind mounts" programs
case_ "sources, hooks and namespaces" host_files
case_ "what the kernel does not have" kernel
case_ "controllers and limits of this host" limits
case_ "a caller who is not root" without_root
case_ "check changes nothing" changes_nothing
case_ "wrong usage" usage
finish
