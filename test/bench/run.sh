#!/bin/bash
# run.sh OCITK FLOOR [RUNS]: `run` of the default bundle with `true`, against the floor, crun and runc; back to back and
# 0.4 s apart. Then `exec` of `true` in a container that sleeps, against crun and runc. Prints best and mean of each, and
# ratios to the first. As root; needs hyperfine, jq, crun and runc.
set -eu
ocitk=$1 floor=$2 runs=${3:-60}
for tool in hyperfine jq crun runc busybox; do
  command -v $tool >/dev/null || { echo "bench: $tool is missing"; exit 77; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/rootfs"/{bin,proc,sys/fs/cgroup,dev}
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/true"
(cd "$dir" && runc spec)
jq '.process.terminal = false | .process.args = ["/bin/true"]' "$dir/config.json" >"$dir/c" && mv "$dir/c" "$dir/config.json"

mkdir "$dir/sleeper"
jq --arg root "$dir/rootfs" '.root.path = $root | .process.args = ["/bin/busybox", "sleep", "1000"]' "$dir/config.json" >"$dir/sleeper/config.json"

show() { # name: figures, and ratios to the first
  echo "$1:"
  jq -r '.results as $r | ($r[0]) as $f | $r[] | "\(.command) \(.min * 1000) \(.mean * 1000) \(.min / $f.min) \(.mean / $f.mean) \($f.command)"' "$dir/$1.json" |
    awk '{printf "  %-6s best %6.2f ms  mean %6.2f ms   of %s: best x%.2f  mean x%.2f\n", $1, $2, $3, $6, $4, $5}'
}
measure() { # name, hyperfine options
  local name=$1
  shift
  # crun takes no cgroup2 tree beside v1; the others get the same view, so that all do the same work.
  unshare -m --propagation private sh -c '
    umount /sys/fs/cgroup/unified 2>/dev/null
    shift 0
    exec hyperfine -N --style none --warmup 5 "$@"' sh "$@" --export-json "$dir/$name.json" \
    -n floor "$floor $dir/rootfs bench-floor /bin/true" \
    -n ocitk "$ocitk --root $dir/s1 run --bundle $dir bench-ocitk" \
    -n crun "crun --root $dir/s2 run --bundle $dir bench-crun" \
    -n runc "runc --root $dir/s3 run --bundle $dir bench-runc" >/dev/null
  show "$name"
}
measure_exec() { # runs
  unshare -m --propagation private sh -c '
    umount /sys/fs/cgroup/unified 2>/dev/null
    dir=$1 runs=$2; shift 2
    n=0
    for rt; do n=$((n + 1)); $rt --root "$dir/e$n" run -d --bundle "$dir/sleeper" "bench-exec$n" </dev/null >/dev/null 2>&1; done
    hyperfine -N --style none --warmup 5 --runs "$runs" --export-json "$dir/exec.json" \
      -n ocitk "$1 --root $dir/e1 exec bench-exec1 /bin/true" -n crun "$2 --root $dir/e2 exec bench-exec2 /bin/true" \
      -n runc "$3 --root $dir/e3 exec bench-exec3 /bin/true" >/dev/null
    n=0
    for rt; do n=$((n + 1)); $rt --root "$dir/e$n" delete -f "bench-exec$n"; done' sh "$dir" "$1" "$ocitk" crun runc
  show exec
}
measure "back to back" --runs "$runs"
measure "0.4 s apart" --runs "$((runs / 3))" --prepare 'sleep 0.4'
measure_exec "$runs"
