"""Looks at who includes whom.

usage: layers.py INCLUDE_DIR

A header includes only from lower layers or from its own, a stage never another stage. The JSON parser is for
spec/{read,write,draft,unknown_keys}.hpp and spec/detail, CLI11 for cli/options.hpp, and a stage reaches neither, not even through others.
spec/{read,write}.hpp and spec/detail, CLI11 for cli/parser.hpp, and a stage reaches neither, not even through others.
Slow standard headers stay out of all of them.
"""

import pathlib
import re
import sys

LAYERS = [
    {"watch.hpp"},
    {"error.hpp", "fd.hpp", "owned.hpp", "text.hpp"},
    {"sys"},
    {"spec"},
    {"context.hpp", "stage.hpp", "watch"},
    {"cgroups", "mounts", "privileges"},
    {"stages"},
    {"runtime", "check"},
    {"cli"},
    {"ocitk.hpp"},
]
JSON_HOMES = re.compile(r"spec/(read|write|draft|unknown_keys)\.hpp$|spec/detail/")
SLOW = {"<filesystem>", "<regex>", "<ranges>", "<iostream>"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])', re.MULTILINE)

root = pathlib.Path(sys.argv[1]) / "ocitk"
includes = {
    str(p.relative_to(root)): INCLUDE.findall(p.read_text()) for p in sorted(root.rglob("*.hpp"))
}
complaints = []


def part(header):
    return header.split("/")[0]


def layer(header):
    return next((rank for rank, parts in enumerate(LAYERS) if part(header) in parts), None)


def ours(included):
    return included[len("<ocitk/"):-1] if included.startswith("<ocitk/") else None


def below(header, seen):
    """Everything a header pulls in, ours and others'."""
    for included in includes.get(header, []):
        if included not in seen:
            seen.add(included)
            if ours(included):
                below(ours(included), seen)
    return seen


def check(header, included):
    target = ours(included)
    if included.startswith('"'):
        complaints.append(f"{header} includes {included}: write <ocitk/...>, an installed header knows no neighbours")
    if target is not None and target not in includes:
        complaints.append(f"{header} includes {included}, which is not there")
    elif target is not None and layer(target) is not None:
        if layer(target) > layer(header):
            complaints.append(f"{header} includes {target} of a higher layer")
        elif part(target) == "stages" == part(header):
            complaints.append(f"stage {header} includes stage {target}: what two stages share moves down")
        elif layer(target) == layer(header) and part(target) != part(header) and "/" in target:
            complaints.append(f"{header} includes {target} of a neighbour")
    if "nlohmann" in included and not JSON_HOMES.search(header):
        complaints.append(f"{header} includes {included}: JSON is for spec/read.hpp and spec/write.hpp")
    if "CLI/" in included and header != "cli/parser.hpp":
        complaints.append(f"{header} includes {included}: CLI11 is for cli/parser.hpp")
    if included in SLOW:
        complaints.append(f"{header} includes {included}, which every file that uses it pays for")


for header, lines in includes.items():
    if layer(header) is None:
        complaints.append(f"{header} belongs to no layer: name its folder in layers.py")
        continue
    for included in lines:
        check(header, included)
    if part(header) in ("stages", "mounts", "cgroups"):
        for included in sorted(below(header, set())):
            if "nlohmann" in included or "CLI/" in included:
                complaints.append(f"{header} reaches {included} through other headers")

for text in complaints:
    print(text)
if not includes:
    print(f"no header found below {root}")
sys.exit(1 if complaints or not includes else 0)
