"""The work in pieces that another process can read by itself: whole small files, slices of a big mailbox, or bytes that only this process has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Final, NamedTuple

from bounceparse.intake.eml import BLOCK
from bounceparse.intake.failure import OnFailure, failed
from bounceparse.intake.files import Mail, read_file, read_slice, read_stdin, read_stream
from bounceparse.intake.form import HEAD, tell
from bounceparse.intake.mbox import newline_of, scan
from bounceparse.intake.walk import Entry, walk

BIG: Final = 1 << 20  # bytes of a file above which it is looked into before it is given away
SLICE: Final = 1 << 19  # bytes of a mailbox in one piece


class Slice(NamedTuple):
    """A run of whole messages of a mailbox: bytes [start, end), of which the first message has this number."""

    path: str
    start: int
    end: int
    number: int


class Loose(NamedTuple):
    """One message that was unpacked or came through a pipe."""

    origin: str
    data: bytes


def loose(mail: Mail) -> Loose:
    """Return a message as a unit of its own."""
    return Loose(*mail)


Unit = Entry | Slice | Loose


def weight(unit: Unit) -> int:
    """Return about how many bytes there are to read in `unit`."""
    return unit.size if isinstance(unit, Entry) else unit.end - unit.start if isinstance(unit, Slice) else len(unit.data)


def read_unit(unit: Unit, on_failure: OnFailure) -> Iterator[Mail]:
    """Yield (origin, bytes) for each message of `unit`."""
    if isinstance(unit, Entry):
        yield from read_file(unit, on_failure)
    elif isinstance(unit, Slice):
        yield from read_slice(*unit, on_failure)
    else:
        yield unit.origin, unit.data


def units(paths: Iterable[str], recurse: bool, on_failure: OnFailure) -> Iterator[Unit]:
    """Yield the pieces that `paths` come to, in order; "-" is standard input."""
    for path in paths:
        if path == "-":
            yield from map(loose, read_stdin(on_failure))
            continue
        for entry in walk((path,), recurse, on_failure):
            if entry.size <= BIG:
                yield entry
            else:
                yield from _of_big(entry, on_failure)


def _of_big(entry: Entry, on_failure: OnFailure) -> Iterator[Unit]:
    try:
        with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123
            form = tell(file.read(HEAD))
            if form == "mbox":
                yield from _slices(entry.path, file)
            elif form in ("eml", "other", "records", "ole", "pst"):
                yield entry
            else:
                file.seek(0)
                head = file.read(BLOCK)
                yield from map(loose, read_stream(entry.path, head, file.read, on_failure))
    except OSError as error:
        on_failure(failed(entry.path, error))


def _slices(path: str, file: IO[bytes]) -> Iterator[Slice]:
    file.seek(0)
    head = file.read(BLOCK)
    blank = len(head) - len(head.lstrip(b"\xef\xbb\xbf \t\r\n"))
    file.seek(0)
    begin, first, number = blank, 1, 1
    for start in scan(file.read, 0, newline_of(head)):
        if start <= blank:
            continue
        number += 1
        if start - begin >= SLICE:
            yield Slice(path, begin, start, first)
            begin, first = start, number
    yield Slice(path, begin, file.tell(), first)
