"""Puts test files into one, each in a namespace of its own: most of the time of compiling one goes into headers.

usage: together.py OUTPUT FILE...

System headers come first, for all. A file's own helpers ("...") are included inside its namespace, so that two of
one name do not meet. __FILE__ and messages stay those of the original.
"""

import pathlib
import re
import sys

SYSTEM = re.compile(r"^#include <.*>$", re.MULTILINE)
OWN = re.compile(r'^#include "(.*)"$', re.MULTILINE)
GUARD = re.compile(r"^#ifndef (\w+)\n#define \1$", re.MULTILINE)


def helpers(path):
    """The helpers that a file includes, each behind those it includes itself."""
    found = []
    for name in OWN.findall(path.read_text()):
        helper = (path.parent / name).resolve()
        found += helpers(helper) + [helper]
    return list(dict.fromkeys(found))


def part(path):
    lines = []
    for helper in helpers(path):
        guard = GUARD.search(helper.read_text())
        if guard:
            lines.append(f"#undef {guard[1]}")
        lines.append(f'#include "{helper}"')
    body = OWN.sub("", SYSTEM.sub("", path.read_text()))
    return lines + [f'#line 1 "{path}"', body]


output, *names = sys.argv[1:]
paths = [pathlib.Path(n).resolve() for n in names]
everything = paths + [h for p in paths for h in helpers(p)]
system = dict.fromkeys(line for p in everything for line in SYSTEM.findall(p.read_text()))
text = list(system)
for number, path in enumerate(paths):
    text += [f"namespace file_{number} {{", *part(path), f"}}  // namespace file_{number}"]
pathlib.Path(output).write_text("\n".join(text) + "\n")
