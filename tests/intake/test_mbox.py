"""Mailboxes are split where a message begins, and nowhere else."""

from __future__ import annotations

import io
import random
import tracemalloc
from itertools import pairwise

import pytest

from bounceparse import limits
from bounceparse.intake.mbox import newline_of, read_mbox, scan, split

FROM = b"From a@example.com  Mon Jan  5 00:00:00 2026\n"
MAIL = b"Subject: x\n\nHello\n>From me\nFrom you\n\nFrom nobody at all\n"
READ = MAIL.replace(b"\n>From", b"\nFrom")


def messages(data: bytes, block: int = 1 << 20) -> list[bytes]:
    stream = io.BytesIO(data)
    return [message for _, _, message in split(lambda size: stream.read(min(size, block)))]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64, 1 << 20])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_and_every_block(newline: bytes, block: int) -> None:
    data = ((FROM + MAIL + b"\n") * 3).replace(b"\n", newline)
    assert messages(data, block) == [READ.replace(b"\n", newline)] * 3


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_offsets_cover_the_file(newline: bytes) -> None:
    one = (FROM + MAIL + b"\n").replace(b"\n", newline)
    stream = io.BytesIO(one * 3)
    assert [(start, end) for start, end, _ in split(stream.read)] == [(n * len(one), (n + 1) * len(one)) for n in range(3)]


@pytest.mark.parametrize(
    "line",
    [
        b"From a@example.com Mon Jan  5 00:00:00 2026",
        b"From - Mon Jan 05 00:00:00 2026",
        b"From MAILER-DAEMON  Mon Jan  5 00:00 2026",
        b"From 1234@xxx Mon Jan 05 00:00:00 +0000 2026",
        b"From a at example.com  Mon Jan  5 00:00:00 2026 +0100",
        b"From a@example.com Mon Jan  5 00:00:00 CET 2026",
        b"From a Mon Jan  5 00:00:00 2026 remote from there",
    ],
)
def test_separators(line: bytes) -> None:
    assert len(messages(FROM + MAIL + b"\n" + line + b"\n" + MAIL)) == 2
    assert len(messages(FROM + MAIL + b"\n" + line)) == 2, "also when the file ends with it"
    assert len(messages(FROM + MAIL + line + b"\n" + MAIL)) == 1, "but not without a blank line before it"


@pytest.mark.parametrize(
    "line",
    [
        b"From the desk of the postmaster",
        b"From MAILER-DAEMON",
        b"From a@example.com Mon Jan  5 00:00:00 2026 and so on",
        b"From Mon Jan to Fri Jan 2026",
        b"From a@example.com Mon, 5 Jan 2026 00:00:00 +0000",
        b"From " + b"x" * 600 + b" Mon Jan  5 00:00:00 2026",
    ],
)
def test_sentences_are_no_separators(line: bytes) -> None:
    assert len(messages(FROM + MAIL + b"\n" + line + b"\n" + MAIL)) == 1


def test_a_file_may_begin_with_any_from_line_and_blank_lines() -> None:
    assert messages(b"\n\nFrom nobody\n" + MAIL + b"\n" + FROM + MAIL) == [READ, READ]


def test_mixed_line_ends() -> None:
    assert messages(FROM + MAIL.replace(b"\n", b"\r\n") + b"\n" + FROM + MAIL) == [READ.replace(b"\n", b"\r\n"), READ]


def test_empty_messages_are_counted() -> None:
    assert messages(FROM + b"\n" + FROM + b"\n" + FROM) == [b"", b"", b""]
    assert messages(b"") == messages(b"\n\n") == []


def test_quotes_lose_one_level() -> None:
    assert messages(FROM + b"A: b\n\n>From x\n>>From y\nz >From z\n") == [b"A: b\n\nFrom x\n>From y\nz >From z\n"]
    assert messages(FROM.replace(b"\n", b"\r") + b"A: b\r\r>From x\r") == [b"A: b\r\rFrom x\r"]


def test_numbers_begin_at_one() -> None:
    assert [origin for origin, _ in read_mbox(io.BytesIO((FROM + MAIL + b"\n") * 2).read, "b.mbox")] == ["b.mbox#1", "b.mbox#2"]


def test_a_long_message_is_cut_and_the_next_one_is_found() -> None:
    long = FROM + b"A: b\n\n" + b"x" * 1000 + b"\n" * 2
    filler = b"word " * 200 + b"\n"
    data = io.BytesIO(long[:-1] + filler * ((limits.MESSAGE + 5_000_000) // len(filler)) + b"\n" + FROM + MAIL)
    tracemalloc.start()
    sizes = [len(message) for _, _, message in split(data.read)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sizes == [limits.MESSAGE + 1, len(READ)]
    assert peak < 5 * limits.MESSAGE


def test_memory_is_flat() -> None:
    one = FROM + b"A: b\n\n" + b"word word\n" * 300 + b"\n"

    def read(size: int) -> bytes:
        nonlocal left
        left -= 1
        return one * (size // len(one)) if left > 0 else b""

    left = 60
    tracemalloc.start()
    count = sum(1 for _ in split(read))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 59 * ((1 << 20) // len(one))
    assert peak < 6 << 20


def test_any_bytes_and_any_blocks_agree() -> None:
    chance = random.Random(5)
    tokens = [FROM, b"\n", b"\r\n", b"\r", b"From ", b">From x\n", b"A: b\n", b"x", b" Mon Jan  5 00:00:00 2026", b"\n\n"]
    for _ in range(400):
        data = FROM + b"".join(chance.choices(tokens, k=chance.randrange(30)))
        whole = messages(data)
        assert messages(data, chance.randrange(1, 50)) == whole
        stream = io.BytesIO(data)
        spans = [(start, end) for start, end, _ in split(stream.read)]
        assert spans[0][0] == 0
        assert all(a[1] == b[0] for a, b in pairwise(spans))
        assert spans[-1][1] == len(data)


@pytest.mark.parametrize("block", [1, 3, 64, 1 << 20])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_a_scan_finds_what_a_split_finds(newline: bytes, block: int) -> None:
    tail = b"\nFrom b Mon Jan  5 00:00:00 2026"
    data = (b"\n" + (FROM + MAIL + b"\n") * 3 + FROM + MAIL + tail).replace(b"\n", newline)
    stream = io.BytesIO(data)
    starts = [start for start, _, _ in split(stream.read)]
    assert len(starts) == 5
    end = b"\r" if newline == b"\r" else b"\n"
    assert newline_of(data) == end
    for offset, first in ((0, 1), (starts[1] - 4, 1), (starts[1] + 1, 2), (starts[4] - 4, 4), (len(data), 5)):
        stream.seek(offset)
        assert list(scan(lambda size: stream.read(min(size, block)), offset, end)) == starts[first:]
