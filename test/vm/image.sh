#!/bin/bash
# image.sh DIR: makes a Debian machine in DIR (disk, vmlinuz, initrd) that boots under qemu: systemd, cgroup v2 only, AppArmor, a
# kernel of its own. What is there already is kept while this file is the same. Needs root, mmdebstrap, e2fsprogs.
#
# The machine reads a tar archive from its second disk into /t, runs /t/test/vm/inside.sh, writes /t/results as a tar
# archive to its third disk, and powers off.
set -eu
dir=${1:?directory to make the machine in}
stamp=$(sha256sum <"$0")
[ -s "$dir/disk" ] && [ "$(cat "$dir/stamp" 2>/dev/null)" = "$stamp" ] && exit 0

packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,udev,kmod,linux-image-cloud-amd64,apparmor
packages+=,iproute2,procps,psmisc,util-linux-extra,bsdutils,uidmap,sudo,jq,busybox-static,python3-minimal,python3,strace
packages+=,podman,conmon,containerd,runc,crun,criu,iptables,ca-certificates,slirp4netns,fuse-overlayfs

rm -rf "$dir"
mkdir -p "$dir/root"
mmdebstrap --quiet --aptopt='APT::Install-Recommends "false"' --variant=minbase --include="$packages" bookworm - |
  tar -xpf - -C "$dir/root"
cp "$dir"/root/boot/vmlinuz-* "$dir/vmlinuz"
cp "$dir"/root/boot/initrd.img-* "$dir/initrd"

cd "$dir/root"
echo '/dev/vda / ext4 defaults 0 1' >etc/fstab
echo vm >etc/hostname
cat >etc/systemd/system/job.service <<'UNIT'
[Unit]
After=multi-user.target

[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
Delegate=yes
ExecStart=/usr/local/sbin/job
ExecStopPost=/bin/systemctl poweroff -f -f

[Install]
WantedBy=default.target
UNIT
cat >usr/local/sbin/job <<'JOB'
#!/bin/bash
mkdir -p /t/results
tar -xf /dev/vdb -C /t && bash /t/test/vm/inside.sh
tar -cf /dev/vdc -C /t/results .
sync
JOB
chmod 755 usr/local/sbin/job
chroot . systemctl -q enable job.service
chroot . systemctl -q mask serial-getty@ttyS0.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
chroot . useradd -m -u 1000 -s /bin/bash user  # useradd gives it ranges in /etc/subuid and /etc/subgid
mkdir -p var/lib/systemd/linger
touch var/lib/systemd/linger/user

cd ..
truncate -s 8G disk.new
mkfs.ext4 -q -d root disk.new
rm -rf root
mv disk.new disk
echo "$stamp" >stamp
