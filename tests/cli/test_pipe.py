"""What a mail server gets back: 0 only for what is safe, and never a code that makes it throw a message away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bounceparse.ledger import Ledger
from tests.pipeline.mails import ORDINARY, bounce

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")


def pipe(place: Path, *args: str, mail: bytes = b"", code: str = "") -> subprocess.CompletedProcess[bytes]:
    start = textwrap.dedent(code) + "\nfrom bounceparse.cli import main\nmain()"
    env = {key: value for key, value in os.environ.items() if not key.startswith("BOUNCEPARSE_")} | {"XDG_CONFIG_HOME": str(place / "none")}
    return subprocess.run([sys.executable, "-c", start, *args], input=mail, capture_output=True, cwd=place, env=env, timeout=60, check=False)


def test_a_bounce_is_recorded(tmp_path: Path) -> None:
    done = pipe(tmp_path, "pipe", "--ledger", "b.db", "--to", "news@example.org", "--origin", "exim", mail=bounce("a@example.com"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    ledger = Ledger(str(tmp_path / "b.db"))
    assert ledger.check("a@example.com") is not None
    assert next(ledger.events()).origin == "exim"


def test_the_configuration_file_is_enough(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('ledger = "b.db"\npolicy = "gentle"\ndrop_others = true\n')
    done = pipe(tmp_path, "-c", "c.toml", "pipe", mail=ORDINARY)
    assert (done.returncode, done.stderr) == (0, b"")
    assert not (tmp_path / "b.db.spool/others").exists()


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("pipe", "--ledgr", "b.db"), 64, b"no such option '--ledgr'"),
        (("pipe",), 64, b"no ledger: name one with --ledger"),
        (("pipe", "--ledger", "b.db", "--secret-file", "x"), 64, b"--secret-file needs --verp"),
        (("pipe", "--ledger", "b.db", "--policy", "nice"), 78, b"no policy file nice; the presets are default,"),
        (("pipe", "--ledger", "mysql://h/n"), 78, b"SQLite or PostgreSQL"),
        (("pipe", "--ledger", "none/b.db"), 75, b"cannot make the spool none/b.db.spool: no such file or directory; the message has to come again"),
        (("pipe", "--ledger", "postgresql://127.0.0.1:1/x", "--spool", "s"), 75, b"the message has to come again"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_a_code(tmp_path: Path, args: tuple[str, ...], code: int, said: bytes) -> None:
    done = pipe(tmp_path, *args, mail=bounce("a@example.com"))
    assert (done.returncode, done.stderr.count(b"\n")) == (code, 1), done.stderr
    assert said in done.stderr


DEATHS = {
    "killed": "os.kill(os.getpid(), 9)",
    "too slow": "signal.alarm(1); time.sleep(30)",
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_message_that_ends_the_program_comes_again_until_it_is_in_quarantine(tmp_path: Path, death: str) -> None:
    code = f"""
        import os, signal, time
        from bounceparse.engine import Engine
        def parse(self, raw, envelope=()):
            {DEATHS[death]}
        Engine.parse = parse
    """
    tries = [pipe(tmp_path, "pipe", "--ledger", "b.db", mail=b"poison", code=code) for _ in range(3)]
    assert [done.returncode for done in tries] == [75, 75, 0], [done.stderr for done in tries]
    assert b"ended by SIG" in tries[0].stderr and b"in quarantine" in tries[2].stderr
    assert [kept.raw for kept in Ledger(str(tmp_path / "b.db")).quarantined()] == [b"poison"]


def test_memory_has_an_end(tmp_path: Path) -> None:
    code = """
        from bounceparse.engine import Engine
        Engine.parse = lambda self, raw, envelope=(): bytearray(1 << 32)
    """
    done = pipe(tmp_path, "pipe", "--ledger", "b.db", mail=b"poison", code=code)
    assert (done.returncode, b"MemoryError" in done.stderr) == (0, True)


def test_a_program_that_is_told_to_stop_does_not_say_that_the_message_is_safe(tmp_path: Path) -> None:
    start = "from bounceparse.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", start, "pipe", "--ledger", "b.db"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    assert process.stdin is not None
    process.stdin.write(b"From: a")
    process.stdin.flush()
    time.sleep(1)  # so that it is there, wherever it is by then
    process.terminate()
    assert process.wait(10) in (75, -signal.SIGTERM)
