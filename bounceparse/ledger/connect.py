"""The way to the database: one transaction for each piece of work, on SQLite and on PostgreSQL.

SQLite: write-ahead log, every commit on disk before it is acknowledged (where nobody asked for less), BEGIN IMMEDIATE for whatever writes (a
transaction that begins as a reader and then writes fails at once when another one wrote meanwhile), and patience with other writers. PostgreSQL:
advisory locks on the persons a transaction is about, always taken in the same order, so that two reports on one person never count past each other.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

T = TypeVar("T")

PATIENCE: Final = 60  # seconds to wait for a lock
NAP: Final = (0.0005, 0.004)  # seconds between two tries to become the writer of an SQLite file
CONNECT: Final = 10  # seconds to wait for a server
BUCKETS: Final = 1_024  # advisory locks that persons are spread over; more would not fit into PostgreSQL's table of locks
TRIES: Final = 5  # of a transaction that PostgreSQL undid to keep others going
SPACE: Final = 0x626F756E  # of advisory locks: "boun"
_PATIENT: Final = f"PRAGMA busy_timeout={PATIENCE * 1000}"
_LOCK: Final = text("SELECT pg_advisory_xact_lock(:space, bucket) FROM unnest(CAST(:buckets AS int[])) AS bucket")
_AGAIN: Final = ("40001", "40P01")  # serialization failure, deadlock

_creating: Final = threading.Lock()
_inherited: Final[list[Engine]] = []
"""Pools of the process that this one was forked from: their connections are neither used nor closed here."""


class LedgerError(Exception):
    """The ledger cannot be used: the database is not there, not set up, full, or kept by somebody else."""


class SetUpError(LedgerError):
    """The tables are missing, older or newer than this program."""


class Database:
    """A pool of connections to one database. Threads share it; a process that was forked from here opens its own."""

    def __init__(self, url: str, durable: bool = True) -> None:
        self.url = read_url(url)
        self._durable = durable
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.file = self.url.database if self.sqlite and self.url.database not in (None, "", ":memory:") else None
        self._shared = threading.RLock() if self.sqlite and self.file is None else nullcontext()
        self._making = threading.Lock()
        self._engine: Engine | None = None
        self._process = 0
        self._known_log = 0

    @property
    def name(self) -> str:
        """The database as one may show it, without the password."""
        return self.file or self.url.render_as_string(hide_password=True)

    def engine(self) -> Engine:
        """Return the pool of this process."""
        if self._engine is None or self._process != os.getpid():
            with self._making:
                if self._engine is None or self._process != os.getpid():
                    if self._engine is not None:
                        _inherited.append(self._engine)
                    self._engine = self._open()
                    self._process = os.getpid()
        return self._engine

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        if self._engine is not None:
            if self._process == os.getpid():
                self._engine.dispose()
            else:
                _inherited.append(self._engine)
            self._engine = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the ledger from beginning to end, and keeps nobody from writing."""
        with self._shared, self._told(), self.engine().connect() as connection:
            connection = connection.execution_options(reading=True)
            with connection.begin():
                yield connection

    def write(self, work: Callable[[Connection], T], persons: Collection[str] = ()) -> T:
        """Return what `work` returns, done in one transaction; all of it is on disk afterwards, or nothing was done.

        `persons` are the addresses it is about. `work` is called again when PostgreSQL undid the transaction in favour of another.
        """
        for left in reversed(range(TRIES)):
            try:
                with self._shared, self._told(), self.engine().begin() as connection:
                    if not self.sqlite and persons:
                        _lock(connection, persons)
                    return work(connection)
            except LedgerError as error:
                if not left or getattr(getattr(error.__cause__, "orig", None), "sqlstate", "") not in _AGAIN:
                    raise
        raise AssertionError

    def checkpoint(self) -> None:
        """Write the log of SQLite into the database file and empty it, when nobody else is reading."""
        if self.file is not None:
            with self._told():
                link = self.engine().raw_connection()
                try:
                    link.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    link.close()

    def sync(self) -> None:
        """Return when all commits that returned before are on disk; for a database file that is not durable by itself."""
        if self.file is None:
            return
        with self._told():
            try:
                log = os.open(f"{self.file}-wal", os.O_RDWR)
            except FileNotFoundError:  # it was written into the database, and synced with it
                return
            try:
                os.fsync(log)
                number = os.fstat(log).st_ino
            finally:
                os.close(log)
            if number != self._known_log:  # a new file, whose name has to be on disk too
                folder = os.open(Path(self.file).parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
                self._known_log = number

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise LedgerError(f"{self.name}: {_reason(error)}") from error
        except SQLAlchemyError as error:
            raise LedgerError(f"{self.name}: {_first_line(error)}") from error
        except OSError as error:
            raise LedgerError(f"{self.name}: {(error.strerror or str(error)).lower()}") from error

    def _open(self) -> Engine:
        if self.sqlite:
            return self._open_sqlite()
        try:
            wait = {} if "connect_timeout" in self.url.query else {"connect_timeout": CONNECT}
            engine = create_engine(self.url, pool_pre_ping=True, connect_args=wait)
        except ModuleNotFoundError as error:
            raise LedgerError(f"{self.name} needs {error.name}: pip install 'bounceparse[postgres]'") from None

        durable = self._durable

        @event.listens_for(engine, "connect")
        def prepare(link: Any, record: Any) -> None:
            with link.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{PATIENCE}s'")
                cursor.execute("SET TIME ZONE 'UTC'")
                if not durable:
                    cursor.execute("SET synchronous_commit = off")
            link.commit()

        return engine

    def _open_sqlite(self) -> Engine:
        if self.file is None:
            engine = create_engine(self.url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        else:
            _create(Path(self.file))
            engine = create_engine(self.url, pool_size=8, max_overflow=56, connect_args={"timeout": PATIENCE, "check_same_thread": False})

        durable = self._durable

        @event.listens_for(engine, "connect")
        def prepare(link: Any, record: Any) -> None:
            link.isolation_level = None  # the driver begins no transaction of its own
            if link.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
                _patiently(link, "PRAGMA journal_mode=WAL")
            link.execute("PRAGMA synchronous=FULL" if durable else "PRAGMA synchronous=NORMAL")
            link.execute("PRAGMA foreign_keys=ON")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            if connection.get_execution_options().get("reading"):
                connection.exec_driver_sql("BEGIN")
            else:
                _begin_to_write(connection)

        return engine


def _begin_to_write(connection: Connection) -> None:
    """Begin a transaction as the only writer. SQLite's own way of waiting sleeps ever longer, while others go ahead; this one is fair."""
    link: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]
    link.execute("PRAGMA busy_timeout=0")
    try:
        _patiently(link, "BEGIN IMMEDIATE")
        return
    except sqlite3.OperationalError:
        pass  # told below like any other trouble
    finally:
        link.execute(_PATIENT)
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _patiently(link: sqlite3.Connection, statement: str) -> None:
    """Execute a statement that others may keep us from, again and again."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            link.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(random.uniform(*NAP))


def read_url(url: str) -> URL:
    """Return what a text names: an SQLAlchemy URL of SQLite or PostgreSQL, or the path of an SQLite file; raises LedgerError for anything else."""
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        read = make_url(url)
        if read.drivername in ("postgresql", "postgres"):
            read = read.set(drivername="postgresql+psycopg")
        if read.get_backend_name() not in ("sqlite", "postgresql"):
            raise LedgerError(f"a ledger is kept in SQLite or PostgreSQL, not in {read.get_backend_name()}")
    except (ArgumentError, NoSuchModuleError, ValueError):
        scheme = url.partition("://")[0]
        raise LedgerError(f"{scheme}://… is no database URL; write sqlite:///path or postgresql://user@host/name") from None
    return read


def _create(path: Path) -> None:
    """Make sure that the file is there, for its owner alone, since it holds addresses; its log files inherit that.

    One thread at a time: to close a file takes away all locks that a process holds on it, also those of another thread that opened it meanwhile.
    """
    with _creating:
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _lock(connection: Connection, persons: Collection[str]) -> None:
    buckets = sorted({zlib.crc32(person.encode()) % BUCKETS for person in persons})
    connection.execute(_LOCK, {"space": SPACE, "buckets": buckets})


def _reason(error: DBAPIError) -> str:
    return _first_line(error.orig if error.orig is not None else error)


def _first_line(error: BaseException) -> str:
    said = str(error).strip().splitlines()
    return said[0] if said else type(error).__name__
