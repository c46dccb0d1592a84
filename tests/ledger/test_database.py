"""The database itself: set up, brought up to date, shared by threads and processes, gone, or not there at all."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, text

import bounceparse
from bounceparse.ledger import Ledger, LedgerError, SetUpError, migrate, schema
from bounceparse.ledger.connect import Database
from bounceparse.policy import Policy
from tests.ledger.reports import report
from tests.waiting import at_once

Clock = Callable[[float], datetime]
ANN = "ann@example.org"
FOLDER = Path(bounceparse.__file__).parent / "ledger"


def test_the_steps_lead_to_the_tables(url: str) -> None:
    """What Alembic makes is what the code expects, and it can be taken away again."""
    database = Database(url)
    assert migrate.upgrade(database) == ""
    assert migrate.upgrade(database) == migrate.HEAD
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": migrate.VERSIONS, "compare_type": True, "compare_server_default": False}
        )
        assert compare_metadata(context, schema.metadata) == []

    def checks(connection: object) -> set[tuple[str, str]]:
        from sqlalchemy import inspect

        seen = inspect(connection)
        return {(table, str(check["name"])) for table in schema.metadata.tables for check in seen.get_check_constraints(table)}  # type: ignore[union-attr]

    expected = {
        (name, str(check.name))
        for name, table in schema.metadata.tables.items()
        for column in table.columns
        for check in column.constraints
        if isinstance(check, CheckConstraint)
    }
    with database.reading() as connection:
        assert checks(connection) == expected

    def down(connection: object) -> None:
        from alembic import command

        config = migrate._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    database.write(down)
    assert migrate.read_version(database) == ""
    database.close()


def test_the_last_step_is_the_head() -> None:
    script = ScriptDirectory(str(migrate.FOLDER))
    assert script.get_current_head() == migrate.HEAD
    assert len(script.get_heads()) == 1


def test_sqlite_sets_itself_up_and_postgresql_asks_for_it(url: str, policy: Policy) -> None:
    ledger = Ledger(url)
    if url.startswith("sqlite"):
        ledger.record(report(ANN), policy)
        assert ledger.check(ANN) is not None
    else:
        with pytest.raises(SetUpError, match="suppress init"):
            ledger.check(ANN)
        assert ledger.upgrade() == ""
        assert ledger.check(ANN) is None
    ledger.close()


def test_a_newer_ledger_is_left_alone(url: str) -> None:
    with Ledger(url) as ledger:
        ledger.upgrade()
        ledger._database.write(lambda connection: connection.execute(text("UPDATE bounce_version SET version_num = '9999'")))
    with pytest.raises(SetUpError, match="newer"):
        Ledger(url).check(ANN)
    with pytest.raises(SetUpError, match="newer"):
        Ledger(url).upgrade()


def test_threads_share_a_ledger(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    mails = [report(f"p{n % 10}@d{n % 3}.example", reason="mailbox_full", message=f"<{n}@example.com>") for n in range(60)]

    def work(offset: int) -> None:
        for n in range(60):
            ledger.record(mails[(n + offset) % 60], policy, now=clock(0))
            ledger.check(f"p{n}@d1.example")

    at_once(work, (0, 15, 30, 45))
    events = list(ledger.events())
    assert len(events) == 60
    assert {event.seen for event in events} == {4}


def _in_a_child(ledger: Ledger, policy: Policy, mails: list[bounceparse.Report]) -> None:
    for mail in mails:
        ledger.record(mail, policy)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_a_ledger(ledger: Ledger, policy: Policy, method: str) -> None:
    mails = [report(f"p{n}@example.com") for n in range(10)]
    ledger.record(mails[0], policy)
    context = multiprocessing.get_context(method)
    children = [context.Process(target=_in_a_child, args=(ledger, policy, mails)) for _ in range(2)]  # type: ignore[attr-defined]
    for child in children:
        child.start()
    for mail in mails:
        ledger.record(mail, policy)
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert sorted(event.seen for event in ledger.events()) == [3] * 9 + [4]


def test_asynchronous_code_uses_a_thread(ledger: Ledger, policy: Policy) -> None:
    async def story() -> list[bool]:
        await asyncio.gather(*(asyncio.to_thread(ledger.record, report(f"p{n}@example.com"), policy) for n in range(10)))
        return [await asyncio.to_thread(ledger.check, f"p{n}@example.com") is not None for n in range(11)]

    assert asyncio.run(story()) == [True] * 10 + [False]


def test_a_failure_in_the_middle_leaves_nothing(ledger: Ledger, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    from bounceparse.ledger import recording

    def fail(*_: object) -> None:
        raise LedgerError("no")

    monkeypatch.setattr(recording.holding, "begin", fail)
    with pytest.raises(LedgerError):
        ledger.record(report(ANN, "bob@example.com"), policy)
    monkeypatch.undo()
    assert list(ledger.events()) == []
    assert ledger.history(ANN).strikes == ()
    assert [decision.action for decision in ledger.record(report(ANN), policy)] == ["suppress"]


def test_in_memory(policy: Policy) -> None:
    ledger = Ledger("sqlite://")
    ledger.record(report(ANN), policy)
    at_once(lambda n: ledger.record(report(f"p{n}@example.com"), policy), range(8))
    assert len(list(ledger.suppressions())) == 9


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////nowhere/at/all/b.db", "no such file or directory"),
        ("mysql://host/db", "SQLite or PostgreSQL"),
        ("nonsense://x", "SQLite or PostgreSQL"),
        ("://", "no database URL"),
        ("postgresql://me:secret@127.0.0.1:1/db", "127.0.0.1"),
    ],
)
def test_a_ledger_that_is_not_there_is_said_in_one_line(url: str, words: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger(url).check(ANN)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "b.db").write_bytes(b"not a database at all, but a text that is long enough to look like one" * 20)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger(str(tmp_path / "b.db")).check(ANN)


def test_a_server_that_comes_back_is_used_again(postgresql: str, policy: Policy) -> None:
    import psycopg

    from tests.ledger import server

    with Ledger(server.create(postgresql, "comesback")) as ledger:
        ledger.upgrade()
        ledger.record(report(ANN), policy)
        with psycopg.connect(postgresql, autocommit=True) as link:
            link.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()")
        assert ledger.check(ANN) is not None


def test_no_text_is_put_into_sql() -> None:
    """Placeholders only: nothing that comes from outside is ever part of a statement."""
    import ast

    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("execute", "exec_driver_sql", "text"):
                put_together = [
                    arg
                    for arg in node.args
                    if isinstance(arg, ast.JoinedStr | ast.BinOp) or (isinstance(arg, ast.Call) and "format" in ast.unparse(arg.func))
                ]
                named = [
                    ast.unparse(value.value)
                    for arg in put_together
                    if isinstance(arg, ast.JoinedStr)
                    for value in arg.values
                    if isinstance(value, ast.FormattedValue)
                ]
                assert not put_together or set(named) <= {"PATIENCE", "VERSIONS"}, f"{path.name}:{node.lineno}"


def test_without_sqlalchemy_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['sqlalchemy'] = None\nimport bounceparse.ledger"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert told.stderr.splitlines()[-1] == "ImportError: the ledger needs SQLAlchemy: pip install 'bounceparse[ledger]'"


def _begin(url: str, number: int, barrier: Barrier) -> None:
    barrier.wait()
    Ledger(url, durable=False).record(report(f"p{number}@example.com"), Policy.preset("default"))


def test_many_begin_with_a_ledger_that_is_not_there_yet(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        url = f"sqlite:///{tmp_path}/{attempt}.db"
        barrier = context.Barrier(6)
        children = [context.Process(target=_begin, args=(url, number, barrier)) for number in range(6)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        assert [child.exitcode for child in children] == [0] * 6
        assert len(list(Ledger(url).suppressions())) == 6


def test_a_file_that_somebody_writes_is_waited_for_before_it_gets_its_log(tmp_path: Path) -> None:
    """SQLite itself does not wait when a file is to have a write-ahead log."""
    writer = sqlite3.connect(tmp_path / "b.db", check_same_thread=False)
    writer.executescript("CREATE TABLE other (x); BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, writer.close)
    timer.start()
    Ledger(str(tmp_path / "b.db")).upgrade()
    timer.join()


def test_threads_begin_with_ledgers_of_their_own(tmp_path: Path, policy: Policy) -> None:
    at_once(lambda number: Ledger(str(tmp_path / f"{number}.db"), durable=False).record(report(ANN), policy), range(6))


def test_no_thread_opens_a_file_that_another_is_making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its locks would go when the maker closes it (SQLite, How To Corrupt An SQLite Database File, 2.2)."""
    made, opened = threading.Event(), threading.Event()
    close, early = os.close, []

    def closing(number: int) -> None:
        made.set()
        early.append(opened.wait(0.3))
        close(number)

    def follow() -> None:
        made.wait()
        Ledger(str(tmp_path / "b.db")).upgrade()
        opened.set()

    other = threading.Thread(target=follow)
    other.start()
    monkeypatch.setattr(os, "close", closing)
    Ledger(str(tmp_path / "b.db")).check(ANN)
    other.join()
    assert early[0] is False and opened.is_set()


def test_when_the_power_fails_in_the_middle_nothing_is_half_there(tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk holds in the middle of a transaction: everything that was recorded before, and nothing of what is being recorded."""
    from bounceparse.ledger import holding

    folder = tmp_path / "true"
    folder.mkdir()
    copies: list[Path] = []
    begin = holding.begin

    def copying(*args: Any) -> int:
        copies.append(Path(shutil.copytree(folder, tmp_path / f"copy{len(copies)}")))
        return begin(*args)

    monkeypatch.setattr(holding, "begin", copying)
    with Ledger(str(folder / "b.db")) as ledger:
        for number in range(12):
            ledger.record(report(f"p{number}@d{number}.example", f"q{number}@d{number}.example"), policy)
    monkeypatch.undo()
    assert len(copies) == 24
    for number, copy in enumerate(copies):
        (copy / "b.db-shm").unlink(missing_ok=True)
        with Ledger(str(copy / "b.db")) as found:
            assert len(list(found.events())) == len(list(found.suppressions())) == number // 2 * 2
