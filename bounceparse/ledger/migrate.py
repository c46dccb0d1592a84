"""The shape of the tables: whether it is the one that this program knows, and the way there (Alembic)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from bounceparse.ledger.connect import SPACE, Database, LedgerError, SetUpError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0001"
"""The last step in `migrations/versions`."""

VERSIONS: Final = "bounce_version"
FOLDER: Final = Path(__file__).parent / "migrations"
_alone: Final = threading.Lock()
"""Held while Alembic runs, which keeps what it runs in global names: two threads with a ledger each would take them from one another."""


def read_version(database: Database) -> str:
    """Return the shape of the tables that are there, "" for none."""
    with database.reading() as connection:
        return _version(connection)


def check_version(database: Database) -> None:
    """Raise SetUpError when the tables are not those of this program."""
    version = read_version(database)
    if not version:
        raise SetUpError(f"{database.name} holds no ledger; `bounceparse suppress init` makes one")
    if version > HEAD:
        raise SetUpError(f"{database.name} was made by a newer bounceparse ({version}; this one knows {HEAD})")
    if version < HEAD:
        raise SetUpError(f"{database.name} was made by an older bounceparse; `bounceparse suppress upgrade` brings it up to date")


def upgrade(database: Database) -> str:
    """Bring the tables into the shape of this program, made where there are none; return the shape that was there before, "" for none.

    Everything happens in one transaction, so that it is done or not done; of several processes one does it, and the others find it done.
    """
    config = _config()

    def work(connection: Connection) -> str:
        from alembic import command

        if not database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:space, -1)"), {"space": SPACE})
        before = _version(connection)
        if before > HEAD:
            raise SetUpError(f"{database.name} was made by a newer bounceparse ({before}; this one knows {HEAD})")
        if before != HEAD:
            config.attributes["connection"] = connection
            with _alone:
                command.upgrade(config, "head")
        return before

    return database.write(work)


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table(VERSIONS):
        return ""
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSIONS}").scalar()
    return str(found or "")


def _config() -> Config:
    try:
        from alembic.config import Config
    except ModuleNotFoundError:
        raise LedgerError("to set up a ledger Alembic is needed: pip install 'bounceparse[ledger]'") from None
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
