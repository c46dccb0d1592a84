"""CSV (RFC 4180, with line feeds) that a spreadsheet cannot be talked into running: no cell begins a formula, no cell breaks a line."""

from __future__ import annotations

import csv
import io
from typing import Final

import msgspec
from msgspec import Struct

from bounceparse.output.fields import FLAT, getter
from bounceparse.record import Record
from bounceparse.text import printable

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
LONGEST: Final = 32_767  # characters of a cell; the limit of Excel and LibreOffice


def cell(value: object) -> str:
    """Return `value` as the text of one cell: None and empty are "", lists are joined by blanks, what a spreadsheet would run gets an apostrophe."""
    if isinstance(value, str):
        text = value
    elif value is None:
        return ""
    elif isinstance(value, int):
        return str(value)
    elif isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        text = " ".join(value)
    else:
        text = msgspec.json.encode(value).decode()
    text = printable(text, LONGEST - 1)
    return "'" + text if text.lstrip(" '\"").startswith(FORMULA) else text


class Csv(Struct, frozen=True):
    """Writes a line of names, then one line a record."""

    fields: tuple[str, ...] = FLAT

    join = b""
    tail = b""

    @property
    def head(self) -> bytes:
        return lines([self.fields])

    def render(self, rows: list[Record]) -> bytes:
        getters = [getter(name) for name in self.fields]
        return lines([cell(get(row)) for get in getters] for row in rows)


def lines(rows: object) -> bytes:
    """Return rows of cells as CSV lines."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    return text.getvalue().encode()
