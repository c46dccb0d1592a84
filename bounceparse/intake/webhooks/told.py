"""What a service tells of one address, and the report that it makes: the same nouns as those of a mail, judged by the same tables.

The SMTP reply that an event quotes is believed before the category that the service put it in; the category speaks where the reply says nothing,
where the service never asked the other side, and where it knows that the failure was not for good.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from bounceparse import limits
from bounceparse.judge import Judge
from bounceparse.model import Bounce, Certainty, Evidence, Fault, Kind, Original, Proof, Recipient, Report, Result, Verdict
from bounceparse.replies import read_phase, read_reply
from bounceparse.tables import Tables
from bounceparse.text import clip, printable
from bounceparse.wire.address import read_address

Happened = Literal["failed", "delayed", "delivered", "complaint", "unsubscribe", "auto_reply", "challenge"]

_KINDS: Final[dict[Happened, Kind]] = {
    "failed": "bounce",
    "delayed": "delay",
    "delivered": "delivered",
    "complaint": "complaint",
    "unsubscribe": "unsubscribe",
    "auto_reply": "auto_reply",
    "challenge": "challenge",
}
_ACTIONS: Final = frozenset({"failed", "delayed", "delivered"})


class Hint(Struct, frozen=True):
    """What the category of a service stands for."""

    reason: str = ""
    firm: bool = False  # the service knows better than any reply: it never asked, or it is its own list
    fault: str = ""  # where it is another than that of the reason
    doubtful: bool = False  # the category alone is never enough to suppress anybody


class Told(Struct, frozen=True):
    """One event about one address, as a service tells it."""

    id: str  # of the event: the same again is the same event
    at: datetime | None
    address: str
    happened: Happened
    reply: str = ""  # what the other side said, or what is said of it
    field: str = ""  # where that stands in the event
    label: str = ""  # the service's own category
    hint: Hint = Hint()
    soft: bool = False  # the service says that it was not for good
    status: str = ""
    code: str = ""
    remote_mta: str = ""
    reporting_mta: str = ""
    message: str = ""  # what the service calls our mail
    message_id: str = ""
    sender: str = ""
    subject: str = ""
    list_id: str = ""
    doubtful: bool = False  # never enough to suppress anybody: a block of the sender, or one of several addresses and nobody knows which


def make_report(told: Told, service: str, judge: Judge, tables: Tables) -> Report:
    """Return the report that an event makes. Its proof is `proven` by `webhook`: whoever sent our mail tells us, and was recognised."""
    reply = printable(told.reply.strip(), limits.DIAGNOSTIC)
    code, status = told.code, told.status
    found = read_reply(reply)
    if not (code.isdigit() and len(code) == 3 and code[0] in "245"):
        code = found.code
    if not _is_status(status):
        status = found.status
    address = read_address(told.address)
    label = printable(told.label, limits.FIELD)
    evidence = tuple(
        Evidence("webhook", field, value, (0, 0), service)
        for field, value in ((told.field or "reply", reply), ("category", label), ("status", status if status not in reply else ""))
        if value
    )
    recipient = Recipient(
        address,
        action=told.happened if told.happened in _ACTIONS else "",
        status=status,
        reply_code=code,
        diagnostic=reply,
        command=read_phase(reply),
        remote_mta=printable(told.remote_mta, limits.FIELD).lower(),
        evidence=evidence,
    )
    kind = _KINDS[told.happened]
    verdict = _weigh(told, judge.judge(recipient, kind=kind), service, tables, evidence)
    mail = told.message_id or told.message
    return Report(
        kind,
        (Result(recipient, verdict),),
        sha256(f"{service}\n{told.id}\n{address}".encode(errors="surrogatepass")).hexdigest(),
        reporting_mta=printable(told.reporting_mta, limits.FIELD),
        original=Original(
            printable(told.message_id, limits.FIELD),
            printable(told.sender, limits.FIELD),
            printable(told.subject, limits.FIELD),
            list_id=printable(told.list_id, limits.FIELD),
        ),
        arrived=told.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if told.at is not None else "",
        proofs=(Proof("proven", "webhook", message=clip(f"{service}:{mail or told.id}", limits.FIELD)),),
    )


def _weigh(told: Told, verdict: Verdict, service: str, tables: Tables, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict after the service's own category was heard."""
    hint = told.hint
    if told.happened in ("failed", "delayed"):
        mute = verdict.reason == "undetermined" or verdict.certainty == "guess" or not told.reply
        if hint.reason and (hint.firm or (mute and hint.reason != "undetermined")):
            verdict = _by_category(told, verdict, service, tables, evidence)
        if (told.soft or told.happened == "delayed") and verdict.bounce == "hard":
            verdict = replace(verdict, bounce="soft")
    if told.doubtful and (verdict.fault == "recipient" or told.happened == "complaint"):
        verdict = replace(verdict, bounce="soft" if verdict.bounce == "hard" else verdict.bounce, certainty="guess")
    return verdict


def _by_category(told: Told, verdict: Verdict, service: str, tables: Tables, evidence: tuple[Evidence, ...]) -> Verdict:
    entry = tables.reasons[told.hint.reason]
    fault: Fault = told.hint.fault or entry.fault  # type: ignore[assignment]
    bounce: Bounce = "soft"
    if entry.bounce == "none":
        bounce = "none"
    elif fault == "recipient" and (entry.bounce != "soft" or entry.name == "syntax") and not told.soft and told.happened == "failed":
        bounce = "soft" if told.hint.doubtful else "hard"
    rule = f"webhook:{service}/{told.label.lower().replace(' ', '-')}"
    certainty: Certainty = "guess" if told.hint.doubtful else "likely"
    return Verdict(bounce, entry.name, fault, certainty, printable(rule, limits.FIELD), evidence, verdict.retry_after, verdict.blocklist)


def _is_status(text: str) -> bool:
    """Say whether a text is an enhanced status code (RFC 3463)."""
    pieces = text.split(".")
    return len(pieces) == 3 and pieces[0] in ("2", "4", "5") and all(piece.isdigit() and len(piece) <= 3 for piece in pieces)
