#!/bin/bash
# readme.sh README BUILD_DIR COMPILER...: installs the build to a scratch directory and compiles the example of
# the README against that, with the flags that pkg-config tells.
set -eu
readme=$1 build=$2
shift 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
awk '/^## One stage/ { in_part = 1; next } /^## / { in_part = 0 } in_part && /^    / { print substr($0, 5) }' \
  "$readme" >"$dir/example.cpp"
grep -q '#include <ocitk/' "$dir/example.cpp" || { echo "no example found in $readme"; exit 1; }
DESTDIR=$dir meson install -C "$build" --no-rebuild >"$dir/log" || { cat "$dir/log"; exit 1; }
description=$(find "$dir" -name ocitk.pc)
[ -n "$description" ] || { echo "ocitk.pc is not installed"; exit 1; }
prefix=$dir$(sed -n 's/^prefix=//p' "$description")
flags=$(PKG_CONFIG_PATH=$(dirname "$description") pkg-config --define-variable="prefix=$prefix" --cflags --libs ocitk)
# shellcheck disable=SC2086  # a list of words
"$@" -Wall -Wextra -Werror "$dir/example.cpp" -o "$dir/example" $flags
