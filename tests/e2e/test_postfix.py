"""From a real Postfix into the ledger, over LMTP and through pipe(8)."""

from __future__ import annotations

import os
import smtplib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bounceparse.ledger import Event, Ledger
from tests.e2e import postfix
from tests.e2e.postfix import Postfix, wait_for
from tests.e2e.test_lmtp import serving

pytestmark = pytest.mark.skipif(bool(postfix.MISSING), reason=postfix.MISSING)

WAYS = [("lmtp", "lmtp@example.org"), ("pipe", "bounces@example.org")]

LEDGER = "/var/lib/bounceparse/bounces.db"  # of the manual


class Mill:
    """Postfix, and the two ways from it into a ledger."""

    def __init__(self, post: Postfix, place: Path, asked: list[list[str]]) -> None:
        self.post = post
        self.place = place
        self.asked = asked  # what the pipe was told, each time

    def ledger(self, way: str) -> Ledger:
        return Ledger(str((self.post.place if way == "lmtp" else self.place) / "b.db"))

    def wait(self, way: str, address: str) -> Event:
        """Return the event about an address, when it is there."""
        found: list[Event] = []

        def look() -> bool:
            found[:] = [event for event in self.ledger(way).events() if event.address == address]
            return bool(found)

        wait_for(look, 30, lambda: self.post.log[-6_000:])
        return found[0]


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    place = tmp_path_factory.mktemp("piped")
    down = place / "down"
    asked: list[list[str]] = []

    def run(args: Sequence[str], mail: bytes) -> int:
        assert LEDGER in args
        asked.append([*args])
        args = [str(place / "b.db") if arg == LEDGER else arg for arg in args]
        if down.exists():
            args = [*args, "--spool", str(place / "no/spool")]
        command = [sys.executable, "-m", "bounceparse", *args]
        return subprocess.run(command, input=mail, timeout=60, check=False, env={**os.environ, "BOUNCEPARSE_LEDGER": ""}).returncode

    with postfix.running(run) as post, serving(post.place):
        for _, sender in WAYS:
            post.send(sender, "ann@silent.example.net")
        yield Mill(post, place, asked)


@pytest.mark.parametrize(("way", "sender"), WAYS)
def test_an_unknown_user_ends_as_a_suppression(mill: Mill, way: str, sender: str) -> None:
    mill.post.send(sender, "nobody@remote.example.net")
    event = mill.wait(way, "nobody@remote.example.net")
    assert (event.kind, event.bounce, event.reason, event.status, event.action) == ("bounce", "hard", "user_unknown", "5.1.1", "suppress"), event
    assert (event.dialect, event.message_id, event.reply_code) == ("postfix", "<nobody@remote.example.net>", "550")
    assert mill.ledger(way).check("nobody@remote.example.net") is not None


@pytest.mark.parametrize(("way", "sender"), WAYS)
def test_a_success_report_ends_as_delivered(mill: Mill, way: str, sender: str) -> None:
    mill.post.send(sender, "ann@known.example.net", "SUCCESS")
    event = mill.wait(way, "ann@known.example.net")
    assert (event.kind, event.bounce, event.said) == ("delivered", "none", "delivered")
    assert mill.ledger(way).history("ann@known.example.net").delivered is not None


def test_what_the_pipe_cannot_store_stays_with_the_mail_server(mill: Mill) -> None:
    (mill.place / "down").touch()
    mill.post.send("bounces@example.org", "bob@known.example.net")
    wait_for(lambda: "status=deferred" in mill.post.log and "dsn=4.3.0" in mill.post.log, 30, lambda: mill.post.log[-4_000:])
    assert not [event for event in mill.ledger("pipe").events() if event.address == "bob@known.example.net"]
    (mill.place / "down").unlink()
    mill.post.flush()
    assert mill.wait("pipe", "bob@known.example.net").reason == "user_unknown"


def test_the_address_is_known_and_others_are_not(mill: Mill) -> None:
    wanted = {"bounces@example.org": 250, "bounces+news-bounces-1-jo=example.com@example.org": 250, "lmtp@example.org": 250, "who@example.org": 550}
    with smtplib.SMTP("127.0.0.1", mill.post.front, local_hostname="localhost", timeout=20) as client:
        client.ehlo()
        client.mail("")
        assert {address: client.rcpt(address)[0] for address in wanted} == wanted


def test_a_return_path_of_a_list_manager_arrives_whole(mill: Mill) -> None:
    path = "bounces+news-bounces-7-nobody=remote.example.net@example.org"
    mill.post.send(path, "nobody+list@remote.example.net")
    mill.wait("pipe", "nobody+list@remote.example.net")
    assert path in [args[-1] for args in mill.asked]


@pytest.mark.parametrize("way", ["lmtp", "pipe"])
def test_a_mail_that_expired_ends_as_a_strike(mill: Mill, way: str) -> None:
    event = mill.wait(way, "ann@silent.example.net")
    assert (event.kind, event.bounce, event.fault, event.action) == ("bounce", "soft", "network", "record"), event
    assert event.strike == event.reason
    assert mill.ledger(way).check("ann@silent.example.net") is None
    assert len(mill.ledger(way).history("ann@silent.example.net").strikes) == 1
