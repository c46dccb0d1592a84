"""A table for people: one line a record, in the width of the terminal; in a pipe nothing is cut and nothing is coloured."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from bounceparse.output.csv import cell
from bounceparse.output.fields import getter
from bounceparse.output.terminal import BOUNCE_TONE, Terminal, Tone, fit, show
from bounceparse.record import Record, RecordDecision

DEFAULT: Final = ("bounce", "reason", "status", "recipient", "origin")
FIXED: Final = {
    "bounce": 6, "reason": 20, "status": 7, "reply_code": 10, "kind": 11, "certainty": 9, "fault": 9, "action": 9, "command": 8, "arrived": 20,
    "decision.action": 8, "decision.until": 10,
}  # fmt: skip
NARROW: Final = {"reason": 18, "status": 6}  # where the terminal has 80 columns or fewer
WEIGHT: Final = {"recipient": 5, "origin": 4, "diagnostic": 8}  # how the rest is shared by the others; 4 when not named
ACTION_TONE: Final[dict[str, Tone]] = {"suppress": "red", "review": "yellow", "alert": "cyan", "record": "", "ignore": "dim"}
LEAST: Final = 8  # columns of a field that has no fixed width
LOOSE: Final = 32  # columns of such a field where nothing is cut
GAP: Final = "  "


class Table(Struct, frozen=True):
    """Writes a line of names, then one line a record."""

    terminal: Terminal = Terminal()
    fields: tuple[str, ...] = DEFAULT
    base: str = ""  # what every origin begins with, and what is not shown of it

    join = b""
    tail = b""

    @property
    def head(self) -> bytes:
        names = [fit(name.removeprefix("decision."), width) for name, width in zip(self.fields, self.widths(), strict=True)]
        return (self.terminal.paint(GAP.join(names).rstrip(), "bold") + "\n").encode()

    def widths(self) -> list[int]:
        """Return the width of each column: fixed where values are short, the rest shared by the others; one column is left free at the right edge."""
        width = self.terminal.width
        if not width:
            return [FIXED.get(name, LOOSE) for name in self.fields]
        fixed = FIXED | NARROW if width <= 80 else FIXED
        left = width - 1 - len(GAP) * (len(self.fields) - 1) - sum(fixed.get(name, 0) for name in self.fields)
        weights = sum(WEIGHT.get(name, 4) for name in self.fields if name not in fixed)
        return [fixed.get(name) or max(LEAST, left * WEIGHT.get(name, 4) // weights) for name in self.fields]

    def render(self, rows: list[Record]) -> bytes:
        getters = [(name, getter(name)) for name in self.fields]
        widths = self.widths()
        lines = (self._line([value(name, get(row), row, self.base) for name, get in getters], widths) for row in rows)
        return "".join(lines).encode(errors="replace")

    def _line(self, cells: list[tuple[str, Tone]], widths: list[int]) -> str:
        out = []
        for (text, tone), width, name in zip(cells, widths, self.fields, strict=True):
            if self.terminal.width:
                text = fit(text, width, "end" if name == "origin" else "start")
            else:
                text = text.ljust(width)
            out.append(self.terminal.paint(text, tone))
        return GAP.join(out).rstrip() + "\n"


def _decided(name: str, decision: RecordDecision) -> tuple[str, Tone]:
    """Return the text of one cell about a decision, and its tone."""
    if name == "decision.action":
        return decision.action, ACTION_TONE[decision.action]
    if name == "decision.until":
        return ("for good" if decision.until is None else decision.until[:10]) if decision.action == "suppress" else "", ""
    return show(getattr(decision, name.removeprefix("decision."))), ""


def value(name: str, found: object, row: Record, base: str = "") -> tuple[str, Tone]:
    """Return the text of one cell and its tone. A delay says so in the column of the bounce; a message that reports nothing says its kind."""
    if name == "bounce":
        word = "delay" if row.kind == "delay" else row.bounce
        return ("-" if word == "none" else word), BOUNCE_TONE[word]
    if name == "reason":
        return show(row.reason) or row.kind, "" if row.reason else "dim"
    if name.startswith("decision.") and row.decision is not None:
        return _decided(name, row.decision)
    text = show(found.removeprefix(base)) if isinstance(found, str) else cell(found)
    return text, "dim" if name == "origin" else ""
