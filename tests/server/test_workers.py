"""What is acknowledged is on disk: a sync that began after the commit has ended; and what hangs ends the program."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from bounceparse.engine import default_engine
from bounceparse.ledger import Ledger
from bounceparse.pipeline import Pipeline
from bounceparse.policy import Policy
from bounceparse.server.log import Log
from bounceparse.server.workers import Workers
from tests.pipeline.mails import bounce


def open_workers(place: Path) -> Workers:
    ledger = Ledger(str(place / "b.db"), durable=False)
    spool, policy = place / "spool", Policy.preset("default")
    log = Log(stream=(place / "log").open("w"))
    return Workers(lambda fence: Pipeline(ledger, policy, default_engine(), spool, fence=fence, sync=False), log)


def test_many_messages_share_a_sync_that_began_after_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = open_workers(tmp_path)
    workers.recover()
    seen: list[int] = []
    first = threading.Event()

    def sync(ledger: Ledger) -> None:
        seen.append(sum(1 for _ in ledger.events()))
        if len(seen) == 1:
            first.wait(10)

    monkeypatch.setattr(Ledger, "sync", sync)

    async def run() -> None:
        tasks = [asyncio.create_task(workers.take(lambda n=n: bounce(f"u{n}@example.com"), "lmtp", ())) for n in range(30)]  # type: ignore[misc]
        while sum(1 for _ in workers.pipeline.ledger.events()) < 30:
            await asyncio.sleep(0.01)
        assert not any(task.done() for task in tasks), "the first sync has not ended"
        first.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert seen[-1] == 30 and len(seen) <= 3
    workers.close()


def test_a_sync_is_one(tmp_path: Path) -> None:
    with Ledger(str(tmp_path / "b.db"), durable=False) as ledger:
        ledger.sync()
        ledger.add("a@example.com")
        ledger.sync()
        ledger.sync()
    Ledger("sqlite://").sync()
    ledger.sync()


FAILING = """
    import asyncio, sys, threading
    from pathlib import Path
    from bounceparse import pipeline
    from bounceparse.ledger import Ledger, LedgerError
    from tests.server.test_workers import bounce, open_workers
    async def run():
        workers = open_workers(Path(sys.argv[1]))
        {break_}
        watch = asyncio.create_task(workers.watch())
        await workers.take(lambda: bounce("a@example.com"), "lmtp", ())
        print("acknowledged")
    asyncio.run(run())
"""
BREAKS = {
    "hangs": "pipeline.BUDGET = 1; workers.pipeline.engine = type('E', (), {'parse': lambda *a: threading.Event().wait(60)})()",
    "cannot be synced": "Ledger.sync = lambda self: (_ for _ in ()).throw(LedgerError('input/output error'))",
}


@pytest.mark.parametrize("what", BREAKS)
def test_the_program_ends_when_it(tmp_path: Path, what: str) -> None:
    code = textwrap.dedent(FAILING).replace("{break_}", BREAKS[what])
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (75, ""), done.stderr
    assert " stuck " in (tmp_path / "log").read_text()
