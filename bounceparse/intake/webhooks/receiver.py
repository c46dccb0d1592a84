"""From a request to reports: recognised, read, judged, and each event once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime
from threading import Lock
from typing import Final

from msgspec import Struct

from bounceparse.intake.webhooks.request import BODY, RefusedError, Request, Service
from bounceparse.intake.webhooks.told import make_report
from bounceparse.judge import Judge
from bounceparse.model import Report
from bounceparse.tables import Tables

REMEMBERED: Final = 200_000  # names of requests and events


class Seen:
    """What was taken already, for as long as the age limit would let its copy pass. Safe for threads."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()
        self._most = most
        self._lock = Lock()

    def has(self, name: str, now: datetime) -> bool:
        """Say whether a name was taken."""
        with self._lock:
            return self._until.get(name, 0) >= now.timestamp()

    def take(self, names: Iterable[str], now: datetime, seconds: int) -> None:
        """Take names for some time; beyond what is remembered the oldest go."""
        until = now.timestamp() + seconds
        with self._lock:
            for name in names:
                self._until[name] = until
                self._until.move_to_end(name)
            while self._until and (len(self._until) > self._most or next(iter(self._until.values())) < now.timestamp()):
                self._until.popitem(last=False)


class Received(Struct, frozen=True):
    """What a request led to. Hand it to `Receiver.done` when its reports are stored, not before: until then it may come again."""

    reports: tuple[Report, ...] = ()
    replayed: int = 0  # events that were taken before
    ignored: int = 0  # events that say nothing about delivery
    answer: dict[str, str] = {}
    remark: str = ""
    names: tuple[str, ...] = ()


class Receiver:
    """Takes the requests of one service. `judge` and `tables` are those of an engine; safe for threads."""

    def __init__(self, service: Service, judge: Judge, tables: Tables, seen: Seen | None = None) -> None:
        self.service = service
        self._judge = judge
        self._tables = tables
        self._seen = seen if seen is not None else Seen()

    def receive(self, request: Request, now: datetime | None = None) -> Received:
        """Return the reports of one request; raises RefusedError when it is not believed or cannot be read.

        A request or event that was taken before gives no report again. The ledger counts it once as well: this saves the work, and stops copies with
        another body where the service signs no body.
        """
        now = now or datetime.now(UTC)
        if len(request.body) > BODY:
            raise RefusedError(413, f"more than {BODY >> 20} MiB")
        batch = self.service.read(request, now)
        name = self.service.name
        once = (f"{name}:request:{batch.once}",) if batch.once else ()
        if once and self._seen.has(once[0], now):
            return Received(replayed=max(1, len(batch.told)), ignored=batch.ignored)
        reports: list[Report] = []
        names: dict[str, None] = {}  # in order
        for told in batch.told:
            report = make_report(told, name, self._judge, self._tables)
            mark = f"{name}:{report.digest}"
            if mark not in names and not self._seen.has(mark, now):
                reports.append(report)
                names[mark] = None
        return Received(tuple(reports), len(batch.told) - len(reports), batch.ignored, batch.answer, batch.remark, (*once, *names))

    def done(self, received: Received, now: datetime | None = None) -> None:
        """Note that the reports of a request are stored."""
        self._seen.take(received.names, now or datetime.now(UTC), self.service.age)
