"""Where a message is while it is worked on: whole on disk, marked as being worked on, so that a program that dies loses nothing and learns from it.

A claim is one file: a line of JSON (the envelope and the origin) and then the raw bytes. Who works on it holds a lock on the file, so a claim
without a lock was left by a program that died. Its name says how far that program came: `.reading` while the message is read, which is where a
poisonous one does its harm, `.read` afterwards.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Final

from msgspec import Struct

try:
    import fcntl
except ModuleNotFoundError:  # a system without them: nobody counts how often a message was fatal
    fcntl = None  # type: ignore[assignment]

READING: Final = ".reading"
READ: Final = ".read"
_FLAGS: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_numbers: Final = count()


class Left(Struct, frozen=True):
    """What programs that died left of one message."""

    digest: str
    reading: int  # how many died while they read it
    read: int  # how many died after that
    paths: tuple[Path, ...]


class Spool:
    """A folder of claims, open to its owner alone, and made when it is missing, unless `make` is false. Raises OSError when it cannot be."""

    def __init__(self, folder: str | Path, *, make: bool = True) -> None:
        self.folder = Path(folder)
        if make:
            self.folder.mkdir(0o700, exist_ok=True)

    def claim(self, raw: bytes, origin: str = "", envelope: Sequence[str] = (), *, sync: bool = True) -> Claim:
        """Return a claim on a message; with `sync`, its bytes are on disk then, and survive the machine as well as the program."""
        digest = sha256(raw).hexdigest()
        name = f"{digest}.{os.getpid()}-{time.time_ns():x}-{next(_numbers)}"
        draft = self.folder / f"{name}.draft"
        file = os.open(draft, _FLAGS, 0o600)
        try:
            _lock(file)
            head = json.dumps({"origin": origin, "envelope": list(envelope)}).encode() + b"\n"
            rest = memoryview(head + raw)
            while rest:
                rest = rest[os.write(file, rest) :]
            path = draft.with_name(name + READING)
            if sync:
                os.fsync(file)
            draft.rename(path)
            if sync:
                sync_folder(self.folder)
        except BaseException:
            os.close(file)
            draft.unlink(missing_ok=True)
            raise
        return Claim(digest, path, file)

    def left(self, digest: str = "", old: float = 0.0) -> Iterator[Left]:
        """Yield what was left by programs that died, of one message or of all; of drafts that are `old` seconds old nothing is kept."""
        found: dict[str, list[Path]] = {}
        for entry in sorted(self.folder.iterdir()):
            if not entry.name.startswith(digest) or not _is_free(entry):
                continue
            if entry.suffix in (READING, READ):
                found.setdefault(entry.name.partition(".")[0], []).append(entry)
            elif entry.suffix == ".draft" and old and time.time() - entry.stat().st_mtime > old:
                entry.unlink(missing_ok=True)
        for name, paths in found.items():
            reading = sum(path.suffix == READING for path in paths)
            yield Left(name, reading, len(paths) - reading, tuple(paths))


class Claim:
    """The hold that this program has on one message."""

    def __init__(self, digest: str, path: Path, file: int) -> None:
        self.digest = digest
        self._path = path
        self._file = file

    def was_read(self) -> None:
        """Note that reading the message did no harm."""
        path = self._path.with_suffix(READ)
        self._path.rename(path)
        self._path = path

    def done(self, left: Left | None = None) -> None:
        """Let go of the message, which is safe elsewhere or was not taken, and of what others left of it."""
        for path in (self._path, *(left.paths if left is not None else ())):
            path.unlink(missing_ok=True)
        os.close(self._file)


def read_claim(path: Path) -> tuple[bytes, str, tuple[str, ...]]:
    """Return the message, the origin and the envelope of a claim; raises OSError or ValueError."""
    head, _, raw = path.read_bytes().partition(b"\n")
    said = json.loads(head)
    return raw, str(said["origin"]), tuple(map(str, said["envelope"]))


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on disk, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def keep_mail(maildir: Path, raw: bytes) -> Path:
    """Put a message into a Maildir, made when it is missing; return its file, which is on disk. The same message again replaces itself."""
    for name in ("tmp", "new", "cur"):
        (maildir / name).mkdir(0o700, parents=True, exist_ok=True)
    digest = sha256(raw).hexdigest()[:32]
    name = f"{digest}.bounceparse"
    draft = maildir / "tmp" / f"{digest}.{os.getpid()}-{next(_numbers)}"
    file = os.open(draft, _FLAGS, 0o600)
    try:
        rest = memoryview(raw)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)
    path = maildir / "new" / name
    draft.replace(path)
    sync_folder(maildir / "new")
    return path


def _lock(file: int) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_free(path: Path) -> bool:
    """Say whether nobody works on a claim."""
    if fcntl is None:
        return False
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True
