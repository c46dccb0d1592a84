"""Entries of the tables on the screen: one in full, or many in a list; or as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from bounceparse.cli.lookup import sum_up
from bounceparse.cli.sink import Sink
from bounceparse.output.terminal import Terminal, columns, fit, show

if TYPE_CHECKING:
    from bounceparse.cli.lookup import Counted, Entry

COUNTS: Final = 26  # columns before what is counted
LABEL: Final = 9  # columns of the labels of one entry
FULL: Final = 4  # entries that are still shown in full
REASON: Final = 18  # columns of the reason in a list
ID: Final = 34  # columns of the longest id in a list


def write_entries(format: str, sink: Sink, entries: list[Entry]) -> None:
    """Write `entries` in a format; in words, a few of them in full and many as a list."""
    if format == "auto":
        format = "table" if sink.terminal.width else "jsonl"
    if format == "table":
        texts = full(sink.terminal, entries) if len(entries) <= FULL else listed(sink.terminal, entries)
        sink.frame("".join(f"{line.rstrip()}\n" for line in texts).encode(errors="replace"))
        return
    rows = [{"id": entry.id, "table": entry.table, "title": entry.title, "reason": entry.reason, **_named(entry)} for entry in entries]
    if format == "csv":
        from bounceparse.output.csv import cell, lines

        names = list(dict.fromkeys(name for row in rows for name in row))
        sink.frame(lines([names, *([cell(row.get(name, "")) for name in names] for row in rows)]))
    elif format == "json":
        sink.frame(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")
    else:
        sink.frame(msgspec.json.Encoder().encode_lines(rows))


def write_counts(format: str, sink: Sink, counted: list[Counted]) -> None:
    """Write how many rules there are of each sort."""
    if format == "table" or (format == "auto" and sink.terminal.width):
        for rules, number, of in sum_up(counted):
            first, *rest = sink.terminal.wrap(of, COUNTS, COUNTS)
            lines = [f"{sink.terminal.paint(rules.ljust(COUNTS - 10), 'bold')}{number:>8,}  {first}", *rest]
            sink.frame("".join(f"{line.rstrip()}\n" for line in lines).encode(errors="replace"))
    elif format == "csv":
        from bounceparse.output.csv import cell
        from bounceparse.output.csv import lines as csv_lines

        sink.frame(csv_lines([["rules", "of", "count"], *([one.rules, cell(one.of), one.count] for one in counted)]))
    elif format == "json":
        sink.frame(msgspec.json.format(msgspec.json.encode(counted), indent=1) + b"\n")
    else:
        sink.frame(msgspec.json.Encoder().encode_lines(counted))


def _named(entry: Entry) -> dict[str, str]:
    return {name.replace(" ", "_"): text for name, text in entry.facts}


def full(terminal: Terminal, entries: list[Entry]) -> Iterator[str]:
    """Yield each entry with everything that the tables say of it."""
    for number, entry in enumerate(entries):
        if number:
            yield ""
        first, *rest = terminal.wrap(entry.title, 2, columns(entry.id) + 2)
        yield f"{terminal.paint(show(entry.id), 'bold')}  {first}"
        yield from rest
        reason = (("reason", entry.reason),) if entry.reason and entry.reason != entry.id else ()
        told = (("table", entry.table), *reason, *entry.facts)
        width = max(LABEL, *(columns(label) + 2 for label, _ in told))
        for label, text in told:
            first, *rest = terminal.wrap(text, width + 2, width + 2)
            yield f"  {terminal.paint(label.ljust(width), 'dim')}{first}"
            yield from rest


def listed(terminal: Terminal, entries: list[Entry]) -> Iterator[str]:
    """Yield each entry in one line."""
    width = min(ID, max(columns(entry.id) for entry in entries))
    left = max(20, terminal.width - 1 - width - REASON - 4) if terminal.width else 0
    for entry in entries:
        title = fit(show(entry.title), left) if left else show(entry.title)
        name = fit(show(entry.id), width) if left else show(entry.id).ljust(width)
        yield f"{terminal.paint(name, 'bold')}  {fit(entry.reason, REASON)}  {title}"
