"""Suppressions: who is held, begun, prolonged, ended; and the fast question for many.

Expiry needs no job that runs: a suppression whose time is over is not found by the question, and makes room when the next one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Result, Select, any_, bindparam, func, insert, or_, select, update
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
_SAME: Final = (_t.id, _t.address, _t.scope, _t.place, _t.until)
_BEGIN: Final = insert(suppressions)
_END: Final = update(suppressions).where(_t.id == bindparam("number"))
_SALT: Final = select(settings.c.value).where(settings.c.name == "salt")


class Holding:
    """What is asked of the suppressions at one moment, for one list and sender; None for either means any, as when nobody says what will be sent."""

    def __init__(self, now: datetime, list: str | None = None, sender: str | None = None) -> None:
        self.now = now
        self.list = None if list is None else list_of(list)
        self.sender = None if sender is None else sender_of(sender)

    def ask(self, connection: Connection, persons: Sequence[str], salt: str | None = None) -> dict[str, list[Suppression]]:
        """Return what holds for those of some persons who are held at all; `salt` is that of the hashes, where it is known."""
        if salt is None:
            salt = read_salt(connection)
        keys = {person: keys_of(person, salt) for person in persons if person}
        wanted = list({key for own in keys.values() for key in own})
        rows = ask_among(connection, _ASK, wanted, now=self.now)
        found: dict[str, list[Suppression]] = {}
        for row in rows:
            held = read_suppression(row)
            if self.covers(held):
                found.setdefault(row[0], []).append(held)
        if not found:
            return {}
        return {person: every for person, own in keys.items() if (every := [held for key in own for held in found.get(key, ())])}

    def covers(self, held: Suppression) -> bool:
        """Whether a suppression is about this list and sender; one that names neither is about all of them."""
        if not held.place:
            return True
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


def begin(connection: Connection, news: Sequence[Suppression], now: datetime) -> int:
    """Let suppressions hold; return how many did not hold as strongly already. One that has expired makes room, a weaker one is prolonged."""
    rows_of_same: Iterable[Sequence[Any]] = ask_among(connection, _BEGUN, list({new.address for new in news})).all()
    same = {(address, scope, place): (number, until) for number, address, scope, place, until in rows_of_same}
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    count = 0
    for new in news:
        key = (new.address, new.scope, new.place)
        values = row_of(new)
        number, until = same.get(key, (0, None))
        if key in rows:  # named twice
            until = rows[key]["until"]
            if until is not None and (new.until is None or new.until > until):
                rows[key] |= _prolonged(values)
            continue
        if number and until is not None and until <= now:
            connection.execute(_END, {"number": number, "undone": until, "undone_by": "expired"})
        elif number:
            if until is not None and (new.until is None or new.until > until):
                connection.execute(_END, {"number": number, **_prolonged(values)})
                same[key] = (number, new.until)
                count += 1
            continue
        rows[key] = values
    if rows:
        connection.execute(_BEGIN, list(rows.values()))
    return count + len(rows)


def _prolonged(values: dict[str, Any]) -> dict[str, Any]:
    """Return what a stronger suppression changes of one that holds."""
    return {name: values[name] for name in ("reason", "until", "why", "policy", "evidence")}


def among(column: ColumnElement[Any], connection_name: str) -> ColumnElement[bool]:
    """Return the condition that a column is one of any number of `keys`."""
    if connection_name == "sqlite":
        return column.in_(select(func.json_each(bindparam("keys")).table_valued("value").c.value))
    return column == any_(bindparam("keys", type_=ARRAY(Text())))


def ask_among(connection: Connection, asked: dict[str, Any], keys: list[str], **more: Any) -> Result[Any]:
    """Return what a question that `both` made has to say for `keys`."""
    name = connection.dialect.name
    return connection.execute(asked[name], {"keys": msgspec.json.encode(keys).decode() if name == "sqlite" else keys, **more})


def both(make: Callable[[str], Any]) -> dict[str, Any]:
    """Return a statement for each database."""
    return {name: make(name) for name in ("sqlite", "postgresql")}


_ASK: Final = both(lambda name: select(*SUPPRESSION).where(among(_t.address, name), *_HOLDS))
_BEGUN: Final = both(lambda name: select(*_SAME).where(among(_t.address, name), _t.undone.is_(None)))


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
