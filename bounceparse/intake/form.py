"""What a file holds, told by its first bytes."""

from __future__ import annotations

from typing import Final, Literal

Form = Literal["eml", "mbox", "mbx", "gzip", "bzip2", "xz", "zstd", "zip", "tar", "ole", "pst", "records", "other"]

HEAD: Final = 512  # bytes that tell() looks at; a tar header is one block of 512

_MAGIC: Final[tuple[tuple[bytes, Form], ...]] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # an empty one
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"!BDN", "pst"),
    (b"*mbx*\r\n", "mbx"),
    (b"%PDF-", "other"),
    (b"\x89PNG", "other"),
    (b"\xff\xd8\xff", "other"),
    (b"GIF8", "other"),
    (b"\x7fELF", "other"),
    (b"SQLite format 3\0", "other"),
)
_FIRST: Final = frozenset(magic[0] for magic, _ in _MAGIC)
_RECORD: Final = b'{"schema":"bounceparse/'


def tell(head: bytes) -> Form:
    """Return what a file holds that begins with `head` (at least `HEAD` bytes, or the whole file). Whatever is nothing else is "eml"."""
    if head and head[0] in _FIRST:
        for magic, form in _MAGIC:
            if head.startswith(magic):
                return form
    if head[257:262] == b"ustar":
        return "tar"
    start = head[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"From "):
        return "mbox"
    if start[:1] in b"{[" and start:
        return "records" if start.lstrip(b"[ \t\r\n").replace(b" ", b"").startswith(_RECORD) else "other"
    return "eml"
