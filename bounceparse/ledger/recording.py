"""One report becomes events, strikes, suppressions and marks: all of it in the transaction that the caller gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, text, update

from bounceparse.decide import address_of, decide, delay_key_of, key_of
from bounceparse.ledger import holding
from bounceparse.ledger.facts import STRIPPED, event_row, place_of
from bounceparse.ledger.holding import LASTING, Holding, among, both
from bounceparse.ledger.persons import domain_in, person_of
from bounceparse.ledger.schema import addresses, delivered, domains, events, strikes, suppressions
from bounceparse.model import Decision, Held, History, Proof, Report, Result, Strike, Suppression
from bounceparse.policy import EVENTS, Policy
from bounceparse.record import results_of

STRIKES: Final = 500  # of one person that are looked at
FAILING: Final = 1_000  # failing addresses of a domain that are counted, beyond what makes a storm

_e, _s, _a = events.c, strikes.c, addresses.c
_NOW: Final = bindparam("now", type_=_e.last_seen.type)
_EVENT: Final = select(_e.key).where(_e.key == bindparam("event"))
_AGAIN: Final = (
    update(events).where(_e.key == bindparam("event")).values(seen=_e.seen + 1, last_seen=case((_e.last_seen < _NOW, _NOW), else_=_e.last_seen))
)
_STRIKES: Final = select(_s.at, _s.reason, _s.key).where(_s.address == bindparam("person")).order_by(_s.at.desc()).limit(STRIKES)
_MARK: Final = select(delivered.c.at).where(delivered.c.address == bindparam("person"))
_PERSON: Final = select(_a.heard).where(_a.address == bindparam("person"))
_KNOWN: Final = select(domains.c.known).where(domains.c.domain == bindparam("domain"))
_FAILING: Final = select(func.count()).select_from(
    select(_a.address)
    .where(_a.domain == bindparam("domain"), _a.failing > bindparam("after"), _a.failing <= bindparam("now"), _a.address != bindparam("person"))
    .limit(bindparam("most"))
    .subquery()
)
_NEW_EVENT: Final = insert(events)
_NEW_STRIKE: Final = insert(strikes)
_NEW_PERSON: Final = insert(addresses)
_FAILS: Final = update(addresses).where(_a.address == bindparam("person"))
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
        for domain in sorted(self._grown):  # always in the same order, and last, so that two transactions never wait for each other
            self._do.execute(_GROW, {"domain": domain, "more": self._grown[domain]})
        return decisions

    def _one(self, result: Result, proof: Proof) -> Decision:
        report, now = self._report, self._now
        person = person_of(address_of(result.recipient, proof))
        place = place_of(report, proof, self._list, self._sender)
        key = key_of(report, result, proof)
        if self._do.execute(_EVENT, {"event": key}).first() is not None:
            self._do.execute(_AGAIN, {"event": key, "now": now})
            return decide(result.verdict, result.recipient, proof, History(key, True), self._policy, now, kind=report.kind)
        held = self._held(person, place)
        struck = self._do.execute(_STRIKES, {"person": person}).all() if person else []
        history = self._history(key, delay_key_of(report, result, proof), person, struck, held)
        decision = decide(result.verdict, result.recipient, proof, history, self._policy, now, kind=report.kind)
        if report.kind == "not_bounce":
            return decision
        row = event_row(report, *result, proof, decision, now, place=place, origin=self._origin)
        if person and any(not suppression.address for suppression in held):  # a person who was forgotten stays so
            self._do.execute(_NEW_EVENT, row | STRIPPED)
            return decision
        self._do.execute(_NEW_EVENT, row)
        self._apply(person, place, decision, struck)
        return decision

    def _held(self, person: str, place: dict[str, str]) -> list[Suppression]:
        return Holding(self._now, **place).ask(self._do, [person]).get(person, []) if person else []

    def _history(self, key: str, delay: str, person: str, struck: Any, held: list[Suppression]) -> History:
        domain = domain_in(person)
        known = failing = 0
        mark = late = None
        if person:
            mark = self._do.execute(_MARK, {"person": person}).scalar()
            known = (self._do.execute(_KNOWN, {"domain": domain}).scalar() or 0) + self._grown[domain]
            known += self._do.execute(_PERSON, {"person": person}).first() is None
            storm = self._policy.storm
            most = FAILING + storm.least + int(storm.share * known)
            asked = {"person": person, "domain": domain, "after": self._now - storm.within, "now": self._now, "most": most}
            failing = self._do.execute(_FAILING, asked).scalar() or 0
        if delay != key:
            late = self._do.execute(_EVENT, {"event": delay}).scalar()
        return History(
            key,
            False,
            tuple(Strike(at, reason) for at, reason, _ in struck),
            mark,
            tuple(Held(suppression.reason, suppression.scope, suppression.since, suppression.until) for suppression in held),
            late or "",
            known,
            failing,
        )

    def _apply(self, person: str, place: dict[str, str], decision: Decision, struck: Any) -> None:
        now = self._now
        if person:
            self._hear(person, failing=decision.storm or (decision.action == "suppress" and decision.strike not in EVENTS))
        if decision.supersedes:
            self._do.execute(delete(strikes).where(_s.key == decision.supersedes))
            self._do.execute(update(events).where(_e.key == decision.supersedes).values(superseded_by=decision.key))
        if decision.strike and person:
            self._do.execute(_NEW_STRIKE, {"key": decision.key, "address": person, "reason": decision.strike, "at": now})
        if decision.clears and person:
            mark_delivered(self._do, person, now, f"report {decision.key}")
        if decision.storm:
            self._hold_back(domain_in(person), decision)
        if decision.action == "suppress" and person:
            domain_wide = decision.scope == "domain"
            new = Suppression(
                f"@{domain_in(person)}" if domain_wide else person,
                decision.strike,
                decision.scope,
                place[decision.scope] if decision.scope in ("list", "sender") else "",
                now,
                decision.until,
                decision.because,
                decision.policy,
                (*[key for _, reason, key in reversed(struck) if self._same_line(reason, decision.strike)], decision.key),
                "policy",
            )
            holding.begin(self._do, [new], now)

    def _same_line(self, one: str, other: str) -> bool:
        line = self._policy.line_of(other)
        return line is not None and one in line.reasons

    def _hear(self, person: str, failing: bool) -> None:
        hear(self._do, [person], self._now, self._grown)
        if failing:
            self._do.execute(_FAILS, {"person": person, "failing": self._now})

    def _hold_back(self, domain: str, decision: Decision) -> None:
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
    """Count new persons to their domains."""
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
