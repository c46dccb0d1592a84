"""Delivery-status parts (RFC 3464, RFC 6533), with the deviations that are seen in the wild.

One pattern finds all fields of a part in order; a new recipient begins where a field comes again, or where a recipient field follows a blank line.
So blank lines may be missing between groups, or stand inside them.
"""

from __future__ import annotations

import re
from typing import Final

from bounceparse import limits
from bounceparse.model import Claim
from bounceparse.replies import read_reply
from bounceparse.text import clip
from bounceparse.wire.address import read_address
from bounceparse.wire.headers import unfold

_FIELD: Final = re.compile(
    r"\n[ \t>|]{0,3}(?:(final-recipient|original-recipient|action|status|remote-mta|x-actual-recipient|x-supplementary-info|x-display-name|"
    r"reporting-mta|arrival-date|original-envelope-id|last-attempt-date|x-powermta-bouncecategory|x-original-message-id|recipient)[ \t.]*:"
    r"[ \t]*(.*(?:\n[ \t]+\S.*)*)"
    r"|(?:diagnostic-code|x-exim-diagnostic)[ \t.]*:[ \t]*(.*(?:\n(?:[ \t]+(?=\S)|(?![!-9;-~]{3,40}[ \t]*:|--)(?=\S)).*)*))",
    re.I,
)
_MESSAGE_FIELDS: Final = frozenset({"reporting-mta", "arrival-date", "original-envelope-id", "last-attempt-date", "x-original-message-id"})
_RECIPIENT_FIELDS: Final = frozenset({"final-recipient", "original-recipient", "recipient"})
_ACTIONS: Final = {
    "failed": "failed",
    "failure": "failed",
    "fail": "failed",
    "error": "failed",
    "expired": "failed",
    "undeliverable": "failed",
    "delivery-failed": "failed",
    "delayed": "delayed",
    "delivered": "delivered",
    "deliverable": "delivered",
    "relayed": "relayed",
    "expanded": "expanded",
}
_WORD: Final = re.compile(r"[a-z][a-z-]*")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_TYPE: Final = re.compile(r"[ \t]*([A-Za-z][\w-]{0,40})[ \t]*;\s*")
_FIELD_NAME: Final = re.compile(r"\n[ \t>|]{0,3}(?:final-recipient|original-recipient|diagnostic-code)[ \t]*:", re.I)
_SOFT_BREAK: Final = re.compile(r"=\n")
_HEX: Final = re.compile(r"=([0-9A-F]{2})")


def has_status_fields(text: str) -> bool:
    """Say whether a text that is not a delivery-status part prints the fields of one."""
    return _FIELD_NAME.search("\n" + text) is not None


def read_delivery_status(text: str, offset: int, fields: dict[str, str], rule: str = "") -> list[Claim]:
    """Return one claim for each recipient group; per-message fields are added to `fields` (lower-case name -> value, the first wins).

    `offset` is where `text` begins in the message, or -1 when it was transfer-encoded and places are not known.
    """
    if "=\n" in text and ("=20" in text or "=3D" in text or "=\n" in text[:200]):
        text, offset = _HEX.sub(lambda m: chr(int(m[1], 16)), _SOFT_BREAK.sub("", text)), -1
    known = offset >= 0
    text, offset = "\n" + text, offset - 1
    claims: list[Claim] = []
    claim: Claim | None = None
    seen: set[str] = set()
    last = 0
    for match in _FIELD.finditer(text):
        name, value, diagnostic = match.groups()
        if diagnostic is None:
            name = name.lower()
            if name in _MESSAGE_FIELDS:
                fields.setdefault(name, value)
                continue
            group = 2
        else:
            name, value, group = "diagnostic-code", diagnostic, 3
        again = name in seen and name != "diagnostic-code"
        if again or (name in _RECIPIENT_FIELDS and _is_full(seen) and "\n\n" in text[last : match.start() + 1]):
            claim = None
        if claim is None:
            if len(claims) >= limits.RECIPIENTS:
                break
            claim = Claim("dsn", rule)
            claims.append(claim)
            seen = set()
        seen.add(name)
        last = match.end()
        _FILL[name](claim, value)
        if known:
            start, end = match.span(group)
            claim.spans[name] = (offset + start, offset + end)
    return [claim for claim in claims if claim.spans or claim.final_address or claim.action or claim.status or claim.diagnostic]


def _is_full(seen: set[str]) -> bool:
    """Say whether a group has both a recipient and something about it, so that another recipient field may begin the next one."""
    return not seen <= _RECIPIENT_FIELDS and not seen.isdisjoint(_RECIPIENT_FIELDS)


def _final(claim: Claim, value: str) -> None:
    claim.final_address = read_address(value)


def _original(claim: Claim, value: str) -> None:
    claim.original_address = read_address(value)


def _address(claim: Claim, value: str) -> None:
    claim.address = claim.address or read_address(value)


def _action(claim: Claim, value: str) -> None:
    match = _WORD.match(value.strip().lower())
    word = match[0] if match is not None else ""
    claim.action = _ACTIONS.get(word, "failed" if word.startswith("fail") else "")
    if word == "expired" and not claim.diagnostic:
        claim.diagnostic = "expired"


def _status(claim: Claim, value: str) -> None:
    match = _STATUS.match(value)
    if match is not None:
        claim.status = match[0]
        return
    claim.reply_code, claim.status = read_reply(unfold(value))[:2]  # a reply stands where the status should
    if claim.reply_code and not claim.diagnostic:
        claim.diagnostic = clip(unfold(value), limits.DIAGNOSTIC)


def _diagnostic(claim: Claim, value: str) -> None:
    text = unfold(value) if value[:7].lower() != "x-notes" else value.replace("\n ", "").replace("\n\t", "")  # Domino folds inside words
    match = _TYPE.match(text)
    if match is not None and match[1].lower() != "x-unix":
        text = text[match.end() :]
    if len(text) > len(claim.diagnostic) or claim.diagnostic == "expired":
        claim.diagnostic = clip(text.strip(), limits.DIAGNOSTIC)


def _supplementary(claim: Claim, value: str) -> None:
    if value.strip():
        claim.diagnostic = clip(unfold(value).strip("<> "), limits.DIAGNOSTIC)


def _remote(claim: Claim, value: str) -> None:
    claim.remote_mta = read_mta(value)


def _category(claim: Claim, value: str) -> None:
    if not claim.diagnostic:
        claim.diagnostic = clip(unfold(value), limits.FIELD)


def _skip(claim: Claim, value: str) -> None:
    """Keep nothing of a field that only marks its group."""


_FILL: Final = {
    "final-recipient": _final,
    "original-recipient": _original,
    "recipient": _address,
    "x-actual-recipient": _skip,
    "x-display-name": _skip,
    "action": _action,
    "status": _status,
    "diagnostic-code": _diagnostic,
    "x-supplementary-info": _supplementary,
    "remote-mta": _remote,
    "x-powermta-bouncecategory": _category,
}


def read_mta(value: str) -> str:
    """Return the host name of an MTA-name field in lower case: without its type, comments and brackets (RFC 3464 2.1.2)."""
    name = value.rpartition(";")[2] if ";" in value[:20] else value
    name = name.strip().strip("<>").partition(" ")[0].partition("(")[0].strip("[]<>.\n\t ").lower()
    return clip(name, 255)
