"""Every table of the package, loaded and checked: the one door to `data/` and `dialects/`.

The tables are TOML; a checked and encoded copy of them is kept in `data/.compiled` or, where that cannot be written, in the cache folder of the
user, after a digest of the files and a checksum. It is read in a few milliseconds; TOML is only read when it is missing, old or damaged.
"""

from __future__ import annotations

import os
import zlib
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from bounceparse.tables.shapes import (
    CAPTURES,
    PHASES,
    AutoReply,
    Bearings,
    Blocklist,
    Dialect,
    NoticeWords,
    Phrase,
    Provider,
    Reason,
    Reply,
    Sample,
    Sign,
    Status,
    SystemResult,
    TableError,
    Tables,
    Token,
    VendorStatus,
    Vocabulary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CAPTURES",
    "PHASES",
    "AutoReply",
    "Bearings",
    "Blocklist",
    "Dialect",
    "NoticeWords",
    "Phrase",
    "Provider",
    "Reason",
    "Reply",
    "Sample",
    "Sign",
    "Status",
    "SystemResult",
    "TableError",
    "Tables",
    "Token",
    "VendorStatus",
    "Vocabulary",
    "load_samples",
    "load_tables",
]

Origin = str | os.PathLike[str]
"""Where a rule file of the user is."""

_PACKAGE: Final = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 (pathlib costs more to import than the tables to load)
_FOLDERS: Final = ("data", "data/phrases", "data/providers", "dialects")
_HEAD: Final = b"bounceparse tables 1\n"


def load_tables(extra: tuple[Origin, ...] = ()) -> Tables:
    """Return the tables of the package, with the rule files of the user in `extra` read first.

    A rule file holds `[[phrase]]`, `[[provider]]` and `[dialect.NAME]` in the shapes of the built-in tables. Raises TableError for a mistake in a
    table, OSError for a rule file that cannot be read. The built-in tables are loaded once in a process.
    """
    tables = _load(_PACKAGE)
    if extra:
        from bounceparse.tables.compile import add_rules

        return add_rules(tables, [os.fspath(path) for path in extra])
    return tables


def load_samples(extra: tuple[Origin, ...] = ()) -> tuple[Sample, ...]:
    """Return the samples of the built-in tables and of the rule files in `extra`: what each text must give. They are read anew from the TOML."""
    from bounceparse.tables.compile import compile_samples

    return compile_samples(_PACKAGE, [name for name, _, _ in _list_files(_PACKAGE, _FOLDERS, ".toml")], [os.fspath(path) for path in extra])


@cache
def _load(package: str) -> Tables:
    """Return the tables of the package in a folder, from a compiled copy when that is as new as they are."""
    files = _list_files(package, _FOLDERS, ".toml")
    code = _list_files(_PACKAGE, ("", "tables"), ".py")
    digest = sha256(repr((files, code, msgspec.__version__)).encode()).digest()
    places = [f"{package}/data/.compiled", *_user_cache()]
    for place in places:
        tables = _read_compiled(place, digest)
        if tables is not None:
            return tables
    from bounceparse.tables.compile import compile_tables

    tables = compile_tables(package, [name for name, _, _ in files])
    content = msgspec.msgpack.encode(tables)
    head = _HEAD + digest + zlib.crc32(content).to_bytes(4, "big")
    any(_write_compiled(place, head + content) for place in places)
    return tables


def _list_files(package: str, folders: tuple[str, ...], suffix: str) -> list[tuple[str, int, int]]:
    """Return name, time of change and size of every file with a suffix in some folders of a package, by name."""
    files = []
    for folder in folders:
        try:
            with os.scandir(f"{package}/{folder}") as entries:
                for entry in entries:
                    if entry.name.endswith(suffix) and (folder or entry.name == "text.py"):  # at the top, only what squeezes words
                        stat = entry.stat()
                        files.append((f"{folder}/{entry.name}", stat.st_mtime_ns, stat.st_size))
        except FileNotFoundError:
            continue
    return sorted(files)


def _user_cache() -> Iterator[str]:
    folder = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA", "")
    home = os.environ.get("HOME", "")
    if not folder and home:
        folder = f"{home}/.cache"
    if folder.startswith("/") or folder[1:2] == ":":  # a relative one is to be ignored, says the XDG specification
        yield f"{folder}/bounceparse/tables"


def _read_compiled(place: str, digest: bytes) -> Tables | None:
    """Return the tables of a compiled copy, or None when there is none, it is old, or it is damaged."""
    try:
        with open(place, "rb", buffering=0) as file:  # noqa: PTH123
            copy = memoryview(file.read() or b"")
    except OSError:
        return None
    start = len(_HEAD) + len(digest) + 4
    if copy[: start - 4] != _HEAD + digest or copy[start - 4 : start] != zlib.crc32(copy[start:]).to_bytes(4, "big"):
        return None
    try:
        return msgspec.msgpack.Decoder(Tables).decode(copy[start:])
    except msgspec.MsgspecError:
        return None


def _write_compiled(place: str, content: bytes) -> bool:
    """Write a compiled copy, whole or not at all; False where that is not allowed."""
    from pathlib import Path
    from tempfile import NamedTemporaryFile

    path = Path(place)
    new: Path | None = None
    try:
        if path.name != ".compiled":
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".tables", delete=False) as file:
            new = Path(file.name)
            file.write(content)
        new.chmod(0o644)
        new.replace(path)
    except OSError:
        if new is not None:
            new.unlink(missing_ok=True)
        return False
    return True
