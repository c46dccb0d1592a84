"""Suppressions as other systems take them.

A system that knows no lists and senders gets those that hold everywhere, unless others are asked for. Whole domains and forgotten persons have no
place in any of these files, and an address that a spreadsheet would run has none in those that are opened with one: `write_list` gives back how many
were left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from msgspec import Struct

from bounceparse.model import Suppression
from bounceparse.output.csv import FORMULA, cell, lines

FORMS: Final = (
    "own", "ses", "sendgrid", "mailgun", "mailgun-complaints", "mailgun-unsubscribes", "postmark", "mailchimp", "listmonk", "phplist",
    "mautic", "mailtrain", "plain",
)  # fmt: skip
COMPLAINT: Final = "feedback_complaint"
UNSUBSCRIBE: Final = "unsubscribe"
OWN: Final = ("address", "reason", "scope", "place", "since", "until", "why", "policy", "added_by")
BLOCK: Final = 1_000

Row = Callable[[Suppression], list[str] | None]


class Form(Struct, frozen=True):
    """One kind of file: its names of columns, none for none, and its rows; None for what has no place in it."""

    head: tuple[str, ...]
    row: Row


def write_list(suppressions: Iterable[Suppression], form: str) -> Iterator[tuple[bytes, int]]:
    """Yield blocks of a file in one of FORMS, each with how many suppressions had no place in it."""
    chosen = _FORMS[form]
    if chosen.head:
        yield lines([chosen.head]), 0
    rows: list[list[str]] = []
    left = 0
    for held in suppressions:
        row = chosen.row(held) if form == "own" or _has_place(held) else None
        if row is None:
            left += 1
        else:
            rows.append(row)
        if len(rows) == BLOCK:
            yield lines(rows), left
            rows, left = [], 0
    yield lines(rows), left


def _has_place(held: Suppression) -> bool:
    return held.scope != "domain" and "@" in held.address[1:] and not held.address.startswith(FORMULA)


def _own(held: Suppression) -> list[str] | None:
    if not held.address:
        return None
    return [
        cell(value)
        for value in (
            held.address, held.reason, held.scope, held.place, _iso(held.since), _iso(held.until), held.why, held.policy, held.added_by,
        )
    ]  # fmt: skip


def _ses(held: Suppression) -> list[str]:
    return [held.address, "COMPLAINT" if held.reason == COMPLAINT else "BOUNCE"]


def _mailgun(held: Suppression) -> list[str] | None:
    if held.reason in (COMPLAINT, UNSUBSCRIBE):
        return None
    return [held.address, "550", cell(held.reason.replace("_", " ")), _rfc(held.since)]


def _mailgun_complaint(held: Suppression) -> list[str] | None:
    return [held.address, _rfc(held.since)] if held.reason == COMPLAINT else None


def _mailgun_unsubscribe(held: Suppression) -> list[str] | None:
    return [held.address, "*", _rfc(held.since)] if held.reason == UNSUBSCRIBE else None


def _postmark(held: Suppression) -> list[str]:
    why = {COMPLAINT: "SpamComplaint", UNSUBSCRIBE: "ManualSuppression", "manual": "ManualSuppression"}.get(held.reason, "HardBounce")
    return [held.address, why, "Recipient" if held.reason in (COMPLAINT, UNSUBSCRIBE) else "Customer", _iso(held.since)]


def _address(held: Suppression) -> list[str]:
    return [held.address]


_FORMS: Final[dict[str, Form]] = {
    "own": Form(OWN, _own),
    "ses": Form((), _ses),
    "sendgrid": Form(("email",), _address),
    "mailgun": Form(("address", "code", "error", "created_at"), _mailgun),
    "mailgun-complaints": Form(("address", "created_at"), _mailgun_complaint),
    "mailgun-unsubscribes": Form(("address", "tags", "created_at"), _mailgun_unsubscribe),
    "postmark": Form(("EmailAddress", "SuppressionReason", "Origin", "CreatedAt"), _postmark),
    "mailchimp": Form(("Email Address",), _address),
    "listmonk": Form(("email", "name", "attributes"), lambda held: [held.address, "", "{}"]),
    "phplist": Form((), _address),
    "mautic": Form(("email", "doNotEmail"), lambda held: [held.address, "1"]),
    "mailtrain": Form(("email",), _address),
    "plain": Form((), _address),
}


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rfc(moment: datetime | None) -> str:
    return "" if moment is None else format_datetime(moment.astimezone(UTC), usegmt=True)
