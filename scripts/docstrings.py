"""What the headers, the program and its tools say about themselves, for scripts/stage-pages and scripts/man-pages.

Nothing here is a C++ parser: it relies on the shapes that the headers keep to, and complains where it finds nothing.
"""

import json
import pathlib
import re
import subprocess

SOURCE = pathlib.Path(__file__).resolve().parent.parent
HEADERS = SOURCE / "include/ocitk"
ROWS = ("Reads", "Process", "Calls", "Fails", "Returns")


class Problem(Exception):
    """Something is not as these scripts need it; the text says what."""


def ask(program, *args):
    """What a program of the build prints."""
    try:
        done = subprocess.run([str(program), *args], capture_output=True, text=True, check=False)
    except OSError as why:
        raise Problem(f"{program}: {why.strerror}: build it first (meson compile -C BUILD_DIR ocitk)") from why
    if done.returncode != 0:
        raise Problem(f"{program} {' '.join(args)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Build:
    """The built program and its tools."""

    def __init__(self, directory):
        self.tools = pathlib.Path(directory) / "tools"
        self.program = self.tools / "ocitk"

    def stages(self):
        return json.loads(ask(self.program, "stages", "--format", "json"))

    def table(self):
        return ask(self.program, "stages", "--format", "markdown")

    def version(self):
        return ask(self.program, "--version").split()[2]

    def help_of(self, word):
        """Sections of a stage tool's help, with `about` for its first line; None if there is no such tool."""
        tool = self.tools / f"ocitk-{word}"
        if not tool.exists():
            return None
        text = ask(tool, "--help")
        first = re.match(rf"ocitk-{word}: (.*)\n", text)
        if first is None:
            raise Problem(f"ocitk-{word} --help does not begin with its name")
        return {"about": first[1], **sections(text)}

    def commands(self):
        """Name and summary of each command of the program."""
        found = sections(ask(self.program, "--help")).get("COMMANDS", [])
        if not found:
            raise Problem("ocitk --help lists no command")
        return [tuple(line.split(None, 1)) for line in found]

    def help_of_command(self, *command):
        return sections(ask(self.program, *command, "--help"))


def sections(text):
    """`USAGE:` and its like with the lines below, their indentation gone. What is in brackets of a title is left out."""
    found = {}
    for title, body in re.findall(r"^([A-Z][A-Z ]+)(?: \(.*\))?:\n((?:   .*\n?)+)", text, re.M):
        found[title] = [line[3:].rstrip() for line in body.splitlines()]
    return found


def options(lines):
    """(`--bundle, -b`, "directory of ...") for each option of a help text."""
    return [tuple(re.split(r"\s{2,}| (?=[^-])", line, maxsplit=1)) for line in lines]


def docstring(lines):
    """A `///` block as its sentences and its rows."""
    text = [re.sub(r"^\s*/// ?", "", line) for line in lines]
    about, rows, key = [], {}, None
    for line in text:
        row = re.match(rf"({'|'.join(ROWS)})\s+(.*)", line)
        if row:
            key = row[1]
            rows[key] = row[2]
        elif key and line.startswith("  "):
            rows[key] += " " + line.strip()
        else:
            key = None
            about.append(line)
    return {"about": paragraphs(about), "rows": rows}


def paragraphs(lines):
    return "\n\n".join(" ".join(p.split()) for p in "\n".join(lines).strip().split("\n\n") if p.strip())


def header(path):
    """The text of a header, below include/ocitk."""
    file = HEADERS / path
    if not file.is_file():
        raise Problem(f"include/ocitk/{path} is not there")
    return file.read_text()


BLOCK = r"((?:^[ ]*///[^\n]*\n)+)"


def stage_types(text, word):
    """The stages of that word in a header: their types with docstring, context and `after`."""
    found = []
    for block, name, context, body in re.findall(
        BLOCK + r"struct (\w+) : stage_in<(\w+)> \{\n(.*?)^\};", text, re.M | re.S
    ):
        if f'name = "{word}"' not in body:
            continue
        after = re.search(r"after\{(.*?)\}", body, re.S)
        reads = re.search(r'reads = "(.*?)"', body)
        found.append(
            {
                "type": name,
                "process": context.removesuffix("_context"),
                "after": re.findall(r'"(.*?)"', after[1]) if after else [],
                "reads": reads[1] if reads else "",
                **docstring(block.splitlines()),
            }
        )
    return found


def functions(text):
    """The free functions of a header that are not in a namespace `detail`, with the namespace they are in."""
    text = re.sub(r"^namespace detail \{\n.*?^\}  // namespace detail\n", "", text, flags=re.M | re.S)
    found, where = [], ""
    for match in re.finditer(
        BLOCK + r"?^(?:namespace ([\w:]+) \{|\}  // namespace ([\w:]+)|"
        r"(?:inline|OCITK_JSON_FUNCTION) (?:auto|void) (\w+)\(([^{;]*?)\)(?:\s+->\s+([^{;]*?))?(?:\s\{|;))",
        text,
        re.M | re.S,
    ):
        block, opened, closed, name, taken, returned = match.groups()
        if opened:
            where = f"{where}::{opened}" if where else opened
        elif closed:
            where = where.removesuffix(closed).removesuffix("::")
        else:
            signature = f"{name}({' '.join(taken.split())})" + (f" -> {returned.strip()}" if returned else "")
            found.append({"name": name, "in": where, "signature": signature, **docstring((block or "").splitlines())})
    return found


def about_header(path):
    """The sentences in front of a header's namespace."""
    match = re.search(BLOCK + r"namespace ", header(path), re.M)
    return docstring(match[1].splitlines())["about"] if match else ""


def shared_headers(text):
    """Headers that a stage shares its work with."""
    return re.findall(r"#include <ocitk/((?:mounts|privileges|cgroups)/\w+\.hpp)>", text)


def strings(text):
    """Adjacent C++ string literals as one, escapes undone."""
    return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', text)).replace("\\\\", "\\").replace('\\"', '"')


def known_causes():
    """The rows of runtime/hints.hpp: call, errno, stage, about, hint."""
    text = header("runtime/hints.hpp")
    constants = {n: strings(v) for n, v in re.findall(r"constexpr std::string_view (\w+) =(.*?);\n", text, re.S)}
    table = re.search(r"known_causes = std::to_array<known_cause>\(\{\n(.*?)^\}\);", text, re.M | re.S)
    rows = []
    literal = r'"((?:\\.|[^"\\])*)"'
    entry = r"\{" + literal + r", (\w+), " + literal + r", " + literal + r',\s*((?:"(?:\\.|[^"\\])*"\s*)+|\w+)\}'
    for call, code, stage, about, hint in re.findall(entry, table[1] if table else ""):
        rows.append({"call": call, "code": code, "stage": stage, "about": about,
                     "hint": strings(hint) if hint.startswith('"') else constants[hint]})
    if table is None or len(rows) != len(re.findall(r"^    \{", table[1], re.M)):
        raise Problem("include/ocitk/runtime/hints.hpp: its table is not read in full any more")
    return rows


def privileges():
    """The rows of sys/privilege.hpp: what a call that is refused asks for."""
    text = header("sys/privilege.hpp")
    objects = {n: v for n, v in re.findall(r'(\w+_ns|host_ids) = "(.*?)"', text)}
    rows = []
    for call, about, needs, rest, remark in re.findall(
        r'\{\.call = "(.*?)"(?:, \.about = "(.*?)")?, \.needs = (?:\{CAP_\w+, "\w+"\}|(\w+))(.*?)\},(?:  // (.*))?\n', text
    ):
        line = re.search(re.escape(f'.call = "{call}"') + r'.*?"(CAP_\w+)"', text) if not needs else None
        capability = needs.upper() if needs else line[1]
        over = re.search(r'\.object = (?:"(.*?)"|(\w+))', rest)
        if over:
            where = f"in the user namespace that owns {over[1] or objects[over[2]]}"
            where = where.replace("that owns the user namespace the host ids are of", "the host ids are of")
        else:
            where = "in the initial user namespace" if "initial" in rest else ""
        rows.append({"call": call, "about": about, "capability": capability, "where": where, "remark": remark})
    if len(rows) != text.count("{.call = "):
        raise Problem("include/ocitk/sys/privilege.hpp: its table is not read in full any more")
    return rows
