"""Renders the manual pages of a build and looks whether they say what they have to.

usage: man_pages.py BUILD_DIR NAME...

Each command that `ocitk --help` lists and each tool has to have a page; each page has to say how the program ends and to
show it at work. Ends with 77 if there is no groff.
"""

import pathlib
import re
import shutil
import subprocess
import sys

build, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
if shutil.which("groff") is None:
    print("groff is not there: scripts/install-deps --tests")
    sys.exit(77)

complaints = []
told = subprocess.run([build / "tools/ocitk", "--help"], capture_output=True, text=True, check=True).stdout
commands = re.findall(r"^   (\S+) ", told[told.index("COMMANDS:") : told.index("GLOBAL OPTIONS:")], re.M)
tools = [tool.name for tool in (build / "tools").glob("ocitk-*") if tool.is_symlink()]
for name in [f"ocitk-{command}" for command in commands] + tools:
    if name not in names:
        complaints.append(f"{name} has no page: add it to docs/meson.build")

for name in names:
    file = build / "docs" / f"{name}.1"
    if not file.is_file():
        complaints.append(f"{name}.1 was not built")
        continue
    done = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-P-c", "-rLL=100n", file], capture_output=True, text=True)
    if done.returncode != 0 or done.stderr:
        complaints.append(f"{name}.1: {done.stderr.strip()}")
    text = re.sub(r".\x08", "", done.stdout)
    for title, wanted in (("EXIT STATUS", r"^\s+\d+\s+\S"), ("EXAMPLE", rf"\bocitk\b"), ("OPTIONS", r"--help"), ("SYNOPSIS", r"\bocitk\b")):
        part = re.search(rf"^{title}\n(.*?)^(?=\S)", text, re.M | re.S)
        if part is None or not re.search(wanted, part[1], re.M):
            complaints.append(f"{name}.1 has no {title} that says anything")

for complaint in complaints:
    print(complaint)
sys.exit(1 if complaints else 0)
