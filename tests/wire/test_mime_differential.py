"""The leaves of each fixture are those that the standard library finds, with the same bytes in them; every difference is listed with its reason."""

from __future__ import annotations

import email
import email.message
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceparse.wire.decode import decode_body
from bounceparse.wire.mime import read_message
from tests import golden

CASES = golden.fixtures()
DIFFERENT: dict[str, str] = {}
"""Fixture -> why we read its parts otherwise than the standard library does."""

Leaf = tuple[str, bytes]


def lf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def start(raw: bytes) -> bytes:
    """`raw` from its first header field on; we skip an mbox line and empty lines, the standard library only the former."""
    return raw.lstrip(b"\n")


def own_leaves(raw: bytes) -> list[Leaf]:
    message = read_message(raw)
    leaves = []
    for part in sorted(message.parts, key=lambda part: part.start):
        if part.type.startswith("multipart/"):
            continue
        body = raw[part.body : part.end]
        leaves.append((part.type, b"" if part.type.startswith("message/") else tidy(decode_body(body, part.encoding)[0])))
    return leaves


def their_leaves(message: email.message.Message) -> Iterator[Leaf]:
    """Leaves in the order of the text; an attached message is one, whatever is in it."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        kind = part.get_content_type()
        payload = part.get_payload()
        if kind.startswith("multipart/") and isinstance(payload, list):
            waiting.extend(child for child in reversed(payload) if isinstance(child, email.message.Message))
        elif kind.startswith("message/"):
            yield kind, b""
        else:
            body = part.get_payload(decode=True)
            yield kind, tidy(body if isinstance(body, bytes) else b"")


def tidy(body: bytes) -> bytes:
    """Line ends at the end of a body belong to the delimiter or not, as one likes; blanks at the end of a line do not survive quoted-printable."""
    return b"\n".join(line.rstrip() for line in lf(body).rstrip(b"\n").split(b"\n"))


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_leaves_agree_with_the_standard_library(path: Path) -> None:
    raw = start(lf(path.read_bytes()))
    agree = own_leaves(raw) == list(their_leaves(email.message_from_bytes(raw)))
    if golden.name(path) in DIFFERENT:
        assert not agree, "listed as different, but it is not"
        return
    assert own_leaves(raw) == list(their_leaves(email.message_from_bytes(raw)))


def test_only_fixtures_are_listed() -> None:
    assert DIFFERENT.keys() <= {golden.name(path) for path in CASES}


# Made-up trees

TEXT = st.text(alphabet="abc .-\n=", max_size=40).map(lambda text: text.encode().replace(b"\n--", b"\n"))


@st.composite
def trees(draw: st.DrawFn, depth: int = 0) -> bytes:
    """A part with its header, closed as it should be."""
    if depth < 4 and draw(st.booleans()):
        mark = b"b%d-%d" % (depth, draw(st.integers(0, 99)))
        children = draw(st.lists(trees(depth=depth + 1), min_size=1, max_size=3))
        body = b"".join(b"--" + mark + b"\n" + child + b"\n" for child in children)
        preamble = draw(st.sampled_from([b"", b"This is MIME.\n"]))
        return b'Content-Type: multipart/mixed;\n boundary="' + mark + b'"\n\n' + preamble + body + b"--" + mark + b"--\n"
    kind = draw(st.sampled_from([b"text/plain", b"text/html; charset=utf-8", b"Application/PDF", b"message/rfc822", b""]))
    return (b"Content-Type: " + kind + b"\n" if kind else b"") + b"X-A: b\n\n" + draw(TEXT)


@settings(max_examples=150, deadline=None)
@given(trees())
def test_trees_agree_with_the_standard_library(raw: bytes) -> None:
    raw += b"\n"  # without it we take the last line for one that was cut
    assert own_leaves(raw) == list(their_leaves(email.message_from_bytes(raw)))
