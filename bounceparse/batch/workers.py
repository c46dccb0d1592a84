"""The processes that read, and what becomes of a message that ends one of them.

Each has one link to the parent and at most one chunk; it gets the next when it has answered, so neither side ever waits to write while the other
does. A chunk whose process died, hung or ate memory is read again one message at a time, and goes on behind the message that did it: that one is a
`Failure` with the message in it. Time is that of the wall, memory that of the address space above what the process began with.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from bounceparse.batch.chunks import Chunk, Item, Position, told
from bounceparse.intake import Failure, Slice, read_unit
from bounceparse.intake.eml import KEEP
from bounceparse.intake.files import Mail
from bounceparse.intake.units import Loose
from bounceparse.model import Report

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    from bounceparse.engine import Engine

T = TypeVar("T")
Step = Callable[[Report, str], T]
"""What to make of a report and its origin. Where processes cannot be forked it has to be picklable."""

SECONDS: Final = 60.0  # for one message, and for a whole chunk before it is read one message at a time; the slowest of 25 MiB take about 2
MEMORY: Final = 1 << 29  # bytes of address space that a process may take beyond what it began with
AHEAD: Final = 4  # chunks for each process that may be finished before one that comes before them
HELD: Final = 1 << 23  # bytes of messages, or of what was made of them, above which no further chunk is taken
LONG: Final = 1 << 20  # bytes of a long message
_M_MMAP_THRESHOLD: Final = -3  # of malloc.h
STALLS: Final = 2  # times that a process may die between two messages before the rest of their unit is given up


class Bounds(NamedTuple):
    """What one message may cost before its process is ended."""

    seconds: float = SECONDS
    memory: int = MEMORY


@cache
def _give_memory_back() -> None:
    """Have long blocks given back to the system when they are freed. glibc keeps blocks as long as the longest it ever freed: memory would creep."""
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LONG)


def attempt(step: Step[T], engine: Engine, mail: Mail) -> T | Failure:
    """Return the step's outcome for one message; a fault of ours is a `Failure` that holds the message."""
    origin, raw = mail
    if len(raw) > LONG:
        _give_memory_back()
    try:
        return step(engine.parse(raw), origin)
    except MemoryError:
        return Failure(origin, "lost", "reading it took more memory than is allowed", raw)
    except Exception as error:  # noqa: BLE001  # a fault in one message must not cost the others theirs; it is told, and the exit code is 1
        return Failure(origin, "lost", f"a fault in bounceparse left it out ({type(error).__name__}: {error}); please report it", raw)


def _mails(item: Item) -> Iterator[Mail | Failure]:
    if isinstance(item, Failure):
        return iter((item,))
    return told(lambda on_failure: read_unit(item, on_failure))


Order = tuple[list[Item], tuple[int, int] | None]
"""A chunk to be answered at once; or, with the number of a unit and of messages in it, to be read from there on, one answer a message."""


