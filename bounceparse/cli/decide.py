"""decide: what the policy says about each address of some mail, and with --apply, what is done about it."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import click

from bounceparse.batch import run
from bounceparse.cli.exits import BAD_CONFIG, Stop
from bounceparse.cli.keeping import Voice, ledger_option, open_ledger, redact_option
from bounceparse.cli.options import FILE, Fields, Words, build_engine, format_option, input_options, open_verp, output_option, proof_options
from bounceparse.cli.parse import choose_writer
from bounceparse.cli.progress import Progress
from bounceparse.cli.reading import Ending, check_paths
from bounceparse.cli.sink import open_sink
from bounceparse.cli.state import state_of
from bounceparse.cli.storing import open_policy, policy_option
from bounceparse.intake import Failure
from bounceparse.model import Report
from bounceparse.output.csv import Csv
from bounceparse.output.table import Table
from bounceparse.record import records

if TYPE_CHECKING:
    from bounceparse.dns import Checker
    from bounceparse.ledger import Ledger, Rehearsal
    from bounceparse.model import Decision
    from bounceparse.policy import Policy

ACTIONS: Final = ("suppress", "review", "alert", "record", "ignore")
TABLE: Final = ("decision.action", "decision.until", "reason", "recipient", "origin")
FLAT: Final = (
    "decision.action", "decision.until", "decision.scope", "decision.policy", "decision.address", "reason", "bounce", "fault", "certainty", "status",
    "reply_code", "recipient", "diagnostic", "proof.level", "arrived", "origin", "id", "decision.because",
)  # fmt: skip
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
ALERTS: Final = 5  # kinds of trouble that are named at the end


@click.command()
@click.argument("paths", nargs=-1, type=FILE, metavar="[PATH…|-]")
@click.option("--apply", is_flag=True, help="Record it all in the ledger, and suppress.")
@ledger_option
@policy_option
@click.option("--list", "list_", default="", metavar="NAME", help="The list whose mail came back, where the mail does not say.")
@click.option("--sender", default="", metavar="ADDRESS", help="The sender of that mail, where the mail does not say.")
@click.option(
    "--received",
    type=click.Choice(("arrived", "now")),
    default="arrived",
    help="When a report counts as received: on its own date, or now.",
    show_default=True,
)
@click.option("--only", type=Words(ACTIONS), metavar="a,b", help="Decisions to show: suppress, review, alert, record, ignore.")
@click.option("--check-dns", is_flag=True, envvar="BOUNCEPARSE_CHECK_DNS", help="Ask the DNS about domains that are said not to exist.")
@redact_option
@input_options
@proof_options
@format_option
@output_option
@click.option("--fields", type=Fields(), metavar="a,b", help="Fields to write, in this order: decision.action,recipient,decision.because …")
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    apply: bool,
    ledger: str | None,
    policy: str,
    list_: str,
    sender: str,
    received: Literal["arrived", "now"],
    only: tuple[str, ...] | None,
    check_dns: bool,
    redact: bool,
    recurse: bool,
    jobs: int | Literal["auto"],
    rules: tuple[str, ...],
    headers: tuple[str, ...],
    verp: str | None,
    secret_file: str | None,
    format: str,
    output: str | None,
    fields: tuple[str, ...] | None,
) -> None:
    """Say what the policy does about each address, and why. Nothing is changed without --apply.

    Decisions build on what the ledger knows, and on each other. A file of old reports is decided as it would have been day by day; the same bounce
    counts once, however often it is read. Online checks never suppress anybody: an answer can only send an address to review.
    """
    state = state_of(ctx)
    voice = Voice(state, redact)
    if apply and not ledger:
        raise click.UsageError("--apply needs a ledger: --ledger bounces.db", ctx)
    paths = check_paths(paths, recurse, ctx)
    rows_of = _Deciding(open_policy(policy), list_, sender, received, _open_dns() if check_dns else None)
    engine = build_engine(rules, headers, open_verp(verp, secret_file, state))
    ending = Ending(state)
    tally: Counter[str] = Counter()
    alerts: Counter[tuple[str, str]] = Counter()
    with ExitStack() as stack:
        store = _open_store(stack, ledger, apply)
        sink = stack.enter_context(open_sink(output, state.no_colour))
        writer = choose_writer(format, sink, fields or (), engine.tables, None)
        if isinstance(writer, Table) and not fields:
            writer = Table(sink.terminal, TABLE)
        elif isinstance(writer, Csv) and not fields:
            writer = Csv(FLAT)
        sink.join = writer.join
        sink.frame(writer.head)
        progress = Progress(state, paths, tally, to_file=bool(output) and output != "-")
        told = progress.update if progress.wanted else None
        try:
            for outcome in run(paths, _keep, engine=engine, recurse=recurse, jobs=jobs, on_progress=told):
                if isinstance(outcome, Failure):
                    ending.failed(outcome)
                    continue
                ending.read += 1
                report, decisions = rows_of.decide(store, *outcome)
                tally.update(decision.action for decision in decisions)
                alerts.update((decision.provider, decision.policy.partition("/")[2]) for decision in decisions if decision.action == "alert")
                rows = [row for row in records(report, outcome[1], decisions) if not only or (row.decision and row.decision.action in only)]
                if rows:
                    sink.write(writer.render(voice.mask(rows)))
        finally:
            state.clear()
            sink.frame(writer.tail)
    _sum_up(voice, ending.read, tally, alerts, apply)
    ctx.exit(ending.code())


def _keep(report: Report, origin: str) -> tuple[Report, str]:
    return report, origin


class _Deciding:
    """How reports are decided on in this run."""

    def __init__(self, policy: Policy, list: str, sender: str, received: Literal["arrived", "now"], checker: Checker | None) -> None:
        self._policy = policy
        self._list = list
        self._sender = sender
        self._received = received
        self._checker = checker

    def decide(self, store: Ledger | Rehearsal, report: Report, origin: str) -> tuple[Report, tuple[Decision, ...]]:
        """Return a report, weighed against the DNS where that was asked for, and what is decided about it."""
        if self._checker is not None:
            report = self._checker.weigh(report)
        moment = datetime.now(UTC)
        if self._received == "arrived" and report.arrived:
            moment = max(EARLIEST, min(moment, datetime.fromisoformat(report.arrived)))
        return report, store.record(report, self._policy, now=moment, list=self._list, sender=self._sender, origin=origin)


def _open_dns() -> Checker:
    from bounceparse.dns import Checker

    return Checker()


def _open_store(stack: ExitStack, url: str | None, apply: bool) -> Ledger | Rehearsal:
    """Return where decisions are made: the ledger itself, or what only knows what is in it."""
    try:
        from bounceparse.ledger import Rehearsal
    except ImportError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    opened = stack.enter_context(open_ledger(url, make=True, durable=False)) if url else None
    if apply and opened is not None:
        return opened
    begun = opened is not None and (opened.file is None or os.path.exists(opened.file))  # noqa: PTH110
    return Rehearsal(opened if begun else None)


def _sum_up(voice: Voice, messages: int, tally: Counter[str], alerts: Counter[tuple[str, str]], apply: bool) -> None:
    if not messages:
        return
    parts = ", ".join(f"{tally[action]:,} {action}" for action in ACTIONS if tally[action])
    voice.remark(f"{messages:,} message{'' if messages == 1 else 's'}: {parts}; {'recorded' if apply else 'nothing was changed'}")
    for (provider, reason), number in alerts.most_common(ALERTS):
        voice.remark(f"  to mend on your side: {reason} at {provider or 'an unnamed host'} ({number:,})")
