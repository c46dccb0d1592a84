"""The house rules that a reader of the code can see, checked on its syntax tree.

The order below is the whole rule: a file imports only from lines above its own, or from its own package; names on one line do not import one another.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

LAYERS: tuple[tuple[str, ...], ...] = (
    ("limits",),
    ("flaws",),
    ("inner",),
    ("model",),
    ("text", "nearest"),
    ("replies",),
    ("tables",),
    ("landmarks",),
    ("wire",),
    ("dialects",),  # its hooks are the only Python in there
    ("evidence",),
    ("signs",),
    ("kinds",),
    ("recipients",),
    ("again", "said_of"),
    ("hearing",),
    ("judge",),
    ("verp",),
    ("prove",),
    ("policy",),
    ("decide",),
    ("record",),
    ("engine",),
    ("keys",),
    ("intake", "output", "ledger", "dns"),
    ("batch",),
    ("spool",),
    ("pipeline",),
    ("server", "integrations"),
    ("cli",),
    ("__init__", "__main__"),  # the public names; nothing below may lean on them
)
CORE_ENDS = "engine"
OPENS_FILES = {"tables"}  # the one door to the package's own data
SECOND_OPINION = "evidence/second_opinion.py"  # may use `email`, flufl.bounce and the silencing of its logger, inside a function

# What the core may not import: files, sockets, clocks, loggers, processes and the mail parser that it is measured against.
OUTSIDE = {
    "asyncio", "click", "dns", "email", "flufl", "glob", "http", "logging", "mailbox", "mailparser", "mmap", "multiprocessing", "os",
    "pathlib", "pickle", "random", "rich", "selectors", "shutil", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading",
    "time", "urllib",
}
OUTSIDE_CALLS = {"open", "print", "input", "breakpoint"}
OUTSIDE_METHODS = {"open", "now", "utcnow", "today", "read_text", "read_bytes", "write_text", "write_bytes", "getLogger"}
VAGUE_NAMES = {"utils.py", "util.py", "helpers.py", "base.py", "common.py", "misc.py"}
LONG = 400  # lines after which a file explains itself

DISTRIBUTIONS = {  # of modules that are named otherwise than their package
    "anymail": "django-anymail",
    "dns": "dnspython",
    "flufl": "flufl.bounce",
    "mailparser": "mail-parser",
    "prometheus_client": "prometheus-client",
}

ROOT = Path(__file__).parent.parent / "bounceparse"
FILES = sorted(ROOT.rglob("*.py"))
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
DIALECTS = {path.stem for path in (ROOT / "dialects").glob("*.toml")}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def layer(path: Path) -> str:
    """The entry of LAYERS that `path` belongs to: its package, or its own name at the top."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else path.stem


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


def imports(path: Path) -> Iterator[tuple[str, ast.stmt, str]]:
    """Every absolute dotted name that the file imports, with its statement and when it happens: `start`, `later` or `never` (for types alone)."""
    module = tree(path)
    top = set(ast.iter_child_nodes(module)) | {n for s in module.body if isinstance(s, ast.If | ast.Try) for n in ast.walk(s)}
    typing_only = {n for s in module.body if isinstance(s, ast.If) and "TYPE_CHECKING" in ast.dump(s.test) for b in s.body for n in ast.walk(b)}
    package = ["bounceparse", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(module):
        when = "never" if node in typing_only else "start" if node in top else "later"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node, when
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1] if node.level else [])
            base = ".".join(filter(None, (base, node.module or "")))
            for alias in node.names:
                yield f"{base}.{alias.name}", node, when


def target(dotted: str) -> str | None:
    """The entry of LAYERS that an imported name belongs to; None for other packages."""
    head, _, rest = dotted.partition(".")
    if head != "bounceparse":
        return None
    first = rest.split(".")[0]
    return first if (ROOT / first).is_dir() or (ROOT / f"{first}.py").is_file() else "__init__"


