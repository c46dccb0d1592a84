"""An LMTP listener (RFC 2033): a mail server hands over bounces, and is told 250 when they are safe on disk.

The rules that keep this file honest: every read has an end in bytes and in time; nothing is acknowledged that is not safe; a message whose line ends
another server could read differently (SMTP smuggling, CVE-2023-51764) is refused; a session that has to wait stops reading, so what waits stays with
the mail server and not in memory. A message ends at CR LF . CR LF and nowhere else, and commands end at CR LF.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from bounceparse import limits
from bounceparse.pipeline import Taken, UnstoredError
from bounceparse.server.log import Log

SIZE: Final = limits.MESSAGE  # bytes of a message
RECIPIENTS: Final = 100  # of one message; RFC 5321 4.5.3.1.8 asks for as many
CONNECTIONS: Final = 20
IDLE: Final = 60.0  # seconds without a command, or without another BLOCK of a message
TRANSFER: Final = 600.0  # seconds for one message; RFC 5321 4.5.3.2 has 10 minutes
COMMAND: Final = 2_048  # bytes of a command line; Postfix line_length_limit
ERRORS: Final = 20  # of one session; Postfix smtpd_hard_error_limit
BLOCK: Final = 65_536
GRACE: Final = 30.0  # seconds that sessions have to finish a message when the server stops
END: Final = b"\r\n.\r\n"

Take = Callable[[Callable[[], bytes], str, Sequence[str]], Awaitable[Taken]]

_MAIL: Final = re.compile(r"FROM: ?<([^<>]*)>((?: +[\w-]+(?:=[^ ]*)?)*) *", re.I)
_RCPT: Final = re.compile(r"TO: ?<([^<>]+)>((?: +[\w-]+(?:=[^ ]*)?)*) *", re.I)
_SIZE: Final = re.compile(r" SIZE=(\d{1,20})\b", re.I)


class Smuggled(Exception):
    """A message that holds line ends which another server could take for the end of it."""


class Lmtp:
    """The listener: `take` is given each message, in a function that makes its bytes, with its origin and the addresses it was sent to."""

    def __init__(self, take: Take, log: Log, *, host: str = "bounceparse", connections: int = CONNECTIONS, idle: float = IDLE) -> None:
        self.take = take
        self.log = log
        self.host = host
        self.idle = idle
        self.stopping = False
        self._connections = connections
        self._sessions: dict[asyncio.Task[None], Session] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one conversation; what `asyncio.start_server` and `start_unix_server` call, with `limit=BLOCK`."""
        session = Session(self, reader, writer)
        task = asyncio.current_task()
        assert task is not None
        try:
            if self.stopping or len(self._sessions) >= self._connections:
                self.log("refused", why="too many connections" if not self.stopping else "stopping")
                await session.say("421 4.3.2 too many connections, come again")
                return
            self._sessions[task] = session
            await session.talk()
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            self.log("lost", why="the other end went away or was silent for too long")
        except asyncio.CancelledError:
            with suppress(ConnectionError):
                await session.say("421 4.3.2 stopping, come again")
        finally:
            self._sessions.pop(task, None)
            with suppress(ConnectionError):
                writer.close()

    async def stop(self, grace: float = GRACE) -> None:
        """Return when all sessions have ended: those that are idle at once, those that bring a message after it, the rest after `grace` seconds."""
        self.stopping = True
        for task, session in [*self._sessions.items()]:
            if not session.busy:
                task.cancel()
        tasks = [*self._sessions]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class Session:
    """One conversation."""

    def __init__(self, server: Lmtp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._greeted = False
        self._errors = 0
        self._mail = False
        self._recipients: list[str] = []
        self.busy = False  # between DATA and its replies

    async def say(self, *lines: str) -> None:
        """Send replies, as far as the other end takes them."""
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        async with asyncio.timeout(self._server.idle):
            await self._writer.drain()

    async def talk(self) -> None:
        """Answer commands until the other end has no more, or makes too many mistakes."""
        await self.say(f"220 {self._server.host} LMTP bounceparse")
        while not self._server.stopping:
            line = await self._read_command()
            if line is None:
                return
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            if verb == "QUIT":
                await self.say("221 2.0.0 goodbye")
                return
            command = _COMMANDS.get(verb)
            replies = await command(self, rest) if command is not None else ["500 5.5.1 command not known"]
            if replies and replies[0][0] == "5":
                self._errors += 1
                if self._errors > ERRORS:
                    await self.say("421 4.7.0 too many errors")
                    return
            if replies:
                await self.say(*replies)
        await self.say("421 4.3.2 stopping, come again")

    async def _read_command(self) -> str | None:
        """Return the next command, None at the end; a line that is none gives a command that nobody knows."""
        try:
            async with asyncio.timeout(self._server.idle):
                line = await self._reader.readuntil(b"\r\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            await self.say("421 4.7.0 command line too long")
            return None
        except TimeoutError:
            await self.say("421 4.4.2 nothing said for too long")
            return None
        line = line[:-2]
        if len(line) > COMMAND or b"\n" in line or b"\r" in line or b"\0" in line:
            return "?"
        return line.decode("utf-8", "replace")

    async def lhlo(self, rest: str) -> list[str]:
        if not rest.strip():
            return ["501 5.5.4 LHLO needs a name"]
        self._greeted = True
        self._forget()
        offers = ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", f"SIZE {SIZE}")
        return [f"250-{self._server.host}", *(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}"]

    async def mail(self, rest: str) -> list[str]:
        if not self._greeted:
            return ["503 5.5.1 LHLO first"]
        if self._mail:
            return ["503 5.5.1 one MAIL at a time"]
        match = _MAIL.fullmatch(rest)
        if match is None:
            return ["501 5.5.4 write MAIL FROM:<address>"]
        size = _SIZE.search(match[2])
        if size is not None and int(size[1]) > SIZE:
            return ["552 5.3.4 message too big"]
        self._mail = True
        return ["250 2.1.0 OK"]

    async def rcpt(self, rest: str) -> list[str]:
        if not self._mail:
            return ["503 5.5.1 MAIL first"]
        match = _RCPT.fullmatch(rest)
        if match is None or len(match[1]) > limits.ADDRESS or not match[1].isprintable():
            return ["501 5.1.3 write RCPT TO:<address>"]
        if len(self._recipients) >= RECIPIENTS:
            return ["452 4.5.3 too many recipients"]
        self._recipients.append(match[1])
        return ["250 2.1.5 OK"]

    async def data(self, rest: str) -> list[str]:
        if rest:
            return ["501 5.5.4 DATA stands alone"]
        if not self._recipients:
            return ["503 5.5.1 no recipient"]
        self.busy = True
        try:
            await self.say("354 end with a line that holds a dot alone")
            async with asyncio.timeout(TRANSFER):
                message = await self._read_message()
            reply = await self._hand_over(message)
            return [reply] * len(self._recipients)
        finally:
            self.busy = False
            self._forget()

    async def rset(self, rest: str) -> list[str]:
        self._forget()
        return ["250 2.0.0 OK"]

    async def noop(self, rest: str) -> list[str]:
        return ["250 2.0.0 OK"]

    async def vrfy(self, rest: str) -> list[str]:
        return ["252 2.5.2 send it and see"]

    def _forget(self) -> None:
        self._mail = False
        self._recipients = []

    async def _read_message(self) -> bytearray | None:
        """Return the bytes of a message as they came, up to the line before the dot; None when there are too many, which are all read."""
        read = bytearray(b"\r\n")  # a dot may stand in the first line
        while not read.endswith(END) and any(read.endswith(END[:length]) for length in range(1, len(END))):
            async with asyncio.timeout(self._server.idle):
                read += await self._reader.readexactly(1)
        too_big = False
        while not read.endswith(END):
            async with asyncio.timeout(self._server.idle):
                try:
                    read += await self._reader.readuntil(END)
                except asyncio.LimitOverrunError as error:
                    read += await self._reader.readexactly(error.consumed)
            if len(read) > SIZE + len(END):
                too_big = True
                del read[: -len(END)]
        del read[-3:]
        return None if too_big else read

    async def _hand_over(self, message: bytearray | None) -> str:
        """Return the reply to a message: 250 when it is safe."""
        if message is None:
            return "552 5.3.4 message too big"
        try:
            taken = await self._server.take(lambda: unstuff(message), "lmtp", self._recipients)
        except Smuggled:
            self._server.log("refused", why="bare line ends")
            return "550 5.6.0 bare CR or LF; lines end with CR LF"
        except UnstoredError:
            return "451 4.3.0 cannot be stored now, come again"
        except Exception as error:  # noqa: BLE001 - the mail server keeps it, and comes again
            self._server.log("failed", why=f"{type(error).__name__}: {error}")
            return "451 4.3.0 failed, come again"
        return f"250 2.0.0 {taken.outcome} {taken.digest[:12]}"


def unstuff(read: bytearray) -> bytes:
    """Return a message without the dots that were added (RFC 5321 4.5.2); raises Smuggled for line ends that are read differently elsewhere."""
    if read.count(b"\n") != read.count(b"\r\n") or b"\r.\r" in read or b"\n.\r" in read:
        raise Smuggled
    message = bytes(read)
    if b"\r\n." in message:
        message = message.replace(b"\r\n.", b"\r\n")
    return message[2:]


_COMMANDS: Final[dict[str, Callable[[Session, str], Awaitable[list[str]]]]] = {
    "LHLO": Session.lhlo,
    "MAIL": Session.mail,
    "RCPT": Session.rcpt,
    "DATA": Session.data,
    "RSET": Session.rset,
    "NOOP": Session.noop,
    "VRFY": Session.vrfy,
}
