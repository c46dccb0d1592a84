"""The JSON that Sisimai writes, for scripts that were written for it: one array, its keys, its names of reasons.

Values are Sisimai's, too: `recipient` is the final recipient and `alias` the one that was written to where those differ, `timestamp` is in seconds,
codes are texts, `hardbounce` is true or false. What Sisimai makes up, such as the status code 5.0.911, is "" where nothing was said. Keys that were
renamed are there under both names: `smtpagent` and `decodedby`, `smtpcommand` and `command`, `softbounce` (1, 0, -1) beside `hardbounce`.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha1
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from bounceparse.output.jsonl import escape
from bounceparse.record import Record
from bounceparse.wire.address import find_addresses

if TYPE_CHECKING:
    from bounceparse.tables import Vocabulary

KINDS: Final = ("bounce", "delay", "complaint")
"""What Sisimai tells of unless it is asked for more."""

_OFFSET: Final = re.compile(r"[+-]\d{4}\b")
_COMMANDS: Final = {"CONNECT": "CONN", "EOD": "DATA"}
_READERS: Final = {"complaint": "ARF", "auto_reply": "RFC3834"}
_encode_lines: Final = msgspec.json.Encoder().encode_lines


class Entry(Struct, frozen=True, gc=False):
    """One bounce as Sisimai tells it; the order of keys has no meaning there."""

    token: str
    timestamp: int | None
    timezoneoffset: str
    addresser: str
    senderdomain: str
    recipient: str
    destination: str
    alias: str
    reason: str
    hardbounce: bool
    softbounce: int
    toxic: bool
    action: str
    deliverystatus: str
    replycode: str
    diagnosticcode: str
    diagnostictype: str
    smtpcommand: str
    command: str
    smtpagent: str
    decodedby: str
    lhost: str
    rhost: str
    subject: str
    messageid: str
    listid: str
    feedbacktype: str
    feedbackid: str
    catch: dict[str, str] | None
    origin: str


class Sisimai(Struct, frozen=True):
    """Writes one JSON array, one bounce a line. `vocabulary` is the one of Sisimai."""

    vocabulary: Vocabulary

    head = b"[\n"
    join = b",\n"
    tail = b"\n]\n"

    def render(self, rows: list[Record]) -> bytes:
        return escape(_encode_lines([entry(row, self.vocabulary) for row in rows])).rstrip(b"\n").replace(b"\n", b",\n")


def entry(row: Record, vocabulary: Vocabulary) -> Entry:
    """Return a record as Sisimai would tell it."""
    reason = vocabulary.label(row.reason, row.bounce, row.kind)
    event = row.bounce == "none"
    sender = next(iter(find_addresses(row.original.sender)), "")
    recipient = row.final_recipient or row.recipient
    alias = row.recipient if row.recipient.lower() != recipient.lower() else ""
    timestamp = int(datetime.fromisoformat(row.arrived).timestamp()) if row.arrived else None
    offset = _OFFSET.findall(row.original.date)
    agent = vocabulary.dialects.get(row.dialect, row.dialect) or _READERS.get(row.kind, "RFC3464")
    command = _COMMANDS.get(row.command, row.command)
    feedback = row.diagnostic.partition("feedback-type: ")[2] if row.kind == "complaint" else ""
    token = f"\x02{sender.lower()}\x1e{recipient.lower()}\x1e{timestamp or 0}\x03"
    return Entry(
        token=sha1(token.encode(errors="replace"), usedforsecurity=False).hexdigest(),
        timestamp=timestamp,
        timezoneoffset=offset[-1] if offset else "+0000",
        addresser=sender,
        senderdomain=sender.rpartition("@")[2],
        recipient=recipient,
        destination=recipient.rpartition("@")[2],
        alias=alias,
        reason=reason,
        hardbounce=row.bounce == "hard",
        softbounce=-1 if event else int(row.bounce == "soft"),
        toxic=row.bounce == "hard" or row.kind == "complaint",
        action=row.action,
        deliverystatus=row.status,
        replycode=row.reply_code,
        diagnosticcode=row.diagnostic,
        diagnostictype="" if event else "X-UNIX" if reason == "mailererror" else "SMTP",
        smtpcommand=command,
        command=command,
        smtpagent=agent,
        decodedby=agent,
        lhost=row.reporting_mta,
        rhost=row.remote_mta,
        subject=row.original.subject,
        messageid=row.original.message_id.strip("<>"),
        listid=row.original.list_id.strip("<>"),
        feedbacktype=feedback,
        feedbackid="",
        catch=row.original.headers or None,
        origin=row.origin,
    )
