"""suppress: who is not to be written to: set up, list, ask, add, remove, look up, forget. To take lists over and hand them on is in `exchange`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from bounceparse.cli.exchange import export, import_
from bounceparse.cli.exits import DONE, NOTHING_READ, SOME_UNREAD, Stop
from bounceparse.cli.keeping import (
    Voice,
    add_all,
    choose_rows,
    filter_options,
    ledger_option,
    moment,
    named,
    open_ledger,
    place_options,
    read_blocks,
    redact_option,
    where_of,
    whoami,
)
from bounceparse.cli.options import Moment, format_option, output_option
from bounceparse.cli.sink import open_sink
from bounceparse.cli.state import state_of
from bounceparse.model import Suppression
from bounceparse.output.rows import Column, Row
from bounceparse.output.terminal import Terminal
from bounceparse.output.terminal import show as shown

if TYPE_CHECKING:
    from bounceparse.dns import Answer
    from bounceparse.ledger import Ledger

SUPPRESSED: Final = 1  # what `check` ends with
NAMES: Final = tuple(name for name in Suppression.__struct_fields__ if name != "evidence")
LISTED: Final = (
    Column("address", weight=3),
    Column("reason", 18),
    Column("since", 10),
    Column("until", 10, none="for good"),
    Column("scope", 10),
    Column("place", weight=2),
)
REVIEWED: Final = ("address", "reason", "received", "bounce", "status", "diagnostic", "because", "list", "sender", "key")
REVIEW: Final = (Column("address", weight=3), Column("reason", 18), Column("received", 10), Column("diagnostic", weight=4))
CHECKED: Final = ("address", "suppressed", "reason", "scope", "place", "until", "why")
EVENTS: Final = ("at", "what", "action", "reason", "status", "because", "key")


@click.group()
@click.pass_context
def command(ctx: click.Context) -> None:
    """Say who is not to be written to, and why; change it, hand it on.

    \b
    bounceparse suppress check ann@example.org --ledger bounces.db
    bounceparse suppress check - --show fine < everybody.txt > these.txt
    """
    ctx.default_map = dict.fromkeys(command.commands, state_of(ctx).settings)


retention_option: Final = click.option(
    "--retention-days", type=click.IntRange(0), metavar="N", help="Take traces of persons away after so many days; 0: never."
)


@command.command()
@ledger_option
@retention_option
@click.pass_context
def init(ctx: click.Context, ledger: str | None, retention_days: int | None) -> None:
    """Make a ledger: the tables in an SQLite file, or in a PostgreSQL database.

    With --retention-days, what is older goes by itself: what was reported about whom, what counted, and what is over. Suppressions that hold stay.
    """
    _set_up(ctx, ledger, retention_days)


@command.command()
@ledger_option
@retention_option
@click.pass_context
def upgrade(ctx: click.Context, ledger: str | None, retention_days: int | None) -> None:
    """Bring the tables of a ledger up to date, after an update of this program."""
    _set_up(ctx, ledger, retention_days)


def _set_up(ctx: click.Context, url: str | None, retention_days: int | None) -> None:
    with open_ledger(url, make=True, retention_days=retention_days) as ledger:
        before = ledger.upgrade()
        from bounceparse.ledger.migrate import HEAD

        done = "is up to date" if before == HEAD else f"brought up to date, from {before} to {HEAD}" if before else "made"
        state_of(ctx).remark(f"{ledger.name}: {done}")
        if retention_days is not None:
            ledger.check("")  # opens it, which notes the days


@command.command("list")
@ledger_option
@filter_options
@click.option("--review", is_flag=True, help="Instead those whom a person has to look at, with what was reported.")
@redact_option
@format_option
@output_option
@click.pass_context
def list_(
    ctx: click.Context,
    ledger: str | None,
    list_: str,
    sender: str,
    domain: str,
    reason: str,
    since: str | None,
    until: str | None,
    everything: bool,
    review: bool,
    redact: bool,
    format: str,
    output: str | None,
) -> None:
    """List the suppressions that hold, oldest first."""
    voice = Voice(state_of(ctx), redact)
    with open_ledger(ledger) as opened, open_sink(output, state_of(ctx).no_colour) as sink:
        if review:
            found = opened.events(action="review", domain=domain, reason=reason, since=moment(since), until=moment(until))
            events = ({name: getattr(event, name) for name in REVIEWED} for event in found if event.address)
            count = voice.write(sink, format, REVIEW, REVIEWED, events)
        else:
            held = opened.suppressions(
                list=list_, sender=sender, domain=domain, reason=reason, since=moment(since), until=moment(until), everything=everything
            )
            count = voice.write(sink, format, LISTED, NAMES, map(_row, held))
    if not count:
        voice.remark("nobody to review" if review else "nobody is suppressed")


def _row(held: Suppression) -> Row:
    row = {name: getattr(held, name) for name in NAMES}
    return row if held.address else row | {"address": "(forgotten)"}


@command.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS…|-")
@ledger_option
@place_options
@click.option("--show", type=click.Choice(("suppressed", "fine", "all")), default="suppressed", help="Whom to name.", show_default=True)
@click.option("--lines", "bare", is_flag=True, help="Write the addresses alone, one a line, as they were read.")
@click.option("--dns", is_flag=True, help="Also ask the DNS whether their domains take mail; that changes no answer.")
@redact_option
@format_option
@output_option
@click.pass_context
def check(
    ctx: click.Context,
    addresses: tuple[str, ...],
    ledger: str | None,
    list_: str | None,
    sender: str | None,
    show: Literal["suppressed", "fine", "all"],
    bare: bool,
    dns: bool,
    redact: bool,
    format: str,
    output: str | None,
) -> None:
    """Ask whether addresses may be written to; - reads them from standard input, one a line.

    Ends with 0 when all of them may, with 1 when one is suppressed. Without --list or --sender, a suppression for any list or sender counts. Of what
    was read from standard input, --show fine writes back the lines that may be written to.
    """
    state = state_of(ctx)
    voice = Voice(state, redact)
    answer_of = _open_dns() if dns else None
    found = 0
    with open_ledger(ledger) as opened, open_sink(output, state.no_colour) as sink:
        piped = addresses == ("-",)
        lines = bare or (show == "fine" and format == "auto" and (piped or not sink.terminal.width))
        names = (*CHECKED, "dns", "dns_because") if dns else CHECKED
        columns = (Column("address", weight=3), Column("suppressed", 10), Column("reason", 18), Column("scope", 10), Column("until", 10))
        writer = choose_rows(format, sink, (*columns, Column("dns", 9)) if dns else columns, names)
        headed = False
        for block in read_blocks() if piped else [list(addresses)]:
            held = [*opened.check_many(block, list=list_, sender=sender)]
            found += sum(suppression is not None for suppression in held)
            told = [pair for pair in zip(block, held, strict=True) if show == "all" or (show == "fine") == (pair[1] is None)]
            if lines:
                sink.frame("".join(f"{voice.mask(address)}\n" for address, _ in told).encode(errors="surrogateescape"))
                continue
            wanted = [_answer(address, suppression, answer_of) for address, suppression in told]
            if wanted:
                if not headed:
                    sink.frame(writer.head)
                    headed = True
                if writer.format == "table":
                    wanted = [row | {"until": row["until"] or ("for good" if row["suppressed"] else "")} for row in wanted]
                sink.write(writer.render(voice.mask(wanted)))
            if piped:
                sink.flush()
        if not lines:
            if not headed and writer.format in ("csv", "json"):
                sink.frame(writer.head)
            sink.frame(writer.tail)
    ctx.exit(SUPPRESSED if found else DONE)


def _answer(address: str, held: Suppression | None, dns: Any) -> Row:
    row: Row = {"address": address, "suppressed": held is not None}
    row |= {name: "" if held is None else getattr(held, name) for name in ("reason", "scope", "place", "why")}
    row["until"] = None if held is None else held.until
    if dns is not None:
        answer: Answer = dns(address.rpartition("@")[2])
        row |= {"dns": answer.state, "dns_because": answer.because}
    return row


def _open_dns() -> Any:
    from bounceparse.dns import Checker

    return Checker().check


@command.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS…|-")
@ledger_option
@place_options
@click.option("--reason", default="manual", metavar="REASON", help="Why, in one word.", show_default=True)
@click.option("--why", default="", metavar="TEXT", help="Why, in a sentence.")
@click.option("--until", type=Moment(late=True), help="The end; else it holds for good.")
@redact_option
@click.pass_context
def add(
    ctx: click.Context,
    addresses: tuple[str, ...],
    ledger: str | None,
    list_: str | None,
    sender: str | None,
    reason: str,
    why: str,
    until: str | None,
    redact: bool,
) -> None:
    """Suppress addresses, or with @example.org a whole domain; - reads them from standard input.

    It holds everywhere, or with --list or --sender there.
    """
    scope, place = where_of(list_, sender)
    voice = Voice(state_of(ctx), redact)
    news = [Suppression(address, reason, scope, place, None, moment(until), why) for address in named(addresses)]
    with open_ledger(ledger, make=True) as opened:
        add_all(voice, opened, news, whoami())


@command.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS…|-")
@ledger_option
@place_options
@redact_option
@click.pass_context
def remove(ctx: click.Context, addresses: tuple[str, ...], ledger: str | None, list_: str | None, sender: str | None, redact: bool) -> None:
    """Let addresses be written to again; what was counted against them no longer counts.

    With --list or --sender only what holds there ends. It stays in the history, with who undid it.
    """
    scope, place = where_of(list_, sender)
    voice = Voice(state_of(ctx), redact)
    ended = 0
    with open_ledger(ledger) as opened:
        for address in named(addresses):
            try:
                ended += opened.remove(address, scope=None if scope == "everywhere" else scope, place=place, by=whoami())
            except ValueError as error:
                raise Stop(NOTHING_READ, voice.mask(str(error))) from None
    voice.remark(f"{ended:,} {'suppression' if ended == 1 else 'suppressions'} ended")


@command.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS…")
@ledger_option
@redact_option
@format_option
@output_option
@click.pass_context
def history(ctx: click.Context, addresses: tuple[str, ...], ledger: str | None, redact: bool, format: str, output: str | None) -> None:
    """Show all that is known of addresses: what was reported, what was decided, and what was done by hand."""
    voice = Voice(state_of(ctx), redact)
    count = 0
    with open_ledger(ledger) as opened, open_sink(output, state_of(ctx).no_colour) as sink:
        if format == "table" or (format == "auto" and sink.terminal.width):
            for address in addresses:
                found = _history(opened, voice, address)
                sink.frame("".join(f"{line.rstrip()}\n" for line in _story(sink.terminal, voice.mask(found))).encode(errors="replace"))
                count += len(found)
        else:
            rows = (row for address in addresses for row in _history(opened, voice, address))
            count = voice.write(sink, format, (), ("address", *EVENTS), rows)
    if not count:
        voice.remark("nothing is known of " + ("them" if len(addresses) > 1 else addresses[0]))


def _history(ledger: Ledger, voice: Voice, address: str) -> list[Row]:
    try:
        person = ledger.history(address)
    except ValueError as error:
        raise Stop(NOTHING_READ, voice.mask(str(error))) from None
    found: list[Row] = [
        _told(event.received, event.kind, event.action, event.reason, event.status, event.because, event.key) for event in person.events
    ]
    for held in person.suppressions:
        end = f"until {held.until:%Y-%m-%d}" if held.until else "for good"
        where = {"everywhere": "everywhere", "domain": "for the whole domain"}.get(held.scope, f"for the {held.scope} {held.place}")
        told = f"{where}, {end}{f', by {held.added_by}' if held.added_by else ''}{f': {held.why}' if held.why and not held.policy else ''}"
        found.append(_told(held.since, "suppression", "begins", held.reason, "", told))
        if held.undone:
            found.append(_told(held.undone, "suppression", "ends", held.reason, "", held.undone_by))
    if person.delivered:
        found.append(_told(person.delivered, "delivered", "clears", "delivered", "", "mail arrived"))
    return [{"address": person.address} | row for row in sorted(found, key=lambda row: row["at"])]


def _story(terminal: Terminal, rows: list[Row]) -> Iterator[str]:
    """Yield the lines of a history for people."""
    for number, row in enumerate(rows):
        if not number:
            yield terminal.paint(shown(row["address"]), "bold")
        yield f"  {row['at']:%Y-%m-%d %H:%M}  {shown(row['what'])}: {shown(row['reason'])}, {shown(row['action'])}"
        yield from terminal.wrap(row["because"], 20)


def _told(*values: Any) -> Row:
    return dict(zip(EVENTS, (*values, ""), strict=False))


@command.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS…|-")
@ledger_option
@click.option("--keep-hash", is_flag=True, help="Keep a hash of the address, so that whoever is suppressed stays so.")
@redact_option
@click.pass_context
def forget(ctx: click.Context, addresses: tuple[str, ...], ledger: str | None, keep_hash: bool, redact: bool) -> None:
    """Take away all that is known of persons; this cannot be undone.

    What was counted stays as a number without a name, and a bounce that is read again does not bring the name back.
    """
    voice = Voice(state_of(ctx), redact)
    unknown = 0
    with open_ledger(ledger) as opened:
        for address in named(addresses):
            try:
                gone = opened.forget(address, keep=keep_hash)
            except ValueError as error:
                raise Stop(NOTHING_READ, voice.mask(str(error))) from None
            unknown += not (gone.events or gone.suppressions or gone.quarantined)
            kept = "; still suppressed, under a hash" if gone.kept else ""
            voice.remark(
                f"{address}: {gone.events:,} events, {gone.suppressions:,} suppressions, {gone.quarantined:,} quarantined mails forgotten{kept}"
            )
    ctx.exit(SOME_UNREAD if unknown else DONE)


command.add_command(import_)
command.add_command(export)
