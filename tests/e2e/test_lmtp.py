"""`bounceparse serve --lmtp` as a mail server uses it: everything that was acknowledged is in the ledger, once, whatever happens to the program."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bounceparse.ledger import Ledger
from tests.pipeline.mails import bounce
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")

CONNECTIONS = 20
MESSAGES = int(os.environ.get("BOUNCEPARSE_LMTP_MESSAGES", "400"))


@contextmanager
def serving(place: Path, *extra: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program in a folder until the end of the block; it has to end well when it is asked to."""
    command = [sys.executable, "-m", "bounceparse", "serve", "--lmtp", "unix:lmtp.sock", "--ledger", "b.db", "--socket-mode", "666", *extra]
    with (place / "log").open("ab") as log:
        before = (place / "log").stat().st_size
        process = subprocess.Popen(command, cwd=place, stderr=log)
        try:
            log = (place / "log").read_text
            wait_for(lambda: process.poll() is not None or " listening " in log()[before:], 30, log)
            assert process.poll() is None, log()
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(40) == 0
        finally:
            process.kill()
            process.wait()


async def deliver(path: Path, numbers: list[int], safe: dict[int, float]) -> None:
    """Bring messages over one connection; note how long each took that was acknowledged. Ends quietly when the program does."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"LHLO me\r\n")
        while not (await reader.readline()).startswith(b"250 "):
            continue
        while numbers:
            number = numbers.pop()
            message = bounce(f"u{number}@d{number % 97}.example.com").replace(b"\n", b"\r\n")
            began = time.perf_counter()
            writer.write(b"MAIL FROM:<>\r\nRCPT TO:<news@example.org>\r\nDATA\r\n" + message + b".\r\n")
            heard = [await reader.readline() for _ in range(4)]
            if not heard[-1]:
                return
            assert heard[-1].startswith(b"250 2.0.0 recorded"), heard
            safe[number] = time.perf_counter() - began
        writer.close()
    except OSError:
        return


async def deliver_all(path: Path, numbers: list[int]) -> dict[int, float]:
    safe: dict[int, float] = {}
    await asyncio.gather(*(deliver(path, numbers, safe) for _ in range(CONNECTIONS)))
    return safe


async def deliver_until(path: Path, numbers: list[int], victim: subprocess.Popen[bytes] | None) -> dict[int, float]:
    """Bring messages until they are all there, or until the program is killed."""
    task = asyncio.create_task(deliver_all(path, numbers))
    if victim is not None:
        await asyncio.sleep(0.4)
        victim.kill()
        await asyncio.to_thread(victim.wait)
    return await task


def recorded(place: Path) -> list[int]:
    return sorted(int(event.address.partition("@")[0][1:]) for event in Ledger(str(place / "b.db")).events())


def test_all_are_recorded_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path):
        began = time.perf_counter()
        safe = asyncio.run(deliver_all(tmp_path / "lmtp.sock", [*range(MESSAGES)]))
        took = time.perf_counter() - began
    assert recorded(tmp_path) == [*range(MESSAGES)] == sorted(safe)
    assert not [path for path in (tmp_path / "b.db.spool").iterdir() if path.is_file()]
    assert not (tmp_path / "lmtp.sock").exists()
    times = sorted(safe.values())
    with capsys.disabled():
        if "BOUNCEPARSE_LMTP_MESSAGES" in os.environ:
            p50, p99 = (times[int(len(times) * share)] * 1_000 for share in (0.5, 0.99))
            print(f"\n{MESSAGES} messages over {CONNECTIONS} connections: {MESSAGES / took:.0f} a second, p50 {p50:.0f} ms, p99 {p99:.0f} ms")


def test_killed_in_the_middle_nothing_that_was_acknowledged_is_missing(tmp_path: Path) -> None:
    left = [*range(300)]
    safe: set[int] = set()
    for round_ in range(3):
        with serving(tmp_path) as process:
            safe |= set(asyncio.run(deliver_until(tmp_path / "lmtp.sock", left, process if round_ < 2 else None)))
        left = [number for number in range(300) if number not in safe]
    assert recorded(tmp_path) == [*range(300)] == sorted(safe)


def test_a_second_one_does_not_take_the_socket(tmp_path: Path) -> None:
    with serving(tmp_path):
        command = [sys.executable, "-m", "bounceparse", "serve", "--lmtp", "unix:lmtp.sock", "--ledger", "b.db"]
        second = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=30, check=False)
        assert (second.returncode, second.stderr) == (2, b"bounceparse: somebody listens on lmtp.sock already\n")
