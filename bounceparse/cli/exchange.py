"""suppress import and export: lists of other systems taken over, and our own handed on."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final

import click

from bounceparse.cli.exits import NO_INPUT, NOTHING_READ, Stop
from bounceparse.cli.keeping import Voice, add_all, filter_options, ledger_option, moment, open_ledger, place_options, redact_option, where_of, whoami
from bounceparse.cli.options import FILE, Moment, output_option
from bounceparse.cli.sink import open_sink
from bounceparse.cli.state import state_of
from bounceparse.model import Suppression

if TYPE_CHECKING:
    from bounceparse.engine import Engine
    from bounceparse.intake.lists import Listed
    from bounceparse.model import Scope

FROM: Final = ("auto", "own", "ses", "sendgrid", "mailgun", "postmark", "mailchimp", "listmonk", "phplist", "plain")
TO: Final = (
    "own", "ses", "sendgrid", "mailgun", "mailgun-complaints", "mailgun-unsubscribes", "postmark", "mailchimp", "listmonk", "phplist",
    "mautic", "mailtrain", "plain",
)  # fmt: skip
REASONS: Final = {"bounce": "suppressed", "complaint": "feedback_complaint", "unsubscribe": "unsubscribe", "manual": "manual"}


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE…|-")
@ledger_option
@click.option(
    "--from", "form", type=click.Choice(FROM), default="auto", metavar="FORM", help=f"Whose list it is: {', '.join(FROM)}.", show_default=True
)
@place_options
@click.option("--reason", metavar="REASON", help="The reason for all of them, instead of what the list says.")
@click.option("--until", type=Moment(late=True), help="The end; else they hold for good.")
@click.option("--all", "everything", is_flag=True, help="Also those whose bounce was not their fault, as far as the list tells.")
@click.option("--known", is_flag=True, help="Suppress nobody: these are the addresses that are written to.")
@redact_option
@click.pass_context
def import_(
    ctx: click.Context,
    files: tuple[str, ...],
    ledger: str | None,
    form: str,
    list_: str | None,
    sender: str | None,
    reason: str | None,
    until: str | None,
    everything: bool,
    known: bool,
    redact: bool,
) -> None:
    """Take over suppression lists: of Amazon SES, SendGrid, Mailgun, Postmark, Mailchimp, listmonk, phpList, our own, or one address a line.

    Where a list says what the receiving host replied, that is judged as a bounce is: who was cut off for something that was not their fault is left
    out. With --known, addresses are noted as those that are written to, so that a storm at their domain is seen as one.
    """
    voice = Voice(state_of(ctx), redact)
    taking = _Taking(*where_of(list_, sender), reason or "", until, everything)
    with open_ledger(ledger, make=True, durable=False) as opened:
        for file in files:
            entries = _entries(voice, file, form)
            if known:
                number = opened.know(entry.address for entry in entries)
                voice.remark(f"{_title(file)}: {number:,} addresses noted")
            else:
                taking.left.clear()
                add_all(voice, opened, taking.take(entries), f"import of {os.path.basename(file)} by {whoami()}")  # noqa: PTH119
                for why, number in taking.left.most_common():
                    voice.remark(f"  {number:,} left out: {why}")


def _title(file: str) -> str:
    return "standard input" if file == "-" else file


def _entries(voice: Voice, file: str, form: str) -> Iterator[Listed]:
    from bounceparse.intake.lists import ListError, read_list

    try:
        with open(file, "rb") if file != "-" else nullcontext(sys.stdin.buffer) as data:  # noqa: PTH123
            lines = TextIOWrapper(data, "utf-8", "replace", newline="")
            yield from read_list(lines, form)
            lines.detach()
    except ListError as error:
        raise Stop(NOTHING_READ, voice.mask(f"{_title(file)}: {error}")) from None
    except FileNotFoundError:
        raise Stop(NO_INPUT, f"no such file: {file}") from None
    except OSError as error:
        raise Stop(NOTHING_READ, f"cannot read {file}: {(error.strerror or str(error)).lower()}") from None


class _Taking:
    """From what a list says to what is suppressed."""

    def __init__(self, scope: Scope, place: str, reason: str, until: str | None, everything: bool) -> None:
        self._scope = scope
        self._place = place
        self._reason = reason
        self._until = moment(until)
        self._everything = everything
        self._engine: Engine | None = None
        self.left: Counter[str] = Counter()

    def take(self, entries: Iterable[Listed]) -> Iterator[Suppression]:
        """Yield the suppressions of a list."""
        from bounceparse.ledger.persons import person_of

        for entry in entries:
            whole_domain = entry.why == "own" and entry.address.startswith("@")
            if not whole_domain and not person_of(entry.address):
                self.left["no address"] += 1
                continue
            reason = self._reason or entry.reason or REASONS[entry.why]
            if entry.reply and not self._reason:
                judged = self._judge(entry.reply)
                if not judged:
                    self.left["the bounce was not their fault, or not for good"] += 1
                    continue
                reason = judged
            here = self._scope != "everywhere"
            yield Suppression(
                entry.address,
                reason,
                self._scope if here else entry.scope,  # type: ignore[arg-type]
                self._place if here else entry.place,
                entry.since,
                self._until or entry.until,
                entry.said or entry.reply,
            )

    def _judge(self, reply: str) -> str:
        """Return the reason that a reply gives, "" when it is none to suppress for; what says nothing is believed."""
        if self._engine is None:
            from bounceparse.engine import Engine

            self._engine = Engine()
        _, verdict = self._engine.classify(reply)
        if verdict.bounce == "hard":
            return verdict.reason
        return REASONS["bounce"] if self._everything or verdict.reason in ("undetermined", "") else ""


@click.command()
@ledger_option
@click.option("--to", "form", type=click.Choice(TO), default="own", metavar="FORM", help=f"Who takes it: {', '.join(TO)}.", show_default=True)
@filter_options
@output_option
@click.pass_context
def export(
    ctx: click.Context,
    ledger: str | None,
    form: str,
    list_: str,
    sender: str,
    domain: str,
    reason: str,
    since: str | None,
    until: str | None,
    everything: bool,
    output: str | None,
) -> None:
    """Write the suppressions as a CSV that another system takes.

    Other systems get what holds everywhere, or with --list or --sender what holds there.
    """
    from bounceparse.output.lists import write_list

    state = state_of(ctx)
    left = 0
    with open_ledger(ledger) as opened, open_sink(output, state.no_colour) as sink:
        held = opened.suppressions(
            list=list_, sender=sender, domain=domain, reason=reason, since=moment(since), until=moment(until), everything=everything
        )
        if form != "own" and not list_ and not sender:
            held = (suppression for suppression in held if suppression.scope in ("everywhere", "domain") or form.startswith("mailgun-"))
        for data, without in write_list(held, form):
            sink.frame(data)
            left += without
    if left:
        state.remark(f"{left:,} left out: they have no place in a file for {form}")
