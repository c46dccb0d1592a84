"""What was read of a mailbox on a server already, so that nothing is read twice and nothing is left out; one file for each account.

It is written after the ledger, so it never knows more than the ledger does; when it is lost, mail is read again and counts no second time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

try:
    import fcntl
except ModuleNotFoundError:
    fcntl = None  # type: ignore[assignment]

OFTEN: Final = 100  # names after which they are written down; what a crash forgets is read again, and counts no second time


class BusyError(Exception):
    """Another program reads this mailbox."""


class Notes:
    """The notes on one mailbox, which this program holds until `close`; with `readonly` it only reads them, and nothing is made on disk.

    Raises OSError when they cannot be kept, BusyError when they are held.
    """

    def __init__(self, folder: Path, account: str, *, readonly: bool = False) -> None:
        self._path = folder / f"{sha256(account.encode()).hexdigest()[:32]}.json"
        self._lock = None if readonly else _hold(self._path.with_suffix(".lock"), account)
        found = _read(self._path)
        self._account = account
        self._new = 0
        self.validity = str(found.get("validity", ""))
        self.last = int(found.get("last", 0))
        self.ids: dict[str, bool] = {str(id_): bool(gone) for id_, gone in found.get("ids", {}).items()}  # True: is to be deleted

    def begin(self, validity: str) -> None:
        """Forget what was noted, when the server numbers its mail anew."""
        if validity != self.validity:
            self.validity, self.last = validity, 0

    def number(self, uid: int) -> None:
        """Note that all mail up to a UID was read."""
        self.last = uid
        self._write()

    def name(self, id_: str, gone: bool) -> None:
        """Note that a mail was read, and whether it is to be deleted."""
        self.ids[id_] = gone
        self._new += 1
        if self._new >= OFTEN:
            self._write()

    def keep(self, ids: Collection[str]) -> None:
        """Forget mail that is not there any more."""
        if any(id_ not in ids for id_ in self.ids):
            self.ids = {id_: gone for id_, gone in self.ids.items() if id_ in ids}
            self._write()

    def close(self) -> None:
        """Write down what is not yet, and let go."""
        try:
            if self._new:
                self._write()
        finally:
            if self._lock is not None:
                os.close(self._lock)

    def _write(self) -> None:
        draft = self._path.with_suffix(".draft")
        noted = {"account": self._account, "validity": self.validity, "last": self.last, "ids": self.ids}
        draft.write_text(json.dumps(noted), "utf-8")
        draft.replace(self._path)
        self._new = 0


def _hold(path: Path, account: str) -> int:
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise BusyError(f"another program reads {account}") from None
    return lock


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
