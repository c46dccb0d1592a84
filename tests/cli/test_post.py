"""post, as a command."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bounceparse.ledger import Ledger
from tests.integrations.test_post import UNKNOWN, Receiver, record
from tests.waiting import wait_for

COMMAND = [sys.executable, "-m", "bounceparse", "post"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    with Ledger(str(tmp_path / "bounces.db")) as ledger:
        record(ledger, UNKNOWN)
    (tmp_path / "auth").write_text("listmonk:password\n")
    return tmp_path


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], cwd=place, capture_output=True, text=True, check=False, timeout=60)


def test_it_tells_once_and_says_what_it_did(place: Path) -> None:
    receiver = Receiver()
    arguments = (receiver.url, "--ledger", "bounces.db", "--as", "listmonk", "--auth-file", "auth")
    first, second = run(place, *arguments), run(place, *arguments)
    receiver.server.shutdown()
    assert (first.returncode, first.stderr, second.stderr) == (0, "1 told\n", "0 told\n")
    assert receiver.bodies()[0]["type"] == "hard"
    assert len(list(place.glob("bounces.db.listmonk-*.json"))) == 1


def test_each_receiver_is_told_everything(place: Path) -> None:
    receivers = [Receiver(), Receiver()]
    said = [run(place, receiver.url, "--ledger", "bounces.db").stderr for receiver in (*receivers, *receivers)]
    for receiver in receivers:
        receiver.server.shutdown()
    assert said == ["1 told\n", "1 told\n", "0 told\n", "0 told\n"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_it_follows_until_it_is_told_to_stop(place: Path) -> None:
    receiver = Receiver()
    process = subprocess.Popen([*COMMAND, receiver.url, "--ledger", "bounces.db", "--follow"], cwd=place, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: receiver.got)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=30)[1]
    receiver.server.shutdown()
    assert (process.returncode, said, len(receiver.got)) == (0, "", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["https://example.com/"], 2, "no ledger"),
        (["ftp://example.com/", "--ledger", "bounces.db"], 78, "no address to post to"),
        (["https://example.com/", "--ledger", "bounces.db", "--auth-file", "none"], 66, "no such file"),
        (["https://example.com/", "--ledger", "postgresql://user:secret@127.0.0.1/none"], 2, "--state"),
    ],
)
def test_what_is_set_wrong_is_told(place: Path, arguments: list[str], code: int, what: str) -> None:
    done = run(place, *arguments)
    assert done.returncode == code and what in done.stderr and "secret" not in done.stderr
