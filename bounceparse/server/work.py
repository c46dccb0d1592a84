"""What each route does: plain functions from a call to an answer, each run in a thread of its own. They know nothing of HTTP but statuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import UnsetType

from bounceparse import limits
from bounceparse.decide import address_of, decide, key_of
from bounceparse.engine import Engine
from bounceparse.intake.webhooks import Receiver, RefusedError, Request, Seen, Service
from bounceparse.judge import Judge
from bounceparse.ledger import Ledger, LedgerError
from bounceparse.model import Decision, Held, History, Proof, Report, Scope
from bounceparse.policy import Policy
from bounceparse.record import records, results_of
from bounceparse.server import shapes
from bounceparse.server.access import Place
from bounceparse.server.metrics import Metrics
from bounceparse.text import printable

T = TypeVar("T")

JSON: Final = "application/json"


class Call(NamedTuple):
    """One request, read and allowed."""

    body: bytes
    query: Any  # the struct of the route
    path: dict[str, str]
    headers: dict[str, str]
    by: str  # the name of the token, for the history of suppressions


class Answer(NamedTuple):
    """What goes back: a struct that becomes JSON, or bytes of another type."""

    status: int = 200
    content: Any = b""
    type: str = JSON
    remark: str = ""  # for the log


class ProblemError(Exception):
    """A request that cannot be served, with the status of the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Work:
    """All that the routes need, opened once; safe for threads. Without a ledger, what needs one answers 503."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        ledger: Ledger | None,
        services: Iterable[Service] = (),
        metrics: Metrics | None = None,
        places: Mapping[str, Place] | None = None,
    ) -> None:
        self.engine = engine
        self.policy = policy
        self.metrics = metrics or Metrics()
        self._ledger = ledger
        self._places = places or {}
        seen, judge = Seen(), Judge(engine.tables)
        self._receivers = {service.name: Receiver(service, judge, engine.tables, seen) for service in services}

    @property
    def ledger(self) -> Ledger:
        if self._ledger is None:
            raise ProblemError(503, "this server keeps no ledger; start it with --ledger")
        return self._ledger

    # Mail and replies

    def parse(self, call: Call) -> Answer:
        """Records of one message."""
        return Answer(content=shapes.Records(records(self._read(call.body), call.query.origin)))

    def classify(self, call: Call) -> Answer:
        """Verdicts on bare replies."""
        return Answer(content=shapes.Verdicts([self._judge(reply) for reply in body_of(call, shapes.Replies).replies]))

    def decide(self, call: Call) -> Answer:
        """Decisions on one message; done as well when that is asked for."""
        report = self._read(call.body)
        now = datetime.now(UTC)
        query: shapes.OfDecide = call.query
        if query.apply:
            decisions = self._record(report, query.origin, list=query.of_list, sender=query.sender, now=now)
        else:
            decisions = self._preview(report, now)
        found = [
            shapes.Decided(one.address, one.action, one.policy, one.because, one.until, one.scope, one.key, report.kind, result.verdict.reason)
            for one, result in zip(decisions, results_of(report), strict=True)
        ]
        return Answer(content=shapes.Decisions(query.apply, found))

    # Suppressions

    def get_suppression(self, call: Call) -> Answer:
        """The suppression of an address."""
        address = address_in(call)
        query: shapes.OfSuppression = call.query
        found = self.ledger.check(address, list=query.of_list or None, sender=query.sender or None)
        if found is None:
            raise ProblemError(404, "nothing speaks against this address")
        return Answer(content=found)

    def put_suppression(self, call: Call) -> Answer:
        """Suppress an address; 201 when it was not before, or not as strongly."""
        address, new = address_in(call), body_of(call, shapes.New)
        until = bounded(new.until) if new.until is not None else None
        if until is not None and until <= datetime.now(UTC):
            raise ProblemError(409, "that time is over already")
        if new.of_list and new.sender:
            raise ProblemError(409, "name a list or a sender, not both")
        scope: Scope = "list" if new.of_list else "sender" if new.sender else "everywhere"
        place, why = new.of_list or new.sender, printable(new.why, limits.FIELD)
        try:
            fresh = self.ledger.add(address, reason=new.reason, scope=scope, place=place, until=until, why=why, by=call.by)
        except ValueError as error:
            raise ProblemError(409, str(error)) from None
        found = self.ledger.check(address, list=new.of_list or None, sender=new.sender or None)
        if found is None:
            raise ProblemError(409, "it was taken back meanwhile")
        return Answer(201 if fresh else 200, found)

    def delete_suppression(self, call: Call) -> Answer:
        """End the suppressions of an address."""
        if not self.ledger.remove(address_in(call), by=call.by):
            raise ProblemError(404, "nothing speaks against this address")
        return Answer(204)

    def check(self, call: Call) -> Answer:
        """Which of many addresses are suppressed."""
        asked = body_of(call, shapes.Check)
        found = zip(asked.addresses, self.ledger.check_many(asked.addresses, list=asked.of_list, sender=asked.sender), strict=True)
        return Answer(content=shapes.Checked({address: one for address, one in found if one is not None}))

    # What happened

    def events(self, call: Call) -> Answer:
        """Events, oldest first."""
        query: shapes.OfEvents = call.query
        asked = self.ledger.events(
            action=query.action or None, domain=query.domain, reason=query.reason, since=bounded(query.since), until=bounded(query.until)
        )
        found = list(islice(asked, query.limit + 1))
        return Answer(content=shapes.Events(found[: query.limit], len(found) > query.limit))

    def alerts(self, call: Call) -> Answer:
        """Trouble of the sender."""
        return Answer(content=shapes.Alerts(self.ledger.alerts(since=bounded(call.query.since))))

    # Mail services

    def webhook(self, call: Call) -> Answer:
        """Record the events of a mail service; a request is noted as taken only when all of them are stored."""
        name = call.path["service"]
        receiver = self._receivers.get(name)
        if receiver is None:
            raise ProblemError(404, "no such service is set up")
        count = self.metrics.hooks.labels
        try:
            received = receiver.receive(Request(call.headers, call.body))
        except RefusedError as error:
            count(name, "refused").inc()
            raise ProblemError(error.status, str(error)) from None
        place = self._places.get(name, Place())
        for report in received.reports:
            known = report.original
            self._record(
                report,
                f"webhook:{name}",
                list="" if known.list_id else place.list_id,
                sender="" if known.sender else place.sender,
                now=datetime.now(UTC),
            )
        receiver.done(received)
        count(name, "recorded").inc(len(received.reports))
        count(name, "replayed").inc(received.replayed)
        count(name, "ignored").inc(received.ignored)
        if received.answer:
            return Answer(content=received.answer, remark=received.remark)
        return Answer(content=shapes.Taken(len(received.reports), received.replayed, received.ignored), remark=received.remark)

    # The server itself

    def health(self, call: Call) -> Answer:
        """It is alive."""
        return Answer(content=shapes.Health("ok"))

    def ready(self, call: Call) -> Answer:
        """It can work: the ledger answers, where there is one."""
        if self._ledger is not None:
            try:
                self._ledger.check("nobody@example.invalid")
            except LedgerError:
                return Answer(503, shapes.Health("down"))
        return Answer(content=shapes.Health("ok"))

    def measure(self, call: Call) -> Answer:
        """Counts for Prometheus."""
        return Answer(content=self.metrics.render(), type=self.metrics.content_type)

    # How

    def _read(self, raw: bytes) -> Report:
        report = self.engine.parse(raw)
        for _, verdict in results_of(report):
            self.metrics.verdicts.labels(report.kind, verdict.bounce, verdict.reason).inc()
        return report

    def _judge(self, reply: str) -> shapes.Judged:
        recipient, verdict = self.engine.classify(reply)
        return shapes.Judged(
            verdict.bounce,
            verdict.reason,
            verdict.fault,
            verdict.certainty,
            verdict.rule,
            recipient.address,
            recipient.status,
            recipient.reply_code,
            recipient.command,
            recipient.diagnostic,
            verdict.blocklist,
            verdict.retry_after,
        )

    def _record(self, report: Report, origin: str, *, list: str, sender: str, now: datetime) -> tuple[Decision, ...]:
        decisions = self.ledger.record(report, self.policy, now=now, list=list, sender=sender, origin=origin)
        for decision in decisions:
            self.metrics.decisions.labels(decision.action).inc()
        return decisions

    def _preview(self, report: Report, now: datetime) -> tuple[Decision, ...]:
        """Return what would be decided, with what the ledger knows of the address; storms of a domain are not looked for."""
        results = results_of(report)
        proofs = report.proofs if len(report.proofs) == len(results) else (Proof(),) * len(results)
        decisions = []
        for result, proof in zip(results, proofs, strict=True):
            history = self._history(address_of(result.recipient, proof), key_of(report, result, proof), now)
            decisions.append(decide(result.verdict, result.recipient, proof, history, self.policy, now, kind=report.kind))
        return tuple(decisions)

    def _history(self, address: str, key: str, now: datetime) -> History:
        if self._ledger is None or not address:
            return History(key)
        try:
            person = self._ledger.history(address)
        except ValueError:
            return History(key)
        held = tuple(
            Held(one.reason, one.scope, one.since, one.until)
            for one in person.suppressions
            if one.undone is None and (one.until is None or one.until > now)
        )
        return History(key, any(event.key == key for event in person.events), person.strikes, person.delivered, held)


def body_of(call: Call, shape: type[T]) -> T:
    """Return the body as a struct; raises ProblemError when it is none."""
    try:
        return msgspec.json.decode(call.body, type=shape)
    except msgspec.ValidationError as error:
        raise ProblemError(422, str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ProblemError(400, "the body is no JSON") from None


def address_in(call: Call) -> str:
    """Return the address of the path; raises ProblemError when it is none."""
    try:
        return msgspec.convert(call.path["address"], shapes.Address)
    except msgspec.ValidationError:
        raise ProblemError(422, "no address") from None


def bounded(moment: datetime | UnsetType) -> datetime | None:
    """Return a time in UTC that every database can hold: none before 1970, and none after 9999."""
    if isinstance(moment, UnsetType):
        return None
    try:
        return max(moment.astimezone(UTC), datetime(1970, 1, 1, tzinfo=UTC))
    except OverflowError:
        return datetime(9999, 12, 31, tzinfo=UTC) if moment.year > 5_000 else datetime(1970, 1, 1, tzinfo=UTC)


Doing = Callable[[Call], Answer]
