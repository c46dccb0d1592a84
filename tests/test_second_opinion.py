"""flufl.bounce finds nobody that we miss: the same fixtures, read by both.

It is the recipients that are compared. That flufl.bounce calls every failure permanent, a full mailbox too, is no difference to us.
"""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path

import pytest
from flufl.bounce import all_failures

from bounceparse.engine import parse
from tests import golden

CASES = golden.fixtures()

# Where flufl.bounce names an address that we do not, and why we are right. An entry that is no longer true fails.
DIFFERENCES = {
    "amazon-sns/01-bounce.eml": "The event is JSON; flufl.bounce takes what stands before its first at sign, braces and all.",
    "earthlink/01-sorry-unable.eml": "Three dots follow the address in the reply; flufl.bounce takes them and the next word with it.",
    "ezmlm/02-subscriber-warning.eml": "The list asks the subscriber himself; the bounce in his mail is a copy of an old one.",
    "generic/08-bounce-of-a-bounce.eml": "The bounce that came back names an address of its own; nobody wrote to that one this time.",
    "mmdf/01-failed-mail.eml": "The notice quotes address and host together; flufl.bounce keeps the opening quote.",
    "rfc3464/04-xtext-original-recipient.eml": "The Original-Recipient is in xtext (RFC 3461 4); flufl.bounce takes it undecoded.",
    "rfc3464/05-imceaex.eml": "An address of Exchange in the form IMCEAEX ends for flufl.bounce at its first equals sign.",
    "rfc3464/06-folded-inside-words.eml": "The field is folded in the middle of a word; flufl.bounce keeps the blank in the address.",
    "rfc3464/18-plus-written-as-xtext.eml": "The plus sign of the Original-Recipient is in xtext (RFC 3461 4); flufl.bounce takes it undecoded.",
    "zoho/01-invalid-address.eml": "flufl.bounce takes the lines of the copied header for addresses, the sender's own among them.",
    "zoho/02-delay-host-not-reachable.eml": "flufl.bounce takes the lines of the copied header for addresses, the sender's own among them.",
}


def named_by_flufl(raw: bytes) -> set[str]:
    try:
        temporary, permanent = all_failures(message_from_bytes(raw))
    except AttributeError:  # a header with bytes above 127 is no string, and some of its detectors do not expect that
        return set()
    named = ((a.decode("latin-1") if isinstance(a, bytes) else a) for a in (*temporary, *permanent))
    return {address.lower().rstrip(".") for address in named if address}


def named_by_us(raw: bytes) -> set[str]:
    report = parse(raw)
    return {address.lower() for r, _ in report.results for address in (r.address, r.original_address, r.final_address) if address}


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_flufl_finds_nobody_that_we_miss(path: Path) -> None:
    raw = path.read_bytes()
    missed = named_by_flufl(raw) - named_by_us(raw)
    why = DIFFERENCES.get(golden.name(path))
    if why is None:
        assert not missed
    else:
        assert missed, f"no difference any more: {why}"


def test_every_difference_is_of_a_fixture() -> None:
    assert set(DIFFERENCES) <= {golden.name(path) for path in CASES}
