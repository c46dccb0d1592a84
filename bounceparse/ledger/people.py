"""What happens to a person beside reports: added, removed, forgotten, looked up; and what happens to everybody's traces when they are old."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, or_, select, update

from bounceparse.ledger import holding
from bounceparse.ledger.facts import EVENT, STRIPPED, SUPPRESSION, Event, list_of, read_event, read_suppression, sender_of
from bounceparse.ledger.holding import keys_of, read_salt
from bounceparse.ledger.persons import domain_in, domain_of, hash_of, person_of
from bounceparse.ledger.recording import grow, hear
from bounceparse.ledger.schema import addresses, delivered, domains, events, quarantine, settings, strikes, suppressions
from bounceparse.model import Strike, Suppression

RETENTION: Final = "retention_days"
PURGED: Final = "purged"
PURGE: Final = timedelta(hours=6)  # between two times that what is too old is taken away

_STRIKES: Final = (
    select(strikes.c.at, strikes.c.reason, strikes.c.list, strikes.c.sender).where(strikes.c.address == bindparam("person")).order_by(strikes.c.at)
)


class Person(Struct, frozen=True):
    """All that is known of one address."""

    address: str
    events: tuple[Event, ...]
    strikes: tuple[Strike, ...]  # those that still count, if they are not stale
    suppressions: tuple[Suppression, ...]  # also those that were undone or are over
    delivered: datetime | None


class Forgotten(Struct, frozen=True):
    """What `forget` took away."""

    events: int
    suppressions: int
    quarantined: int
    kept: bool  # a hash stays, so that the person stays suppressed


def check_new(new: Suppression, now: datetime, by: str) -> Suppression:
    """Return a suppression as it is kept; raises ValueError when it names no address, or no list or sender where its scope needs one."""
    scope, place = new.scope, new.place
    if scope == "domain" or new.address.startswith("@"):
        scope = "domain"
        domain = domain_of(new.address.rpartition("@")[2])
        if not domain:
            raise ValueError(f"{new.address!r} is no domain")
        key = f"@{domain}"
    else:
        key = person_of(new.address)
        if not key:
            raise ValueError(f"{new.address!r} is no address")
    place = list_of(place) if scope == "list" else sender_of(place) if scope == "sender" else ""
    if scope in ("list", "sender") and not place:
        raise ValueError(f"a suppression for one {scope} has to name it")
    return replace(new, address=key, scope=scope, place=place, since=new.since or now, added_by=by or new.added_by, undone=None, undone_by="")


def add(connection: Connection, checked: Sequence[Suppression], now: datetime) -> int:
    """Let suppressions hold; return how many did not hold before."""
    count = holding.begin(connection, checked, now)
    grown: Counter[str] = Counter()
    hear(connection, (new.address for new in checked if not new.address.startswith("@")), now, grown)
    grow(connection, grown)
    return count


def remove(connection: Connection, person: str, scope: str, place: str, now: datetime, by: str) -> int:
    """End the suppressions of a person or a domain, and the strikes that would begin them again; return how many ended."""
    t = suppressions.c
    keys = [person] if person.startswith("@") else [key for key in keys_of(person, read_salt(connection)) if not key.startswith("@")]
    conditions: list[ColumnElement[bool]] = [t.address.in_(keys)]
    if scope:
        conditions.append(t.scope == scope)
    if place:
        conditions.append(t.place == place)
    if not scope:
        connection.execute(delete(strikes).where(strikes.c.address == person))
        connection.execute(update(addresses).where(addresses.c.address == person).values(failing=None))
    return holding.end(connection, conditions, now, by)


def look_up(connection: Connection, person: str) -> Person:
    """Return all that is known of a person."""
    t = suppressions.c
    keys = keys_of(person, read_salt(connection))
    return Person(
        person,
        tuple(map(read_event, connection.execute(select(*EVENT).where(events.c.address == person).order_by(events.c.received, events.c.id)))),
        tuple(Strike(*row) for row in connection.execute(_STRIKES, {"person": person})),
        tuple(map(read_suppression, connection.execute(select(*SUPPRESSION).where(t.address.in_(keys)).order_by(t.id)))),
        connection.execute(select(delivered.c.at).where(delivered.c.address == person)).scalar(),
    )


def forget(connection: Connection, person: str, now: datetime, keep: bool) -> Forgotten:
    """Take away all that is known of a person; what they are suppressed for stays under a hash of the address when `keep` says so.

    Their events keep the key, the times and the verdict, so that a report that is read again does not bring the person back.
    """
    t = suppressions.c
    erased = connection.execute(update(events).where(events.c.address == person).values(STRIPPED)).rowcount
    connection.execute(delete(strikes).where(strikes.c.address == person))
    connection.execute(delete(delivered).where(delivered.c.address == person))
    if connection.execute(delete(addresses).where(addresses.c.address == person)).rowcount:
        connection.execute(update(domains).where(domains.c.domain == domain_in(person)).values(known=domains.c.known - 1))
    held = [row[0] for row in connection.execute(select(t.id).where(t.address == person, t.undone.is_(None), or_(t.until.is_(None), t.until > now)))]
    if keep and held:
        mark = {"address": hash_of(person, _salt(connection)), "domain": "", "why": "", "evidence": ""}
        connection.execute(delete(suppressions).where(t.address == mark["address"]))
        connection.execute(update(suppressions).where(t.id.in_(held)).values(mark))
    old = connection.execute(delete(suppressions).where(t.address == person)).rowcount
    raw = person.encode()
    holding_mail = [
        number
        for number, content in connection.execute(select(quarantine.c.id, quarantine.c.raw).execution_options(yield_per=20))
        if raw in content.lower()
    ]
    for number in holding_mail:
        connection.execute(delete(quarantine).where(quarantine.c.id == number))
    return Forgotten(erased, old + (len(held) if keep else 0), len(holding_mail), keep and bool(held))


def _salt(connection: Connection) -> str:
    """Return the salt of the hashes, made when the first person is forgotten."""
    salt = read_salt(connection)
    if not salt:
        salt = secrets.token_hex(32)
        put_setting(connection, "salt", salt)
    return salt


def put_setting(connection: Connection, name: str, value: str) -> None:
    """Keep a setting with the ledger."""
    if not connection.execute(update(settings).where(settings.c.name == name).values(value=value)).rowcount:
        connection.execute(insert(settings), {"name": name, "value": value})


def is_due(connection: Connection, now: datetime) -> int:
    """Return after how many days traces are to go, when it is time to look for them, else 0."""
    found = {name: value for name, value in connection.execute(select(settings.c.name, settings.c.value))}  # noqa: C416
    days = int(found.get(RETENTION, "0"))
    return days if days and found.get(PURGED, "") < (now - PURGE).isoformat() else 0


def purge_when_due(connection: Connection, now: datetime) -> None:
    """Take away what is too old, when nobody did so lately."""
    days = is_due(connection, now)
    if days:
        put_setting(connection, PURGED, now.isoformat())
        purge(connection, now - timedelta(days=days))


def purge(connection: Connection, before: datetime) -> int:
    """Take away what is older than `before`: strikes, marks, quarantined mail, suppressions that are over, and what events tell of persons.

    What holds, holds on. Return how many events were stripped.
    """
    e, t, a = events.c, suppressions.c, addresses.c
    stripped = connection.execute(update(events).where(e.received < before, e.last_seen < before, e.address != "").values(STRIPPED)).rowcount
    connection.execute(delete(strikes).where(strikes.c.at < before))
    connection.execute(delete(quarantine).where(quarantine.c.at < before))
    connection.execute(delete(suppressions).where(or_(t.undone < before, t.until < before)))
    connection.execute(delete(delivered).where(delivered.c.at < before))
    holds = select(t.address).where(t.undone.is_(None))
    gone = Counter(connection.execute(select(a.domain).where(a.heard < before, a.address.not_in(holds))).scalars())
    connection.execute(delete(addresses).where(a.heard < before, a.address.not_in(holds)))
    for domain in sorted(gone):
        connection.execute(update(domains).where(domains.c.domain == domain).values(known=domains.c.known - gone[domain]))
    connection.execute(delete(domains).where(domains.c.known <= 0))
    return stripped
