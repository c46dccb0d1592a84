"""What a report does to an address, and what it does not."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from bounceparse.ledger import Ledger
from bounceparse.model import Proof, Report
from bounceparse.policy import Policy
from tests.ledger.reports import report

Clock = Callable[[float], datetime]
ANN = "ann@example.org"


def actions(ledger: Ledger, policy: Policy, clock: Clock, days: list[float], **what: str) -> list[str]:
    """What was decided on one report about Ann on each of some days."""
    return [ledger.record(report(ANN, **what), policy, now=clock(day))[0].action for day in days]  # type: ignore[arg-type]


def test_an_unknown_user_is_suppressed_at_once_and_for_good(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    (decision,) = ledger.record(report("Ann@EXAMPLE.org", list_id="Ann's friends <friends.example.com>"), policy, now=clock(0), origin="b.mbox#1")
    assert (decision.action, decision.until) == ("suppress", None)
    held = ledger.check(ANN, now=clock(4000))
    assert held is not None
    assert (held.address, held.reason, held.scope, held.until, held.policy) == (ANN, "user_unknown", "everywhere", None, "default/user_unknown")
    assert held.why == decision.because
    assert held.evidence == (decision.key,)
    (event,) = ledger.history("ANN@example.org").events
    assert (event.key, event.address, event.list, event.sender, event.origin) == (
        decision.key,
        ANN,
        "friends.example.com",
        "news@example.com",
        "b.mbox#1",
    )
    assert (event.action, event.because, event.strike) == ("suppress", decision.because, "user_unknown")
    assert ledger.check("bob@example.org", now=clock(1)) is None


def test_five_days_full_and_the_suppression_expires_by_itself(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    assert actions(ledger, policy, clock, [0, 0.1, 1, 2, 3, 3.2], reason="mailbox_full") == ["record"] * 6
    assert ledger.check(ANN, now=clock(3.3)) is None
    assert actions(ledger, policy, clock, [4], reason="mailbox_full") == ["suppress"]
    held = ledger.check(ANN, now=clock(5))
    assert held is not None
    assert held.until == clock(94)
    assert len(held.evidence) == 7
    assert ledger.check(ANN, now=clock(93.9)) is not None
    assert ledger.check(ANN, now=clock(94)) is None
    assert ledger.history(ANN).suppressions == (held,)
    assert list(ledger.suppressions(now=clock(94))) == []
    assert list(ledger.suppressions(now=clock(94), everything=True)) == [held]


def test_a_suppression_that_is_over_makes_room_for_the_next(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    actions(ledger, policy, clock, [0, 1, 2, 3, 4], reason="mailbox_full")
    actions(ledger, policy, clock, [200, 201, 202, 203, 204], reason="mailbox_full")
    first, second = ledger.history(ANN).suppressions
    assert (first.undone, first.undone_by) == (clock(94), "expired")
    assert (second.since, second.until, second.undone) == (clock(204), clock(294), None)


def test_what_is_not_their_fault_never_suppresses(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    for reason in ("spam", "blocklisted"):
        assert set(actions(ledger, policy, clock, list(range(40)), reason=reason)) == {"alert"}
    assert set(actions(ledger, policy, clock, list(range(40)), reason="auto_reply", kind="auto_reply")) == {"ignore"}
    assert set(actions(ledger, policy, clock, list(range(40)), reason="user_unknown", certainty="guess")) == {"review"}
    assert ledger.check(ANN, now=clock(41)) is None
    assert ledger.history(ANN).strikes == ()
    alerts = ledger.alerts()
    assert [(alert.reason, alert.count, alert.first, alert.last) for alert in alerts] == [
        ("blocklisted", 40, clock(0), clock(39)),
        ("spam", 40, clock(0), clock(39)),
    ]
    assert ANN in alerts[0].because
    assert ledger.alerts(since=clock(50)) == ()


def test_the_same_bounce_counts_once_by_whatever_road(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    mail = report(ANN, reason="mailbox_full", message="<1@example.com>")
    roads = [mail, mail, replace(mail, digest="f" * 64), replace(mail, arrived="2026-11-24T00:00:00Z", reporting_mta="")]
    for day, same in enumerate(roads * 3):
        (decision,) = ledger.record(same, policy, now=clock(day), origin=f"road {day}")
        assert decision.action == ("ignore" if day else "record")
    person = ledger.history(ANN)
    assert len(person.events) == len(person.strikes) == 1
    assert (person.events[0].seen, person.events[0].origin, person.events[0].last_seen) == (12, "road 0", clock(11))


def test_the_same_address_twice_in_one_report_counts_once(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    decisions = ledger.record(report(ANN, "ANN@example.org", "bob@example.org", ANN, reason="mailbox_full"), policy, now=clock(0))
    assert [decision.action for decision in decisions] == ["record", "ignore", "record", "ignore"]
    assert len(ledger.history(ANN).events) == 1


def test_a_report_that_names_nobody_is_kept(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    (decision,) = ledger.record(report(), policy, now=clock(0))
    assert (decision.action, decision.address) == ("record", "")
    assert [event.address for event in ledger.events()] == [""]
    (decision,) = ledger.record(Report("not_bounce", (), "0" * 64), policy, now=clock(0))
    assert decision.action == "ignore"
    assert len(list(ledger.events())) == 1, "ordinary mail leaves no trace"


def test_a_permanent_report_supersedes_the_delay_of_the_same_mail(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    ledger.record(report(ANN, kind="delay", reason="network_error", message="<1@example.com>"), policy, now=clock(0))
    (decision,) = ledger.record(report(ANN, message="<1@example.com>"), policy, now=clock(1))
    delay, failure = ledger.history(ANN).events
    assert decision.supersedes == delay.key
    assert (delay.superseded_by, failure.superseded_by) == (failure.key, "")
    assert [strike.reason for strike in ledger.history(ANN).strikes] == ["user_unknown"]


def test_delivered_clears(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    actions(ledger, policy, clock, [0, 1, 2, 3], reason="mailbox_full")
    assert ledger.delivered(ANN, now=clock(3.5), by="esp") == 0
    assert actions(ledger, policy, clock, [4, 5, 6, 7], reason="mailbox_full") == ["record"] * 4
    actions(ledger, policy, clock, [8], reason="mailbox_full")
    assert ledger.check(ANN, now=clock(9)) is not None
    (decision,) = ledger.record(report(ANN, kind="delivered", reason="delivered"), policy, now=clock(9))
    assert decision.clears
    assert ledger.check(ANN, now=clock(9)) is None
    person = ledger.history(ANN)
    assert (person.strikes, person.delivered) == ((), clock(9))
    assert person.suppressions[0].undone_by == f"delivered: report {decision.key}"


def test_late_good_news_does_not_clear_what_came_after_it(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    actions(ledger, policy, clock, [5])
    assert ledger.delivered(ANN, now=clock(4)) == 0
    assert ledger.check(ANN, now=clock(6)) is not None


def test_delivered_clears_neither_complaints_nor_unsubscribes_nor_what_a_person_did(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    ledger.record(report(ANN, kind="complaint", reason="feedback_complaint"), policy, now=clock(0))
    ledger.record(report(ANN, kind="unsubscribe", reason="auto_reply", list_id="<news.example.com>"), policy, now=clock(0))
    ledger.add(ANN, by="operator", now=clock(0))
    ledger.record(report(ANN), policy, now=clock(0))
    before = list(ledger.suppressions(now=clock(1)))
    assert sorted(held.reason for held in before) == ["feedback_complaint", "manual", "unsubscribe"]
    ledger.delivered(ANN, now=clock(1))
    assert list(ledger.suppressions(now=clock(2))) == before


def test_a_complaint_holds_for_its_sender_and_an_unsubscribe_for_its_list(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    ledger.record(report(ANN, kind="complaint", reason="feedback_complaint", sender="News <news@example.com>"), policy, now=clock(0))
    ledger.record(report("bob@example.org", kind="unsubscribe", reason="auto_reply"), policy, now=clock(0), list="news.example.com")
    ann, bob = ledger.suppressions(now=clock(1))
    assert (ann.scope, ann.place, bob.scope, bob.place) == ("sender", "news@example.com", "list", "news.example.com")
    assert ledger.check(ANN, now=clock(1)) == ann
    assert ledger.check(ANN, sender="NEWS@example.com", now=clock(1)) == ann
    assert ledger.check(ANN, sender="offers@example.net", now=clock(1)) is None
    assert ledger.check("bob@example.org", now=clock(1)) == bob
    assert ledger.check("bob@example.org", list="<news.example.com>", now=clock(1)) == bob
    assert ledger.check("bob@example.org", list="other.example.com", sender="news@example.com", now=clock(1)) is None


def test_a_storm_takes_back_what_it_led_to(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    """Ten thousand at one domain become unknown within an hour: none of them is suppressed."""
    people = [f"p{n}@big.example" for n in range(300)]
    ledger.know(people, now=clock(-50))
    ledger.record(report("old@big.example"), policy, now=clock(-10))
    ledger.record(report("angry@big.example", kind="complaint", reason="feedback_complaint"), policy, now=clock(0))
    ledger.record(report("other@small.example"), policy, now=clock(0))
    decisions = [ledger.record(report(person), policy, now=clock(n / 9999))[0] for n, person in enumerate(people[:60])]
    assert [decision.action for decision in decisions] == ["suppress"] * 20 + ["review"] * 40
    assert {held.address for held in ledger.suppressions(now=clock(1))} == {"old@big.example", "angry@big.example", "other@small.example"}
    reviewed = list(ledger.events(action="review", domain="BIG.example"))
    assert len(reviewed) == 60
    assert ledger.history(people[0]).suppressions[0].undone_by == "storm breaker"
    assert ledger.record(report(people[0]), policy, now=clock(3))[0].action == "suppress", "the storm is over"


def test_a_share_of_a_domain_that_is_known_is_no_storm(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    ledger.know((f"p{n}@big.example" for n in range(2000)), now=clock(-50))
    decisions = [ledger.record(report(f"p{n}@big.example"), policy, now=clock(0))[0] for n in range(101)]
    assert [decision.action for decision in decisions] == ["suppress"] * 100 + ["review"]


def test_without_the_proof_that_is_demanded_nobody_is_suppressed(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    forged = Proof(keys=True)
    assert [ledger.record(report(ANN, proof=forged), policy, now=clock(day))[0].action for day in range(20)] == ["review"] * 20
    assert ledger.check(ANN, now=clock(20)) is None
    proven = Proof("proven", "verp", recipient="ann@example.org", message="42", list="news", keys=True)
    (decision,) = ledger.record(report("ann@forwarded.example", message="<9@example.com>", proof=proven), policy, now=clock(20))
    assert (decision.action, decision.address) == ("suppress", ANN)
    held = ledger.check(ANN, now=clock(21))
    assert held is not None
    assert ledger.check("ann@forwarded.example", now=clock(21)) is None
    event = ledger.history(ANN).events[-1]
    assert (event.list, event.message_id, event.proof, event.proof_by) == ("news", "42", "proven", "verp")


def test_a_forged_report_does_not_silence_the_true_one(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    ledger.record(report(ANN, message="<1@example.com>", certainty="guess", proof=Proof(keys=True)), policy, now=clock(0))
    proven = Proof("proven", "verp", recipient=ANN, message="1", keys=True)
    assert ledger.record(report(ANN, message="<1@example.com>", proof=proven), policy, now=clock(0))[0].action == "suppress"


def test_decisions_do_not_depend_on_the_year(url: str, ledger: Ledger, policy: Policy, clock: Clock) -> None:
    """The times of mails are evidence alone; what counts is the distance between our own."""
    rng = random.Random(7)
    steps = [(rng.choice(["mailbox_full", "network_error", "domain_unknown", "delivered"]), rng.random() * 60) for _ in range(60)]
    steps.sort(key=lambda step: step[1])

    def story(person: str, offset: float) -> list[tuple[str, float | None]]:
        seen: list[tuple[str, float | None]] = []
        for n, (reason, day) in enumerate(steps):
            kind = "delivered" if reason == "delivered" else "bounce"
            mail = replace(
                report(person, reason=reason, kind=kind, message=f"<{person}{n}>"),
                arrived=rng.choice(["", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
            )
            (decision,) = ledger.record(mail, policy, now=clock(day + offset))
            seen.append((decision.action, (decision.until - clock(day + offset)).days if decision.until else None))
        return seen

    assert story("a@one.example", 0) == story("b@two.example", 1_000) == story("c@three.example", -9_000)


@pytest.mark.parametrize(
    "address",
    [
        "'; DROP TABLE bounce_events; --@example.org",
        'a"b@example.org',
        "a\0b@example.org",
        "\udcff@example.org",
        "x" * 400 + "@example.org",
        "ä@exämple.org",
        "%s@example.org",
    ],
)
def test_hostile_text_is_kept_as_text(ledger: Ledger, policy: Policy, clock: Clock, address: str) -> None:
    mail = report(address)
    recipient = replace(mail.results[0].recipient, diagnostic="\0\udc80 " + "x" * 9000, remote_mta="m\n" * 900)
    mail = replace(
        mail, results=(mail.results[0]._replace(recipient=recipient),), dialect="d" * 99, original=replace(mail.original, list_id="<" * 2000)
    )
    ledger.record(mail, policy, now=clock(0), origin="o\0" * 9000)
    ledger.check(address)
    (event,) = ledger.events()
    assert "\0" not in event.diagnostic
    assert len(event.diagnostic) <= 2000


def test_times_need_a_zone(ledger: Ledger, policy: Policy) -> None:
    with pytest.raises(ValueError, match="time zone"):
        ledger.record(report(ANN), policy, now=datetime(2026, 1, 1))  # noqa: DTZ001
    ledger.record(report(ANN), policy)
    assert ledger.check(ANN) is not None


def test_strikes_of_one_list_count_for_that_list(ledger: Ledger, tmp_path: Path, clock: Clock) -> None:
    own = tmp_path / "own.toml"
    own.write_text('base = "default"\n[line.mailbox_full]\nstrikes = 2\ndays = 2\nscope = "list"\n')
    policy = Policy.load(own)
    lists = ["a.example.com", "b.example.com", "A.example.com"]
    actions = [ledger.record(report(ANN, reason="mailbox_full", list_id=f"<{name}>"), policy, now=clock(n))[0].action for n, name in enumerate(lists)]
    assert actions == ["record", "record", "suppress"]
    assert ledger.check(ANN, list="a.example.com", now=clock(3)) is not None
    assert ledger.check(ANN, list="b.example.com", now=clock(3)) is None
