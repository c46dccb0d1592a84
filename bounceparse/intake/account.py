"""A mailbox on a server: where it is, who asks, and what may happen to its mail."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

PORTS: Final = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
VARIABLE: Final = "BOUNCEPARSE_PASSWORD"
PATIENCE: Final = 60  # seconds for the command that prints a token


class AccountError(ValueError):
    """What is wrong with an account, and how to mend it; never says a secret."""


class Account(Struct, frozen=True):
    """One mailbox."""

    scheme: Literal["imap", "imaps", "pop3", "pop3s"]
    host: str
    port: int
    user: str
    folder: str = "INBOX"
    password_file: str = ""
    token_command: str = ""
    ca_file: str = ""
    plain: bool = False  # without TLS
    move_to: str = ""
    flag: str = ""
    delete: bool = False

    def __str__(self) -> str:
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        folder = f"/{quote(self.folder)}" if self.scheme.startswith("imap") else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{quote(self.user)}@{host}{port}{folder}"

    @property
    def changes(self) -> bool:
        """Whether anything happens to mail."""
        return bool(self.move_to or self.flag or self.delete)

    @property
    def encrypted(self) -> bool:
        """Whether there has to be TLS; a server of this machine may do without, and `plain` says that another may."""
        return self.scheme.endswith("s") or not (self.plain or self.host in LOCAL)


def read_account(
    url: str,
    *,
    password_file: str = "",
    token_command: str = "",
    ca_file: str = "",
    plain: bool = False,
    move_to: str = "",
    flag: str = "",
    delete: bool = False,
) -> Account:
    """Return the account of a URL, `imaps://user@host/Folder` or `pop3s://user@host`; raises AccountError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AccountError(f"{url!r} is no URL: {error}") from None
    scheme = parts.scheme
    if scheme not in PORTS:
        raise AccountError(f"{scheme or url!r} is none of imaps, imap, pop3s, pop3; write imaps://user@host/Folder")
    if parts.password is not None:
        raise AccountError(f"no password in a URL, where others can see it; use a file, ${VARIABLE} or a token command")
    if not parts.hostname or not parts.username:
        raise AccountError(f"{url!r} names no user and host; write {scheme}://user@host")
    folder = unquote(parts.path.strip("/")) or "INBOX"
    if sum(map(bool, (move_to, flag, delete))) > 1:
        raise AccountError("choose one: move, flag or delete")
    texts = (unquote(parts.username), folder, move_to, flag)
    if any(not text.isprintable() for text in texts):
        raise AccountError("a name with control characters")
    if scheme.startswith("pop3"):
        if move_to or flag:
            raise AccountError("POP3 can neither move nor flag; use IMAP, or delete")
        if parts.path.strip("/"):
            raise AccountError("POP3 has no folders")
    elif move_to == folder:
        raise AccountError(f"{folder!r} is where the mail is already")
    user = texts[0]
    return Account(
        scheme, parts.hostname, port or PORTS[scheme], user, folder, password_file, token_command, ca_file, plain, move_to, flag, delete  # type: ignore[arg-type]
    )


def read_secret(account: Account) -> tuple[str, bool]:
    """Return the password or token of an account, and whether it is a token (OAuth 2); raises AccountError."""
    if account.token_command:
        try:
            command = shlex.split(account.token_command)
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=True)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise AccountError(f"the token command of {account} failed: {_words(error)}") from None
        secret = done.stdout.strip()
    elif account.password_file:
        try:
            secret = Path(account.password_file).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise AccountError(f"cannot read the password file {account.password_file}: {_words(error)}") from None
    else:
        secret = os.environ.get(VARIABLE, "")
        if not secret:
            raise AccountError(f"no password for {account}: name a file, set ${VARIABLE}, or give a token command")
    if not secret or not secret.isprintable():
        raise AccountError(f"the secret of {account} is empty or has more than one line")
    return secret, bool(account.token_command)


def _words(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer within {PATIENCE} seconds"
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit code {error.returncode}"
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else type(error).__name__
