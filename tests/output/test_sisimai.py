"""The JSON of Sisimai: its keys, its values, its names."""

from __future__ import annotations

import json
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from bounceparse.engine import Engine
from bounceparse.output.sisimai import KINDS, Sisimai
from bounceparse.record import records
from tests.golden import FIXTURES, fixtures

ENGINE = Engine(headers=["X-Campaign"])
WRITER = Sisimai(ENGINE.tables.vocabularies["sisimai"])
KEYS = {
    *("action", "addresser", "alias", "catch", "deliverystatus", "destination", "diagnosticcode", "diagnostictype", "feedbacktype", "hardbounce"),
    *("lhost", "listid", "messageid", "origin", "reason", "recipient", "replycode", "rhost", "senderdomain", "smtpagent", "smtpcommand", "subject"),
    *("timestamp", "timezoneoffset", "token"),
    *("decodedby", "command", "feedbackid", "toxic", "softbounce"),  # of newer and of older releases
}


def read(*paths: Path) -> list[dict[str, Any]]:
    data = [WRITER.render(records(ENGINE.parse(path.read_bytes()), path.name)) for path in paths]
    found: list[dict[str, Any]] = json.loads(WRITER.head + WRITER.join.join(data) + WRITER.tail)
    return found


def test_a_bounce() -> None:
    [row] = read(FIXTURES / "postfix" / "01-user-unknown.eml")
    assert set(row) == KEYS
    told = {
        "addresser": "news@shop.example.org",
        "senderdomain": "shop.example.org",
        "recipient": "h.vogel@kunde.example",
        "destination": "kunde.example",
        "alias": "",
        "reason": "userunknown",
        "hardbounce": True,
        "softbounce": 0,
        "toxic": True,
        "action": "failed",
        "deliverystatus": "5.1.1",
        "replycode": "550",
        "diagnostictype": "SMTP",
        "smtpcommand": "RCPT",
        "smtpagent": "Postfix",
        "decodedby": "Postfix",
        "lhost": "mx1.relay.example.net",
        "rhost": "mail.kunde.example",
        "messageid": "c1f2b7.20260414.0712@shop.example.org",
        "listid": "newsletter.shop.example.org",
        "feedbacktype": "",
        "catch": None,
        "timestamp": 1776150758,
        "timezoneoffset": "+0000",
        "origin": "01-user-unknown.eml",
    }
    assert {name: row[name] for name in told} == told
    assert row["token"] == sha1(b"\x02news@shop.example.org\x1eh.vogel@kunde.example\x1e1776150758\x03").hexdigest()


def test_a_complaint() -> None:
    complaints = [row for path in fixtures() if path.parent.name == "arf" for row in read(path)]
    row = next(row for row in complaints if row["recipient"])
    assert row["reason"] == "feedback"
    assert row["feedbacktype"] == "abuse"
    assert row["smtpagent"] == "ARF"
    assert (row["hardbounce"], row["softbounce"], row["toxic"], row["diagnostictype"]) == (False, -1, True, "")


def test_the_original_recipient_is_the_alias() -> None:
    rows = read(*fixtures())
    assert any(row["alias"] for row in rows)
    for row in rows:
        assert row["alias"].lower() != row["recipient"].lower() or not row["alias"]
        assert row["destination"] == row["recipient"].rpartition("@")[2]
        assert row["reason"] in WRITER.vocabulary.reasons or row["reason"] == ""
        assert isinstance(row["replycode"], str)
        assert row["timestamp"] is None or isinstance(row["timestamp"], int)


def test_headers_that_were_asked_for_are_the_catch() -> None:
    raw = (FIXTURES / "postfix" / "01-user-unknown.eml").read_bytes().replace(b"\nList-Id:", b"\nX-Campaign: spring\nList-Id:")
    assert b"X-Campaign" in raw
    [line] = json.loads(b"[" + WRITER.render(records(ENGINE.parse(raw), "x")) + b"]")
    assert line["catch"] == {"X-Campaign": "spring"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_tells_of(kind: str) -> None:
    assert any(row.kind == kind for path in fixtures() for row in records(ENGINE.parse(path.read_bytes()), ""))
