"""From one file or stream to the messages in it, whatever it holds."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

from bounceparse.intake.archive import Chained, members, unpacked
from bounceparse.intake.eml import BLOCK, KEEP, Read, read_eml
from bounceparse.intake.failure import Failure, OnFailure, UnreadableError, failed
from bounceparse.intake.form import HEAD, tell
from bounceparse.intake.mbox import read_mbox
from bounceparse.intake.walk import Entry, walk

DEPTH: Final = 4  # packings inside one another: a .mbox.gz in a .tar.xz is 3
SMALL: Final = 1 << 18  # bytes of a file that are read at once

Mail = tuple[str, bytes]
"""Origin and bytes of one message."""


def read(paths: Iterable[str], recurse: bool, on_failure: OnFailure) -> Iterator[Mail]:
    """Yield (origin, bytes) for each message that `paths` hold, in order; "-" is standard input."""
    for path in paths:
        if path == "-":
            yield from read_stdin(on_failure)
        else:
            for entry in walk((path,), recurse, on_failure):
                yield from read_file(entry, on_failure)


def read_stdin(on_failure: OnFailure) -> Iterator[Mail]:
    """Yield (origin, bytes) for each message on standard input."""
    yield from read_open("-", stdin_reader(), on_failure)


def stdin_reader() -> Read:
    """Return a reader of standard input that gives what is there and waits only when there is nothing."""
    stdin: Any = sys.stdin.buffer
    read: Read = stdin.read1
    return read


def read_open(origin: str, read: Read, on_failure: OnFailure) -> Iterator[Mail]:
    """Yield (origin, bytes) for each message that an open file or pipe still holds."""
    try:
        head = _fill(read)
        if head:
            yield from read_stream(origin, head, read, on_failure)
        else:
            on_failure(Failure(origin, "unreadable", "is empty"))
    except OSError as error:
        on_failure(failed(origin, error))


def read_file(entry: Entry, on_failure: OnFailure) -> Iterator[Mail]:
    """Yield (origin, bytes) for each message of a file. A small one costs one open and one read."""
    path = entry.path
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        on_failure(failed(path, error))
        return
    try:
        head = os.read(descriptor, min(entry.size, SMALL) or SMALL)
        more = b"" if len(head) == entry.size else os.read(descriptor, SMALL)
        form = tell(head)
        if form == "eml" and not more:
            yield path, head
        elif entry.chosen or form not in ("other", "records"):
            yield from read_stream(path, head + more, lambda size: os.read(descriptor, size), on_failure)
    except OSError as error:
        on_failure(failed(path, error))
    finally:
        os.close(descriptor)


def read_slice(path: str, start: int, end: int, number: int, on_failure: OnFailure) -> Iterator[Mail]:
    """Yield (origin, bytes) for each message of a mailbox between two offsets, both of which stand between messages; the first is `path#number`."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            file.seek(start)
            left = end - start

            def take(size: int) -> bytes:
                nonlocal left
                data = file.read(min(size, left)) if left else b""
                left -= len(data)
                return data

            yield from read_mbox(take, path, number)
    except OSError as error:
        on_failure(failed(path, error))


def read_stream(origin: str, head: bytes, read: Read, on_failure: OnFailure, depth: int = 0) -> Iterator[Mail]:
    """Yield (origin, bytes) for each message of a stream that began with `head`, which holds at least 512 bytes or all there is."""
    form = tell(head)
    stream = Chained(head, read)

    def take(size: int) -> bytes:
        return stream.read(size) or b""

    if form == "eml":
        yield origin, read_eml(take)
    elif form == "mbox":
        yield from read_mbox(take, origin)
    elif form == "mbx":
        from bounceparse.intake.mbx import read_mbx

        yield from read_mbx(take, origin, on_failure)
    elif form == "ole":
        yield from _outlook(take, origin, on_failure)
    elif form == "records":
        on_failure(Failure(origin, "unreadable", "holds records, not mail; `bounceparse stats` reads them"))
    elif form == "pst":
        on_failure(Failure(origin, "unreadable", "is an Outlook .pst store; export its messages first (readpst -e, or Save As in Outlook)"))
    elif form == "other":
        on_failure(Failure(origin, "unreadable", "holds no mail"))
    elif depth == DEPTH:
        on_failure(Failure(origin, "unreadable", f"is packed more than {DEPTH} times"))
    else:
        buffered = io.BufferedReader(stream, BLOCK)
        try:
            if form in ("zip", "tar"):
                for inner, taker in members(form, buffered, origin, on_failure):
                    first = _fill(taker)
                    if tell(first) not in ("other", "records"):
                        yield from read_stream(inner, first, taker, on_failure, depth + 1)
            else:
                taker = unpacked(form, buffered, origin, on_failure)
                first = _fill(taker)
                if first:
                    yield from read_stream(origin, first, taker, on_failure, depth + 1)
        except UnreadableError as error:
            on_failure(Failure(origin, "unreadable", str(error)))


def _outlook(read: Read, origin: str, on_failure: OnFailure) -> Iterator[Mail]:
    from bounceparse.intake.outlook import read_msg

    data = read_eml(read)
    if len(data) == KEEP:
        on_failure(Failure(origin, "unreadable", f"is an Outlook file of more than {KEEP - 1:,} bytes"))
        return
    try:
        message = read_msg(data)
    except UnreadableError as error:
        on_failure(Failure(origin, "unreadable", str(error)))
        return
    yield origin, message


def _fill(read: Read) -> bytes:
    """Return the first bytes of a stream: as many as tell() needs, or all."""
    head = read(BLOCK)
    while head and len(head) < HEAD and (more := read(BLOCK)):
        head += more
    return head


def binary_reader(file: IO[bytes]) -> Read:
    """Return `file.read`; raises TypeError for a file object that is open for text."""
    if isinstance(file.read(0), str):
        raise TypeError("the file object is open for text; open it with mode 'rb'")
    return file.read
