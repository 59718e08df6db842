"""Looks whether the files that the documents name are there.

usage: doc_paths.py SOURCE_DIR

In README.md, CHANGELOG.md and everything below docs/ a word that looks like a path of ours has to be one: one that begins with a
folder of ours (`test/...`, `docs/...`), or a header without `include/ocitk/` in front (`runtime/init.hpp`). Words in capitals stand
for something else (`docs/stages/WORD.md`), and so does what is behind a slash or a variable (`/proc/self/fd`, `$OCITK_ROOT/bin`).
Links are followed from where they stand.
"""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
headers = root / "include/ocitk"
folders = {p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith((".", "build"))} - {"subprojects"}
parts = {p.name for p in headers.iterdir() if p.is_dir()}
# Not after a letter, a slash, a dot, a dash, a variable: those are parts of something longer.
WORD = re.compile(r"(?<![\w/.$<{~-])((?:[\w.-]+/)+[\w.*-]*[\w*])")
LINK = re.compile(r"\]\(([^)#:]+)\)")


def is_there(name):
    base = headers if name.split("/")[0] in parts and not (root / name.split("/")[0]).is_dir() else root
    if name.split("/")[0] in parts and base is root and list(headers.glob(name)):
        return True
    return bool(list(base.glob(name)))


def candidates(text):
    for name in WORD.findall(text):
        name = name.rstrip(".")
        first = name.split("/")[0]
        stands_for_others = re.search(r"(?:^|[/_.-])[A-Z]{2,}(?:[/_.-]|$)", name)
        if stands_for_others and not name.endswith(("README.md", "CHANGELOG.md")):
            continue
        if first in folders or (first in parts and "." in name.rsplit("/", 1)[-1]):
            yield name


documents = [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").rglob("*.md"))]
complaints, looked = [], 0
for document in documents:
    shown = document.relative_to(root)
    for number, line in enumerate(document.read_text().splitlines(), 1):
        for name in re.findall(r"#include <ocitk/([^>]+)>", line):
            looked += 1
            if not (headers / name).is_file():
                complaints.append(f"{shown}:{number}: there is no header {name}")
        links = LINK.findall(line)
        for name in links:
            looked += 1
            if not (document.parent / name).exists():
                complaints.append(f"{shown}:{number}: the link {name} leads nowhere")
        for name in candidates(LINK.sub("]", line)):
            looked += 1
            if not is_there(name):
                complaints.append(f"{shown}:{number}: there is no {name}")

for complaint in complaints:
    print(complaint)
if looked < 100:
    print(f"only {looked} names were found: the pattern does not fit any more")
sys.exit(1 if complaints or looked < 100 else 0)
