"""A Postfix of our own: private configuration, queue and ports on loopback, no service of the system touched. Needs root, as its master does."""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.manual import recipes
from tests.waiting import free_ports, wait_for

MISSING = (
    "needs root, to run a Postfix of its own"
    if not hasattr(os, "geteuid") or os.geteuid()
    else ""
    if shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    else "needs Postfix: apt-get install postfix"
)

MAIN = """
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
maillog_file = {place}/maillog
maillog_file_prefixes = {place}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.org
mydestination = example.org
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_reject_unlisted_recipient = no
smtpd_relay_restrictions = permit_mynetworks, reject
disable_dns_lookups = yes
smtp_host_lookup = native
virtual_mailbox_domains = known.example.net
virtual_mailbox_base = {place}/mail
virtual_mailbox_maps = inline:{{ann@known.example.net=ann}}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
maximal_queue_lifetime = 12s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{front} inet n - n - - smtpd
  -o smtpd_reject_unlisted_recipient=yes
127.0.0.1:{strict} inet n - n - - smtpd
  -o smtpd_recipient_restrictions=check_recipient_access,texthash:{place}/etc/access,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

PROGRAM = "/usr/local/bin/bounceparse"
RELAY = r"""
use IO::Socket::UNIX;
my $far = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => "%s/relay.sock") or exit 75;
local $/;
print $far join("\0", @ARGV), "\n", <STDIN>;
$far->flush; shutdown($far, 1);
my $code = <$far>;
exit(length $code ? $code : 75);
"""

# Mail servers do not run programs as root, and the Python of the tests may be root's alone: what they run hands all it was given to this side.
Run = Callable[[Sequence[str], bytes], int]


class Postfix:
    """A running Postfix as the manual sets it up; `bounces@example.org` goes to the pipe, `lmtp@example.org` to LMTP.

    What comes to `port` is relayed; what comes to `front` is for recipients that are known.
    """

    def __init__(self, place: Path, port: int, front: int) -> None:
        self.place = place
        self.port = port
        self.front = front

    def send(self, sender: str, recipient: str, notify: str = "") -> None:
        """Send a mail through it."""
        message = f"From: {sender}\r\nTo: {recipient}\r\nSubject: News\r\nMessage-ID: <{recipient}>\r\n\r\nHello.\r\n"
        with smtplib.SMTP("127.0.0.1", self.port, local_hostname="localhost", timeout=20) as client:
            client.sendmail(sender, [recipient], message, rcpt_options=[f"NOTIFY={notify}"] if notify else [])

    @property
    def log(self) -> str:
        return (self.place / "maillog").read_text("utf-8", "replace") if (self.place / "maillog").exists() else ""

    def flush(self) -> None:
        """Try again what was deferred."""
        subprocess.run(["postqueue", "-c", str(self.place / "etc"), "-f"], env=PATH, capture_output=True, timeout=20, check=False)


PATH = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}


@contextmanager
def running(run: Run) -> Iterator[Postfix]:
    """Run Postfix until the end of the block; `run` does what pipe(8) is asked for, and returns an exit code."""
    place = Path(tempfile.mkdtemp(prefix="bp-", dir="/tmp"))
    place.chmod(0o755)
    process: subprocess.Popen[bytes] | None = None
    try:
        for name in ("etc", "queue", "data", "mail"):
            (place / name).mkdir(0o755)
        shutil.chown(place / "data", "postfix")
        owner = (place / "data").stat().st_uid
        shutil.chown(place / "mail", "nobody")
        there = (place / "mail").stat()
        port, front, strict, nobody = free_ports(4)
        daemons = subprocess.run(["postconf", "-d", "-h", "daemon_directory"], env=PATH, capture_output=True, text=True, check=True).stdout.strip()
        facts = {"place": place, "daemons": daemons, "port": port, "front": front, "strict": strict, "uid": there.st_uid, "gid": owner}
        service = manual("Postfix: /etc/postfix/master.cf", {"user=bounceparse": "user=nobody", PROGRAM: f"/usr/bin/perl {place}/relay"})
        settings = manual("/etc/postfix/main.cf", {"hash:/etc/postfix/transport": f"texthash:{place}/etc/transport"})
        (place / "etc/main.cf").write_text(MAIN.format(**facts) + settings)
        (place / "etc/master.cf").write_text(MASTER.format(**facts).lstrip() + service)
        (place / "etc/transport").write_text(
            f"remote.example.net smtp:[127.0.0.1]:{strict}\n"
            f"silent.example.net smtp:[127.0.0.1]:{nobody}\n"
            + manual("/etc/postfix/transport", {})
            + manual("Postfix: /etc/postfix/transport", {"bounces@": "lmtp@", "/run/bounceparse/lmtp.sock": f"{place}/lmtp.sock"})
        )
        (place / "etc/access").write_text("nobody@remote.example.net 550 5.1.1 User unknown\nnobody+list@remote.example.net 550 5.1.1 User unknown\n")
        quiet = subprocess.DEVNULL
        with relaying(place, run):
            process = subprocess.Popen(["postfix", "-c", str(place / "etc"), "start-fg"], env=PATH, stdin=quiet, stdout=quiet, stderr=quiet)
            found = Postfix(place, port, front)
            wait_for(lambda: _answers(port), 20, lambda: found.log)
            yield found
    finally:
        if process is not None:
            subprocess.run(["postfix", "-c", str(place / "etc"), "stop"], env=PATH, capture_output=True, timeout=30, check=False)
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
        shutil.rmtree(place, ignore_errors=True)


def manual(title: str, changes: dict[str, str]) -> str:
    """Return what the manual wants to be in a file, with each of some texts, which have to be there, changed."""
    (text,) = recipes(title)
    for theirs, ours in changes.items():
        assert theirs in text, text
        text = text.replace(theirs, ours)
    return text.rstrip("\n") + "\n"


@contextmanager
def relaying(place: Path, run: Run) -> Iterator[None]:
    """Let `perl place/relay ARGUMENT…`, whoever calls it, do what `run` does."""
    (place / "relay").write_text(RELAY % place)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{place}/relay.sock")
        (place / "relay.sock").chmod(0o666)
        listener.listen()
        threading.Thread(target=_relay, args=(listener, run), daemon=True).start()
        yield


def _relay(listener: socket.socket, run: Run) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        with near, near.makefile("rwb") as stream:
            args = stream.readline().rstrip(b"\n").decode().split("\0")
            stream.write(str(run(args, stream.read())).encode())


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as near:
            return near.recv(3) == b"220"
    except OSError:
        return False
