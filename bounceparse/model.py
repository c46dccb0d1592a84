"""The nouns of bounceparse, as frozen structs.

Text that was not said is "" and a list that is empty is (); None never stands for either.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct, field

Kind = Literal["bounce", "delay", "delivered", "complaint", "auto_reply", "challenge", "disposition", "unsubscribe", "not_bounce"]
Bounce = Literal["hard", "soft", "none"]
Fault = Literal["recipient", "sender", "message", "network", "receiver", "unknown"]
Certainty = Literal["certain", "likely", "guess"]
Source = Literal["dsn", "transcript", "dialect", "header", "original", "feedback", "webhook", "second_opinion", "text"]

Span = tuple[int, int]
"""Start and end offset in the raw bytes of the message; (0, 0) when the place is not known."""


class Part(Struct, frozen=True, gc=False):
    """One node of the MIME tree. Offsets are into `Message.text`; `parent` is always smaller than the part's own index (-1 for the root)."""

    type: str  # lower-case "type/subtype"
    parent: int
    depth: int
    start: int  # first byte of the header block
    body: int  # first byte of the body
    end: int  # one past the last byte of the body
    content_type: str  # the raw Content-Type value, parameters included
    encoding: str  # lower-case Content-Transfer-Encoding


class Message(Struct, frozen=True, gc=False):
    """The MIME tree as a flat tuple of parts with offsets.

    `raw` is what was given (clipped to limits.MESSAGE); `text` is the same as Latin-1 with LF line ends, and is what the parts' offsets point into.
    """

    raw: bytes
    text: str
    parts: tuple[Part, ...]
    headers: dict[str, str]  # of the root: lower-case name -> first value, unfolded, not yet RFC 2047-decoded
    flaws: tuple[str, ...]


class Evidence(Struct, frozen=True, gc=False):
    """One thing the mail claims, and where it says so."""

    source: Source
    field: str  # the field or kind of text: "Status", "Diagnostic-Code", "text", "transcript", "X-Failed-Recipients"
    value: str
    span: Span = (0, 0)
    rule: str = ""  # the dialect or reader that found it, "" for plain fields


class Claim(Struct, gc=False):
    """What one reader found about one address, before the claims of all readers are merged; the only struct that is filled step by step."""

    source: Source
    rule: str = ""
    address: str = ""  # where no field says whether it is the original or the final one
    original_address: str = ""
    final_address: str = ""
    action: str = ""
    status: str = ""
    reply_code: str = ""
    diagnostic: str = ""
    command: str = ""
    remote_mta: str = ""
    spans: dict[str, Span] = field(default_factory=dict)  # field name -> where its value stands in `Message.text`


class Recipient(Struct, frozen=True, gc=False):
    """The facts about one address, no opinion."""

    address: str = ""  # the address the sender used
    original_address: str = ""  # Original-Recipient, when given
    final_address: str = ""  # Final-Recipient, when given
    action: str = ""  # failed, delayed, delivered, relayed, expanded
    status: str = ""  # enhanced status code d.d.d
    reply_code: str = ""  # three digits
    diagnostic: str = ""
    command: str = ""  # SMTP phase: CONNECT EHLO STARTTLS AUTH MAIL RCPT DATA EOD (end of data)
    remote_mta: str = ""
    evidence: tuple[Evidence, ...] = ()


class Verdict(Struct, frozen=True, gc=False):
    """The opinion about one recipient, and why."""

    bounce: Bounce
    reason: str
    fault: Fault
    certainty: Certainty
    rule: str  # id of the rule that spoke: status:5.1.1, phrase:en/mailbox-full, provider:gmail/…, dialect:exim/…
    because: tuple[Evidence, ...] = ()
    retry_after: int | None = None  # seconds, when the reply names a delay
    blocklist: str = ""  # name of the list that the reply names


class Original(Struct, frozen=True, gc=False):
    """What is left of the returned message."""

    message_id: str = ""
    sender: str = ""  # its From field
    subject: str = ""
    date: str = ""
    list_id: str = ""
    headers: dict[str, str] = {}  # the headers that were asked for


class Result(NamedTuple):
    """One recipient with its verdict."""

    recipient: Recipient
    verdict: Verdict


class Report(Struct, frozen=True, gc=False):
    """The whole answer for one message."""

    kind: Kind
    results: tuple[Result, ...]
    digest: str  # sha-256 of the raw bytes, hexadecimal
    dialect: str = ""
    reporting_mta: str = ""
    original: Original = Original()
    arrived: str = ""  # Arrival-Date of the report or the report's own Date, RFC 3339 in UTC
    flaws: tuple[str, ...] = ()
