"""Disposition notifications (RFC 8098): read receipts, and the rejections that Sieve and old Dovecot send in their form."""

from __future__ import annotations

from bounceparse.model import Claim
from bounceparse.text import clip
from bounceparse.wire.address import read_address
from bounceparse.wire.headers import read_fields, unfold


def read_disposition(text: str, headers: dict[str, str]) -> tuple[bool, Claim]:
    """Return whether the notification is a refusal (a bounce) and not a receipt, and the claim about the mailbox that it speaks for.

    A refusal is an automatic `deleted` by a Sieve script or delivery agent, which says so in Auto-Submitted or X-Sieve, or one with the modifier
    `mailbox-terminated`, `error` or the type `failed`.
    """
    fields = read_fields(text)
    disposition = unfold(fields.get("disposition", "")).lower()
    mode, _, kind = disposition.partition(";")
    kind, _, modifier = kind.strip().partition("/")
    rejected = "reject" in headers.get("auto-submitted", "").lower() or "x-sieve" in headers
    refused = ("automatic-action" in mode and kind.strip() == "deleted" and rejected) or "mailbox-terminated" in modifier or kind.strip() == "failed"
    claim = Claim(
        "dsn",
        original_address=read_address(fields.get("original-recipient", "")),
        final_address=read_address(fields.get("final-recipient", "")),
        action="failed" if refused else "",
        diagnostic=clip(fields.get("failure", "") or fields.get("error", ""), 500),
    )
    return refused, claim
