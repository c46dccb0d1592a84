"""The nouns of bounceparse, as frozen structs.

Text that was not said is "" and a list that is empty is (); None never stands for either.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, NamedTuple

from msgspec import Struct

from bounceparse.inner import Claim as Claim
from bounceparse.inner import Message as Message
from bounceparse.inner import Part as Part
from bounceparse.inner import Source as Source
from bounceparse.inner import Span as Span

Kind = Literal["bounce", "delay", "delivered", "complaint", "auto_reply", "challenge", "disposition", "unsubscribe", "not_bounce"]
Bounce = Literal["hard", "soft", "none"]
Fault = Literal["recipient", "sender", "message", "network", "receiver", "unknown"]
Certainty = Literal["certain", "likely", "guess"]
ProofLevel = Literal["proven", "matched", "claimed", "contradicted"]
ProofBy = Literal["verp", "batv", "message_id", "envelope_id", "webhook", "none"]
Action = Literal["suppress", "record", "review", "alert", "ignore"]
Scope = Literal["everywhere", "list", "sender", "domain"]


class Evidence(Struct, frozen=True, gc=False):
    """One thing the mail claims, and where it says so."""

    source: Source
    field: str  # the field or kind of text: "Status", "Diagnostic-Code", "text", "transcript", "X-Failed-Recipients"
    value: str
    span: Span = (0, 0)
    rule: str = ""  # the dialect or reader that found it, "" for plain fields


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


class Original(Struct, frozen=True, gc=False, rename={"sender": "from"}):
    """What is left of the returned message; records hold it as it is."""

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


class Proof(Struct, frozen=True, gc=False):
    """Did we really send the mail that the report talks about, to the address that it names?"""

    level: ProofLevel = "claimed"
    by: ProofBy = "none"
    recipient: str = ""  # the address that we sent to, when the proof names it: this one is judged, the report may name where it was forwarded
    message: str = ""  # what names our mail: the id of its return path, else its Message-ID or envelope id
    list: str = ""  # the list of its return path
    purpose: str = ""  # "post" or "probe", when a signed return path says so
    keys: bool = False  # signed return paths are in use, so that a genuine bounce should have brought one
    made: date | None = None  # the day that a signed return path names, UTC
    until: date | None = None  # the last day on which it proves anything; `decide` compares, since a parser has no clock


class Strike(Struct, frozen=True, gc=False):
    """One failure of an address that counts."""

    at: datetime  # when we received the report, UTC
    reason: str
    list: str = ""  # where it failed; only compared, see History
    sender: str = ""


class Held(Struct, frozen=True, gc=False):
    """A suppression that holds already."""

    reason: str
    scope: Scope = "everywhere"
    since: datetime | None = None
    until: datetime | None = None  # None: for good


class History(Struct, frozen=True, gc=False):
    """What was known of an address before this report: all that `decide` may look at beside the report itself.

    All times are aware, in UTC, and are those of receipt; a date that a mail names is never among them.
    """

    key: str = ""  # `decide.key_of` this report and recipient
    seen: bool = False  # this key was decided before
    strikes: tuple[Strike, ...] = ()  # in any order; stale and cleared ones may be among them
    delivered: datetime | None = None  # the last evidence that mail arrived there
    held: tuple[Held, ...] = ()  # suppressions that have not expired and that cover this list and sender
    delay: str = ""  # the key of a delay notice about the same mail and recipient, when one was recorded
    domain_known: int = 0  # addresses of the recipient's domain that were ever seen, this one included
    domain_failing: int = 0  # other addresses of the domain that the policy would have suppressed within the last 24 h, held back or not
    list: str = ""  # of this report: a line whose scope is the list or the sender counts the strikes that fell there alone
    sender: str = ""


class Decision(Struct, frozen=True, gc=False):
    """What to do with the address."""

    action: Action
    until: datetime | None = None  # the end of a suppression; None is for good
    because: str = ""  # a sentence that an operator can send to a customer
    key: str = ""  # idempotency: equal keys are one event
    policy: str = ""  # policy and line that spoke: "default/user_unknown"
    scope: Scope = "everywhere"  # where a suppression holds; which list or sender is for the caller to fill in
    address: str = ""  # whom it concerns: `Proof.recipient`, else the recipient of the report
    strike: str = ""  # the reason under which this event counts as a strike; "" when it does not count
    clears: bool = False  # good news: strikes and suppressions end, but for complaints and unsubscribes
    storm: bool = False  # the storm breaker spoke: suppressions of the domain within the last 24 h go to review as well
    supersedes: str = ""  # the key of the delay notice that this report makes void
    provider: str = ""  # whose rules the sender met, for alerts: "gmail", else the domain of the remote host


class Suppression(Struct, frozen=True, gc=False):
    """Who is not to be written to: where, until when, and why."""

    address: str  # "@example.com" is a whole domain; "" a person who was forgotten
    reason: str  # one of the reasons, or "manual", "unsubscribe"
    scope: Scope = "everywhere"
    place: str = ""  # the list or the sender, where the scope is one
    since: datetime | None = None
    until: datetime | None = None  # None: for good
    why: str = ""  # a sentence that an operator can send to a customer
    policy: str = ""  # policy and line that made it; "" when a person or an import did
    evidence: tuple[str, ...] = ()  # keys of the events that led to it, the last one last
    added_by: str = ""
    undone: datetime | None = None
    undone_by: str = ""


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
    proofs: tuple[Proof, ...] = ()  # one for each of `results`, in their order; () when nothing is configured to prove with
