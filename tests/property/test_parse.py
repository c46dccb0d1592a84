"""`parse` is total and deterministic, says where it read what, and says it in clean text; how a part is encoded changes nothing."""

from __future__ import annotations

import base64
import json
import os
import quopri
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bounceparse import flaws, record
from bounceparse.engine import parse
from bounceparse.model import Report
from bounceparse.wire.mime import read_message
from tests import golden

CASES = golden.fixtures()
MAILS = [path.read_bytes() for path in CASES]
UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
TOKENS = [
    b"\n", b"\r\n", b"\r", b"\n\n", b"\0", b" ", b"\t", b";", b'"', b"<", b">", b"(", b")", b"=", b"=?utf-8?q?", b"?=", b"--", b":", b"@", b"\xff",
    b"\xc3", b"\x1b$B", b"\x1b[2J", b"\xe2\x80\xae", b"\xed\xa0\x80", b"550 5.1.1 ", b"4.2.2", b"<a@example.com>", b"rfc822;", b"smtp;", b"Status: ",
    b"Action: failed\n", b"Final-Recipient: ", b"Diagnostic-Code: ",
    b"Content-Type: multipart/report; boundary=", b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", b"charset=utf-7", b"charset=punycode", b"<html><body>",
    b"From: ", b"From MAILER-DAEMON\n", b">>> RCPT To:<a@example.com>\n<<< 550 no\n", b"X-Failed-Recipients: a@example.com\n",
]  # fmt: skip


def texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def assert_sound(raw: bytes) -> Report:
    """Everything that holds of any bytes."""
    report = parse(raw)
    assert parse(bytes(raw)) == report, "the same bytes are read alike"
    assert set(report.flaws) <= flaws.ALL
    for recipient, verdict in report.results:
        for evidence in (*recipient.evidence, *verdict.because):
            start, end = evidence.span
            assert 0 <= start <= end <= len(raw)
        if not flaws.CUTS.isdisjoint(report.flaws):
            assert verdict.certainty != "certain"
        if verdict.bounce == "hard":
            assert verdict.fault == "recipient" and recipient.reply_code[:1] != "4" and recipient.action != "delayed"
    for line in record.encode(report, "mail.eml").splitlines():
        for text in texts(json.loads(line)):
            assert UNCLEAN.search(text) is None, repr(text)
    return report


def changed(raw: bytes, changes: list[tuple[str, int, int, bytes]]) -> bytes:
    """`raw` after a few accidents; places are counted round and round."""
    for kind, at, length, token in changes:
        place = at % (len(raw) + 1)
        if kind == "cut":
            raw = raw[:place]
        elif kind == "drop":
            raw = raw[:place] + raw[place + length :]
        elif kind == "insert":
            raw = raw[:place] + token + raw[place:]
        elif kind == "replace":
            raw = raw[:place] + token + raw[place + len(token) :]
        elif kind == "repeat":
            raw = raw[: place + length] + raw[place:]
        else:
            other = MAILS[length % len(MAILS)] if MAILS else b""
            raw = raw[:place] + other[at % (len(other) + 1) :]
    return raw


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["cut", "drop", "insert", "insert", "replace", "replace", "repeat", "splice"]),
        st.integers(0, 20_000),
        st.integers(0, 200),
        st.sampled_from(TOKENS) | st.binary(min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=600) | st.lists(st.sampled_from(TOKENS) | st.binary(max_size=5), max_size=40).map(b"".join))
@example(b"")
@example(b"\n")
@example(b"From: MAILER-DAEMON\nSubject: failure\n\n<a@example.com>: 550 5.1.1 \xed\xa0\x80\x1b[2J unknown\n")
def test_any_bytes_are_reported_on(raw: bytes) -> None:
    assert_sound(raw)


