#!/bin/bash
# Every kind of mount, looked at from inside: flags in mountinfo, owners, content; and what of it the host sees.
. "$(dirname "$0")/lib.sh"
need python3

# inside SCRIPT [FILTER]: what a shell script prints in a container. MOUNTS_OF_CASE goes on top of the default mounts.
inside() { rt run $RUN_OPTIONS -b "$(sh_bundle in "$@")" "$TAG-1" </dev/null; }
RUN_OPTIONS=
# with DESTINATION TYPE SOURCE OPTION...: a jq filter that adds a mount.
with() {
  local d=$1 t=$2 s=$3; shift 3
  echo ".mounts += [$(jq -nc --arg d "$d" --arg t "$t" --arg s "$s" '{destination: $d, type: $t, source: $s, options: $ARGS.positional}' --args -- "$@")]"
}
# flags: mountpoints below /data and their flags, on one line.
FLAGS='awk "\$5 ~ \"^/data\" {print \$5, \$6}" /proc/self/mountinfo'
flags() { inside "$FLAGS" "$1" | tr '\n' ' '; }
refused() {
  local out rc=0; out=$(inside true "$1" 2>&1) || rc=$?
  same "$rc" 1; shift
  while [ $# -gt 0 ]; do has "$out" "$1"; shift; done
}
USERNS='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
NETLESS='.linux.namespaces |= map(select(.type != "network"))'

V=$DIR/vol
chmod 755 "$DIR"  # a container's root in a user namespace has to reach what is bound
mkdir "$DIR/rootfs/data" "$DIR/rootfs/data2"  # and may not make a mountpoint in a root that is the host's
volume() {  # a tmpfs of the test's, gone with the case
  mkdir -p "$V"
  trap 'umount -R "$V"' EXIT
  mount -t tmpfs -o "${1:-rw},mode=755" vol "$V"
}
nested() {
  volume
  mkdir "$V/sub"; mount -t tmpfs sub "$V/sub"
  mkdir "$V/sub/deep"; mount -t tmpfs -o ro,nosuid,noatime deep "$V/sub/deep"
}

recursive_attributes() {
  nested
  local word top sub deep
  while read -r word top sub deep; do
    same "$word $(flags "$(with /data none "$V" rbind ${word//,/ })")" "$word /data $top /data/sub $sub /data/sub/deep $deep "
  done <<'TABLE'
private rw,relatime rw,relatime ro,nosuid,noatime
rro ro,relatime ro,relatime ro,nosuid,noatime
rrw rw,relatime rw,relatime rw,nosuid,noatime
rnosuid rw,nosuid,relatime rw,nosuid,relatime ro,nosuid,noatime
rsuid rw,relatime rw,relatime ro,noatime
rnodev rw,nodev,relatime rw,nodev,relatime ro,nosuid,nodev,noatime
rdev rw,relatime rw,relatime ro,nosuid,noatime
rnoexec rw,noexec,relatime rw,noexec,relatime ro,nosuid,noexec,noatime
rexec rw,relatime rw,relatime ro,nosuid,noatime
rnodiratime rw,nodiratime,relatime rw,nodiratime,relatime ro,nosuid,noatime,nodiratime
rnoatime rw,noatime rw,noatime ro,nosuid,noatime
ratime rw,relatime rw,relatime ro,nosuid,relatime
rrelatime rw,relatime rw,relatime ro,nosuid,relatime
rstrictatime rw rw ro,nosuid
rnosymfollow rw,relatime,nosymfollow rw,relatime,nosymfollow ro,nosuid,noatime,nosymfollow
rro,rw rw,relatime ro,relatime ro,nosuid,noatime
rrw,ro ro,relatime rw,relatime rw,nosuid,noatime
rro,rnosuid,rstrictatime ro,nosuid ro,nosuid ro,nosuid
ro ro,relatime rw,relatime ro,nosuid,noatime
TABLE
  has "$(inside 'touch /data/sub/x || true' "$(with /data none "$V" rbind rro)" 2>&1)" "Read-only file system"
  same "$(inside 'touch /data/sub/x && echo made' "$(with /data none "$V" rbind ro)")" made
}
not_recursive() {
  nested
  same "$(flags "$(with /data none "$V" bind rro)")" "/data ro,relatime "
  same "$(inside 'ls /data/sub' "$(with /data none "$V" bind)")" ""
}

MAP() { echo "[{containerID: $1, hostID: $2, size: $3}]"; }
owned_files() { volume; touch "$V/a" "$V/b" "$V/c"; chown 1000:1001 "$V/a"; chown 2000:3000 "$V/b"; }
OWNERS='stat -c "%n %u:%g" /data/*'
idmap_own() {
  owned_files
  local m="$(with /data bind "$V" bind) | .mounts[-1].uidMappings = $(MAP 1000 7 2) | .mounts[-1].gidMappings = $(MAP 1001 8 2)"
  same "$(inside "$OWNERS" "$m" | tr '\n' ' ')" "/data/a 7:8 /data/b 65534:65534 /data/c 65534:65534 "
  same "$(inside "$OWNERS" "$(with /data bind "$V" 'idmap=uids=1000-7-1#2000-9-1;gids=1001-8-1#3000-10-1')" | tr '\n' ' ')" \
    "/data/a 7:8 /data/b 9:10 /data/c 65534:65534 "
  # what is written goes back through the same map
  inside 'touch /data/new; chown 7:8 /data/new' "$m | $(caps CHOWN DAC_OVERRIDE)" && fail "an owner that is not mapped wrote"
  chown 1000:1001 "$V"
  inside 'touch /data/new' "$m | .process.user = {uid: 7, gid: 8}"
  same "$(stat -c %u:%g "$V/new")" 1000:1001
  same "$(inside "$OWNERS" "$m | .linux.resources.pids = {limit: 1} | .process.args = [\"stat\", \"-c\", \"%u:%g\", \"/data/a\"]")" 7:8
}
caps() { local c; for c in "$@"; do echo -n ".process.capabilities[] += [\"CAP_$c\"] | "; done; echo .; }
idmap_on_disk() {
  mkdir -p "$DIR/disk"; touch "$DIR/disk/f"; chown 123456:654321 "$DIR/disk/f"
  [ "$(stat -f -c %T "$DIR/disk")" = ext2/ext3 ] || without "the disk is no ext4"
  same "$(inside "$OWNERS" "$(with /data bind "$DIR/disk" 'idmap=uids=123456-3-1;gids=654321-4-1')")" "/data/f 3:4"
}
idmap_container() {
  owned_files
  same "$(inside "$OWNERS" "$USERNS | $(with /data bind "$V" idmap)" | tr '\n' ' ')" "/data/a 1000:1001 /data/b 2000:3000 /data/c 0:0 "
  same "$(inside "$OWNERS" "$USERNS | $(with /data bind "$V" bind)" | tr '\n' ' ')" "/data/a 65534:65534 /data/b 65534:65534 /data/c 65534:65534 "
  # relative to the container's user namespace: 1000 on disk is its 5
  same "$(inside "$OWNERS" "$USERNS | $(with /data bind "$V" 'idmap=uids=@1000-5-1;gids=@1001-6-1')" | tr '\n' ' ')" \
    "/data/a 5:6 /data/b 65534:65534 /data/c 65534:65534 "
  local m="$USERNS | $(with /data bind "$V" bind) | .mounts[-1].uidMappings = $(MAP 1000 100007 1) | .mounts[-1].gidMappings = $(MAP 1001 100008 1)"
  same "$(inside 'stat -c %u:%g /data/a' "$m")" 7:8
  chmod 700 "$DIR"  # init could not reach any of it
  same "$(inside 'stat -c %u:%g /data/a' "$m | $(with /data2 bind "$V" idmap ro)")" 7:8
  chmod 755 "$DIR"
}
idmap_joined() {
  owned_files
  rt run -d -b "$(sh_bundle host 'sleep 100' "$USERNS")" "$TAG-2" </dev/null >/dev/null 2>&1
  local user; user=/proc/$(rt state "$TAG-2" | jq .pid)/ns/user
  same "$(inside "stat -c %u:%g /data/a" ".linux.namespaces += [{type: \"user\", path: \"$user\"}] | $(with /data bind "$V" idmap)")" 1000:1001
  rt delete -f "$TAG-2"
}
idmap_recursive() {
  owned_files
  mkdir "$V/sub"; mount -t tmpfs sub "$V/sub"; touch "$V/sub/f"; chown 1000:1001 "$V/sub/f"
  same "$(inside "stat -c %u:%g /data/a /data/sub/f" "$(with /data none "$V" rbind 'ridmap=uids=1000-7-1;gids=1001-8-1')" | tr '\n' ' ')" "7:8 7:8 "
  same "$(inside "stat -c %u:%g /data/a /data/sub/f" "$(with /data none "$V" rbind 'idmap=uids=1000-7-1;gids=1001-8-1')" | tr '\n' ' ')" "7:8 1000:1001 "
  same "$(inside "stat -c %u:%g /data/sub/f" "$USERNS | $(with /data none "$V" rbind ridmap)")" 1000:1001
  same "$(inside "stat -c %u:%g /data/sub/f" "$USERNS | $(with /data none "$V" rbind idmap)")" 65534:65534
}
idmap_errors() {
  refused "$(with /data bind / idmap)" "must have both uid and gid mappings" "config.json#/mounts/7"
  refused "$(with /data bind / bind) | .mounts[-1].uidMappings = $(MAP 0 0 1)" "must have both uid and gid mappings" "config.json#/mounts/7"
  refused "$(with /data tmpfs t idmap)" "only supported for bind-mounts" "config.json#/mounts/7"
  refused "$(with /data bind /sys 'idmap=uids=0-1-1;gids=0-1-1')" "mount_setattr: bind /sys on /data: the file system may not support" "invalid argument"
  refused "$(with /data bind "$DIR" 'idmap=uids=0-1-2#1-5-5;gids=0-1-1')" "uid_map: invalid argument" "config.json#/mounts/7"
  refused "$(with /data bind /nowhere 'idmap=uids=0-1-1;gids=0-1-1')" "open_tree: bind /nowhere on /data" "no such file or directory" "config.json#/mounts/7"
}

covered_directory() {  # hostile as an image can make it
  rm -rf "$DIR/up"; make_rootfs "$DIR/up"
  local c=$DIR/up/covered; mkdir -p "$c/dir/inner"
  echo text >"$c/file"; chmod 4751 "$c/file"; chown 11:12 "$c/file"; chmod 4751 "$c/file"
  echo in >"$c/dir/inner/f"; chmod 2750 "$c/dir"; chown 13:14 "$c/dir"; chmod 2750 "$c/dir"
  ln -s /etc/passwd "$c/away"; ln -s "$DIR/secret" "$c/host"; mkfifo "$c/fifo"; mknod "$c/null" c 1 3
  python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$c/sock')"
  truncate -s 1T "$c/huge"; echo end >>"$c/huge"
  python3 -c "import os; os.setxattr('$c/file', 'trusted.ocitk', b'kept')" 2>/dev/null || true
  touch -d '2001-02-03 04:05:06.789' "$c/file" "$c/dir"
  chmod 1770 "$c"; chown 15:16 "$c"
  echo hidden >"$DIR/secret"
}
UP() { echo ".root.path = \"$DIR/up\" | $(with /covered tmpfs t tmpcopyup "$@")"; }
copy_up() {
  covered_directory
  local look='busybox stat -c "%n %F %a %u:%g" . file dir dir/inner/f away fifo null sock; busybox stat -c "%n %Y" . file dir
    readlink host; cat file dir/inner/f; busybox stat -c %s huge; dd if=huge bs=1 skip=1099511627776 count=4 2>/dev/null'
  same "$(inside "cd /covered; $look" "$(UP) | $(caps DAC_OVERRIDE)")" "$(cd "$DIR/up/covered"; eval "$look")"
  same "$(inside 'stat -c "%a %u:%g" /covered; cat /covered/file' "$(UP mode=711 uid=3) | $(caps DAC_OVERRIDE)" | tr '\n' ' ')" "711 3:0 text "
  has "$(inside 'cat /covered/file; touch /covered/x || true' "$(UP ro) | $(caps DAC_OVERRIDE)" 2>&1 | tr '\n' ' ')" "text touch: /covered/x: Read-only file system"
  same "$(inside 'ls -A /new' "$(with /new tmpfs t tmpcopyup)")" ""
  same "$(inside 'rm -rf /covered/*; ls /covered' "$(UP) | $(caps DAC_OVERRIDE FOWNER)")" ""
  same "$(cat "$DIR/up/covered/file")" text
}
copy_up_bounds() {
  covered_directory
  head -c 300000 /dev/zero >"$DIR/up/covered/big"
  refused "$(UP size=64k)" "tmpcopyup: big" "no space left on device" "config.json#/mounts/7"
  rm -r "$DIR/up/covered"; mkdir "$DIR/up/covered"
  (cd "$DIR/up/covered"; for _ in $(seq 450); do mkdir d; cd d; done)
  refused "$(UP)" "nested too deep"
}
copy_up_in_user_namespace() {
  covered_directory; chmod -R a+rX "$DIR/up/covered"; chown -hR 100000:100000 "$DIR/up/covered"; chown 0:0 "$DIR/up/covered/file"; chmod 4755 "$DIR/up/covered/file"
  local out; out=$(inside 'cd /covered; stat -c "%a %u:%g" file; ls' "$USERNS | $(UP)" 2>"$DIR/err")
  # ids that mean nothing inside become nobody's; what belonged to nobody known is no program of root's
  same "$(head -1 <<<"$out")" "4755 65534:65534"
  hasnt "$out" null
}
copy_up_mounts_below() {
  covered_directory
  local m="$(with /covered/dir tmpfs t) | $(UP | cut -d'|' -f2-)"
  same "$(inside 'cat /covered/dir/inner/f' ".root.path = \"$DIR/up\" | $m | $(caps DAC_OVERRIDE)")" in
}

symlinks() {
  mkdir -p "$DIR/src"; echo real >"$DIR/src/real"; ln -sf real "$DIR/src/link"; ln -sf /nowhere "$DIR/src/dangling"
  make_rootfs "$DIR/ln"; touch "$DIR/ln/made2"; ln -sf /etc/passwd "$DIR/ln/there"; ln -sf real "$DIR/ln/same"; ln -sf other "$DIR/ln/other"
  local R=".root.path = \"$DIR/ln\""
  same "$(inside 'readlink /made; readlink /a/b/dangling' "$R | $(with /made bind "$DIR/src/link" copy-symlink) | $(with /a/b/dangling bind "$DIR/src/dangling" copy-symlink)" | tr '\n' ' ')" "real /nowhere "
  same "$(inside 'cat /file' "$R | $(with /file bind "$DIR/src/real" copy-symlink)")" real
  same "$(inside 'readlink /same' "$R | $(with /same bind "$DIR/src/link" copy-symlink)")" real
  refused "$R | $(with /other bind "$DIR/src/link" copy-symlink)" "/other exists and is not a symbolic link to real" "config.json#/mounts/7"
  same "$(inside 'readlink /mnt' "$R | $(with /mnt bind "$DIR/src/link" src-nofollow)")" real
  same "$(inside 'cat /mnt2' "$R | $(with /mnt2 bind "$DIR/src/link" bind)")" real
  same "$(inside 'cat /there; readlink /there || echo covered' "$R | $(with /there bind "$DIR/src/real" bind dest-nofollow)" | tr '\n' ' ')" "real covered "
  same "$(inside 'cat /etc/passwd' "$R | $(with /there bind "$DIR/src/real" bind)")" real
  grep -q root "$DIR/ln/etc/passwd"
  chmod 700 "$DIR"
  same "$(inside 'readlink /made2' "$R | $USERNS | $(with /made2 bind "$DIR/src/link" src-nofollow)" 2>&1)" real
  chmod 755 "$DIR"
}

no_pivot() {
  RUN_OPTIONS=--no-pivot
  local b
  same "$(inside 'cat /proc/1/comm; ls /; cut -d" " -f5 /proc/self/mountinfo | grep -c .' | tr '\n' ' ')" \
    "$(RUN_OPTIONS=; inside 'cat /proc/1/comm; ls /; cut -d" " -f5 /proc/self/mountinfo | grep -c .' | tr '\n' ' ')"
  has "$(inside 'touch /x || true' 2>&1)" "Read-only file system"
  same "$(inside 'echo there' "$USERNS")" there
  refused '.linux.rootfsPropagation = "rprivate"' "rootfsPropagation of [r]private is not safe with no_pivot_root" "config.json#/linux/rootfsPropagation"
  same "$(inside 'mount -t tmpfs x /tmp && touch /tmp/x && echo can' "$(caps SYS_ADMIN)")" can
  local before; before=$(host_mounts)
  rt run -d --no-pivot -b "$(sh_bundle np 'sleep 100')" "$TAG-2" </dev/null >/dev/null 2>&1
  local left; left=$(whole_kernel_filesystems "$(rt state "$TAG-2" | jq .pid)")
  same "$(host_mounts)" "$before"
  rt delete -f "$TAG-2"
  [ "$left" = unknown ] || same "$left" "proc sysfs"  # the container's own
}
# The types of all procfs and sysfs mounts of a mount namespace that show their file system from its root; by
# listmount(2), which sees what is below the root of the container's processes too.
whole_kernel_filesystems() {
  python3 - "$1" <<'PYTHON'
import ctypes, fcntl, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
with open(f"/proc/{sys.argv[1]}/ns/mnt") as ns:
    number = bytearray(8)
    try:
        fcntl.ioctl(ns, 0x8008b705, number)  # NS_GET_MNTNS_ID
    except OSError:
        sys.exit(print("unknown"))
def ask(call, mount, param, size):
    request = ctypes.create_string_buffer(struct.pack("=IIQQQ", 32, 0, mount, param, struct.unpack("Q", number)[0]))
    answer = ctypes.create_string_buffer(size)
    n = libc.syscall(call, request, answer, ctypes.c_size_t(size if call == 457 else size // 8), 0)
    return n, answer.raw
n, ids = ask(458, 0xffffffffffffffff, 0, 8192)
if n < 0:
    sys.exit(print("unknown"))
found = []
for (mount,) in struct.iter_unpack("Q", ids[:8 * n]):
    n, raw = ask(457, mount, 0x08 | 0x20, 4096)  # STATMOUNT_MNT_ROOT, STATMOUNT_FS_TYPE
    text = raw[512:]
    words = [text[at:].split(b"\0")[0].decode() for at in struct.unpack_from("=II", raw, 36)[:1] + struct.unpack_from("=I", raw, 104)]
    if words[0] in ("proc", "sysfs") and words[1] == "/":
        found.append(words[0])
print(*sorted(found))
PYTHON
}
paths_inside() {  # a path of the host that leads into the root is one of the container
  make_rootfs "$DIR/in"; mkdir -p "$DIR/in/data" "$DIR/in/seen" "$DIR/in/again"; ln -sf "$DIR/secret" "$DIR/in/again/link"; echo no >"$DIR/secret"
  volume; mkdir -p "$V/shut/x"; echo yes >"$V/shut/x/file"; chmod 700 "$V"
  local filter user
  filter=".root.path = \"$DIR/in\" | $(with /data none "$V/shut" rbind) | $(with "$DIR/in/seen" none "$DIR/in/data/x" rbind)"
  for user in . "$USERNS"; do
    same "$(inside 'cat /seen/file; test -e /tmp/ot* && echo made' "$user | $filter" 2>&1)" yes
  done
  # an image cannot have files of the host bound into it
  refused ".root.path = \"$DIR/in\" | $(with /seen none "$DIR/in/again/link" bind)" "no such file or directory"
}
no_mount_namespace() {
  local filter='.linux.namespaces |= map(select(.type != "mount")) | del(.mounts, .linux.maskedPaths, .linux.readonlyPaths) | .root.readonly = false'
  same "$(inside 'echo $(pwd); ls -d /bin /etc' "$filter" | tr '\n' ' ')" "/ /bin /etc "
  refused "$filter | .mounts = [{destination: \"/x\", type: \"tmpfs\", source: \"t\"}]" "unable to mount without a private MNT namespace"
  same "$(inside '/bin/busybox stat -c %i /' "$filter")" "$(stat -c %i "$DIR/rootfs")"
}

locked_flags() {
  volume ro,nosuid,nodev,noexec,noatime
  local L=ro,nosuid,nodev,noexec,noatime
  same "$(flags "$USERNS | $(with /data bind "$V" bind)")" "/data $L "
  same "$(flags "$USERNS | $(with /data bind "$V" bind nosuid)")" "/data $L "
  same "$(flags "$USERNS | $(with /data bind "$V" bind ro)")" "/data $L "
  same "$(flags "$USERNS | $(with /data bind "$V" bind noatime rprivate)")" "/data $L "
  local word
  for word in suid dev exec rw rrw rsuid; do
    refused "$USERNS | $(with /data bind "$V" bind $word)" "cannot clear locked flags" "operation not permitted" "config.json#/mounts/7"
  done
  for word in strictatime relatime atime rstrictatime; do
    refused "$USERNS | $(with /data bind "$V" bind $word)" "cannot change locked atime flags" "config.json#/mounts/7"
  done
  umount "$V"; mount -t tmpfs -o nosuid,mode=755 vol "$V"
  same "$(flags "$USERNS | $(with /data bind "$V" bind ro dev exec)")" "/data ro,nosuid,relatime "
  same "$(flags "$(with /data bind "$V" bind suid)")" "/data rw,relatime "
}

kernel_filesystems() {
  same "$(inside 'awk "\$5 == \"/sys\" {print \$6}" /proc/self/mountinfo; ls -d /sys/class/net/lo' "$USERNS" | tr '\n' ' ')" "ro,nosuid,nodev,noexec,relatime /sys/class/net/lo "
  # without a network namespace of its own a user namespace gets the host's
  has "$(inside 'awk "\$5 == \"/sys\" {print \$6}" /proc/self/mountinfo' "$USERNS | $NETLESS")" "ro,nosuid,nodev,noexec"
  has "$(inside 'grep " /dev/mqueue " /proc/self/mountinfo')" "rw,nosuid,nodev,noexec,relatime - mqueue mqueue"
  has "$(inside 'grep " /dev/pts " /proc/self/mountinfo')" "gid=5,mode=620,ptmxmode=666"
  has "$(inside 'grep " /dev/pts " /proc/self/mountinfo' "$USERNS")" "gid=100005,mode=620,ptmxmode=666"
  refused "$USERNS | .linux.gidMappings = $(MAP 0 100000 5)" "cannot specify gid=5 mount option" "config.json#/mounts/2/options"
}
CGROUPS='{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "relatime", "ro"]}'
cgroup_v1() {
  [ -d /sys/fs/cgroup/memory ] || without "the host has no cgroup v1"
  local look='cd /sys/fs/cgroup; ls -d memory; touch x 2>/dev/null || echo ro; cat memory/cgroup.procs | head -1; ls memory/tasks'
  same "$(inside "$look" ".mounts |= map(select(.type != \"cgroup\")) + [$CGROUPS]" | tr '\n' ' ')" "memory ro 1 memory/tasks "
  same "$(inside "$look" ".mounts |= map(select(.type != \"cgroup\")) + [$CGROUPS] | .linux.namespaces += [{type: \"cgroup\"}]" | tr '\n' ' ')" "memory ro 1 memory/tasks "
  has "$(inside 'mkdir /sys/fs/cgroup/memory/x || true' ".mounts |= map(select(.type != \"cgroup\")) + [$CGROUPS]" 2>&1)" "Read-only file system"
  same "$(inside "$look" ".mounts |= map(select(.type != \"cgroup\")) + [$CGROUPS] | $USERNS" | tr '\n' ' ')" "memory ro 1 memory/tasks "
}
cgroup_v2() {  # in a mount namespace where nothing else is mounted on /sys/fs/cgroup
  grep -qw cgroup2 /proc/filesystems || without "the kernel has no cgroup2"
  local b; b=$(sh_bundle v2 'stat -f -c %T /sys/fs/cgroup; awk "\$5 == \"/sys/fs/cgroup\" {print \$6}" /proc/self/mountinfo; cat /sys/fs/cgroup/cgroup.procs | head -1' ".mounts |= map(select(.type != \"cgroup\")) + [$CGROUPS] | .linux.namespaces |= map(select(.type != \"cgroup\")) + [{type: \"cgroup\"}] | del(.linux.resources)")
  local out; out=$(unshare -m --propagation private sh -c "mount -t cgroup2 none /sys/fs/cgroup && $OCITK --root $STATE run -b $b $TAG-1" </dev/null 2>&1)
  has "$out" "ro,nosuid,nodev,noexec,relatime"; has "$out" 1
}

dev_bound() {
  local filter='.mounts |= map(select(.destination | startswith("/dev") | not))'
  mkdir -p "$V"; trap 'umount -R "$V"' EXIT; mount -t tmpfs -o mode=755 dev "$V"; mknod "$V/null" c 1 3; mknod "$V/odd" c 1 5
  same "$(inside 'ls /dev' "$filter | $(with /dev bind "$V" rbind)" | tr '\n' ' ')" "null odd "
  same "$(ls "$V" | tr '\n' ' ')" "null odd "
  same "$(inside 'ls /dev; touch /dev/x 2>/dev/null || echo ro' "$filter | $(with /dev bind "$V" rbind ro)" | tr '\n' ' ')" "null odd ro "
}

root_propagation() {
  volume; mount --make-shared "$V"; mkdir "$V/root"; cp -a "$DIR/rootfs/." "$V/root/"
  local word wanted look='awk "\$5 == \"/\" || \$5 == \"/proc\" {for (i = 7; \$i != \"-\"; ++i) {sub(/:.*/, \"\", \$i); printf \"%s\", \$i} printf \"%s;\", \$5}" /proc/self/mountinfo'
  while read -r word wanted; do
    same "$word $(inside "$look" ".linux.rootfsPropagation = \"$word\" | .root.path = \"$V/root\"")" "$word $wanted"
  done <<'TABLE'
private /;/proc;
rprivate /;/proc;
slave master/;/proc;
rslave master/;/proc;
shared shared/;/proc;
rshared shared/;shared/proc;
unbindable unbindable/;/proc;
runbindable unbindable/;unbindable/proc;
TABLE
  same "$(inside "$look" ".root.path = \"$V/root\"")" "/;/proc;"
}

masks_and_volumes() {
  volume; mount --make-shared "$V"; mkdir "$V/secret" "$V/config" "$V/sub"; echo a >"$V/file"
  mount -t tmpfs sub "$V/sub"; mkdir "$V/sub/secret"
  local before; before=$(host_mounts)
  local look='ls -A /data/secret /data/sub/secret; cat /data/file; touch /data/config/x 2>/dev/null || echo ro; touch /data/y; cat /proc/self/mountinfo >/data/seen'
  local masks='.linux.maskedPaths += ["/data/secret", "/data/file", "/data/sub/secret", "/nowhere", "/bin/sh/below"] | .linux.readonlyPaths += ["/data/config", "/nowhere"]'
  local words
  for words in rbind,rshared rbind,shared rbind,private rbind,rslave bind,shared rbind; do
    touch "$V/secret/s" "$V/sub/secret/s"
    # the container stays while the host is looked at
    rt run -d -b "$(sh_bundle mv "$look; touch /data/ready; sleep 100" "$(with /data none "$V" ${words//,/ }) | $masks")" "$TAG-1" </dev/null >"$DIR/out" 2>&1
    until_ 10 test -e "$V/ready"
    has "$(grep -E ' /data/secret .* tmpfs ' "$V/seen")" " ro"
    grep -q ' /data/file ' "$V/seen"
    same "$words $(host_mounts)" "$words $before"
    rm -f "$V/ready" "$V/y" "$V/config/x"
    rt delete -f "$TAG-1"
    same "$words $(host_mounts)" "$words $before"
  done
  # what is not cut keeps giving: a shared volume without masks
  rt run -d -b "$(sh_bundle keep 'mkdir /data/m && mount -t tmpfs t /data/m && touch /data/ready; sleep 100' "$(with /data none "$V" rbind rshared) | $(caps SYS_ADMIN) | .linux.rootfsPropagation = \"rshared\"")" "$TAG-1" </dev/null >"$DIR/out" 2>&1
  until_ 10 test -e "$V/ready"
  grep -q " $V/m " /proc/self/mountinfo
  rt delete -f "$TAG-1"; umount "$V/m" 2>/dev/null || true
}

many() {
  local n script='grep -c " /m/" /proc/self/mountinfo; ls /dev/many | wc -l'
  local filter='.mounts += [range(1000) | {destination: "/m/\(.)", type: "bind", source: "/etc", options: ["bind", "ro"]}] | .linux.devices = [range(300) | {path: "/dev/many/\(.)", type: "c", major: 1, minor: 3}]'
  make_rootfs "$DIR/many"
  same "$(inside "$script" "$filter | .root.path = \"$DIR/many\"" | tr '\n' ' ')" "1000 300 "
  same "$(ulimit -Sn 256; inside "$script" "$filter | .root.path = \"$DIR/many\"" | tr '\n' ' ')" "1000 300 "
  chown -R 100000:100000 "$DIR/many"
  same "$(ulimit -Sn 1024; inside 'grep -c " /m/" /proc/self/mountinfo' "$filter | .root.path = \"$DIR/many\" | .linux.devices = [] | $USERNS")" 1000
}

plans() {  # a plan shows it and does nothing
  owned_files; covered_directory
  local out; out=$(rt run --plan -b "$(sh_bundle plan true "$(with /data bind "$V" 'idmap=uids=1000-7-1;gids=1001-8-1') | $(UP)")" "$TAG-1" 2>&1)
  has "$out" "attr_set=MOUNT_ATTR_IDMAP"; has "$out" 'symlinkat("/etc/passwd"'; has "$out" "<- /mounts/7"
  out=$(rt run --plan --no-pivot -b "$(sh_bundle plan true)" "$TAG-1" 2>&1)
  has "$out" 'umount2("/proc"'; has "$out" 'chroot("."'; hasnt "$out" pivot_root
  same "$(stat -c %u:%g "$V/a")" 1000:1001
}

case_ "recursive attributes, on mounts in mounts" recursive_attributes
case_ "a bind without submounts leaves them out" not_recursive
case_ "an id-mapped mount with maps of its own" idmap_own
case_ "an id-mapped mount of a file system on disk" idmap_on_disk
case_ "an id-mapped mount with the container's maps" idmap_container
case_ "an id-mapped mount with the maps of a joined user namespace" idmap_joined
case_ "ridmap goes all the way down, idmap does not" idmap_recursive
case_ "what is wrong with an id-mapped mount is told" idmap_errors
case_ "tmpcopyup copies what it covers, whatever that is" copy_up
case_ "tmpcopyup ends with the tmpfs or with the depth" copy_up_bounds
case_ "tmpcopyup in a user namespace" copy_up_in_user_namespace
case_ "tmpcopyup leaves out what is mounted below" copy_up_mounts_below
case_ "copy-symlink, src-nofollow, dest-nofollow" symlinks
case_ "--no-pivot" no_pivot
case_ "a path that leads into the root" paths_inside
case_ "without a mount namespace" no_mount_namespace
case_ "flags that a user namespace may not touch" locked_flags
case_ "sysfs, mqueue, devpts" kernel_filesystems
case_ "cgroup mounts of v1 and hybrid hosts" cgroup_v1
case_ "a cgroup mount of a host with cgroup2 only" cgroup_v2
case_ "a bound /dev is left as it is" dev_bound
case_ "rootfsPropagation" root_propagation
case_ "covers in a shared volume stay inside" masks_and_volumes
case_ "1000 mounts and 300 devices" many
case_ "plans of all that" plans
finish
