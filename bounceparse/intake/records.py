"""Records that were written before, as JSON lines or as a JSON array with one record a line."""

from __future__ import annotations

from collections.abc import Iterator

from bounceparse.intake.eml import BLOCK, Read
from bounceparse.intake.failure import Failure, OnFailure
from bounceparse.record import Record, decode


def read_records(read: Read, origin: str, on_failure: OnFailure) -> Iterator[Record]:
    """Yield each record of a stream; a line that holds none is a failure, and the rest goes on."""
    for number, line in enumerate(_lines(read), 1):
        text = line.strip(b"\xef\xbb\xbf \t\r\n").rstrip(b",")
        if text in (b"", b"[", b"]"):
            continue
        try:
            yield decode(text)
        except ValueError as error:
            on_failure(Failure(f"{origin}:{number}", "unreadable", f"no record: {str(error)[:1].lower()}{str(error)[1:200]}"))


def _lines(read: Read) -> Iterator[bytes]:
    rest = b""
    while block := read(BLOCK):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        yield from lines
    if rest:
        yield rest
