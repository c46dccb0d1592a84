"""Amazon SES events that an SNS subscription sends as mail: one JSON object, whose lines may be wrapped (Amazon SES Developer Guide)."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from bounceparse import limits
from bounceparse.model import Claim
from bounceparse.text import clip
from bounceparse.wire.address import read_address


class _Person(Struct, rename="camel"):
    email_address: str = ""
    action: str = ""
    status: str = ""
    diagnostic_code: str = ""


class _Bounce(Struct, rename="camel"):
    bounced_recipients: list[_Person] = []
    bounce_type: str = ""
    bounce_sub_type: str = ""


class _Complaint(Struct, rename="camel"):
    complained_recipients: list[_Person] = []
    complaint_feedback_type: str | None = None


class _Delivery(Struct, rename="camel"):
    recipients: list[str] = []
    smtp_response: str = ""


class _Event(Struct, rename="camel"):
    bounce: _Bounce | None = None
    complaint: _Complaint | None = None
    delivery: _Delivery | None = None


_EVENT = msgspec.json.Decoder(_Event)


def read(text: str) -> list[Claim]:
    """Return a claim for each recipient of the event that stands in a notice; [] when there is none that can be read."""
    event = _decode(text)
    if event is None:
        return []
    if event.bounce is not None:
        sort = f"{event.bounce.bounce_type} {event.bounce.bounce_sub_type}"
        return [_claim(person, "failed", sort) for person in event.bounce.bounced_recipients[: limits.RECIPIENTS]]
    if event.complaint is not None:
        sort = f"feedback-type: {event.complaint.complaint_feedback_type or 'abuse'}"
        return [_claim(person, "", sort) for person in event.complaint.complained_recipients[: limits.RECIPIENTS]]
    if event.delivery is not None:
        return [_claim(_Person(address), "delivered", event.delivery.smtp_response) for address in event.delivery.recipients[: limits.RECIPIENTS]]
    return []


def _decode(text: str) -> _Event | None:
    start, end = text.find("{"), text.rfind("}") + 1
    for candidate in (text[start:end], text[start:end].replace("\n", "")):
        try:
            return _EVENT.decode(candidate)
        except msgspec.DecodeError:  # wrapped inside a string: try the lines joined, then give up
            continue
    return None


def _claim(person: _Person, action: str, otherwise: str) -> Claim:
    words = person.diagnostic_code.partition(";")[2].strip() if person.diagnostic_code[:5].lower() == "smtp;" else person.diagnostic_code
    return Claim(
        "dialect",
        "amazon-sns",
        read_address(person.email_address),
        action=action,
        status=person.status,
        diagnostic=clip(words or otherwise, limits.DIAGNOSTIC),
    )
