"""Many messages, in one process or in several, in the order of the input.

Each outcome is what the caller's `step` makes of a report, or a `Failure`. Memory holds a few chunks, whatever the size of the input. A message that
kills the process that reads it costs that message alone: its chunk is read again one message at a time, and goes on behind the one that killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeVar

from bounceparse.intake import Failure, OnFailure, Unit, raise_failure, read_unit, units
from bounceparse.intake import read as read_messages
from bounceparse.intake.files import Mail, binary_reader, read_open
from bounceparse.intake.units import Loose, weight
from bounceparse.model import Report

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    from bounceparse.engine import Engine

T = TypeVar("T")
Step = Callable[[Report, str], T]
"""What to make of a report and its origin. Where processes cannot be forked it has to be picklable."""

Jobs = int | Literal["auto"]
Source = str | os.PathLike[str] | IO[bytes]

CHUNK: Final = 256  # units given away at once
CHUNK_BYTES: Final = 1 << 18
AHEAD: Final = 4  # chunks for each process that may be finished before one that comes before them
STALLS: Final = 2  # times that a process may die between two messages before the rest of its chunk is given up

Chunk = list[Unit | Failure]


def read(
    source: Source | Iterable[Source], *, jobs: Jobs = 1, engine: Engine | None = None, recurse: bool = True, on_failure: OnFailure = raise_failure
) -> Iterator[Report]:
    """Yield the report on each message of a file, directory, Maildir, mailbox, archive, pattern or binary file object, lazily and in order.

    `source` may also be several of these. `jobs` is the number of processes, or "auto" for one a processor. What cannot be read raises an OSError
    (FileNotFoundError, PermissionError or UnreadableError), unless `on_failure` takes the `Failure` and returns: then the rest goes on.
    """
    sources = [source] if isinstance(source, str | os.PathLike) or hasattr(source, "read") else list(source)
    for outcome in run(sources, _report, engine=engine, recurse=recurse, jobs=jobs):  # type: ignore[arg-type]
        if isinstance(outcome, Failure):
            on_failure(outcome)
        else:
            yield outcome


def _report(report: Report, origin: str) -> Report:
    return report


def run(
    sources: Iterable[Source],
    step: Step[T],
    *,
    engine: Engine | None = None,
    recurse: bool = False,
    jobs: Jobs = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[T | Failure]:
    """Yield `step(report, origin)` or a `Failure` for each message, in the order of the input; "-" is standard input.

    `on_progress(messages, bytes)` is told how much was read since it was last called.
    """
    engine = engine or _built_in()
    count = processors() if jobs == "auto" else jobs
    if count > 1:
        yield from _run_in_processes(_chunks(sources, recurse), step, engine, count, on_progress)
        return
    for item in _told(_read(sources, recurse)):
        if isinstance(item, Failure):
            yield item
        else:
            yield _attempt(step, engine, item)
            if on_progress is not None:
                on_progress(1, len(item[1]))


@lru_cache(maxsize=1)
def _built_in() -> Engine:
    from bounceparse.engine import Engine

    return Engine()


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _attempt(step: Step[T], engine: Engine, mail: Mail) -> T | Failure:
    origin, raw = mail
    try:
        return step(engine.parse(raw), origin)
    except Exception as error:  # noqa: BLE001  # a fault in one message must not cost the others theirs; it is told, and the exit code is 1
        return Failure(origin, "lost", f"a fault in bounceparse left it out ({type(error).__name__}: {error}); please report it")


def _read(sources: Iterable[Source], recurse: bool) -> Callable[[OnFailure], Iterator[Mail]]:
    def read_all(on_failure: OnFailure) -> Iterator[Mail]:
        for source in sources:
            if isinstance(source, str | os.PathLike):
                yield from read_messages([os.fspath(source)], recurse, on_failure)
            else:
                yield from read_open(name_of(source), binary_reader(source), on_failure)

    return read_all


def name_of(file: IO[bytes]) -> str:
    """Return the name of a file object, or "-" when it has none."""
    name = getattr(file, "name", "")
    return name if isinstance(name, str) and name else "-"


def _told(reader: Callable[[OnFailure], Iterator[T]]) -> Iterator[T | Failure]:
    """Yield what `reader(on_failure)` yields, and each failure in its place among it."""
    failures: list[Failure] = []
    for item in reader(failures.append):
        if failures:
            yield from failures
            failures.clear()
        yield item
    yield from failures


def _chunks(sources: Iterable[Source], recurse: bool) -> Iterator[Chunk]:
    def pieces(on_failure: OnFailure) -> Iterator[Unit]:
        for source in sources:
            if isinstance(source, str | os.PathLike):
                yield from units([os.fspath(source)], recurse, on_failure)
            else:
                yield from (Loose(*mail) for mail in read_open(name_of(source), binary_reader(source), on_failure))

    chunk: Chunk = []
    size = 0
    for unit in _told(pieces):
        chunk.append(unit)
        size += 0 if isinstance(unit, Failure) else weight(unit)
        if size >= CHUNK_BYTES or len(chunk) >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _mails(chunk: Chunk) -> Iterator[Mail | Failure]:
    for unit in chunk:
        if isinstance(unit, Failure):
            yield unit
        else:
            yield from _told(lambda on_failure, unit=unit: read_unit(unit, on_failure))  # type: ignore[misc]


# The processes. Each has one link to the parent and at most one chunk; it gets the next when it has answered, so neither side ever waits to write
# while the other does. An order is (chunk, skip): skip None asks for all outcomes in one answer, a number for one after another behind so many.


def _work(link: Connection, inherited: list[Connection], step: Step[Any], engine: Engine) -> None:
    """Read chunks until the link is closed. Runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the work, whole records first
    for other in inherited:  # else the links of the others would stay open when the parent is gone
        other.close()
    try:
        while True:
            chunk, skip = link.recv()
            if skip is None:
                link.send([item if isinstance(item, Failure) else _attempt(step, engine, item) for item in _mails(chunk)])
                continue
            for item in islice(_mails(chunk), skip, None):
                if not isinstance(item, Failure):
                    link.send(("at", item[0]))
                link.send(("is", item if isinstance(item, Failure) else _attempt(step, engine, item)))
            link.send(("end", None))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


