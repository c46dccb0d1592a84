"""The ledger: what was reported, what counts against whom, who is not to be written to, and why.

Every method that writes does so in one transaction. Times are aware; `now` is the clock's where it is not given.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from bounceparse.ledger import migrate, people
from bounceparse.ledger.connect import Database
from bounceparse.ledger.facts import EVENT, Alert, Event, Quarantined, list_of, read_event, read_suppression, sender_of
from bounceparse.ledger.holding import Holding, listing, strongest
from bounceparse.ledger.people import Forgotten, Person
from bounceparse.ledger.persons import domain_of, person_of
from bounceparse.ledger.recording import Recording, grow, hear, mark_delivered, persons_in
from bounceparse.ledger.schema import ORIGIN, RAW, TEXT, events, quarantine
from bounceparse.model import Action, Decision, Report, Scope, Suppression
from bounceparse.policy import Policy
from bounceparse.text import printable

T = TypeVar("T")

CHUNK: Final = 2_000  # addresses of one question
BATCH: Final = 1_000  # suppressions of one transaction of `add_many`
PAGE: Final = 1_000  # rows that are read at once
LOOK: Final = timedelta(hours=1)  # between two looks whether something is too old


class Ledger:
    """A store of events and suppressions in SQLite or PostgreSQL; safe for threads and processes, and picklable.

    `url` is an SQLAlchemy URL, or the path of an SQLite file, which is made and brought up to date when it is first used; PostgreSQL is set up by
    `upgrade()`, or `bounceparse suppress init`. With `retention_days`, what is older is taken away while work goes on, also by whoever opens the
    ledger later; None leaves that as it was set before, 0 ends it. What was written is on disk
    when a method returns; without `durable` it is soon, and when the power fails the last of it may be missing, as if it had not been written:
    for whoever can read everything again. Methods raise LedgerError when the database cannot be used; what was asked for is then not done.

    All methods block. In asynchronous code call them in a worker thread: `await asyncio.to_thread(ledger.record, report, policy)`.
    """

    def __init__(self, url: str = "sqlite:///bounces.db", *, retention_days: int | None = None, durable: bool = True) -> None:
        self._url = url
        self._retention = retention_days
        self._durable = durable
        self._database = Database(url, durable)
        self._ready_in = 0
        self._look_again: datetime | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (self._url, self._retention, self._durable)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Ledger {self.name}>"

    @property
    def name(self) -> str:
        """The database as one may show it, without its password."""
        return self._database.name

    @property
    def file(self) -> str | None:
        """The file of an SQLite database, None for any other."""
        return self._database.file

    def close(self) -> None:
        """Close the connections, with everything on disk; the next use opens new ones."""
        if self._ready_in == os.getpid() and not self._durable:
            self._database.checkpoint()
        self._database.close()
        self._ready_in = 0

    def sync(self) -> None:
        """Return when everything that was written before is on disk: one sync for many writes to an SQLite file that is not `durable`."""
        self._database.sync()

    def upgrade(self) -> str:
        """Make the tables, or bring them up to date; return the version that was there before, "" for none."""
        return migrate.upgrade(self._database)

    # What comes in

    def record(
        self, report: Report, policy: Policy, *, now: datetime | None = None, list: str = "", sender: str = "", origin: str = ""
    ) -> tuple[Decision, ...]:
        """Record a report and return what to do with each of its addresses, in the order of its results.

        One transaction: facts, strikes and suppressions are all on disk afterwards, or none of them is. The same bounce counts once, by whatever road
        it comes and as often as it comes. `now` is when it was received, `list` and `sender` say what mail it answers where the report does not,
        `origin` says where it was read. A report that names nobody gives one decision without an address.
        """
        moment = _aware(now)

        def work(connection: Connection) -> tuple[Decision, ...]:
            return Recording(connection, report, policy, moment, list=list, sender=sender, origin=origin).run()

        decisions = self._write(work, persons_in(report))
        self._clear_old()
        return decisions

    def delivered(self, address: str, *, now: datetime | None = None, by: str = "") -> int:
        """Note that mail arrived at an address; return how many suppressions that ends.

        Earlier strikes no longer count, and suppressions end but for complaints, unsubscribe requests and those that a person added.
        Raises ValueError when `address` is none.
        """
        person, moment = _person(address), _aware(now)

        def work(connection: Connection) -> int:
            grown = Counter[str]()
            hear(connection, [person], moment, grown)
            grow(connection, grown)
            return mark_delivered(connection, person, moment, by or "told")

        return self._write(work, [person])

    def know(self, addresses: Iterable[str], *, now: datetime | None = None) -> int:
        """Note addresses that are written to, so that the share of a domain that fails is known; return how many there were."""
        moment = _aware(now)
        count = 0
        source = iter(addresses)
        while batch := sorted({person for address in islice(source, BATCH) if (person := person_of(address))}):

            def work(connection: Connection, batch: Iterable[str] = batch) -> None:
                grown = Counter[str]()
                for person in batch:
                    hear(connection, [person], moment, grown)
                grow(connection, grown)

            self._write(work, batch)
            count += len(batch)
        return count

    # What is asked

    def check(self, address: str, *, list: str | None = None, sender: str | None = None, now: datetime | None = None) -> Suppression | None:
        """Return why an address is not to be written to, None when nothing speaks against it.

        `list` and `sender` say what is to be sent; where they are not given, a suppression for any list or sender counts. A text that is no address
        gives None.
        """
        return next(self.check_many([address], list=list, sender=sender, now=now))

    def check_many(
        self, addresses: Iterable[str], *, list: str | None = None, sender: str | None = None, now: datetime | None = None
    ) -> Iterator[Suppression | None]:
        """Yield for each address what `check` returns, in order; some thousands are asked about at once."""
        asked = Holding(_aware(now), list, sender)
        source = iter(addresses)
        while persons := [person_of(address) for address in islice(source, CHUNK)]:
            found = self._read(lambda connection, persons=persons: asked.ask(connection, persons))  # type: ignore[misc]
            if found:
                yield from (strongest(found[person]) if person in found else None for person in persons)
            else:
                yield from [None] * len(persons)

    def history(self, address: str) -> Person:
        """Return all that is known of an address: events, strikes, suppressions past and present, and the last delivery."""
        person = _person(address)
        return self._read(lambda connection: people.look_up(connection, person))

    def suppressions(
        self,
        *,
        list: str = "",
        sender: str = "",
        domain: str = "",
        reason: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        everything: bool = False,
        now: datetime | None = None,
    ) -> Iterator[Suppression]:
        """Yield the suppressions that hold, oldest first, or `everything` that ever was; only those that meet all that is given."""
        moment = _aware(now)
        asked = listing(
            now=moment, everything=everything, list=list, sender=sender, domain=domain_of(domain), reason=reason, since=since, until=until
        )
        return map(read_suppression, self._stream(asked))

    def events(
        self, *, action: Action | None = None, domain: str = "", reason: str = "", since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Event]:
        """Yield the events, oldest first; only those that meet all that is given."""
        e = events.c
        asked = select(*EVENT).order_by(e.received, e.id)
        if action is not None:
            asked = asked.where(e.action == action)
        if domain:
            asked = asked.where(e.domain == domain_of(domain))
        if reason:
            asked = asked.where(e.reason == reason)
        if since is not None:
            asked = asked.where(e.received >= since)
        if until is not None:
            asked = asked.where(e.received <= until)
        return map(read_event, self._stream(asked))

    def alerts(self, *, since: datetime | None = None) -> tuple[Alert, ...]:
        """Return the trouble that the sender has to mend, gathered by provider and cause, the most frequent first."""
        e = events.c
        group = (e.provider, e.reason, e.blocklist)
        asked = select(*group, func.count(), func.min(e.received), func.max(e.received), func.max(e.id)).where(e.action == "alert").group_by(*group)
        if since is not None:
            asked = asked.where(e.received >= since)

        def work(connection: Connection) -> tuple[Alert, ...]:
            rows: Sequence[Sequence[Any]] = connection.execute(asked).all()
            last_ones = connection.execute(select(e.id, e.because).where(e.id.in_([number for *_, number in rows])))
            said: dict[int, str] = {number: because for number, because in last_ones}  # noqa: C416
            alerts = [
                Alert(provider, reason, blocklist, count, first, last, said.get(number, ""))
                for provider, reason, blocklist, count, first, last, number in rows
            ]
            return tuple(sorted(alerts, key=lambda alert: (-alert.count, alert.provider, alert.reason)))

        return self._read(work)

    # What a person decides

    def add(
        self,
        address: str,
        *,
        reason: str = "manual",
        scope: Scope = "everywhere",
        place: str = "",
        until: datetime | None = None,
        why: str = "",
        by: str = "",
        now: datetime | None = None,
    ) -> bool:
        """Suppress an address, or with "@example.com" a whole domain; return False when it is suppressed as strongly already.

        `place` is the list or the sender where the scope is one. Raises ValueError when there is no address or no place.
        """
        moment = _aware(now)
        new = people.check_new(Suppression(address, reason, scope, place, moment, until, why), moment, by)
        return self._write(lambda connection: people.add(connection, [new], moment) == 1, [new.address])

    def add_many(self, suppressions: Iterable[Suppression], *, by: str = "", now: datetime | None = None) -> tuple[int, int]:
        """Add suppressions from elsewhere, a thousand a transaction; return how many there were, and how many did not hold before.

        Raises ValueError at the first that names no address; those before it may be in.
        """
        moment = _aware(now)
        count = new = 0
        source = (people.check_new(suppression, moment, by) for suppression in suppressions)
        while batch := [*islice(source, BATCH)]:
            new += self._write(lambda connection, batch=batch: people.add(connection, batch, moment), {s.address for s in batch})  # type: ignore[misc]
            count += len(batch)
        return count, new

    def remove(self, address: str, *, scope: Scope | None = None, place: str = "", by: str = "", now: datetime | None = None) -> int:
        """End the suppressions of an address, or with "@example.com" of a domain; return how many ended. Its strikes no longer count either.

        With `scope`, and `place`, only those there. They stay in the history, with who undid them.
        """
        moment = _aware(now)
        key = f"@{domain_of(address[1:])}" if address.startswith("@") else _person(address)
        where = list_of(place) if scope == "list" else sender_of(place) if scope == "sender" else ""
        return self._write(lambda connection: people.remove(connection, key, scope or "", where, moment, by or "removed"), [key])

    def forget(self, address: str, *, keep: bool = False, now: datetime | None = None) -> Forgotten:
        """Take away all that is known of a person; return how much that was.

        With `keep`, a keyed hash of the address stays, so that whoever is suppressed stays so. Bounces that are read again later do not bring
        the person back. Quarantined mail that spells the address out goes as well.
        """
        person, moment = _person(address), _aware(now)

        def work(connection: Connection) -> Forgotten:
            if self._database.sqlite:
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
            return people.forget(connection, person, moment, keep)

        forgotten = self._write(work, [person])
        self._database.checkpoint()
        return forgotten

    def purge(self, before: datetime) -> int:
        """Take away what is older than a time; return how many events lost what they tell of persons. What holds, holds on."""
        return self._write(lambda connection: people.purge(connection, _aware(before)))

    # What could not be processed

    def quarantine(self, raw: bytes, reason: str, *, origin: str = "", now: datetime | None = None) -> str:
        """Keep a message that could not be processed, as it is; return its digest. The same message again counts its tries."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("bounceparse")
        except PackageNotFoundError:  # run from its folder, not installed
            number = ""
        digest, moment = sha256(raw).hexdigest(), _aware(now)
        values: dict[str, Any] = {
            "at": moment,
            "reason": printable(reason, TEXT),
            "origin": printable(origin, ORIGIN),
            "version": number,
        }
        q = quarantine.c

        def work(connection: Connection) -> str:
            if not connection.execute(update(quarantine).where(q.digest == digest).values(tries=q.tries + 1, **values)).rowcount:
                connection.execute(insert(quarantine), {"digest": digest, "raw": raw[:RAW], **values})
            return digest

        return self._write(work, [digest])

    def quarantined(self) -> Iterator[Quarantined]:
        """Yield the messages in quarantine, oldest first."""
        q = quarantine.c
        asked = select(q.digest, q.at, q.tries, q.reason, q.origin, q.version, q.raw).order_by(q.id)
        return (Quarantined(*row) for row in self._stream(asked, 20))

    def release(self, digest: str) -> bool:
        """Take a message out of quarantine, when it was processed after all; return whether it was there."""
        return self._write(lambda connection: connection.execute(delete(quarantine).where(quarantine.c.digest == digest)).rowcount > 0, [digest])

    # How

    def _read(self, work: Callable[[Connection], T]) -> T:
        self._ready()
        with self._database.reading() as connection:
            return work(connection)

    def _stream(self, asked: Select[Any], page: int = PAGE) -> Iterator[Any]:
        self._ready()
        with self._database.reading() as connection:
            yield from connection.execution_options(yield_per=page).execute(asked)

    def _write(self, work: Callable[[Connection], T], persons: Collection[str] = ()) -> T:
        self._ready()
        return self._database.write(work, persons)

    def _ready(self) -> None:
        """Make sure, once in a process, that the tables are those of this program."""
        if self._ready_in != os.getpid():
            if self._database.sqlite and migrate.read_version(self._database) < migrate.HEAD:
                migrate.upgrade(self._database)
            migrate.check_version(self._database)
            self._ready_in = os.getpid()
            if self._retention is not None:
                days = str(self._retention)
                self._write(lambda connection: people.put_setting(connection, people.RETENTION, days))

    def _clear_old(self) -> None:
        """Take away what is too old, now and then; of all processes one does it."""
        now = datetime.now(UTC)
        if self._look_again is None or now >= self._look_again:
            self._look_again = now + LOOK
            if self._read(lambda connection: people.is_due(connection, now)):
                self._write(lambda connection: people.purge_when_due(connection, now))


def _open(url: str, retention_days: int | None, durable: bool) -> Ledger:
    return Ledger(url, retention_days=retention_days, durable=durable)


def _person(address: str) -> str:
    person = person_of(address)
    if not person:
        raise ValueError(f"{address!r} is no address")
    return person


def _aware(moment: datetime | None) -> datetime:
    """Return a time in UTC, the clock's for none; raises ValueError for one without a time zone."""
    if moment is None:
        return datetime.now(UTC)
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone; use datetime.now(UTC)")
    return moment.astimezone(UTC)
