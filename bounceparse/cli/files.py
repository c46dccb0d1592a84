"""Files that are whole or not there: what is written stands beside its place until it is done, and then takes it in one step."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from bounceparse.cli.exits import CANNOT_CREATE, Stop

PART = ".part"


def cannot_create(path: str, error: OSError) -> Stop:
    """Return the end of a command that cannot write `path`."""
    return Stop(CANNOT_CREATE, f"cannot create {path}: {(error.strerror or str(error)).lower()}")


def is_special(path: str) -> bool:
    """Whether `path` is a pipe, device or socket, which is written to and not replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False


@contextmanager
def whole_file(path: str) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` when this ends well, with the mode of the one it replaces. Raises Stop when it cannot be created.

    After Ctrl-C what was written is kept as `path`.part; after any other error it is removed. `path` itself is not touched then.
    """
    if is_special(path):
        try:
            file = open(path, "wb", buffering=0)  # noqa: PTH123, SIM115
        except OSError as error:
            raise cannot_create(path, error) from None
        with file:
            yield file
        return
    with _beside(path, os.unlink) as beside:
        try:
            file = open(beside, "wb", buffering=0)  # noqa: PTH123, SIM115
        except OSError as error:
            raise cannot_create(path, error) from None
        with file:
            with contextlib.suppress(OSError):
                shutil.copymode(path, beside)
            yield file
            os.fsync(file.fileno())


@contextmanager
def whole_folder(path: str) -> Iterator[str]:
    """Make a folder that takes the place of `path`, which must be empty or not there, when this ends well. Raises Stop when it cannot be created.

    After Ctrl-C what was written is kept as `path`.part; after any other error it is removed.
    """
    check_free(path)
    with _beside(path, shutil.rmtree) as beside:
        try:
            os.mkdir(beside)  # noqa: PTH102
        except OSError as error:
            raise cannot_create(path, error) from None
        yield beside


@contextmanager
def _beside(path: str, remove: Callable[[str], object]) -> Iterator[str]:
    """Give the name of what takes the place of `path`, or is kept or removed, as `whole_file` says."""
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    beside = os.path.join(folder, f".{name}.{os.getpid()}{PART}")  # noqa: PTH118
    try:
        yield beside
        put(beside, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.replace(beside, target + PART) if isinstance(error, KeyboardInterrupt) else remove(beside)  # noqa: PTH105
        raise


def check_free(path: str, for_file: bool = False) -> None:
    """Raise Stop where a folder cannot be put because something is there, or a file because a folder is."""
    target = os.path.realpath(path)
    if for_file or (os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target))):  # noqa: PTH112, PTH208
        raise Stop(CANNOT_CREATE, f"cannot create {path}: {'is a directory' if for_file else 'it is there already; name a new folder'}")


def put(beside: str, path: str) -> None:
    """Put the finished file or folder `beside` in the place of `path`. Raises Stop when it cannot."""
    try:
        os.replace(beside, path)  # noqa: PTH105
    except OSError as error:
        raise cannot_create(path, error) from None
