"""JSON Lines: one record a line, in the order of the schema, or with the fields that were asked for in the order asked."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct

from bounceparse.output.fields import getter
from bounceparse.record import Record, encode_lines

_RISKY: Final = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_encode_lines: Final = msgspec.json.Encoder().encode_lines


def escape(data: bytes) -> bytes:
    """Return JSON with every control and direction character written as an escape, so that a terminal shows it and does not obey it."""
    if data.isascii() and b"\x7f" not in data:
        return data
    return _RISKY.sub(lambda found: f"\\u{ord(found[0]):04x}", data.decode()).encode()


class JsonLines(Struct, frozen=True):
    """Writes one JSON object a line."""

    fields: tuple[str, ...] = ()

    head = b""
    join = b""
    tail = b""

    def render(self, rows: list[Record]) -> bytes:
        return escape(encode_fields(rows, self.fields) if self.fields else encode_lines(rows))


def encode_fields(rows: list[Record], fields: tuple[str, ...]) -> bytes:
    """Return `rows` as JSON lines that hold only `fields`."""
    getters = [(name, getter(name)) for name in fields]
    return _encode_lines([{name: get(row) for name, get in getters} for row in rows])
