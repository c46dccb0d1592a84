"""No address is recognisable in what is written with --redact."""

from __future__ import annotations

import pytest

from bounceparse import parse, records
from bounceparse.output.redact import masked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann@example.org", "a***@example.org"),
        ("550 5.1.1 <Ann.Smith@example.org>: no <b@c.example>", "550 5.1.1 <A***@example.org>: no <b***@c.example>"),
        ('"ann smith"@example.org', "a***@example.org"),
        ("bounces+ann=example.org@lists.example.com", "b***@lists.example.com"),
        ("https://example.com/u?m=ann%40example.org", "https://example.com/u?m=a***%40example.org"),
        ("bounces+ann=40example.org", "b***=40example.org"),
        ("ä@exämple.org", "ä***@exämple.org"),
        ("ann@[192.0.2.1]", "a***@[192.0.2.1]"),
        ("@example.org", "@example.org"),
        ("no address @ all, 40 %", "no address @ all, 40 %"),
        ("", ""),
    ],
)
def test_texts(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_records() -> None:
    raw = b"From: mailer-daemon@example.com\nSubject: Undelivered\n\n<ann.smith@example.org>: 550 5.1.1 ann.smith@example.org: user unknown\n"
    (row,) = records(parse(raw), "ann.smith@example.org/1.eml")
    assert row.recipient == "ann.smith@example.org"
    hidden = masked(row)
    assert type(hidden) is type(row)
    assert "smith" not in repr(hidden)
    assert hidden.recipient == "a***@example.org"
    assert (hidden.id, hidden.reason, hidden.evidence[0].span) == (row.id, row.reason, row.evidence[0].span)
