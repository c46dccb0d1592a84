"""fetch: bounces from a mailbox on a server into the ledger, once or for as long as it runs.

Each mail is read without a mark, recorded (the ledger has committed), then moved, flagged or deleted when that is wanted, then noted as read. After a
kill anywhere between, the next run begins with that mail again; it counts no second time, and what was to happen to it happens then.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, Unpack

import click

from bounceparse import limits
from bounceparse.cli.exits import BAD_CONFIG, DONE, NO_PERMISSION, Stop
from bounceparse.cli.options import FILE, KINDS, Words
from bounceparse.cli.state import State, state_of
from bounceparse.cli.storing import Storing, need_ledger, open_pipeline, storing_options
from bounceparse.output.terminal import show

if TYPE_CHECKING:
    from bounceparse.intake.account import Account
    from bounceparse.intake.imap import Imap, Letter
    from bounceparse.intake.notes import Notes
    from bounceparse.intake.pop3 import Pop3
    from bounceparse.pipeline import Pipeline

UNREACHABLE: Final = 69
COME_AGAIN: Final = 75
TOUCHED: Final = ("bounce", "delay", "delivered", "complaint")
SOONEST: Final = 2.0  # seconds before the first try to come back
LATEST: Final = 300.0


class Stopped(Exception):
    """The program was asked to stop."""


class Stopping:
    """Whether the program was asked to stop; while it waits for something, that ends the waiting."""

    def __init__(self) -> None:
        self.asked = False
        self.waiting = False

    def install(self) -> None:
        """Take over SIGTERM and Ctrl-C."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self.waiting:
            self.waiting = False
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, unless the program is to stop."""
        self.during(lambda: time.sleep(seconds))

    def during(self, wait: Any) -> Any:
        """Return what `wait` returns; raises Stopped when the program is to stop."""
        self.waiting = True
        if self.asked:
            raise Stopped
        try:
            return wait()
        finally:
            self.waiting = False


@click.command()
@click.argument("urls", nargs=-1, metavar="URL…")
@click.option("--password-file", type=FILE, metavar="FILE", help="The password; else $BOUNCEPARSE_PASSWORD.")
@click.option("--token-command", metavar="COMMAND", help="A command that prints an OAuth 2 token, instead of a password.")
@click.option("--ca-file", type=FILE, metavar="FILE", help="Certificates to believe, beside those of the system.")
@click.option("--plain", is_flag=True, help="Allow imap:// and pop3:// without TLS on other machines.")
@click.option("--move-to", metavar="FOLDER", default="", help="Move bounces there, when they are in the ledger.")
@click.option("--flag", metavar="NAME", default="", help="Flag them: seen, flagged, or a word.")
@click.option("--delete", is_flag=True, help="Delete them.")
@click.option("--touch", type=Words(KINDS[:-1]), default=",".join(TOUCHED), metavar="a,b", help="Kinds to move, flag or delete.", show_default=True)
@click.option("--dry-run", is_flag=True, help="Say what would happen, and do nothing.")
@click.option("--watch", is_flag=True, help="Go on until SIGTERM or Ctrl-C.")
@click.option("--every", type=click.FloatRange(1, 86_400), default=60.0, metavar="SECONDS", help="Between two looks of --watch.", show_default=True)
@storing_options
@click.pass_context
def command(
    ctx: click.Context,
    urls: tuple[str, ...],
    touch: tuple[str, ...],
    dry_run: bool,
    watch: bool,
    every: float,
    password_file: str | None,
    token_command: str | None,
    ca_file: str | None,
    plain: bool,
    move_to: str,
    flag: str,
    delete: bool,
    **asked: Unpack[Storing],
) -> None:
    """Read bounces from mailboxes: imaps://user@host/Folder, imap://, pop3s://, pop3://.

    Mail is read without marking it, each once. Mail that is no bounce is never touched. Without URL, the accounts of the configuration file
    are read; see the manual.

    \b
    bounceparse fetch imaps://bounces@mail.example.org/INBOX --password-file pw \\
      --ledger bounces.db --move-to Bounces
    """
    need_ledger()
    from bounceparse.intake.account import AccountError, read_account
    from bounceparse.pipeline import UnstoredError

    state = state_of(ctx)
    common: dict[str, Any] = {"password_file": password_file or "", "token_command": token_command or "", "ca_file": ca_file or "", "plain": plain}
    common |= {"move_to": move_to, "flag": flag, "delete": delete}
    tables = [{"url": url} for url in urls] or state.settings.get("account", [])
    if not tables:
        raise click.UsageError("no mailbox: name one, imaps://user@host/Folder, or write [[account]] into the configuration file")
    try:
        accounts = [read_account(**(common | table)) for table in tables]
    except AccountError as error:
        raise click.UsageError(str(error)) from None
    if watch and len(accounts) > 1:
        raise click.UsageError("--watch watches one mailbox; run one program for each")
    stopping = Stopping()
    stopping.install()
    try:
        fetcher = Fetcher(state, open_pipeline(state, asked, dry=dry_run), frozenset(touch), dry_run, stopping)
    except UnstoredError as error:
        raise Stop(COME_AGAIN, str(error)) from None
    codes = {fetcher.watch(accounts[0], every)} if watch else {fetcher.once(account) for account in accounts}
    ctx.exit(max(codes))


class Fetcher:
    """Reads mailboxes, one after the other."""

    def __init__(self, state: State, pipeline: Pipeline, touched: frozenset[str], dry_run: bool, stopping: Stopping) -> None:
        self._state = state
        self._pipeline = pipeline
        self._touched = touched
        self._dry_run = dry_run
        self._stopping = stopping
        self._counts: Counter[str] = Counter()

    def once(self, account: Account) -> int:
        """Read a mailbox as it is; return an exit code."""
        from bounceparse.intake.account import AccountError
        from bounceparse.intake.line import LoginError, ServerError
        from bounceparse.pipeline import UnstoredError

        self._counts.clear()
        code = DONE
        try:
            with Visit(self._pipeline, account, self._dry_run) as visit:
                self.read(visit)
        except LoginError as error:
            code = self._say(NO_PERMISSION, error)
        except ServerError as error:
            code = self._say(UNREACHABLE, error)
        except AccountError as error:
            code = self._say(BAD_CONFIG, error)
        except (UnstoredError, OSError) as error:
            code = self._say(COME_AGAIN, error)
        if code == DONE or self._counts:
            self._sum_up(account)
        return code

    def watch(self, account: Account, every: float) -> int:
        """Read a mailbox until somebody asks to stop; return an exit code."""
        from bounceparse.intake.account import AccountError
        from bounceparse.intake.line import ServerError
        from bounceparse.pipeline import UnstoredError

        pause = SOONEST
        while True:
            try:
                with Visit(self._pipeline, account, self._dry_run) as visit:
                    while not self._stopping.asked:
                        self._counts.clear()
                        self.read(visit)
                        self._sum_up(account)
                        pause = SOONEST
                        if not self._stopping.during(lambda visit=visit: visit.box.wait(every)):
                            break
                self._stopping.sleep(every)
            except Stopped:
                return DONE
            except (ServerError, AccountError, UnstoredError, OSError) as error:
                self._say(DONE, f"{error}; again in {pause:.0f} s")
                try:
                    self._stopping.sleep(pause * random.uniform(0.8, 1.2))
                except Stopped:
                    return DONE
                pause = min(pause * 2, LATEST)

    def read(self, visit: Visit) -> None:
        """Read what is new."""
        for letter in visit.news():
            if self._stopping.asked:
                return
            self.take(visit, letter)

    def take(self, visit: Visit, letter: Letter) -> None:
        """Read one mail, record it, do with it what is wanted, and note that."""
        account = visit.account
        if letter.size > limits.MESSAGE:
            self._state.say(f"{account};uid={letter.id}: {letter.size:,} bytes are too many; left where it is")
            self._counts["too big"] += 1
            visit.note(letter, False)
            return
        raw = visit.box.read(letter)
        if raw is None:
            return
        origin = f"{account};uid={letter.id}"
        if self._dry_run:
            report = self._pipeline.engine.parse(raw)
            named = [(recipient.address, verdict.reason) for recipient, verdict in report.results]
            self._counts[report.kind] += 1
            what = _told(account) if account.changes and self._touches(report.kind, bool(named)) else "left where it is"
            click.echo(show(f"{origin}: {report.kind}: {', '.join(' '.join(pair) for pair in named) or 'nobody'}: {what}"))
            return
        taken = self._pipeline.take(raw, origin=origin)
        self._counts[taken.outcome] += 1
        if taken.why:
            self._state.say(f"{origin}: in quarantine: {taken.why}")
        touch = taken.outcome == "recorded" and self._touches(taken.kind, any(decision.address for decision in taken.decisions))
        if touch and account.changes:
            visit.box.settle(letter)
            self._counts[_told(account)] += 1
        visit.note(letter, touch and account.delete)

    def _touches(self, kind: str, named: bool) -> bool:
        return kind in self._touched and named

    def _sum_up(self, account: Account) -> None:
        self._state.remark(f"{account}: {', '.join(f'{count:,} {name}' for name, count in self._counts.items()) or 'nothing new'}")

    def _say(self, code: int, what: object) -> int:
        self._state.say(f"bounceparse fetch: {what}")
        return code


class Visit:
    """A mailbox that is open, with the notes on it; a dry run only reads them, and changes nothing."""

    def __init__(self, pipeline: Pipeline, account: Account, dry_run: bool) -> None:
        self._folder: Path = pipeline.spool.folder / "fetch"
        self.account = account
        self._dry_run = dry_run

    def __enter__(self) -> Visit:
        from bounceparse.intake.account import read_secret
        from bounceparse.intake.imap import Imap
        from bounceparse.intake.line import ServerError
        from bounceparse.intake.notes import BusyError, Notes
        from bounceparse.intake.pop3 import Pop3

        try:
            self.notes: Notes = Notes(self._folder, str(self.account), readonly=self._dry_run)
        except BusyError as error:
            raise ServerError(str(error)) from None
        try:
            kind = Imap if self.account.scheme.startswith("imap") else Pop3
            self.box: Imap | Pop3 = kind(self.account, *read_secret(self.account), readonly=self._dry_run)
        except BaseException:
            self.notes.close()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None or kind is Stopped:
                self.box.close()
            else:
                self.box.drop()
        finally:
            self.notes.close()

    def news(self) -> Any:
        """Return the mail that was not read yet."""
        from bounceparse.intake.imap import Imap

        box, notes = self.box, self.notes
        if isinstance(box, Imap):
            notes.begin(box.validity)
            return box.news(notes.last)
        from bounceparse.intake.imap import Letter

        if not self._dry_run:
            notes.keep(box.ids)
            for id_, gone in notes.ids.items():
                if gone:
                    box.settle(Letter(id_, 0))
        return box.news(notes.ids)

    def note(self, letter: Letter, gone: bool) -> None:
        """Note that a mail was read."""
        if self._dry_run:
            return
        from bounceparse.intake.imap import Imap

        if isinstance(self.box, Imap):
            self.notes.number(int(letter.id))
        else:
            self.notes.name(letter.id, gone)


def _told(account: Account) -> str:
    return f"moved to {account.move_to}" if account.move_to else f"flagged {account.flag}" if account.flag else "deleted"
