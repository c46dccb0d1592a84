"""Many messages, in one process or in several, in the order of the input.

Each outcome is what the caller's `step` makes of a report, or a `Failure`. Memory holds a few chunks, whatever the size of the input. A message that
ends the process that reads it, by a crash, by time or by memory, costs that message alone; the `Failure` holds it, so that it can be put aside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeVar

from bounceparse.batch.chunks import START, ChangedError, Mail, Position, Source, chunks, name_of, told
from bounceparse.batch.workers import Bounds, Step, attempt, work
from bounceparse.intake import Failure, OnFailure, raise_failure
from bounceparse.intake import read as read_messages
from bounceparse.intake.files import binary_reader, read_open
from bounceparse.model import Report

if TYPE_CHECKING:
    from bounceparse.engine import Engine

T = TypeVar("T")
OnProgress = Callable[[int, int], None]
Jobs = int | Literal["auto"]

_USUAL = Bounds()


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
    ordered: bool = True,
    bounds: Bounds = _USUAL,
    apart: bool = False,
    on_progress: OnProgress | None = None,
) -> Iterator[T | Failure]:
    """Yield `step(report, origin)` or a `Failure` for each message, in the order of the input unless `ordered` is False; "-" is standard input.

    With one job messages are read in this process, where `bounds` do not hold, unless they are to be read `apart`. `on_progress(messages, bytes)` is
    told how much was read since its last call.
    """
    engine = engine or _built_in()
    count = processors() if jobs == "auto" else jobs
    if count > 1 or apart:
        for outcomes, _ in work(chunks(sources, recurse), step, engine, count, bounds, ordered, on_progress):
            yield from outcomes
        return
    for item in told(_read(sources, recurse)):
        if isinstance(item, Failure):
            yield item
            continue
        size = len(item[1])
        outcome = attempt(step, engine, item)
        del item  # a long message would be held until the next one is there
        yield outcome
        if on_progress is not None:
            on_progress(1, size)


def run_from(
    start: Position,
    sources: Iterable[Source],
    step: Step[T],
    *,
    engine: Engine | None = None,
    recurse: bool = False,
    jobs: Jobs = 1,
    bounds: Bounds = _USUAL,
    on_progress: OnProgress | None = None,
) -> Iterator[tuple[list[T | Failure], Position]]:
    """Yield the outcomes behind `start`, some at a time, each time with the place behind them, from which another run can go on.

    Messages are always read in other processes, so that `bounds` hold. Raises ChangedError when the input before `start` is no longer what it was.
    """
    skipped = None if on_progress is None else lambda size: on_progress(0, size)
    count = processors() if jobs == "auto" else jobs
    yield from work(chunks(sources, recurse, start, True, skipped), step, engine or _built_in(), count, bounds, True, on_progress)


@lru_cache(maxsize=1)
def _built_in() -> Engine:
    from bounceparse.engine import Engine

    return Engine()


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read(sources: Iterable[Source], recurse: bool) -> Callable[[OnFailure], Iterator[Mail]]:
    def read_all(on_failure: OnFailure) -> Iterator[Mail]:
        for source in sources:
            if isinstance(source, str | os.PathLike):
                yield from read_messages([os.fspath(source)], recurse, on_failure)
            else:
                yield from read_open(name_of(source), binary_reader(source), on_failure)

    return read_all


__all__ = ["START", "Bounds", "ChangedError", "Jobs", "Position", "Source", "Step", "name_of", "processors", "read", "run", "run_from"]
