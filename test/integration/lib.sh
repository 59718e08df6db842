# Shared by the integration tests: a busybox bundle, cases with a look for leaks after each, and a cleanup that
# also runs when a test fails. Source it; then `case_ "sentence" function` for each case, `finish` at the end.
set -u
OCITK=${OCITK:?path of the runtime to test}
TEST=$(basename "$0" .sh)
TAG=ot$$

skip() { echo "skip: $1"; exit 77; }
need() {
  case $1 in
  root) [ "$(id -u)" = 0 ] || skip "needs root" ;;
  *) command -v "$1" >/dev/null || skip "needs $1" ;;
  esac
}
need root
need jq
need busybox

DIR=$(mktemp -d "/tmp/$TAG.XXXXXX")
STATE=$DIR/state
FAILED=0 COUNT=0 ABSENT=0

rt() { "$OCITK" --root "$STATE" "$@"; }

# Mounts of the host that a runtime could leave behind or spoil: of this test's own directories, wherever they were mounted,
# and below the runtime's usual root; and what a setup would hit that works on the host by mistake: the root, /proc, /sys,
# /dev. Other programs of the machine mount and unmount as they like meanwhile.
host_mounts() {
  cut -d' ' -f4- /proc/self/mountinfo | grep -v "$DIR/engine" |
    awk -v own="$DIR" 'index($0, own) || $2 == "/" || $2 ~ "^/(proc|sys|dev|run/ocitk)(/|$)"' | sort
}
our_cgroups() { find /sys/fs/cgroup -type d -name "$TAG*" 2>/dev/null; }
# Living ones: a dead orphan is its reaper's business, the machine's process 1.
our_processes() {
  local p
  for p in $(grep -ls "/$TAG" /proc/[0-9]*/cgroup); do
    p=${p%/cgroup}
    case $(grep -s '^State:' "$p/status") in '' | *[ZX]' ('*) ;; *) echo "${p#/proc/}" ;; esac  # none: gone since we looked
  done
}

# Whatever a case left: told, and taken away so that the next one starts clean.
leaks() {
  local found=0 x
  for x in $(our_processes); do echo "  leaked process $x: $(tr '\0' ' ' <"/proc/$x/cmdline" 2>/dev/null)"; kill -9 "$x"; found=1; done
  [ $found = 1 ] && sleep 0.2
  for x in $(our_cgroups | sort -r); do echo "  leaked cgroup $x"; rmdir "$x"; found=1; done
  for x in $(ls "$STATE" 2>/dev/null); do echo "  leaked state $x"; rm -rf "${STATE:?}/$x"; found=1; done
  if [ "$(host_mounts)" != "$MOUNTS" ]; then
    echo "  mounts of the host changed:"; diff <(echo "$MOUNTS") <(host_mounts); found=1
  fi
  return $found
}

cleanup() {
  local x
  for x in $(our_processes); do kill -9 "$x" 2>/dev/null; done
  sleep 0.1
  for x in $(our_cgroups | sort -r); do rmdir "$x" 2>/dev/null; done
  rm -rf "$DIR"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# A root file system, made once; every bundle shares it unless it needs its own.
make_rootfs() {
  mkdir -p "$1"/{bin,etc,proc,sys,dev,tmp,root}
  cp "$(command -v busybox)" "$1/bin/busybox"
  # Relative links: a test that writes to one by mistake must not reach the busybox of the host.
  local applet; for applet in $(busybox --list); do [ -e "$1/bin/$applet" ] || ln -s busybox "$1/bin/$applet"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
  echo 'app:x:1000:1000:app:/home/app:/bin/sh' >>"$1/etc/passwd"
}
make_rootfs "$DIR/rootfs"

# bundle NAME FILTER [jq options]: a bundle from `ocitk spec`, changed by a jq filter; prints its directory.
bundle() {
  local b=$DIR/b-$1 filter=$2
  shift 2
  mkdir -p "$b"
  rm -f "$b/config.json"
  (cd "$b" && "$OCITK" spec) || return 1
  jq "$@" --arg rootfs "$DIR/rootfs" ".root.path = \$rootfs | .process.terminal = false | $filter" "$b/config.json" >"$b/new" &&
    mv "$b/new" "$b/config.json"
  echo "$b"
}
# sh_bundle NAME SCRIPT [FILTER]: a bundle that runs a shell script.
sh_bundle() { bundle "$1" ".process.args = [\"sh\", \"-c\", \$script] | ${3:-.}" --arg script "$2"; }

fail() { echo "  ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: $*"; return 1; }
same() { [ "$1" = "$2" ] || { echo "  ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: wanted <$2>, got <$1>"; return 1; }; }
has() { case $1 in *"$2"*) ;; *) echo "  ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: no <$2> in <$1>"; return 1 ;; esac; }
hasnt() { case $1 in *"$2"*) echo "  ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: <$2> in <$1>"; return 1 ;; esac; }
# until_ SECONDS COMMAND...: polls for a condition.
until_() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do [ $SECONDS -le $end ] || return 1; sleep 0.02; done
}
status_is() { [ "$(rt state "$1" 2>/dev/null | jq -r .status)" = "$2" ]; }

MOUNTS=$(host_mounts)
# In a case: what this machine lacks for the rest of it. The case counts as skipped, whatever it has seen before.
without() { echo "$1"; exit 77; }
case_() {
  COUNT=$((COUNT + 1))
  local out rc
  out=$(set -e; "$2" 2>&1)  # not as a condition: there `set -e` means nothing, and only a last line could fail
  rc=$?
  if [ $rc = 77 ] && leaks >/dev/null; then echo "skip - $1: $(tail -n 1 <<<"$out")"; ABSENT=$((ABSENT + 1)); return; fi
  if [ $rc != 0 ]; then
    echo "not ok - $1"; echo "$out" | tail -30; FAILED=$((FAILED + 1)); leaks >/dev/null; return
  fi
  if ! out=$(leaks); then echo "not ok - $1: left something behind"; echo "$out"; FAILED=$((FAILED + 1)); return; fi
  echo "ok - $1"
}
finish() {
  echo "$TEST: $((COUNT - FAILED - ABSENT)) of $COUNT cases passed$([ $ABSENT = 0 ] || echo ", $ABSENT skipped")"
  [ "$FAILED" = 0 ] && [ "$COUNT" -gt "$ABSENT" ]
  exit
}
