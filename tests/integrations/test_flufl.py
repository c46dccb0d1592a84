"""The interface of flufl.bounce: its signatures and types, its meaning, and its own expectations where its source is at hand."""

from __future__ import annotations

import ast
import email
import email.message
import email.policy
import inspect
import os
from email.header import Header
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from pathlib import Path

import flufl.bounce
import pytest

from bounceparse.engine import parse
from bounceparse.integrations.flufl import all_failures, scan_message, to_bytes
from tests.golden import fixtures, name

SOURCE = os.environ.get("FLUFL_BOUNCE_SOURCE", "")
REPORT = """\
From: MAILER-DAEMON@mx.example.com
Subject: Delivery report
Content-Type: multipart/report; report-type=delivery-status; boundary=MARK

--MARK
Content-Type: text/plain

Delivery report of mx.example.com.
--MARK
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; Anne@Lists.EXAMPLE.org
Action: failed
Status: 5.1.1

Original-Recipient: rfc822; first@example.com
Final-Recipient: rfc822; forwarded@example.net
Action: failed
Status: 5.2.2

Final-Recipient: rfc822; bart@example.com
Action: delayed
Status: 4.4.1

Final-Recipient: rfc822; cate@example.com
Action: delivered
Status: 2.0.0

Final-Recipient: rfc822; jürgen@example.com
Action: failed
Status: 5.1.1
--MARK--
"""


def test_the_signatures_are_the_same() -> None:
    for ours, theirs in ((all_failures, flufl.bounce.all_failures), (scan_message, flufl.bounce.scan_message)):
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def test_the_types_are_the_same() -> None:
    message = email.message_from_bytes(REPORT.encode())
    answers = (all_failures(message), flufl.bounce.all_failures(message))
    assert answers[0] == answers[1]
    for answer in answers:
        assert type(answer) is tuple
        assert [type(part) for part in answer] == [frozenset, frozenset]
    assert type(scan_message(message)) is type(flufl.bounce.scan_message(message)) is frozenset


def test_failed_is_permanent_and_delayed_temporary() -> None:
    temporary, permanent = all_failures(email.message_from_bytes(REPORT.encode()))
    assert temporary == {b"bart@example.com"}
    assert permanent == {b"Anne@Lists.EXAMPLE.org", b"first@example.com"}


@pytest.mark.parametrize("path", fixtures(), ids=name)
def test_a_fixture_read_by_the_email_package_says_the_same(path: Path) -> None:
    raw = path.read_bytes()
    report = parse(raw)
    for policy in (email.policy.compat32, email.policy.default):
        message = email.message_from_bytes(raw, policy=policy)
        assert {result.recipient.address for result in parse(to_bytes(message)).results} == {result.recipient.address for result in report.results}
        temporary, permanent = all_failures(message)
        assert scan_message(message) == permanent
        if report.kind not in ("bounce", "delay"):
            assert not temporary | permanent
        known = {address.lower() for result in report.results for address in (result.recipient.address, result.recipient.final_address)}
        named = {address.decode().lower() for address in temporary | permanent}
        assert named <= known or any(address in result.recipient.diagnostic.lower() for address in named - known for result in report.results)
        guessed = {result.recipient.address.lower() for result in report.results if {e.source for e in result.recipient.evidence} == {"original"}}
        failed = {result.recipient.address.lower() for result in report.results if result.recipient.action == "failed"} - guessed - {""}
        assert report.kind != "bounce" or failed <= {address.decode().lower() for address in permanent} or not all(map(str.isascii, failed))


def test_the_list_is_not_a_recipient() -> None:
    text = (
        "From: postmaster@example.net\nTo: news-bounces@lists.example.com\nSubject: Mail delivery failed\n"
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="MARK"\n\n--MARK\nContent-Type: text/plain\n\n'
        "Your message could not be delivered: the user is not valid here.\n\n--MARK\nContent-Type: message/rfc822\n\n"
        "From: ann@example.org\nTo: news@lists.example.com\nSubject: January\n\nText\n\n--MARK--\n"
    )
    assert all_failures(email.message_from_string(text)) == (frozenset(), frozenset())


def test_messages_made_in_code() -> None:
    empty = email.message.Message()
    assert all_failures(empty) == (frozenset(), frozenset())
    assert all_failures(MIMEMultipart("mixed")) == (frozenset(), frozenset())
    made = MIMEMultipart("report", report_type="delivery-status")
    made["Subject"] = Header("Zurück: unzustellbar", "utf-8")
    status = MIMEBase("message", "delivery-status")
    status.set_payload("Reporting-MTA: dns; mx.example.com\n\nAction: failed\nFinal-Recipient: rfc822; anne@example.com\nStatus: 5.1.1\n")
    made.attach(status)
    assert scan_message(made) == {b"anne@example.com"}


def test_text_that_never_was_bytes() -> None:
    text = "From: Größe <mailer-daemon@example.com>\nSubject: Unzustellbar – zurück\n\n<a@example.com>: Ungültig, Benutzer unbekannt\n"
    for policy in (email.policy.compat32, email.policy.default):
        message = email.message_from_string(text, policy=policy)
        assert to_bytes(message).decode() == text
        assert scan_message(message) == {b"a@example.com"}


def test_eight_bit_bodies_come_through() -> None:
    raw = b"From: mailer-daemon@example.com\nSubject: x\nContent-Type: text/plain; charset=iso-8859-1\n\nUng\xfcltig: a@example.com\n"
    assert to_bytes(email.message_from_bytes(raw)) == raw


def test_no_depth_is_too_deep() -> None:
    message = email.message.Message()
    message.set_payload("the end")
    for _ in range(20_000):
        outer = email.message.Message()
        outer["Content-Type"] = "message/rfc822"
        outer.set_payload([message])
        message = outer
    assert all_failures(message) == (frozenset(), frozenset())
    while isinstance(message.get_payload(), list):  # taken apart by hand: letting go of it all at once would recurse
        [message] = message.get_payload()


def expectations() -> list[tuple[str, set[bytes], set[bytes]]]:
    """File, temporary and permanent recipients of flufl.bounce's own table of detectors."""
    tree = ast.parse((Path(SOURCE) / "tests" / "test_detectors.py").read_text("utf-8"))
    [table] = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DETECTORS"]
    expected: dict[str, tuple[set[bytes], set[bytes]]] = {}
    for _, file, addresses, temporary in table:
        expected.setdefault(file, (set(), set()))[0 if temporary else 1].update(addresses)
    return [(file, *sets) for file, sets in expected.items()]


@pytest.mark.skipif(not SOURCE, reason="FLUFL_BOUNCE_SOURCE does not name an unpacked sdist of flufl.bounce 6")
def test_its_own_expectations() -> None:
    data = Path(SOURCE) / "tests" / "data"
    rows = expectations()
    assert len(rows) > 100
    wrong = []
    for file in sorted(path.name for path in data.glob("*.txt")):
        message = email.message_from_bytes((data / file).read_bytes())
        temporary, permanent = next(((row[1], row[2]) for row in rows if row[0] == file and row[1] | row[2]), (set(), set()))
        if not temporary | permanent:  # its table asks one detector alone; what all of them say is what a program gets
            temporary, permanent = map(set, flufl.bounce.all_failures(message))
        if all_failures(message) != (temporary, permanent):
            wrong.append((file, all_failures(message), temporary, permanent))
    assert not wrong