@pytest.mark.skipif(not CASES, reason="no fixtures")
@settings(max_examples=600, deadline=None)
@given(st.integers(0, max(len(CASES) - 1, 0)), CHANGES)
def test_spoiled_mails_are_reported_on(number: int, changes: list[tuple[str, int, int, bytes]]) -> None:
    assert_sound(changed(MAILS[number], changes))


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_fixtures_are_sound(path: Path) -> None:
    raw = path.read_bytes()
    assert_sound(raw)
    for end in (b"\r\n", b"\r"):
        assert_sound(raw.replace(b"\r\n", b"\n").replace(b"\n", end))


SHORT = [raw for raw in MAILS if len(raw) < 1_600][:8]


@pytest.mark.parametrize("raw", SHORT, ids=range(len(SHORT)))
def test_every_prefix_is_sound(raw: bytes) -> None:
    for end in range(0, len(raw), 3):
        assert_sound(raw[:end])


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_a_span_holds_what_it_is_evidence_of(path: Path, end: bytes) -> None:
    raw = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", end)
    for recipient, _ in parse(raw).results:
        for evidence in recipient.evidence:
            said = raw[slice(*evidence.span)].decode("utf-8", "replace")
            if evidence.span == (0, 0) or not evidence.value:
                continue
            if evidence.field == "Action":
                assert said.strip(), "an action stands where it is said to stand"
            elif evidence.field in ("Status", "Final-Recipient", "Original-Recipient") and evidence.value.isascii():
                bare = re.sub(r"[\s\"]", "", said).lower()
                assert evidence.value.lower().replace('"', "") in bare or "+" in said or "\\x" in said or "imcea" in bare, (evidence.value, said)


# How a part is encoded


def as_base64(body: bytes) -> bytes:
    return base64.encodebytes(body)


def as_quoted_printable(body: bytes) -> bytes:
    return quopri.encodestring(body).rstrip(b"\n") + b"\n"


def recoded(raw: bytes, encode: Callable[[bytes], bytes], name: bytes) -> bytes | None:
    """The mail with its first plain text part encoded anew; None when it has none that stands as it is."""
    message = read_message(raw)
    for part in message.parts:
        if part.type != "text/plain" or part.encoding not in ("", "7bit", "8bit") or part.end <= part.body:
            continue
        head, body = raw[part.start : part.body], raw[part.body : part.end]
        if part.body == part.start:
            head = b"\n"  # no header at all
        head = re.sub(rb"(?im)^content-transfer-encoding:.*\n", b"", head)
        head = b"Content-Transfer-Encoding: " + name + b"\n" + head
        if part.parent >= 0 and raw[part.end : part.end + 1] != b"\n":
            return None
        return raw[: part.start] + head + encode(body) + raw[part.end :]
    return None


def facts(report: Report) -> list[tuple[str, ...]]:
    return [(r.address, r.status, r.reply_code, r.action, r.diagnostic, v.bounce, v.reason, v.fault) for r, v in report.results]


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_the_encoding_of_the_text_changes_nothing(path: Path, encoding: str) -> None:
    raw = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    view = recoded(raw, as_base64 if encoding == "base64" else as_quoted_printable, encoding.encode())
    if view is None:
        pytest.skip("no plain text part")
    whole, other = parse(raw), parse(view)
    assert (other.kind, other.dialect, facts(other)) == (whole.kind, whole.dialect, facts(whole))


# The same under any hash seed

SCRIPT = """
import hashlib, sys
from bounceparse import record
from bounceparse.engine import parse
from tests import golden
print(hashlib.sha256(b"".join(record.encode(parse(path.read_bytes()), path.name) for path in golden.fixtures())).hexdigest())
"""


@pytest.mark.skipif(not CASES, reason="no fixtures")
def test_records_are_the_same_under_any_hash_seed() -> None:
    root = Path(__file__).parent.parent.parent
    run = partial(subprocess.run, [sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, check=True)
    digests = {run(env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}).stdout for seed in ("0", "1", "4242")}
    assert len(digests) == 1
