"""What a person adds, removes, asks, looks up, and has forgotten."""

from __future__ import annotations

import pickle
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bounceparse.ledger import Ledger, people
from bounceparse.model import Suppression
from bounceparse.policy import Policy
from tests.ledger.reports import report

Clock = Callable[[float], datetime]
ANN = "ann@example.org"


def test_add_check_remove(ledger: Ledger, clock: Clock) -> None:
    assert ledger.check(ANN) is None
    assert ledger.add("Ann <ANN@Example.Org>", why="asked by telephone", by="operator", now=clock(0))
    held = ledger.check(ANN, now=clock(1))
    assert held == Suppression(ANN, "manual", since=clock(0), why="asked by telephone", added_by="operator")
    assert not ledger.add(ANN, until=clock(9), now=clock(1)), "it is suppressed for good already"
    assert ledger.remove(ANN, by="boss", now=clock(2)) == 1
    assert ledger.remove(ANN, now=clock(2)) == 0
    assert ledger.check(ANN, now=clock(3)) is None
    (undone,) = ledger.history(ANN).suppressions
    assert (undone.undone, undone.undone_by) == (clock(2), "boss")


def test_a_longer_one_prolongs(ledger: Ledger, clock: Clock) -> None:
    assert ledger.add(ANN, until=clock(5), now=clock(0))
    assert not ledger.add(ANN, until=clock(4), now=clock(0))
    assert ledger.add(ANN, until=clock(9), reason="mailbox_full", now=clock(1))
    (held,) = ledger.suppressions(now=clock(2))
    assert (held.since, held.until, held.reason) == (clock(0), clock(9), "mailbox_full")


