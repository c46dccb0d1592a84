"""How fast mail is read, against the standard library's parser alone and against flufl.bounce.

Each table is one set of mails; a ratio above 1 is faster than its yardstick, which is the first line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from email import message_from_bytes
from pathlib import Path

import pytest
from flufl.bounce import all_failures
from mailparser import parse_from_bytes

import bounceparse
from bounceparse import record
from bounceparse.engine import parse
from tests.bench.measure import FIXTURES, Line, Reader, corpus, import_times, interleaved, mails

STDLIB = "email.message_from_bytes"
SETS = {"fixtures": FIXTURES, "a folder of mail": corpus()}
SLOW_SHARE = 250  # flufl.bounce needs minutes for thousands of mails: a set beyond this many is thinned for it

logging.getLogger("mailparser").setLevel(logging.CRITICAL)
Publish = Callable[[str, Sequence[Line]], None]


def parse_and_encode(raw: bytes) -> bytes:
    return record.encode(parse(raw), "mail.eml")


def read_by_mail_parser(raw: bytes) -> object:
    """What mail-parser makes of a mail; it gives up on some, which counts as if it had read them."""
    try:
        return parse_from_bytes(raw)
    except Exception:  # noqa: BLE001
        return None


def mails_of(name: str) -> list[bytes]:
    folder: Path | None = SETS[name]
    if folder is None:
        pytest.skip("no folder of mail; BOUNCEPARSE_CORPUS names one")
    return mails(folder)


@pytest.mark.parametrize("name", SETS)
def test_reading_mail(name: str, publish: Publish) -> None:
    items = mails_of(name)
    size = sum(map(len, items)) / len(items)
    readers: dict[str, Reader] = {STDLIB: message_from_bytes, "parse": parse, "parse + JSON record": parse_and_encode}
    lines = interleaved(readers, items, STDLIB)
    publish(f"{name}: {len(items)} mails of {size / 1024:.1f} KiB on average, a mail", lines)
    assert all(parse_and_encode(raw) for raw in items[:50])


def is_read_by_flufl(raw: bytes) -> bool:
    """Whether flufl.bounce gets through a mail; some detectors raise on header bytes above 127."""
    try:
        all_failures(message_from_bytes(raw))
    except AttributeError:
        return False
    return True


@pytest.mark.parametrize("name", SETS)
def test_against_flufl(name: str, publish: Publish) -> None:
    items = mails_of(name)
    items = [raw for raw in items[:: max(1, len(items) // SLOW_SHARE)] if is_read_by_flufl(raw)]
    flufl = "email + flufl.bounce all_failures"
    readers: dict[str, Reader] = {
        flufl: lambda raw: all_failures(message_from_bytes(raw)),
        "mail-parser parse_from_bytes": read_by_mail_parser,
        "parse + JSON record": parse_and_encode,
    }
    publish(f"{name}: {len(items)} of its mails, a mail", interleaved(readers, items, flufl, rounds=3))


def test_classifying_replies(publish: Publish) -> None:
    replies = [d for raw in mails(FIXTURES) for d in {r.diagnostic for r, _ in parse(raw).results} if d]
    readers: dict[str, Reader] = {"classify": bounceparse.classify}
    publish(f"{len(replies)} SMTP replies, a reply", interleaved(readers, replies, "classify"))
    assert replies


def test_import(publish: Publish) -> None:
    yardstick = "import email.parser"
    first = "import bounceparse; bounceparse.parse(b'')"  # the tables are loaded when they are first needed
    publish("a fresh interpreter, an import", import_times([yardstick, "import bounceparse", first], yardstick))
