#!/bin/bash
# Runs the integration tests inside the machine of image.sh: as root. Leaves a log for each and a line in `summary`: exit
# code, seconds, name.
cd /t || exit 1
export PATH=$PATH:/usr/sbin:/sbin
echo "machine: kernel $(uname -r), $(stat -f -c %T /sys/fs/cgroup), systemd $(systemctl --version | awk 'NR == 1 {print $2}'), AppArmor $(cat /sys/module/apparmor/parameters/enabled)"

run() { # name, command...
  local name=$1 rc=0 begun=$SECONDS
  shift
  timeout -k 5 600 "$@" >"results/$name.log" 2>&1 </dev/null || rc=$?
  echo "$rc $((SECONDS - begun)) $name" >>results/summary
  echo "machine: $name: exit $rc, $((SECONDS - begun)) s"
}
for name in $(cat tests); do
  run "$name" env OCITK=/t/ocitk bash "test/integration/$name.sh"
done
