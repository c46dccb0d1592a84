"""Tells another system what was decided: one HTTP request for each event of the ledger, until that system has it.

The rules that keep this file honest: the ledger is the queue, so nothing that is recorded can be missed, whatever road it came by; what was told is
written down only after the answer, so a failing receiver, or our own end, loses nothing and at worst is told twice, under the same id; only what
counts against an address is told to a system that has but two words for it.

Requests are signed as Standard Webhooks wants it (`webhook-id`, `webhook-timestamp`, `webhook-signature`), so that receivers find libraries for it;
`Idempotency-Key` is the id as well.
"""

from __future__ import annotations

import json
import os
import random
import time
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import new as new_hmac
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from bounceparse.text import clip

if TYPE_CHECKING:
    from bounceparse.ledger import Event, Ledger

Form = Literal["decisions", "listmonk"]

TRIES: Final = 5  # of one event, when there is no waiting for better times
REFUSALS: Final = 3  # answers that say no, after which an event is put aside
FIRST: Final = 1.0  # seconds before the second try
LONGEST: Final = 300.0  # seconds between two tries
SECONDS: Final = 15  # for one request
OVERLAP: Final = timedelta(minutes=10)  # events may be written later than they were received: that far back is looked again
NOTED: Final = 1.0  # seconds between two notes of how far we are: what was told since is told again after a crash
EVERY: Final = 2.0  # seconds between two looks
_LATER: Final = frozenset({408, 409, 423, 425, 429})


class UnreachableError(Exception):
    """The receiver is not there, or cannot do it now; what was not told stays to be told."""


class Posted(Struct):
    """What came of one look."""

    told: int = 0
    refused: int = 0  # put aside, beside the state


class _State(Struct):
    """How far we are: what was received before `since` is done, but for what is not in `keys`."""

    since: str = ""
    keys: dict[str, str] = {}  # of events that were told or are not for the receiver -> when they were received


