"""The other commands, and what is said when they are called wrongly."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bounceparse.cli import COMMANDS
from tests.cli.conftest import SAMPLES, Run

WIDE = re.compile(r".{80,}")


def test_help_names_every_command(run: Run) -> None:
    told = run("--help")
    assert told.exit_code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", told.stdout, re.M)
        inner = run(name, "-h")
        assert inner.exit_code == 0
        assert inner.stdout.startswith(f"Usage: bounceparse {name}")
        assert not re.search(".{81}", inner.stdout)


def test_nothing_said_is_help_and_a_usage_error(run: Run) -> None:
    told = run()
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith("Usage:")


def test_version(run: Run) -> None:
    assert re.fullmatch(r"bounceparse \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("pares",), "bounceparse: no command or file 'pares'; did you mean 'parse'?; see 'bounceparse --help'"),
        (("xyz",), "bounceparse: no command or file 'xyz'; see 'bounceparse --help'"),
        (("parse", "--feilds", "x", "s"), "bounceparse parse: no such option '--feilds'"),
        (("parse", "-f", "yaml", "s"), "bounceparse parse: wrong value for '-f'"),
        (("parse", "-j", "0", "s"), "bounceparse parse: wrong value for '-j' / '--jobs': '0' is neither a number from 1 nor auto"),
        (("parse", "--only", "bounces", "s"), "bounceparse parse: wrong value for '--only': 'bounces' is not one of bounce, "),
        (("parse", "-o"), "bounceparse parse: option '-o' needs a value"),
        (("samples",), "bounceparse samples: missing 'DIR'"),
        (("explain", ""), "bounceparse explain: nothing to explain"),
        (("rules", "lint"), "bounceparse rules lint: missing 'FILE…'"),
        (("stats", "--by", "colour", "s"), "bounceparse stats: wrong value for '--by': 'colour' is not one of reason, "),
    ],
)
def test_bad_usage_is_one_clear_line(run: Run, args: tuple[str, ...], line: str) -> None:
    told = run(*args)
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.count("\n") == 1
    assert told.stderr.startswith(line), told.stderr


def test_explain_a_reply(run: Run) -> None:
    told = run("explain", "550 5.1.1 <a@example.com> user unknown").stdout
    for words in ("hard bounce, user_unknown", "Remedy ", "Fault      the recipient", "Certainty  certain", "5.1.1  failed for good, address"):
        assert words in told
    assert run("explain", "550", "5.1.1", "<a@example.com>", "user", "unknown").stdout == told, "quotes may be forgotten"
    assert run("explain", "-", stdin="550 5.1.1 <a@example.com> user unknown\n").stdout == told
    assert not WIDE.search(told)
    assert "\x1b" not in told


def test_explain_a_mail(run: Run, here: Path) -> None:
    told = run("explain", "s/01-user-unknown.eml").stdout
    raw = (here / "s/01-user-unknown.eml").read_bytes()
    for words in ("A bounce", "marta.lind@example.org: hard bounce, user_unknown", "Refused by mx.example.org, in answer to RCPT TO", "Rule       "):
        assert words in told
    places = re.findall(r"lines? (\d+)(?: to \d+)?, bytes (\d+) to (\d+), \w+\n +(?:[\w-]+: )?(\S+)", told)
    assert len(places) >= 4
    for line, start, end, word in places:
        assert word.encode() in raw[int(start) : int(end)]
        assert raw.count(b"\n", 0, int(start)) + 1 == int(line)
    assert not WIDE.search(told)


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.eml")))
def test_explain_every_kind(run: Run, name: str) -> None:
    told = run("explain", f"s/{name}.eml")
    assert told.exit_code == 0
    assert not WIDE.search(told.stdout)
    assert "Kind " in told.stdout


def test_explain_one_of_a_mailbox(run: Run) -> None:
    first = run("explain", "s/bounces.mbox")
    assert first.stdout == run("explain", "s/bounces.mbox#1").stdout
    assert "more than one message" in first.stderr
    assert run("explain", "s/bounces.mbox#8").stdout.startswith("s/bounces.mbox#8")
    assert run("explain", "s/bounces.mbox#9").exit_code == 66


def test_explain_what_is_not_there(run: Run) -> None:
    told = run("explain", "missing.eml")
    assert (told.exit_code, told.stderr) == (66, "bounceparse: no such file: missing.eml\n")
    assert run("explain", "s").exit_code == 2


def test_explain_neuters_what_a_terminal_would_obey(run: Run) -> None:
    assert "\x1b" not in run("explain", "550 \x1b[2J\x9b1m user unknown").stdout
    assert "\x1b" not in run("explain", "-", stdin=b"From: \x1b]0;x\x07 <a@example.com>\nSubject: \x1b[2J\n\nuser unknown \x1b[2J\n").stdout


def test_classify_keeps_to_the_lines(run: Run) -> None:
    lines = ["550 5.1.1 <a@example.com> user unknown", "", "452 4.2.2 mailbox full", "250 ok", "\x1b[2J"]
    found = [json.loads(line) for line in run("classify", "-f", "jsonl", "-", stdin="\n".join(lines)).stdout.splitlines()]
    assert [row["origin"] for row in found] == [f"-#{n}" for n in range(1, 6)]
    assert [row["bounce"] for row in found] == ["hard", "soft", "soft", "none", "soft"]
    assert found[0]["reason"] == "user_unknown"


POSTFIX = """\
2026-11-23T10:00:00.1+01:00 mx postfix/smtp[1]: 4ABCDE1234: to=<a@example.com>, orig_to=<b@example.net>, relay=mx.example.com[192.0.2.1]:25, \
delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced (host mx.example.com[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command))
Nov 23 10:00:00 mx postfix/qmgr[1]: 4ABCDE1234: removed
Nov 23 10:00:00 mx postfix/smtp[1]: 4ABCDE1235: to=<c@example.com>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (timed out)
Nov 23 10:00:00 mx postfix/lmtp[1]: 4ABCDE1236: to=<d@example.com>, relay=x[private/x], delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)
"""
EXIM = """\
2026-11-23 10:00:00 1tEZZZ-0001Ab-Cd ** a@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1] X=TLS1.3:A:256 CV=yes: \
SMTP error from remote mail server after RCPT TO:<a@example.com>: 550 5.1.1 User unknown
2026-11-23 10:00:00 1tEZZZ-0001Ab-Cd == b@example.com R=dnslookup T=remote_smtp defer (110): Connection timed out
2026-11-23 10:00:00 1tEZZZ-0001Ab-Cd => c@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1] C="250 2.0.0 Ok"
2026-11-23 10:00:00 1tEZZZ-0001Ab-Cd ** d@example.com: Unrouteable address
2026-11-23 10:00:00 1tEZZZ-0001Ab-Cd Completed
"""


def test_classify_reads_logs(run: Run) -> None:
    def told(form: str, log: str) -> list[list[object]]:
        fields = ("recipient", "original_recipient", "kind", "reason", "status", "remote_mta", "arrived", "origin")
        out = run("classify", "--input", form, "--fields", ",".join(fields), stdin=log).stdout
        return [list(json.loads(line).values()) for line in out.splitlines()]

    assert told("postfix", POSTFIX) == [
        ["b@example.net", "b@example.net", "bounce", "user_unknown", "5.1.1", "mx.example.com", "2026-11-23T09:00:00Z", "-#1"],
        ["c@example.com", "", "delay", "network_error", "4.4.1", "", "", "-#3"],
        ["d@example.com", "", "delivered", "delivered", "2.0.0", "x", "", "-#4"],
    ]
    exim = told("exim", EXIM)
    assert [row[:3] for row in exim] == [
        ["a@example.com", "", "bounce"],
        ["b@example.com", "", "delay"],
        ["c@example.com", "", "delivered"],
        ["d@example.com", "", "bounce"],
    ]
    assert exim[0][3:6] == ["user_unknown", "5.1.1", "mx.example.com"]
    assert told("csv", "Email;x,SMTP response\nno,550 5.1.1 user unknown\n")[0][3] == "user_unknown"
    assert told("csv", '\ufeffEmail,Reply\na@example.com,"550 5.1.1 user\nunknown"\n')[0][:4] == ["a@example.com", "", "bounce", "user_unknown"]


def test_classify_says_when_there_is_nothing(run: Run) -> None:
    assert run("classify", "--input", "postfix", stdin="hello\n").exit_code == 65
    assert "no column of replies" in run("classify", "--input", "csv", stdin="a,b\n1,2\n").stderr
    assert run("classify", "missing.txt").exit_code == 66


def test_stats(run: Run) -> None:
    rows = [json.loads(line) for line in run("stats", "--by", "bounce,kind", "s/bounces.mbox").stdout.splitlines()]
    assert {row["value"]: row["count"] for row in rows if row["by"] == "bounce"} == {"soft": 3, "hard": 2}
    assert sum(row["count"] for row in rows if row["by"] == "kind") == 8
    table = run("stats", "-f", "table", "s/bounces.mbox").stdout
    assert "8 records: 4 bounces, 1 delay" in table
    assert not WIDE.search(table)
    assert run("stats", "-f", "csv", "s/bounces.mbox").stdout.startswith("by,value,count,share\n")


def test_stats_of_records_is_that_of_the_mail(run: Run, here: Path) -> None:
    of_mail = run("stats", "s/bounces.mbox").stdout
    (here / "r.jsonl").write_text(run("parse", "s/bounces.mbox").stdout, "utf-8")
    (here / "r.json").write_text(run("parse", "-f", "json", "s/bounces.mbox").stdout, "utf-8")
    assert run("stats", "r.jsonl").stdout == run("stats", "r.json").stdout == of_mail
    assert run("stats", "-", stdin=(here / "r.jsonl").read_bytes()).stdout == of_mail
    assert run("stats", "-", stdin=(here / "s/bounces.mbox").read_bytes()).stdout == of_mail
    told = run("parse", "r.jsonl")
    assert told.exit_code == 65
    assert "bounceparse stats" in told.stderr


@pytest.mark.parametrize("code", ["550", "5.1.1", "4.2.2", "10060", "ECONNREFUSED", "NXDOMAIN", "67", "mailbox_full", "greylist", "mailbox full"])
def test_codes(run: Run, code: str) -> None:
    told = run("codes", "-f", "table", code)
    assert told.exit_code == 0
    assert told.stdout
    assert all(json.loads(line)["id"] for line in run("codes", code).stdout.splitlines())


def test_codes_of_the_table_of_2002(run: Run) -> None:
    codes = "211 214 220 221 250 251 252 354 421 450 451 452 500 501 502 503 504 521 530 550 551 552 553 554 557 572"
    for code in codes.split():
        assert run("codes", "-f", "table", code).stdout.startswith(f"{code}  "), code


def test_codes_that_nobody_knows(run: Run) -> None:
    told = run("codes", "mailbux_full")
    assert told.exit_code == 1
    assert "did you mean mailbox_full" in told.stderr


def test_rules(run: Run, here: Path) -> None:
    assert "status:X.1.1" in run("rules", "list", "-f", "table", "no such mailbox").stdout
    assert run("rules", "list", "xyzzy").exit_code == 1
    assert "greylist*" in run("rules", "show", "phrase:en/greylisted").stdout
    assert "did you mean phrase:en/greylisted" in run("rules", "show", "phrase:en/greylistd").stderr


def test_own_rules(run: Run, here: Path) -> None:
    phrase = '[[phrase]]\nname = "sealed"\nreason = "mailbox_disabled"\nwords = ["mailbox is sealed"]\n\n'
    sample = '[[sample]]\ntext = "550 mailbox is sealed"\nreason = "%s"\n'
    (here / "mine.toml").write_text(phrase + sample % "mailbox_disabled", "utf-8")
    assert run("rules", "lint", "mine.toml").stdout == "mine.toml: 1 phrase, no mistake\n"
    assert run("rules", "test", "mine.toml").stdout == "1 sample, as expected\n"
    assert "mine/sealed" in run("rules", "list", "--rules", "mine.toml", "-f", "table", "sealed").stdout
    (here / "mine.toml").write_text(phrase + sample % "spam", "utf-8")
    failed = run("rules", "test", "mine.toml")
    assert failed.exit_code == 78
    assert failed.stdout.startswith("mine.toml:6: reason is 'mailbox_disabled', not 'spam' (by phrase:mine/sealed)\n  550 mailbox is sealed\n")


def test_every_rule_that_the_samples_name_can_be_shown(run: Run) -> None:
    for line in run("parse", "s/bounces.mbox").stdout.splitlines():
        rule = json.loads(line)["rule"]
        if rule and not rule.startswith(("action:", "class:")):
            assert run("rules", "show", rule).exit_code == 0, rule


def test_built_in_samples_are_as_expected(run: Run) -> None:
    told = run("rules", "test")
    assert told.exit_code == 0, told.stdout


def test_samples(run: Run, here: Path) -> None:
    told = run("samples", "new/folder")
    assert told.exit_code == 0
    assert len(list((here / "new/folder").iterdir())) == 9
    (here / "new/folder/01-user-unknown.eml").write_bytes(b"mine")
    assert "9 were there already" in run("samples", "new/folder").stderr
    assert (here / "new/folder/01-user-unknown.eml").read_bytes() == b"mine"
    assert run("samples", "s/bounces.mbox").exit_code == 73


def test_config_precedence(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "c.toml").write_text('format = "csv"\njobs = 2\nfields = ["reason"]\n', "utf-8")
    assert run("-c", "c.toml", "parse", "s/01-user-unknown.eml").stdout == "reason\nuser_unknown\n"
    assert run("-c", "c.toml", "parse", "--fields", "status", "s/01-user-unknown.eml").stdout == "status\n5.1.1\n"
    monkeypatch.setenv("BOUNCEPARSE_FORMAT", "jsonl")
    assert run("-c", "c.toml", "parse", "s/01-user-unknown.eml").stdout == '{"reason":"user_unknown"}\n'
    shown = run("-c", "c.toml", "config", "show").stdout
    assert 'format = "jsonl"' in shown
    assert "$BOUNCEPARSE_FORMAT" in shown
    monkeypatch.delenv("BOUNCEPARSE_FORMAT")
    (here / ".config/bounceparse").mkdir(parents=True)
    (here / ".config/bounceparse/config.toml").write_text('format = "json"\n', "utf-8")
    assert run("s/01-user-unknown.eml").stdout.startswith("[\n")
    assert run("-f", "jsonl", "s/01-user-unknown.eml").stdout.startswith("{")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('formt = "csv"\n', "c.toml:1: no setting 'formt'; did you mean 'format'?"),
        ('# x\nformat = "yaml"\n', "c.toml:2: format is 'yaml'; write one of auto, table, jsonl, json, csv"),
        ("jobs = 0\n", 'c.toml:1: jobs is 0; write a number from 1, or "auto"'),
        ("recurse = 1\n", "c.toml:1: recurse is 1; write true or false"),
        ("x\n", "c.toml: no TOML: "),
        ('fields = ["x"]\n', "c.toml: no field 'x'"),
        ('rules = ["none.toml"]\n', "no rules file "),
    ],
)
def test_config_check(run: Run, here: Path, text: str, line: str) -> None:
    (here / "c.toml").write_text(text, "utf-8")
    told = run("config", "check", "c.toml")
    assert told.exit_code in (66, 78)
    assert told.stderr.startswith(f"bounceparse: {line}"), told.stderr
    assert run("-c", "missing.toml", "parse", "s/01-user-unknown.eml").exit_code == 66


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    assert "_BOUNCEPARSE_COMPLETE" in run("completion", shell).stdout


def test_report(run: Run, here: Path) -> None:
    assert run("report", "s/bounces.mbox", "-o", "r.html").exit_code == 0
    page = (here / "r.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and "8 records from s/bounces.mbox, " in page
    assert "marta.lind" not in page and "marta.lind" in run("report", "--show-addresses", "s/bounces.mbox").stdout
    (here / "r.jsonl").write_text(run("parse", "s/bounces.mbox").stdout, "utf-8")
    assert run("report", "r.jsonl").stdout == page.replace("s/bounces.mbox", "r.jsonl")
    assert run("report", "missing.mbox", "-o", "no.html").exit_code == 66
    assert not (here / "no.html").exists()
