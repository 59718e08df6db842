#!/bin/bash
# What goes wrong is told once, with stage, call and pointer, and leaves nothing behind.
. "$(dirname "$0")/lib.sh"

# refused BUNDLE TEXT...: run fails with 1 and says every text.
refused() {
  local b=$1 rc=0 out; shift
  out=$(rt run -b "$b" "$TAG-1" 2>&1 </dev/null) || rc=$?
  same "$rc" 1
  while [ $# -gt 0 ]; do has "$out" "$1"; shift; done
}
no_config() { mkdir -p "$DIR/empty"; refused "$DIR/empty" "JSON specification file config.json not found"; }
broken_json() { mkdir -p "$DIR/broken"; printf '{\n  "a": [1,\n}' >"$DIR/broken/config.json"; refused "$DIR/broken" "line 3, column 1"; }
wrong_type() { refused "$(bundle wt '.process.args = "sh"')" "config.json#/process/args" "expected an array"; }
deep_json() {
  mkdir -p "$DIR/deep"; printf '[%.0s' $(seq 100000) >"$DIR/deep/config.json"; refused "$DIR/deep" "nested deeper"
}
missing_root() { refused "$(bundle mr '.root.path = "/nowhere"')" "no such file or directory" "config.json#/root/path"; }
failing_mount() {
  local b; b=$(bundle fm '.mounts += [{destination: "/mnt", type: "bind", source: "/nowhere", options: ["bind"]}]')
  refused "$b" "rootfs: open_tree: " "bind /nowhere on /mnt" "no such file or directory" "config.json#/mounts/7"
  local rc=0; rt --log "$DIR/log" --log-format json run -b "$b" "$TAG-1" 2>"$DIR/err" || rc=$?
  same "$rc" 1
  same "$(wc -l <"$DIR/log")" 1
  same "$(jq -r '[.level, .stage, .call, .errno, .pointer] | join("|")' "$DIR/log")" \
    "error|rootfs|open_tree|no such file or directory|config.json#/mounts/7"
  has "$(cat "$DIR/err")" "config.json#/mounts/7"
  jq -re .time "$DIR/log" | grep -Eq '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$'
}
ids() {
  local b; b=$(sh_bundle ids true)
  has "$(rt run -b "$b" ../x 2>&1 || true)" "invalid container ID format"
  has "$(rt run -b "$b" "" 2>&1 || true)" "container id cannot be empty"
  has "$(rt state "$TAG-none" 2>&1 || true)" "container does not exist"
  has "$(rt delete "$TAG-none" 2>&1 || true)" "container does not exist"
  rt delete -f "$TAG-none"
}
used_id() {
  local b; b=$(sh_bundle used 'sleep 100')
  rt run -d -b "$b" "$TAG-1" </dev/null >/dev/null 2>&1
  has "$(rt run -b "$b" "$TAG-1" 2>&1 || true)" "container with given ID already exists"
  status_is "$TAG-1" running
  rt delete -f "$TAG-1"
}
missing_program() {
  refused "$(bundle mp '.process.args = ["no-such"]')" 'exec: \"no-such\": executable file not found in $PATH'
  has "$(rt create -b "$(bundle mp '.process.args = ["/bin"]')" "$TAG-1" 2>&1 </dev/null || true)" "is a directory"
  has "$(rt create -b "$(bundle mp '.process.args = ["/etc/passwd"]')" "$TAG-1" 2>&1 </dev/null || true)" "permission denied"
}
bad_interpreter() {
  printf '#!/none\n' >"$DIR/rootfs/bad"; chmod +x "$DIR/rootfs/bad"
  local rc=0 out; out=$(rt run -b "$(bundle bi '.process.args = ["/bad"]')" "$TAG-1" 2>&1) || rc=$?
  same "$rc" 255
  same "$(wc -l <<<"$out")" 1
  has "$out" "exec /bad: no such file or directory (its #! interpreter /none is missing in the rootfs)"
}
called_runc() {  # no word more than runc's where callers compare
  ln -sf "$OCITK" "$DIR/runc"; printf '#!/none\n' >"$DIR/rootfs/bad"; chmod +x "$DIR/rootfs/bad"
  same "$("$DIR/runc" --root "$STATE" run -b "$(bundle bi '.process.args = ["/bad"]')" "$TAG-1" 2>&1 || true)" "exec /bad: no such file or directory"
  has "$("$DIR/runc" --version)" "runc version "
}
debug_records() {
  local b out command; b=$(bundle dbg '.process.args = ["true"]')
  out=$(rt --debug --log-format json run -b "$b" "$TAG-1" 2>&1)
  same "$(jq -r .msg <<<"$out")" "command run"
  out=$(rt --debug --log-format json list 2>&1 >/dev/null); same "$(jq -r .msg <<<"$out")" "command list"
}
bad_limit() {
  refused "$(bundle bl '.linux.resources.memory = {limit: 4096, swap: 1}')" "cgroup: " "config.json#/linux/resources/memory"
}
usage() {
  has "$(rt nonsense 2>&1 || true)" "No help topic for 'nonsense'"
  has "$(rt run --nonsense x 2>&1 || true)" "flag provided but not defined: -nonsense"
  has "$(rt run --bundle 2>&1 || true)" "flag needs an argument: --bundle"
  has "$(rt start 2>&1 || true)" "requires exactly 1 argument"
  has "$("$OCITK" --root / list 2>&1 || true)" "Option --root argument should not be set to /"
  has "$(rt kill "$TAG-x" NONSENSE 2>&1 || true)" 'unknown signal \"NONSENSE\"'
  rt --help >/dev/null; rt run --help >/dev/null
}
codes() {
  local n rc
  for n in 0 1 42 255; do rc=0; rt run -b "$(sh_bundle ec "exit $n")" "$TAG-1" || rc=$?; same "$rc" "$n"; done
  rc=0; rt run -b "$(bundle sig '.process.args = ["sh", "-c", "kill -9 $$"] | .linux.namespaces |= map(select(.type != "pid"))')" "$TAG-1" || rc=$?
  same "$rc" 137
}

case_ "a bundle without config.json" no_config
case_ "broken JSON: line and column" broken_json
case_ "a wrong type: the pointer" wrong_type
case_ "JSON 100000 levels deep" deep_json
case_ "a missing rootfs" missing_root
case_ "a failing mount: stage, call, errno and pointer, in the log too" failing_mount
case_ "bad and unknown ids" ids
case_ "a used id" used_id
case_ "a missing program is an error of create" missing_program
case_ "a bad interpreter is one line of the container and 255" bad_interpreter
case_ "a program called runc has runc's words" called_runc
case_ "a command is recorded once" debug_records
case_ "a limit the kernel refuses" bad_limit
case_ "wrong usage" usage
case_ "exit codes are the payload's" codes
finish
