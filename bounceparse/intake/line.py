"""A connection to a server that speaks in lines: what it says has an end in bytes and in time, whatever it says."""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from typing import Final

LINE: Final = 65_536  # bytes of one line of a server
SILENCE: Final = 60.0  # seconds without a byte
BLOCK: Final = 65_536

_LATER: Final = re.compile(r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|IN-USE|LOGIN-DELAY|SYS/TEMP)\b", re.I)  # RFC 5530, 2449 and 3206


class ServerError(Exception):
    """A server that cannot be reached, went away, or does not do as its protocol says."""


class LoginError(ServerError):
    """A server that does not let this user in."""


class Refused(ServerError):
    """The server says no."""


def login_error(host: str, user: str, refused: Refused) -> ServerError:
    """Return what it means that a server refuses a login: this user may not come in, or nobody may for now."""
    if _LATER.search(str(refused)) is not None:
        return ServerError(f"{host} lets nobody in for now")
    return LoginError(f"{host} does not let {user} in")


class Line:
    """One connection. Raises ServerError for everything that goes wrong with it."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self.host = host
        self._buffer = bytearray()
        self._until = time.monotonic() + SILENCE
        try:
            self._socket = socket.create_connection((host, port), SILENCE)
            if context is not None:
                self.start_tls(context)
        except OSError as error:
            raise ServerError(f"cannot reach {host}:{port}: {_words(error)}") from error

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on encrypted, with a server whose certificate is checked."""
        if self._buffer:
            raise ServerError(f"{self.host} said something between STARTTLS and TLS")
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=self.host)
        except OSError as error:
            self.close()
            raise ServerError(f"no TLS with {self.host}: {_words(error)}") from error

    def within(self, seconds: float) -> None:
        """Set how long all that follows may take together."""
        self._until = time.monotonic() + seconds

    def send(self, data: bytes) -> None:
        """Say something."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ServerError(f"{self.host} went away: {_words(error)}") from error

    def line(self, limit: int = LINE) -> bytes:
        """Return the next line, without its end."""
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            if start > limit:
                raise ServerError(f"{self.host} says a line that does not end")
            self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def exactly(self, count: int) -> bytes:
        """Return the next bytes."""
        while len(self._buffer) < count:
            self._fill()
        data = bytes(memoryview(self._buffer)[:count])
        del self._buffer[:count]
        return data

    def waits(self, seconds: float) -> bool:
        """Say whether the server says something within some seconds."""
        if self._buffer or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return True
        return bool(select.select([self._socket], [], [], seconds)[0])

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _fill(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise ServerError(f"{self.host} takes too long")
        try:
            self._socket.settimeout(min(SILENCE, left))
            data = self._socket.recv(BLOCK)
        except TimeoutError:
            raise ServerError(f"{self.host} says nothing for too long") from None
        except OSError as error:
            raise ServerError(f"{self.host} went away: {_words(error)}") from error
        finally:
            if self._socket.fileno() >= 0:
                self._socket.settimeout(SILENCE)
        if not data:
            raise ServerError(f"{self.host} hung up")
        self._buffer += data


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}"
    return (error.strerror or str(error) or type(error).__name__).lower()
