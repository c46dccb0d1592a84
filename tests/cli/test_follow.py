"""classify --follow: a log that is written to, rotated and shortened while it is read."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="logs are not renamed while they are open")

LINE = (
    "2026-03-02T09:00:00+00:00 mail postfix/smtp[812]: 4F1kYz2Qh{n}z1: to=<user{n}@example.org>, relay=mx.example.org[192.0.2.1]:25, "
    "delay=1.2, delays=0.1/0/0.9/0.2, dsn=5.1.1, status=bounced (host mx.example.org[192.0.2.1] said: 550 5.1.1 User unknown)\n"
)


class Following:
    """A running `classify --follow`, and the records that it wrote."""

    def __init__(self, path: Path) -> None:
        arguments = [sys.executable, "-m", "bounceparse", "classify", "--input", "postfix", "--follow", "-f", "jsonl", str(path)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def next(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self._lines.get(timeout=30))
        return record


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "mail.log"
    path.write_text("2026-03-02T08:59:59+00:00 mail postfix/qmgr[1]: 4F1kYz2Qh0z1: removed\n" + LINE.format(n=1))
    return path


@pytest.fixture
def following(log: Path) -> Iterator[Following]:
    running = Following(log)
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.communicate()


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_lines_are_read_as_they_come_through_rotation_and_truncation(log: Path, following: Following) -> None:
    record = following.next()
    assert (record["recipient"], record["bounce"], record["reason"]) == ("user1@example.org", "hard", "user_unknown")
    add(log, LINE.format(n=2))
    assert following.next()["recipient"] == "user2@example.org"
    half = len(LINE) // 2
    add(log, LINE.format(n=3)[:half])
    add(log, LINE.format(n=3)[half:])
    assert following.next()["recipient"] == "user3@example.org"
    log.rename(log.with_suffix(".1"))
    add(log.with_suffix(".1"), LINE.format(n=4))
    assert following.next()["recipient"] == "user4@example.org"
    log.write_text(LINE.format(n=5))
    assert following.next()["recipient"] == "user5@example.org"
    add(log, LINE.format(n=6) * 3)
    assert [following.next()["recipient"] for _ in range(3)] == ["user6@example.org"] * 3
    os.truncate(log, 0)
    threading.Event().wait(1)
    add(log, LINE.format(n=7))
    assert following.next()["recipient"] == "user7@example.org"
    following.process.send_signal(signal.SIGINT)
    assert following.process.wait(30) == 130


def test_there_has_to_be_a_file(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "bounceparse", "classify", "--input", "exim", "--follow"]
    missing = subprocess.run([*arguments, str(tmp_path / "none.log")], capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stdout) == (66, "") and "none.log" in missing.stderr
    piped = subprocess.run([*arguments, "-"], capture_output=True, text=True, check=False, input="")
    assert piped.returncode == 2 and "name of a file" in piped.stderr
