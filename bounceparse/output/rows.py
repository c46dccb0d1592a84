"""Rows that are no records of mail: suppressions, events, answers. JSON lines, CSV, or a table in the width of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from bounceparse.output.csv import cell, lines
from bounceparse.output.jsonl import escape
from bounceparse.output.terminal import Terminal, fit, show

GAP: Final = "  "
LEAST: Final = 10
LOOSE: Final = 32

Row = dict[str, Any]


class Column(Struct, frozen=True):
    """A column of a table; `width` 0 shares what the others leave, by `weight`."""

    name: str
    width: int = 0
    weight: int = 1
    none: str = ""  # what is shown where there is no value


class Rows(Struct, frozen=True):
    """Writes rows, all with the same names, in one format: table, jsonl, json or csv."""

    format: str
    terminal: Terminal
    columns: tuple[Column, ...]  # of the table
    names: tuple[str, ...]  # of everything else, and of all that a row holds

    @property
    def head(self) -> bytes:
        if self.format == "csv":
            return lines([self.names])
        if self.format == "json":
            return b"[\n"
        if self.format != "table":
            return b""
        return (self.terminal.paint(self._line([column.name.replace("_", " ") for column in self.columns]), "bold") + "\n").encode()

    @property
    def join(self) -> bytes:
        return b",\n" if self.format == "json" else b""

    @property
    def tail(self) -> bytes:
        return b"\n]\n" if self.format == "json" else b""

    def render(self, rows: Sequence[Row]) -> bytes:
        """Return some rows."""
        if self.format == "csv":
            return lines([cell(_plain(row[name])) for name in self.names] for row in rows)
        if self.format == "table":
            return "".join(self._line([_short(row[column.name], column.none) for column in self.columns]) + "\n" for row in rows).encode(
                errors="replace"
            )
        data = escape(msgspec.json.Encoder(enc_hook=str).encode_lines([{name: _plain(row[name]) for name in self.names} for row in rows]))
        return data.rstrip(b"\n").replace(b"\n", b",\n") if self.format == "json" else data

    def _line(self, cells: list[str]) -> str:
        return GAP.join(
            fit(text, width) if self.terminal.width else text.ljust(width) for text, width in zip(cells, self._widths(), strict=True)
        ).rstrip()

    def _widths(self) -> list[int]:
        if not self.terminal.width:
            return [column.width or LOOSE for column in self.columns]
        left = self.terminal.width - 1 - len(GAP) * (len(self.columns) - 1) - sum(column.width for column in self.columns)
        weights = sum(column.weight for column in self.columns if not column.width)
        return [column.width or max(LEAST, left * column.weight // weights) for column in self.columns]


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value


def _short(value: Any, none: str) -> str:
    if value is None:
        return none
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d")
    return show(value) if isinstance(value, str) else ("no", "yes")[value] if isinstance(value, bool) else str(value)
