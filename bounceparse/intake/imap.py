"""A folder of an IMAP server (RFC 3501): reads what is new without marking it as read, and moves, flags or deletes one mail at a time when asked to.

The rules that keep this file honest: mail is named by UID alone; a mail is looked at with BODY.PEEK and a size that was asked for before; nothing is
expunged but the one mail that was asked for, so where a server cannot do that (UIDPLUS, RFC 4315) it only gets its mark.
"""

from __future__ import annotations

import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import Struct

from bounceparse import limits
from bounceparse.intake.account import Account
from bounceparse.intake.line import Line, Refused, ServerError, login_error

CHUNK: Final = 200  # mails whose sizes are asked for at once
COMMAND: Final = 300.0  # seconds for one command
IDLE: Final = 29 * 60.0  # seconds; RFC 2177
RESPONSE: Final = 1 << 20  # bytes of one response beside the mail in it
RESPONSES: Final = 200_000  # of one command
FLAGS: Final = {"seen": "\\Seen", "flagged": "\\Flagged", "answered": "\\Answered", "deleted": "\\Deleted"}

_LITERAL: Final = re.compile(rb"\{(\d{1,12})\}$")
_VALIDITY: Final = re.compile(rb"\[UIDVALIDITY (\d{1,20})\]", re.I)
_SIZE: Final = re.compile(rb"^\* \d+ FETCH \(.*?\bRFC822\.SIZE (\d{1,20})\b", re.I)
_NUMBER: Final = re.compile(rb"\* (\d{1,20}) (EXISTS|EXPUNGE)\b", re.I)
_UID: Final = re.compile(rb"\bUID (\d{1,20})\b", re.I)
_BODY: Final = re.compile(rb"\bBODY\[\](?:<0>)? $", re.I)
_QUOTED: Final = re.compile(rb"\bBODY\[\](?:<0>)? \"((?:[^\"\\]|\\.)*)\"", re.I)
_WIDE: Final = re.compile(r"[^ -~]+")
_ATOM: Final = re.compile(r"\$?[A-Za-z0-9_.-]{1,100}")


class Said(NamedTuple):
    """One response of a server."""

    text: bytes
    mail: bytes | None = None


class Letter(Struct, frozen=True):
    """One mail on a server."""

    id: str  # UID, or the unique id of POP3
    size: int  # bytes, as the server says


