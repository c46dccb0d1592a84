"""rules, and --rules: own rules are read first, every mistake names file, line and mend, and the rules are counted."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from bounceparse.tables import load_tables
from tests.cli.conftest import Run

PACKAGE = Path(__file__).parent.parent.parent / "bounceparse"
MINE = """\
[[phrase]]
name = "overrule"
reason = "policy"
words = ["user unknown here"]
fault = "receiver"

[[provider]]
key = "acme"
title = "Acme Mail"
marks = ["acme mail gateway"]

[[provider.token]]
text = ["AC-001..AC-009"]
reason = "reputation"
meaning = "slowed down by score"

[dialect.acmed]
title = "Acme daemon"
[dialect.acmed.claims]
from = ["acme robot"]
phrase = ["this is the acme robot"]
[dialect.acmed.report]
begin = ["these people were not reached"]
recipient = ["* {address} => {diagnostic}"]
end = ["-- end of people"]
[dialect.acmed.reasons]
"the badge is expired" = "mailbox_disabled"
[[dialect.acmed.sample]]
text = "these people were not reached\\n* a@example.com => the badge is expired"
expect = { address = "a@example.com", reason = "mailbox_disabled", kind = "bounce", dialect = "acmed" }

[[sample]]
text = "550 5.1.1 user unknown here"
reason = "policy"
[[sample]]
text = "550 acme mail gateway AC-005 go away"
reason = "reputation"
"""
MAIL = """\
From: Acme Robot <robot@acme.example>
To: me@example.org
Subject: Hello

