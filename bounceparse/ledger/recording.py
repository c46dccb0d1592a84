"""One report becomes events, strikes, suppressions and marks: all of it in the transaction that the caller gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, text, update

from bounceparse.decide import address_of, decide, delay_key_of, key_of
from bounceparse.ledger import holding
from bounceparse.ledger.facts import STRIPPED, event_row, place_of
from bounceparse.ledger.holding import LASTING, Holding, among, both
from bounceparse.ledger.persons import domain_in, person_of
from bounceparse.ledger.schema import addresses, delivered, domains, events, settings, strikes, suppressions
from bounceparse.model import Decision, Held, History, Proof, Report, Result, Strike, Suppression
from bounceparse.policy import EVENTS, Policy, Storm
from bounceparse.record import results_of

STRIKES: Final = 500  # of one person that are looked at
FAILING: Final = 1_000  # failing addresses of a domain that are counted, beyond what makes a storm

_e, _s, _a = events.c, strikes.c, addresses.c
_NOW: Final = bindparam("now", type_=_e.last_seen.type)
_EVENTS: Final = select(_e.key).where(_e.key.in_((bindparam("event"), bindparam("delay"))))
_AGAIN: Final = (
    update(events).where(_e.key == bindparam("event")).values(seen=_e.seen + 1, last_seen=case((_e.last_seen < _NOW, _NOW), else_=_e.last_seen))
)
_STRIKES: Final = select(_s.at, _s.reason, _s.list, _s.sender, _s.key).where(_s.address == bindparam("person")).order_by(_s.at.desc()).limit(STRIKES)
_MARK: Final = select(delivered.c.at).where(delivered.c.address == bindparam("person"))
_KNOWN: Final = select(
    select(settings.c.value).where(settings.c.name == "salt").scalar_subquery(),
    _MARK.scalar_subquery(),
    select(domains.c.known).where(domains.c.domain == bindparam("domain")).scalar_subquery(),
    select(_a.heard).where(_a.address == bindparam("person")).scalar_subquery(),
)
_FAILING: Final = select(func.count()).select_from(
    select(_a.address)
    .where(_a.domain == bindparam("domain"), _a.failing > bindparam("after"), _a.failing <= bindparam("now"), _a.address != bindparam("person"))
    .limit(bindparam("most"))
    .subquery()
)
_NEW_EVENT: Final = insert(events)
_NEW_STRIKE: Final = insert(strikes)
_NEW_PERSON: Final = insert(addresses)
_HEARD: Final = update(addresses).where(_a.address == bindparam("person"))
_AMONG: Final = both(lambda name: select(_a.address).where(among(_a.address, name)))
_HEARD_OF: Final = both(lambda name: update(addresses).where(among(_a.address, name)).values(heard=bindparam("heard")))
_GROW: Final = text(
    "INSERT INTO bounce_domains (domain, known) VALUES (:domain, :more)"
    " ON CONFLICT (domain) DO UPDATE SET known = bounce_domains.known + excluded.known"
)
_NO_PROOF: Final = Proof()


def persons_in(report: Report) -> set[str]:
    """Return whom a report is about."""
    return {person_of(address_of(result.recipient, proof)) for result, proof in proven(report)}


def proven(report: Report) -> list[tuple[Result, Proof]]:
    """Return each result with its proof; a report that names nobody has one result without an address."""
    results = results_of(report)
    proofs = report.proofs if len(report.proofs) == len(results) else (_NO_PROOF,) * len(results)
    return list(zip(results, proofs, strict=True))


class _Known:
    """What is known of a person, in as few questions as possible; the answers hold as long as the transaction."""

    def __init__(self, connection: Connection | None, person: str, grown: Counter[str]) -> None:
        self.person = person
        self.domain = domain_in(person)
        self.delivered: datetime | None = None
        self.struck: Sequence[Any] = ()
        self.in_domain = 0
        self.forgotten = False
        self._do = connection
        if connection is not None:
            row: Sequence[Any] = connection.execute(_KNOWN, {"person": person, "domain": self.domain}).one()
            salt, self.delivered, known, self._heard = row
            self._salt = salt or ""
            self.struck = connection.execute(_STRIKES, {"person": person}).all()
            self.in_domain = (known or 0) + grown[self.domain] + (self._heard is None)

    def held(self, now: datetime) -> list[Suppression]:
        """Return everything that holds for the person, anywhere."""
        if self._do is None:
            return []
        held = Holding(now).ask(self._do, [self.person], self._salt).get(self.person, [])
        self.forgotten = any(not suppression.address for suppression in held)
        return held

    def failing(self, storm: Storm, now: datetime) -> int:
        """Return how many others of the domain the policy wanted to suppress within the time of a storm; where that is many, not all are counted."""
        if self._do is None:
            return 0
        most = FAILING + storm.least + int(storm.share * self.in_domain)
        asked = {"person": self.person, "domain": self.domain, "after": now - storm.within, "now": now, "most": most}
        return self._do.execute(_FAILING, asked).scalar_one()

    def hear(self, now: datetime, grown: Counter[str], failing: bool) -> None:
        """Note that the person was heard of, and whether to be suppressed."""
        if self._do is None:
            return
        values = {"heard": now, "failing": now} if failing else {"heard": now}
        if self._heard is None:
            self._do.execute(_NEW_PERSON, {"address": self.person, "domain": self.domain, **values})
            grown[self.domain] += 1
        else:
            self._do.execute(_HEARD, {"person": self.person, **values})


_NOBODY: Final = _Known(None, "", Counter())


class Recording:
    """One report in one transaction."""

    def __init__(self, connection: Connection, report: Report, policy: Policy, now: datetime, *, list: str, sender: str, origin: str) -> None:
        self._do = connection
        self._report = report
        self._policy = policy
        self._now = now
        self._list = list
        self._sender = sender
        self._origin = origin
        self._grown: Counter[str] = Counter()

    def run(self) -> tuple[Decision, ...]:
        """Record everything; return what was decided, in the order of the results."""
        decisions = tuple(self._one(result, proof) for result, proof in proven(self._report))
        grow(self._do, self._grown)  # last, so that no transaction waits for another that waits for it
        return decisions

    def _one(self, result: Result, proof: Proof) -> Decision:
        report, now = self._report, self._now
        person = person_of(address_of(result.recipient, proof))
        place = place_of(report, proof, self._list, self._sender)
        key, delay = key_of(report, result, proof), delay_key_of(report, result, proof)
        there = {*self._do.execute(_EVENTS, {"event": key, "delay": delay}).scalars()}
        if key in there:
            self._do.execute(_AGAIN, {"event": key, "now": now})
            return decide(result.verdict, result.recipient, proof, History(key, True), self._policy, now, kind=report.kind)
        known = _Known(self._do, person, self._grown) if person else _NOBODY
        covering = Holding(now, **place)
        held = [suppression for suppression in known.held(now) if covering.covers(suppression)]
        history = History(
            key,
            False,
            tuple(Strike(*strike) for *strike, _ in known.struck),
            known.delivered,
            tuple(Held(suppression.reason, suppression.scope, suppression.since, suppression.until) for suppression in held),
            delay if delay in there else "",
            known.in_domain,
            known.failing(self._policy.storm, now),
            place["list"],
            place["sender"],
        )
        decision = decide(result.verdict, result.recipient, proof, history, self._policy, now, kind=report.kind)
        if report.kind == "not_bounce":
            return decision
        row = event_row(report, *result, proof, decision, now, place=place, origin=self._origin)
        if known.forgotten:  # and stays so
            self._do.execute(_NEW_EVENT, row | STRIPPED)
            return decision
        self._do.execute(_NEW_EVENT, row)
        self._apply(known, place, decision)
        return decision

    def _apply(self, known: _Known, place: dict[str, str], decision: Decision) -> None:
        now, person = self._now, known.person
        if decision.supersedes:
            self._do.execute(delete(strikes).where(_s.key == decision.supersedes))
            self._do.execute(update(events).where(_e.key == decision.supersedes).values(superseded_by=decision.key))
        if not person:
            return
        failing = decision.storm or (decision.action == "suppress" and decision.strike not in EVENTS)
        known.hear(now, self._grown, failing)
        if decision.strike:
            self._do.execute(_NEW_STRIKE, {"key": decision.key, "address": person, "reason": decision.strike, **place, "at": now})
        if decision.clears:
            mark_delivered(self._do, person, now, f"report {decision.key}")
        if decision.storm:
            self._hold_back(known.domain)
        if decision.action == "suppress":
            line = self._policy.line_of(decision.strike)
            counted = [key for _, reason, _, _, key in reversed(known.struck) if line is not None and reason in line.reasons]
            new = Suppression(
                f"@{known.domain}" if decision.scope == "domain" else person,
                decision.strike,
                decision.scope,
                place[decision.scope] if decision.scope in ("list", "sender") else "",
                now,
                decision.until,
                decision.because,
                decision.policy,
                (*counted, decision.key),
                "policy",
            )
            holding.begin(self._do, [new], now)

    def _hold_back(self, domain: str) -> None:
        """Take back what a storm led to before it was seen as one: the suppressions of the domain that are as young as it."""
        after = self._now - self._policy.storm.within
        t = suppressions.c
        young = (t.domain == domain, t.since > after, t.added_by == "policy", t.reason.not_in(EVENTS))
        if holding.end(self._do, young, self._now, "storm breaker"):
            undone = (_e.domain == domain, _e.received > after, _e.action == "suppress", _e.kind.not_in(("complaint", "unsubscribe")))
            self._do.execute(update(events).where(*undone).values(action="review", until=None))


def hear(connection: Connection, persons: Iterable[str], now: datetime, grown: Counter[str]) -> None:
    """Note that persons were heard of; new ones are counted to their domains in `grown`."""
    heard = sorted({*persons})
    known = {*holding.ask_among(connection, _AMONG, heard).scalars()}
    if known:
        holding.ask_among(connection, _HEARD_OF, sorted(known), heard=now)
    new = [{"address": person, "domain": domain_in(person), "heard": now} for person in heard if person not in known]
    if new:
        connection.execute(_NEW_PERSON, new)
        grown.update(domain_in(person) for person in heard if person not in known)


def grow(connection: Connection, grown: Counter[str]) -> None:
    """Count new persons to their domains, always in the same order."""
    for domain in sorted(grown):
        connection.execute(_GROW, {"domain": domain, "more": grown[domain]})


def mark_delivered(connection: Connection, person: str, at: datetime, told_by: str) -> int:
    """Note that mail arrived: earlier strikes no longer count, earlier suppressions end but for what somebody asked for. Return how many ended."""
    if connection.execute(_MARK, {"person": person}).first() is None:
        connection.execute(insert(delivered), {"address": person, "at": at, "told_by": told_by})
    else:
        mark = delivered.c
        connection.execute(update(delivered).where(mark.address == person).values(at=at, times=mark.times + 1, told_by=told_by).where(mark.at <= at))
    connection.execute(delete(strikes).where(_s.address == person, _s.at <= at))
    t = suppressions.c
    ended = (t.address.in_((person, f"@{domain_in(person)}")), t.since <= at, t.reason.not_in(LASTING))
    return holding.end(connection, ended, at, f"delivered: {told_by}")
