#!/bin/bash
# reject.sh FILE COMPILER...: the file must not compile, for the reason its first line gives.
file=$1
shift
wanted=$(sed -n '1s,^// ,,p' "$file")
[ -n "$wanted" ] || { echo "$file: no reason in the first line"; exit 1; }
if out=$("$@" "$file" 2>&1); then echo "$file compiles, but must not"; exit 1; fi
case $out in *"$wanted"*) exit 0 ;; esac
echo "$file is rejected, but not for: $wanted"
echo "$out" | head -20
exit 1
