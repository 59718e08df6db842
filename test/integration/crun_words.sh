#!/bin/bash
# What crun's callers say and runc's do not: options and annotations.
. "$(dirname "$0")/lib.sh"

sleeper() { rt run -d -b "$(sh_bundle sleeper 'sleep 1000' "${2:-.}")" "$1" </dev/null >/dev/null 2>&1; }
# refused COMMAND...: fails with 1; what it said is in $DIR/err.
refused() { local rc=0; "$@" >/dev/null 2>"$DIR/err" </dev/null || rc=$?; same "$rc" 1; }

config_file() {
  local b; b=$(sh_bundle conf 'echo bundle')
  jq '.process.args = ["echo", "other"]' "$b/config.json" >"$DIR/other.json"
  same "$(rt run -b "$b" -f "$DIR/other.json" "$TAG-1")" other
  same "$(cd "$DIR" && rt run --bundle "$b" --config other.json "$TAG-1")" other  # from where the caller is
  rt create -b "$b" --config "$DIR/other.json" --no-subreaper "$TAG-1" </dev/null >/dev/null 2>&1
  rm "$DIR/other.json"; rt start "$TAG-1"; until_ 5 status_is "$TAG-1" stopped; rt delete "$TAG-1"
  refused rt run -b "$b" -f "$DIR/none.json" "$TAG-1"; has "$(cat "$DIR/err")" "JSON specification file $DIR/none.json not found"
}
patterns() {
  local i; for i in a1 a2 b1; do sleeper "$TAG-$i"; done
  rt kill --regex "$TAG-a." KILL
  until_ 5 status_is "$TAG-a1" stopped; until_ 5 status_is "$TAG-a2" stopped; status_is "$TAG-b1" running
  refused rt delete --regex "$TAG"; has "$(cat "$DIR/err")" "$TAG-b1: cannot delete container $TAG-b1 that is not stopped: running"
  same "$(rt list -q)" "$TAG-b1"  # one that fails does not keep the others
  refused rt delete -f -r "$TAG-["; has "$(cat "$DIR/err")" "invalid regular expression"
  rt delete -r nothing-like-it
  rt delete -f -r "^$TAG-b[0-9]$"; same "$(rt list -q)" ""
}
cgroup_managers() {
  sleeper "$TAG-1"; [ -n "$(our_cgroups)" ]; rt delete -f "$TAG-1"
  rt --cgroup-manager=cgroupfs run -d -b "$(sh_bundle sleeper 'sleep 1000')" "$TAG-1" </dev/null >/dev/null 2>&1
  [ -n "$(our_cgroups)" ]; rt delete -f "$TAG-1"
  refused rt --cgroup-manager systemd run -b "$(sh_bundle x true)" "$TAG-1"; has "$(cat "$DIR/err")" "systemd"
  refused rt --cgroup-manager other list; has "$(cat "$DIR/err")" "invalid cgroup-manager: other"
}
no_cgroups() {  # neither cgroups nor limits, with a PID namespace and without
  local ns pid
  for ns in . '.linux.namespaces |= map(select(.type != "pid"))'; do
    rt --cgroup-manager=disabled run -d -b "$(sh_bundle free 'sleep 1000' ".linux.resources.pids.limit = 1 | $ns")" "$TAG-1" </dev/null >/dev/null 2>&1
    pid=$(rt state "$TAG-1" | jq .pid)
    same "$(our_cgroups)" ""
    same "$(cat "/proc/$pid/cgroup")" "$(cat /proc/self/cgroup)"
    same "$(rt exec "$TAG-1" echo in </dev/null)" in
    rt kill "$TAG-1" KILL; until_ 5 status_is "$TAG-1" stopped
    rt delete "$TAG-1"
    rt --cgroup-manager=disabled run -d -b "$(sh_bundle free 'sleep 1000' "$ns")" "$TAG-1" </dev/null >/dev/null 2>&1
    pid=$(rt state "$TAG-1" | jq .pid); rt delete -f "$TAG-1"; until_ 5 test ! -e "/proc/$pid"
  done
}
logs() {
  refused rt --log "file:$DIR/log" --log-format=json run -b "$DIR" "$TAG-1"
  has "$(jq -r .msg "$DIR/log")" "config.json not found"
  same "$(rt --log-level debug --log-format json list 2>&1 >/dev/null | jq -r .level)" debug
  same "$(rt --log-level error --log-format json list 2>&1 >/dev/null)" ""
  refused rt --log syslog:x list; has "$(cat "$DIR/err")" "--log takes a file"
}
groups() {  # podman's --group-add=keep-groups
  local b; b=$(sh_bundle groups 'id -G' '.process.user = {uid: 1000, gid: 1000, additionalGids: [5]}')
  same "$(setpriv --groups 0,4242 "$OCITK" --root "$STATE" run -b "$b" "$TAG-1")" "1000 5"
  jq '.annotations["run.oci.keep_original_groups"] = "1"' "$b/config.json" >"$b/n" && mv "$b/n" "$b/config.json"
  same "$(setpriv --groups 0,4242 "$OCITK" --root "$STATE" run -b "$b" "$TAG-1")" "1000 0 4242"
}

case_ "a config.json from elsewhere" config_file
case_ "kill and delete by regular expression" patterns
case_ "managers of cgroups" cgroup_managers
case_ "without cgroups" no_cgroups
case_ "words for the log" logs
case_ "the groups of the caller are kept" groups
finish
