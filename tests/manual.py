"""The examples of the manual, and a terminal to run them in. `python -m tests.manual` writes their output anew.

A ```console block holds commands after "$ ", their further lines after "> ", with what a person sees in a terminal 80 columns wide; a line "…" stands
for any lines, and "…" within a line for any text. A ```python block is run as it is, or as a doctest when it has ">>>". All run in one folder, one
after the other. What stands between the two comments of MADE is made from the tables, or from what `make bench` measured.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bounceparse.cli.lookup import count_rules, sum_up
from bounceparse.tables import load_tables

ROOT = Path(__file__).parent.parent
MANUAL = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY_BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MADE = re.compile(r"(<!-- made: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def blocks(language: str) -> list[str]:
    """The blocks of the manual in that language, in their order."""
    return [block for named, block in BLOCK.findall(MANUAL.read_text("utf-8")) if named == language]


def recipes(title: str) -> list[str]:
    """The recipes of the manual whose first comment begins with "# title", in their order: what follows it, up to a blank line."""
    recipes = (recipe for block in _ANY_BLOCK.findall(MANUAL.read_text("utf-8")) for recipe in block.split("\n\n"))
    found = [recipe.partition("\n")[2] for recipe in recipes if re.match(rf"# {re.escape(title)}\b", recipe)]
    assert found, title
    return found


def in_terminal(command: str, folder: Path) -> str:
    """What a person sees after `command`: standard output on a terminal 80 columns wide without colours, then standard error."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, b"\x18\x00\x50\x00\x00\x00\x00\x00")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(["bash", "-c", command], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    seen = b""
    while True:
        try:
            got = os.read(ours, 65536)
        except OSError:  # how Linux says that the last program has closed the terminal
            break
        if not got:
            break
        seen += got
    os.close(ours)
    assert process.stderr is not None
    with process.stderr as errors:
        seen += errors.read()
    process.wait(60)
    return "".join(line.rstrip() + "\n" for line in seen.decode("utf-8").strip("\r\n").splitlines())


def commands(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that it shows."""
    for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = piece.partition("\n")
        while shown.startswith("> "):
            more, _, shown = shown[2:].partition("\n")
            command += "\n" + more
        yield command, shown.strip("\n") + "\n" if shown.strip() else ""


def agrees(shown: str, seen: str) -> bool:
    """Whether the output is the one that the manual shows."""
    lines = shown.splitlines()
    pattern = "".join(r"(?:[^\n]*\n)*" if line == "…" else re.escape(line).replace("…", "[^\n]*") + "\n" for line in lines)
    return re.fullmatch(pattern, seen) is not None


def made() -> dict[str, str]:
    """The pieces of the manual that are made from the tables."""
    tables = load_tables()
    bounces = {"by_class": "hard when final", "hard": "hard", "soft": "soft", "none": "none"}
    reasons = [f"| `{r.name}` | {bounces[r.bounce]} | {r.fault} | {r.meaning} |\n" for r in sorted(tables.reasons.values(), key=lambda r: r.name)]
    dialects = [f"| `{d.name}` | {d.title} | {d.seen} |\n" for d in sorted(tables.dialects, key=lambda d: d.name)]
    counts = [f"| {rules} | {number:,} | {of} |\n" for rules, number, of in sum_up(count_rules(tables))]
    return {
        "reasons": "| reason | bounce | fault | meaning |\n| --- | --- | --- | --- |\n" + "".join(reasons),
        "dialects": "| dialect | written by | seen |\n| --- | --- | --- |\n" + "".join(dialects),
        "coverage": "| rules | count | of which |\n| --- | ---: | --- |\n" + "".join(counts),
    }


def measured() -> dict[str, str]:
    """The table of what the last `make bench` measured here, if there was one."""
    latest = ROOT / ".bench" / "latest.json"
    if not latest.exists():
        return {}
    found = json.loads(latest.read_text("utf-8"))
    if not found["tables"]:
        return {}
    lines = [(title, reader, line) for title, table in found["tables"].items() for reader, line in table.items()]
    rows = [f"| {title} | {reader} | {line['us']:,.0f} µs | {line['ratio']:.1f} × |\n" for title, reader, line in lines]
    head = "| what | reader | time | as fast as the first |\n| --- | --- | ---: | ---: |\n"
    return {"speed": f"Python {found['python']}, {found['machine']}, one core:\n\n{head}{''.join(rows)}"}


def main() -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:

        def anew(match: re.Match[str]) -> str:
            nonlocal wrong
            if match[1] != "console":
                return match[0]
            lines = []
            for command, shown in commands(match[2]):
                seen = in_terminal(command, Path(folder))
                if not agrees(shown, seen) and "…" in shown:
                    print(f"mend by hand: $ {command}\n{seen}")
                    wrong += 1
                typed = command.replace("\n", "\n> ")
                lines.append(f"$ {typed}\n{shown if '…' in shown else seen}")
            return f"```console\n{''.join(lines)}```"

        pieces = made() | measured()
        text = MADE.sub(lambda match: match[1] + pieces.get(match[2], match[3]) + match[4], MANUAL.read_text("utf-8"))
        MANUAL.write_text(BLOCK.sub(anew, text), "utf-8")
    print("`git diff README.md` is the review")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
