"""Proof: what each source can prove, what it cannot, and what forged reports come to."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import UTC, date, datetime

import pytest

from bounceparse.decide import address_of, decide, key_of
from bounceparse.engine import Engine
from bounceparse.model import History, Original, Proof, Recipient, Report, Result, Verdict
from bounceparse.policy import PRESETS, Policy
from bounceparse.prove import Trail, prove
from bounceparse.record import records
from bounceparse.verp import Key, Verp

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = Key("1", b"a" * 32)
SIGNED = Verp("{signed}@bounces.example.org", keys=(KEY,))
PLAIN = Verp("mailman")
WHO, OTHER = "reader@b.example", "other@c.example"
UNKNOWN = Verdict("hard", "user_unknown", "recipient", "certain", "status:5.1.1")


def report(*addresses: str, message_id: str = "<1@example.org>", original: str = "") -> Report:
    results = tuple(Result(Recipient(address, original_address=original, status="5.1.1"), UNKNOWN) for address in addresses or (WHO,))
    return Report("bounce", results, "d" * 64, original=Original(message_id))


def one(trail: Trail, verp: Verp | None = SIGNED, **changes: str) -> Proof:
    return prove(report(**changes), trail, verp)[0]


def path(recipient: str = WHO) -> str:
    return SIGNED.make(recipient, DAY)


def test_a_signed_path_proves_its_own_reader() -> None:
    proof = one(Trail((path(),)))
    assert (proof.level, proof.by, proof.recipient, proof.purpose, proof.keys, proof.made) == ("proven", "verp", WHO, "post", True, DAY)
    assert proof.message == path().partition("@")[0]
    assert one(Trail(("postmaster@example.org", path().upper()))).level == "proven"
    assert one(Trail((f"SRS0=Hx5r=NO=bounces.example.org={path().partition('@')[0]}@forward.example",))).level == "proven"


def test_a_signed_path_proves_nothing_about_another() -> None:
    proof = one(Trail((path(OTHER),)))
    assert (proof.level, proof.recipient) == ("contradicted", "")
    assert one(Trail((path(OTHER),), returned="To: list@example.org\n\n")).level == "contradicted"
    assert one(Trail((path(OTHER),), returned=f"Subject: x\n\nTo: {OTHER}\n")).level == "contradicted", "the body is nobody's header"
    assert [proof.level for proof in prove(report(WHO, "third@d.example"), Trail((path(WHO),)), SIGNED)] == ["proven", "contradicted"]


def test_behind_a_forwarding_the_address_that_we_sent_to_is_judged() -> None:
    proof = one(Trail((path(OTHER),), returned=f"Received: from a by b\nTo: {OTHER}\n\nhello"))
    assert (proof.level, proof.recipient) == ("proven", OTHER)
    assert address_of(Recipient(WHO), proof) == OTHER
    assert one(Trail((path(OTHER),)), original=OTHER).recipient == OTHER, "Original-Recipient names it"
    several = prove(report(WHO, "third@d.example"), Trail((path(OTHER),), returned=f"To: {OTHER}\n\n"), SIGNED)
    assert {proof.level for proof in several} == {"contradicted"}


@pytest.mark.parametrize("owner", [WHO, OTHER, None])
def test_own_ids_are_asked_for(owner: str | None) -> None:
    verp = Verp("{signed}@bounces.example.org", keys=(KEY,), recipients={"77": owner}.get)
    proof = one(Trail((verp.make(WHO, DAY, id="77"),)), verp)
    assert proof.level == {WHO: "proven", OTHER: "contradicted", None: "claimed"}[owner]
    forwarded = one(Trail((verp.make(WHO, DAY, id="77"),), returned=f"To: {OTHER}\n\n"), verp)
    assert (forwarded.level, forwarded.recipient) == (("proven", OTHER) if owner == OTHER else (proof.level, owner or ""))


def test_without_a_path_it_is_a_claim_and_an_altered_one_is_worse() -> None:
    assert one(Trail(("postmaster@example.org",))) == Proof("claimed", keys=True)
    assert one(Trail()) == Proof("claimed", keys=True)
    for wrong in (path().replace("b1", "b2"), path().replace("@", "a@")[1:], SIGNED.make(OTHER, DAY)[:20] + path()[20:]):
        assert one(Trail((wrong,))).level == ("contradicted" if wrong.startswith("b") and "." in wrong[:3] else "claimed")


def test_a_plain_path_names_whom_we_sent_to_and_proves_nothing() -> None:
    mailman = "news-bounces+reader=b.example@lists.example.org"
    assert one(Trail((mailman,)), PLAIN) == Proof("claimed", "verp", WHO, "", "news")
    elsewhere = mailman.replace("reader", "someone")
    assert one(Trail((elsewhere,)), PLAIN).level == "contradicted"
    forwarded = one(Trail((elsewhere,), returned="To: someone@b.example\n\n"), PLAIN)
    assert (forwarded.level, forwarded.recipient) == ("claimed", "someone@b.example")


def test_batv_tells_backscatter_and_no_reader() -> None:
    verp = Verp(batv=(KEY,))
    assert one(Trail((verp.tag("me@example.org", DAY),)), verp) == Proof("claimed", "batv")
    assert one(Trail(("me@example.org",)), verp) == Proof("contradicted", "batv")
    assert one(Trail((verp.tag("me@example.org", DAY).replace("me", "you"),)), verp).level == "contradicted"


@pytest.mark.parametrize(
    ("sent", "returned", "level", "recipient"),
    [
        ((WHO,), "", "matched", WHO),
        ((WHO.upper(),), "", "matched", WHO.upper()),
        ((WHO, OTHER), "", "claimed", WHO),
        ((OTHER,), "", "contradicted", OTHER),
        ((OTHER,), f"To: {OTHER}\n\n", "matched", OTHER),
        ((OTHER, "third@d.example"), f"To: {OTHER}\n\n", "contradicted", ""),
        ((), "", "contradicted", ""),
        (None, "", "claimed", ""),
    ],
)
def test_sent_mail(sent: Collection[str] | None, returned: str, level: str, recipient: str) -> None:
    for by, identity in (("envelope_id", "QQ314159"), ("message_id", "<1@example.org>")):
        known = {identity: sent} if sent is not None else {}
        proof = prove(report(), Trail((), "QQ314159", returned), None, known.get)[0]
        assert (proof.level, proof.recipient, proof.keys) == (level, recipient, False)
        assert proof.by == (by if sent is not None else "none")


def test_a_signed_path_is_believed_before_sent_mail() -> None:
    def sent(identity: str, /) -> list[str]:
        return []

    assert prove(report(), Trail((path(),)), SIGNED, sent)[0].level == "proven"
    assert prove(report(), Trail(("x@example.org",)), SIGNED, sent)[0] == Proof("contradicted", "message_id", message="<1@example.org>", keys=True)


# Through the engine.


def mail(to: str, who: str = WHO, reader: str = "list@example.org", message_id: str = "<1@example.org>", extra: str = "") -> bytes:
    """A bounce, perfect in form."""
    return (
        f"From: MAILER-DAEMON@mx.example.net\nTo: {to}\nSubject: Undelivered Mail Returned to Sender\nDate: Mon, 2 Mar 2026 10:00:00 +0000\n"
        'Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\n\nThe mail system\n\n<{who}>: host mx.example.net said: 550 5.1.1 <{who}>: user unknown\n\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n{extra}\n"
        f"Final-Recipient: rfc822; {who}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <{who}>: user unknown\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nFrom: list@example.org\nTo: {reader}\nMessage-ID: {message_id}\nSubject: x\n\n--b--\n"
    ).encode()


def test_the_engine_proves() -> None:
    engine = Engine(verp=SIGNED)
    parsed = engine.parse(mail(path()))
    assert parsed.proofs[0].level == "proven" and records(parsed)[0].proof.by == "verp"
    assert engine.parse(mail("bounces@example.org"), (path(),)).proofs[0].level == "proven", "the envelope, when it is told"
    assert engine.parse(mail("bounces@example.org")).proofs == (Proof("claimed", keys=True),)
    assert Engine(verp="bounces+{local}={domain}@example.org").parse(mail("bounces+reader=b.example@example.org")).proofs[0].recipient == WHO
    assert Engine(sent={"X1": [WHO]}.get).parse(mail("x@example.org", extra="Original-Envelope-Id: X1\n")).proofs[0].by == "envelope_id"
    assert Engine().parse(mail(path())).proofs == (), "nothing is proven that nobody asked for"
    assert engine.parse(b"From: a@b.example\nSubject: hello\n\nhow are you").proofs == ()


def test_a_complaint_shows_its_return_path_in_what_it_gives_back() -> None:
    complaint = (
        "From: fbl@provider.example\nTo: abuse@example.org\nSubject: complaint\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n--b\n\nThis is a complaint.\n\n'
        f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\nUser-Agent: x/1\n{{}}Original-Rcpt-To: {WHO}\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{{}}From: list@example.org\nTo: {WHO}\nSubject: x\n\nx\n--b--\n"
    )
    engine = Engine(verp=SIGNED)
    for field, header in ((f"Original-Mail-From: <{path()}>\n", ""), ("", f"Return-Path: <{path()}>\n")):
        parsed = engine.parse(complaint.format(field, header).encode())
        assert parsed.kind == "complaint" and parsed.proofs[0].level == "proven"
    assert engine.parse(complaint.format("", "").encode()).proofs[0].level == "claimed"


# Forgeries.

SUBSCRIBERS = [f"user{number}@site{number % 50}.example" for number in range(400)]
POSTS = {f"<post{number}@example.org>": SUBSCRIBERS for number in range(20)}
"""What every subscriber knows."""
FORGERIES = (
    *("no proof", "proof of another", "shared Message-ID", "unknown Message-ID", "altered path", "made up path", "wrong key", "expired"),
    "replayed",
)


def forge(how: str, chance: random.Random) -> tuple[bytes, str]:
    """Return a forged bounce that is perfect in form, and its victim."""
    victim, attacker = chance.sample(SUBSCRIBERS, 2)
    post = chance.choice(sorted(POSTS))
    own = SIGNED.make(attacker, DAY)
    if how == "altered path":
        at = chance.randrange(own.index("@"))
        letter = chance.choice([c for c in "abcdefghijklmnopqrstuvwxyz234567." if c != own[at]])
        return mail(own[:at] + letter + own[at + 1 :], victim, victim, post), victim
    if how == "made up path":
        own = "b1.{}.{}.{}@bounces.example.org".format(*("".join(chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=k)) for k in (3, 12, 16)))
    elif how == "wrong key":
        own = Verp("{signed}@bounces.example.org", keys=(Key("1", chance.randbytes(32)),)).make(victim, DAY)
    elif how == "expired":
        own = SIGNED.make(victim, date(2025, 12, chance.randint(1, 31)))
    elif how in ("no proof", "shared Message-ID", "unknown Message-ID"):
        own = chance.choice(["bounces@example.org", "list@example.org", "postmaster@bounces.example.org"])
        post = f"<{chance.randrange(10**9)}@example.org>" if how == "unknown Message-ID" else post
    return mail(own, victim, chance.choice([victim, "list@example.org"]), post), victim


def suppressions(engine: Engine, policies: list[Policy], forgeries: int, seed: int) -> dict[str, int]:
    """Feed forged bounces; return for each kind how many decisions were to suppress, whoever it was. A replayed one comes thirty times."""
    chance = random.Random(seed)
    found = dict.fromkeys(FORGERIES, 0)
    for number in range(forgeries):
        how = FORGERIES[number % len(FORGERIES)]
        raw, _ = forge("proof of another" if how == "replayed" else how, chance)
        parsed = engine.parse(raw)
        result, proof = parsed.results[0], parsed.proofs[0]
        key = key_of(parsed, result, proof)
        for policy in policies:
            for time in range(30 if how == "replayed" else 1):
                found[how] += decide(*result[::-1], proof, History(key, seen=time > 0), policy, NOW, kind=parsed.kind).action == "suppress"
    return found


def test_a_forged_bounce_suppresses_nobody() -> None:
    policies = [Policy.preset(name) for name in PRESETS]
    for engine in (Engine(verp=SIGNED), Engine(verp=SIGNED, sent=POSTS.get)):
        assert not any(suppressions(engine, policies, 900, 7).values())


def test_a_true_bounce_does() -> None:
    engine = Engine(verp=SIGNED, sent=POSTS.get)
    for subscriber in SUBSCRIBERS[:20]:
        parsed = engine.parse(mail(SIGNED.make(subscriber, DAY), subscriber))
        result = parsed.results[0]
        decision = decide(result.verdict, result.recipient, parsed.proofs[0], History(), Policy.preset("default"), NOW)
        assert (decision.action, decision.address) == ("suppress", subscriber)
