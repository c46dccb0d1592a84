"""UW IMAP mailboxes (`*mbx*`): a header of 2,048 bytes, then each message behind a line that says its size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from bounceparse.intake.eml import KEEP, Read
from bounceparse.intake.failure import Failure, OnFailure

HEADER: Final = 2_048
_LINE: Final = re.compile(rb"[ \d]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [+-]\d{4},(\d{1,15});[0-9A-Fa-f-]{1,64}\r\n")


def read_mbx(read: Read, origin: str, on_failure: OnFailure) -> Iterator[tuple[str, bytes]]:
    """Yield (origin, message) for each message; the first is `origin#1`."""
    data = b""

    def take(size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end; of a long message the first KEEP."""
        nonlocal data
        pieces, held = [data[:size]], len(data[:size])
        data = data[size:]
        left = size - held
        while left and (piece := read(min(left, 1 << 20))):
            left -= len(piece)
            if held <= KEEP:
                pieces.append(piece)
                held += len(piece)
        return b"".join(pieces)[:KEEP]

    take(HEADER)
    number = 0
    while True:
        data += read(128 - len(data)) if len(data) < 128 else b""
        if not data.strip(b"\0"):
            return
        line = _LINE.match(data)
        if line is None:
            on_failure(Failure(f"{origin}#{number + 1}", "unreadable", "damaged mbx mailbox: no size line where a message should begin"))
            return
        number += 1
        data = data[line.end() :]
        yield f"{origin}#{number}", take(int(line[1]))
