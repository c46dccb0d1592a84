"""Five views of each fixture: as mail is stored, cut, fattened and forwarded, a verdict stays or becomes less certain.

Above all no view may turn an address that stays into one that goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bounceparse.engine import parse
from bounceparse.model import Report, Verdict
from tests import golden

CASES = golden.fixtures()
CERTAINTY = {"guess": 0, "likely": 1, "certain": 2}
CUTS = (0.25, 0.50, 0.75, 0.95)
STEP = 89  # bytes from one cut to the next, where each place counts
ATTACHMENT = b"QUJD" * 19 + b"\n"


def lf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def verdicts(report: Report) -> dict[str, Verdict]:
    """The verdict under every name that its recipient has."""
    return {name.lower(): verdict for r, verdict in report.results for name in (r.final_address, r.original_address, r.address) if name}


def facts(report: Report) -> list[tuple[str, ...]]:
    """What a view of the whole mail may not change."""
    return [(r.address, r.status, r.reply_code, r.action, v.bounce, v.reason, v.fault) for r, v in report.results]


def assert_no_worse(view: Report, whole: Report) -> None:
    """Nobody becomes hard with a certainty that policies act on, and nobody who is named in both becomes more certain."""
    before = verdicts(whole)
    for recipient, verdict in view.results:
        address = recipient.address
        was = before.get(address.lower())
        if address and verdict.bounce == "hard" and verdict.certainty != "guess":
            assert was is not None and was.bounce == "hard", f"{address!r} became hard: {verdict.rule}"
        if was is not None and verdict.bounce == was.bounce and verdict.reason == was.reason:
            assert CERTAINTY[verdict.certainty] <= CERTAINTY[was.certainty], f"{address!r} became more certain: {verdict.rule}"


def boundary(raw: bytes) -> bytes | None:
    """The outermost boundary, when the mail is a multipart that was closed."""
    head = raw.partition(b"\n\n")[0]
    found = re.search(rb"^content-type:\s*multipart/(?:[^\n]|\n[ \t])*?boundary=\"?([^\"\s;]+)", head, re.IGNORECASE | re.MULTILINE)
    return found[1] if found and b"\n--" + found[1] + b"--" in raw else None


def with_attachment(raw: bytes) -> Iterator[bytes]:
    """The mail with 1 MB attached as its last part."""
    mark = boundary(raw)
    if mark is not None:
        body, close, tail = raw.rpartition(b"\n--" + mark + b"--")
        head = b"\n--" + mark + b'\nContent-Type: application/pdf; name="a.pdf"\nContent-Transfer-Encoding: base64\n\n'
        yield body + head + ATTACHMENT * (1_000_000 // len(ATTACHMENT)) + close.removeprefix(b"\n") + tail


def forwarded(raw: bytes) -> bytes:
    """The mail as a person forwards it."""
    return (
        b"Return-Path: <carol@example.net>\nFrom: Carol <carol@example.net>\nTo: help@example.org\nSubject: Fwd: a mail that came back\n"
        b"Date: Mon, 2 Mar 2026 10:00:00 +0100\nMessage-ID: <fwd-1@example.net>\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="=_forward_1"\n\n'
        b"--=_forward_1\nContent-Type: text/plain\n\nCould you have a look at this?\n\nCarol\n"
        b"--=_forward_1\nContent-Type: message/rfc822\nContent-Disposition: inline\n\n" + raw + b"\n--=_forward_1--\n"
    )


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_line_ends_change_nothing(path: Path, end: bytes) -> None:
    raw = path.read_bytes()
    whole, view = parse(raw), parse(lf(raw).replace(b"\n", end))
    assert (view.kind, view.dialect, view.original, facts(view)) == (whole.kind, whole.dialect, whole.original, facts(whole))
    assert_no_worse(view, whole)


@pytest.mark.parametrize("share", CUTS)
@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_a_cut_never_makes_a_verdict_worse(path: Path, share: float) -> None:
    raw = path.read_bytes()
    assert_no_worse(parse(raw[: int(len(raw) * share)]), parse(raw))


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_no_cut_makes_anybody_hard(path: Path) -> None:
    """An address that was cut in its middle is another address; so is a refusal without its other half another reason."""
    raw = path.read_bytes()
    whole = parse(raw)
    for end in range(0, min(len(raw), 16_384), STEP):
        assert_no_worse(parse(raw[:end]), whole)


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_an_attachment_changes_nothing(path: Path) -> None:
    raw = lf(path.read_bytes())
    for fat in with_attachment(raw):
        whole, view = parse(raw), parse(fat)
        assert (view.kind, facts(view)) == (whole.kind, facts(whole))
        assert_no_worse(view, whole)


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_a_forward_is_no_worse(path: Path) -> None:
    raw = lf(path.read_bytes())
    assert_no_worse(parse(forwarded(raw)), parse(raw))