def test_removing_takes_the_strikes_as_well(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    for day in range(5):
        ledger.record(report(ANN, reason="mailbox_full"), policy, now=clock(day))
    assert ledger.remove(ANN, now=clock(5)) == 1
    assert ledger.record(report(ANN, reason="mailbox_full"), policy, now=clock(6))[0].action == "record"


def test_a_whole_domain(ledger: Ledger, clock: Clock) -> None:
    ledger.add("@MÜNCHEN.example", now=clock(0))
    held = ledger.check("jo@xn--mnchen-3ya.example", now=clock(1))
    assert held is not None
    assert (held.address, held.scope) == ("@xn--mnchen-3ya.example", "domain")
    assert ledger.check("jo@sub.münchen.example", now=clock(1)) is None
    assert ledger.remove("@münchen.example", now=clock(2)) == 1
    assert ledger.check("jo@münchen.example", now=clock(3)) is None


def test_removing_a_person_leaves_the_domain(ledger: Ledger, clock: Clock) -> None:
    ledger.add("@example.org", now=clock(0))
    assert ledger.remove(ANN, now=clock(1)) == 0
    assert ledger.check(ANN, now=clock(2)) is not None


def test_scopes_need_a_place(ledger: Ledger, clock: Clock) -> None:
    for scope in ("list", "sender"):
        with pytest.raises(ValueError, match=scope):
            ledger.add(ANN, scope=scope)  # type: ignore[arg-type]
    ledger.add(ANN, scope="list", place="News <NEWS.example.com>", now=clock(0))
    ledger.add(ANN, scope="sender", place="example.net", now=clock(0))
    assert ledger.check(ANN, list="news.example.com", sender="x@example.com", now=clock(1)) is not None
    assert ledger.check(ANN, list="other", sender="any@example.net", now=clock(1)) is not None
    assert ledger.check(ANN, list="other", sender="x@example.com", now=clock(1)) is None
    assert ledger.remove(ANN, scope="list", place="news.example.com", now=clock(2)) == 1
    assert ledger.check(ANN, list="news.example.com", sender="x@example.com", now=clock(3)) is None


@pytest.mark.parametrize("text", ["", "nobody", "@", "a@", "\0", "a b c", "x" * 500 + "@example.org"])
def test_what_is_no_address(ledger: Ledger, text: str) -> None:
    with pytest.raises(ValueError, match=r"no (address|domain)"):
        ledger.add(text)
    assert ledger.check(text) is None
    assert list(ledger.check_many([text, text])) == [None, None]


def test_lists(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    ledger.record(report(ANN, "bob@example.com"), policy, now=clock(0))
    ledger.add("cid@example.com", scope="list", place="news", reason="unsubscribe", now=clock(1))
    ledger.add("dan@example.com", until=clock(3), now=clock(2))

    def names(**wanted: object) -> str:
        return " ".join(held.address[:3] for held in ledger.suppressions(**({"now": clock(2.5)} | wanted)))  # type: ignore[arg-type]

    assert names() == "ann bob cid dan"
    assert names(now=clock(4)) == "ann bob cid"
    assert names(domain="EXAMPLE.com") == "bob cid dan"
    assert names(list="news") == "cid"
    assert names(reason="user_unknown") == "ann bob"
    assert names(since=clock(1)) == "cid dan"
    assert names(since=clock(1), until=clock(1)) == "cid"
    ledger.remove(ANN, now=clock(2))
    assert (names(), names(everything=True)) == ("bob cid dan", "ann bob cid dan")


def test_add_many(ledger: Ledger, clock: Clock) -> None:
    people = [Suppression(f"p{n % 2500}@d{n % 7}.example", "suppressed", why="from elsewhere") for n in range(5000)]
    total, new = ledger.add_many(people, by="import", now=clock(0))
    assert total == 5000
    assert new == len({person.address for person in people}) == len(list(ledger.suppressions()))
    assert ledger.add_many(people, by="import", now=clock(1)) == (5000, 0)
    with pytest.raises(ValueError, match="nobody"):
        ledger.add_many([Suppression("nobody", "suppressed")])


def test_many_questions(ledger: Ledger, clock: Clock) -> None:
    ledger.add_many((Suppression(f"p{n}@example.com", "suppressed") for n in range(0, 9000, 3)), now=clock(0))
    asked = [f"P{n}@example.com" for n in range(9000)]
    answers = list(ledger.check_many(iter(asked), now=clock(1)))
    assert [answer is not None for answer in answers] == [n % 3 == 0 for n in range(9000)]
    assert answers[3] == ledger.check("p3@example.com", now=clock(1))
    assert list(ledger.check_many([])) == []


def test_fifty_thousand_questions_a_second(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/bounces.db")
    ledger.add_many(Suppression(f"person.number.{n}@domain{n % 100}.example", "suppressed") for n in range(20_000))
    asked = [f"person.number.{n}@domain{n % 100}.example" for n in range(15_000, 40_000)]
    list(ledger.check_many(asked[:10]))
    began = time.process_time()
    assert sum(answer is not None for answer in ledger.check_many(asked)) == 5_000
    assert len(asked) / (time.process_time() - began) > 50_000


def test_forgetting_leaves_nothing(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    mail = report(ANN, "bob@example.com", message="<1@example.com>")
    ledger.record(mail, policy, now=clock(0), origin="s.mbox#1")
    ledger.delivered(ANN, now=clock(1))
    ledger.record(report(ANN), policy, now=clock(2))
    ledger.quarantine(b"To: Ann@Example.ORG\n\nbroken", "crashed")
    ledger.quarantine(b"To: bob@example.com\n\nbroken", "crashed")
    gone = ledger.forget(ANN, now=clock(3))
    assert (gone.events, gone.suppressions, gone.quarantined, gone.kept) == (2, 2, 1, False)
    person = ledger.history(ANN)
    assert (person.events, person.strikes, person.suppressions, person.delivered) == ((), (), (), None)
    assert ledger.check(ANN, now=clock(4)) is None
    assert "ann" not in repr([*ledger.events(), *ledger.suppressions(everything=True), *ledger.quarantined()]).lower()
    assert [event.reason for event in ledger.events()] == ["user_unknown"] * 3, "what happened is still counted"
    assert ledger.record(mail, policy, now=clock(5))[0].action == "ignore", "the old bounce, read again, does not bring the person back"
    assert ledger.history(ANN).events == ()
    assert ledger.check("bob@example.com", now=clock(6)) is not None


def test_a_forgotten_person_can_stay_suppressed(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    ledger.record(report(ANN), policy, now=clock(0))
    ledger.add(ANN, scope="list", place="news", reason="unsubscribe", now=clock(0))
    assert ledger.forget(ANN, keep=True, now=clock(1)).kept
    held = ledger.check("ANN@example.org", now=clock(2))
    assert held is not None
    assert (held.address, held.reason, held.why, held.evidence) == ("", "user_unknown", "", ())
    assert ledger.record(report(ANN), policy, now=clock(3))[0].action == "record"
    assert ledger.record(report(ANN, reason="mailbox_full"), policy, now=clock(3))[0].action == "record"
    assert ledger.history(ANN).events == ()
    assert "ann" not in repr([*ledger.events(), *ledger.suppressions(everything=True)]).lower()
    assert len({held.reason for held in ledger.history(ANN).suppressions}) == 2
    assert ledger.forget(ANN, keep=True, now=clock(4)).kept is False, "nothing new to keep; the hash stays"
    assert ledger.check(ANN, now=clock(5)) is not None
    assert ledger.remove(ANN, now=clock(6)) == 2
    assert ledger.check(ANN, now=clock(7)) is None


def test_forgotten_text_is_gone_from_the_file(tmp_path: Path, policy: Policy) -> None:
    file = tmp_path / "bounces.db"
    with Ledger(str(file)) as ledger:
        ledger.record(report("unmistakable@example.org", "bob@example.com"), policy)
        assert any(b"unmistakable" in path.read_bytes() for path in tmp_path.iterdir())
        ledger.forget("unmistakable@example.org", keep=True)
        assert not any(b"unmistakable" in path.read_bytes() for path in tmp_path.iterdir())
    assert file.stat().st_mode & 0o077 == 0


def test_old_traces_go_and_what_holds_stays(ledger: Ledger, policy: Policy, clock: Clock) -> None:
    ledger.record(report(ANN), policy, now=clock(0))
    ledger.record(report("bob@example.com", reason="mailbox_full", message="<b@example.com>"), policy, now=clock(0))
    ledger.record(report("cid@example.com", reason="mailbox_full"), policy, now=clock(90))
    ledger.add("dan@example.com", until=clock(10), now=clock(0))
    ledger.delivered("eve@example.com", now=clock(0))
    ledger.quarantine(b"x", "crashed", now=clock(0))
    assert ledger.purge(clock(60)) == 2
    assert [held.address for held in ledger.suppressions(everything=True)] == [ANN]
    assert [event.address for event in ledger.events()] == ["", "", "cid@example.com"]
    assert ledger.history("bob@example.com").strikes == ()
    assert ledger.history("eve@example.com").delivered is None
    assert list(ledger.quarantined()) == []
    assert ledger.record(report("bob@example.com", reason="mailbox_full", message="<b@example.com>"), policy, now=clock(91))[0].action == "ignore"


def test_retention_works_by_itself(url: str, ledger: Ledger, policy: Policy, clock: Clock) -> None:
    now = datetime.now(clock(0).tzinfo)
    with Ledger(url, retention_days=30) as keeping:
        keeping.record(report(ANN, reason="spam"), policy, now=now - timedelta(days=31))
        assert [event.address for event in keeping.events()] == [""]
        keeping.record(report("bob@example.com", reason="spam"), policy, now=now - timedelta(days=31))
        assert [event.address for event in keeping.events()] == ["", "bob@example.com"], "six hours have not passed"
    ledger._database.write(lambda connection: people.put_setting(connection, people.PURGED, (now - timedelta(hours=7)).isoformat()))
    again = pickle.loads(pickle.dumps(ledger))
    again.record(report("cid@example.net", reason="spam"), policy)
    assert [event.address for event in again.events()] == ["", "", "cid@example.net"], "whoever opens the ledger keeps to it"
    with Ledger(url, retention_days=0) as keeping:
        keeping.record(report("dan@example.net", reason="spam"), policy, now=now - timedelta(days=99))
    ledger._database.write(lambda connection: people.put_setting(connection, people.PURGED, ""))
    again.close()
    again._look_again = None
    again.record(report("eve@example.net", reason="spam"), policy)
    assert "dan@example.net" in [event.address for event in again.events()]


def test_quarantine(ledger: Ledger, clock: Clock) -> None:
    raw = bytes(range(256)) * 10
    digest = ledger.quarantine(raw, "killed by signal 9", origin="in/1.eml", now=clock(0))
    assert ledger.quarantine(raw, "killed again", origin="in/1.eml", now=clock(1)) == digest
    (kept,) = ledger.quarantined()
    assert (kept.digest, kept.raw, kept.tries, kept.reason, kept.at) == (digest, raw, 2, "killed again", clock(1))
    assert ledger.release(digest)
    assert not ledger.release(digest)
    assert list(ledger.quarantined()) == []


def test_an_operator_can_read_the_file(tmp_path: Path, policy: Policy, clock: Clock) -> None:
    """The tables mean something to people with the sqlite3 program."""
    with Ledger(f"sqlite:///{tmp_path}/bounces.db") as ledger:
        ledger.record(report(ANN), policy, now=clock(0))
    link = sqlite3.connect(tmp_path / "bounces.db")
    row = link.execute("SELECT address, reason, scope, since, until FROM bounce_suppressions").fetchone()
    assert row == (ANN, "user_unknown", "everywhere", "2026-11-23T10:00:00.000000Z", None)
    assert link.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    link.close()
