"""The same tests on SQLite and on a real PostgreSQL server, which is started once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the ledger needs the extra `ledger`")

from bounceparse.ledger import Ledger
from bounceparse.policy import Policy
from tests.ledger import server

NUMBERS = count(1)
DAY = timedelta(days=1)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

Url = Callable[[], str]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server."""
    programs = server.find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="PostgreSQL needs the extra `postgres`")
    with server.running(programs) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bounces.db"
    return server.create(request.getfixturevalue("postgresql"), f"test{next(NUMBERS)}")


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger(url, durable=False) as made:
        made.upgrade()
        yield made


@pytest.fixture
def policy() -> Policy:
    return Policy.preset("default")


@pytest.fixture
def clock() -> Any:
    """Days after the first of the story."""
    return lambda days: NOW + days * DAY