def _work(link: Connection, inherited: list[Connection], forget: list[Callable[[], None]], step: Step[Any], engine: Engine, memory: int) -> None:
    """Read chunks until the link is closed. Runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the work, whole records first
    for other in inherited:  # else the links of the others would stay open when the parent is gone
        other.close()
    for let_go in forget:  # of messages that a fork of the parent holds
        let_go()
    forget.clear()
    gc.freeze()  # what came from the parent is never garbage, and looking at it would copy it
    _bound_memory(memory)
    _give_memory_back()
    try:
        while True:
            order: Order = link.recv()
            items, place = order
            del order
            if place is None:
                link.send(_all(items, step, engine))
                continue
            unit, skip = place
            for number in range(unit, len(items)):
                link.send(("unit", number))
                for count, mail in enumerate(_mails(items[number])):
                    if number == unit and count < skip:
                        continue
                    if not isinstance(mail, Failure):
                        link.send(("at", mail))
                    link.send(("is", mail if isinstance(mail, Failure) else attempt(step, engine, mail)))
            link.send(("end", None))
            items = []
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _all(items: list[Item], step: Step[T], engine: Engine) -> list[T | Failure]:
    """Return the outcomes of `items`, and let go of each message as soon as it is read."""
    outcomes: list[T | Failure] = []
    items.reverse()
    while items:
        for mail in _mails(items.pop()):
            outcomes.append(mail if isinstance(mail, Failure) else attempt(step, engine, mail))
            del mail
    return outcomes


def _bound_memory(more: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
            now = int(file.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = now + more
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    except (OSError, ValueError):  # no /proc, or not allowed: the bound is a safeguard, not a need
        return


class _Task:
    """A chunk, and how far it came."""

    def __init__(self, number: int, chunk: Chunk) -> None:
        self.number = number
        self.chunk = chunk
        self.outcomes: list[Any] = []
        self.careful = False  # one message at a time
        self.place = (0, 0)  # number of the unit, and messages of it that are done
        self.at: Mail | None = None  # the message that is being read
        self.stalls = 0

    def forget(self) -> None:
        """Let go of all messages and outcomes."""
        self.chunk = self.chunk._replace(items=[])
        self.outcomes = []
        self.at = None

    def order(self) -> Order:
        return self.chunk.items, self.place if self.careful else None

    def take(self, answer: Any) -> bool:
        """Keep what a process answered; return whether the chunk is done."""
        if not self.careful:
            self.outcomes = answer
            return True
        word, value = answer
        if word == "unit":
            self.place = self.place if value == self.place[0] else (value, 0)
        elif word == "at":
            self.at = value
        elif word == "is":
            self._done(value)
        return bool(word == "end")

    def _done(self, outcome: Any) -> None:
        self.outcomes.append(outcome)
        self.place = (self.place[0], self.place[1] + 1)
        self.at = None
        self.stalls = 0

    def died(self, how: str) -> bool:
        """Note that the process is gone; return whether there is nothing left to try."""
        if not self.careful:
            self.careful = True
            return False
        if self.at is not None:
            self._done(Failure(self.at[0], "lost", f"the process that read it {how}; the message is left out", self.at[1]))
            return False
        self.stalls += 1
        if self.stalls < STALLS:
            return False
        unit, done = self.place
        self.outcomes.append(_lost(self.chunk.items[unit], done, how))
        self.place, self.stalls = (unit + 1, 0), 0
        return unit + 1 == len(self.chunk.items)


def _lost(item: Item, done: int, how: str) -> Failure:
    """Return the failure of a unit that could not be taken apart, with its bytes where no file holds just them."""
    why = f"the process that read it {how}"
    if isinstance(item, Loose):
        return Failure(item.origin, "lost", f"{why}; the message is left out", item.data)
    if isinstance(item, Slice):
        try:
            with open(item.path, "rb") as file:  # noqa: PTH123
                file.seek(item.start)
                data = file.read(min(item.end - item.start, KEEP))
        except OSError:
            data = b""
        return Failure(f"{item.path}#{item.number + done}", "lost", f"{why}; messages from here on are left out", data)
    if isinstance(item, Failure):
        return item
    return Failure(item.path, "lost", f"{why}; messages from the {done + 1}. on are left out" if done else f"{why}; it is left out")


class _Worker:
    def __init__(
        self, context: BaseContext, others: list[_Worker], forget: list[Callable[[], None]], step: Step[Any], engine: Engine, memory: int
    ) -> None:
        self.link, theirs = context.Pipe()
        forked = context.get_start_method() == "fork"
        inherited = [self.link, *(other.link for other in others)] if forked else []
        forget = [*forget, *(other.task.forget for other in others if other.task)] if forked else []
        self.process = context.Process(target=_work, args=(theirs, inherited, forget, step, engine, memory), daemon=True)  # type: ignore[attr-defined]
        self.process.start()
        theirs.close()
        self.task: _Task | None = None
        self.since = 0.0  # when it was last heard of, or given work

    def give(self, task: _Task) -> None:
        self.task = task
        self.since = monotonic()
        try:
            self.link.send(task.order())
        except OSError:  # it died meanwhile, which its link says as well
            return

    def end(self, patience: float = 1) -> str:
        """Make sure that the process is gone; return how it went, in words."""
        self.link.close()
        self.process.join(patience)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        return f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"


def _weigh(outcomes: list[Any]) -> int:
    """Return how many bytes the outcomes hold, themselves or in their first place."""
    held = [outcome[0] if isinstance(outcome, tuple) and outcome else outcome for outcome in outcomes]
    return sum(len(outcome) for outcome in held if isinstance(outcome, bytes))


def work(
    chunks: Generator[Chunk, None, None],
    step: Step[T],
    engine: Engine,
    count: int,
    bounds: Bounds,
    ordered: bool,
    on_progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[list[T | Failure], Position]]:
    """Yield the outcomes of each chunk and the place behind it, read by `count` processes; in the order of the input, or as they come."""
    from multiprocessing import get_context
    from multiprocessing.connection import wait

    context = get_context("fork" if sys.platform == "linux" else None)
    workers: list[_Worker] = []
    again: deque[_Task] = deque()
    finished: dict[int, _Task] = {}
    taken = given_out = 0
    held = 0  # bytes of messages in chunks under way, and of what was made of finished ones
    more = True
    try:
        while True:
            while len(busy := [worker for worker in workers if worker.task]) < count:
                if again:
                    task = again.popleft()
                elif more and taken - given_out < AHEAD * count and (held < HELD or not busy):
                    chunk = next(chunks, None)
                    if chunk is None:
                        more = False
                        break
                    held += chunk.held
                    if chunk.held > LONG:
                        _give_memory_back()
                    task = _Task(taken, chunk)
                    taken += 1
                    del chunk
                else:
                    break
                idle = next((worker for worker in workers if not worker.task), None)
                if idle is None:
                    forget = [chunks.close, *(some.forget for some in (task, *again, *finished.values()))]
                    idle = _Worker(context, workers, forget, step, engine, bounds.memory)
                    del forget
                    workers.append(idle)
                idle.give(task)
            if finished and (not ordered or given_out in finished):  # the processes have their next chunk before this one is written
                task = finished.pop(given_out if ordered else next(iter(finished)))
                given_out += 1
                held -= _weigh(task.outcomes)
                if on_progress is not None:
                    on_progress(len(task.outcomes), task.chunk.size)
                yield task.outcomes, task.chunk.after
                continue
            if not busy:
                return
            ready = wait([worker.link for worker in busy], max(0.0, min(worker.since for worker in busy) + bounds.seconds - monotonic()))
            now = monotonic()
            for worker in busy:
                task_of = worker.task
                if task_of is None:
                    continue
                how = ""
                done = False
                if worker.link in ready:
                    try:
                        done = task_of.take(worker.link.recv())
                        worker.since = now
                    except (EOFError, OSError):
                        how = worker.end()
                elif now - worker.since >= bounds.seconds:
                    worker.end(0)
                    how = f"took more than {bounds.seconds:g} seconds and was ended"
                if how:
                    workers.remove(worker)
                    done = task_of.died(how)
                    if not done:
                        again.append(task_of)
                        continue
                if done:
                    worker.task = None
                    held += _weigh(task_of.outcomes) - task_of.chunk.held
                    task_of.chunk = task_of.chunk._replace(items=[])
                    finished[task_of.number] = task_of
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.end()


__all__ = ["Bounds", "Step", "attempt", "work"]
