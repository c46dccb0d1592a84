"""The manual is true: its examples run and show what it says they show, and it leaves nothing out.

A ```console block holds commands after "$ " with what a person sees in a terminal 80 columns wide; a line "…" stands for any lines, and "…" within a
line for any text. A ```python block is run as it is, or as a doctest when it has ">>>". All run in one folder, one after the other.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")  # not on Windows
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PACKAGE = ROOT / "bounceparse"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def in_terminal(command: str, folder: Path) -> str:
    """What a person sees after `command`: standard output of a terminal 80 columns wide without colours, then standard error."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, b"\x18\x00\x50\x00\x00\x00\x00\x00")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "xterm", "NO_COLOR": "1", "PYTHONWARNINGS": "error"}
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
    return seen.decode("utf-8").replace("\r\n", "\n")


def commands(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that it shows."""
    for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = piece.partition("\n")
        while command.endswith("\\"):
            more, _, shown = shown.partition("\n")
            command += "\n" + more
        yield command, shown


def agrees(shown: str, seen: str) -> bool:
    """Whether the output is the one that the manual shows."""
    lines = [line.rstrip() for line in shown.rstrip().splitlines()]
    pattern = "".join(r"(?:[^\n]*\n)*" if line == "…" else re.escape(line).replace("…", "[^\n]*") + "\n" for line in lines)
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in seen.rstrip().splitlines())) is not None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("manual")


def test_the_console_examples(place: Path) -> None:
    examples = [pair for language, block in BLOCKS if language == "console" for pair in commands(block)]
    assert len(examples) >= 8
    for command, shown in examples:
        seen = in_terminal(command, place)
        assert agrees(shown, seen), f"$ {command}\nthe manual shows\n{shown}\nand the terminal\n{seen}"


def test_the_python_examples(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    if not (place / "bounces").exists():
        in_terminal("bounceparse samples bounces", place)
    names: dict[str, object] = {}
    blocks = [block for language, block in BLOCKS if language == "python"]
    assert blocks
    for block in blocks:
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, names, "README.md", "README.md", 0)
            said: list[str] = []
            doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, said.append, clear_globs=False)
            assert not said, "".join(said)
            names.update(test.globs)
        else:
            exec(compile(block, "README.md", "exec"), names)


def test_the_make_targets() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert {"run", "test", "check"} <= set(targets)
    assert not [target for target in targets if target != "help" and f"make {target}" not in README]


def test_every_command_is_in_the_manual() -> None:
    from bounceparse import cli

    assert not [command for command in cli.main.commands if not re.search(rf"bounceparse {command}\b", README)]


def test_every_reason_is_in_the_manual() -> None:
    from bounceparse.tables import load_tables

    assert not [reason for reason in load_tables().reasons if f"`{reason}`" not in README]


def test_every_dialect_is_in_the_manual() -> None:
    names = {path.stem for path in (PACKAGE / "dialects").glob("*.toml")}
    assert len(names) >= 15
    assert not [name for name in names if f"`{name}`" not in README]


def test_every_public_name_is_in_the_manual() -> None:
    import bounceparse

    assert not [name for name in bounceparse.__all__ if not name.startswith("__") and not re.search(rf"\b{name}\b", README)]


def test_the_version_is_one() -> None:
    import bounceparse

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == bounceparse.__version__
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_links_lead_somewhere() -> None:
    targets = [t for t in re.findall(r"\]\(([^)#\s]+)\)", README) if not t.startswith(("http:", "https:"))]
    assert not [t for t in targets if not (ROOT / t).exists()]
