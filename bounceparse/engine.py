"""The way through: bytes → Message → claims → Recipient → Verdict → Report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from bounceparse import flaws, limits
from bounceparse.evidence.dsn import read_mta
from bounceparse.evidence.gather import Gathered, gather
from bounceparse.evidence.original import read_original
from bounceparse.evidence.wording import Wording
from bounceparse.evidence.words import read_last_resort, read_words
from bounceparse.judge import Judge
from bounceparse.kinds import action_for, decide_kind
from bounceparse.landmarks import Landmarks
from bounceparse.model import Certainty, Claim, Original, Proof, Recipient, Report, Result, Verdict
from bounceparse.recipients import merge
from bounceparse.signs import Signs, find_signs, name_signs, read_heads, weigh_signs
from bounceparse.tables import Dialect, Tables, load_tables
from bounceparse.text import squeeze
from bounceparse.wire.address import find_addresses
from bounceparse.wire.dates import read_date
from bounceparse.wire.mime import read_message

if TYPE_CHECKING:
    from pathlib import Path

    from bounceparse.prove import SentMail
    from bounceparse.verp import Verp

_SURVEYED: Final = 12_000  # characters of a notice that are searched for landmarks; daemons say what they have to say before that
_SURVEYED_DSN: Final = 550  # with a machine part only the dialect is wanted, and daemons introduce themselves first
_SENT_TO: Final = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "apparently-to")
"""Fields that name whom a bounce was sent to, the surest first."""
_NO_ORIGINAL: Final = Original()


class Engine:
    """A configured reader: tables, own rules and the headers to keep; reusable, thread- and process-safe.

    `rules` are TOML files read before the built-in tables; `headers` are names of fields to take from the returned message into
    `Original.headers`. With `verp`, the return paths in use or a template of them, and `sent`, which says to whom a Message-ID or envelope id went,
    reports hold a proof for each result. Raises `tables.TableError` when a rule file is wrong, ValueError for a template that cannot be used.
    """

    def __init__(
        self, rules: Sequence[str | Path] = (), headers: Sequence[str] = (), verp: Verp | str | None = None, sent: SentMail | None = None
    ) -> None:
        self.rules = tuple(rules)
        self.tables: Tables = load_tables(self.rules)
        self.headers = tuple(headers)
        if isinstance(verp, str):
            from bounceparse.verp import Verp

            verp = Verp(verp)
        self.verp = verp
        self.sent = sent
        self._landmarks = Landmarks(self.tables)
        self._wording = Wording(self.tables.notices)
        self._judge = Judge(self.tables, self._landmarks)
        self._heads = lru_cache(maxsize=4_096)(partial(read_heads, self._landmarks))  # daemons use one From and a few Subjects each
        self._signs = lru_cache(maxsize=4_096)(partial(weigh_signs, self._landmarks))
        self._dialects: dict[str, Dialect] = {dialect.name: dialect for dialect in self.tables.dialects}

    def __reduce__(self) -> tuple[type[Engine], tuple[object, ...]]:
        """An engine travels to another process as what it was made from."""
        return Engine, (self.rules, self.headers, self.verp, self.sent)

    def parse(self, raw: bytes, envelope: Sequence[str] = ()) -> Report:
        """Return the report on one message; never raises on content: what was wrong or cut is in `Report.flaws`.

        `envelope` are the addresses that the message was sent to, where the transport told them: they are looked at before its header fields.
        """
        message = read_message(raw)
        found = list(message.flaws)
        gathered = gather(message, found)
        signs = self._read_signs(gathered)
        claims = gathered.claims
        words = read_words(gathered, self._dialects.get(signs.dialect), self._wording)
        if max(len(claims), len(words)) >= limits.RECIPIENTS:
            found.append(flaws.CUT_RECIPIENTS)
        kind = decide_kind(gathered, claims, words, signs, self._wording, self._names_reason)
        if kind in ("bounce", "delay") and not claims and not words:
            words = read_last_resort(message, gathered, found, self._wording)
        results: tuple[Result, ...] = ()
        if kind in ("auto_reply", "challenge", "unsubscribe") and not claims:
            words = [Claim("header", "from", address) for address in find_addresses(gathered.headers.get("from", ""))[-1:]]
        if kind != "not_bounce":
            recipients = merge(message, claims, words, action_for(kind), gathered.text) if claims or words else ()
            ceiling = _ceiling(gathered, found)
            text = gathered.text if len(recipients) == 1 else ""  # what is written for people speaks only for one
            results = tuple(
                [
                    tuple.__new__(  # Result's own is not compiled and takes five times as long
                        Result, (recipient, self._judge.judge(recipient, kind=kind, text=text, dialect=signs.dialect, ceiling=ceiling))
                    )
                    for recipient in recipients
                ]
            )
        original = read_original(gathered.original, self.headers) if gathered.original else _NO_ORIGINAL
        arrived = gathered.fields.get("arrival-date") or gathered.headers.get("date", "")
        reporting = gathered.fields.get("reporting-mta", "")
        report = Report(
            kind,
            results,
            sha256(raw).hexdigest(),
            signs.dialect,
            read_mta(reporting) if reporting else "",
            original,
            read_date(arrived) if arrived else "",
            tuple(dict.fromkeys(found)) if found else (),
        )
        if results and (self.verp is not None or self.sent is not None):
            return replace(report, proofs=self._prove(report, gathered, envelope))
        return report

    def classify(self, text: str) -> tuple[Recipient, Verdict]:
        """Return the facts and the verdict for one bare SMTP reply or log text."""
        return self._judge.classify(text)

    def _prove(self, report: Report, gathered: Gathered, envelope: Sequence[str]) -> tuple[Proof, ...]:
        from bounceparse.prove import Trail, prove

        headers, fields, returned = gathered.headers, gathered.fields, gathered.original
        paths = [*envelope, *(address for name in _SENT_TO for address in find_addresses(headers.get(name, "")))]
        if report.kind == "complaint":  # they come to another address, and show the return path in what they give back
            paths += find_addresses(fields.get("original-mail-from", ""))
            paths += find_addresses(read_original(returned, ("Return-Path",)).headers.get("Return-Path", ""))
        envelope_id = fields.get("original-envelope-id", "").strip()
        return prove(report, Trail(tuple(dict.fromkeys(paths)), envelope_id, returned), self.verp, self.sent)

    def _read_signs(self, gathered: Gathered) -> Signs:
        headers = gathered.headers
        heads = self._heads(headers.get("from", ""), headers.get("subject", ""))
        dsn = gathered.report == "dsn"
        reported = dsn and bool(gathered.claims)
        found = find_signs(self._landmarks, gathered.text[: _SURVEYED_DSN if dsn else _SURVEYED], reported)
        names, automatic = name_signs(self._landmarks, headers)
        return self._signs(heads, found, reported, names, automatic)

    def _names_reason(self, words: list[Claim]) -> bool:
        landmarks = self._landmarks
        heard = (match for claim in words for match in landmarks.matches(landmarks.find(squeeze(claim.diagnostic))))
        return any(not match.phrase.weak and match.phrase.reason != "undetermined" for match in heard)


def _ceiling(gathered: Gathered, found: list[str]) -> Certainty:
    """Return how certain a verdict can be: a mail that ends inside its evidence gives guesses, one that ends in the returned message does not."""
    if not found or flaws.CUTS.isdisjoint(found):
        return "likely" if gathered.forwarded else "certain"
    return "likely" if gathered.original else "guess"


@lru_cache(maxsize=1)
def default_engine() -> Engine:
    """Return the engine with the built-in tables, made when it is first asked for and kept."""
    return Engine()


def parse(raw: bytes) -> Report:
    """Return the report on one message, read with the built-in tables; never raises on content."""
    return default_engine().parse(raw)


def classify(text: str) -> tuple[Recipient, Verdict]:
    """Return the facts and the verdict for one bare SMTP reply, with the built-in tables."""
    return default_engine().classify(text)
