"""From what the user named (files, directories, globs) to one file after another."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bounceparse.intake.failure import Failure, OnFailure, failed
from bounceparse.intake.form import HEAD, tell
from bounceparse.intake.maildir import is_maildir, list_maildir


class Entry(NamedTuple):
    """One file to read. `chosen`: the user named it; a file that was only met in a directory is passed over when it plainly is no mail."""

    path: str
    size: int
    chosen: bool


def walk(paths: Iterable[str], recurse: bool, on_failure: OnFailure) -> Iterator[Entry]:
    """Yield the files that `paths` stand for, in the order given and sorted by name below it.

    A path may be a file, a Maildir, with `recurse` any directory (names that begin with a dot are passed over), or a pattern with `*`, `?` or `[`.
    """
    for path in paths:
        try:
            found = os.stat(path)  # noqa: PTH116
        except (OSError, ValueError) as error:
            if isinstance(error, FileNotFoundError) and any(c in path for c in "*?["):
                yield from _glob(path, recurse, on_failure)
            else:
                on_failure(failed(path, error))
            continue
        if not stat.S_ISDIR(found.st_mode):
            yield Entry(path, found.st_size, True)
        elif recurse or is_maildir(path):
            yield from _directory(path, recurse, on_failure)
        else:
            on_failure(Failure(path, "unreadable", "is a directory and no Maildir; add -r to read every file in it"))


def _glob(pattern: str, recurse: bool, on_failure: OnFailure) -> Iterator[Entry]:
    from glob import iglob

    paths = sorted(iglob(pattern, recursive=True))  # noqa: PTH207
    if not paths:
        on_failure(Failure(pattern, "missing", "no file has such a name"))
    elif recurse:
        yield from walk(paths, recurse, on_failure)
    else:
        yield from walk([p for p in paths if not os.path.isdir(p) or is_maildir(p)], recurse, on_failure)  # noqa: PTH112


def _directory(top: str, recurse: bool, on_failure: OnFailure) -> Iterator[Entry]:
    """Yield the files below `top`. A list of what is still to do stands in for recursion, so depth costs nothing."""
    waiting = [top]
    while waiting:
        path = waiting.pop()
        folders = []
        try:
            if is_maildir(path):
                for file in list_maildir(path):
                    yield Entry(file, os.stat(file).st_size, True)  # noqa: PTH116
            if not recurse:
                continue
            kept = is_maildir(path)
            with os.scandir(path) as scan:
                entries = sorted(scan, key=lambda e: e.name)
        except OSError as error:
            on_failure(failed(path, error))
            continue
        for entry in entries:
            if kept and entry.name in ("cur", "new", "tmp"):
                continue
            if entry.name.startswith(".") and not (kept and entry.is_dir() and is_maildir(entry.path)):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file():
                    yield Entry(entry.path, entry.stat().st_size, False)
            except OSError as error:
                on_failure(failed(entry.path, error))
        waiting += reversed(folders)


def weigh(paths: Iterable[str]) -> int:
    """Return how many bytes there are to read, or 0 when that is not known beforehand: for directories, patterns, pipes and packed files."""
    total = 0
    for path in paths:
        try:
            found = os.stat(path)  # noqa: PTH116
            if not stat.S_ISREG(found.st_mode):  # what is read from a pipe is gone
                return 0
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123
                if tell(file.read(HEAD)) not in ("eml", "mbox", "mbx", "records"):
                    return 0
        except (OSError, ValueError):
            return 0
        total += found.st_size
    return total