class Post:
    """Tells one receiver. `state` is the file that says how far it is; one receiver, one file.

    `form`: "decisions" tells every event whole; "listmonk" tells addresses, as hard, soft or complaint, only of events that count. `secret` signs:
    any text, or `whsec_…` as Standard Webhooks writes them. `auth` is `user:password`, or a bearer token. `log` is given each failure, as a sentence
    without addresses.
    """

    def __init__(
        self,
        ledger: Ledger,
        url: str,
        state: str | Path,
        *,
        form: Form = "decisions",
        secret: str = "",
        auth: str = "",
        log: Callable[[str], None] = lambda text: None,
        first: float = FIRST,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{clip(parts.scheme, 20) or 'nothing'}: is no address to post to; write https://…")
        if parts.username or parts.password:
            raise ValueError("the address holds a password, which others can see; put it into a file")
        self._ledger = ledger
        self._url = url
        self._state = Path(state)
        self._form = form
        self._secret = _key(secret)
        self._auth = auth
        self._log = log
        self._first = first
        self._stopped = Flag()
        self._written = 0.0
        self._content = b""

    def run(self) -> Posted:
        """Tell what there is to tell; raises UnreachableError when the receiver does not take it in a few tries."""
        return self._look(TRIES)

    def follow(self, pause: float = EVERY) -> None:
        """Tell what comes, until `stop` is called; an unreachable receiver is waited for, and so is a ledger or a disk that cannot be used."""
        from bounceparse.ledger import LedgerError

        while not self._stopped.is_set():
            try:
                self._look(0)
            except LedgerError as error:
                self._log(str(error))
            except OSError as error:
                self._log(f"cannot note how far the receiver is: {(error.strerror or type(error).__name__).lower()}")
            self._stopped.wait(pause)

    def stop(self) -> None:
        """Let `follow` end after the request that is under way."""
        self._stopped.set()

    def _look(self, tries: int) -> Posted:
        state, posted = self._read(), Posted()
        for event in self._fresh(state):
            body = self._body(event)
            if body is not None:
                try:
                    taken = self._tell(event.key, body, tries)
                except UnreachableError:
                    self._write(state)
                    raise
                if taken is None:
                    break
                if taken:
                    posted.told += 1
                else:
                    self._put_aside(event.key, body)
                    posted.refused += 1
            state.keys[event.key] = event.received.isoformat()
            if body is not None and time.monotonic() - self._written > NOTED:
                self._write(state)
        self._write(state)
        return posted

    def _fresh(self, state: _State) -> Iterator[Event]:
        since = datetime.fromisoformat(state.since) - OVERLAP if state.since else None
        for event in self._ledger.events(since=since):
            if event.key not in state.keys:
                yield event

    def _tell(self, key: str, body: bytes, tries: int) -> bool | None:
        """Return whether the receiver took an event; None when it is to stop, False when it says no for good."""
        refused, number = 0, 0
        while True:
            why, later = self._send(key, body)
            if not why:
                return True
            number += 1
            refused += not later
            self._log(f"{key[:12]}: {why}")
            if refused >= REFUSALS:
                return False
            if tries and number >= tries:
                raise UnreachableError(why)
            wait = min(self._first * 2 ** min(number - 1, 20), LONGEST) * random.uniform(0.8, 1.2)
            if self._stopped.wait(wait):
                return None

    def _send(self, key: str, body: bytes) -> tuple[str, bool]:
        """Return what is wrong, "" for nothing, and whether it may be better later."""
        from urllib.request import HTTPRedirectHandler, Request, build_opener

        class Nowhere(HTTPRedirectHandler):
            def redirect_request(self, *_: Any) -> None:
                """Follow nothing: what is signed for one receiver is for that one alone."""

        now = str(int(time.time()))
        headers = {"Content-Type": "application/json", "User-Agent": "bounceparse"}
        headers |= {"Idempotency-Key": key, "webhook-id": key, "webhook-timestamp": now}
        if self._secret:
            headers["webhook-signature"] = sign(self._secret, key, now, body)
        if self._auth:
            basic = ":" in self._auth
            headers["Authorization"] = f"Basic {b64encode(self._auth.encode()).decode()}" if basic else f"Bearer {self._auth}"
        try:
            with build_opener(Nowhere).open(Request(self._url, body, headers, method="POST"), timeout=SECONDS) as answer:
                answer.read(4_096)
        except HTTPError as error:
            with error:
                return f"the receiver answers {error.code}", error.code >= 500 or error.code in _LATER
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            return f"the receiver cannot be reached: {getattr(reason, 'strerror', None) or type(reason).__name__}", True
        return "", False

    def _body(self, event: Event) -> bytes | None:
        """Return what an event says in the receiver's words; None when it is not for that one."""
        if self._form == "decisions":
            data = {"type": "bounceparse.decision", "timestamp": event.received, "data": event}
            return msgspec.json.encode(data)
        complaint = event.kind == "complaint"
        if not event.address or not (complaint or event.strike or event.action == "suppress"):
            return None
        meta = {name: getattr(event, name) for name in ("reason", "fault", "status", "diagnostic", "message_id", "action", "because")}
        kind = "complaint" if complaint else "hard" if event.bounce == "hard" else "soft"
        return json.dumps({"email": event.address, "source": "bounceparse", "type": kind, "meta": json.dumps(meta, ensure_ascii=False)}).encode()

    # The state

    def _read(self) -> _State:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=_State)
        except FileNotFoundError:
            return _State()

    def _write(self, state: _State) -> None:
        """Write the state down; keys that no look will meet again go."""
        if state.keys:
            state.since = max(max(state.keys.values()), state.since)
            edge = (datetime.fromisoformat(state.since) - OVERLAP).astimezone(UTC).isoformat()
            state.keys = {key: received for key, received in state.keys.items() if received >= edge}
        content = msgspec.json.encode(state)
        if content != self._content:
            _replace(self._state, content)
            self._content = content
        self._written = time.monotonic()

    def _put_aside(self, key: str, body: bytes) -> None:
        line = json.dumps({"id": key, "body": body.decode()}) + "\n"
        aside = os.open(self._state.with_name(f"{self._state.name}.refused"), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)  # it holds addresses
        with os.fdopen(aside, "a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(aside)


def sign(secret: bytes, key: str, timestamp: str, body: bytes) -> str:
    """Return the signature of one request as Standard Webhooks 1.0 writes it."""
    return "v1," + b64encode(new_hmac(secret, f"{key}.{timestamp}.".encode() + body, sha256).digest()).decode()


def _key(secret: str) -> bytes:
    if secret.startswith("whsec_"):
        try:
            return b64decode(secret.removeprefix("whsec_"), validate=True)
        except (Error, ValueError):
            raise ValueError("the secret begins with whsec_ and goes on with what is no base 64") from None
    return secret.encode()


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole, the old or the new one."""
    draft = path.with_name(f"{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
