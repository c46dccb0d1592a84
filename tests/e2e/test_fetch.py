"""`bounceparse fetch` and a real Dovecot: each bounce once, ordinary mail as it was, whoever dies meanwhile."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bounceparse.ledger import Ledger
from tests.e2e import dovecot
from tests.e2e.dovecot import Dovecot
from tests.pipeline.mails import ORDINARY, bounce
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(dovecot.MISSING), reason=dovecot.MISSING)

MAILS = int(os.environ.get("BOUNCEPARSE_FETCH_MAILS", "60"))


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot.running() as server:
        yield server


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "bounceparse", "fetch", "--ledger", "b.db", *args]


ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BOUNCEPARSE_")} | {"BOUNCEPARSE_PASSWORD": "secret"}


def fetch(place: Path, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*args), cwd=place, env=ENVIRONMENT | more, capture_output=True, text=True, timeout=120, check=False)


def start(place: Path, *args: str) -> subprocess.Popen[bytes]:
    with (place / "log").open("ab") as log:
        return subprocess.Popen(command(*args), cwd=place, env=ENVIRONMENT, stderr=log)


def ordinary(number: int) -> bytes:
    return ORDINARY + f"Number {number}.\n".encode()


def crlf(mails: list[bytes]) -> list[bytes]:
    return [mail.replace(b"\n", b"\r\n") for mail in mails]


def addresses(place: Path) -> list[str]:
    return [event.address for event in Ledger(str(place / "b.db")).events()]


def test_bounces_move_and_ordinary_mail_stays(server: Dovecot, tmp_path: Path) -> None:
    server.put("one", [ordinary(1)], flags="RS")
    server.put("one", [bounce("a@example.com"), ordinary(2), bounce("b@example.com")])
    before = [mail for mail in server.mails("one") if b"Lunch" in mail[1]]
    url = f"imap://one@127.0.0.1:{server.imap}/INBOX"
    done = fetch(tmp_path, url, "--move-to", "Bounces/Größe & Co")
    assert (done.returncode, done.stderr) == (0, f"{url}: 2 other, 2 recorded, 2 moved to Bounces/Größe & Co\n"), done.stderr
    assert sorted(addresses(tmp_path)) == ["a@example.com", "b@example.com"]
    assert server.mails("one") == before
    assert [mail for _, mail in server.mails("one", "Bounces/Gr&APYA3w-e &- Co")] == crlf([bounce("a@example.com"), bounce("b@example.com")])
    again = fetch(tmp_path, url, "--move-to", "Bounces")
    assert (again.returncode, again.stderr) == (0, f"{url}: nothing new\n")


def test_a_dry_run_changes_nothing(server: Dovecot, tmp_path: Path) -> None:
    server.put("dry", [bounce("a@example.com"), ordinary(1)])
    before = server.mails("dry")
    url = f"imap://dry@127.0.0.1:{server.imap}"
    done = fetch(tmp_path, url, "--delete", "--dry-run")
    assert not [*tmp_path.iterdir()], "no ledger, no spool, no notes"
    assert done.stdout.splitlines() == [
        f"{url}/INBOX;uid=1: bounce: a@example.com user_unknown: deleted",
        f"{url}/INBOX;uid=2: not_bounce: nobody: left where it is",
    ]
    assert server.mails("dry") == before
    assert addresses(tmp_path) == []
    assert fetch(tmp_path, url).returncode == 0
    again = fetch(tmp_path, url, "--dry-run")
    assert (again.stdout, again.stderr) == ("", f"{url}/INBOX: nothing new\n"), "what was read before is known"


def test_flags_and_deletion(server: Dovecot, tmp_path: Path) -> None:
    server.put("flag", [bounce("a@example.com"), ordinary(1)])
    assert fetch(tmp_path, f"imap://flag@127.0.0.1:{server.imap}", "--flag", "Recorded").returncode == 0
    assert [flags for flags, _ in server.mails("flag")] == ["Recorded", ""]
    server.put("flag", [bounce("b@example.com"), ordinary(2)])
    assert fetch(tmp_path, f"imap://flag@127.0.0.1:{server.imap}", "--delete").returncode == 0
    assert [b"Lunch" in mail for _, mail in server.mails("flag")] == [False, True, True]


def test_kinds_that_are_not_to_be_touched(server: Dovecot, tmp_path: Path) -> None:
    server.put("kind", [bounce("a@example.com"), bounce("b@example.com", "4.4.1", "delayed", "connection timed out")])
    assert fetch(tmp_path, f"imap://kind@127.0.0.1:{server.imap}", "--delete", "--touch", "delay").returncode == 0
    assert [b"a@example.com" in mail for _, mail in server.mails("kind")] == [True]


@pytest.mark.parametrize("scheme", ["imap", "pop3"])
def test_tls_is_checked(server: Dovecot, tmp_path: Path, scheme: str) -> None:
    server.put(f"tls-{scheme}", [bounce("a@example.com")])
    url = f"{scheme}s://tls-{scheme}@localhost:{server.imaps if scheme == 'imap' else server.pop3s}"
    refused = fetch(tmp_path, url)
    assert (refused.returncode, "its certificate is not believed" in refused.stderr) == (69, True), refused.stderr
    assert fetch(tmp_path, url, "--ca-file", str(server.place / "cert.pem")).returncode == 0
    assert addresses(tmp_path) == ["a@example.com"]


@pytest.mark.parametrize("scheme", ["imap", "pop3"])
def test_a_wrong_password_is_told_without_it(server: Dovecot, tmp_path: Path, scheme: str) -> None:
    (tmp_path / "pw").write_text("wr0ng\n")
    port = server.imap if scheme == "imap" else server.pop3
    done = fetch(tmp_path, f"{scheme}://who@127.0.0.1:{port}", "--password-file", "pw")
    assert (done.returncode, "wr0ng" in done.stderr) == (77, False)
    assert done.stderr == "bounceparse fetch: 127.0.0.1 does not let who in\n"  # nor is it said that there is nothing new


def test_the_configuration_file_names_accounts(server: Dovecot, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("secret\n")
    accounts = "".join(f'[[account]]\nurl = "imap://c{n}@127.0.0.1:{server.imap}"\npassword_file = "pw"\nmove_to = "Done"\n' for n in (1, 2))
    (tmp_path / "c.toml").write_text(f'ledger = "b.db"\n{accounts}')
    for n in (1, 2):
        server.put(f"c{n}", [bounce(f"{n}@example.com")])
    done = subprocess.run(
        [sys.executable, "-m", "bounceparse", "-c", "c.toml", "fetch"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, addresses(tmp_path)) == (0, ["1@example.com", "2@example.com"]), done.stderr
    assert len(server.mails("c2", "Done")) == 1


def test_mail_that_is_numbered_anew_counts_no_second_time(server: Dovecot, tmp_path: Path) -> None:
    server.put("anew", [bounce("a@example.com")])
    url = f"imap://anew@127.0.0.1:{server.imap}"
    assert fetch(tmp_path, url).returncode == 0
    for path in (server.place / "home/anew").glob("dovecot*"):
        path.unlink()
    server.put("anew", [bounce("b@example.com")])
    time.sleep(1.1)  # UIDVALIDITY is a second
    assert fetch(tmp_path, url).returncode == 0
    events = [*Ledger(str(tmp_path / "b.db")).events()]
    assert [(event.address, event.seen) for event in events] == [("a@example.com", 2), ("b@example.com", 1)]


def test_watching_hears_of_new_mail_and_survives_the_server(server: Dovecot, tmp_path: Path) -> None:
    server.put("watch", [bounce("a@example.com")])
    process = start(tmp_path, f"imap://watch@127.0.0.1:{server.imap}", "--watch", "--move-to", "Done")
    try:
        log = (tmp_path / "log").read_text
        wait_for(lambda: "1 recorded" in log(), 30, log)
        server.put("watch", [bounce("b@example.com"), ordinary(1)])
        wait_for(lambda: addresses(tmp_path) == ["a@example.com", "b@example.com"], 15, log)
        server.stop()
        wait_for(lambda: "again in" in log(), 15, log)
        server.start()
        server.put("watch", [bounce("c@example.com")])
        wait_for(lambda: "c@example.com" in addresses(tmp_path), 30, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, log()
    finally:
        process.kill()
        process.wait()
    assert [b"Lunch" in mail for _, mail in server.mails("watch")] == [True]


@pytest.mark.parametrize("scheme", ["imap", "pop3"])
def test_killed_in_the_middle_each_bounce_counts_once_and_ordinary_mail_is_as_it_was(server: Dovecot, tmp_path: Path, scheme: str) -> None:
    user = f"kill-{scheme}"
    bounces = [f"u{number}@d{number % 17}.example.com" for number in range(MAILS) if number % 10]
    for number in range(MAILS):
        if number % 10:
            server.put(user, [bounce(f"u{number}@d{number % 17}.example.com")])
        else:
            server.put(user, [ordinary(number)], flags="F" if number % 20 else None)
    kept = sorted(mail for mail in server.mails(user) if b"Lunch" in mail[1])
    port = server.imap if scheme == "imap" else server.pop3
    args = (f"{scheme}://{user}@127.0.0.1:{port}", *(("--move-to", "Done") if scheme == "imap" else ("--delete",)))
    chance = random.Random(3)
    for round_ in range(3):
        process = start(tmp_path, *args)
        goal = chance.randrange(1, MAILS // 5) + len(_read(tmp_path))
        until = time.monotonic() + 30
        while time.monotonic() < until and process.poll() is None and len(_read(tmp_path)) < goal:
            time.sleep(0.02)
        if round_ == 1:
            server.stop()
            assert process.wait(60) in (0, 69), (tmp_path / "log").read_text()
            server.start()
        process.kill()
        process.wait()
        wait_for(lambda: not server.serves(user))  # two sessions that move one mail make two of it
    done = fetch(tmp_path, *args)
    assert done.returncode == 0, done.stderr
    assert sorted(addresses(tmp_path)) == sorted(bounces)
    assert sorted(server.mails(user)) == kept
    if scheme == "imap":
        assert sorted(mail for _, mail in server.mails(user, "Done")) == sorted(crlf([bounce(address) for address in bounces]))


def _read(place: Path) -> list[str]:
    if not (place / "b.db").exists():
        return []
    try:
        return addresses(place)
    except Exception:  # noqa: BLE001 - the tables are being made
        return []
