"""Report → the stable record, schema "bounceparse/1": one JSON object for each message and recipient.

The field order below is the order on the wire and never changes within the schema; `data/record.schema.json` says the same to other programs.
A field is null only where the schema says so: `retry_after`, `decision` and `decision.until`. Text that was not said is "".
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from bounceparse.model import (
    Action,
    Bounce,
    Certainty,
    Decision,
    Fault,
    Kind,
    Original,
    ProofBy,
    ProofLevel,
    Recipient,
    Report,
    Result,
    Scope,
    Source,
    Span,
    Verdict,
)
from bounceparse.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bounceparse.tables import Vocabulary

SCHEMA: Final = "bounceparse/1"
ORIGIN: Final = 4_096  # characters kept of an origin; PATH_MAX of Linux


class RecordEvidence(Struct, frozen=True, gc=False):
    """One thing the mail claims, and where it stands in the raw bytes: [start, end), [0, 0] when that is not known."""

    source: Source
    field: str
    value: str
    span: Span


class RecordProof(Struct, frozen=True, gc=False):
    """Did we really send the mail that the report talks about?"""

    level: ProofLevel = "claimed"
    by: ProofBy = "none"


class RecordDecision(Struct, frozen=True, gc=False):
    """What the policy says to do with the address."""

    action: Action
    policy: str
    until: str | None = None
    scope: Scope = "everywhere"
    address: str = ""
    because: str = ""


class Record(Struct, frozen=True, gc=False):
    """One message and recipient, as it is written to the outside world."""

    schema: Literal["bounceparse/1"]
    id: str
    origin: str
    kind: Kind
    bounce: Bounce
    reason: str
    fault: Fault
    certainty: Certainty
    recipient: str
    original_recipient: str
    final_recipient: str
    status: str
    reply_code: str
    action: str
    command: str
    diagnostic: str
    reporting_mta: str
    remote_mta: str
    dialect: str
    arrived: str
    original: Original
    blocklist: str
    retry_after: int | None
    proof: RecordProof
    rule: str
    evidence: list[RecordEvidence]
    flaws: tuple[str, ...]
    decision: RecordDecision | None


class Translated(Record, frozen=True, gc=False):
    """A record whose `reason` is a label of another system's vocabulary; ours stands at the end, and `schema` names the vocabulary."""

    schema: str  # type: ignore[assignment]  # "bounceparse/1+sisimai"
    bounceparse_reason: str


_CLAIMED: Final = RecordProof()

_NOBODY: Final = Recipient()
_SILENT: Final[dict[Kind, Verdict]] = {
    "bounce": Verdict("soft", "undetermined", "unknown", "guess", ""),
    "delay": Verdict("soft", "undetermined", "unknown", "guess", ""),
    "delivered": Verdict("none", "delivered", "unknown", "likely", ""),
    "complaint": Verdict("none", "feedback_complaint", "unknown", "likely", ""),
    "auto_reply": Verdict("none", "auto_reply", "unknown", "likely", ""),
    "challenge": Verdict("soft", "challenge_response", "unknown", "likely", ""),
    "disposition": Verdict("none", "auto_reply", "unknown", "likely", ""),
    "unsubscribe": Verdict("none", "auto_reply", "unknown", "likely", ""),
    "not_bounce": Verdict("none", "", "unknown", "likely", ""),
}
"""What is said of a message in which nobody is named."""

_encoder: Final = msgspec.json.Encoder()


def identify(digest: str, recipient: str) -> str:
    """Return the id of a message and recipient: the same bounce read twice, from any place, has the same one."""
    return "sha256:" + sha256(f"{digest}\n{recipient}".encode(errors="surrogatepass")).hexdigest()


def results_of(report: Report) -> tuple[Result, ...]:
    """Return the results of `report`; where nobody is named, one without an address, so that no message disappears."""
    return report.results or (Result(_NOBODY, _SILENT[report.kind]),)


def records(report: Report, origin: str = "", decisions: Sequence[Decision] = ()) -> list[Record]:
    """Return the records of `report`, one for each recipient and at least one.

    `origin` says where the message was read: a path, or `b.mbox#1842` for the 1842nd message of a mailbox. `decisions` are those on the results of
    the report, in their order.
    """
    if not origin.isprintable() or len(origin) > ORIGIN:
        origin = printable(origin, ORIGIN)
    rows = []
    for recipient, verdict in results_of(report):  # loops, since a comprehension is a function that is made anew for each report
        evidence = []
        for one in verdict.because or recipient.evidence:
            evidence.append(RecordEvidence(one.source, one.field, one.value, one.span))
        rows.append(
            Record(
                SCHEMA,
                identify(report.digest, recipient.address),
                origin,
                report.kind,
                verdict.bounce,
                verdict.reason,
                verdict.fault,
                verdict.certainty,
                recipient.address,
                recipient.original_address,
                recipient.final_address,
                recipient.status,
                recipient.reply_code,
                recipient.action,
                recipient.command,
                recipient.diagnostic,
                report.reporting_mta,
                recipient.remote_mta,
                report.dialect,
                report.arrived,
                report.original,
                verdict.blocklist,
                verdict.retry_after,
                _CLAIMED,
                verdict.rule,
                evidence,
                report.flaws,
                None,
            )
        )
    if report.proofs:
        rows = [replace(row, proof=RecordProof(proof.level, proof.by)) for row, proof in zip(rows, report.proofs, strict=True)]
    if decisions:
        rows = [replace(row, decision=_decided(decision)) for row, decision in zip(rows, decisions, strict=True)]
    return rows


def _decided(decision: Decision) -> RecordDecision:
    until = decision.until.strftime("%Y-%m-%dT%H:%M:%SZ") if decision.until is not None else None
    return RecordDecision(decision.action, decision.policy, until, decision.scope, decision.address, decision.because)


def translate(row: Record, vocabulary: Vocabulary) -> Translated:
    """Return `row` with its reason in the words of another system."""
    values = asdict(row) | {"schema": f"{SCHEMA}+{vocabulary.name}", "reason": vocabulary.label(row.reason, row.bounce, row.kind)}
    return Translated(**values, bounceparse_reason=row.reason)


def encode(report: Report, origin: str = "") -> bytes:
    """Return the records of `report` as JSON lines, each ended by a line feed."""
    return encode_lines(records(report, origin))


def encode_lines(rows: list[Record]) -> bytes:
    """Return `rows` as JSON lines, each ended by a line feed."""
    return _encoder.encode_lines(rows)


def decode(line: bytes | str) -> Record:
    """Return the record that one JSON line holds, its reason in our words; raises `msgspec.DecodeError` (a `ValueError`) when it holds none."""
    try:
        return _decoder().decode(line)
    except msgspec.ValidationError:
        start = line[:64] if isinstance(line, str) else line[:64].decode("latin-1")
        if f'"{SCHEMA}+' not in start:
            raise
    values = asdict(_translated().decode(line))
    reason = values.pop("bounceparse_reason")
    return Record(**(values | {"schema": SCHEMA, "reason": reason}))


@cache
def _decoder() -> msgspec.json.Decoder[Record]:
    return msgspec.json.Decoder(Record)


@cache
def _translated() -> msgspec.json.Decoder[Translated]:
    return msgspec.json.Decoder(Translated)
