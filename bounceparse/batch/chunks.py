"""The input in chunks that are given away at once, and the place behind each of them, from which another run can go on."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from hashlib import blake2b
from typing import IO, Final, NamedTuple, TypeVar

from msgspec import Struct

from bounceparse.intake import Failure, OnFailure, Slice, Unit, units
from bounceparse.intake.files import Mail, binary_reader, read_open
from bounceparse.intake.units import Loose, loose, weight

T = TypeVar("T")
Source = str | os.PathLike[str] | IO[bytes]

CHUNK: Final = 256  # units given away at once
CHUNK_BYTES: Final = 1 << 18

Item = Unit | Failure


class ChangedError(Exception):
    """The input is no longer what it was when the place was noted."""


class Position(Struct, frozen=True):
    """A place in the input: behind so many units, which were these. The same input has the same units, however many processes read it."""

    units: int = 0
    digest: str = ""

    def behind(self, items: Iterable[Item]) -> Position:
        """Return the place behind `items`."""
        number, digest = self.units, self.digest
        for item in items:
            number += 1
            digest = blake2b(f"{digest}{_identity(item)}".encode(errors="surrogatepass"), digest_size=16).hexdigest()
        return Position(number, digest)


START: Final = Position()


class Chunk(NamedTuple):
    """Units and failures in the order of the input."""

    items: list[Item]
    size: int  # bytes to read
    held: int  # bytes that only this process has
    after: Position


def _identity(item: Item) -> str:
    if isinstance(item, Loose):
        return f"{item.origin}\0{len(item.data)}\0{zlib.crc32(item.data)}"
    return "\0".join(map(str, item[:3]))


def chunks(
    sources: Iterable[Source], recurse: bool, start: Position = START, trace: bool = False, on_skipped: Callable[[int], None] | None = None
) -> Generator[Chunk, None, None]:
    """Yield the chunks behind `start`. With `trace` each tells the place behind it; else that is `START`.

    `on_skipped` is told the bytes before `start`. Raises ChangedError when the input before `start` is no longer what it was.
    """

    def pieces(on_failure: OnFailure) -> Iterator[Unit]:
        for source in sources:
            if isinstance(source, str | os.PathLike):
                yield from units([os.fspath(source)], recurse, on_failure)
            else:
                yield from map(loose, read_open(name_of(source), binary_reader(source), on_failure))

    items: list[Item] = []
    size = held = 0
    place = START
    for item in told(pieces):
        weighs = 0 if isinstance(item, Failure) else weight(item)
        if place.units < start.units:
            place = place.behind([item])
            if place.units == start.units and place != start:
                raise ChangedError
            if on_skipped is not None:
                on_skipped(weighs)
            continue
        items.append(item)
        size += weighs
        if isinstance(item, Loose):
            held += weighs
        del item
        if size >= CHUNK_BYTES or len(items) >= CHUNK:
            place = place.behind(items) if trace else place
            chunk = Chunk(items, size, held, place)
            items, size, held = [], 0, 0
            yield chunk
            del chunk
    if place.units < start.units:
        raise ChangedError
    if items:
        yield Chunk(items, size, held, place.behind(items) if trace else place)


def name_of(file: IO[bytes]) -> str:
    """Return the name of a file object, or "-" when it has none."""
    name = getattr(file, "name", "")
    return name if isinstance(name, str) and name else "-"


def told(reader: Callable[[OnFailure], Iterator[T]]) -> Iterator[T | Failure]:
    """Yield what `reader(on_failure)` yields, and each failure in its place among it."""
    failures: list[Failure] = []
    for item in reader(failures.append):
        if failures:
            yield from failures
            failures.clear()
        yield item
        del item  # a long message would be held until the next one is there
    yield from failures


__all__ = ["START", "ChangedError", "Chunk", "Item", "Mail", "Position", "Slice", "Source", "chunks", "name_of", "told"]