class _Task:
    """A chunk, and how far it came."""

    def __init__(self, number: int, chunk: Chunk) -> None:
        self.number = number
        self.chunk = chunk
        self.outcomes: list[Any] = []
        self.careful = False  # one message at a time
        self.at = ""  # origin of the message that is being read
        self.stalls = 0

    def take(self, answer: Any) -> bool:
        """Keep what a process answered; return whether the chunk is done."""
        if not self.careful:
            self.outcomes = answer
            return True
        word, value = answer
        if word == "at":
            self.at = value
        elif word == "is":
            self.outcomes.append(value)
            self.at = ""
        return bool(word == "end")

    def died(self, how: str) -> bool:
        """Note that the process died; return whether there is nothing left to try."""
        if not self.careful:
            self.careful = True
        elif self.at:
            self.outcomes.append(Failure(self.at, "lost", f"the process that read it {how}; the message is left out"))
            self.at = ""
            self.stalls = 0
        else:
            self.stalls += 1
            if self.stalls == STALLS:
                first = next((unit[0] for unit in self.chunk), "")
                self.outcomes.append(Failure(first, "lost", f"the process that read it {how}; messages from here on may be left out"))
                return True
        return False


class _Worker:
    def __init__(self, context: BaseContext, others: Iterable[_Worker], step: Step[Any], engine: Engine) -> None:
        self.link, theirs = context.Pipe()
        forked = context.get_start_method() == "fork"
        inherited = [self.link, *(other.link for other in others)] if forked else []
        self.process = context.Process(target=_work, args=(theirs, inherited, step, engine), daemon=True)  # type: ignore[attr-defined]
        self.process.start()
        theirs.close()
        self.task: _Task | None = None

    def give(self, task: _Task) -> None:
        self.task = task
        try:
            self.link.send((task.chunk, len(task.outcomes) if task.careful else None))
        except OSError:  # it died meanwhile, which its link says as well
            return

    def end(self) -> str:
        """Make sure that the process is gone; return how it went, in words."""
        self.link.close()
        self.process.join(1)
        if self.process.exitcode is None:
            self.process.terminate()
            self.process.join()
        code = self.process.exitcode
        return f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"


def _run_in_processes(
    chunks: Iterator[Chunk], step: Step[T], engine: Engine, count: int, on_progress: Callable[[int, int], None] | None
) -> Iterator[T | Failure]:
    from multiprocessing import get_context
    from multiprocessing.connection import wait

    context = get_context("fork" if sys.platform == "linux" else None)
    workers: list[_Worker] = []
    again: deque[_Task] = deque()
    finished: dict[int, _Task] = {}
    taken = given_out = 0
    more = True
    try:
        while True:
            while len(busy := [worker for worker in workers if worker.task]) < count:
                if again:
                    task = again.popleft()
                elif more and taken - given_out < AHEAD * count:
                    chunk = next(chunks, None)
                    if chunk is None:
                        more = False
                        break
                    task = _Task(taken, chunk)
                    taken += 1
                else:
                    break
                idle = next((worker for worker in workers if not worker.task), None)
                if idle is None:
                    idle = _Worker(context, workers, step, engine)
                    workers.append(idle)
                idle.give(task)
            if not busy:
                return
            ready = wait([worker.link for worker in busy])
            for worker in busy:
                if worker.link not in ready or worker.task is None:
                    continue
                task = worker.task
                try:
                    done = task.take(worker.link.recv())
                except (EOFError, OSError):
                    workers.remove(worker)
                    done = task.died(worker.end())
                    if not done:
                        again.append(task)
                        continue
                if done:
                    worker.task = None
                    finished[task.number] = task
            while given_out in finished:
                task = finished.pop(given_out)
                given_out += 1
                if on_progress is not None:
                    on_progress(len(task.outcomes), sum(weight(unit) for unit in task.chunk if not isinstance(unit, Failure)))
                yield from task.outcomes
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.end()
