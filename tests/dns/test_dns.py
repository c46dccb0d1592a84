"""The online checks, against a real server that tells the truth, lies, cuts short, babbles, or stays silent."""

from __future__ import annotations

import random
import time
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from bounceparse.dns import Answer, Checker, weigh
from bounceparse.model import Recipient, Report, Result, Verdict
from tests.dns.server import Manner, Server

MX = "10 mx.good.test."
ZONE = {
    ("good.test", "MX"): ["20 other.good.test.", MX],
    ("mx.good.test", "A"): ["192.0.2.25"],
    ("plain.test", "A"): ["192.0.2.26"],
    ("six.test", "AAAA"): ["2001:db8::25"],
    ("null.test", "MX"): ["0 ."],
    ("text.test", "TXT"): ["hello"],
    ("dead.test", "MX"): ["10 mx.dead.test.", "20 mx.gone.test."],
    ("mx.dead.test", "TXT"): ["no address here"],
    ("home.test", "MX"): ["10 localhost.home.test."],
    ("localhost.home.test", "A"): ["127.0.0.1"],
    ("alias.test", "CNAME"): ["good.test."],
    ("loop.test", "CNAME"): ["loop.test."],
    ("broken.test", "CODE"): ["SERVFAIL"],
    ("closed.test", "CODE"): ["REFUSED"],
    ("half.test", "MX"): ["10 mx.broken.test."],
    ("mx.broken.test", "CODE"): ["SERVFAIL"],
    ("many.test", "MX"): [f"{n} mx{n}.many.test." for n in range(40)],
    ("xn--mnchen-3ya.test", "MX"): [MX],
}
UNKNOWN_DOMAIN = Verdict("hard", "domain_unknown", "recipient", "certain", "status:5.1.2")


def ask(domain: str, manner: Manner | None = None, **more: float) -> tuple[Answer, Server]:
    with Server(ZONE, *([manner] if manner else [])) as server:
        return Checker(["127.0.0.1"], server.port, **more).check(domain), server  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("domain", "state", "words"),
    [
        ("good.test", "receives", "MX mx.good.test"),
        ("GOOD.test.", "receives", "MX mx.good.test"),
        ("alias.test", "receives", "MX mx.good.test"),
        ("plain.test", "receives", "no MX, but an address"),
        ("six.test", "receives", "no MX, but an address"),
        ("münchen.test", "receives", "MX mx.good.test"),
        ("null.test", "refuses", "null MX"),
        ("absent.test", "missing", "NXDOMAIN"),
        ("text.test", "missing", "neither MX nor address"),
        ("dead.test", "missing", "no mail host has an address (mx.dead.test, mx.gone.test)"),
        ("home.test", "missing", "no mail host has an address"),
        ("broken.test", "unknown", "127.0.0.1 says SERVFAIL"),
        ("closed.test", "unknown", "127.0.0.1 says REFUSED"),
        ("half.test", "unknown", "127.0.0.1 says SERVFAIL"),
        ("many.test", "unknown", "the first mail hosts have no address"),
        ("loop.test", "unknown", "127.0.0.1"),
        ("localhost", "unknown", "not a domain"),
        ("[192.0.2.1]", "unknown", "not a domain"),
        ("", "unknown", "not a domain"),
        ("..", "unknown", "not a domain"),
        ("a" * 64 + ".test", "unknown", "not a domain name"),
        ("a\0b.\udcff.test", "unknown", "not a domain name"),
    ],
)
def test_what_the_dns_says(domain: str, state: str, words: str) -> None:
    answer, server = ask(domain)
    assert (answer.state, words in answer.because) == (state, True), answer
    assert len(server.asked) <= 10