class Imap:
    """An open folder. Raises ServerError when the server is lost, LoginError when it lets nobody in."""

    def __init__(self, account: Account, secret: str, token: bool, *, readonly: bool = False) -> None:
        self.account = account
        self._count = 0
        self._mails = self._searched = 0  # how many there are, as far as was said, and how many of them were there when we last searched
        context = ssl.create_default_context(cafile=account.ca_file or None) if account.encrypted else None
        self._line = Line(account.host, account.port, context if account.scheme == "imaps" else None)
        try:
            greeting = self._line.line().upper()
            if not greeting.startswith((b"* OK", b"* PREAUTH")):
                raise ServerError(f"{account.host} does not greet as an IMAP server")
            self._can = self._ask_abilities()
            if account.scheme == "imap" and context is not None:
                self._secure(context)
            if not greeting.startswith(b"* PREAUTH"):
                self._log_in(secret, token)
            self._can = self._ask_abilities()
            self._changes = account.changes and not readonly
            said = self._command(f"{'SELECT' if self._changes else 'EXAMINE'} {_folder(account.folder)}", f"cannot open {account.folder}")
            found = next((match for text, _ in said if (match := _VALIDITY.search(text)) is not None), None)
            if found is None:
                raise ServerError(f"{account.host} gives no UIDVALIDITY for {account.folder}")
            self.validity = found[1].decode()
            if self._changes and b"[READ-ONLY]" in said[-1].text.upper():
                raise ServerError(f"{account.folder} is read-only")
            if self._changes and account.move_to:
                self._make_folder()
        except BaseException:
            self._line.close()
            raise

    def news(self, last: int) -> Iterator[Letter]:
        """Yield the mails after a UID, in their order."""
        self._searched = self._mails
        said = self._command(f"UID SEARCH UID {last + 1}:*", "cannot search")
        words = [word for text, _ in said if text.upper().startswith(b"* SEARCH") for word in text.split()[2:]]
        uids = sorted({int(word) for word in words if word.isdigit() and int(word) > last})
        for start in range(0, len(uids), CHUNK):
            part = uids[start : start + CHUNK]
            sizes: dict[int, int] = {}
            for text, _ in self._command(f"UID FETCH {','.join(map(str, part))} (UID RFC822.SIZE)", "cannot ask for sizes"):
                size, uid = _SIZE.search(text), _UID.search(text)
                if size is not None and uid is not None:
                    sizes[int(uid[1])] = int(size[1])
            yield from (Letter(str(uid), sizes[uid]) for uid in part if uid in sizes)

    def read(self, letter: Letter) -> bytes | None:
        """Return the bytes of a mail, None when it is gone."""
        said = self._command(f"UID FETCH {letter.id} (UID BODY.PEEK[]<0.{limits.MESSAGE}>)", "cannot read a mail")
        for text, mail in said:
            uid = _UID.search(text)
            if uid is not None and int(uid[1]) == int(letter.id) and mail is not None:
                return mail
        return None

    def settle(self, letter: Letter) -> None:
        """Do with a mail what the account says."""
        account = self.account
        if not self._changes:
            return
        if account.flag:
            flag = FLAGS.get(account.flag.lower(), account.flag)
            if flag == account.flag and not _ATOM.fullmatch(flag):
                raise ServerError(f"{flag!r} is no flag; write seen, flagged, or a word")
            self._command(f"UID STORE {letter.id} +FLAGS.SILENT ({flag})", "cannot flag a mail")
            return
        if account.move_to and "MOVE" in self._can:
            self._command(f"UID MOVE {letter.id} {_folder(account.move_to)}", f"cannot move a mail to {account.move_to}")
            return
        if account.move_to:
            self._command(f"UID COPY {letter.id} {_folder(account.move_to)}", f"cannot copy a mail to {account.move_to}")
        self._command(f"UID STORE {letter.id} +FLAGS.SILENT (\\Deleted)", "cannot mark a mail as deleted")
        if "UIDPLUS" in self._can:
            self._command(f"UID EXPUNGE {letter.id}", "cannot take a mail away")

    def wait(self, seconds: float) -> bool:
        """Wait until the server tells of something new, or some seconds; return whether the server can tell.

        It tells once: what came while we were busy was told among the answers to other commands, and is not waited for.
        """
        if "IDLE" not in self._can:
            return False
        self._line.within(COMMAND)
        tag = self._send("IDLE")
        while not (said := self._response().text).startswith(b"+"):
            if said.startswith(tag + b" "):
                return False
        try:
            if self._mails <= self._searched:
                self._line.waits(min(seconds, IDLE))
        finally:
            self._line.within(COMMAND)
            self._line.send(b"DONE\r\n")
            self._finish(tag, "cannot wait")
        return True

    def close(self) -> None:
        """Say goodbye, as far as the server listens."""
        try:
            self._line.within(5)
            self._line.send(b"z LOGOUT\r\n")
        except ServerError:
            self._line.close()
            return
        self._line.close()

    def drop(self) -> None:
        """Hang up."""
        self._line.close()

    def _ask_abilities(self) -> set[str]:
        said = self._command("CAPABILITY", "cannot ask what the server can do")
        return {word for text, _ in said if text.upper().startswith(b"* CAPABILITY") for word in text.decode("latin-1").upper().split()[2:]}

    def _secure(self, context: ssl.SSLContext) -> None:
        if "STARTTLS" not in self._can:
            raise ServerError(f"{self.account.host} offers no TLS; use imaps://, or allow a connection without")
        self._command("STARTTLS", "no STARTTLS")
        self._line.start_tls(context)
        self._can = self._ask_abilities()

    def _log_in(self, secret: str, token: bool) -> None:
        user = self.account.user
        if token:
            mechanism, answer = "XOAUTH2", f"user={user}\1auth=Bearer {secret}\1\1"
        else:
            mechanism, answer = "PLAIN", f"\0{user}\0{secret}"
        try:
            if token or "AUTH=PLAIN" in self._can:
                self._command(f"AUTHENTICATE {mechanism}", "", b64encode(answer.encode()))
            elif "LOGINDISABLED" in self._can or not (user + secret).isascii():
                raise ServerError(f"{self.account.host} offers no way to log in that is known here")
            else:
                self._command(f"LOGIN {_quoted(user)} {_quoted(secret)}", "")
        except Refused as error:
            raise login_error(self.account.host, user, error) from None

    def _make_folder(self) -> None:
        target = _folder(self.account.move_to)
        try:
            self._command(f"STATUS {target} (MESSAGES)", "")
        except Refused:
            self._command(f"CREATE {target}", f"cannot make the folder {self.account.move_to}")

    def _send(self, command: str) -> bytes:
        self._count += 1
        tag = f"b{self._count}".encode()
        self._line.send(tag + b" " + command.encode() + b"\r\n")
        return tag

    def _command(self, command: str, trouble: str, answer: bytes = b"") -> list[Said]:
        """Return the responses to a command, the tagged one last; raises ServerError, or Refused when there is no word for the trouble."""
        self._line.within(COMMAND)
        return self._finish(self._send(command), trouble, answer)

    def _finish(self, tag: bytes, trouble: str, answer: bytes = b"") -> list[Said]:
        said: list[Said] = []
        while len(said) < RESPONSES:
            response = self._response()
            line = response.text
            if line.startswith(b"+"):
                self._line.send(answer + b"\r\n")  # after an error of XOAUTH2 the answer is to be empty
                answer = b""
            elif line.startswith(tag + b" "):
                if line[len(tag) + 1 :][:2].upper() != b"OK":
                    told = line[len(tag) + 1 :].decode("utf-8", "replace")[:200]
                    raise ServerError(f"{trouble}: {told}") if trouble else Refused(told)
                return [*said, response]
            elif line.upper().startswith(b"* BYE"):
                raise ServerError(f"{self.account.host} hung up: {line[6:200].decode('utf-8', 'replace')}")
            else:
                said.append(response)
        raise ServerError(f"{self.account.host} does not come to an end")

    def _response(self) -> Said:
        """Return one response: its lines in one, and the mail in it, if there is one."""
        text, mail = b"", None
        line = self._line.line()
        while (literal := _LITERAL.search(line)) is not None:
            count = int(literal[1])
            if count > limits.MESSAGE:
                raise ServerError(f"{self.account.host} wants to send {count:,} bytes at once")
            text += line[: literal.start()]
            data = self._line.exactly(count)
            if _BODY.search(text) is not None and mail is None:
                mail = data
            elif count <= RESPONSE:
                text += data
            line = self._line.line()
            if len(text) > RESPONSE:
                raise ServerError(f"{self.account.host} says a response that does not end")
        text += line
        number = _NUMBER.match(text)
        if number is not None and number[2].upper() == b"EXISTS":
            self._mails = int(number[1])
        elif number is not None:
            self._mails, self._searched = self._mails - 1, self._searched - 1
        quoted = _QUOTED.search(text)
        if mail is None and quoted is not None:
            mail = re.sub(rb"\\(.)", rb"\1", quoted[1])
        return Said(text, mail)


def _quoted(text: str) -> str:
    """Return a text as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _folder(name: str) -> str:
    """Return the name of a folder as a quoted string, in the alphabet of RFC 3501 5.1.3."""
    return _quoted(_WIDE.sub(_wide, name.replace("&", "&-")))


def _wide(match: re.Match[str]) -> str:
    return "&" + b64encode(match[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
