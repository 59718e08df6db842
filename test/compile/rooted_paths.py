"""Looks for calls that walk a path by its name where the path may be the container's.

usage: rooted_paths.py INCLUDE_DIR ALLOWED_FILE

In stages/ and mounts/ a path of the container goes through sys::open_in_root and its siblings, which resolve it
below the root (threat R1). A call that follows names is found here, whatever its argument is. The few that are right
stand in ALLOWED_FILE, one `header: call: reason` a line; a line that no longer applies is an error too.
"""

import pathlib
import re
import sys

CALLS = """open openat creat fopen opendir stat lstat fstatat access faccessat mkdir mkdirat mknod mknodat symlink symlinkat
link unlink unlinkat rmdir rename renameat mount umount umount2 chown lchown fchownat chmod fchmodat chdir chroot
truncate readlink realpath utimensat statfs execv execve execvp nftw""".split()
# `::open(...)`, `kernel::open(...)`, or a bare `open(...)` that is neither a member nor qualified.
CALL = re.compile(r"((?<![\w>])::|kernel::|(?<![\w:.>~]))\b(" + "|".join(CALLS) + r")\s*\(")
OWN = re.compile(r"\bauto (\w+)\s*\(")
STREAM = re.compile(r"\bstd::(?:[io]?fstream|filesystem)\b")
CWD = re.compile(r"\bfd_ref::cwd\(\)|\bAT_FDCWD\b")


def code(text):
    """The text with comments and strings blanked, line by line."""
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    return [re.sub(r"//.*", "", line) for line in text.splitlines()]


include, allowed_file = sys.argv[1:]
root = pathlib.Path(include) / "ocitk"
allowed = {}
for line in pathlib.Path(allowed_file).read_text().splitlines():
    if line and not line.startswith("#"):
        header, call, reason = line.split(": ", 2)
        allowed[header, call] = reason

used, complaints, looked = set(), [], 0
for folder in ("stages", "mounts"):
    for path in sorted((root / folder).rglob("*.hpp")):
        looked += 1
        header = str(path.relative_to(root))
        lines = code(path.read_text())
        own = {name for line in lines for name in OWN.findall(line)}
        for number, line in enumerate(lines, 1):
            found = [call for colons, call in CALL.findall(line) if colons or call not in own]
            found += ["cwd" for _ in CWD.finditer(line)] + ["stream" for _ in STREAM.finditer(line)]
            for call in found:
                used.add((header, call))
                if (header, call) not in allowed:
                    complaints.append(f"{header}:{number}: {call} follows a name: open it with sys::open_in_root, or "
                                      f"give the reason why it is no path of the container in {allowed_file}")
for header, call in sorted(allowed.keys() - used):
    complaints.append(f"{allowed_file}: {header}: {call} is allowed but not used")

for text in complaints:
    print(text)
if looked == 0:
    print(f"no header found below {root}")
sys.exit(1 if complaints or looked == 0 else 0)
