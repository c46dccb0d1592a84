"""The way through: bytes → Message → claims → Recipient → Verdict → Report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from bounceparse import flaws, limits
from bounceparse.evidence.dialect import cut_section, read_dialect
from bounceparse.evidence.dsn import read_mta
from bounceparse.evidence.gather import RETURNED, Gathered, gather
from bounceparse.evidence.notice import find_reason, read_notice
from bounceparse.evidence.original import cut_original, read_original
from bounceparse.evidence.second_opinion import ask_flufl
from bounceparse.judge import Judge
from bounceparse.kinds import Signs, action_for, decide_kind, find_signs, name_signs, read_heads, weigh_signs
from bounceparse.landmarks import Landmarks
from bounceparse.model import Certainty, Claim, Message, Original, Proof, Recipient, Report, Result, Verdict
from bounceparse.recipients import merge, needs_words
from bounceparse.tables import Dialect, Tables, load_tables
from bounceparse.text import printable, squeeze
from bounceparse.wire.address import find_addresses, read_address
from bounceparse.wire.dates import read_date
from bounceparse.wire.headers import decode_field
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
_LIST: Final = re.compile(r"^(?:list-(?:id|post)|x-beenthere|x-mailing-list|mailing-list|x-list)[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.M | re.I)
_TO: Final = re.compile(r"^to[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.M | re.I)


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
        claims, words = self._claims(message, gathered, signs, found)
        if max(len(claims), len(words)) >= limits.RECIPIENTS:
            found.append(flaws.CUT_RECIPIENTS)
        kind = decide_kind(gathered, claims, words, signs, self._names_reason)
        if kind in ("bounce", "delay") and not claims and not words:
            words = _last_resort(message, gathered, found)
        results: tuple[Result, ...] = ()
        if kind in ("auto_reply", "challenge", "unsubscribe") and not claims:
            words = [Claim("header", "from", address) for address in find_addresses(gathered.headers.get("from", ""))[-1:]]
        if kind != "not_bounce":
            recipients = merge(message, claims, words, action_for(kind), gathered.text) if claims or words else ()
            ceiling = _ceiling(gathered, found)
            text = gathered.text if len(recipients) == 1 else ""  # what is written for people speaks only for one
            judge = self._judge.judge
            results = tuple(
                [Result(recipient, judge(recipient, kind=kind, text=text, dialect=signs.dialect, ceiling=ceiling)) for recipient in recipients]
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
        return self._signs(heads, found, reported, *name_signs(self._landmarks, headers))

    def _names_reason(self, words: list[Claim]) -> bool:
        landmarks = self._landmarks
        heard = (match for claim in words for match in landmarks.matches(landmarks.find(squeeze(claim.diagnostic))))
        return any(not match.phrase.weak and match.phrase.reason != "undetermined" for match in heard)

    def _claims(self, message: Message, gathered: Gathered, signs: Signs, found: list[str]) -> tuple[list[Claim], list[Claim]]:
        """Return the claims of the machine part, and those of lesser sources where it is missing or says too little."""
        claims = gathered.claims
        if claims and not any(map(needs_words, claims)):
            return claims, []
        text = cut_original(gathered.text)[0] if gathered.report == "dsn" else gathered.text
        if not text.strip() or gathered.report == "feedback":
            return claims, []
        headers = gathered.headers
        ignored = _ignored(headers)
        words: list[Claim] = []
        if signs.dialect:
            dialect = self._dialects[signs.dialect]
            words = read_dialect(dialect, text, gathered.offset, ignored, _domain_of(gathered))
            if not words and "@" in headers.get("subject", ""):
                words = read_dialect(dialect, decode_field(headers["subject"], limits.FIELD), -1, ignored)
        if not words:
            begin, end = cut_section(self._dialects[signs.dialect], text) if signs.dialect else (0, len(text))
            words = read_notice(text[begin:end], gathered.offset + begin if gathered.offset >= 0 else -1, ignored)
        if "x-failed-recipients" in headers:
            words = _with_header(words, headers["x-failed-recipients"])
        poor = words if words else claims
        if poor and all(map(needs_words, poor)):
            reason = find_reason(text)
            if reason and (len(poor) == 1 or "@" not in reason):  # one that names an address speaks for that one alone
                for claim in poor:
                    claim.diagnostic = f"{reason} ({claim.diagnostic})" if claim.diagnostic else reason
        return claims, words


def _ceiling(gathered: Gathered, found: list[str]) -> Certainty:
    """Return how certain a verdict can be: a mail that ends inside its evidence gives guesses, one that ends in the returned message does not."""
    if flaws.CUTS.isdisjoint(found):
        return "likely" if gathered.forwarded else "certain"
    return "likely" if gathered.original else "guess"


def _ignored(headers: dict[str, str]) -> frozenset[str]:
    """Return the addresses of the mail's own reader and sender: they are never the ones that failed."""
    get = headers.get
    return frozenset(find_addresses(f"{get('from', '')}\n{get('to', '')}\n{get('reply-to', '')}".lower()))


def _domain_of(gathered: Gathered) -> str:
    """Return the domain that completes a bare local part: that of the reporting host's From."""
    named = find_addresses(gathered.headers.get("from", ""))
    return named[0].rpartition("@")[2] if named else ""


def _with_header(words: list[Claim], value: str) -> list[Claim]:
    """Return the claims with those of X-Failed-Recipients: what the text says about its addresses is kept, addresses it does not name are added."""
    addresses = [address for item in value.replace("\n", " ").split(",") if (address := read_address(item))]
    named = {claim.address.lower(): claim for claim in words}
    named |= {claim.final_address.lower(): claim for claim in words if claim.final_address}
    listed = [named.get(address.lower()) or Claim("header", "", address) for address in dict.fromkeys(addresses[: limits.RECIPIENTS])]
    if not listed:
        return words
    strangers = [claim for claim in words if claim is not listed[0]] if len(listed) == 1 else []
    if len(strangers) == 1 and not listed[0].diagnostic:
        listed[0].diagnostic = strangers[0].diagnostic
    return listed


def _last_resort(message: Message, gathered: Gathered, found: list[str]) -> list[Claim]:
    """Return whom flufl.bounce finds, or else the returned message's To when it holds exactly one address."""
    ignored = _ignored(gathered.headers) | {address.lower() for address in find_addresses(read_original(gathered.original).sender)}
    claims: list[Claim] = []
    if "@" in gathered.text:  # without one there is nobody to find
        claims = [claim for claim in ask_flufl(_without_returned(message).encode("latin-1"), found) if claim.address.lower() not in ignored]
    if not claims:
        match = _TO.search(gathered.original)
        named = find_addresses(match[1]) if match is not None else []
        if len(named) == 1 and not _is_list(named[0], gathered.original):
            claims = [Claim("original", "to", named[0])]
    if claims:
        reason = find_reason(gathered.text) if len(claims) == 1 else ""
        for claim in claims:
            claim.diagnostic = reason or printable(gathered.text[: limits.DIAGNOSTIC], limits.DIAGNOSTIC)
    return claims


def _is_list(address: str, original: str) -> bool:
    """Say whether the returned message calls `address` its list: it went to people whom it does not name."""
    fields = " ".join(_LIST.findall(original)).lower()
    return address.lower() in fields or f"<{address.lower().replace('@', '.')}>" in fields


def _without_returned(message: Message) -> str:
    """Return the text before the returned message: flufl.bounce tries dozens of patterns on every line, and none of its lines names a failure."""
    for part in message.parts:
        if part.type in RETURNED:
            return message.text[: part.body]
    return message.text


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
