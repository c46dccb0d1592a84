"""Replies as they are quoted: codes, enhanced codes and phases, and the numbers and names that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceparse.replies import mask, read_phase, read_reply, read_status


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ("550 5.1.1 <a@example.com>: User unknown", "550", "5.1.1"),
        ("550-5.1.1 The account 550-5.1.1 does not 550 5.1.1 exist", "550", "5.1.1"),
        ("550 No such user", "550", ""),
        ("550 #5.1.0 Address rejected.", "550", "5.1.0"),
        ("#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##", "550", "5.1.1"),
        ("#< #5.1.1 smtp; 550 user unknown>", "550", "5.1.1"),
        ("511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", "511", "5.1.1"),
        ("sorry, no mailbox here by that name. (#5.1.1)", "", "5.1.1"),
        ("ERROR_CODE :550, ERROR_CODE :550 5.1.1 unknown", "550", "5.1.1"),
        ("smtp;550-5.7.26 This mail is unauthenticated", "550", "5.7.26"),
        ("SMTP Protocol Returned a Permanent Error 550 No such user", "550", ""),
        ("host mx.example.com[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)", "550", "5.1.1"),
        ("<<< 550 5.1.1 unknown", "550", "5.1.1"),
        ("MAIL+RCPT 550 5.1.1 unknown", "550", "5.1.1"),
        ("permanent failure for one or more recipients (a@example.com:550 5.1.1 no such user)", "550", "5.1.1"),
        ("421-4.7.0 slow down", "421", "4.7.0"),
        ("Status: 5.1.1", "", "5.1.1"),
        ("x rejected it with 550 5.7.1 because", "550", "5.7.1"),
    ],
)
def test_a_reply_is_read_in_every_dress(text: str, code: str, status: str) -> None:
    assert read_reply(text)[:2] == (code, status)


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ("550 host b.example said: 550 5.1.1 no such user", "550", "5.1.1"),
        ("450 relay says: 554 5.7.1 refused", "554", "5.7.1"),
        ("5.1.0 - Unknown address error 550-'5.7.1 blocked' (delivery attempts: 0)", "550", "5.7.1"),
        ("554 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.2 Connection timed out>", "421", "4.4.2"),
        ("550 5.1.1 unknown 503 5.0.0 Need RCPT", "550", "5.1.1"),
    ],
)
def test_the_innermost_reply_is_believed(text: str, code: str, status: str) -> None:
    assert read_reply(text)[:2] == (code, status)


def test_a_code_that_says_nothing_yields_to_the_one_at_the_end() -> None:
    assert read_reply("550 5.0.0 Sorry, no mailbox of that name. (#5.1.1)").status == "5.1.1"


@pytest.mark.parametrize(
    "text",
    [
        "5.1.1-user@example.com is not here",
        "user.4.2.2@example.com is not here",
        "550-club@example.com is not here, said a person",
        "see https://example.com/help?c=550&status=5.1.1",
        "see www.example.com/550",
        "connect to 192.0.2.55: no route",
        "Postfix 3.5.1 on host5.1.1.example.com",
        "written on 2024.5.7 at 10:45:50",
        "v5.1.1 of the software",
        "OFR_417 [417]",
        "Greylisted for 300 seconds",
        "X-Unix; 255",
        "unknown mailer error 255",
        "5500 messages",
        "",
    ],
)
def test_other_numbers_are_no_codes(text: str) -> None:
    reply = read_reply(text.replace("550-club", "x 550-club"))
    assert reply.code == ""
    assert reply.status == ""


def test_seconds_after_a_reply_are_no_reply() -> None:
    assert read_reply("450 4.7.1 try again in 500 seconds")[:2] == ("450", "4.7.1")
    assert read_reply("553 5.0.3 DNSBL:RBL 521 _is_blocked")[:2] == ("553", "5.0.3")


def test_the_rest_are_the_words() -> None:
    assert read_reply("550 5.1.1 User unknown").rest == "User unknown"
    assert read_reply("host a said: 550 #5.1.0 Address rejected.").rest == "Address rejected."


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5.1.1", ("", "5.1.1")),
        ("5.2.1 (mailbox disabled, not accepting messages)", ("", "5.2.1")),
        ("553 Exceeded maximum inbound message size", ("553", "")),
        ("", ("", "")),
        ("5.1", ("", "")),
        ("RO", ("", "")),
    ],
)
def test_a_status_field(value: str, expected: tuple[str, str]) -> None:
    assert read_status(value) == expected


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("550 no (in reply to RCPT TO command)", "RCPT"),
        ("550 no (in reply to MAIL FROM command)", "MAIL"),
        ("550 no (in reply to end of DATA command)", "EOD"),
        ("550 no (in reply to EHLO command)", "EHLO"),
        ("SMTP error from remote mail server after RCPT TO:<a@example.com>: 550", "RCPT"),
        ("SMTP error from remote mail server after initial connection: 554", "CONNECT"),
        ("SMTP error from remote mail server after end of data: 554", "EOD"),
        ("SMTP error from remote mail server after pipelined DATA: 503", "DATA"),
        ("550 no [RCPT_TO]", "RCPT"),
        ("550 no [DATA_CLOSE]", "EOD"),
        ("550 no (state 14).", "RCPT"),
        ("192.0.2.1 does not like recipient.", "RCPT"),
        ("192.0.2.1 failed after I sent the message.", "EOD"),
        ("Connected to 192.0.2.1 but sender was rejected.", "MAIL"),
        ("mx.example.com did not like our RCPT TO: 550", "RCPT"),
        ("host mx.example.com refused to talk to me: 554", "CONNECT"),
        ("lost connection with mx.example.com while receiving the initial server greeting", "CONNECT"),
        ("lost connection with mx.example.com while sending RCPT TO", "RCPT"),
        ("550 no in MAIL FROM", "MAIL"),
        ("MAIL+RCPT 550 no", "RCPT"),
        ("the database is down", ""),
        ("550 5.1.1 User unknown", ""),
        ("", ""),
    ],
)
def test_the_phase_is_read(text: str, phase: str) -> None:
    assert read_phase(text) == phase


def test_addresses_and_links_are_taken_out() -> None:
    plain, links = mask("550 <user.unknown@example.com>: see https://example.com/full-mailbox?x=1 or www.example.net/spam, bye")
    assert "unknown" not in plain
    assert "full" not in plain
    assert "spam" not in plain
    assert links.split() == ["https://example.com/full-mailbox?x=1", "www.example.net/spam,"]
    assert plain.startswith("550 <")
    assert plain.endswith("bye")


def test_a_code_glued_to_an_address_stays() -> None:
    assert read_reply("550-user@example.com: not here").code == "550"
    assert read_reply("554 a@example.com and b@example.org").code == "554"


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    code, status, rest = read_reply(text)
    assert not code or (len(code) == 3 and code.isdecimal())
    assert not status or status.count(".") == 2
    assert len(rest) <= len(text)
    read_phase(text)
    read_status(text)
    mask(text)


@pytest.mark.parametrize("piece", ["550 ", "5.1.1 ", "a@", "<550 5.1.1 ", "https://", "in reply to ", "[RCPT_TO]", "550-'"])
def test_work_is_linear_in_the_text(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    read_reply(text)
    read_phase(text)
    mask(text)
