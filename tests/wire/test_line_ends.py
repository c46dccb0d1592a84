"""Line ends: CR LF, LF and bare CR, alone and mixed, in small messages and in large ones, which are read another way."""

from __future__ import annotations

import tracemalloc
from itertools import product

import pytest

from bounceparse import limits
from bounceparse.wire import mime
from bounceparse.wire.mime import RawOffsets, read_message

TEXTS = [text for length in range(1, 7) for letters in product("\r\na", repeat=length) if "\r" in (text := "".join(letters))]
MAIL = b"From: a@example.com\r\nSubject: x\r\n\r\n"


def test_a_large_text_is_read_as_a_small_one_is() -> None:
    for text in TEXTS:
        assert mime._unify_large(text) == mime._unify(text.encode()), repr(text)


@pytest.mark.parametrize(("end", "seen"), [(b"\r\n", "\n"), (b"\n", "\n"), (b"\r", "\n")])
@pytest.mark.parametrize("size", [10, 2 << 20])
def test_each_is_a_line_end(end: bytes, seen: str, size: int) -> None:
    message = read_message(MAIL.replace(b"\r\n", end) + b"a" * size + end)
    assert message.text.endswith("\n\n" + "a" * size + seen) and message.crlf == (end == b"\r\n")


def test_a_large_message_is_copied_once() -> None:
    """Beside the bytes there is the text, and while the line ends are changed the text as it was."""
    raw = MAIL + (b"x" * 70 + b"\r\n") * ((limits.MESSAGE - (1 << 16)) // 72)
    for more in (b"", b"x" * (1 << 17)):
        tracemalloc.start()
        message = read_message(raw + more if more else raw)
        peak = tracemalloc.get_traced_memory()[1] - (len(raw + more) if more else 0)
        tracemalloc.stop()
        assert peak < 2.1 * limits.MESSAGE
        assert RawOffsets(message).spans([(0, 4)]) == [(0, 4)]
