"""classify: many bare SMTP replies or log lines, a record for each, in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import click
from msgspec.structs import replace

from bounceparse.cli.exits import NO_INPUT, NO_PERMISSION, NOTHING_READ, SOME_UNREAD, Stop
from bounceparse.cli.options import FILE, SISIMAI, build_engine, find_vocabulary, record_options, rules_option
from bounceparse.cli.parse import check_format, choose_writer
from bounceparse.cli.reading import Select
from bounceparse.cli.sink import open_sink
from bounceparse.cli.state import state_of
from bounceparse.intake.eml import Read
from bounceparse.intake.files import stdin_reader
from bounceparse.intake.follow import Follower
from bounceparse.intake.logs import ColumnError, Format, Said, read_replies
from bounceparse.model import Kind, Report, Result, Verdict
from bounceparse.output.table import Table

if TYPE_CHECKING:
    from bounceparse.engine import Engine

BLOCK: Final = 1 << 16
TABLE: Final = ("bounce", "reason", "status", "diagnostic")
TABLE_OF_LOG: Final = ("bounce", "reason", "status", "recipient", "diagnostic")
_KINDS: Final[dict[str, Kind]] = {
    "delivered": "delivered",
    "feedback_complaint": "complaint",
    "auto_reply": "auto_reply",
    "challenge_response": "challenge",
}


@click.command()
@click.argument("file", required=False, type=FILE, metavar="[FILE|-]")
@click.option(
    "--input",
    "form",
    type=click.Choice(["lines", "postfix", "exim", "csv"]),
    default="lines",
    show_default=True,
    help="What the input is: a reply a line, a log, or CSV.",
)
@click.option("--follow", is_flag=True, help="Go on with what is added to FILE, through rotation, until Ctrl-C.")
@rules_option
@record_options
@click.pass_context
def command(
    ctx: click.Context,
    file: str | None,
    form: Format,
    follow: bool,
    rules: tuple[str, ...],
    format: str,
    output: str | None,
    fields: tuple[str, ...] | None,
    vocabulary: str | None,
) -> None:
    """Give a verdict on many bare SMTP replies: one record for each line, in order.

    With --input postfix or exim the deliveries of a log are read, and other lines passed over; with csv the column named diagnostic, reply, response
    or message, and recipient or email beside it.

    \b
    bounceparse classify --input postfix --follow /var/log/mail.log
    """
    state = state_of(ctx)
    if file is None and sys.stdin.isatty():
        raise click.UsageError("nothing to classify: name a file, or - for standard input", ctx)
    engine = build_engine(rules)
    theirs = find_vocabulary(engine.tables, vocabulary)
    check_format(format, fields, theirs)
    select = Select(vocabulary=None if format == SISIMAI else theirs)
    name = file or "-"
    if follow and name == "-":
        raise click.UsageError("--follow needs the name of a file; what comes through a pipe is read as it comes", ctx)
    read = _open(name, follow)
    title = "standard input" if name == "-" else name
    count = 0
    with open_sink(output, state.no_colour) as sink:
        writer = choose_writer(format, sink, fields or (), engine.tables, theirs)
        if isinstance(writer, Table) and not fields:
            writer = Table(sink.terminal, TABLE if form == "lines" else TABLE_OF_LOG)
        sink.join = writer.join
        sink.frame(writer.head)
        lines = Lines(read, sink.flush)
        try:
            for said in read_replies(lines, form):
                sink.write(writer.render(select.rows(judge(engine, said), f"{name}#{said.number}")))
                count += 1
        except ColumnError as error:
            raise Stop(NOTHING_READ, f"{title}: {error}") from None
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            state.say(f"bounceparse: {title}: {(error.strerror or str(error)).lower()}", "red")
            ctx.exit(SOME_UNREAD if count else NOTHING_READ)
        finally:
            sink.frame(writer.tail)
    if not count:
        what = "is empty" if not lines.seen else f"holds no delivery that --input {form} knows"
        raise Stop(NOTHING_READ, f"{title} {what}")


class Lines:
    """The lines of a file as they come. Before the next has to be waited for, `idle` is called, so that each answer goes out at once."""

    def __init__(self, read: Read, idle: Callable[[], None]) -> None:
        self._read = read
        self._idle = idle
        self.seen = 0

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        while True:
            self._idle()
            block = self._read(BLOCK)
            if not block:
                break
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            self.seen += len(lines)
            for line in lines:
                yield line + b"\n"
        if rest:
            self.seen += 1
            yield rest


def _open(name: str, follow: bool) -> Read:
    if name == "-":
        return stdin_reader()
    try:
        if follow:
            return Follower(name).read
        return open(name, "rb", buffering=0).read  # noqa: PTH123  # open until the end of the command
    except FileNotFoundError:
        raise Stop(NO_INPUT, f"no such file: {name}") from None
    except OSError as error:
        code = NO_PERMISSION if isinstance(error, PermissionError) else NOTHING_READ
        raise Stop(code, f"cannot read {name}: {(error.strerror or str(error)).lower()}") from None


def judge(engine: Engine, said: Said) -> Report:
    """Return a report on one reply: its verdict, and the facts that stand around it."""
    recipient, verdict = engine.classify(said.text)
    around = {
        "address": said.original or said.recipient,
        "original_address": said.original,
        "final_address": said.recipient if said.original else "",
        "status": said.status,
        "action": said.action,
        "remote_mta": said.remote,
    }
    known = {name: value for name, value in around.items() if value}
    if known:
        recipient = replace(recipient, **known)
    kind: Kind = _KINDS.get(verdict.reason, "bounce")
    if said.action == "delivered":
        kind, verdict = "delivered", Verdict("none", "delivered", "unknown", "certain", "action:delivered", verdict.because)
    elif said.action == "delayed":
        kind, verdict = "delay", replace(verdict, bounce="soft")
    elif kind == "bounce" and not said.action and recipient.reply_code[:1] == "4":
        kind = "delay"
    return Report(kind, (Result(recipient, verdict),), sha256(said.text.encode()).hexdigest(), arrived=said.arrived)
