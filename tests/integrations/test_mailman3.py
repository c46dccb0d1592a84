"""The runner inside a real Mailman core: its own `runner` program, with the class from mailman.cfg, on bounces that lie in its queue."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mailman", reason="Mailman's core is not installed here: pip install mailman")

CONFIG = """\
[mailman]
site_owner: postmaster@example.com
layout: here
[paths.here]
var_dir: {place}/var
[mta]
incoming: mailman.mta.null.NullMTA
verp_delivery_interval: 1
verp_probes: yes
[runner.bounces]
class: {runner}
sleep_time: 1s
"""
OURS = "bounceparse.integrations.mailman3.BounceRunner"
MAILMANS = "mailman.runners.bounce.BounceRunner"

DSN = """\
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
To: {to}
Subject: {subject}
Date: Mon, 02 Mar 2026 09:00:00 +0000
Message-ID: <{name}@mx.example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain

This is the mail system at host mx.example.net.

--=_b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {final}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {diagnostic}

--=_b
Content-Type: text/rfc822-headers

From: news-bounces@example.com
To: news@example.com
Subject: March

--=_b--
"""
ABSENT = """\
From: Bob <bob@example.org>
To: news-bounces+bob=example.org@example.com
Subject: Out of office: March
Date: Mon, 02 Mar 2026 09:00:00 +0000
Message-ID: <absent@example.org>
Auto-Submitted: auto-replied

I am on holiday until Monday.
"""
ORDINARY = """\
From: Somebody <somebody@example.net>
To: news-bounces@example.com
Subject: a question
Date: Mon, 02 Mar 2026 09:00:00 +0000
Message-ID: <question@example.net>

When is the next meeting?
"""


def dsn(name: str, to: str, final: str, status: str, diagnostic: str, action: str = "failed") -> str:
    subject = "Undelivered Mail Returned to Sender" if action == "failed" else "Delayed Mail (still being retried)"
    return DSN.format(name=name, to=to, final=final, status=status, diagnostic=diagnostic, action=action, subject=subject)


def verp(name: str) -> str:
    return f"news-bounces+{name}=example.org@example.com"


PLAIN = "news-bounces@example.com"
MAILS = {
    "01-unknown": dsn("m1", verp("ann"), "forwarded@example.net", "5.1.1", "550 5.1.1 <forwarded@example.net>: User unknown"),
    "02-dmarc": dsn("m2", verp("bob"), "bob@example.org", "5.7.26", "550 5.7.26 Unauthenticated email is not accepted due to DMARC policy"),
    "03-spam": dsn("m3", PLAIN, "bob@example.org", "5.7.1", "550 5.7.1 Message rejected as spam"),
    "04-delay": dsn("m4", verp("bob"), "bob@example.org", "4.4.1", "connect to mx.example.org: Connection timed out", "delayed"),
    "05-absent": ABSENT,
    "06-question": ORDINARY,
    "07-full": dsn("m7", PLAIN, "cat@example.org", "5.2.2", "552 5.2.2 <cat@example.org>: Mailbox full"),
    "08-stranger": dsn("m8", PLAIN, "nobody@example.net", "5.1.1", "550 5.1.1 User unknown"),
}


class Core:
    """A Mailman core in a folder of its own."""

    def __init__(self, place: Path, runner: str) -> None:
        self.place = place
        self.config = place / "mailman.cfg"
        self.config.write_text(CONFIG.format(place=place, runner=runner))
        assert len(self.do("setup")) == 5

    def do(self, *what: str) -> Any:
        script = Path(__file__).with_name("mailman_core.py")
        done = subprocess.run([sys.executable, str(script), str(self.config), *what], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def run(self, mails: dict[str, str]) -> Any:
        """Put mails into the queue, let the runner work once, and return what it came to."""
        folder = self.place / "mails"
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.eml"):
            old.unlink()
        for name, text in mails.items():
            (folder / f"{name}.eml").write_text(text)
        assert self.do("inject", str(folder)) == len(mails)
        runner = Path(sys.executable).with_name("runner")
        working = subprocess.Popen([str(runner), "-C", str(self.config), "-r", "bounces"], stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while any((self.place / "var" / "queue" / "bounces").iterdir()) and time.monotonic() < end and working.poll() is None:
            time.sleep(0.1)
        time.sleep(1.5)  # scores are counted after the queue was emptied
        working.send_signal(signal.SIGTERM)
        said = working.communicate(timeout=30)[1]
        assert working.returncode in (0, signal.SIGTERM), said
        return self.do("state")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Core:
    return Core(tmp_path_factory.mktemp("mailman"), OURS)


def test_only_what_is_the_members_fault_counts(core: Core) -> None:
    state = core.run(MAILS)
    counted = sorted(email for email, context, _ in state["events"] if context == "normal")
    assert counted == ["ann@example.org", "cat@example.org", "nobody@example.net"], "VERP before the report, and no one for spam, DMARC or a delay"
    assert state["scores"] == {"ann@example.org": 1, "cat@example.org": 1}
    assert state["sent"] == ["Uncaught bounce notification"], "the question alone is forwarded"
    assert state["left"] == 0
    log = (core.place / "var" / "logs" / "bounce.log").read_text()
    assert "Not counted (auth_failure, fault sender)" in log and "Not counted (auto_reply)" in log


def test_a_probe_counts_when_it_bounces_and_is_not_used_up_by_an_absence_note(core: Core) -> None:
    to = f"news-bounces+{core.do('probe', 'dan@example.org')}@example.com"
    absent = ABSENT.replace("news-bounces+bob=example.org@example.com", to)
    core.do("state")
    state = core.run({"1": absent, "2": dsn("p", to, "dan@example.org", "4.4.1", "x", "delayed")})
    assert [event for event in state["events"] if event[0] == "dan@example.org"] == []
    state = core.run({"3": dsn("p", to, "someone@example.net", "5.1.1", "550 5.1.1 User unknown")})
    assert [event[:2] for event in state["events"] if event[0] == "dan@example.org"] == [["dan@example.org", "probe"]]


def test_mailmans_own_runner_counts_what_is_not_the_members_fault(tmp_path: Path) -> None:
    """What the runner is for, measured: the same mails through Mailman's own class."""
    state = Core(tmp_path, MAILMANS).run(MAILS)
    assert state["scores"] == {"ann@example.org": 1, "bob@example.org": 1, "cat@example.org": 1}, "bob for DMARC and spam"
