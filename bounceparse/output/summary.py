"""What a pile of records comes to, for the HTML report: counts, and one example of each thing. Memory grows with what differs, not with the mail."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Final

from msgspec import Struct

from bounceparse.record import Record

MEND: Final = frozenset({"sender", "message"})
"""Faults that the sender mends, not the recipient."""
OTHER: Final = "other"
"""The provider of what is no provider's."""
_CLUSTERS: Final = 2_000  # different undetermined replies that are kept apart
_VARIABLE: Final = re.compile(r"<?[^\s<>]{1,128}@[^\s<>]{1,255}>?|\b[0-9A-Fa-f]{8,}\b|\b\d[\d.:-]*\b")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:  # records can come from elsewhere
        return False


class Tally(Struct):
    """How often something was seen, how often for good, and one reply that said so."""

    count: int = 0
    hard: int = 0
    example: str = ""
    first: str = ""  # day, YYYY-MM-DD
    last: str = ""

    def add(self, row: Record) -> None:
        """Count one more record."""
        self.count += 1
        self.hard += row.bounce == "hard" and row.kind == "bounce"
        if not self.example and row.diagnostic:
            self.example = row.diagnostic
        day = row.arrived[:10]
        if day:
            self.first = min(self.first or day, day)
            self.last = max(self.last, day)


class Summary:
    """The counts. What failed, bounces and delays, is told apart by reason, fault, provider, domain and reply; everything by kind."""

    def __init__(self, provider_of: Callable[[Record], str]) -> None:
        self.kinds: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()  # of what failed: hard, soft, delay, none
        self.days: dict[str, Counter[str]] = {}
        self.faults: Counter[str] = Counter()
        self.reasons: dict[str, Tally] = {}
        self.providers: dict[str, Counter[str]] = {}  # provider → reason
        self.domains: dict[str, Tally] = {}
        self.replies: dict[tuple[str, str, str], Tally] = {}  # reply code, enhanced status code, reason
        self.mend: dict[tuple[str, str], Tally] = {}  # reason, and the blocklist or provider
        self.unknown: dict[str, Tally] = {}  # undetermined replies, what varies in them left out
        self.reporters: Counter[str] = Counter()  # dialect
        self.certainty: Counter[str] = Counter()
        self._provider_of = provider_of

    def add(self, row: Record) -> None:
        """Count one more record."""
        self.kinds[row.kind] += 1
        if row.kind not in ("bounce", "delay"):
            return
        outcome = "delay" if row.kind == "delay" else row.bounce
        self.outcomes[outcome] += 1
        if _is_day(row.arrived[:10]):
            self.days.setdefault(row.arrived[:10], Counter())[outcome] += 1
        self.faults[row.fault] += 1
        self.certainty[row.certainty] += 1
        self.reporters[row.dialect or "no mail system that is known by name"] += 1
        provider = self._provider_of(row)
        self.providers.setdefault(provider, Counter())[row.reason] += 1
        self.reasons.setdefault(row.reason, Tally()).add(row)
        if row.recipient:
            self.domains.setdefault(row.recipient.rpartition("@")[2].lower(), Tally()).add(row)
        if row.reply_code or row.status:
            self.replies.setdefault((row.reply_code, row.status, row.reason), Tally()).add(row)
        if row.fault in MEND:
            self.mend.setdefault((row.reason, row.blocklist or provider), Tally()).add(row)
        if row.reason == "undetermined" and row.diagnostic:
            kind = _VARIABLE.sub("…", row.diagnostic)[:200]
            if kind in self.unknown or len(self.unknown) < _CLUSTERS:
                self.unknown.setdefault(kind, Tally()).add(row)


def share(part: int, whole: int) -> str:
    """Return a part of a whole as a reader takes it in: "12 %", "<1 %" for what would be rounded to nothing."""
    percent = 100 * part / whole if whole else 0
    return f"{percent:.0f} %" if percent >= 1 or not part else "<1 %"
