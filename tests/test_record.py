"""The record is what the schema says, in its order, for every message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from bounceparse import record
from bounceparse.engine import Engine
from bounceparse.model import Evidence, Kind, Original, Recipient, Report, Result, Verdict
from bounceparse.record import Record, decode, encode, encode_lines, identify, records

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "bounceparse/data/record.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
FIXTURES = sorted((ROOT / "fixtures").rglob("*.eml")) + sorted((ROOT / "bounceparse/data/samples").glob("*.eml"))
ORDER = [
    *("schema", "id", "origin", "kind", "bounce", "reason", "fault", "certainty", "recipient", "original_recipient", "final_recipient", "status"),
    *("reply_code", "action", "command", "diagnostic", "reporting_mta", "remote_mta", "dialect", "arrived", "original", "blocklist", "retry_after"),
    *("proof", "rule", "evidence", "flaws", "decision"),
]


def report(kind: Kind = "bounce", **more: Any) -> Report:
    said = Evidence("dsn", "Status", "5.1.1", (1204, 1216))
    people = [
        Recipient(name, "list@example.org", name, "failed", "5.1.1", "550", "550 5.1.1 user unknown", "RCPT", "mx.example.com", (said,))
        for name in ("a@example.com", "b@example.com")
    ]
    verdict = Verdict("hard", "user_unknown", "recipient", "certain", "status:5.1.1", (said,), 300, "zen.example.net")
    original = Original("<x@example.com>", "me@example.com", "Hi", "Mon, 5 Jan 2026 10:00:00 +0000", "<l.example.com>", {"X-A": "b"})
    told = {"dialect": "postfix", "reporting_mta": "mx.example.net", "original": original, "arrived": "2026-11-23T10:00:00Z"} | more
    return Report(kind, tuple(Result(one, verdict) for one in people), "0" * 64, **told)


def test_the_order_of_the_fields_is_fixed() -> None:
    assert list(Record.__struct_fields__) == ORDER
    for line in encode(report(), "b.mbox#1842").splitlines():
        found = json.loads(line)
        assert list(found) == ORDER
        assert list(found["original"]) == ["message_id", "from", "subject", "date", "list_id", "headers"]
        assert list(found["proof"]) == ["level", "by"]
        assert list(found["evidence"][0]) == ["source", "field", "value", "span"]


def test_the_schema_says_the_same() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert list(SCHEMA["properties"]) == SCHEMA["required"] == ORDER
    inner = {"original": Original, "proof": record.RecordProof}
    for name, shape in inner.items():
        assert list(SCHEMA["properties"][name]["properties"]) == list(shape.__struct_encode_fields__)
    assert list(SCHEMA["properties"]["evidence"]["items"]["properties"]) == list(record.RecordEvidence.__struct_encode_fields__)
    assert list(SCHEMA["properties"]["decision"]["anyOf"][1]["properties"]) == list(record.RecordDecision.__struct_encode_fields__)
    assert SCHEMA["properties"]["kind"]["enum"] == list(get_args(Kind))


def test_one_record_for_each_recipient() -> None:
    first, second = records(report(), "b.mbox#1842")
    assert (first.recipient, second.recipient) == ("a@example.com", "b@example.com")
    assert first.id != second.id
    assert first.origin == "b.mbox#1842"
    assert first.original.sender == "me@example.com"
    assert first.proof.level == "claimed"
    assert first.decision is None
    for row in (first, second):
        VALIDATOR.validate(json.loads(encode_lines([row])))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_message_that_names_nobody_gives_one_record(kind: Kind) -> None:
    (row,) = records(Report(kind, (), "0" * 64, flaws=("empty",)), "x")
    assert row.recipient == ""
    assert row.fault == "unknown"
    assert row.bounce == ("soft" if kind in ("bounce", "delay", "challenge") else "none")
    VALIDATOR.validate(json.loads(encode_lines([row])))


def test_the_id_is_that_of_message_and_recipient() -> None:
    ours = report()
    assert [row.id for row in records(ours, "a")] == [row.id for row in records(ours, "b")]
    assert identify("0" * 64, "a@example.com") == records(ours, "a")[0].id
    assert records(Report("bounce", ours.results, "1" * 64), "a")[0].id != records(ours, "a")[0].id


def test_what_was_written_can_be_read() -> None:
    for line, row in zip(encode(report(), "x").splitlines(), records(report(), "x"), strict=True):
        assert decode(line) == row
    with pytest.raises(ValueError, match="schema"):
        decode(b'{"schema":"other"}')


def test_a_hostile_origin_is_one_clean_line() -> None:
    (row, _) = records(report(), "a\n\x1b[2Jb\udcff" + "x" * 10_000)
    assert row.origin.isprintable()
    assert row.origin.startswith("a [2Jb")
    assert len(row.origin) == record.ORIGIN
    encode(report(), "a\udcff")


ENGINE = Engine(headers=["X-Campaign-ID"])


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_records_of_every_fixture_are_valid(path: Path) -> None:
    raw = path.read_bytes()
    found = ENGINE.parse(raw)
    for line in encode(found, path.name).splitlines():
        row = msgspec.json.decode(line)
        VALIDATOR.validate(row)
        assert all(start <= end <= len(raw) for start, end in (piece["span"] for piece in row["evidence"]))
