"""The truth table of `decide`, row by row, and what has to hold for every table that a policy could have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bounceparse.decide import decide, delay_key_of, event_of, key_of
from bounceparse.model import Decision, Held, History, Original, Proof, Recipient, Report, Result, Strike, Verdict
from bounceparse.policy import NETWORK, PRESETS, Policy
from bounceparse.tables import load_tables

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WHO = "a@b.example"
DEFAULT = Policy.preset("default")
REASONS = load_tables().reasons
DEAD = ("user_unknown", "mailbox_moved", "null_mx", "domain_unknown", "mailbox_disabled", "suppressed")


def verdict(reason: str = "user_unknown", **changes: Any) -> Verdict:
    """A verdict as the judge gives it for a final answer of class 5."""
    entry = REASONS[reason]
    fault = changes.pop("fault", entry.fault)
    hard = fault == "recipient" and (entry.bounce in ("hard", "by_class") or reason == "syntax")
    bounce = "none" if entry.bounce == "none" else "hard" if hard else "soft"
    return replace(Verdict(bounce, reason, fault, "certain", "status:5.1.1"), **changes)  # type: ignore[arg-type]


def recipient(**changes: Any) -> Recipient:
    return replace(Recipient(WHO, action="failed", status="5.1.1", reply_code="550"), **changes)


def strikes(reason: str, *days_ago: float) -> tuple[Strike, ...]:
    return tuple(Strike(NOW - days * DAY, reason) for days in days_ago)


def ask(
    said: Verdict, history: History = History(), proof: Proof = Proof(), policy: Policy = DEFAULT, who: Recipient | None = None, kind: Any = "bounce"
) -> Decision:
    return decide(said, who or recipient(), proof, history, policy, NOW, kind=kind)


def feed(said: Verdict, days: Iterable[int], policy: Policy = DEFAULT, kind: Any = "bounce", proof: Proof = Proof()) -> list[str]:
    """The actions on the same failure on several days, of a mail each."""
    history = History()
    actions: list[str] = []
    for day in days:
        now = NOW + day * DAY
        decision = decide(said, recipient(), proof, history, policy, now, kind=kind)
        if decision.strike:
            history = replace(history, strikes=(*history.strikes, Strike(now, decision.strike)))
        actions.append(decision.action)
    return actions


# Which reason ends where: the first report, and the thirtieth on as many days.

FIRST = {
    **dict.fromkeys(("user_unknown", "mailbox_moved", "null_mx", "suppressed"), "suppress"),
    **dict.fromkeys(("domain_unknown", "mailbox_disabled", "mailbox_full", "mailbox_rejects"), "record"),
    **dict.fromkeys(NETWORK, "record"),
    **dict.fromkeys(("auth_failure", "blocklisted", "no_ptr", "rate_limited", "too_many_connections", "relay_denied", "sender_rejected"), "alert"),
    **dict.fromkeys(("reputation", "policy", "syntax", "spam", "virus", "content_rejected", "message_too_large", "not_rfc_compliant"), "alert"),
    **dict.fromkeys(("tls_required", "greylisted", "system_full", "loop", "mailer_error", "undetermined", "challenge_response"), "record"),
    **dict.fromkeys(("delivered",), "record"),
    **dict.fromkeys(("auto_reply", "feedback_complaint"), "ignore"),  # events that come as kinds of their own, see below
}
ENDS_IN_SUPPRESSION = {
    *("user_unknown", "mailbox_moved", "null_mx", "suppressed", "domain_unknown", "mailbox_disabled", "mailbox_full"),
    *NETWORK,
}


def test_the_table_knows_every_reason() -> None:
    assert FIRST.keys() == REASONS.keys()


@pytest.mark.parametrize("reason", REASONS)
def test_the_first_report_and_thirty_of_them(reason: str) -> None:
    actions = feed(verdict(reason), range(30))
    assert actions[0] == FIRST[reason]
    assert ("suppress" in actions) == (reason in ENDS_IN_SUPPRESSION)
    if reason not in ENDS_IN_SUPPRESSION:
        assert set(actions) == {FIRST[reason]}


@pytest.mark.parametrize(
    ("reason", "nth"),
    [("user_unknown", 1), ("domain_unknown", 2), ("mailbox_disabled", 2), ("mailbox_full", 5), *((reason, 7) for reason in sorted(NETWORK))],
)
def test_the_strike_at_which_it_ends(reason: str, nth: int) -> None:
    assert feed(verdict(reason), range(nth)) == ["record"] * (nth - 1) + ["suppress"]
    assert set(feed(verdict(reason), [0] * 30)) == {"record" if nth > 1 else "suppress"}, "one count an address and day"


@pytest.mark.parametrize("reason", DEAD)
def test_soft_failures_of_a_dead_address_never_end_it(reason: str) -> None:
    assert set(feed(verdict(reason, bounce="soft"), range(30))) == {"record"}


def test_an_address_that_cannot_be_written() -> None:
    assert ask(verdict("syntax", fault="recipient")).action == "suppress"
    assert "no address can be" in ask(verdict("syntax", fault="recipient")).because


@pytest.mark.parametrize(
    ("diagnostic", "rule", "action"),
    [
        ("550 5.7.1 You may not have permission to post messages to the group", "phrase:en/mailbox-rejects", "suppress"),
        ("554 list accepts mail of subscribers only", "phrase:en/mailbox-rejects", "suppress"),
        ("550 5.7.1 authentication required", "provider:microsoft/RESOLVER.RST.AuthRequired", "suppress"),
        ("550 Nur Mitglieder dürfen schreiben", "phrase:de/mailbox-rejects", "suppress"),
        ("550 5.7.1 I do not want to receive mail from you", "phrase:en/mailbox-rejects", "record"),
        ("550 rejected by user rules", "phrase:en/mailbox-rejects", "record"),
        ("", "status:5.7.2", "record"),
    ],
)
def test_a_group_that_takes_mail_from_members(diagnostic: str, rule: str, action: str) -> None:
    said = verdict("mailbox_rejects", rule=rule)
    final = ask(said, who=recipient(diagnostic=diagnostic))
    assert final.action == action
    if action == "suppress":
        assert (final.scope, final.until) == ("list", NOW + 365 * DAY)
        for late in (recipient(reply_code="450", status="4.7.1"), recipient(reply_code="", status="")):
            assert ask(said, who=replace(late, diagnostic=diagnostic)).action == "record"


@pytest.mark.parametrize("fault", ["sender", "message", "receiver", "network", "unknown"])
@pytest.mark.parametrize("reason", DEAD)
def test_the_fault_decides_and_not_the_reason(reason: str, fault: str) -> None:
    assert "suppress" not in feed(verdict(reason, fault=fault, bounce="hard"), range(30))


def test_the_network_row_is_about_the_network() -> None:
    for fault in ("sender", "message", "recipient", "unknown"):
        assert "suppress" not in feed(verdict("network_error", fault=fault), range(30))


# Kinds of message.


@pytest.mark.parametrize("reason", sorted(ENDS_IN_SUPPRESSION))
def test_a_delay_never_counts(reason: str) -> None:
    assert set(feed(verdict(reason), range(30), kind="delay")) == {"record"}
    assert ask(verdict(reason), who=recipient(action="delayed")).strike == ""


def test_a_delay_for_a_cause_on_our_side_is_an_alert() -> None:
    assert ask(verdict("rate_limited"), kind="delay").action == "alert"


@pytest.mark.parametrize("kind", ["auto_reply", "challenge", "disposition", "not_bounce"])
def test_other_kinds_are_ignored(kind: Any) -> None:
    assert set(feed(verdict("user_unknown"), range(30), kind=kind)) == {"ignore"}


def test_complaints_and_unsubscribes() -> None:
    complaint = ask(verdict("feedback_complaint"), kind="complaint")
    assert (complaint.action, complaint.scope, complaint.until, complaint.policy) == ("suppress", "sender", None, "default/complaint")
    leaving = ask(verdict("auto_reply"), kind="unsubscribe")
    assert (leaving.action, leaving.scope, leaving.until, leaving.strike) == ("suppress", "list", None, "unsubscribe")
    for kind in ("complaint", "unsubscribe"):
        assert ask(verdict("auto_reply"), proof=Proof("contradicted"), kind=kind).action == "review"
        assert ask(verdict("auto_reply"), proof=Proof(keys=True), kind=kind).action == "review"
        assert ask(verdict("auto_reply"), who=Recipient(), kind=kind).action == "record"
        assert ask(verdict("auto_reply"), History(domain_failing=500, domain_known=500), kind=kind).action == "suppress", "no storm"


def test_good_news_clears() -> None:
    good = ask(verdict("delivered"), kind="delivered")
    assert (good.action, good.clears) == ("record", True)
    assert ask(verdict("delivered"), kind="bounce").clears, "one recipient of several was reached"
    for proof in (Proof("contradicted"), Proof(keys=True)):
        assert not ask(verdict("delivered"), kind="delivered", proof=proof).clears
    assert not ask(verdict("delivered"), kind="delivered", who=Recipient()).clears


def test_strikes_before_a_delivery_are_forgotten() -> None:
    four = strikes("mailbox_full", 1, 2, 3, 4)
    assert ask(verdict("mailbox_full"), History(strikes=four)).action == "suppress"
    assert ask(verdict("mailbox_full"), History(strikes=four, delivered=NOW - 2 * DAY)).action == "record"
    assert ask(verdict("mailbox_full"), History(strikes=four, delivered=NOW - 9 * DAY)).action == "suppress"


def test_a_failure_voids_the_delay_of_the_same_mail() -> None:
    history = History(delay="k0")
    assert ask(verdict(), history).supersedes == "k0"
    assert ask(verdict("delivered"), history, kind="delivered").supersedes == "k0"
    assert ask(verdict(), history, kind="delay").supersedes == ""


def test_what_was_seen_is_ignored() -> None:
    for kind in ("bounce", "delay", "complaint", "unsubscribe", "delivered"):
        seen = ask(verdict(), History(key="k", seen=True), kind=kind)
        assert (seen.action, seen.key, seen.strike, seen.supersedes, seen.clears) == ("ignore", "k", "", "", False)


# Belief.


@pytest.mark.parametrize("reason", sorted(ENDS_IN_SUPPRESSION))
def test_a_guess_never_suppresses_or_counts(reason: str) -> None:
    said = verdict(reason, certainty="guess")
    assert "suppress" not in feed(said, range(30))
    enough = History(strikes=strikes(reason, *range(1, 30)))
    assert (ask(said, enough).action, ask(said, enough).strike) == ("review", "")


LEVELS = ("contradicted", "claimed", "matched", "proven")


@pytest.mark.parametrize(
    ("asked", "keys", "enough"),
    [
        ("auto", False, "claimed matched proven"),
        ("auto", True, "proven"),
        *((level, keys, " ".join(LEVELS[at:])) for at, level in enumerate(LEVELS) if at for keys in (False, True)),
    ],
)
def test_the_demanded_proof(asked: Any, keys: bool, enough: str) -> None:
    line = DEFAULT.line_of("user_unknown")
    assert line is not None
    for policy in (replace(DEFAULT, proof=asked), replace(DEFAULT, lines=(replace(line, proof=asked),))):
        for level in LEVELS:
            expected = "suppress" if level in enough.split() else "review"
            assert ask(verdict(), proof=Proof(level, keys=keys), policy=policy).action == expected, level  # type: ignore[arg-type]


def test_unproven_reports_are_no_strikes() -> None:
    assert set(feed(verdict("mailbox_full"), range(30), proof=Proof(keys=True))) == {"record"}
    assert set(feed(verdict("mailbox_full"), range(30), proof=Proof("contradicted"))) == {"record"}


def test_a_return_path_has_its_time() -> None:
    made = date(2026, 3, 1)
    proof = Proof("proven", "verp", keys=True, made=made, until=made + 30 * DAY)
    expected = ((-1, "suppress"), (-2, "review"), (0, "suppress"), (30, "suppress"), (31, "review"))
    for days, action in expected:
        now = datetime(2026, 3, 1, 23, 59, tzinfo=UTC) + days * DAY
        assert decide(verdict(), recipient(), proof, History(), DEFAULT, now).action == action, days
    assert "expired" in decide(verdict(), recipient(), proof, History(), DEFAULT, NOW + 90 * DAY).because


def test_the_address_that_we_sent_to_is_judged() -> None:
    proof = Proof("proven", "verp", "reader@c.example", keys=True)
    assert ask(verdict(), proof=proof).address == "reader@c.example"
    assert ask(verdict(), proof=replace(proof, level="contradicted")).address == WHO


# Time.


def test_strikes_go_stale() -> None:
    assert ask(verdict("domain_unknown"), History(strikes=strikes("domain_unknown", 29))).action == "suppress"
    assert ask(verdict("domain_unknown"), History(strikes=strikes("domain_unknown", 31))).action == "record"
    assert ask(verdict("domain_unknown"), History(strikes=strikes("domain_unknown", 20, 40, 60))).action == "suppress", "in between"
    assert ask(verdict("mailbox_full"), History(strikes=strikes("mailbox_full", 1, 2, 33, 34))).action == "record"


def test_strikes_outside_the_time_do_not_count() -> None:
    assert ask(verdict("mailbox_full"), History(strikes=strikes("mailbox_full", 7, 14, 21, 28))).action == "suppress"
    assert ask(verdict("mailbox_full"), History(strikes=strikes("mailbox_full", 7, 14, 21, 31))).action == "record"


def test_days_are_those_of_utc_and_apart_is_apart() -> None:
    night = datetime(2026, 3, 20, 0, 30, tzinfo=UTC)
    rows = ((0.25, "record", "record"), (1, "suppress", "record"), (23.9, "suppress", "record"), (24, "suppress", "suppress"))
    for hours, disabled, unknown in rows:
        for reason, action in (("mailbox_disabled", disabled), ("domain_unknown", unknown)):
            history = History(strikes=(Strike(night - timedelta(hours=hours), reason),))
            for now in (night, night.astimezone(timezone(timedelta(hours=9)))):
                assert decide(verdict(reason), recipient(), Proof(), history, DEFAULT, now).action == action, (reason, hours)


def test_strikes_of_other_lines_do_not_count() -> None:
    assert ask(verdict("mailbox_full"), History(strikes=strikes("mailbox_disabled", 1, 2, 3, 4))).action == "record"
    mailman = Policy.preset("mailman")
    assert ask(verdict("mailbox_full"), History(strikes=strikes("mailbox_disabled", 1, 2, 3, 4)), policy=mailman).action == "suppress"


def test_strikes_on_another_list_do_not_count_where_the_scope_is_the_list() -> None:
    four = tuple(Strike(NOW - days * DAY, "mailbox_full", list=name) for days, name in ((1, "news"), (2, "news"), (3, "news"), (4, "offers")))
    mailman = Policy.preset("mailman")
    assert ask(verdict("mailbox_full"), History(strikes=four, list="news"), policy=mailman).action == "record"
    assert ask(verdict("mailbox_full"), History(strikes=four, list="news")).action == "suppress", "everywhere counts everywhere"
    same = (*four[:3], replace(four[3], list="news"))
    assert ask(verdict("mailbox_full"), History(strikes=same, list="news"), policy=mailman).action == "suppress"


def test_now_has_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        decide(verdict(), recipient(), Proof(), History(), DEFAULT, NOW.replace(tzinfo=None))


def test_expiry() -> None:
    assert ask(verdict()).until is None
    assert ask(verdict("mailbox_full"), History(strikes=strikes("mailbox_full", 1, 2, 3, 4))).until == NOW + 90 * DAY


# Storms, and what holds already.


@pytest.mark.parametrize(("failing", "known", "storm"), [(19, 20, False), (20, 21, True), (20, 0, True), (49, 1_000, False), (50, 1_000, True)])
def test_a_storm_goes_to_review(failing: int, known: int, storm: bool) -> None:
    decision = ask(verdict(), History(domain_failing=failing, domain_known=known))
    assert (decision.action, decision.storm, bool(decision.strike)) == (("review", True, False) if storm else ("suppress", False, True))
    assert ask(verdict("mailbox_full"), History(domain_failing=failing, domain_known=known)).action == "record"


@pytest.mark.parametrize(
    ("held", "action"),
    [
        (Held("user_unknown"), "record"),
        (Held("mailbox_full", until=NOW + 1 * DAY), "suppress"),
        (Held("mailbox_full", until=NOW + 200 * DAY), "record"),
        (Held("feedback_complaint", "sender"), "suppress"),
        (Held("unsubscribe", "list"), "suppress"),
        (Held("null_mx", "domain"), "record"),
    ],
)
def test_a_suppression_is_not_made_shorter(held: Held, action: str) -> None:
    history = History(strikes=strikes("mailbox_full", 1, 2, 3, 4), held=(held,))
    assert ask(verdict("mailbox_full"), history).action == action


# Alerts.


@pytest.mark.parametrize(
    ("said", "who", "provider"),
    [
        (verdict("auth_failure", rule="provider:gmail/5.7.26"), recipient(), "gmail"),
        (verdict("rate_limited"), recipient(remote_mta="gmail-smtp-in.l.google.com"), "gmail"),
        (verdict("blocklisted", blocklist="Spamhaus ZEN"), recipient(remote_mta="mx.unknown.example"), "b.example"),
        (verdict("reputation"), recipient(address="a@gmail.com"), "gmail.com"),
    ],
)
def test_an_alert_names_whose_rules_were_met(said: Verdict, who: Recipient, provider: str) -> None:
    decision = ask(said, who=who)
    assert (decision.action, decision.provider) == ("alert", provider)
    assert provider in decision.because and said.blocklist in decision.because
    assert ask(said, who=who, proof=Proof("contradicted")).action == "record", "a forged bounce raises no alarm"


# Sentences.


def test_each_decision_says_why_in_a_sentence() -> None:
    histories = (History(), History(seen=True), History(strikes=strikes("mailbox_full", *range(1, 9))), History(held=(Held("user_unknown"),)))
    for reason, history, kind, proof in product(
        REASONS, histories, ("bounce", "delay", "delivered", "complaint", "unsubscribe", "auto_reply"), (Proof(), Proof("contradicted"))
    ):
        because = ask(verdict(reason), history, proof, kind=kind).because
        assert because[0].isupper() and because.endswith(".") and "  " not in because and ".." not in because, because
        assert "  " not in because and ". ." not in because and "_" not in because, because


def test_sentences_as_they_read() -> None:
    assert ask(verdict()).because == "No more mail goes to a@b.example: the domain answers, but there is no such mailbox in it."
    assert ask(verdict("mailbox_full"), History(strikes=strikes("mailbox_full", 1, 2, 3, 4))).because == (
        "No more mail goes to a@b.example until 2026-06-18: the mailbox, or the account it belongs to, has no room left, "
        "as reports on 5 different days say."
    )
    assert ask(verdict("mailbox_full")).because == (
        "Mail to a@b.example failed (time 1 of 5 before it stops): the mailbox, or the account it belongs to, has no room left."
    )
    assert ask(verdict(), proof=Proof(keys=True)).because == (
        "A person has to look at a@b.example before mail stops, since nothing in the report proves that it answers mail of ours: "
        "the domain answers, but there is no such mailbox in it."
    )


# Keys.


def report(**changes: Any) -> Report:
    result = Result(recipient(), verdict())
    given = Report("bounce", (result,), "d" * 64, original=Original("<1@c.example>"), arrived="2026-03-20T12:00:00Z")
    return replace(given, **changes)


def test_the_same_failure_has_the_same_key() -> None:
    one = report()
    key = key_of(one, one.results[0], Proof())
    again = report(digest="e" * 64, arrived="2026-03-21T12:00:00Z", reporting_mta="mx.b.example", dialect="postfix")
    assert key_of(again, Result(recipient(address="A@b.example", diagnostic="other"), verdict("mailbox_full")), Proof()) == key
    others = (
        key_of(one, one.results[0], Proof("proven", message="b1.aaa.1")),
        key_of(one, one.results[0], Proof("matched")),
        key_of(one, Result(recipient(address="c@b.example"), verdict()), Proof()),
        key_of(report(kind="delay"), one.results[0], Proof()),
        key_of(report(kind="complaint"), one.results[0], Proof()),
        key_of(report(original=Original("<2@c.example>")), one.results[0], Proof()),
        key_of(report(original=Original("<1@c.example>", list_id="<l.c.example>")), one.results[0], Proof()),
    )
    assert len({key, *others}) == 8
    assert delay_key_of(one, one.results[0], Proof()) == others[3]


def test_a_bounce_that_names_no_mail_is_known_by_what_redelivery_keeps() -> None:
    one = report(original=Original())
    key = key_of(one, one.results[0], Proof())
    assert key_of(replace(one, digest="e" * 64), one.results[0], Proof()) == key
    assert key_of(replace(one, arrived="2026-03-20T12:00:01Z"), one.results[0], Proof()) != key
    bare = replace(one, arrived="")
    assert key_of(bare, bare.results[0], Proof()) != key_of(replace(bare, digest="e" * 64), bare.results[0], Proof())


# Properties.

verdicts = st.builds(
    lambda reason, bounce, fault, certainty: Verdict(bounce, reason, fault, certainty, "status:5.0.0"),
    st.sampled_from(sorted(REASONS)),
    st.sampled_from(["hard", "soft", "none"]),
    st.sampled_from(["recipient", "sender", "message", "network", "receiver", "unknown"]),
    st.sampled_from(["certain", "likely", "guess"]),
)
moments = st.integers(0, 60 * 24).map(lambda hours: NOW - timedelta(hours=hours))
histories = st.builds(
    History,
    strikes=st.lists(st.builds(Strike, moments, st.sampled_from([*sorted(ENDS_IN_SUPPRESSION), "feedback_complaint"])), max_size=20).map(tuple),
    delivered=st.none() | moments,
    held=st.lists(st.builds(Held, st.just("mailbox_full"), st.sampled_from(["everywhere", "list", "sender"])), max_size=1).map(tuple),
    domain_known=st.integers(0, 2_000),
    domain_failing=st.integers(0, 200),
)
proofs = st.builds(Proof, st.sampled_from(LEVELS), keys=st.booleans())
people = st.builds(
    lambda address, action, status: Recipient(address, action=action, status=status),
    st.sampled_from([WHO, ""]),
    st.sampled_from(["failed", "delayed", "delivered", ""]),
    st.sampled_from(["5.1.1", "4.2.2", ""]),
)
kinds: Any = st.sampled_from(["bounce", "delay", "delivered", "complaint", "auto_reply", "challenge", "disposition", "unsubscribe", "not_bounce"])
policies = st.sampled_from(PRESETS).map(Policy.preset)
CERTAINTY = {"guess": 0, "likely": 1, "certain": 2}


@settings(max_examples=400, deadline=None)
@given(verdicts, people, proofs, histories, policies, kinds)
def test_only_the_recipients_fault_suppresses(said: Verdict, who: Recipient, proof: Proof, history: History, policy: Policy, kind: Any) -> None:
    decision = decide(said, who, proof, history, policy, NOW, kind=kind)
    assert decision == decide(said, who, proof, history, policy, NOW, kind=kind)
    event = event_of(said, who, kind)
    if decision.action == "suppress" or decision.strike:
        asked_for = kind in ("complaint", "unsubscribe")
        network = said.reason in NETWORK and said.fault in ("network", "receiver")
        assert asked_for or (event == "failure" and (said.fault == "recipient" or network))
        assert said.certainty != "guess" and proof.level != "contradicted" and (proof.level == "proven" or not proof.keys)
        assert who.address and (asked_for or network or said.bounce == "hard" or said.reason in ("mailbox_full", "mailbox_rejects"))
    if decision.action == "suppress":
        assert decision.until is None or decision.until > NOW
    assert not (decision.clears and decision.strike)


@settings(max_examples=400, deadline=None)
@given(verdicts, people, proofs, histories, policies, kinds, st.data())
def test_more_belief_and_more_strikes_never_end_a_suppression(
    said: Verdict, who: Recipient, proof: Proof, history: History, policy: Policy, kind: Any, data: st.DataObject
) -> None:
    if decide(said, who, proof, history, policy, NOW, kind=kind).action != "suppress":
        return
    surer = replace(said, certainty=data.draw(st.sampled_from([c for c, rank in CERTAINTY.items() if rank >= CERTAINTY[said.certainty]])))
    better = replace(proof, level=data.draw(st.sampled_from(LEVELS[LEVELS.index(proof.level) :])))
    more = replace(
        history,
        strikes=(*history.strikes, data.draw(st.builds(Strike, moments, st.sampled_from(sorted(ENDS_IN_SUPPRESSION))))),
        domain_failing=data.draw(st.integers(0, history.domain_failing)),
    )
    assert decide(surer, who, better, more, policy, NOW, kind=kind).action == "suppress"


@settings(max_examples=200, deadline=None)
@given(verdicts, people, proofs, histories, policies, kinds, st.integers(-4_000, 4_000))
def test_days_can_be_shifted(said: Verdict, who: Recipient, proof: Proof, history: History, policy: Policy, kind: Any, days: int) -> None:
    by = days * DAY
    moved = replace(
        history,
        strikes=tuple(Strike(strike.at + by, strike.reason) for strike in history.strikes),
        delivered=history.delivered and history.delivered + by,
    )
    here = decide(said, who, proof, history, policy, NOW, kind=kind)
    there = decide(said, who, proof, moved, policy, NOW + by, kind=kind)
    assert (here.action, here.strike, here.until and here.until + by) == (there.action, there.strike, there.until)


@settings(max_examples=100, deadline=None)
@given(histories, policies)
def test_the_order_of_strikes_does_not_matter(history: History, policy: Policy) -> None:
    turned = replace(history, strikes=history.strikes[::-1])
    assert ask(verdict("mailbox_full"), history, policy=policy) == ask(verdict("mailbox_full"), turned, policy=policy)
