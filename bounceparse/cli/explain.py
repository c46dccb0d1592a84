"""explain: one SMTP reply or one mail, and why the verdict is what it is."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from bounceparse.cli.exits import NO_INPUT, NO_PERMISSION, NOTHING_READ, Stop
from bounceparse.cli.lookup import reply_title, rule_title, status_title
from bounceparse.cli.options import build_engine, rules_option
from bounceparse.cli.sink import open_sink
from bounceparse.cli.state import State, state_of
from bounceparse.output.terminal import BOUNCE_TONE, Terminal, Tone, show

if TYPE_CHECKING:
    from bounceparse.model import Evidence, Recipient, Report, Verdict
    from bounceparse.tables import Tables

LABEL: Final = 11  # columns of the labels at the left

KINDS: Final = {
    "bounce": "A bounce",
    "delay": "A delay notice, no bounce: delivery is still being tried",
    "delivered": "A report of success",
    "complaint": "A complaint: the recipient reported the message as unwanted",
    "auto_reply": "An automatic reply, no bounce",
    "challenge": "A challenge: a confirmation is demanded before delivery",
    "disposition": "A disposition notification (a receipt), no bounce",
    "unsubscribe": "A request to unsubscribe, no bounce",
    "not_bounce": "No bounce: nothing in it reports on a delivery",
}
FAULTS: Final = {
    "recipient": "the recipient's address or mailbox",
    "sender": "the sender: its name, its set-up, or how much it sends",
    "message": "the message itself",
    "network": "the network between the two",
    "receiver": "the receiving system",
    "unknown": "not known",
}
CERTAINTIES: Final = {
    "certain": "certain: several signs agree, or one that leaves no doubt",
    "likely": "likely: one clear sign",
    "guess": "a guess: little to go by",
}
PHASES: Final = {
    "CONNECT": "the connection",
    "EHLO": "EHLO",
    "STARTTLS": "STARTTLS",
    "AUTH": "AUTH",
    "MAIL": "MAIL FROM",
    "RCPT": "RCPT TO",
    "DATA": "DATA",
    "EOD": "the end of the message",
}
_HEADER: Final = re.compile(rb"(?:From |[A-Za-z][!-9;-~]*[ \t]*:)")
_PATHLIKE: Final = re.compile(r"\S*(?:/\S*|\.(?:eml|mbox|mbx|msg|gz|bz2|xz|zst|zip|tar|txt))(?:#\d+)?", re.I)
_SINGLE: Final = re.compile(r"(.+)#(\d{1,12})")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("text", nargs=-1, metavar="TEXT|PATH|-")
@rules_option
@click.pass_context
def command(ctx: click.Context, text: tuple[str, ...], rules: tuple[str, ...]) -> None:
    """Say why: kind, reason, whose fault, how sure, by which rule, and where each piece of evidence stands.

    TEXT is an SMTP reply as a server or a log gives it; PATH is a mail, or b.mbox#1842 for one message of a mailbox; - reads either from standard
    input.

    \b
    bounceparse explain "550 5.1.1 <a@example.com> user unknown"
    bounceparse explain bounce.eml
    """
    state = state_of(ctx)
    if not text:
        if sys.stdin.isatty():
            raise click.UsageError('nothing to explain: give a reply in quotes ("550 5.1.1 …"), a path, or - for standard input', ctx)
        text = ("-",)
    subject = _find(" ".join(text), state)
    engine = build_engine(rules)
    with open_sink(None, state.no_colour) as sink:
        if isinstance(subject, str):
            recipient, verdict = engine.classify(subject)
            lines = explain_reply(sink.terminal, engine.tables, subject, recipient, verdict)
        else:
            origin, raw = subject
            lines = explain_mail(sink.terminal, engine.tables, origin, raw, engine.parse(raw))
        sink.write("".join(f"{line.rstrip()}\n" for line in lines).encode(errors="replace"))


def _find(text: str, state: State) -> str | tuple[str, bytes]:
    """Return the reply to explain, or origin and bytes of the mail."""
    if os.path.isdir(text):  # noqa: PTH112
        raise click.UsageError(f"{text} is a directory; name one file of it")
    if text == "-" or os.path.exists(text):  # noqa: PTH110
        return _look_into(text, 1, state)
    single = _SINGLE.fullmatch(text)
    if single and os.path.isfile(single[1]):  # noqa: PTH113
        return _look_into(single[1], int(single[2]), state)
    if _PATHLIKE.fullmatch(text):
        raise Stop(NO_INPUT, f"no such file: {text}")
    if not text.strip():
        raise click.UsageError('nothing to explain: the text is empty; give a reply such as "550 5.1.1 user unknown"')
    return text


def _look_into(path: str, number: int, state: State) -> str | tuple[str, bytes]:
    from bounceparse.intake import Failure, read

    failures: list[Failure] = []
    found: tuple[str, bytes] | None = None
    seen = 0
    for mail in read((path,), False, failures.append):
        seen += 1
        if seen == number:
            found = mail
        elif found:
            state.remark(f"{path} holds more than one message; this is the first. For another: bounceparse explain '{path}#2'")
            break
        if seen == number > 1:
            break
    if found is None:
        if failures:
            raise Stop({"permission": NO_PERMISSION, "missing": NO_INPUT}.get(failures[0].trouble, NOTHING_READ), str(failures[0]))
        raise Stop(NO_INPUT, f"{path} has {seen} message{'' if seen == 1 else 's'}, no number {number}")
    origin, raw = found
    return found if origin != path or looks_like_mail(raw) else " ".join(raw.decode("utf-8", "replace").split())


def looks_like_mail(raw: bytes) -> bool:
    """Whether `raw` begins like a mail and not like a reply: two header fields, the second of which may be a folded line."""
    lines = raw.lstrip().splitlines()[:2] if len(raw) < 4096 else [raw.lstrip()[:200], b" "]
    if len(lines) < 2:
        return False
    return bool(_HEADER.match(lines[0])) and (lines[1][:1] in b" \t" or bool(_HEADER.match(lines[1])))


def explain_reply(terminal: Terminal, tables: Tables, text: str, recipient: Recipient, verdict: Verdict) -> Iterator[str]:
    """Yield the lines that explain one bare reply."""
    yield from terminal.wrap(text, 0)
    yield ""
    yield _headline(terminal, recipient.address, verdict, "bounce")
    yield ""
    yield from _verdict(terminal, tables, recipient, verdict)
    yield from _facts(terminal, tables, recipient, verdict)
    yield from _extras(terminal, verdict)


def explain_mail(terminal: Terminal, tables: Tables, origin: str, raw: bytes, report: Report) -> Iterator[str]:
    """Yield the lines that explain one mail."""
    from bounceparse.record import results_of

    yield terminal.paint(show(origin), "bold")
    yield ""
    yield from _field(terminal, "Kind", KINDS[report.kind])
    titles = {dialect.name: dialect.title for dialect in tables.dialects}
    yield from _field(terminal, "Dialect", titles.get(report.dialect, report.dialect))
    yield from _field(terminal, "Reported", " by ".join(filter(None, (report.arrived, report.reporting_mta))))
    original = report.original
    about = ", ".join(filter(None, (f"“{original.subject}”" if original.subject else "", original.message_id, original.date)))
    yield from _field(terminal, "About", about)
    if report.flaws:
        yield from _field(terminal, "Flaws", ", ".join(report.flaws), "yellow")
    lines = Lines(raw)
    for recipient, verdict in results_of(report):
        if not verdict.reason:
            continue
        yield ""
        yield _headline(terminal, recipient.address or "(nobody is named)", verdict, report.kind)
        yield ""
        yield from _verdict(terminal, tables, recipient, verdict)
        yield from _facts(terminal, tables, recipient, verdict, reply=True)
        yield from _extras(terminal, verdict)
        chosen = verdict.because or recipient.evidence
        yield from _evidence(terminal, "Evidence", chosen, lines)
        yield from _evidence(terminal, "It also says", tuple(e for e in recipient.evidence if e not in chosen), lines)


def _headline(terminal: Terminal, address: str, verdict: Verdict, kind: str) -> str:
    word, tone = {
        "hard": ("hard bounce", BOUNCE_TONE["hard"]),
        "soft": ("soft bounce", BOUNCE_TONE["soft"]),
        "none": ("no bounce", BOUNCE_TONE["none"]),
    }[verdict.bounce]
    if kind == "delay":
        word, tone = "delayed", BOUNCE_TONE["delay"]
    painted = terminal.paint(word, tone)
    reason = terminal.paint(verdict.reason, "bold")
    return f"{terminal.paint(show(address), 'bold')}: {painted}, {reason}" if address else f"{painted}, {reason}"


def _verdict(terminal: Terminal, tables: Tables, recipient: Recipient, verdict: Verdict) -> Iterator[str]:
    reason = tables.reasons.get(verdict.reason)
    if reason is not None:
        yield from _field(terminal, "Meaning", reason.meaning)
        yield from _field(terminal, "Remedy", reason.remedy)
    yield from _field(terminal, "Fault", FAULTS[verdict.fault])
    yield from _field(terminal, "Certainty", CERTAINTIES[verdict.certainty])
    if verdict.rule:
        title = rule_title(tables, verdict.rule, recipient.diagnostic)
        yield from _field(terminal, "Rule", f"{verdict.rule}, {title}" if title else verdict.rule)


def _facts(terminal: Terminal, tables: Tables, recipient: Recipient, verdict: Verdict, reply: bool = False) -> Iterator[str]:
    codes = [(recipient.reply_code, reply_title(tables, recipient.reply_code, recipient.command, verdict.reason))]
    codes.append((recipient.status, status_title(tables, recipient.status)))
    label = "Codes"
    for code, title in codes:
        if code:
            yield from _field(terminal, label, f"{code.ljust(6)} {title or 'not in the tables'}", hang=7)
            label = ""
    for name, address in (("Sent to", recipient.original_address), ("Tried as", recipient.final_address)):
        if address and address.lower() != recipient.address.lower():
            yield from _field(terminal, name, address)
    where = [recipient.remote_mta] if recipient.remote_mta else []
    if recipient.command:
        where.append(f"in answer to {PHASES.get(recipient.command, recipient.command)}")
    yield from _field(terminal, "Refused by" if recipient.remote_mta else "Refused", ", ".join(where))
    if reply:
        yield from _field(terminal, "Reply", recipient.diagnostic)


def _extras(terminal: Terminal, verdict: Verdict) -> Iterator[str]:
    yield from _field(terminal, "Blocklist", verdict.blocklist)
    if verdict.retry_after is not None:
        yield from _field(terminal, "Try again", f"in {verdict.retry_after:,} seconds")


def _field(terminal: Terminal, label: str, text: str, tone: Tone = "", hang: int = 0) -> Iterator[str]:
    """Yield a label with its text, wrapped under itself."""
    if not text:
        return
    first, *rest = terminal.wrap(text, LABEL + 2 + hang, LABEL + 2)
    yield "  " + terminal.paint(label.ljust(LABEL), "dim") + terminal.paint(first, tone)
    for line in rest:
        yield terminal.paint(line, tone)


def _evidence(terminal: Terminal, label: str, evidence: tuple[Evidence, ...], lines: Lines) -> Iterator[str]:
    """Yield each piece of evidence under its place."""
    if not evidence:
        return
    yield ""
    yield f"  {terminal.paint(label, 'dim')}"
    for piece in evidence:
        yield f"    {lines.place(piece)}, {piece.source.replace('_', ' ')}" + (f", {piece.rule}" if piece.rule else "")
        field = "" if piece.field in ("text", "transcript") else f"{piece.field}: "
        yield from terminal.wrap(f"{field}{piece.value}", 6)


class Lines:
    """Where the lines of a message begin, so that an offset can be told as a line; LF, CRLF and bare CR count alike."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._ends = re.compile(rb"\r\n|\n|\r")

    def place(self, piece: Evidence) -> str:
        """Return where a piece of evidence stands, in words."""
        start, end = piece.span
        if start == end:
            return "place not known"
        first = 1 + len(self._ends.findall(self._raw, 0, start))
        last = first + len(self._ends.findall(self._raw, start, max(start, end - 1)))
        return f"{f'line {first}' if first == last else f'lines {first} to {last}'}, bytes {start} to {end}"
