"""Suppressions: who is held, begun, prolonged, ended; and the fast question for many.

Expiry needs no job that runs: a suppression whose time is over is not found by the question, and makes room when the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, any_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from bounceparse import limits
from bounceparse.ledger.facts import SUPPRESSION, list_of, read_suppression, sender_of
from bounceparse.ledger.persons import FORGOTTEN, domain_in, hash_of
from bounceparse.ledger.schema import TEXT, settings, suppressions
from bounceparse.model import Suppression
from bounceparse.policy import EVENTS
from bounceparse.text import printable

LASTING: Final = (*EVENTS, "manual")
"""Reasons that good news does not end: what a person asked for, on either side."""

EVIDENCE: Final = 200  # events that are named as evidence

_t = suppressions.c
_HOLDS: Final = (_t.undone.is_(None), or_(_t.until.is_(None), _t.until > bindparam("now")))
_ASK_SQLITE: Final = select(*SUPPRESSION).where(_t.address.in_(select(func.json_each(bindparam("keys")).table_valued("value").c.value)), *_HOLDS)
_ASK: Final = select(*SUPPRESSION).where(_t.address == any_(bindparam("keys", type_=ARRAY(Text()))), *_HOLDS)
_SAME: Final = select(_t.id, _t.until).where(
    _t.address == bindparam("address"), _t.scope == bindparam("scope"), _t.place == bindparam("place"), _t.undone.is_(None)
)
_BEGIN: Final = insert(suppressions)
_END: Final = update(suppressions).where(_t.id == bindparam("number"))
_SALT: Final = select(settings.c.value).where(settings.c.name == "salt")


class Holding:
    """What is asked of the suppressions at one moment, for one list and sender; None for either means any, as when nobody says what will be sent."""

    def __init__(self, now: datetime, list: str | None = None, sender: str | None = None) -> None:
        self.now = now
        self.list = None if list is None else list_of(list)
        self.sender = None if sender is None else sender_of(sender)

    def ask(self, connection: Connection, persons: Sequence[str]) -> dict[str, list[Suppression]]:
        """Return what holds for those of some persons who are held at all."""
        salt = read_salt(connection)
        keys = {person: keys_of(person, salt) for person in persons if person}
        wanted = list({key for own in keys.values() for key in own})
        if connection.dialect.name == "sqlite":
            rows = connection.execute(_ASK_SQLITE, {"keys": msgspec.json.encode(wanted).decode(), "now": self.now})
        else:
            rows = connection.execute(_ASK, {"keys": wanted, "now": self.now})
        found: dict[str, list[Suppression]] = {}
        for row in rows:
            held = read_suppression(row)
            if self.covers(held):
                found.setdefault(row[0], []).append(held)
        if not found:
            return {}
        return {person: every for person, own in keys.items() if (every := [held for key in own for held in found.get(key, ())])}

    def covers(self, held: Suppression) -> bool:
        """Whether a suppression is about this list and sender."""
        if held.scope == "list":
            return self.list is None or held.place == self.list
        if held.scope == "sender":
            return self.sender is None or held.place in (self.sender, domain_in(self.sender))
        return True


def keys_of(person: str, salt: str) -> list[str]:
    """Return under what a person may be held: the address, its whole domain, and the hash of a forgotten one."""
    keys = [person, "@" + domain_in(person)]
    return [*keys, hash_of(person, salt)] if salt else keys


def read_salt(connection: Connection) -> str:
    """Return the salt of the hashes, "" while nobody was forgotten."""
    return connection.execute(_SALT).scalar() or ""


def strongest(held: Iterable[Suppression]) -> Suppression:
    """Return the suppression that says most: everywhere before somewhere, for good before for a while."""
    return min(held, key=lambda s: (s.scope not in ("everywhere", "domain"), s.until is not None, -s.until.timestamp() if s.until else 0.0))


def begin(connection: Connection, new: Suppression, now: datetime) -> bool:
    """Let a suppression hold; return False when one that is as strong holds already. One that has expired makes room, a weaker one is prolonged."""
    same = connection.execute(_SAME, {"address": new.address, "scope": new.scope, "place": new.place}).first()
    values = row_of(new)
    if same is not None:
        number, until = same
        if until is not None and until <= (new.since or now):
            connection.execute(_END, {"number": number, "undone": until, "undone_by": "expired"})
        elif until is None or (new.until is not None and new.until <= until):
            return False
        else:
            kept = {name: value for name, value in values.items() if name not in ("address", "domain", "scope", "place", "since", "added_by")}
            connection.execute(_END, {"number": number, **kept})
            return True
    connection.execute(_BEGIN, values)
    return True


def row_of(held: Suppression) -> dict[str, Any]:
    """Return the row of a suppression."""
    evidence = held.evidence[-EVIDENCE:]
    return {
        "address": held.address,
        "domain": "" if held.address.startswith(FORGOTTEN) else domain_in(held.address),
        "scope": held.scope,
        "place": held.place,
        "reason": printable(held.reason, 60),
        "since": held.since,
        "until": held.until,
        "why": printable(held.why, TEXT),
        "policy": printable(held.policy, 120),
        "evidence": " ".join(evidence),
        "added_by": printable(held.added_by, limits.FIELD),
        "undone": held.undone,
        "undone_by": printable(held.undone_by, limits.FIELD),
    }


def end(connection: Connection, conditions: Sequence[ColumnElement[bool]], now: datetime, by: str) -> int:
    """End the suppressions that hold and meet all conditions; return how many."""
    condition = (_t.undone.is_(None), or_(_t.until.is_(None), _t.until > now), *conditions)
    return connection.execute(update(suppressions).where(*condition).values(undone=now, undone_by=printable(by, limits.FIELD))).rowcount


def listing(
    *, now: datetime, everything: bool, list: str, sender: str, domain: str, reason: str, since: datetime | None, until: datetime | None
) -> Select[Any]:
    """Return the question for suppressions that meet all that is not empty: those that hold, or `everything` that ever was."""
    asked = select(*SUPPRESSION).order_by(_t.id)
    if not everything:
        asked = asked.where(_t.undone.is_(None), or_(_t.until.is_(None), _t.until > now))
    if list:
        asked = asked.where(_t.scope == "list", _t.place == list_of(list))
    if sender:
        asked = asked.where(_t.scope == "sender", _t.place == sender_of(sender))
    if domain:
        asked = asked.where(_t.domain == domain)
    if reason:
        asked = asked.where(_t.reason == reason)
    if since is not None:
        asked = asked.where(_t.since >= since)
    return asked if until is None else asked.where(_t.since <= until)
