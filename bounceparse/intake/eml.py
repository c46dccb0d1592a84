"""One message in one file or stream: its bytes as they are, cut one byte after the limit so that the reader of it can say that it was cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bounceparse import limits

KEEP: Final = limits.MESSAGE + 1  # bytes kept of one message: one more than is read, so that the cut shows as a flaw
BLOCK: Final = 1 << 20  # bytes asked for at a time

Read = Callable[[int], bytes]
"""Return at most so many bytes, and none only at the end."""


def read_eml(read: Read) -> bytes:
    """Return the message that `read` gives, at most `KEEP` bytes of it."""
    pieces = []
    left = KEEP
    while left and (piece := read(min(left, BLOCK))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
