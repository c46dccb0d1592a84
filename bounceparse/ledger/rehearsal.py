"""What would be decided: reports are recorded in a ledger in memory that knows of each person what the true one knows; that one is left alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, insert, or_, select

from bounceparse.decide import delay_key_of, key_of
from bounceparse.ledger.holding import among, ask_among, both, keys_of, read_salt
from bounceparse.ledger.persons import domain_in
from bounceparse.ledger.recording import persons_in, proven
from bounceparse.ledger.schema import addresses, delivered, domains, events, settings, strikes, suppressions
from bounceparse.ledger.store import Ledger
from bounceparse.model import Decision, Report
from bounceparse.policy import Policy

_BY_KEY: Final = both(lambda name: select(events).where(or_(among(events.c.key, name), among(events.c.address, name))))
_BY_PERSON: Final = {
    table: both(lambda name, table=table: select(table).where(among(table.c.address, name)))  # type: ignore[misc]
    for table in (strikes, suppressions, delivered, addresses)
}


class Rehearsal:
    """Records as `Ledger.record` does, and changes nothing: `ledger` is read, and may be None for one that is empty."""

    def __init__(self, ledger: Ledger | None) -> None:
        self._true = ledger
        self._scratch = Ledger("sqlite://")
        self._persons: set[str] = set()
        self._domains: set[str] = set()
        if ledger is not None:
            self._copy(settings, ledger._read(lambda connection: _rows(connection, select(settings))))

    def record(
        self, report: Report, policy: Policy, *, now: datetime | None = None, list: str = "", sender: str = "", origin: str = ""
    ) -> tuple[Decision, ...]:
        """Return what `Ledger.record` would return after everything that was rehearsed before."""
        if self._true is not None:
            keys = {key for result, proof in proven(report) for key in (key_of(report, result, proof), delay_key_of(report, result, proof))}
            self._learn(self._true, persons_in(report) - self._persons, keys)
        return self._scratch.record(report, policy, now=now, list=list, sender=sender, origin=origin)

    def close(self) -> None:
        """Let everything go."""
        self._scratch.close()

    def _learn(self, ledger: Ledger, persons: set[str], keys: set[str]) -> None:
        """Copy what the true ledger knows of persons, their domains, and events."""
        new = {domain_in(person) for person in persons} - self._domains - {""}

        def read(connection: Connection) -> list[tuple[Table, list[dict[str, Any]]]]:
            salt = read_salt(connection)
            everything = [key for person in persons if person for key in keys_of(person, salt)]
            found = [(events, _mappings(ask_among(connection, _BY_KEY, [*keys, *filter(None, persons)])))]
            found += [(table, _mappings(ask_among(connection, asked, everything))) for table, asked in _BY_PERSON.items()]
            for domain in sorted(new):
                failing: ColumnElement[bool] = addresses.c.failing.is_not(None)
                found.append((addresses, _rows(connection, select(addresses).where(addresses.c.domain == domain, failing))))
                found.append((domains, _rows(connection, select(domains).where(domains.c.domain == domain))))
            return found

        for table, rows in ledger._read(read):
            self._copy(table, rows)
        self._persons |= persons
        self._domains |= new

    def _copy(self, table: Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._scratch._write(lambda connection: connection.execute(insert(table).prefix_with("OR IGNORE"), rows))


def _rows(connection: Connection, asked: Any) -> list[dict[str, Any]]:
    return _mappings(connection.execute(asked))


def _mappings(result: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in result.mappings()]
