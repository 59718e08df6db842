#!/bin/bash
# check.sh NAME PROGRAM SOURCE OCITK: runs an example and compares what it prints; 30 lines are to be enough for each.
set -eu
name=$1 program=$2 source=$3 ocitk=$(realpath "$4")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() { echo "example $name: $*"; exit 1; }
skip() { echo "skip: $1"; exit 77; }
prints() { # wanted, command...
  local wanted=$1 got
  shift
  got=$("$@" 2>&1) || fail "exit code $? and: $got"
  [ "$got" = "$wanted" ] || { diff <(echo "$wanted") <(echo "$got") || true; fail "prints something else"; }
}
bundle() { # script
  [ "$(id -u)" = 0 ] || skip "needs root"
  mkdir -p "$dir/rootfs/bin"
  cp "$(command -v busybox)" "$dir/rootfs/bin/"
  (cd "$dir" && "$ocitk" spec)
  jq --arg script "$1" '.process.terminal = false | .process.args = ["/bin/busybox", "sh", "-c", $script]
    | del(.mounts[] | select(.type == "cgroup"))' "$dir/config.json" >"$dir/new" && mv "$dir/new" "$dir/config.json"
}

[ "$(wc -l <"$source")" -le 30 ] || fail "longer than 30 lines"
case $name in
one_stage) prints 'open files: 64 of 128' "$program" ;;
no_config) prints $'inside\n64\nNoNewPrivs:\t1' "$program" ;;
own_stage)
  bundle 'busybox cut -d" " -f19 /proc/self/stat; busybox hostname; echo $$'
  prints $'7\nrunc\n1' "$program" "$dir"
  ;;
threaded_host)
  bundle 'busybox sleep 0.2; exit 42'
  id=example-$$
  prints "the calling process has 2 threads and only one of them would be in its copy: start a helper process
$id: 42" "$program" "$ocitk" "$dir" "$id"
  ;;
*) fail "has no check" ;;
esac
