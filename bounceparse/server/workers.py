"""The threads that take messages for a server, and the watch over them.

SQLite has one writer at a time, so one thread serves it best; what waits, waits in its session. Each message is a transaction of its own, and one
sync of the disk serves all that were written meanwhile: only then are they acknowledged.

A thread cannot be stopped from outside: when reading one message takes longer than it may, the whole program ends, is started again, and its claims
tell which message it was. It ends too when the disk cannot be synced, since nobody knows then what of the log is there; a start writes it anew.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bounceparse.ledger import LedgerError
from bounceparse.pipeline import Pipeline, Taken, UnstoredError
from bounceparse.server.log import Log

STUCK: Final = 75  # exit code of a program whose thread hangs
EVERY: Final = 1.0  # seconds between two looks


class Workers:
    """Takes messages in threads; `make` is given the fence that the pipeline has to call."""

    def __init__(self, make: Callable[[Callable[[int], None]], Pipeline], log: Log) -> None:
        self._until: dict[int, float] = {}
        self.pipeline = make(self._fence)
        self._log = log
        self._one_file = self.pipeline.ledger.file is not None
        self._threads = ThreadPoolExecutor(1 if self._one_file else 4, "take")
        self._syncing = ThreadPoolExecutor(1, "sync")
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def take(self, raw: Callable[[], bytes], origin: str, envelope: Sequence[str]) -> Taken:
        """Return what became of a message, whose bytes are made in the thread; raises UnstoredError when it is not safe."""
        taken = await asyncio.get_running_loop().run_in_executor(self._threads, self._take, raw, origin, tuple(envelope))
        if self._one_file:
            await self._synced()
        return taken

    async def _synced(self) -> None:
        """Return when a sync has ended that began after now; all who wait share the next one."""
        if self._next is None:
            self._next = asyncio.create_task(self._sync(self._running))
        await asyncio.shield(self._next)

    async def _sync(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        try:
            await asyncio.get_running_loop().run_in_executor(self._syncing, self.pipeline.ledger.sync)
        except LedgerError as error:
            self._log("stuck", why=f"{error}; ending, to be started again")
            os._exit(STUCK)

    def recover(self) -> None:
        """Take what was left by programs that died; raises LedgerError when the ledger cannot be used, UnstoredError when it becomes so."""
        self.pipeline.ledger.check("")
        for taken in self.pipeline.recover():
            self._tell(taken, "spool", 0.0)
        self.pipeline.ledger.close()

    async def watch(self) -> None:
        """End the program when a thread hangs; runs until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            now = time.monotonic()
            if any(until < now for until in list(self._until.values())):
                self._log("stuck", why="reading one message takes too long; ending, to be started again")
                os._exit(STUCK)

    def close(self) -> None:
        """Return when the threads have done what they have; nothing new is taken."""
        self._threads.shutdown()
        self._syncing.shutdown()
        self.pipeline.ledger.close()

    def _take(self, raw: Callable[[], bytes], origin: str, envelope: tuple[str, ...]) -> Taken:
        began = time.monotonic()
        try:
            taken = self.pipeline.take(raw(), origin=origin, envelope=envelope)
        except UnstoredError as error:
            self._log("unstored", origin=origin, why=error)
            raise
        self._tell(taken, origin, time.monotonic() - began)
        return taken

    def _tell(self, taken: Taken, origin: str, took: float) -> None:
        actions = ",".join(sorted({decision.action for decision in taken.decisions}))
        said = {"origin": origin, "digest": taken.digest[:12], "kind": taken.kind, "recipients": len(taken.decisions), "actions": actions}
        self._log(taken.outcome, **said, ms=round(took * 1000), **({"why": taken.why} if taken.why else {}))

    def _fence(self, seconds: int) -> None:
        thread = threading.get_ident()
        if seconds:
            self._until[thread] = time.monotonic() + seconds
        else:
            self._until.pop(thread, None)
