"""Reasons in the words of other systems: every output says them, no label cuts off an address that we do not, and records come back in our words."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from bounceparse.engine import parse
from bounceparse.model import Bounce, Kind
from bounceparse.record import Record, Translated, decode, encode_lines, records, translate
from bounceparse.tables import load_tables
from tests.golden import fixtures

TABLES = load_tables()
STOP = {  # the labels at which the users of a system stop writing to an address
    "sisimai": {"userunknown", "hasmoved", "hostunknown", "notaccept"},
    "sparkpost": {"10", "30", "90"},
    "ses": {label for label in TABLES.vocabularies["ses"].reasons if label.startswith("Permanent/")},
    "postmark": {"HardBounce", "BadEmailAddress"},
    "anymail": {"invalid"},
}
FINAL = {"user_unknown", "mailbox_disabled", "mailbox_moved", "domain_unknown", "null_mx", "syntax", "suppressed"}
"""The reasons of an address that cannot receive mail."""


@pytest.mark.parametrize("name", sorted(TABLES.vocabularies))
def test_every_label_leads_back(name: str) -> None:
    vocabulary = TABLES.vocabularies[name]
    for reason, bounce, kind in product(TABLES.reasons, get_args(Bounce), get_args(Kind)):
        label = vocabulary.label(reason, bounce, kind)
        assert vocabulary.reasons[label] in TABLES.reasons
    assert vocabulary.label("") == vocabulary.label("no_such_reason") == vocabulary.label("", "soft", "delay") == ""


@pytest.mark.parametrize("name", sorted(STOP))
def test_no_label_cuts_off_an_address_that_may_live(name: str) -> None:
    vocabulary = TABLES.vocabularies[name]
    assert STOP[name] <= set(vocabulary.reasons)
    for reason in TABLES.reasons:
        if name == "sisimai" and reason in FINAL:
            continue  # Sisimai says hard or soft beside the reason
        label = vocabulary.label(reason, "soft")
        assert label not in STOP[name], f"{reason} is soft, and {label} is not"


@pytest.mark.parametrize("name", ["ses", "sparkpost", "postmark", "anymail"])
def test_an_unknown_user_is_cut_off_everywhere(name: str) -> None:
    assert TABLES.vocabularies[name].label("user_unknown", "hard") in STOP[name]
    assert TABLES.vocabularies[name].label("syntax", "hard") in STOP[name]


def test_delays_have_names_of_their_own() -> None:
    ses = TABLES.vocabularies["ses"]
    assert ses.label("mailbox_full", "soft", "delay") == "DeliveryDelay/MailboxFull"
    assert ses.label("policy", "soft", "delay") == "DeliveryDelay/General"
    assert TABLES.vocabularies["postmark"].label("user_unknown", "soft", "delay") == "Transient"


def test_the_dialects_of_other_systems_are_ours() -> None:
    names = {dialect.name for dialect in TABLES.dialects}
    for vocabulary in TABLES.vocabularies.values():
        assert set(vocabulary.dialects) <= names


@pytest.mark.parametrize("name", sorted(TABLES.vocabularies))
def test_records_go_there_and_come_back(name: str) -> None:
    rows = [row for path in fixtures()[::9] for row in records(parse(path.read_bytes()), path.name)]
    there = [translate(row, TABLES.vocabularies[name]) for row in rows]
    for row, line in zip(rows, encode_lines(there).splitlines(), strict=True):  # type: ignore[arg-type]
        found = json.loads(line)
        assert list(found) == [*Record.__struct_fields__, "bounceparse_reason"] == list(Translated.__struct_fields__)
        assert found["schema"] == f"bounceparse/1+{name}"
        assert found["bounceparse_reason"] == row.reason
        assert found["reason"] == TABLES.vocabularies[name].label(row.reason, row.bounce, row.kind)
        assert {**found, "schema": "bounceparse/1", "reason": row.reason} == {**json.loads(encode_lines([row])), "bounceparse_reason": row.reason}
        assert decode(line) == decode(line.decode()) == row


def test_other_schemas_are_no_records() -> None:
    [row] = records(parse(Path(fixtures()[0]).read_bytes()), "x")[:1]
    line = encode_lines([row])
    for schema in (b"bounceparse/2", b"bounceparse/1+", b"bounceparse/1+x"):
        with pytest.raises(ValueError):
            decode(line.replace(b"bounceparse/1", schema, 1))
