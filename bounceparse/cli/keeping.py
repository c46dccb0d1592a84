"""The options of the commands that ask or change the ledger, and how they open it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from bounceparse.cli.exits import BAD_CONFIG, NO_INPUT, NOTHING_READ, Stop
from bounceparse.cli.options import Moment, put_on

if TYPE_CHECKING:
    from bounceparse.cli.sink import Sink
    from bounceparse.cli.state import State
    from bounceparse.ledger import Ledger
    from bounceparse.model import Scope, Suppression
    from bounceparse.output.rows import Column, Row, Rows

ROWS: Final = 1_000  # rows written at once
BLOCK: Final = 1 << 16
LATER: Final = 75  # EX_TEMPFAIL: the ledger cannot be used now

ledger_option: Final = click.option(
    "--ledger", metavar="FILE|URL", envvar="BOUNCEPARSE_LEDGER", help="Where suppressions are kept: bounces.db, or postgresql://…"
)
_list: Final = click.option("--list", "list_", metavar="NAME", help="The list: its List-Id, or what you call it.")
_sender: Final = click.option("--sender", metavar="ADDRESS", help="The sender: an address or a domain.")
place_options: Final = put_on(_list, _sender)
filter_options: Final = put_on(
    click.option("--list", "list_", default="", metavar="NAME", help="Only what holds for this list."),
    click.option("--sender", default="", metavar="ADDRESS", help="Only what holds for this sender."),
    click.option("--domain", default="", metavar="DOMAIN", help="Only addresses at this domain."),
    click.option("--reason", default="", metavar="REASON", help="Only this reason: user_unknown, manual, unsubscribe …"),
    click.option("--since", type=Moment(), help="Only what began then or later: 2026-11-23, or 7d for seven days ago."),
    click.option("--until", type=Moment(late=True), help="Only what began then or earlier."),
    click.option("--all", "everything", is_flag=True, help="Also what is over, or was undone."),
)
redact_option: Final = click.option("--redact", is_flag=True, envvar="BOUNCEPARSE_REDACT", help="Mask addresses wherever they are shown.")


@contextmanager
def open_ledger(url: str | None, make: bool = False, durable: bool = True, retention_days: int | None = None) -> Iterator[Ledger]:
    """Open the ledger of --ledger; raises Stop when there is none, or when it cannot be used. `make` is for commands that begin one."""
    if not url:
        raise click.UsageError('no ledger: name one with --ledger bounces.db, or with ledger = "…" in the configuration file')
    try:
        from bounceparse.ledger import Ledger, LedgerError, SetUpError
    except ImportError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    try:
        with Ledger(url, durable=durable, retention_days=retention_days) as ledger:
            if not make and ledger.file is not None and not os.path.exists(ledger.file):  # noqa: PTH110
                raise Stop(NO_INPUT, f"no ledger {ledger.file}; `bounceparse suppress init` makes one")
            yield ledger
    except SetUpError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    except LedgerError as error:
        raise Stop(LATER, str(error)) from None


def moment(text: str | None) -> datetime | None:
    """Return what --since and the like say."""
    return None if text is None else datetime.fromisoformat(text)


def whoami() -> str:
    """Return who calls, for the history of what is done by hand."""
    import getpass

    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # nobody known
        return f"uid {os.getuid()} (command line)" if hasattr(os, "getuid") else "command line"


class Voice:
    """Writes rows and says words, with addresses masked when that was asked for."""

    def __init__(self, state: State, redact: bool) -> None:
        self._state = state
        self._masked: Callable[[Any], Any] | None = None
        if redact:
            from bounceparse.output.redact import masked

            self._masked = state.mask = masked

    def mask(self, value: Any) -> Any:
        """Return what is shown of a value."""
        return value if self._masked is None else self._masked(value)

    def remark(self, text: str) -> None:
        """Say something that is good to know, unless -q was given."""
        self._state.remark(text)

    def write(self, sink: Sink, format: str, columns: tuple[Column, ...], names: tuple[str, ...], rows: Iterable[Row]) -> int:
        """Write rows as they come; return how many there were."""
        writer = choose_rows(format, sink, columns, names)
        source = iter(rows)
        count = 0
        while block := [*islice(source, ROWS)]:
            if not count:
                sink.frame(writer.head)
            sink.write(writer.render(self.mask(block)))
            count += len(block)
        if not count and writer.format in ("csv", "json"):
            sink.frame(writer.head)
        sink.frame(writer.tail)
        return count


def choose_rows(format: str, sink: Sink, columns: tuple[Column, ...], names: tuple[str, ...]) -> Rows:
    """Return the writer for -f."""
    from bounceparse.output.rows import Rows

    if format == "auto":
        format = "table" if sink.terminal.width else "jsonl"
    writer = Rows(format, sink.terminal, columns, names)
    sink.join = writer.join
    return writer


def read_blocks() -> Iterator[list[str]]:
    """Yield the lines of standard input, without blanks at either end and without empty ones, as soon as they are there."""
    from bounceparse.intake.files import stdin_reader

    read = stdin_reader()
    rest = b""
    while True:
        block = read(BLOCK)
        lines = (rest + block).split(b"\n")
        rest = lines.pop() if block else b""
        found = [text for line in lines if (text := line.decode("utf-8", "surrogateescape").strip())]
        if found:
            yield found
        if not block:
            return


def where_of(list_: str | None, sender: str | None) -> tuple[Scope, str]:
    """Return where a suppression holds, by --list and --sender; raises a usage error for both."""
    if list_ and sender:
        raise click.UsageError("name a list or a sender, not both")
    return ("list", list_) if list_ else ("sender", sender) if sender else ("everywhere", "")


def named(addresses: tuple[str, ...]) -> Iterator[str]:
    """Yield the addresses of a command line; - stands for those on standard input."""
    for address in addresses:
        if address == "-":
            for block in read_blocks():
                yield from block
        else:
            yield address


def add_all(voice: Voice, ledger: Ledger, news: Iterable[Suppression], by: str) -> None:
    """Let suppressions hold, and say how many are new; raises Stop at what is no address."""
    try:
        total, new = ledger.add_many(news, by=by)
    except ValueError as error:
        raise Stop(NOTHING_READ, voice.mask(str(error))) from None
    already = f"; {total - new:,} {'was' if total - new == 1 else 'were'} already" if total != new else ""
    voice.remark(f"{new:,} suppressed{already}")
