"""--vocabulary and -f sisimai: the words of other systems, on every output of parse and classify."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from bounceparse.tables import load_tables
from tests.cli.conftest import Run

REPLIES = "550 5.1.1 <a@example.com> user unknown\n452 4.2.2 mailbox full\n554 5.7.1 blocked using zen.spamhaus.org\n"
WORDS = {
    "sisimai": ["userunknown", "mailboxfull", "blocked"],
    "sparkpost": ["10", "22", "51"],
    "ses": ["Permanent/NoEmail", "DeliveryDelay/MailboxFull", "Transient/General"],
    "postmark": ["HardBounce", "Transient", "Blocked"],
    "anymail": ["invalid", "bounced", "blocked"],
    "powermta": ["bad-mailbox", "quota-issues", "spam-related"],
    "kumomta": ["InvalidRecipient", "QuotaIssues", "SpamBlock"],
}


def test_all_vocabularies_are_here() -> None:
    assert set(WORDS) == set(load_tables().vocabularies)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_every_output_has_the_words(run: Run, name: str) -> None:
    args = ("classify", "--vocabulary", name)
    rows = [json.loads(line) for line in run(*args, stdin=REPLIES).stdout.splitlines()]
    assert [row["reason"] for row in rows] == WORDS[name]
    assert [row["bounceparse_reason"] for row in rows] == ["user_unknown", "mailbox_full", "blocklisted"]
    assert [row["reason"] for row in json.loads(run(*args, "-f", "json", stdin=REPLIES).stdout)] == WORDS[name]
    table = list(csv.DictReader(io.StringIO(run(*args, "-f", "csv", stdin=REPLIES).stdout)))
    assert [row["reason"] for row in table] == WORDS[name]
    assert [row["bounceparse_reason"] for row in table] == ["user_unknown", "mailbox_full", "blocklisted"]
    shown = run(*args, "-f", "table", stdin=REPLIES).stdout.splitlines()
    assert all(word in line for word, line in zip(WORDS[name], shown[1:], strict=True))
    few = run(*args, "--fields", "reason,bounceparse_reason", stdin=REPLIES).stdout.splitlines()
    assert json.loads(few[0]) == {"reason": WORDS[name][0], "bounceparse_reason": "user_unknown"}


def test_our_reason_is_there_without_a_vocabulary_too(run: Run) -> None:
    few = run("classify", "--fields", "reason,bounceparse_reason", stdin=REPLIES).stdout.splitlines()
    assert json.loads(few[0]) == {"reason": "user_unknown", "bounceparse_reason": "user_unknown"}


def test_worker_processes_say_the_same(run: Run) -> None:
    args = ("parse", "--vocabulary", "ses", "s/bounces.mbox")
    assert run(*args, "-j", "2").stdout == run(*args).stdout != ""


def test_stats_count_in_our_words(run: Run, here: Path) -> None:
    run("parse", "--vocabulary", "ses", "-o", "theirs.jsonl", "s/bounces.mbox")
    assert run("stats", "theirs.jsonl").stdout == run("stats", "s/bounces.mbox").stdout != ""


def test_sisimai(run: Run) -> None:
    rows = json.loads(run("parse", "-f", "sisimai", "s/bounces.mbox").stdout)
    assert {row["reason"] for row in rows} == {"userunknown", "mailboxfull", "networkerror", "blocked", "hostunknown", "feedback"}
    assert all(row["recipient"] for row in rows)
    assert [row["reason"] for row in json.loads(run("parse", "-f", "sisimai", "--only", "auto_reply", "s/bounces.mbox").stdout)] == ["vacation"]
    assert json.loads(run("parse", "-f", "sisimai", "--only", "disposition", "s/bounces.mbox").stdout) == []


def test_sisimai_from_replies(run: Run) -> None:
    rows = json.loads(run("classify", "-f", "sisimai", stdin=REPLIES).stdout)
    assert [(row["reason"], row["hardbounce"]) for row in rows] == [("userunknown", True), ("mailboxfull", False), ("blocked", False)]


def test_sisimai_has_words_and_fields_of_its_own(run: Run) -> None:
    assert run("parse", "-f", "sisimai", "--vocabulary", "sisimai", "s/bounces.mbox").exit_code == 0
    for args in (("--vocabulary", "ses"), ("--fields", "reason")):
        wrong = run("parse", "-f", "sisimai", *args, "s/bounces.mbox")
        assert wrong.exit_code == 2
        assert "of its own" in wrong.stderr


@pytest.mark.parametrize("command", ["codes", "stats", "rules"])
def test_sisimai_is_a_format_of_records_alone(run: Run, command: str) -> None:
    assert run(*([command, "list"] if command == "rules" else [command]), "-f", "sisimai").exit_code == 2


def test_codes_know_the_names_of_others(run: Run) -> None:
    told = {"userunknown": "user_unknown", "sparkpost:22": "mailbox_full", "Permanent/NoEmail": "user_unknown", "Bad-Mailbox": "user_unknown"}
    for word, reason in told.items():
        assert json.loads(run("codes", word).stdout)["reason"] == reason
    assert [json.loads(line)["table"] for line in run("codes", "expired").stdout.splitlines()] == ["reason"]
