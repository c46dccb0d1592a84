"""What the commands that read mail have in common: check the inputs, make the step of each message, tell what could not be read, and end."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

import click
from msgspec import Struct

from bounceparse.cli.exits import DONE, NO_INPUT, NO_PERMISSION, NOTHING_READ, SOME_UNREAD
from bounceparse.cli.quarantine import Quarantine
from bounceparse.cli.state import State
from bounceparse.intake import Failure
from bounceparse.intake.maildir import is_maildir
from bounceparse.model import Report
from bounceparse.output import Writer
from bounceparse.output.jsonl import JsonLines, escape
from bounceparse.record import Record, encode, records, results_of, translate

if TYPE_CHECKING:
    from bounceparse.tables import Vocabulary

TITLES: Final = {
    "bounce": ("bounce", "bounces"),
    "hard": ("hard bounce", "hard bounces"),
    "soft": ("soft bounce", "soft bounces"),
    "none": ("bounce without failure", "bounces without failure"),
    "delay": ("delay", "delays"),
    "delivered": ("success", "successes"),
    "complaint": ("complaint", "complaints"),
    "auto_reply": ("automatic reply", "automatic replies"),
    "challenge": ("challenge", "challenges"),
    "disposition": ("receipt", "receipts"),
    "unsubscribe": ("unsubscribe request", "unsubscribe requests"),
    "not_bounce": ("ordinary message", "ordinary messages"),
}
EVERYTHING: Final = JsonLines()


def plural(kind: str, number: int) -> str:
    """Return a kind of message, or of bounce, as one says it with a number."""
    one, many = TITLES[kind]
    return one if number == 1 else many


def check_paths(paths: tuple[str, ...], recurse: bool, context: click.Context) -> tuple[str, ...]:
    """Return the inputs: those named, or standard input when something is piped into it. Raises a usage error where there is nothing to read."""
    if not paths:
        if sys.stdin.isatty():
            raise click.UsageError("nothing to read: name a file or directory, or - for standard input", context)
        return ("-",)
    for path in paths:
        if not recurse and os.path.isdir(path) and not is_maildir(path):  # noqa: PTH112
            raise click.UsageError(f"{path} is a directory and no Maildir: add -r to read every file in it", context)
    return paths


class Select(Struct, frozen=True):
    """Which records to keep, and in whose words."""

    kinds: frozenset[str] = frozenset()
    bounces: frozenset[str] = frozenset()
    since: str = ""
    until: str = ""
    vocabulary: Vocabulary | None = None
    named: bool = False  # only those that name a recipient

    @property
    def everything(self) -> bool:
        return not (self.kinds or self.bounces or self.since or self.until or self.vocabulary or self.named)

    def wants(self, row: Record) -> bool:
        """Whether a record is wanted; one without a time is not where a time was asked for."""
        if (self.since or self.until) and not (row.arrived and self.since <= row.arrived <= (self.until or "~")):
            return False
        return not (self.kinds or self.bounces) or row.kind in self.kinds or (row.bounce in self.bounces and row.kind in ("bounce", "delay"))

    def rows(self, report: Report, origin: str) -> list[Record]:
        """Return the records of a report that are wanted."""
        rows = records(report, origin)
        if self.named:
            rows = [row for row in rows if row.recipient]
        if self.kinds or self.bounces or self.since or self.until:
            rows = [row for row in rows if self.wants(row)]
        return rows if self.vocabulary is None else [translate(row, self.vocabulary) for row in rows]


def selection(only: Iterable[str] | None, since: str | None, until: str | None, vocabulary: Vocabulary | None = None, named: bool = False) -> Select:
    """Return what --only, --since, --until and --vocabulary ask for."""
    wanted = frozenset(only or ())
    bounces = wanted & {"hard", "soft"}
    return Select(wanted - bounces, bounces, since or "", until or "", vocabulary, named)


class Rendered(NamedTuple):
    """What is written of a message, and the kind of each of its records, or of the bounce."""

    data: bytes
    words: tuple[str, ...]


class Render(Struct, frozen=True):
    """The step from a report to what is written of it; `counting` where somebody wants to know what it comes to."""

    select: Select
    writer: Writer
    counting: bool = False

    def __call__(self, report: Report, origin: str) -> bytes | Rendered:
        if self.writer == EVERYTHING and self.select.everything:
            data = escape(encode(report, origin))
            if not self.counting:
                return data
            kind = report.kind
            return Rendered(data, tuple([verdict.bounce if kind == "bounce" else kind for _, verdict in results_of(report)]))
        rows = self.select.rows(report, origin)
        data = self.writer.render(rows) if rows else b""
        return Rendered(data, tuple([row.bounce if row.kind == "bounce" else row.kind for row in rows])) if self.counting else data


class Ending:
    """Tells each failure, puts aside what was lost, and ends with the exit code that fits them all."""

    def __init__(self, state: State, quarantine: Quarantine | None = None) -> None:
        self._state = state
        self.quarantine = quarantine or Quarantine()
        self.read = 0
        self.troubles: Counter[str] = Counter()

    def failed(self, failure: Failure) -> None:
        kept = self.quarantine.keep(failure)
        self._state.say(f"bounceparse: {failure}" + (f"; it is kept in {kept}" if kept else ""), "red")
        self.troubles[failure.trouble] += 1

    def code(self) -> int:
        """Return the exit code; say so when there was nothing to read at all."""
        if not self.troubles:
            if not self.read:
                self._state.say("bounceparse: no message there", "red")
            return DONE if self.read else NOTHING_READ
        if self.read or self.troubles["lost"]:
            return SOME_UNREAD
        if len(self.troubles) == 1:
            return {"missing": NO_INPUT, "permission": NO_PERMISSION}.get(next(iter(self.troubles)), NOTHING_READ)
        return NOTHING_READ