def is_core(path: Path) -> bool:
    return RANK.get(layer(path), 0) <= RANK[CORE_ENDS]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_imports_only_from_above(path: Path) -> None:
    mine = layer(path)
    assert mine in RANK, f"{name(path)} has no place in LAYERS"
    for dotted, node, _ in imports(path):
        theirs = target(dotted)
        if theirs is None or theirs == mine:
            continue
        if theirs == "__init__" and mine in {"cli", "__main__"}:
            continue  # the version
        assert theirs in RANK and RANK[theirs] < RANK[mine], f"{name(path)}:{node.lineno}: {mine} must not import {theirs}"


@pytest.mark.parametrize("path", [p for p in FILES if is_core(p)], ids=name)
def test_the_core_touches_nothing_outside(path: Path) -> None:
    if layer(path) in OPENS_FILES:
        pytest.skip("loads the package's own tables")
    second_opinion = name(path) == SECOND_OPINION
    for dotted, node, when in imports(path):
        first = dotted.split(".")[0]
        if when == "never":
            continue
        if second_opinion and first in {"email", "flufl", "logging"}:
            assert when == "later", f"{name(path)}:{node.lineno}: import {first} only where it is asked for"
            continue
        assert first not in OUTSIDE, f"{name(path)}:{node.lineno}: the core must not import {first}"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = isinstance(node.func, ast.Name) and node.func.id in OUTSIDE_CALLS
            called |= isinstance(node.func, ast.Attribute) and node.func.attr in OUTSIDE_METHODS and not second_opinion
            assert not called, f"{name(path)}:{node.lineno}: the core must not call {ast.unparse(node.func)}()"


def test_only_output_and_the_command_line_print() -> None:
    for path in FILES:
        if layer(path) in {"cli", "output", "server", "__main__"}:
            continue
        calls = [n for n in ast.walk(tree(path)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"]
        assert not calls, f"{name(path)}:{calls[0].lineno}: prints"


def test_every_package_that_is_imported_is_declared() -> None:
    """What the core needs is a dependency; what a command or an output needs may be an extra, and is imported when it is used."""
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    for path in FILES:
        for dotted, node, when in imports(path):
            first = dotted.split(".")[0]
            if first in sys.stdlib_module_names or first in {"bounceparse", "compression"}:
                continue
            wanted = DISTRIBUTIONS.get(first, first)
            declared = project["dependencies"] if is_core(path) and when != "never" else project["dependencies"] + extras
            assert any(re.match(rf"{re.escape(wanted)}\b", r, re.I) for r in declared), f"{name(path)}:{node.lineno}: {wanted} is not declared"


def test_no_file_has_a_vague_name() -> None:
    assert not [name(path) for path in FILES if path.name in VAGUE_NAMES]


def test_every_file_says_what_it_is_for() -> None:
    assert not [name(path) for path in FILES if path.read_text("utf-8").strip() and not ast.get_docstring(tree(path))]


def test_a_long_file_explains_itself() -> None:
    for path in FILES:
        if len(path.read_text("utf-8").splitlines()) > LONG:
            said = (ast.get_docstring(tree(path)) or "").split("\n\n")
            assert len(" ".join(said[:2])) >= 200, f"{name(path)} has more than {LONG} lines and does not say why"


def test_no_error_is_swallowed() -> None:
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler) and all(isinstance(s, ast.Pass) for s in node.body):
                broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
                assert not broad, f"{name(path)}:{node.lineno}: swallows every error"


def test_no_code_asks_for_a_dialect_by_name() -> None:
    """What one mail server alone does belongs into its table, or into its hook."""
    for path in FILES:
        if layer(path) == "dialects":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Compare):
                named = [c.value for c in (node.left, *node.comparators) if isinstance(c, ast.Constant) and c.value in DIALECTS]
                assert not named, f"{name(path)}:{node.lineno}: asks for the dialect {named[0]!r}"


def test_import_pays_for_nothing_but_the_core() -> None:
    code = "import sys; before = set(sys.modules); import bounceparse; print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = "ahocorasick_rs asyncio click dns email flufl json logging mailparser rich selectolax socket sqlite3 tomllib"
    assert not set(heavy.split()) & set(loaded)
