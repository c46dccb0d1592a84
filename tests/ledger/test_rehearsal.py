"""What would be decided is what is decided then, and nothing is changed by asking."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from bounceparse.ledger import Ledger, Rehearsal
from bounceparse.policy import Policy
from tests.ledger.reports import report
from tests.ledger.stress import count

Clock = Callable[[float], datetime]


def test_a_rehearsal_tells_what_will_be(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    rng = random.Random(5)
    people = [f"p{n}@{domain}" for n in range(40) for domain in ("big.example", "small.example")]
    reasons = ["user_unknown", "mailbox_full", "delivered", "spam", "network_error", "mailbox_full"]
    mails = [
        report(*rng.sample(people, rng.randint(1, 3)), reason=reason, kind="delivered" if reason == "delivered" else "bounce")
        for reason in rng.choices(reasons, k=240)
    ]
    mails += rng.sample(mails, 40)
    mails += [report(f"new{n}@big.example") for n in range(25)]
    for n, mail in enumerate(mails[:100]):
        ledger.record(mail, policy, now=clock(n / 5))
    ledger.forget("p1@big.example", keep=True)
    ledger.forget("p2@small.example")
    before = count(ledger), list(ledger.suppressions(everything=True))
    rehearsal = Rehearsal(ledger)
    told = [rehearsal.record(mail, policy, now=clock(20 + n / 200)) for n, mail in enumerate(mails[80:])]
    assert (count(ledger), list(ledger.suppressions(everything=True))) == before
    done = [ledger.record(mail, policy, now=clock(20 + n / 200)) for n, mail in enumerate(mails[80:])]
    assert told == done
    assert {decision.action for decisions in done for decision in decisions} == {"suppress", "record", "review", "alert", "ignore"}


def test_without_a_ledger(policy: Policy, clock: Clock) -> None:
    rehearsal = Rehearsal(None)
    actions = [rehearsal.record(report("a@example.org", reason="mailbox_full"), policy, now=clock(day))[0].action for day in range(5)]
    assert actions == ["record"] * 4 + ["suppress"]
    rehearsal.close()
