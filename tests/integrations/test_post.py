"""Decisions to another system: signed, in its format, each until it is taken, and none lost when that takes long."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import new as new_hmac
from pathlib import Path
from typing import Any

import pytest

from bounceparse.engine import parse
from bounceparse.integrations.post import Post, UnreachableError
from bounceparse.ledger import Ledger
from bounceparse.policy import Policy
from tests.waiting import wait_for

FIXTURES = Path(__file__).parents[2] / "fixtures" / "bounces"
UNKNOWN, DELAY, DMARC = "postfix/01-user-unknown", "postfix/02-mailbox-full-delayed", "office365/06-spoof-dmarc-reject"


class Receiver:
    """Another system: answers `statuses` one after the other, then 200."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/bounce"

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(str(tmp_path / "bounces.db")) as ledger:
        yield ledger


def record(ledger: Ledger, *names: str, now: datetime | None = None) -> None:
    for name in names:
        ledger.record(parse((FIXTURES / f"{name}.eml").read_bytes()), Policy.preset("default"), now=now)


def post(ledger: Ledger, receiver: Receiver, place: Path, **more: Any) -> Post:
    return Post(ledger, receiver.url, place / "post.json", first=0.01, **more)


def test_every_event_is_told_once(ledger: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    record(ledger, UNKNOWN, DMARC)
    assert post(ledger, receiver, tmp_path).run().told == 2
    first, second = receiver.bodies()
    assert (first["type"], first["data"]["action"], second["data"]["action"]) == ("bounceparse.decision", "suppress", "alert")
    assert post(ledger, receiver, tmp_path).run().told == 0
    record(ledger, UNKNOWN, DELAY)
    assert post(ledger, receiver, tmp_path).run().told == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 3 == len(receiver.got)


def test_a_request_is_signed_as_standard_webhooks_wants_it(ledger: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    key = b"k" * 24
    record(ledger, UNKNOWN)
    post(ledger, receiver, tmp_path, secret="whsec_" + b64encode(key).decode(), auth="a-token").run()
    ((headers, body),) = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == "v1," + b64encode(new_hmac(key, signed, sha256).digest()).decode()
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["idempotency-key"] == headers["webhook-id"] == next(ledger.events()).key
    assert headers["authorization"] == "Bearer a-token"


def test_listmonk_is_told_what_counts_and_nothing_else(ledger: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    record(ledger, UNKNOWN, DELAY, DMARC, "auto-reply/04-spanish", "gmail/04-inbox-full")
    assert post(ledger, receiver, tmp_path, form="listmonk", auth="listmonk:password").run().told == 2
    hard, soft = receiver.bodies()
    assert set(hard) == {"email", "source", "type", "meta"}
    assert (hard["type"], soft["type"]) == ("hard", "soft")
    assert json.loads(hard["meta"])["reason"] == "user_unknown" and json.loads(soft["meta"])["reason"] == "mailbox_full"
    assert receiver.got[0][0]["authorization"].startswith("Basic ")


def test_a_receiver_that_fails_is_tried_again_under_the_same_id(ledger: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    record(ledger, UNKNOWN)
    receiver.statuses = [500, 429, 503]
    said: list[str] = []
    assert post(ledger, receiver, tmp_path, log=said.append).run().told == 1
    assert len(receiver.got) == 4 and len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(said) == 3 and "answers 429" in said[1] and "@" not in "".join(said)


def test_a_receiver_that_is_gone_loses_nothing(ledger: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    record(ledger, UNKNOWN, DMARC)
    receiver.statuses = [200] + [502] * 5
    with pytest.raises(UnreachableError, match="502"):
        post(ledger, receiver, tmp_path).run()
    assert post(ledger, receiver, tmp_path).run().told == 1, "the one that was taken is not told again"
    actions = [json.loads(body)["data"]["action"] for _, body in receiver.got]
    assert (actions[0], set(actions[1:])) == ("suppress", {"alert"})
    nobody = Post(ledger, "http://127.0.0.1:9/", tmp_path / "other.json", first=0.001)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        nobody.run()
    assert post(ledger, receiver, tmp_path).run().told == 0


def test_what_the_receiver_refuses_for_good_is_put_aside_and_the_rest_goes_on(ledger: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    record(ledger, UNKNOWN, DMARC)
    receiver.statuses = [400] * 3
    posted = post(ledger, receiver, tmp_path).run()
    assert (posted.refused, posted.told) == (1, 1)
    aside = tmp_path / "post.json.refused"
    (line,) = aside.read_text().splitlines()
    assert sys.platform == "win32" or aside.stat().st_mode & 0o777 == 0o600, "it holds addresses"
    assert json.loads(json.loads(line)["body"])["data"]["action"] == "suppress"


def test_a_redirect_is_not_followed(ledger: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    record(ledger, UNKNOWN)
    receiver.statuses = [302] * 3
    assert post(ledger, receiver, tmp_path).run().refused == 1
    assert len(receiver.got) == 3


def test_an_event_that_was_written_late_is_told_as_well(ledger: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    record(ledger, UNKNOWN, now=now)
    assert post(ledger, receiver, tmp_path).run().told == 1
    record(ledger, DMARC, now=now - timedelta(minutes=5))
    assert post(ledger, receiver, tmp_path).run().told == 1
    record(ledger, DELAY, now=now + timedelta(hours=1))
    assert post(ledger, receiver, tmp_path).run().told == 1
    assert len(json.loads((tmp_path / "post.json").read_text())["keys"]) == 1, "what is done is forgotten"
    assert post(ledger, receiver, tmp_path).run().told == 0


def test_following_waits_for_the_receiver_and_stops_when_it_is_told_to(ledger: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    following = post(ledger, receiver, tmp_path)
    thread = threading.Thread(target=following.follow, args=(0.05,), daemon=True)
    thread.start()
    receiver.statuses = [500] * 8
    record(ledger, UNKNOWN)
    wait_for(lambda: len(receiver.got) >= 9)
    record(ledger, DMARC)
    wait_for(lambda: len(receiver.got) >= 10)
    following.stop()
    thread.join(10)
    assert not thread.is_alive() and len(receiver.got) == 10
    assert post(ledger, receiver, tmp_path).run().told == 0


def test_following_waits_for_a_ledger_that_cannot_be_used(receiver: Receiver, tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    path.write_bytes(b"this is no database" * 100)
    said: list[str] = []
    following = Post(Ledger(str(path)), receiver.url, tmp_path / "post.json", log=said.append)
    thread = threading.Thread(target=following.follow, args=(0.05,), daemon=True)
    thread.start()
    wait_for(lambda: said)
    path.unlink()
    with Ledger(str(path)) as ledger:
        record(ledger, UNKNOWN)
    wait_for(lambda: receiver.got)
    following.stop()
    thread.join(10)
    assert said and len(receiver.got) == 1 and not thread.is_alive()


@pytest.mark.parametrize("url", ["ftp://example.com/", "example.com", "https://user:secret@example.com/", "file:///etc/passwd"])
def test_what_is_no_address_is_told_without_its_secret(ledger: Ledger, tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError) as told:
        Post(ledger, url, tmp_path / "post.json")
    assert "secret" not in str(told.value)
