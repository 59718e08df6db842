#!/bin/bash
# scripts/timeline-picture: a picture of a real trace that is well formed and names every stage.
. "$(dirname "$0")/lib.sh"
need python3
TOP=$(dirname "$0")/../..

# in_picture FILE: the texts of an SVG, one a line; fails if it is not well formed.
in_picture() {
  python3 -c '
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
assert root.tag == "{http://www.w3.org/2000/svg}svg", root.tag
width, height = map(float, root.get("viewBox").split()[2:])
for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
    x, y, w, h = (float(rect.get(k, 0)) for k in ("x", "y", "width", "height"))
    assert x >= 0 and y >= 0 and w > 0 and x + w <= width and y + h <= height, rect.attrib
print(*(t.text for t in root.iter("{http://www.w3.org/2000/svg}text")), sep="\n")' "$1"
}
real_trace() {
  local b stage; b=$(sh_bundle picture true '.linux.sysctl = {"kernel.shm_rmid_forced": "1"}')
  rt run --trace "$DIR/t.json" -b "$b" "$TAG-1" </dev/null
  "$TOP/scripts/timeline-picture" "$DIR/t.json" >"$DIR/t.svg"
  in_picture "$DIR/t.svg" >"$DIR/words"
  for stage in $(jq -r '[.traceEvents[] | select(.cat == "stage") | .name] | unique[]' "$DIR/t.json") parent init; do
    grep -qx -- "$stage" "$DIR/words" || fail "no $stage in the picture"
  done
  [ "$(jq '[.traceEvents[] | select(.cat == "stage")] | length' "$DIR/t.json")" = "$(grep -Ec '^[0-9.]+ ms(, [0-9]+ calls)?$' <(grep -vE '^[0-9]+(\.[0-9])? ms$' "$DIR/words"))" ] || fail "not a label for each stage"
}
kept_picture() { in_picture "$TOP/docs/timeline.svg" >"$DIR/words"; grep -qx rootfs "$DIR/words"; grep -qx init "$DIR/words"; }
wrong_usage() { local rc=0; "$TOP/scripts/timeline-picture" 2>/dev/null || rc=$?; same "$rc" 1; }

case_ "a real trace: every stage, inside of the picture" real_trace
case_ "the picture of the documents" kept_picture
case_ "wrong usage" wrong_usage
finish
