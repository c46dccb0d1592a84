"""decide and suppress: what would be done, what is done, and what is known."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the ledger needs the extra `ledger`")

from bounceparse.cli import cli
from tests.cli.conftest import Real, Run
from tests.dns.server import Server

ANN = "marta.lind@example.org"
TOM = "tom@provider.example"


@pytest.fixture(autouse=True)
def ledger(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ledger that commands use, not made yet."""
    monkeypatch.setenv("BOUNCEPARSE_LEDGER", str(here / "bounces.db"))
    return here / "bounces.db"


@pytest.fixture
def filled(run: Run, ledger: Path) -> Path:
    told = run("decide", "--apply", "s/bounces.mbox")
    assert told.exit_code == 0, told.stderr
    return ledger


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_decide_changes_nothing(run: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = run("decide", "s/bounces.mbox")
    assert told.exit_code == 0
    found = rows(told.stdout)
    assert [row["decision"]["action"] for row in found] == ["suppress", "record", "record", "alert", "ignore", "suppress", "record", "ignore"]  # type: ignore[index]
    assert found[0]["decision"]["because"].startswith(f"No more mail goes to {ANN}")  # type: ignore[index]
    assert "8 messages: 2 suppress, 1 alert, 3 record, 2 ignore; nothing was changed" in told.stderr
    assert "to mend on your side: blocklisted at strict.example (1)" in told.stderr
    assert not ledger.exists() or ledger.stat().st_size == 0
    monkeypatch.delenv("BOUNCEPARSE_LEDGER")
    assert run("decide", "s/bounces.mbox").stdout == told.stdout
    assert run("decide", "-j", "2", "s/bounces.mbox").stdout == told.stdout


def test_decide_apply_is_idempotent(run: Run, filled: Path) -> None:
    again = rows(run("decide", "--apply", "s/bounces.mbox").stdout)
    assert {row["decision"]["action"] for row in again} == {"ignore"}  # type: ignore[index]
    again = rows(run("decide", "--apply", "s/01-user-unknown.eml").stdout)
    assert {row["decision"]["action"] for row in again} == {"ignore"}  # type: ignore[index]
    assert len(rows(run("suppress", "list").stdout)) == 2
    assert stat.S_IMODE(filled.stat().st_mode) == 0o600


def test_decide_sees_days_in_old_mail(run: Run, here: Path) -> None:
    """A year of reports in one file is decided as it would have been day by day, and what is over is over."""
    mail = (
        b"From: MAILER-DAEMON@mx.example.com\r\nDate: %s\r\nSubject: Returned mail\r\nContent-Type: multipart/report;"
        b' report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n\r\nreport\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n'
        b"Reporting-MTA: dns; mx.example.com\r\n\r\nFinal-Recipient: rfc822; full@example.org\r\nAction: failed\r\nStatus: 5.2.2\r\n"
        b"Diagnostic-Code: smtp; 552 5.2.2 mailbox full\r\n--b--\r\n"
    )
    for day in range(1, 6):
        (here / f"{day}.eml").write_bytes(mail % b"%d Jan 2020 10:00:00 +0000" % day)
    names = [f"{day}.eml" for day in range(1, 6)]
    assert [row["decision"]["action"] for row in rows(run("decide", *names).stdout)] == ["record"] * 4 + ["suppress"]  # type: ignore[index]
    assert {row["decision"]["action"] for row in rows(run("decide", "--received", "now", *names).stdout)} == {"record"}  # type: ignore[index]
    assert run("decide", "--apply", *names).exit_code == 0
    assert run("suppress", "check", "full@example.org").exit_code == 0
    (held,) = rows(run("suppress", "list", "--all").stdout)
    assert (held["since"], held["until"]) == ("2020-01-05T10:00:00Z", "2020-04-04T10:00:00Z")


def test_decide_formats_and_choice(run: Run) -> None:
    told = run("decide", "--only", "suppress", "-f", "csv", "s/bounces.mbox").stdout
    table = list(csv.DictReader(io.StringIO(told)))
    assert [row["decision.address"] for row in table] == [ANN, TOM]
    told = run("decide", "--only", "suppress", "--fields", "recipient,decision.action,decision.scope", "s/bounces.mbox").stdout
    assert rows(told)[1] == {"recipient": TOM, "decision.action": "suppress", "decision.scope": "sender"}
    told = run("decide", "-f", "table", "s/bounces.mbox").stdout
    assert told.startswith("action    until       reason")
    assert f"suppress  for good    user_unknown          {ANN}" in told


def test_decide_by_another_policy(run: Run, here: Path) -> None:
    (here / "mine.toml").write_text('base = "default"\n[line.user_unknown]\nstrikes = 0\n', "utf-8")
    told = rows(run("decide", "--policy", "mine.toml", "s/01-user-unknown.eml").stdout)
    assert told[0]["decision"]["action"] == "record"  # type: ignore[index]
    (here / "wrong.toml").write_text('[line.user_unknown]\nstrikes = "many"\n', "utf-8")
    wrong = run("decide", "--policy", "wrong.toml", "s/01-user-unknown.eml")
    assert wrong.exit_code == 78
    assert wrong.stderr.startswith("bounceparse: wrong.toml:")
    assert run("decide", "--policy", "nowhere.toml", "s/01-user-unknown.eml").exit_code == 66


def test_decide_needs_a_ledger_to_apply(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOUNCEPARSE_LEDGER")
    told = run("decide", "--apply", "s/bounces.mbox")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "--apply needs a ledger" in told.stderr
    told = run("suppress", "list")
    assert told.exit_code == 2
    assert "no ledger" in told.stderr


def test_decide_asks_the_dns_when_told_to(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from bounceparse import dns

    with Server({("gone.example", "MX"): ["10 mx.gone.example."], ("mx.gone.example", "A"): ["192.0.2.1"]}) as server:
        monkeypatch.setattr(dns, "_system_servers", lambda: ("127.0.0.1",))
        real = dns.Checker
        monkeypatch.setattr(dns, "Checker", lambda: real(port=server.port))
        before = [row for row in rows(run("decide", "s/bounces.mbox").stdout) if row["recipient"] == "kim@gone.example"]
        assert server.asked == []
        after = [row for row in rows(run("decide", "--check-dns", "s/bounces.mbox").stdout) if row["recipient"] == "kim@gone.example"]
        assert [asked[0] for asked in server.asked] == ["gone.example", "mx.gone.example"]
    assert before[0]["certainty"] in ("certain", "likely")
    assert after[0]["certainty"] == "guess"
    assert after[0]["evidence"][-1]["source"] == "dns"  # type: ignore[index]


def test_check(run: Run, filled: Path) -> None:
    assert run("suppress", "check", "nobody@example.org").exit_code == 0
    told = run("suppress", "check", "nobody@example.org", "MARTA.lind@Example.org")
    assert told.exit_code == 1
    (row,) = rows(told.stdout)
    assert (row["address"], row["suppressed"], row["reason"]) == ("MARTA.lind@Example.org", True, "user_unknown")
    assert [row["suppressed"] for row in rows(run("suppress", "check", "--show", "all", ANN, "x@example.org").stdout)] == [True, False]
    assert run("suppress", "check", TOM).exit_code == 1
    assert run("suppress", "check", "--sender", "other@example.com", TOM).exit_code == 0
    assert run("suppress", "check", "-f", "table", ANN).stdout.splitlines()[1].split() == [ANN, "yes", "user_unknown", "everywhere", "for", "good"]


def test_check_filters_a_list(real: Real, filled: Path) -> None:
    asked = f"x@example.org\n{ANN}\n\nJürgen@example.org\n  y@example.org  \r\n{TOM}\nno address\n"
    told = real("suppress", "check", "-", "--show", "fine", input=asked)
    assert (told.returncode, told.stdout) == (1, "x@example.org\nJürgen@example.org\ny@example.org\nno address\n")
    told = real("suppress", "check", "-", input=asked)
    assert [row["address"] for row in rows(told.stdout)] == [ANN, TOM]
    assert real("suppress", "check", "-", "--lines", input=asked).stdout == f"{ANN}\n{TOM}\n"
    told = real("suppress", "check", "-", "--show", "fine", input="x@example.org")
    assert (told.returncode, told.stdout) == (0, "x@example.org\n")


def test_check_answers_at_once(filled: Path) -> None:
    """A program may ask one address after the other."""
    command = [sys.executable, "-m", "bounceparse", "suppress", "check", "-", "--show", "all"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for address, suppressed in ((ANN, True), ("x@example.org", False), (TOM, True)):
            child.stdin.write(address + "\n")
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["suppressed"] is suppressed
        child.stdin.close()
    assert child.returncode == 1


def test_check_asks_the_dns_when_told_to(run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bounceparse import dns

    with Server({("null.example", "MX"): ["0 ."]}) as server:
        real = dns.Checker
        monkeypatch.setattr(dns, "Checker", lambda: real(("127.0.0.1",), server.port))
        told = run("suppress", "check", "--dns", "--show", "all", "a@null.example", "b@absent.example")
    assert told.exit_code == 0, "the DNS suppresses nobody"
    assert [(row["dns"], row["suppressed"]) for row in rows(told.stdout)] == [("refuses", False), ("missing", False)]


def test_add_and_remove(run: Run, ledger: Path) -> None:
    told = run("suppress", "add", "a@example.org", "@spam.example", "--why", "asked by telephone")
    assert (told.exit_code, told.stderr) == (0, "2 suppressed\n")
    assert run("suppress", "add", "A@example.org", "b@example.org").stderr == "1 suppressed; 1 was already\n"
    assert run("suppress", "check", "who@spam.example").exit_code == 1
    run("suppress", "add", "-", "--list", "News <news.example.com>", stdin="c@example.org\nd@example.org\n")
    listed = rows(run("suppress", "list").stdout)
    assert [(row["address"], row["scope"], row["place"]) for row in listed] == [
        ("a@example.org", "everywhere", ""),
        ("@spam.example", "domain", ""),
        ("b@example.org", "everywhere", ""),
        ("c@example.org", "list", "news.example.com"),
        ("d@example.org", "list", "news.example.com"),
    ]
    assert "(command line)" in str(listed[0]["added_by"])
    assert len(rows(run("suppress", "list", "--list", "news.example.com").stdout)) == 2
    assert [row["address"] for row in rows(run("suppress", "list", "--domain", "spam.example").stdout)] == ["@spam.example"]
    assert rows(run("suppress", "list", "--since", "2999-01-01").stdout) == []
    assert run("suppress", "remove", "a@example.org", "@spam.example").stderr == "2 suppressions ended\n"
    assert run("suppress", "check", "a@example.org", "who@spam.example").exit_code == 0
    assert len(rows(run("suppress", "list", "--all").stdout)) == 5


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (("add", "nobody"), 65, "bounceparse: 'nobody' is no address\n"),
        (("add", "a@example.org", "--list", "x", "--sender", "y"), 2, "bounceparse suppress add: name a list or a sender, not both"),
        (("add", "a@example.org", "--ledger", "oracle://x"), 75, "bounceparse: a ledger is kept in SQLite or PostgreSQL, not in oracle\n"),
        (("list", "--ledger", "nowhere.db"), 66, "bounceparse: no ledger nowhere.db; `bounceparse suppress init` makes one\n"),
        (("check", "a@example.org", "--ledger", "nowhere.db"), 66, "bounceparse: no ledger nowhere.db"),
        (("list", "--ledger", "s/01-user-unknown.eml"), 75, "bounceparse: s/01-user-unknown.eml: file is not a database\n"),
        (("import", "missing.csv"), 66, "bounceparse: no such file: missing.csv\n"),
        (("import", "s/01-user-unknown.eml"), 65, "bounceparse: s/01-user-unknown.eml: no list that is known: "),
        (("forget", "nobody"), 65, "bounceparse: 'nobody' is no address\n"),
        (("history", "nobody"), 65, "bounceparse: 'nobody' is no address\n"),
        (("unknown",), 2, "bounceparse suppress: no such command 'unknown'"),
    ],
)
def test_what_goes_wrong_is_one_line(run: Run, filled: Path, args: tuple[str, ...], code: int, line: str) -> None:
    told = run("suppress", *args)
    assert (told.exit_code, told.stdout) == (code, "")
    assert told.stderr.startswith(line), told.stderr
    assert told.stderr.count("\n") == 1


def test_init_and_upgrade(run: Run, ledger: Path) -> None:
    assert run("suppress", "init").stderr == f"{ledger}: made\n"
    assert run("suppress", "init").stderr == f"{ledger}: is up to date\n"
    assert run("suppress", "upgrade").stderr == f"{ledger}: is up to date\n"
    assert run("suppress", "list").stderr == "nobody is suppressed\n"


def test_retention(run: Run, filled: Path) -> None:
    assert run("suppress", "history", "jon.berg@example.net").stdout
    run("suppress", "init", "--retention-days", "30")
    run("decide", "--apply", "s/bounces.mbox")  # of January 2026
    assert len(rows(run("suppress", "list").stdout)) == 2
    assert run("suppress", "history", "jon.berg@example.net").stdout == ""


def test_import_judges_what_hosts_said(run: Run, here: Path) -> None:
    (here / "bounces.csv").write_text(
        "address,code,error,created_at\n"
        'gone@example.org,550,5.1.1 user unknown,"Mon, 12 Jan 2026 09:14:01 UTC"\n'
        'blocked@example.org,550,"5.7.1 blocked using zen.spamhaus.org",\n'
        "full@example.org,552,5.2.2 mailbox full,\n"
        "mute@example.org,605,Not delivering to previously bounced address,\n"
        "silent@example.org,,,\n"
        "no address,550,x,\n",
        "utf-8",
    )
    told = run("suppress", "import", "bounces.csv")
    assert told.exit_code == 0
    assert "left out: the bounce was not their fault, or not for good" in told.stderr
    held = {str(row["address"]): row for row in rows(run("suppress", "list").stdout)}
    assert set(held) == {"gone@example.org", "mute@example.org", "silent@example.org"}
    assert (held["gone@example.org"]["reason"], held["gone@example.org"]["since"]) == ("user_unknown", "2026-01-12T09:14:01Z")
    assert "import of bounces.csv" in str(held["gone@example.org"]["added_by"])
    run("suppress", "import", "--all", "bounces.csv")
    assert run("suppress", "check", "full@example.org").exit_code == 1


def test_import_for_a_list_and_of_known_addresses(run: Run, here: Path, filled: Path) -> None:
    run("suppress", "import", "-", "--list", "news", "--reason", "unsubscribe", stdin="a@example.org\nb@example.org\n")
    assert [row["reason"] for row in rows(run("suppress", "list", "--list", "news").stdout)] == ["unsubscribe"] * 2
    told = run("suppress", "import", "--known", "-", stdin="".join(f"p{n}@example.org\n" for n in range(50)))
    assert told.stderr == "standard input: 50 addresses noted\n"
    assert run("suppress", "check", "p1@example.org").exit_code == 0


def test_export_and_import_again(run: Run, here: Path, filled: Path) -> None:
    run("suppress", "add", "@spam.example")
    run("suppress", "add", "x@example.org", "--list", "news", "--until", "2999-01-01")
    assert run("suppress", "export", "-o", "own.csv").exit_code == 0
    before = rows(run("suppress", "list").stdout)
    run("suppress", "import", "own.csv", "--ledger", "other.db")
    after = rows(run("suppress", "list", "--ledger", "other.db").stdout)
    kept = ("address", "reason", "scope", "place", "since", "until", "why")
    assert [[row[name] for name in kept] for row in after] == [[row[name] for name in kept] for row in before]
    told = run("suppress", "export", "--to", "ses")
    assert told.stdout == f"{ANN},BOUNCE\n"
    assert told.stderr == "1 left out: they have no place in a file for ses\n"
    assert run("suppress", "export", "--to", "phplist", "--list", "news").stdout == "x@example.org\n"
    assert run("suppress", "export", "--to", "mailgun-complaints").stdout.startswith(f"address,created_at\n{TOM},")


def test_history_and_forget(run: Run, filled: Path) -> None:
    run("suppress", "remove", ANN)
    found = rows(run("suppress", "history", ANN).stdout)
    assert [(row["what"], row["action"]) for row in found] == [("bounce", "suppress"), ("suppression", "begins"), ("suppression", "ends")]
    assert str(found[0]["because"]).startswith("No more mail goes to")
    run("suppress", "add", ANN)
    told = run("suppress", "forget", ANN, "--keep-hash")
    assert told.exit_code == 0
    assert "still suppressed, under a hash" in told.stderr
    assert run("suppress", "check", ANN).exit_code == 1
    assert "marta" not in run("suppress", "list").stdout
    told = run("suppress", "forget", "never.seen@example.org")
    assert told.exit_code == 1
    told = run("suppress", "history", "never.seen@example.org")
    assert (told.stdout, told.stderr) == ("", "nothing is known of never.seen@example.org\n")


def test_review(run: Run, here: Path) -> None:
    (here / "cut.eml").write_bytes((here / "s/01-user-unknown.eml").read_bytes()[:1700])
    told = rows(run("decide", "--apply", "cut.eml").stdout)
    listed = rows(run("suppress", "list", "--review").stdout)
    assert len(listed) == sum(row["decision"]["action"] == "review" for row in told)  # type: ignore[index]
    assert run("suppress", "list", "--review", "--domain", "other.example").stderr == "nobody to review\n"


def test_redacted(run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOUNCEPARSE_REDACT", "1")
    commands = [
        ("decide", "s/bounces.mbox"),
        ("decide", "-f", "csv", "s/bounces.mbox"),
        ("decide", "-f", "table", "s/bounces.mbox"),
        ("suppress", "list", "--all"),
        ("suppress", "list", "-f", "table"),
        ("suppress", "list", "--review"),
        ("suppress", "check", ANN, "new.person@example.org", "--show", "all"),
        ("suppress", "history", ANN),
        ("suppress", "add", "new.person@example.org", ANN),
        ("suppress", "history", "other.person@example.org"),
        ("suppress", "forget", ANN),
        ("suppress", "remove", "new.person@example.org"),
        ("suppress", "add", "new.person@exa mple@@"),
    ]
    for args in commands:
        told = run(*args)
        assert "marta" not in told.output, args
        assert "person" not in told.output.replace("a person", ""), args
        assert "jon.berg" not in told.output, args


def test_the_ledger_can_be_set_in_the_configuration(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOUNCEPARSE_LEDGER")
    (here / "c.toml").write_text(f'ledger = "{here}/set.db"\n', "utf-8")
    assert run("-c", "c.toml", "suppress", "init").stderr == f"{here}/set.db: made\n"
    assert run("-c", "c.toml", "decide", "--apply", "s/bounces.mbox").exit_code == 0
    assert run("-c", "c.toml", "suppress", "check", ANN).exit_code == 1


def test_every_command_has_help(run: Run) -> None:
    for name in cli.get_command(None, "suppress").commands:  # type: ignore[arg-type,union-attr]
        told = run("suppress", name, "-h")
        assert told.exit_code == 0
        assert all(len(line) <= 80 for line in told.stdout.splitlines()), name


def test_fifty_thousand_questions_a_second(real: Real, ledger: Path) -> None:
    from bounceparse.ledger import Ledger
    from bounceparse.model import Suppression

    with Ledger(str(ledger), durable=False) as made:
        made.add_many(Suppression(f"person.number.{n}@domain{n % 100}.example", "suppressed") for n in range(10_000))
    asked = "".join(f"person.number.{n}@domain{n % 100}.example\n" for n in range(5_000, 65_000))
    times = []
    for text in ("x@example.org\n", asked):
        before = os.times()
        told = real("suppress", "check", "-", "--show", "fine", input=text)
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert told.stdout.count("\n") == 55_000
    assert 60_000 / (times[1] - times[0]) > 50_000
