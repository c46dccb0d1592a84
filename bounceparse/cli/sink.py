"""Where the data of a command goes: standard output or -o FILE, in blocks of whole records."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from bounceparse.cli.exits import Whole
from bounceparse.cli.files import whole_file
from bounceparse.output.terminal import Terminal, look_at

BLOCK: Final = 1 << 16  # bytes held back before they are written
PATIENCE: Final = 0.3  # seconds after which they are written all the same


class Sink:
    """Takes whole records and writes them in blocks, at once on a terminal."""

    def __init__(self, stream: IO[bytes], terminal: Terminal, join: bytes = b"") -> None:
        self.terminal = terminal
        self._whole = Whole(stream)
        self._at_once = bool(terminal.width)
        self._held: list[bytes] = []
        self._size = 0
        self._last = time.monotonic()
        self.join = join
        self._joins = False

    def write(self, data: bytes) -> None:
        """Take one or more whole records; nothing for none."""
        if not data:
            return
        if self._joins:
            self._held.append(self.join)
        self._joins = bool(self.join)
        self._put(data)

    def frame(self, data: bytes) -> None:
        """Take what stands before the first record or after the last."""
        if data:
            self._put(data)

    def _put(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._at_once or self._size >= BLOCK or time.monotonic() - self._last > PATIENCE:
            self.flush()

    def flush(self) -> None:
        data = b"".join(self._held)
        self._held.clear()
        self._size = 0
        if data:
            self._whole.write(data)
        self._last = time.monotonic()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Write what is held when this ends, also when Ctrl-C ends it."""
        with self._whole.guard():
            try:
                yield
            except KeyboardInterrupt:
                self.flush()
                raise
            self.flush()


@contextmanager
def open_sink(path: str | None, no_colour: bool) -> Iterator[Sink]:
    """Open standard output, or the file of -o, which takes its place when all is written; raises Stop when it cannot be created."""
    if path is None or path == "-":
        sink = Sink(sys.stdout.buffer, look_at(sys.stdout, no_colour))
        with sink.opened():
            yield sink
        return
    with whole_file(path) as file:
        sink = Sink(file, Terminal())
        with sink.opened():
            yield sink
