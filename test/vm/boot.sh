#!/bin/bash
# boot.sh DIR INPUT.tar RESULTS_DIR SECONDS: boots the machine of image.sh once, with a copy of its disk that is thrown away, hands it
# the archive and unpacks what it gives back. The console goes to standard output.
set -eu
dir=$1 input=$2 results=$3 seconds=$4
out=$(mktemp "$dir/results.XXXXXX")
trap 'rm -f "$out"' EXIT
truncate -s 256M "$out"
truncate -s %512 "$input"
timeout "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 4096 -display none -monitor none -no-reboot \
  -nic none -serial stdio -kernel "$dir/vmlinuz" -initrd "$dir/initrd" \
  -append 'console=ttyS0 root=/dev/vda rw quiet mitigations=off panic=-1 systemd.show_status=false' \
  -drive "file=$dir/disk,format=raw,if=virtio,snapshot=on" \
  -drive "file=$input,format=raw,if=virtio,readonly=on" \
  -drive "file=$out,format=raw,if=virtio,cache=unsafe" </dev/null ||
  { echo "boot.sh: the machine did not power off within $seconds s" >&2; exit 1; }
mkdir -p "$results"
tar -xf "$out" -C "$results"
