"""What a terminal can show: its width, its colours, and text that it shows and does not obey."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, Final, Literal

from msgspec import Struct

from bounceparse.text import printable

Tone = Literal["", "red", "yellow", "green", "cyan", "bold", "dim"]

WIDTH: Final = 80
LONGEST: Final = 10_000  # characters of one value that are ever shown
_CODES: Final[dict[Tone, str]] = {"red": "31", "yellow": "33", "green": "32", "cyan": "36", "bold": "1", "dim": "2"}

BOUNCE_TONE: Final[dict[str, Tone]] = {"hard": "red", "soft": "yellow", "delay": "cyan", "none": "green"}


class Terminal(Struct, frozen=True):
    """`width` is 0 where nothing is cut: in a pipe or a file."""

    width: int = 0
    colour: bool = False

    def paint(self, text: str, tone: Tone) -> str:
        """Return `text` in a colour or weight, where there are any."""
        return f"\x1b[{_CODES[tone]}m{text}\x1b[0m" if self.colour and tone and text else text

    def wrap(self, text: str, indent: int, first: int | None = None) -> list[str]:
        """Return `text` as lines that fit behind `indent` blanks; the first line has its own indent when `first` is given, and is not indented."""
        import textwrap

        width = max(30, (self.width or WIDTH) - 1)
        wrapped = textwrap.wrap(
            show(text), width, initial_indent=" " * (indent if first is None else first), subsequent_indent=" " * indent, break_on_hyphens=False
        )
        return [line if n or first is None else line[first:] for n, line in enumerate(wrapped)] or [""]


def look_at(stream: IO[str] | IO[bytes], no_colour: bool = False) -> Terminal:
    """Return what `stream` can show. Colour needs a terminal that is not dumb, no NO_COLOR and no `no_colour`."""
    try:
        if not stream.isatty():
            return Terminal()
    except ValueError:  # closed
        return Terminal()
    asked = os.environ.get("COLUMNS", "")
    try:
        width = int(asked) if asked.isdigit() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        width = 0
    return Terminal(max(40, width or WIDTH), not (no_colour or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"))


def show(text: str) -> str:
    """Return `text` without anything that a terminal would obey."""
    return printable(text, LONGEST)


def columns(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def fit(text: str, width: int, keep: Literal["start", "end"] = "start") -> str:
    """Return `text` in exactly `width` columns: padded with blanks, or cut with an ellipsis at the end that is not kept."""
    took = columns(text)
    if took <= width:
        return text + " " * (width - took)
    letters: Iterable[str] = text if keep == "start" else reversed(text)
    kept = ""
    for letter in letters:
        if columns(kept + letter) > width - 1:
            break
        kept += letter
    pad = " " * (width - 1 - columns(kept))
    return f"{kept}…{pad}" if keep == "start" else f"…{kept[::-1]}{pad}"
