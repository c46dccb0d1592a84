"""Every writer escapes for its own medium."""

from __future__ import annotations

import csv
import io
import json

import pytest
from msgspec.structs import replace

from bounceparse.model import Original, Recipient, Report, Result, Verdict
from bounceparse.output.csv import Csv, cell
from bounceparse.output.fields import FLAT, NAMES, FieldError, check_fields, getter
from bounceparse.output.json import JsonArray
from bounceparse.output.jsonl import JsonLines
from bounceparse.output.table import Table
from bounceparse.output.terminal import Terminal, columns, fit, look_at, show
from bounceparse.record import Record, records

HOSTILE = "a\x1b[2J\r\n\x9b31m\x00b\u202ec\u2028d\x7f"
CONTROLS = [*map(chr, range(32)), *map(chr, range(127, 160)), "\u202e", "\u2028", "\u200b"]
SAFE = Terminal()


def row(**more: object) -> Record:
    recipient = Recipient("a@example.com", status="5.1.1", reply_code="550", diagnostic="550 5.1.1 user unknown")
    verdict = Verdict("hard", "user_unknown", "recipient", "certain", "status:5.1.1")
    original = Original("<x@example.com>", "me@example.com", "Hi", headers={"X-Campaign": "7"})
    (made,) = records(Report("bounce", (Result(recipient, verdict),), "0" * 64, original=original, flaws=("cut", "unclosed")), "b.mbox#1")
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("writer", [JsonLines(), JsonArray(), Csv(), Table(SAFE), Table(Terminal(80, True))])
def test_no_writer_lets_a_control_character_through(writer: object) -> None:
    hostile = row(recipient=HOSTILE, origin=HOSTILE, diagnostic=HOSTILE, reason=HOSTILE, status=HOSTILE)
    text = writer.render([hostile]).decode()  # type: ignore[attr-defined]
    for code in ("\x1b[0m", "\x1b[2m", "\x1b[31m"):  # the table's own colours
        text = text.replace(code, "")
    assert not [c for c in CONTROLS if c in text and c != "\n"]
    assert text.count("\n") <= 1


def test_json_lines() -> None:
    one, two = JsonLines().render([row(), row(recipient="é")]).splitlines()
    assert json.loads(one)["recipient"] == "a@example.com"
    assert json.loads(two)["recipient"] == "é"
    assert json.loads(JsonLines().render([row(diagnostic=HOSTILE)]))["diagnostic"] == HOSTILE


def test_chosen_fields_keep_the_order_asked_for() -> None:
    fields = ("reason", "recipient", "original.from", "original.headers.x-campaign", "proof.level", "flaws")
    found = json.loads(JsonLines(fields).render([row()]))
    assert list(found) == list(fields)
    assert list(found.values()) == ["user_unknown", "a@example.com", "me@example.com", "7", "claimed", ["cut", "unclosed"]]


def test_a_json_array_joins() -> None:
    writer = JsonArray(("recipient",))
    text = writer.head + writer.render([row(), row()]) + writer.join + writer.render([row()]) + writer.tail
    assert json.loads(text) == [{"recipient": "a@example.com"}] * 3
    assert json.loads(writer.head + writer.tail) == []


def test_csv_has_every_flat_field() -> None:
    found = list(csv.reader(io.StringIO((Csv().head + Csv().render([row(), row()])).decode())))
    assert tuple(found[0]) == FLAT
    assert len(found) == 3
    named = dict(zip(*found[:2], strict=True))
    assert named["original.from"] == "me@example.com"
    assert named["flaws"] == "cut unclosed"
    assert named["retry_after"] == ""


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", " =1", "'=1", '"=1', "\x00=1"])
def test_csv_runs_nothing(start: str) -> None:
    assert cell(start).startswith("'")


def test_csv_leaves_plain_text_alone() -> None:
    assert cell("a@example.com") == "a@example.com"
    assert cell("550 5.1.1 <a@example.com>: unknown, sorry") == "550 5.1.1 <a@example.com>: unknown, sorry"
    assert cell(-5) == "-5"
    assert cell(None) == ""
    assert len(cell("x" * 100_000)) <= 32_767


def test_a_table_on_a_terminal_keeps_to_its_width() -> None:
    long = row(recipient="someone.with.a.long.name@department.example.com", origin="a/very/long/path/to/some/mailbox.mbox#123456", reason="x" * 40)
    for width in (40, 80, 120, 200):
        table = Table(Terminal(width))
        lines = (table.head + table.render([long, row(recipient="収件人@例え.テスト")])).decode().splitlines()
        assert all(columns(line) < max(width, 70) for line in lines)
    shown = Table(Terminal(80)).render([long]).decode()
    assert "#123456" in shown, "of an origin the end is kept"
    assert "someone." in shown


def test_a_table_in_a_pipe_cuts_nothing_and_has_no_colour() -> None:
    text = Table(SAFE).render([row(recipient="x" * 90 + "@example.com")]).decode()
    assert "x" * 90 + "@example.com" in text
    assert "\x1b" not in text


def test_a_table_says_what_kind_of_thing_it_is() -> None:
    first = [Table(SAFE).render([one]).decode().split()[:2] for one in (row(), row(kind="delay"), row(kind="not_bounce", bounce="none", reason=""))]
    assert first == [["hard", "user_unknown"], ["delay", "user_unknown"], ["-", "not_bounce"]]


def test_base_is_not_shown() -> None:
    assert Table(SAFE, base="dir/").render([row(origin="dir/x.eml")]).decode().split()[-1] == "x.eml"


def test_fields_are_checked_with_the_nearest_name() -> None:
    assert check_fields(NAMES) == NAMES
    with pytest.raises(FieldError, match="did you mean 'recipient'"):
        check_fields(("recipent",))
    for name in NAMES:
        getter(name)(row())


def test_fit() -> None:
    assert fit("abc", 5) == "abc  "
    assert fit("abcdef", 5) == "abcd…"
    assert fit("abcdef", 5, "end") == "…cdef"
    assert columns(fit("日本語", 4)) == 4


def test_a_stream_that_is_no_terminal_has_no_width() -> None:
    assert look_at(io.StringIO()) == SAFE
    assert show(HOSTILE).isprintable()