def silent(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    return None


def cut(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    if not tcp:
        answer.flags |= dns.flags.TC
        answer.answer.clear()
    return answer.to_wire()


def cut_for_ever(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    answer.flags |= dns.flags.TC
    answer.answer.clear()
    return None if tcp else answer.to_wire()


def noise(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    return random.Random(len(server.asked)).randbytes(40)


def other_id(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    answer.id ^= 1
    answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer.to_wire()


def other_name(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    answer.answer[:] = [dns.rrset.from_text("victim.test.", 300, "IN", "MX", "0 .")]
    return answer.to_wire()


def other_question(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    lie = dns.message.make_response(dns.message.make_query("other.test", "MX"))
    lie.id = query.id
    lie.set_rcode(dns.rcode.NXDOMAIN)
    return lie.to_wire()


def not_an_answer(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    return query.to_wire()


def half_a_packet(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    wire = answer.to_wire()
    return wire[: len(wire) // 2]


@pytest.mark.parametrize("manner", [silent, cut_for_ever, noise, other_id, other_question, not_an_answer, half_a_packet, other_name])
def test_bad_manners_give_no_answer_in_time(manner: Manner) -> None:
    began = time.monotonic()
    answer, server = ask("good.test", manner, seconds=0.6)
    assert answer.state == "unknown"
    assert time.monotonic() - began < 0.9
    assert len(server.asked) <= 10


def test_an_answer_that_was_cut_comes_by_tcp() -> None:
    answer, server = ask("good.test", cut)
    assert answer.state == "receives"
    assert [(name, kind, way) for name, kind, way in server.asked][:2] == [("good.test", "MX", "udp"), ("good.test", "MX", "tcp")]


def test_the_next_server_is_asked() -> None:
    with Server(ZONE) as server:
        answer = Checker(["127.0.0.2", "127.0.0.1"], server.port).check("plain.test")
    assert answer.state == "receives"


def test_no_server_is_no_answer() -> None:
    checker = Checker(["127.0.0.1"], 1)
    assert checker.check("good.test").state == "unknown"


def test_a_message_has_a_budget() -> None:
    """Three seconds and ten queries, however many domains it names, and however slow the server is."""
    names = [f"d{n}.test" for n in range(50)]
    results = tuple(Result(Recipient(address=f"a@{name}"), UNKNOWN_DOMAIN) for name in names)
    with Server(ZONE) as server:
        report = Checker(["127.0.0.1"], server.port).weigh(Report("bounce", results, "0" * 64))
    assert len(server.asked) == 10
    assert [result.verdict.certainty for result in report.results] == ["certain"] * 50
    assert [result.verdict.because[-1].value for result in report.results][9:11] == [
        "d9.test: no such domain (NXDOMAIN)",
        "d10.test: no answer in time",
    ]
    with Server(ZONE, silent) as server:
        began = time.monotonic()
        Checker(["127.0.0.1"], server.port, seconds=1.2).weigh(Report("bounce", results, "0" * 64))
        assert time.monotonic() - began < 1.6


def test_answers_are_remembered_as_long_as_they_hold() -> None:
    now = [1000.0]
    with Server(ZONE) as server:
        checker = Checker(["127.0.0.1"], server.port, clock=lambda: now[0])
        for _ in range(3):
            assert checker.check("good.test").state == "receives"
            assert checker.check("absent.test").state == "missing"
        assert len(server.asked) == 3
        now[0] += 121  # the SOA says 120 seconds for what is missing, the records say 300
        checker.check("good.test")
        checker.check("absent.test")
        assert [name for name, _, _ in server.asked[3:]] == ["absent.test"]
        now[0] += 180
        checker.check("good.test")
        assert len(server.asked) == 6


def test_an_answer_never_adds_certainty() -> None:
    for certainty in ("certain", "likely", "guess"):
        for state in ("receives", "refuses", "missing", "unknown"):
            before = Verdict("hard", "domain_unknown", "recipient", certainty, "status:5.1.2")  # type: ignore[arg-type]
            after = weigh(before, Answer("example.test", state, "so"))  # type: ignore[arg-type]
            assert after.certainty == ("guess" if state == "receives" else certainty)
            assert (after.bounce, after.reason, after.fault) == (before.bounce, before.reason, before.fault)
            assert [evidence.value for evidence in after.because] == ["example.test: so"]


def test_only_unknown_domains_are_asked_about() -> None:
    verdict = Verdict("hard", "user_unknown", "recipient", "certain", "status:5.1.1")
    report = Report("bounce", (Result(Recipient(address="a@good.test"), verdict),), "0" * 64)
    with Server(ZONE) as server:
        assert Checker(["127.0.0.1"], server.port).weigh(report) is report
    assert server.asked == []


def test_nothing_asks_unless_told_to() -> None:
    """No file but the command line's loads the checks."""
    root = Path(__file__).parent.parent.parent / "bounceparse"
    users = [path.relative_to(root).as_posix() for path in root.rglob("*.py") if "bounceparse.dns" in path.read_text("utf-8")]
    assert {user.partition("/")[0] for user in users} <= {"cli", "server"}
