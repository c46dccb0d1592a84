"""Where the data of a command goes: standard output or -o FILE, in blocks of whole records."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING, Any, Final

from bounceparse.cli.exits import Whole
from bounceparse.cli.files import whole_file, whole_folder
from bounceparse.output.terminal import Terminal, look_at

if TYPE_CHECKING:
    from bounceparse.output.parquet import Parquet, ParquetTree

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
        self.joins = False  # whether the next record needs `join` before it

    def write(self, data: bytes) -> None:
        """Take one or more whole records; nothing for none."""
        if not data:
            return
        if self.joins:
            self._held.append(self.join)
        self.joins = bool(self.join)
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


class _Stream(io.BytesIO):
    """Blocks of records in JSON lines, written as Parquet."""

    def __init__(self, to: Parquet | ParquetTree) -> None:
        self._to = to

    def write(self, data: Any) -> int:
        self._to.write(bytes(data))
        return len(data)


@contextmanager
def open_parquet(path: str | None, by: tuple[str, ...], fields: tuple[str, ...], translated: bool) -> Iterator[Sink]:
    """Open a sink that takes records as JSON lines and writes them as one Parquet file, or as a folder of partitions."""
    with parquet_to(path, by, fields, translated) as to:
        sink = Sink(_Stream(to), Terminal())
        with sink.opened():
            yield sink


@contextmanager
def parquet_to(path: str | None, by: tuple[str, ...], fields: tuple[str, ...], translated: bool) -> Iterator[Parquet | ParquetTree]:
    """Open the file or folder of -o for records, which takes its place when all is written; raises Stop when it cannot be created."""
    from bounceparse.output.parquet import Parquet, ParquetTree

    if by and path:
        with whole_folder(path) as folder:
            tree = ParquetTree(folder, by, fields, translated)
            try:
                yield tree
            finally:
                tree.close()
        return
    with nullcontext(sys.stdout.buffer) if path is None or path == "-" else whole_file(path) as file:
        one = Parquet(file, fields, translated)
        try:
            yield one
        finally:
            one.close()
