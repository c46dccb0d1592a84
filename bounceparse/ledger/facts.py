"""Report → the row of an event, and the row → what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from bounceparse import limits
from bounceparse.decide import address_of
from bounceparse.ledger.persons import domain_in, domain_of, person_of
from bounceparse.ledger.schema import ORIGIN, TEXT, events, suppressions
from bounceparse.model import Decision, Proof, Recipient, Report, Suppression, Verdict
from bounceparse.text import printable
from bounceparse.wire.address import find_addresses


class Event(Struct, frozen=True, gc=False):
    """One report about one address, as it was recorded: the facts, the verdict, and what was decided.

    Events of a forgotten person, and old ones, have kept only the key, the times, the verdict and the decision.
    """

    key: str
    received: datetime
    seen: int  # how often it came, by whatever road
    last_seen: datetime
    digest: str
    origin: str
    address: str
    domain: str
    list: str
    sender: str
    message_id: str
    arrived: str
    kind: str
    bounce: str
    reason: str
    fault: str
    certainty: str
    rule: str
    status: str
    reply_code: str
    said: str  # the Action field of the report
    command: str
    diagnostic: str
    original_address: str
    final_address: str
    remote_mta: str
    reporting_mta: str
    dialect: str
    blocklist: str
    provider: str
    proof: str
    proof_by: str
    action: str
    policy: str
    scope: str
    until: datetime | None
    because: str
    strike: str
    superseded_by: str


class Quarantined(Struct, frozen=True):
    """A message that could not be processed, as it came."""

    digest: str  # sha-256 of the raw bytes
    at: datetime
    tries: int
    reason: str
    origin: str
    version: str  # of bounceparse
    raw: bytes


class Alert(Struct, frozen=True, gc=False):
    """Trouble that the sender has to mend, gathered by provider and cause."""

    provider: str
    reason: str
    blocklist: str
    count: int
    first: datetime
    last: datetime
    because: str  # of the last event


STRIPPED: Final[dict[str, Any]] = dict.fromkeys(
    (
        "digest", "origin", "address", "domain", "list", "sender", "message_id", "arrived", "rule", "diagnostic", "original_address", "final_address",
        "remote_mta", "reporting_mta", "because", "strike",
    ),
    "",
)  # fmt: skip
"""What an event loses when its person is forgotten, or when it is old."""


def event_row(
    report: Report, recipient: Recipient, verdict: Verdict, proof: Proof, decision: Decision, now: datetime, *, place: dict[str, str], origin: str
) -> dict[str, Any]:
    """Return the row of one recipient of a report."""
    address = person_of(decision.address or address_of(recipient, proof))
    field = limits.FIELD
    return {
        "key": decision.key,
        "received": now,
        "last_seen": now,
        "digest": report.digest[:64],
        "origin": printable(origin, ORIGIN),
        "address": address,
        "domain": domain_in(address),
        "list": place["list"],
        "sender": place["sender"],
        "message_id": printable(proof.message or report.original.message_id, field),
        "arrived": report.arrived[:40],
        "kind": report.kind,
        "bounce": verdict.bounce,
        "reason": verdict.reason,
        "fault": verdict.fault,
        "certainty": verdict.certainty,
        "rule": printable(verdict.rule, field),
        "status": printable(recipient.status, 20),
        "reply_code": printable(recipient.reply_code, 8),
        "said": printable(recipient.action, 20),
        "command": printable(recipient.command, 20),
        "diagnostic": printable(recipient.diagnostic, TEXT),
        "original_address": printable(recipient.original_address, limits.ADDRESS),
        "final_address": printable(recipient.final_address, limits.ADDRESS),
        "remote_mta": printable(recipient.remote_mta, field),
        "reporting_mta": printable(report.reporting_mta, field),
        "dialect": printable(report.dialect, 60),
        "blocklist": printable(verdict.blocklist, field),
        "provider": printable(decision.provider, field),
        "proof": proof.level,
        "proof_by": proof.by,
        "action": decision.action,
        "policy": printable(decision.policy, 120),
        "scope": decision.scope,
        "until": decision.until,
        "because": printable(decision.because, TEXT),
        "strike": printable(decision.strike, 60),
        "superseded_by": "",
    }


def place_of(report: Report, proof: Proof, list: str, sender: str) -> dict[str, str]:
    """Return the list and the sender that a report is about: what the caller says, else what the return path says, else what is left of the mail."""
    return {
        "list": list_of(list or proof.list or report.original.list_id),
        "sender": sender_of(sender or (find_addresses(report.original.sender) or [""])[-1]),
    }


def list_of(text: str) -> str:
    """Return the key of a list: what stands between the angle brackets of a List-Id (RFC 2919), in lower case."""
    _, bracket, rest = text.rpartition("<")
    return printable((rest.partition(">")[0] if bracket else text).strip().lower(), limits.FIELD)


def sender_of(text: str) -> str:
    """Return the key of a sender: an address, or a domain."""
    return person_of(text) if "@" in text else domain_of(printable(text, limits.ADDRESS))


def read_event(row: Sequence[Any]) -> Event:
    """Return what a row of `EVENT` holds."""
    return Event(*row)


def read_suppression(row: Sequence[Any]) -> Suppression:
    """Return what a row of `SUPPRESSION` holds."""
    address, reason, scope, place, since, until, why, policy, evidence, added_by, undone, undone_by = row
    address = address if "@" in address else ""
    return Suppression(address, reason, scope, place, since, until, why, policy, tuple(evidence.split()), added_by, undone, undone_by)


EVENT: Final = tuple(events.c[name] for name in Event.__struct_fields__)
SUPPRESSION: Final = tuple(suppressions.c[name] for name in Suppression.__struct_fields__)
