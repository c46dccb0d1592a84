"""serve --http as a process: tokens from a file, both listeners at once, and a stop that finishes what was begun."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bounceparse.ledger import Ledger
from tests.integrations.test_post import Receiver
from tests.waiting import free_ports, wait_for
from tests.webhooks.signing import mailgun
from tests.webhooks.test_services import mailgun_event

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

TOKEN = "a-token-for-the-newsletter"
KEY = "a-signing-key-of-mailgun"
ACCESS = f"""
[[token]]
name = "newsletter"
secret = "{TOKEN}"
scopes = ["parse", "read", "write", "metrics"]

[webhook.mailgun]
secret_file = "mailgun.key"
"""


class Program:
    """A running `bounceparse serve`."""

    def __init__(self, place: Path, *arguments: str) -> None:
        (self.port,) = free_ports(1)
        where = ["--http", f"127.0.0.1:{self.port}", "--ledger", str(place / "bounces.db")]
        command = [sys.executable, "-m", "bounceparse", "serve", *where, *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: self._answers() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.communicate()[1]

    def _answers(self) -> bool:
        try:
            return self("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=30)[1]
        return self.process.returncode, said


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "access.toml").write_text(ACCESS)
    (tmp_path / "mailgun.key").write_text(KEY)
    (tmp_path / "mailgun.key").chmod(0o600)
    return tmp_path


@pytest.fixture
def program(place: Path) -> Iterator[Program]:
    running = Program(place, "--access", str(place / "access.toml"), "--lmtp", str(place / "lmtp.sock"), "--log", "json")
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.communicate()


def test_a_webhook_ends_as_a_suppression_that_a_program_asks_for(place: Path, program: Program) -> None:
    now = datetime.now(UTC)
    request = mailgun(mailgun_event(timestamp=now.timestamp()), at=now, secret=KEY)
    assert program("POST", "/v1/webhooks/mailgun", request.body) == (200, {"recorded": 1, "replayed": 0, "ignored": 0})
    assert program("GET", "/v1/suppressions/nobody@example.org")[0] == 401
    status, found = program("GET", "/v1/suppressions/nobody@example.org", Authorization=f"Bearer {TOKEN}")
    assert (status, found["reason"]) == (200, "user_unknown")
    with socket.socket(socket.AF_UNIX) as lmtp:
        lmtp.connect(str(place / "lmtp.sock"))
        assert lmtp.recv(1000).startswith(b"220 ")
    code, said = program.stop()
    assert code == 0
    events = [json.loads(line) for line in said.splitlines()]
    assert events[0]["event"] == "listening" and {"http", "lmtp"} <= events[0].keys() and events[-1]["event"] == "stopped"
    assert "nobody@example.org" not in said and TOKEN not in said
    assert not (place / "lmtp.sock").exists()
    with Ledger(str(place / "bounces.db")) as ledger:
        assert ledger.check("nobody@example.org") is not None


def test_what_a_webhook_brings_is_posted_on(place: Path) -> None:
    receiver = Receiver()
    running = Program(place, "--access", str(place / "access.toml"), "--post", receiver.url, "--post-as", "listmonk")
    now = datetime.now(UTC)
    request = mailgun(mailgun_event(timestamp=now.timestamp()), at=now, secret=KEY)
    assert running("POST", "/v1/webhooks/mailgun", request.body)[0] == 200
    wait_for(lambda: receiver.got)
    code, said = running.stop()
    receiver.server.shutdown()
    assert code == 0 and "stopped" in said
    assert [(body["email"], body["type"]) for body in receiver.bodies()] == [("nobody@example.org", "hard")]


def test_settings_come_from_the_configuration_file(place: Path) -> None:
    (port,) = free_ports(1)
    config = place / "config.toml"
    config.write_text(f'http = "127.0.0.1:{port}"\naccess = "access.toml"\nledger = "bounces.db"\n')
    command = [sys.executable, "-m", "bounceparse", "-c", str(config), "serve"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd="/", env={**os.environ, "NO_COLOR": "1"})
    try:
        assert process.stderr is not None
        assert f"http=127.0.0.1:{port}" in process.stderr.readline()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert (process.returncode == 0 and (place / "bounces.db").exists() is False) or process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        ([], 2, "nothing to listen for"),
        (["--http", "0.0.0.0:8025"], 2, "can be reached by other machines"),
        (["--http", "[::]:8025"], 2, "can be reached by other machines"),
        (["--http", "nonsense"], 2, "has no port"),
        (["--http", "127.0.0.1:0", "--access", "missing.toml"], 66, "missing.toml"),
        (["--http", "127.0.0.1:0", "--access", "wrong.toml"], 78, "wrong.toml:2"),
        (["--http", "127.0.0.1:0", "--access", "hooks.toml"], 2, "need a ledger"),
    ],
)
def test_what_is_set_wrong_is_told_in_one_line(tmp_path: Path, arguments: list[str], code: int, what: str) -> None:
    (tmp_path / "wrong.toml").write_text('[[token]]\nname = 7\nsecret = "x"\n')
    (tmp_path / "hooks.toml").write_text(f'[webhook.mailgun]\nsecret = "{KEY}"\n')
    command = [sys.executable, "-m", "bounceparse", "serve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert what in done.stderr and done.stderr.count("\n") == 1


def test_config_check_reads_the_access_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('access = "access.toml"\n')
    (tmp_path / "access.toml").write_text('[[token]]\nname = "a"\nsecret = "x"\nscopes = ["read"]\n')
    command = [sys.executable, "-m", "bounceparse", "config", "check", str(tmp_path / "config.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 78 and "access.toml:1: " in done.stderr
