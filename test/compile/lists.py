"""Compares what the build lists by hand with what is in the tree.

usage: lists.py FOLDER SUFFIX [NAME...]   every file below FOLDER that ends in SUFFIX must be among the names

lib.sh is sourced by other scripts and needs no mention.
"""

import pathlib
import sys

folder, suffix, *listed = sys.argv[1:]
found = {
    str(p.relative_to(folder))
    for p in pathlib.Path(folder).rglob(f"*{suffix}")
    if p.name != "lib.sh"
}
missing = sorted(found - set(listed))
gone = sorted(n for n in listed if not (pathlib.Path(folder) / n).is_file())
for name in missing:
    print(f"{folder}/{name} is in the tree but not in the list of {folder}/meson.build")
for name in gone:
    print(f"{folder}/{name} is in the list of {folder}/meson.build but not in the tree")
twice = sorted({n for n in listed if listed.count(n) > 1})
for name in twice:
    print(f"{folder}/{name} is listed twice in {folder}/meson.build")
sys.exit(1 if missing or gone or twice else 0)
