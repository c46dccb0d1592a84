"""From a real Exim into the ledger, through a pipe and over LMTP, with the router and the transports of the manual.

No daemon is needed: Exim is given a mail and delivers it. Debian installs it or Postfix, so $BOUNCEPARSE_EXIM may say where it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bounceparse.ledger import Event, Ledger
from tests.e2e.postfix import PATH, PROGRAM, manual, relaying
from tests.e2e.test_lmtp import serving
from tests.waiting import wait_for

LEDGER = "/var/lib/bounceparse/bounces.db"  # of the manual
EXIM = os.environ.get("BOUNCEPARSE_EXIM") or shutil.which("exim4", path=PATH["PATH"]) or ""
ROOT = hasattr(os, "geteuid") and not os.geteuid()
MISSING = (
    "" if EXIM and ROOT else "needs Exim: apt-get install exim4-daemon-light, or its path in BOUNCEPARSE_EXIM" if ROOT else "needs root, to run Exim"
)
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

CONF = """
exim_path = {exim}
keep_environment =
queue_only
primary_hostname = mx.example.org
spool_directory = {place}/spool
log_file_path = {place}/log-%s
never_users =
retry_interval_max = 1s

begin routers
{router}
gone:
  driver = redirect
  domains = remote.example.net
  data = :fail: no such user here
  allow_fail

begin transports
{transport}

begin retry
* * F,1d,1s
"""


class Exim:
    """Exim with a configuration of our own, and the ledger that its pipe or its socket leads to."""

    def __init__(self, place: Path, transport: str) -> None:
        self.place = place
        router, _, pipe = manual("Exim: a router", {"user = bounceparse": "user = nobody", PROGRAM: f"/usr/bin/perl {place}/relay"}).partition(
            "bounceparse:"
        )
        text = CONF.format(exim=EXIM, place=place, router=router, transport=transport or f"bounceparse:{pipe}")
        (place / "conf").write_text(text)
        self.given: list[bytes] = []
        self.down = False

    def __call__(self, *args: str, mail: str = "") -> str:
        done = subprocess.run([EXIM, "-C", str(self.place / "conf"), *args], input=mail, capture_output=True, text=True, timeout=60, check=False)
        assert not done.returncode, done
        return done.stdout

    def send(self, sender: str, recipient: str) -> None:
        """Send a mail, which bounces; with a configuration of our own only root may deliver, so the queue waits for it: the mail, then the bounce."""
        self("-oee", "-f", sender, recipient, mail=f"From: {sender}\nTo: {recipient}\nSubject: News\n\nHello.\n")
        for _ in range(2):
            self("-qff")

    def run(self, args: Sequence[str], mail: bytes) -> int:
        """Do what the pipe is asked for."""
        self.given.append(mail)
        command = [sys.executable, "-m", "bounceparse", *(str(self.place / "b.db") if arg == LEDGER else arg for arg in args)]
        if self.down:
            command += ["--policy", "none"]
        return subprocess.run(command, input=mail, timeout=60, check=False, env={**os.environ, "BOUNCEPARSE_LEDGER": ""}).returncode

    def events(self) -> list[Event]:
        return [*Ledger(str(self.place / "b.db")).events()]

    def log(self) -> str:
        return "".join(path.read_text() for path in self.place.glob("log-*"))


@pytest.fixture
def place() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="bp-", dir="/tmp"))
    place.chmod(0o777)
    (place / "spool").mkdir()
    (place / "spool").chmod(0o777)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def test_through_the_pipe(place: Path) -> None:
    exim = Exim(place, "")
    with relaying(place, exim.run):
        exim.send("bounces+jo=1@example.org", "jo@remote.example.net")
        wait_for(exim.events, 30, exim.log)
        (event,) = exim.events()
        assert (event.dialect, event.address, event.reason, event.action) == ("exim", "jo@remote.example.net", "user_unknown", "suppress"), event
        assert exim.given[0].startswith(b"Envelope-to: bounces+jo=1@example.org\n"), "no From_ line, and whom it was sent to"
        exim.down = True
        exim.send("bounces@example.org", "cy@remote.example.net")
        waiting = exim("-bp")
        assert len(exim.given) >= 2 and "bounces@example.org" in waiting and "frozen" not in waiting, waiting
        exim.down = False
        exim("-qff")
        wait_for(lambda: len(exim.events()) == 2, 30, exim.log)
        assert not exim("-bp")


def test_over_lmtp(place: Path) -> None:
    exim = Exim(place, manual("Exim: the router", {"/run/bounceparse/lmtp.sock": f"{place}/lmtp.sock"}))
    with serving(place):
        exim.send("bounces+jo=1@example.org", "jo@remote.example.net")
        wait_for(exim.events, 30, exim.log)
        (event,) = exim.events()
        assert (event.address, event.action) == ("jo@remote.example.net", "suppress"), event
