"""A Dovecot of our own: private configuration, mail and ports on loopback, no service of the system touched. Needs root, as its master does."""

from __future__ import annotations

import imaplib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import free_ports, wait_for

PATH = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}
_PROGRAM = shutil.which("dovecot", path=PATH["PATH"])
MISSING = (
    "needs root, to run a Dovecot of its own"
    if not hasattr(os, "geteuid") or os.geteuid()
    else "needs Dovecot: apt-get install dovecot-imapd dovecot-pop3d"
    if _PROGRAM is None
    else "needs openssl"
    if shutil.which("openssl") is None
    else ""
)

CONFIGURATION = """
base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{place}/cert.pem
ssl_key = <{place}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = maildir:{place}/home/%u
mail_max_userip_connections = 50
pop3_uidl_format = %08Xu%08Xv
pop3_no_flag_updates = yes
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={place}/home/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"""


class Dovecot:
    """A running Dovecot, in which every user has the password `secret`."""

    def __init__(self, place: Path, ports: list[int]) -> None:
        self.place = place
        self.imap, self.imaps, self.pop3, self.pop3s = ports
        self._process: subprocess.Popen[bytes] | None = None
        self._number = 0

    def start(self) -> None:
        """Start, and return when it answers."""
        assert _PROGRAM is not None
        self._process = subprocess.Popen([_PROGRAM, "-F", "-c", str(self.place / "conf")], env=PATH, stdin=subprocess.DEVNULL)
        wait_for(self._answers, 20, lambda: (self.place / "log").read_text() if (self.place / "log").exists() else "no log")

    def stop(self) -> None:
        """Stop at once, with all connections."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def put(self, user: str, mails: list[bytes], flags: str | None = None) -> None:
        """Put mail into the INBOX of a user, new or with flags of Maildir ("S": seen)."""
        box = self.place / "home" / user
        for folder in (box, box / "new", box / "cur", box / "tmp"):
            if not folder.exists():
                folder.mkdir()
                shutil.chown(folder, "nobody", "nogroup")
        for mail in mails:
            self._number += 1
            name = f"{1_800_000_000 + self._number}.M{self._number}P1.test"
            path = box / ("new" if flags is None else "cur") / (name if flags is None else f"{name}:2,{flags}")
            (box / "tmp" / name).write_bytes(mail)
            shutil.chown(box / "tmp" / name, "nobody", "nogroup")
            (box / "tmp" / name).rename(path)  # from here on it is the server's, which may move it at any time

    def mails(self, user: str, folder: str = "INBOX") -> list[tuple[str, bytes]]:
        """Return the flags and bytes of all mails, in their order, as another program sees them."""
        client = imaplib.IMAP4("127.0.0.1", self.imap)
        try:
            client.login(user, "secret")
            if client.select(f'"{folder}"', readonly=True)[0] != "OK":
                return []
            found: list[tuple[str, bytes]] = []
            for item in client.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]:
                if isinstance(item, tuple):
                    said = re.search(rb"FLAGS \(([^)]*)\)", item[0])
                    flags = sorted(flag for flag in (said[1].decode().split() if said else []) if flag != "\\Recent")
                    found.append((" ".join(flags), item[1]))
            return found
        finally:
            client.logout()

    def serves(self, user: str) -> bool:
        """Whether somebody is logged in as a user, as far as the server knows: it does to its end what a client asked for that is dead."""
        who = subprocess.run(["doveadm", "-c", str(self.place / "conf"), "who", user], env=PATH, capture_output=True, text=True, check=True)
        return user in who.stdout

    def _answers(self) -> bool:
        try:
            client = imaplib.IMAP4("127.0.0.1", self.imap, 2)
        except (OSError, imaplib.IMAP4.error):
            return False
        client.shutdown()
        return True


@contextmanager
def running() -> Iterator[Dovecot]:
    """Run Dovecot until the end of the block."""
    place = Path(tempfile.mkdtemp(prefix="bp-", dir="/tmp"))
    place.chmod(0o755)
    ports = free_ports(4)
    server = Dovecot(place, ports)
    try:
        for name in ("home", "run", "state"):
            (place / name).mkdir(0o755)
        shutil.chown(place / "home", "nobody")
        facts = dict(zip(("imap", "imaps", "pop3", "pop3s"), ports, strict=True))
        (place / "conf").write_text(CONFIGURATION.format(place=place, **facts))
        made = "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
        subprocess.run(f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 {made}".split(), cwd=place, check=True, capture_output=True)
        server.start()
        yield server
    finally:
        server.stop()
        for _ in range(5):
            shutil.rmtree(place, ignore_errors=True)
            if not place.exists():
                break
            time.sleep(0.2)
