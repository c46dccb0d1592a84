"""From a real mlmmj and back: its posts bounce, and who is suppressed leaves the list, as the manual says it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from bounceparse.ledger import Ledger
from tests.manual import recipes
from tests.pipeline.mails import bounce
from tests.waiting import free_ports, wait_for

PROGRAMS = f"{os.environ.get('PATH', '')}:/usr/sbin"
MISSING = "" if shutil.which("mlmmj-receive", path=PROGRAMS) else "needs mlmmj: apt-get install mlmmj"
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

POST = """Return-Path: <ann@example.net>
Delivered-To: news@lists.example.org
From: ann@example.net
To: news@lists.example.org
Subject: Hi

Hello.
"""


class Wire:
    """The mail server that mlmmj sends through: it notes each envelope."""

    def __init__(self) -> None:
        self.paths: dict[str, str] = {}

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.paths |= dict.fromkeys(envelope.rcpt_tos, envelope.mail_from or "")
        return "250 OK"


class News:
    """A list with four members."""

    def __init__(self, spool: Path, wire: Wire, port: int) -> None:
        self.folder = spool / "news"
        self.wire = wire
        say(["mlmmj-make-ml", "-L", "news", "-s", str(spool)], "lists.example.org\nowner@example.org\nen\n")
        for name, value in (("relayhost", "127.0.0.1"), ("smtpport", str(port))):
            (self.folder / "control" / name).write_text(f"{value}\n")
        for member in ("ann@example.net", "bob@example.com", "cy@example.com", "dee@example.com"):
            say(["mlmmj-sub", "-L", str(self.folder), "-a", member, "-f", "-q", "-s"])

    def members(self) -> list[str]:
        return sorted(say(["mlmmj-list", "-L", str(self.folder)]).split())

    def post(self) -> dict[str, str]:
        """Post a mail; return the envelope sender that each member's copy has."""
        self.wire.paths.clear()
        say(["mlmmj-receive", "-F", "-L", str(self.folder)], POST)
        wait_for(lambda: len(self.wire.paths) == len(self.members()), 20, lambda: str(self.wire.paths))
        return dict(self.wire.paths)


def say(command: list[str], given: str = "") -> str:
    """Return what one of mlmmj's programs says; it wants to be called by its full path."""
    program = shutil.which(command[0], path=PROGRAMS)
    assert program is not None
    return subprocess.run([program, *command[1:]], input=given, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture
def news(tmp_path: Path) -> Iterator[News]:
    wire = Wire()
    (port,) = free_ports(1)
    server = Controller(wire, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield News(tmp_path, wire, port)
    finally:
        server.stop()


def follow(recipe: str, place: Path, news: News) -> None:
    """Do what a recipe of the manual says, with this list, this ledger and this program in place of the usual ones."""
    program = place / "bounceparse"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bounceparse "$@"\n')
    program.chmod(0o755)
    script = recipe.replace("/var/spool/mlmmj/news", str(news.folder)).replace("/var/lib/bounceparse/bounces.db", str(place / "b.db"))
    script = script.replace("/usr/bin/mlmmj", str(Path(shutil.which("mlmmj-list", path=PROGRAMS) or "").with_name("mlmmj")))
    env = {key: value for key, value in os.environ.items() if not key.startswith("BOUNCEPARSE_")} | {"PATH": f"{place}:{PROGRAMS}"}
    done = subprocess.run(["sh", "-ec", script], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done


def pipe(mail: bytes, to: str, place: Path) -> None:
    command = [sys.executable, "-m", "bounceparse", "pipe", "--ledger", str(place / "b.db"), "--verp", "mlmmj", "--to", to]
    subprocess.run(command, input=mail, timeout=60, check=True)


def test_who_is_gone_leaves_the_list(news: News, tmp_path: Path) -> None:
    assert news.post()["bob@example.com"] == "news+bounces-1-bob=example.com@lists.example.org"
    begin, back = recipes("mlmmj")
    follow(begin, tmp_path, news)
    paths = news.post()
    assert paths["bob@example.com"] == "bounces+news-bounces-2-bob=example.com@example.org"
    for member, status, reply in (
        ("bob@example.com", "5.1.1", "550 5.1.1 User unknown"),
        ("cy@example.com", "5.7.1", "554 5.7.1 blocked using zen.spamhaus.org"),
        ("dee@example.com", "5.1.1", "550 5.1.1 User unknown"),
    ):
        pipe(bounce(member, status, reply=reply, sender=paths[member]), paths[member], tmp_path)
    events = {event.address: event for event in Ledger(str(tmp_path / "b.db")).events()}
    assert {event.list for event in events.values()} == {"news"}
    assert [events[f"{name}@example.com"].action for name in ("bob", "cy", "dee")] == ["suppress", "alert", "suppress"]
    follow(back, tmp_path, news)
    assert news.members() == ["ann@example.net", "cy@example.com"], "a blocklist is not the reader's fault"
    follow(back, tmp_path, news)
    assert news.members() == ["ann@example.net", "cy@example.com"]