This is the Acme robot. These people were not reached
* a@example.com => the badge is expired
* b@example.com => 550 5.1.1 user unknown here
-- end of people
* c@example.com => is no such person
"""


@pytest.fixture
def mine(here: Path) -> str:
    (here / "mine.toml").write_text(MINE, "utf-8")
    (here / "acme.eml").write_text(MAIL, "utf-8")
    return "mine.toml"


def test_own_rules_of_every_kind(run: Run, mine: str) -> None:
    assert run("rules", "lint", mine).stdout == "mine.toml: 1 phrase, 9 provider marks, 1 dialect, no mistake\n"
    assert run("rules", "test", mine).stdout == "3 samples, all as expected\n"
    rows = [json.loads(line) for line in run("parse", "--rules", mine, "acme.eml").stdout.splitlines()]
    assert [(row["recipient"], row["reason"], row["dialect"], row["rule"]) for row in rows] == [
        ("a@example.com", "mailbox_disabled", "acmed", "dialect:acmed/the-badge-is-expired"),
        ("b@example.com", "policy", "acmed", "phrase:mine/overrule"),
    ]
    [row] = [json.loads(line) for line in run("classify", "--rules", mine, stdin="550 Acme Mail Gateway: AC-005").stdout.splitlines()]
    assert (row["reason"], row["rule"]) == ("reputation", "provider:acme/AC-005")


def test_own_rules_are_listed_and_shown(run: Run, mine: str) -> None:
    assert "provider:acme/AC-009" in run("rules", "list", "--rules", mine, "-f", "table", "AC-009").stdout
    shown = run("rules", "show", "--rules", mine, "acmed").stdout
    parts = ("this is the acme robot", "* {address} => {diagnostic}", "-- end of people", "the badge is expired → mailbox_disabled", "mine.toml:")
    for told in parts:
        assert told in shown, told
    counted = [json.loads(line) for line in run("rules", "list", "--count", "--rules", mine).stdout.splitlines()]
    assert [row for row in counted if row["rules"] == "your own"] == [
        {"rules": "your own", "of": "words", "count": 1},
        {"rules": "your own", "of": "marks", "count": 9},
        {"rules": "your own", "of": "dialects", "count": 1},
    ]
    assert counted[:-3] == [json.loads(line) for line in run("rules", "list", "--count").stdout.splitlines()]


def test_the_counts_are_those_of_the_tables(run: Run) -> None:
    tables = load_tables()
    rows = [json.loads(line) for line in run("rules", "list", "--count").stdout.splitlines()]

    def total(rules: str) -> int:
        return sum(row["count"] for row in rows if row["rules"] == rules)

    assert total("dialects") == len(tables.dialects)
    assert total("words") == len(tables.phrases) + sum(len(dialect.reasons) for dialect in tables.dialects)
    assert total("provider marks") == sum(len(provider.tokens) for provider in tables.providers)
    assert {row["of"] for row in rows if row["rules"] == "words"} >= {"English", "Japanese", "Arabic"}
    assert not [row for row in rows if len(row["of"]) == 2], "a language without a name"
    table = run("rules", "list", "-f", "table").stdout
    assert table.startswith("dialects")
    assert f"English {sum(phrase.language == 'en' for phrase in tables.phrases):,}" in " ".join(table.split())
    found = list(csv.DictReader(io.StringIO(run("rules", "list", "--count", "-f", "csv").stdout)))
    assert [int(row["count"]) for row in found] == [row["count"] for row in json.loads(run("rules", "list", "--count", "-f", "json").stdout)]
    assert run("rules", "list", "--count", "word").exit_code == 2


@pytest.mark.parametrize("file", ["dialects/zoho.toml", "data/providers/cox.toml", "data/phrases/fr.toml"])
def test_a_file_of_the_package_is_a_rule_file_too(run: Run, here: Path, file: str) -> None:
    shutil.copy(PACKAGE / file, here / "mine-too.toml")
    assert run("rules", "lint", "mine-too.toml").stdout.endswith("no mistake\n")
    told = run("rules", "test", "mine-too.toml")
    assert "as expected" in told.stdout or told.stderr.startswith("bounceparse: no sample to run; write one")


PHRASE = '[[phrase]]\nname = "x"\nreason = "spam"\nwords = ["abc def"]\n'
CLAIMS = '[dialect.x]\ntitle = "x"\n[dialect.x.claims]\nfrom = ["abc"]\n'
MISTAKES = [
    ("[[phrase]\n", 1, "no TOML here"),
    (PHRASE.replace("spam", "spams"), 3, "there is no reason 'spams'; did you mean 'spam'?"),
    (PHRASE.replace("words", "word"), 4, "has an unknown key 'word'; did you mean 'words'?"),
    (PHRASE.replace("[[phrase]]", "[[phrases]]"), 1, "did you mean 'phrase'?"),
    (PHRASE.replace('"abc def"', ""), 1, 'has no words; add words = ["…"]'),
    (PHRASE.replace("abc def", "abc (.*) def"), 4, "a * stands within"),
    (PHRASE.replace("abc def", "a"), 4, "give at least 3 letters"),
    (PHRASE + 'phase = ["rcpto"]\n', 5, "did you mean 'rcpt'?"),
    (PHRASE + 'provider = "gmial"\n', 4, "did you mean 'gmail'?"),
    (PHRASE + PHRASE, 6, "is in line 1 too"),
    (PHRASE + PHRASE.replace('"x"', '"y"').replace("spam", "virus"), 8, "are in line 4 too, for spam"),
    ('[[provider]]\ntitle = "x"\n', 1, "add hosts = […] or marks = […]"),
    ('[dialect.x]\ntitle = "x"\n', 1, "claims no mail"),
    (CLAIMS.replace("dialect.x", "dialect.postfix"), 1, "is in bounceparse/dialects/postfix.toml too; give it a name of its own"),
    (CLAIMS + '[dialect.x.report]\nrecipient = ["{adress}"]\n', 6, "did you mean 'address'?"),
    (CLAIMS + '[dialect.x.report]\nrecipient = ["hello"]\n', 6, "put {address} where the recipient stands"),
    (CLAIMS.replace('title = "x"', 'title = "x"\nhook = "x"'), 3, "has no hook"),
    ('[[sample]]\ntext = "x"\n', 1, "the sample expects nothing"),
    ('[[sample]]\ntext = "x"\nreson = "spam"\n', 3, "did you mean 'reason'?"),
]


@pytest.mark.parametrize(("text", "line", "told"), MISTAKES, ids=[told[:30] for _, _, told in MISTAKES])
def test_a_mistake_names_file_line_and_mend(run: Run, here: Path, text: str, line: int, told: str) -> None:
    (here / "bad.toml").write_text(text, "utf-8")
    for args in (("rules", "lint", "bad.toml"), ("parse", "--rules", "bad.toml", "s/bounces.mbox"), ("rules", "list", "--rules", "bad.toml")):
        wrong = run(*args)
        assert wrong.exit_code == 78
        assert wrong.stdout == ""
        assert wrong.stderr.startswith(f"bounceparse: bad.toml:{line}: ")
        assert told in wrong.stderr
        assert wrong.stderr.count("\n") == 1


def test_lint_checks_every_file(run: Run, here: Path, mine: str) -> None:
    (here / "bad.toml").write_text("x", "utf-8")
    (here / "latin.toml").write_bytes(b"# \xfc")
    wrong = run("rules", "lint", "bad.toml", "latin.toml", mine)
    assert wrong.exit_code == 78
    assert wrong.stdout.startswith("mine.toml: ")
    assert [line.partition(" ")[2][:10] for line in wrong.stderr.splitlines()] == ["bad.toml:1", "latin.toml"]
    (here / "again.toml").write_text(MINE, "utf-8")
    both = run("rules", "lint", mine, "again.toml")
    assert both.exit_code == 78
    assert "the dialect 'acmed' is in mine.toml too" in both.stderr


def test_rule_files_that_cannot_be_read(run: Run, here: Path) -> None:
    assert run("rules", "lint", "none.toml").exit_code == 66
    told = run("parse", "--rules", "s", "s/bounces.mbox")
    assert told.exit_code == 78
    assert told.stderr == "bounceparse: cannot read s: is a directory\n"
