"""The tables of the ledger, the same on SQLite and PostgreSQL.

The rules that keep this file honest: an event is written once for each key; a strike, a mark or a suppression never stands without the event or the
person that made it; nothing that a mail says has room without an end; times are those of receipt, in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Dialect, Index, Integer, LargeBinary, MetaData, String, Table, Text, text
from sqlalchemy.types import TypeDecorator, TypeEngine

from bounceparse import limits

metadata: Final = MetaData(
    naming_convention={
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TEXT: Final = limits.DIAGNOSTIC
ORIGIN: Final = 4_096
RAW: Final = limits.MESSAGE


class Moment(TypeDecorator[datetime]):
    """An aware time in UTC: text that sorts as it reads on SQLite ("2026-11-23T10:00:00.000000Z"), timestamptz on PostgreSQL."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name == "postgresql" else String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return written(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return None if value is None else value.astimezone(UTC)


def written(moment: datetime) -> str:
    """Return a time as SQLite keeps it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _number() -> Column[int]:
    """A number for each row, in the order of writing; SQLite knows only its own INTEGER for that."""
    return Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)


def _text(name: str, length: int = limits.FIELD, key: bool = False) -> Column[str]:
    limit = CheckConstraint(f"length({name}) <= {length}", name=name)
    return Column(name, Text(), limit, primary_key=key, nullable=False, server_default=None if key else "")


events: Final = Table(
    "bounce_events",
    metadata,
    _number(),
    Column("key", String(80), nullable=False, unique=True),
    Column("received", Moment(), nullable=False),
    Column("seen", Integer(), nullable=False, server_default="1"),  # how often it came, by whatever road
    Column("last_seen", Moment(), nullable=False),
    _text("digest", 64),
    _text("origin", ORIGIN),
    _text("address", limits.ADDRESS),
    _text("domain", limits.ADDRESS),
    _text("list"),
    _text("sender", limits.ADDRESS),
    _text("message_id"),
    _text("arrived", 40),
    _text("kind", 20),
    _text("bounce", 8),
    _text("reason", 60),
    _text("fault", 20),
    _text("certainty", 20),
    _text("rule"),
    _text("status", 20),
    _text("reply_code", 8),
    _text("said", 20),  # the Action field of the report
    _text("command", 20),
    _text("diagnostic", TEXT),
    _text("original_address", limits.ADDRESS),
    _text("final_address", limits.ADDRESS),
    _text("remote_mta"),
    _text("reporting_mta"),
    _text("dialect", 60),
    _text("blocklist"),
    _text("provider"),
    _text("proof", 20),
    _text("proof_by", 20),
    _text("action", 20),  # of the decision
    _text("policy", 120),
    _text("scope", 20),
    Column("until", Moment()),
    _text("because", TEXT),
    _text("strike", 60),  # the reason under which it counted
    _text("superseded_by", 80),
    Index(None, "address", "received"),
    Index(None, "received"),
    Index(None, "action", "received"),
)
"""What was reported, and what was decided: one row for each idempotency key. A forgotten or old event keeps its key, its time and its verdict."""

strikes: Final = Table(
    "bounce_strikes",
    metadata,
    Column("key", String(80), primary_key=True),  # of the event
    _text("address", limits.ADDRESS),
    _text("reason", 60),
    _text("list"),
    _text("sender", limits.ADDRESS),
    Column("at", Moment(), nullable=False),
    Index(None, "address", "at"),
)
"""The failures that still count."""

suppressions: Final = Table(
    "bounce_suppressions",
    metadata,
    _number(),
    _text("address", limits.ADDRESS),  # "a@example.com", "@example.com" for a whole domain, "hash:…" for a person who was forgotten
    _text("domain", limits.ADDRESS),
    _text("scope", 20),
    _text("place"),  # the list or the sender, where the scope is one
    _text("reason", 60),
    Column("since", Moment(), nullable=False),
    Column("until", Moment()),  # null: for good
    _text("why", TEXT),
    _text("policy", 120),  # "" when a person or an import made it
    _text("evidence", 20_000),  # keys of the events that led to it, between blanks
    _text("added_by"),
    Column("undone", Moment()),
    _text("undone_by"),
    Index(
        "ix_bounce_suppressions_holding",
        *("address", "scope", "place"),
        unique=True,
        sqlite_where=text("undone IS NULL"),
        postgresql_where=text("undone IS NULL"),
    ),
    Index(None, "domain", "since"),
    Index(None, "address"),
)
"""Who is not to be written to, where, until when and why. What was undone or ended stays as history."""

delivered: Final = Table(
    "bounce_delivered",
    metadata,
    _text("address", limits.ADDRESS, key=True),
    Column("at", Moment(), nullable=False),
    Column("times", Integer(), nullable=False, server_default="1"),
    _text("told_by"),
)
"""The last evidence that mail arrived."""

addresses: Final = Table(
    "bounce_addresses",
    metadata,
    _text("address", limits.ADDRESS, key=True),
    _text("domain", limits.ADDRESS),
    Column("heard", Moment(), nullable=False),  # when it was last heard of
    Column("failing", Moment()),  # when the policy last wanted to suppress it
    Index(None, "domain", "failing"),
)
"""Every address that was ever heard of, for the share of a domain that fails."""

domains: Final = Table(
    "bounce_domains",
    metadata,
    _text("domain", limits.ADDRESS, key=True),
    Column("known", Integer(), nullable=False, server_default="0"),
)
"""How many addresses of a domain are known."""

quarantine: Final = Table(
    "bounce_quarantine",
    metadata,
    _number(),
    Column("digest", String(64), nullable=False, unique=True),
    Column("at", Moment(), nullable=False),
    Column("tries", Integer(), nullable=False, server_default="1"),
    _text("reason", TEXT),
    _text("origin", ORIGIN),
    _text("version", 60),
    Column("raw", LargeBinary(), CheckConstraint(f"length(raw) <= {RAW}", name="raw"), nullable=False),
)
"""Messages that could not be processed, as they came."""

settings: Final = Table("bounce_settings", metadata, Column("name", String(40), primary_key=True), Column("value", Text(), nullable=False))
"""What belongs to this ledger alone: the salt of the hashes of forgotten persons."""
