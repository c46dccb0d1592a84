"""parse: which records come out, in which form, and with which exit code."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_bare_path_means_parse(run: Run) -> None:
    bare = run("s/01-user-unknown.eml")
    assert bare.exit_code == 0
    assert bare.stdout == run("parse", "s/01-user-unknown.eml").stdout
    (row,) = rows(bare.stdout)
    assert (row["bounce"], row["reason"], row["recipient"], row["origin"]) == (
        "hard",
        "user_unknown",
        "marta.lind@example.org",
        "s/01-user-unknown.eml",
    )


def test_options_before_a_bare_path(run: Run) -> None:
    assert run("-f", "csv", "s/01-user-unknown.eml").stdout.startswith("id,origin,")
    assert run("-q", "--no-color", "-f", "csv", "s/01-user-unknown.eml").exit_code == 0
    assert len(rows(run("-r", "s").stdout)) == 16


def test_standard_input(run: Run, here: Path) -> None:
    mail = (here / "s/01-user-unknown.eml").read_bytes()
    for args in (("-",), ("parse", "-"), ("parse",)):
        (row,) = rows(run(*args, stdin=mail).stdout)
        assert row["origin"] == "-"
    found = rows(run("parse", "-", stdin=gzip.compress((here / "s/bounces.mbox").read_bytes())).stdout)
    assert [row["origin"] for row in found] == [f"-#{n}" for n in range(1, 9)]


def test_one_mail_alone_and_in_a_mailbox_is_the_same_bounce(run: Run) -> None:
    alone = rows(run("parse", *(f"s/0{n}" + "-*.eml" for n in range(1, 9))).stdout)
    boxed = rows(run("parse", "s/bounces.mbox").stdout)
    assert [row["id"] for row in alone] == [row["id"] for row in boxed]


@pytest.mark.parametrize("jobs", ["2", "auto"])
def test_processes_change_nothing(run: Run, jobs: str) -> None:
    one = run("parse", "-r", "s", "s/bounces.mbox").stdout
    assert run("parse", "-r", "-j", jobs, "s", "s/bounces.mbox").stdout == one
    assert len(rows(one)) == 24


def test_formats_say_the_same(run: Run) -> None:
    lines = rows(run("parse", "-r", "s").stdout)
    assert json.loads(run("parse", "-r", "-f", "json", "s").stdout) == lines
    cells = list(csv.DictReader(io.StringIO(run("parse", "-r", "-f", "csv", "s").stdout)))
    assert [row["recipient"] for row in cells] == [row["recipient"] for row in lines]
    table = run("parse", "-r", "-f", "table", "s")
    assert table.stdout.splitlines()[0].split() == ["bounce", "reason", "status", "recipient", "origin"]
    assert len(table.stdout.splitlines()) == 17
    assert "16 messages: 4 hard bounces" in table.stderr
    assert "16 messages" not in run("-q", "parse", "-r", "-f", "table", "s").stderr


def test_json_of_nothing_wanted_is_an_empty_array(run: Run) -> None:
    assert json.loads(run("parse", "-f", "json", "--only", "disposition", "s/bounces.mbox").stdout) == []


def test_fields(run: Run) -> None:
    (row,) = rows(run("parse", "--fields", "reason,original.message_id", "s/01-user-unknown.eml").stdout)
    assert row == {"reason": "user_unknown", "original.message_id": "<gazette-2026-01.8431@example.com>"}
    wrong = run("parse", "--fields", "reasn", "s/bounces.mbox")
    assert wrong.exit_code == 2
    assert "did you mean 'reason'" in wrong.stderr


def test_headers_of_the_returned_message(run: Run) -> None:
    (row,) = rows(run("parse", "--header", "X-Campaign-ID", "--fields", "original.headers.x-campaign-id", "s/01-user-unknown.eml").stdout)
    assert list(row.values()) == ["2026-01"]


@pytest.mark.parametrize(
    ("only", "count"), [("bounce", 4), ("delay", 1), ("hard", 2), ("soft", 3), ("hard,complaint", 3), ("not_bounce", 1), ("auto_reply,delay", 2)]
)
def test_only(run: Run, only: str, count: int) -> None:
    assert len(rows(run("parse", "--only", only, "s/bounces.mbox").stdout)) == count


def test_since_and_until(run: Run) -> None:
    def days(*args: str) -> list[str]:
        return [row["arrived"][8:10] for row in rows(run("parse", *args, "s/bounces.mbox").stdout)]

    assert days("--since", "2026-01-15") == ["15", "16", "17", "17"]
    assert days("--until", "2026-01-12") == ["12", "12"]
    assert days("--since", "2026-01-13", "--until", "2026-01-14T12:00:00+02:00") == ["13", "14"]
    assert days("--since", "1d") == []
    assert "2026-11-23" in run("parse", "--since", "yesterday", "s/bounces.mbox").stderr


def test_vocabulary(run: Run) -> None:
    words = [row["reason"] for row in rows(run("parse", "--vocabulary", "sisimai", "s/bounces.mbox").stdout)]
    assert words[0] == "userunknown"
    wrong = run("parse", "--vocabulary", "klingon", "s/bounces.mbox")
    assert wrong.exit_code == 2
    assert "sisimai" in wrong.stderr


def test_output_file(run: Run, here: Path) -> None:
    assert run("parse", "-o", "out.jsonl", "s/bounces.mbox").stdout == ""
    assert len(rows((here / "out.jsonl").read_text("utf-8"))) == 8
    wrong = run("parse", "-o", "no/such/folder/out", "s/bounces.mbox")
    assert wrong.exit_code == 73
    assert wrong.stderr == "bounceparse: cannot create no/such/folder/out: no such file or directory\n"


def test_own_rules(run: Run, here: Path) -> None:
    (here / "mine.toml").write_text(
        '[[phrase]]\nname = "mine"\nreason = "mailbox_disabled"\nwords = ["user unknown in virtual mailbox table"]\n', "utf-8"
    )
    (row,) = rows(run("parse", "--rules", "mine.toml", "s/01-user-unknown.eml").stdout)
    assert (row["reason"], row["rule"]) == ("mailbox_disabled", "phrase:mine/mine")
    (here / "bad.toml").write_text('[[phrase]]\nname = "mine"\nreason = "mailbox_dsabled"\nwords = ["x"]\n', "utf-8")
    wrong = run("parse", "--rules", "bad.toml", "s/01-user-unknown.eml")
    assert wrong.exit_code == 78
    assert wrong.stderr.startswith("bounceparse: bad.toml:3: ")
    assert run("parse", "--rules", "none.toml", "s/01-user-unknown.eml").exit_code == 66


def test_exit_codes_of_inputs(run: Run, here: Path) -> None:
    assert run("parse", "s/01-user-unknown.eml", "missing.eml").exit_code == 1
    missing = run("parse", "missing.eml")
    assert missing.exit_code == 66
    assert missing.stderr == "bounceparse: missing.eml: no such file or directory\n"
    (here / "x.json").write_text('{"no": "mail"}', "utf-8")
    assert run("parse", "x.json").exit_code == 65
    assert run("parse", "x.json", "missing.eml").exit_code == 65
    (here / "empty").mkdir()
    assert run("parse", "-r", "empty").exit_code == 65
    assert run("parse", "-", stdin=b"").exit_code == 65
    assert run("parse", "no*such").exit_code == 66


def test_a_directory_needs_r(run: Run) -> None:
    wrong = run("parse", "s")
    assert wrong.exit_code == 2
    assert "add -r" in wrong.stderr


def test_an_empty_file_is_a_message_with_a_flaw(run: Run, here: Path) -> None:
    (here / "empty.eml").write_bytes(b"")
    (row,) = rows(run("parse", "empty.eml").stdout)
    assert (row["kind"], row["flaws"]) == ("not_bounce", ["empty"])
