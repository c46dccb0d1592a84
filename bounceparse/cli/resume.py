"""--resume: a checkpoint beside the output, from which the same command goes on after it was killed, to the same bytes.

What is written stands in `OUTPUT.part`. The checkpoint says behind which message and which byte of it everything is whole; it is replaced in one
step, after the output is on the disk. The next run cuts off what came later and reads on from there.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from time import monotonic
from typing import IO, Any, Final

import click
import msgspec
from msgspec import Struct

from bounceparse import __version__
from bounceparse.batch import START, Position
from bounceparse.cli.exits import BAD_CONFIG, CANNOT_CREATE, Stop
from bounceparse.cli.files import PART, cannot_create, is_special, put
from bounceparse.cli.sink import Sink
from bounceparse.output.terminal import Terminal

EVERY: Final = 1.0  # seconds between two checkpoints: what may have to be read again


class Noted(Struct):
    """What a checkpoint holds."""

    command: str  # a digest of the command, its inputs and rules
    place: Position = START
    written: int = 0  # bytes of the output
    joined: bool = False  # whether a record was written, so that the next needs a comma
    read: int = 0
    troubles: dict[str, int] = {}
    tally: dict[str, int] = {}
    since: str = ""
    until: str = ""
    done: bool = False  # all is written; only the last step is missing


class Resumed:
    """A run that notes how far it came."""

    def __init__(self, path: str, target: str, noted: Noted) -> None:
        self.noted = noted
        self.part = target + PART
        self.target = target
        self._path = path
        self._last = monotonic()
        self._file: IO[bytes]
        self._was_done = noted.done

    @property
    def begun(self) -> bool:
        """Whether an earlier run wrote something."""
        return self.noted.written > 0 or self.noted.place != START

    @contextmanager
    def sink(self) -> Iterator[Sink]:
        """Open the output where the last checkpoint left it."""
        if self.noted.done:
            yield Sink(io.BytesIO(), Terminal())
            return
        try:
            file = open(self.part, "r+b" if self.begun else "wb", buffering=0)  # noqa: PTH123, SIM115
        except FileNotFoundError:
            raise Stop(CANNOT_CREATE, f"{self.part} is gone, and {self._path} goes on from it; remove {self._path} to begin anew") from None
        except OSError as error:
            raise cannot_create(self.part, error) from None
        with file:
            if file.seek(0, os.SEEK_END) < self.noted.written:
                raise Stop(CANNOT_CREATE, f"{self.part} is shorter than {self._path} says; remove {self._path} to begin anew")
            file.truncate(self.noted.written)
            file.seek(self.noted.written)
            self._file = file
            sink = Sink(file, Terminal())
            sink.joins = self.noted.joined
            with sink.opened():
                yield sink

    def come(self, sink: Sink, place: Position | None, read: int, troubles: Counter[Any], tally: Counter[str]) -> None:
        """Take how far the run came, None for the end, and note it from time to time: the output on the disk first, then the checkpoint."""
        if place is not None and monotonic() - self._last < EVERY:
            return
        sink.flush()
        noted = self.noted
        noted.place, noted.done = place or noted.place, place is None
        noted.joined, noted.read, noted.troubles, noted.tally = sink.joins, read, dict(troubles), dict(tally)
        try:
            noted.written = self._file.tell()
            os.fsync(self._file.fileno())
            beside = f"{self._path}.new"
            with open(beside, "wb") as new:  # noqa: PTH123
                new.write(msgspec.json.encode(noted) + b"\n")
                new.flush()
                os.fsync(new.fileno())
            os.replace(beside, self._path)  # noqa: PTH105
        except OSError as error:
            raise cannot_create(self._path, error) from None
        self._last = monotonic()

    @contextmanager
    def finished(self) -> Iterator[IO[bytes]]:
        """Open what was written, to make something else of it."""
        with open(self.part, "rb") as file:  # noqa: PTH123
            yield file

    def is_put(self, as_folder: bool) -> bool:
        """Whether a folder made of what was written is in its place already, and only the checkpoint was left."""
        return as_folder and self._was_done and os.path.isdir(self.target)  # noqa: PTH112

    def put(self) -> None:
        """Put what was written in the place of the output; it may be there already, when only the checkpoint was left."""
        if os.path.exists(self.part):  # noqa: PTH110
            put(self.part, self.target)

    def end(self) -> None:
        """Forget the checkpoint: the output is in its place."""
        for path in (self._path, self.part):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108


def resumed(
    path: str, output: str, paths: tuple[str, ...], said: list[object], rules: tuple[str, ...], since: str | None, until: str | None
) -> Resumed:
    """Return the run that goes on from the checkpoint `path`, or begins. `said` is all of the command that decides what is written.

    Raises Stop where the checkpoint is that of another command, or its inputs were changed.
    """
    if "-" in paths:
        raise click.UsageError("--resume cannot read standard input twice; name a file")
    if output == "-" or (is_special(output) and not os.path.isdir(output)):  # noqa: PTH112
        raise click.UsageError("--resume needs a file to write: -o FILE")
    spans = [getattr(time, "said", "") for time in (since, until)]  # 7d is another time in the next run, and the same command
    inputs = [_state(name) for name in paths], [_content(name) for name in rules]
    command = sha256(msgspec.json.encode([__version__, paths, inputs, spans, said])).hexdigest()
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            noted = msgspec.json.decode(file.read(), type=Noted)
    except FileNotFoundError:
        noted = Noted(command, since=str(since or ""), until=str(until or ""))
    except (OSError, ValueError) as error:
        raise Stop(BAD_CONFIG, f"cannot read the checkpoint {path}: {error}; remove it to begin anew") from None
    if noted.command != command:
        raise Stop(BAD_CONFIG, f"the checkpoint {path} is of another command, or its inputs were changed since; remove it to begin anew")
    return Resumed(path, os.path.realpath(output), noted)


def _state(path: str) -> tuple[int, int]:
    """Return size and time of a file; nothing of a folder or pattern, whose files are looked at when they are read."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return 0, 0
    return (0, 0) if os.path.isdir(path) else (found.st_size, found.st_mtime_ns)  # noqa: PTH112


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return sha256(file.read()).hexdigest()
    except OSError:
        return ""
