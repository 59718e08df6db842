#!/bin/bash
# compile_time.sh INCLUDE_DIR COMPILER...: what it costs to include one stage. User seconds, best of 5, of a file that
# includes the header and nothing else: syntax only, and compiled at -O0; and as a multiple of a file with <string> and
# <vector>. Ratios are of one run:
# on a busy machine seconds grow, and not evenly.
set -eu
include=$1
shift
export CCACHE_DISABLE=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
TIMEFORMAT=%U

best() { # compiler options...
  local least='' t
  for _ in 1 2 3 4 5; do
    t=$( { time "$@" -o /dev/null "$dir/one.cpp" >/dev/null 2>"$dir/log"; } 2>&1) || { cat "$dir/log" >&2; exit 1; }
    least=$(awk -v a="$t" -v b="${least:-$t}" 'BEGIN { print a < b ? a : b }')
  done
  echo "$least"
}
measure() { # text of the file; leaves its figures in syntax and object
  printf '%b\n' "$1" >"$dir/one.cpp"
  syntax=$(best "${compiler[@]}" -fsyntax-only)
  object=$(best "${compiler[@]}" -O0 -c)
}

compiler=("$@")
measure '#include <string>\n#include <vector>'
floor_syntax=$syntax floor_object=$object
printf '%-28s %8s %8s %8s %8s\n' header syntax ratio '-O0 -c' ratio
printf '%-28s %8.2f %8s %8.2f %8s\n' '<string> <vector>' "$syntax" '' "$object" ''
for header in "$include"/ocitk/stages/*.hpp; do
  header=${header#"$include/"}
  measure "#include <$header>"
  awk -v h="$header" -v s="$syntax" -v o="$object" -v fs="$floor_syntax" -v fo="$floor_object" \
    'BEGIN { printf "%-28s %8.2f %7.1fx %8.2f %7.1fx\n", h, s, s / fs, o, o / fo }'
done
