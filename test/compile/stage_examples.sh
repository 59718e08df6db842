# The C++ of docs/stages/notes, compiled in one file.
#
# usage: stage_examples.sh STAGE_PAGES COMPILER...
set -eu
pages=$1
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$pages" --examples >"$dir/examples.cpp"
"$@" "$dir/examples.cpp"
