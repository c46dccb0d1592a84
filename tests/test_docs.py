"""The manual is true: its examples run and show what it says they show, and it leaves nothing out."""

from __future__ import annotations

import doctest
import re
import sys
import tomllib
from pathlib import Path

import pytest

import bounceparse
from tests.manual import MADE, MANUAL, ROOT, agrees, blocks, commands, in_terminal, made

TEXT = MANUAL.read_text("utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("manual")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of the POSIX kind")
def test_the_console_examples(place: Path) -> None:
    examples = [pair for block in blocks("console") for pair in commands(block)]
    assert len(examples) >= 8
    for command, shown in examples:
        seen = in_terminal(command, place)
        assert agrees(shown, seen), f"make manual, then read the diff\n$ {command}\nthe manual shows\n{shown}\nand the terminal\n{seen}"


def test_the_python_examples(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    if not (place / "bounces").exists():
        in_terminal("bounceparse samples bounces", place)
    names: dict[str, object] = {}
    assert blocks("python")
    for block in blocks("python"):
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, names, "README.md", "README.md", 0)
            said: list[str] = []
            doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, out=said.append, clear_globs=False)
            assert not said, "".join(said)
            names.update(test.globs)
        else:
            exec(compile(block, "README.md", "exec"), names)


def test_the_tables_of_the_manual() -> None:
    pieces = {name: text for _, name, text, _ in MADE.findall(TEXT)}
    assert made().items() <= pieces.items(), "make manual, then read the diff"
    assert "| parse + JSON record |" in pieces["speed"], "make bench manual"


def test_every_make_target_is_in_the_manual() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert {"run", "test", "check"} <= set(targets)
    assert not [target for target in targets if f"make {target}" not in TEXT]


def test_every_command_is_in_the_manual() -> None:
    from bounceparse.cli import COMMANDS

    assert not [command for command in COMMANDS if not re.search(rf"bounceparse {command}\b", TEXT)]


def test_every_public_name_is_in_the_manual() -> None:
    assert not [name for name in bounceparse.__all__ if not re.search(rf"\b{name}\b", TEXT)]


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == bounceparse.__version__
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_links_lead_somewhere() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)\)", TEXT) if not target.startswith(("http:", "https:"))]
    assert not [target for target in targets if not (ROOT / target).exists()]
