"""Feedback reports (RFC 5965, 6591, 6692): a person pressed "this is spam", or an authentication check failed."""

from __future__ import annotations

import re
from typing import Final

from bounceparse.model import Claim
from bounceparse.wire.address import read_address
from bounceparse.wire.headers import read_fields, unfold

_TO: Final = re.compile(r"^(?:x-hmxmroriginalrecipient|to|delivered-to)[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.M | re.I)
_FORCED: Final = re.compile(r"^x-hmxmroriginalrecipient[ \t]*:[ \t]*(.+)", re.M | re.I)
_RECIPIENT: Final = re.compile(r"^(?:original-rcpt-to|removal-recipient|original-recipient)[ \t]*:[ \t]*(.+)", re.M | re.I)


def read_feedback(text: str, original: str, fields: dict[str, str]) -> tuple[str, list[Claim]]:
    """Return the feedback type (lower case, "" when not given) and a claim for each complaining recipient that is named.

    The recipients are looked for in the order of RFC 6692 and practice: the report's own fields, Microsoft's header in the returned message, and
    the returned message's To when it holds exactly one address.
    """
    report = read_fields(text)
    for name, value in report.items():
        fields.setdefault(name, value)
    kind = unfold(report.get("feedback-type", "")).partition(" ")[0].lower()
    if kind in ("not-spam", "auth-failure"):
        return kind, []  # nobody complains
    addresses = [address for value in _RECIPIENT.findall(text) if (address := read_address(value))]
    if not addresses:
        addresses = [address for value in _FORCED.findall(original) if (address := read_address(value))]
    if not addresses:
        named = {address for value in _TO.findall(original) if (address := read_address(value)) and "," not in value}
        addresses = list(named) if len(named) == 1 else []
    named_ones = [address for address in dict.fromkeys(addresses) if "redacted" not in address.lower()]
    return kind, [Claim("feedback", address=address, diagnostic=f"feedback-type: {kind or 'abuse'}") for address in named_ones]
