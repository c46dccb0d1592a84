"""One message after the other into the ledger: claim → parse → prove → decide → record, one transaction for each, and nothing is lost.

The rule that keeps this file honest: `take` returns only when the message is safe, recorded or in quarantine, and raises `UnstoredError` otherwise;
whoever brought it keeps it then and comes again. A message that cannot be processed goes into quarantine, at once when it raises, at the third try
when it ends the program; each try starts from the beginning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from sqlalchemy.exc import DataError, IntegrityError

from bounceparse import limits
from bounceparse.engine import Engine
from bounceparse.ledger import Ledger, LedgerError
from bounceparse.model import Decision, Kind, Report
from bounceparse.policy import Policy
from bounceparse.spool import Left, Spool, keep_mail, read_claim

BUDGET: Final = 30  # seconds that reading one message may take; real ones take a thousandth of one
FATAL: Final = 2  # programs that may die while they read a message
FATAL_LATER: Final = 5  # programs that may die over one message at all; most are stopped by somebody
OTHERS: Final = "others"
OLD: Final = 3_600.0  # seconds after which a draft that nobody writes is waste

Outcome = Literal["recorded", "other", "quarantined"]
Fence = Callable[[int], object]


class UnstoredError(Exception):
    """The message is not safe here: the ledger or the spool cannot be written to."""


class Taken(Struct, frozen=True):
    """What became of a message that is safe."""

    outcome: Outcome  # "other": no bounce, kept in the Maildir for others, or not, as it was asked for
    digest: str  # sha-256 of the raw bytes
    kind: Kind | Literal[""] = ""
    decisions: tuple[Decision, ...] = ()
    why: str = ""  # what put it into quarantine


class Pipeline:
    """The way of messages into one ledger; safe for threads, and for several processes on one spool.

    `spool` is the folder where messages are while they are worked on. `others` is the Maildir for mail that is no bounce ("" beside the spool;
    None: such mail is for nobody). `fence` is called with the seconds that reading may take, and with 0 when it is over. Without `sync`, claims may
    be lost with the machine: for messages that whoever brings them keeps until they are safe. With `dry`, nothing is made, and nothing can be taken.
    Raises OSError when the spool cannot be made.
    """

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        engine: Engine,
        spool: str | Path,
        *,
        others: str | Path | None = "",
        fence: Fence | None = None,
        sync: bool = True,
        dry: bool = False,
    ) -> None:
        self.ledger = ledger
        self.policy = policy
        self.engine = engine
        self.spool = Spool(spool, make=not dry)
        self.others = None if others is None else Path(others or self.spool.folder / OTHERS)
        self._fence = fence or (lambda seconds: None)
        self._sync = sync

    def take(self, raw: bytes, *, origin: str = "", envelope: Sequence[str] = (), now: datetime | None = None) -> Taken:
        """Return what became of a message, when it is safe; raises UnstoredError when it is not.

        `envelope` are the addresses it was sent to, `origin` says where it came from. Of a message beyond `limits.MESSAGE` the rest is not kept.
        """
        raw = raw[: limits.MESSAGE]
        try:
            claim = self.spool.claim(raw, origin, envelope, sync=self._sync)
            left = next(self.spool.left(claim.digest), None)
        except OSError as error:
            raise UnstoredError(f"cannot write to {self.spool.folder}: {_words(error)}") from error
        safe = False
        try:
            taken = self._take(raw, claim.digest, left, claim.was_read, origin, envelope, now)
            safe = True
        finally:
            claim.done(left if safe else None)
        return taken

    def recover(self) -> Iterator[Taken]:
        """Take the messages that programs left when they died; yield what became of them. Raises UnstoredError when one is not safe."""
        for left in self.spool.left(old=OLD):
            try:
                raw, origin, envelope = read_claim(left.paths[-1])
            except FileNotFoundError:
                continue
            except (ValueError, LookupError, TypeError, OSError):  # its bytes were never on disk, so nobody was told that they are safe
                for path in left.paths:
                    path.unlink(missing_ok=True)
                continue
            yield self.take(raw, origin=origin, envelope=envelope)

    def _take(
        self,
        raw: bytes,
        digest: str,
        left: Left | None,
        was_read: Callable[[], None],
        origin: str,
        envelope: Sequence[str],
        now: datetime | None,
    ) -> Taken:
        if left is not None and (left.reading >= FATAL or left.reading + left.read >= FATAL_LATER):
            return self._quarantine(raw, digest, f"it ended the program {left.reading + left.read} times", origin, now)
        self._fence(BUDGET)
        try:
            report = self.engine.parse(raw, envelope)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message is kept and the rest goes on
            return self._quarantine(raw, digest, f"cannot be read: {_words(error)}", origin, now)
        finally:
            self._fence(0)
        try:
            was_read()
            if report.kind == "not_bounce":
                if self.others is not None:
                    keep_mail(self.others, raw)
                return Taken("other", digest, report.kind)
        except OSError as error:
            raise UnstoredError(f"cannot write to {self.others or self.spool.folder}: {_words(error)}") from error
        return self._record(raw, digest, report, origin, now)

    def _record(self, raw: bytes, digest: str, report: Report, origin: str, now: datetime | None) -> Taken:
        try:
            return Taken("recorded", digest, report.kind, self.ledger.record(report, self.policy, origin=origin, now=now))
        except LedgerError as error:
            if not isinstance(error.__cause__, DataError | IntegrityError):
                raise UnstoredError(str(error)) from error
            why = str(error)
        except Exception as error:  # noqa: BLE001
            why = _words(error)
        return self._quarantine(raw, digest, f"cannot be recorded: {why}", origin, now)

    def _quarantine(self, raw: bytes, digest: str, why: str, origin: str, now: datetime | None) -> Taken:
        try:
            self.ledger.quarantine(raw, why, origin=origin, now=now)
        except LedgerError as error:
            raise UnstoredError(str(error)) from error
        return Taken("quarantined", digest, why=why)


def spool_beside(database: str, *, make: bool = True) -> Path:
    """Return the spool of a ledger that names none: beside an SQLite file, else in the folder for the state of services or of this user.

    That folder is made when it is missing, unless `make` is false; raises OSError when it cannot be.
    """
    path = database.partition("://")[2].partition("?")[0] if "://" in database else database
    if "://" not in database or database.startswith("sqlite"):
        path = path.removeprefix("/") if "://" in database else path
        if path and path != ":memory:":
            return Path(f"{path}.spool")
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    folder = Path(given or Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "bounceparse")
    if make:
        folder.mkdir(0o700, parents=True, exist_ok=True)
    return folder / "spool"


def _words(error: BaseException) -> str:
    """Return what an error says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
