"""A mailbox of a POP3 server (RFC 1939): reads what is new by its unique id, and deletes one mail at a time when asked to.

What is deleted goes only when the session ends well, so whoever keeps the book has to ask for it again until it is gone.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Collection, Iterator
from typing import Final

from bounceparse import limits
from bounceparse.intake.account import Account
from bounceparse.intake.imap import Letter
from bounceparse.intake.line import Line, Refused, ServerError, login_error

COMMAND: Final = 300.0  # seconds for one command
MAILS: Final = 1_000_000  # of one mailbox


class Pop3:
    """An open mailbox. Raises ServerError when the server is lost, LoginError when it lets nobody in."""

    validity = ""

    def __init__(self, account: Account, secret: str, token: bool, *, readonly: bool = False) -> None:
        self.account = account
        self._changes = account.delete and not readonly
        context = ssl.create_default_context(cafile=account.ca_file or None) if account.encrypted else None
        self._line = Line(account.host, account.port, context if account.scheme == "pop3s" else None)
        try:
            self._answer()
            if account.scheme == "pop3" and context is not None:
                self._ask("STLS", f"{account.host} offers no TLS; use pop3s://, or allow a connection without")
                self._line.start_tls(context)
            try:
                if token:
                    answer = b64encode(f"user={account.user}\1auth=Bearer {secret}\1\1".encode()).decode()
                    self._ask(f"AUTH XOAUTH2 {answer}", "")
                else:
                    self._ask(f"USER {account.user}", "")
                    self._ask(f"PASS {secret}", "")
            except Refused as error:
                raise login_error(account.host, account.user, error) from None
            self._numbers = {id_: number for number, id_ in self._listing("UIDL")}
            self._sizes = dict(self._listing("LIST"))
        except BaseException:
            self._line.close()
            raise

    def news(self, known: Collection[str]) -> Iterator[Letter]:
        """Yield the mails whose ids are not known."""
        for id_, number in self._numbers.items():
            size = self._sizes.get(number, "")
            if id_ not in known and size.isdigit():
                yield Letter(id_, int(size))

    @property
    def ids(self) -> Collection[str]:
        """The ids of all mails that are there."""
        return self._numbers.keys()

    def read(self, letter: Letter) -> bytes | None:
        """Return the bytes of a mail."""
        self._ask(f"RETR {self._numbers[letter.id]}", "cannot read a mail")
        read = bytearray()
        while (line := self._line.line(limits.MESSAGE)) != b".":
            if len(read) <= limits.MESSAGE:
                read += (line[1:] if line.startswith(b"..") else line) + b"\r\n"
        return bytes(read[: limits.MESSAGE])

    def settle(self, letter: Letter) -> None:
        """Do with a mail what the account says; it is done when `close` was called."""
        if self._changes:
            self._ask(f"DELE {self._numbers[letter.id]}", "cannot delete a mail")

    def wait(self, seconds: float) -> bool:
        """POP3 cannot tell of anything new."""
        return False

    def close(self) -> None:
        """End the session, so that what was deleted goes."""
        try:
            self._ask("QUIT", "cannot end the session")
        finally:
            self._line.close()

    def drop(self) -> None:
        """Hang up."""
        self._line.close()

    def _ask(self, command: str, trouble: str) -> bytes:
        self._line.within(COMMAND)
        self._line.send(command.encode() + b"\r\n")
        return self._answer(trouble)

    def _answer(self, trouble: str = "no POP3 server") -> bytes:
        line = self._line.line()
        if line[:3].upper() != b"+OK":
            told = line[:200].decode("utf-8", "replace")
            raise ServerError(f"{self.account.host}: {trouble}: {told}") if trouble else Refused(told)
        return line

    def _listing(self, command: str) -> list[tuple[str, str]]:
        self._ask(command, f"{self.account.host} does not know {command}")
        found: list[tuple[str, str]] = []
        while (line := self._line.line()) != b".":
            number, _, value = line.decode("latin-1").strip().partition(" ")
            if number.isdigit() and value:
                found.append((number, value.split()[0]))
            if len(found) > MAILS:
                raise ServerError(f"{self.account.host} lists mails without end")
        return found
