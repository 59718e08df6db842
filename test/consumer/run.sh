#!/bin/bash
# run.sh WAY SOURCE_DIR COMPILER...: the projects of this directory, each built outside of ours with what we install,
# and run. WAY: `subproject` (meson), `pkgconfig` (make) or `cmake`.
set -eu
way=$1 source=$2
shift 2
export CXX="$*"
here=$source/test/consumer
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() { echo "consumer: $way: $*"; exit 1; }
quietly() { "$@" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "failed: $*"; }; }
skip() { echo "skip: $1"; exit 77; }

# Headers and their descriptions, without the tools.
install_ocitk() {
  quietly meson setup --wrap-mode=nodownload --prefix "$dir/prefix" -Dtests=disabled "$dir/build" "$source"
  quietly meson install -C "$dir/build" --no-rebuild --tags devel
  [ -f "$dir/prefix/include/ocitk/stage.hpp" ] || fail "no headers were installed"
  [ ! -e "$dir/prefix/bin" ] || fail "more than the headers was installed"
}

build_subproject() { # project; prints where the program is
  mkdir "$dir/$1/subprojects"
  ln -s "$source" "$dir/$1/subprojects/ocitk"
  quietly meson setup --wrap-mode=nodownload --force-fallback-for=ocitk "$dir/$1/b" "$dir/$1"
  grep -Eq 'WARNING|Message:|static binary' "$dir/log" && { cat "$dir/log"; fail "$1: the subproject makes noise"; }
  local targets
  targets=$(meson introspect --targets "$dir/$1/b" | grep -o '"name": "[^"]*"')
  [ "$targets" = "\"name\": \"use-$1\"" ] || fail "$1: the subproject adds targets: $targets"
  quietly meson compile -C "$dir/$1/b"
  program=$dir/$1/b/use-$1
}
build_pkgconfig() {
  quietly env PKG_CONFIG_PATH="$dir/prefix/share/pkgconfig" make -C "$dir/$1"
  program=$dir/$1/use-$1
}
build_cmake() {
  quietly cmake -S "$dir/$1" -B "$dir/$1/b" -DCMAKE_PREFIX_PATH="$dir/prefix"
  quietly cmake --build "$dir/$1/b"
  program=$dir/$1/b/use-$1
}

same() { # what, wanted, got
  [ "$2" = "$3" ] || { diff <(echo "$2") <(echo "$3") || true; fail "$1 does not do what it should"; }
}
check_caps() {
  local bit=0000000000000400 none=0000000000000000
  same caps "$(printf 'Cap%s:\t%s\n' Inh $none Prm $bit Eff $bit Bnd $bit Amb $none)" "$("$program")"
}
check_seccomp() {
  same seccomp $'mkdir: Success\nmkdir: Invalid cross-device link' "$(LC_ALL=C "$program" "$dir/made")"
}
host_mounts() { awk '$5 ~ "^/(proc|dev)?$"' /proc/self/mountinfo; }
check_rootfs() {
  local before
  mkdir -p "$dir/root/bin"
  cp "$(command -v busybox)" "$dir/root/bin/"
  before=$(host_mounts)
  same rootfs "/bin /dev /proc
$(printf '/dev/%s ' fd full null ptmx random stderr stdin stdout tty urandom)/dev/zero
/proc proc
/dev tmpfs
null swallows" "$("$program" "$dir/root")"
  same "rootfs on the host" "$before" "$(host_mounts)"
}

case $way in
pkgconfig) command -v make >/dev/null || skip "needs make" ;;
cmake) command -v cmake >/dev/null || skip "needs cmake" ;;
esac
[ "$way" = subproject ] || install_ocitk
for project in caps seccomp rootfs; do
  cp -r "$here/$project" "$dir/$project"
  "build_$way" "$project"
  [ "$project" = seccomp ] || [ "$(id -u)" = 0 ] || { without_root=yes; continue; }
  "check_$project"
done
[ -z "${without_root:-}" ] || skip "caps and rootfs are built, but need root to run"
