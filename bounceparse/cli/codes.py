"""codes: what a code means, and which code means a word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click
from msgspec.structs import replace

from bounceparse.cli import lookup
from bounceparse.cli.exits import SOME_UNREAD, Stop
from bounceparse.cli.listing import write_entries
from bounceparse.cli.options import format_option, open_tables, output_option
from bounceparse.cli.sink import open_sink
from bounceparse.cli.state import state_of
from bounceparse.nearest import nearest

if TYPE_CHECKING:
    from bounceparse.tables import Tables

_STATUS: Final = re.compile(r"([245Xx])\.(\d{1,3})\.(\d{1,3})")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, metavar="[CODE|WORD…]")
@format_option
@output_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], format: str, output: str | None) -> None:
    """Look up a reply code (550), an enhanced status code (5.1.1), an error number (10060, ECONNREFUSED), a reason, what another system calls one
    (userunknown, bad-mailbox), or search by word.

    Without an argument everything is listed.
    """
    tables = open_tables()
    text = " ".join(words)
    found = find(tables, text)
    if not found:
        names = [*tables.reasons, *(result.name for result in tables.system.values())]
        near = nearest(text, names)
        mend = f"did you mean {near}?" if near else "try a code, or one word of its meaning"
        raise Stop(SOME_UNREAD, f"nothing found for {text!r}; {mend}")
    with open_sink(output, state_of(ctx).no_colour) as sink:
        if text in tables.replies and (format == "table" or (format == "auto" and sink.terminal.width)):
            found = [lookup.reply_code(text, tables.replies[text]), *(entry for entry in found if entry.table != "reply code")]
        write_entries(format, sink, found)


def find(tables: Tables, text: str) -> list[lookup.Entry]:
    """Return what the tables say of a code or name, or else every entry that holds all words of `text`."""
    status = _STATUS.fullmatch(text)
    if status:
        return _status(tables, status[1].upper(), f"{status[2]}.{status[3]}")
    wanted = text.lower()
    everything = [*lookup.reasons(tables), *lookup.replies(tables), *lookup.statuses(tables), *lookup.systems(tables)]
    labels = () if wanted in tables.reasons else lookup.labels(tables)
    exact = [entry for entry in (*everything, *labels) if wanted in _names(entry)]
    if exact:
        return exact
    parts = wanted.split()
    return [entry for entry in everything if all(part in _text(entry) for part in parts)]


def _text(entry: lookup.Entry) -> str:
    return " ".join((entry.id, entry.title, entry.reason, *(text for _, text in entry.facts))).lower()


def _names(entry: lookup.Entry) -> set[str]:
    """Return the words that mean this entry and no other."""
    names = {entry.id.lower()}
    if ":" in entry.id:
        names |= {entry.id.lower().partition(":")[2], entry.id.lower().replace(":", " "), entry.title.partition(":")[0].lower()}
        names |= {number for name, number in entry.facts if name == "number"}
    return names


def _status(tables: Tables, digit: str, detail: str) -> list[lookup.Entry]:
    """Return one enhanced status code, its class in words; nothing for a code that is not registered in a known subject."""
    found = [entry for entry in lookup.statuses(tables) if entry.id == f"X.{detail}"]
    if digit == "X":
        return found
    code = f"{digit}.{detail}"
    title = lookup.status_title(tables, code)
    if found:
        known = tables.statuses[detail]
        reason = (known.reason_4 if digit == "4" else known.reason_5 if digit == "5" else "delivered") or known.reason
        return [replace(found[0], id=code, title=title, reason=reason)]
    return [lookup.Entry(code, "enhanced status code", title, "undetermined")] if title else []
