"""JSON: the same records as one array."""

from __future__ import annotations

from msgspec import Struct

from bounceparse.output.jsonl import JsonLines
from bounceparse.record import Record


class JsonArray(Struct, frozen=True):
    """Writes one JSON array, one record a line."""

    fields: tuple[str, ...] = ()

    head = b"[\n"
    join = b",\n"
    tail = b"\n]\n"

    def render(self, rows: list[Record]) -> bytes:
        return JsonLines(self.fields).render(rows).rstrip(b"\n").replace(b"\n", b",\n")
