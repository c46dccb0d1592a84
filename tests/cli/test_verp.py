"""The command group `verp`, and --verp where mail is read: keys come from files or the environment, and are never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bounceparse.cli import cli

SECRET = "5a" * 32
SIGNED = ("--verp", "{signed}@bounces.example.org")


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(f"1 {SECRET}\n", "utf-8")
    path.chmod(0o600)
    return str(path)


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    result = CliRunner().invoke(cli, arguments, env=env, prog_name="bounceparse")
    assert SECRET not in result.output
    return result


def make(secret: str, *more: str) -> str:
    result = run("verp", "make", *SIGNED, "--secret-file", secret, *more)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_make_and_check(secret: str) -> None:
    path = make(secret, "jo@example.com", "--day", "2026-03-01")
    assert path.endswith("@bounces.example.org") and path.startswith("b1.cgl.")
    check = ("verp", "check", *SIGNED, "--secret-file", secret)
    for arguments, words, code in (
        ((path, "--day", "2026-03-31"), "good", 0),
        ((path.upper(), "--day", "2026-03-31", "--recipient", "Jo@example.com", "--purpose", "post"), "good", 0),
        ((path, "--day", "2026-04-01"), "out of time: good from 2026-03-01 until 2026-03-31", 1),
        ((path, "--day", "2026-03-02", "--recipient", "me@example.com"), "made for another than me@example.com", 1),
        ((path, "--day", "2026-03-02", "--purpose", "probe"), "made for a post, not for a probe", 1),
        ((path.replace("b1", "b2"), "--day", "2026-03-02"), "altered, or signed with another key", 1),
        (("jo@example.com",), "no return path of ours", 1),
    ):
        result = run(*check, *arguments)
        assert (result.exit_code, result.stdout.partition(": ")[2].strip()) == (code, words)


def test_the_key_may_come_from_the_environment(secret: str) -> None:
    result = run("verp", "make", *SIGNED, "--day", "2026-03-01", "jo@example.com", env={"BOUNCEPARSE_SECRET": SECRET})
    assert result.stdout.strip() == make(secret, "jo@example.com", "--day", "2026-03-01")


def test_settings_hold_for_the_group(secret: str, tmp_path: Path) -> None:
    settings = tmp_path / "c.toml"
    settings.write_text('verp = "{signed}@bounces.example.org"\nsecret_file = "secret"\n', "utf-8")
    assert run("-c", str(settings), "verp", "make", "jo@example.com").exit_code == 0


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("news-bounces+jo=example.com@lists.example.org", "for jo@example.com, list news, in the form of mailman"),
        ("prvs=3123abcdef=me@example.org", "me@example.org, tagged (BATV)"),
        ("SRS0=Hx5r=NO=l.example=news-bounces+jo=b.example@f.example", "news-bounces+jo=b.example@l.example, rewritten by a forwarder (SRS)"),
        ("b1.cgl.77.abcdefghijklmnop@bounces.example.org", "mail 77, key 1, made 2026-03-01, if its signature is yours"),
        ("jo@example.com", "no return path that is known here"),
        ("\x1b[2Jjo@example.com", "no return path that is known here"),
    ],
)
def test_read(path: str, words: str) -> None:
    result = run("verp", "read", path)
    assert words in result.stdout and "\x1b" not in result.stdout
    assert result.exit_code == (65 if "no return path" in words else 0)


def test_read_knows_a_signature(secret: str) -> None:
    path = make(secret, "jo@example.com", "--day", "2026-03-01", "--id", "77", "--purpose", "probe")
    known = ("verp", "read", *SIGNED, "--secret-file", secret)
    assert "probe 77, key 1, made 2026-03-01, good until 2026-03-15" in run(*known, path).stdout
    assert "its signature is not ours" in run(*known, path.replace(".77.", ".78.")).stdout


@pytest.mark.parametrize(
    ("arguments", "env", "code", "words"),
    [
        (("make", "jo@example.com"), {}, 2, "say what the return paths look like"),
        (("make", *SIGNED, "jo@example.com"), {}, 78, "name a file with --secret-file, or set $BOUNCEPARSE_SECRET"),
        (("make", *SIGNED, "--secret-file", "missing", "jo@example.com"), {}, 66, "no secret file missing"),
        (("make", *SIGNED, "jo@example.com"), {"BOUNCEPARSE_SECRET": "1 short"}, 78, "$BOUNCEPARSE_SECRET:1: the secret of key 1"),
        (("make", "--verp", "bounces@example.org", "jo@example.com"), {}, 78, "says nothing about the recipient"),
        (("make", "--verp", "b+{local}={domain}@example.org", "nobody"), {}, 2, "is no address"),
        (("make", *SIGNED, "--day", "soon", "jo@example.com"), {"BOUNCEPARSE_SECRET": SECRET}, 2, "is no day; write 2026-11-23"),
        (("read", "--secret-file", "x", "jo@example.com"), {}, 2, "--secret-file needs --verp"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: tuple[str, ...], env: dict[str, str], code: int, words: str) -> None:
    result = run("verp", *arguments, env=env)
    assert result.exit_code == code and words in result.output and "short" not in result.output
    assert len(result.stderr.splitlines()) == 1


def test_a_secret_that_others_can_read_is_remarked(secret: str) -> None:
    Path(secret).chmod(0o644)
    assert "others can read" in run("verp", "make", *SIGNED, "--secret-file", secret, "jo@example.com").stderr


def test_parse_says_what_is_proven(secret: str, tmp_path: Path) -> None:
    path = make(secret, "a@b.example")
    mail = tmp_path / "bounce.eml"
    mail.write_text(
        f"From: MAILER-DAEMON@mx.example\nTo: {path}\nSubject: Undelivered Mail Returned to Sender\n\n"
        "I'm sorry to have to inform you that your message could not be delivered.\n\n<a@b.example>: 550 5.1.1 user unknown\n",
        "utf-8",
    )
    result = run("parse", str(mail), *SIGNED, "--secret-file", secret)
    assert json.loads(result.stdout)["proof"] == {"level": "proven", "by": "verp"}
    assert json.loads(run("parse", str(mail)).stdout)["proof"] == {"level": "claimed", "by": "none"}
