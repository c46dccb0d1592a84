"""The LMTP listener, byte by byte: what it takes, what it refuses, and that nothing costs more than it may."""

from __future__ import annotations

import asyncio
import random
import smtplib
import socket
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from bounceparse.pipeline import Taken, UnstoredError
from bounceparse.server import lmtp
from bounceparse.server.listen import Address, AddressError, open_socket, read_address
from bounceparse.server.lmtp import BLOCK, Lmtp
from bounceparse.server.log import Log

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")


class Place:
    """A listener, and what it was given."""

    def __init__(self, path: Path, **extra: Any) -> None:
        self.path = str(path / "s")
        self.got: list[tuple[bytes, tuple[str, ...]]] = []
        self.fail: Exception | None = None
        self.wait = asyncio.Event()
        self.wait.set()
        self.server = Lmtp(self.take, Log(stream=(path / "log").open("w")), host="here", **extra)

    async def take(self, raw: Callable[[], bytes], origin: str, envelope: Sequence[str]) -> Taken:
        await self.wait.wait()
        if self.fail:
            raise self.fail
        self.got.append((raw(), tuple(envelope)))
        return Taken("recorded", "0123456789abcdef", "bounce")

    async def __aenter__(self) -> Place:
        self.listening = await asyncio.start_unix_server(self.server.serve, self.path, limit=BLOCK)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.listening.close()
        await self.server.stop(0.1)

    async def talk(self, said: bytes, *, piece: int = 0, end: bool = True) -> list[str]:
        """Say something all at once, or in pieces; return all replies."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        for start in range(0, len(said), piece or len(said) or 1):
            writer.write(said[start : start + (piece or len(said))])
            await writer.drain()
            if piece:
                await asyncio.sleep(0)
        if end:
            writer.write_eof()
        try:
            heard = await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            heard = b""
        writer.close()
        return heard.decode().splitlines()


def run(path: Path, test: Callable[[Place], Coroutine[Any, Any, None]], **extra: Any) -> None:
    async def hold() -> None:
        async with Place(path, **extra) as place:
            await test(place)

    asyncio.run(hold())


START = b"LHLO me\r\nMAIL FROM:<> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
GREETING = 6  # lines of the answer to LHLO, after the 220


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        (b"Subject: a\r\n\r\nbody\r\n.\r\n", b"Subject: a\r\n\r\nbody\r\n"),
        (b".\r\n", b""),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"a\r\n...\r\n..b\r\n.\r\n", b"a\r\n..\r\n.b\r\n"),
        (b"\r\n.\r\n", b"\r\n"),
        (b"\r\n\r\n.\r\n", b"\r\n\r\n"),
        (b"a\rb\r\n.\r\n", b"a\rb\r\n"),
        (b"\xff\0\x80\r\n.\r\n", b"\xff\0\x80\r\n"),
        (b"x" * 200_000 + b"\r\n.\r\n", b"x" * 200_000 + b"\r\n"),
    ],
)
def test_a_message_is_taken_as_it_is(tmp_path: Path, sent: bytes, taken: bytes, piece: int) -> None:
    async def test(place: Place) -> None:
        heard = await place.talk(START + sent + b"QUIT\r\n", piece=piece if len(sent) < 1_000 else 0)
        assert place.got == [(taken, ("b@example.org",))]
        assert [line[:3] for line in heard[GREETING + 1 :]] == ["250", "250", "354", "250", "221"]

    run(tmp_path, test)


@pytest.mark.parametrize("fake", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\r\n.\0\r\n", b"a\nb"])
def test_nothing_can_be_smuggled(tmp_path: Path, fake: bytes) -> None:
    async def test(place: Place) -> None:
        inner = b"MAIL FROM:<x@example.com>\r\nRCPT TO:<y@example.com>\r\nDATA\r\nFrom: forged\r\n"
        heard = await place.talk(START + b"From: a\r\n\r\nbody" + fake + inner + b"\r\n.\r\nQUIT\r\n")
        assert [line[:3] for line in heard[-2:]] == ["250" if b"\0" in fake else "550", "221"]
        assert len(place.got) <= 1 and all(inner in raw for raw, _ in place.got), "one message, or none"

    run(tmp_path, test)


def test_the_client_of_python_is_served(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        def send() -> dict[str, tuple[int, bytes]]:
            with smtplib.LMTP(place.path) as client:
                return client.sendmail("", ["a@example.org"], b"From: a\r\n.dot\r\n\r\nx\r\n")

        assert await asyncio.to_thread(send) == {}
        assert place.got == [(b"From: a\r\n.dot\r\n\r\nx\r\n", ("a@example.org",))]

    run(tmp_path, test)


def test_each_recipient_gets_a_reply(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        recipients = b"".join(b"RCPT TO:<a%d@example.org>\r\n" % n for n in range(120))
        heard = await place.talk(b"LHLO me\r\nMAIL FROM:<>\r\n" + recipients + b"DATA\r\nx\r\n.\r\nQUIT\r\n")
        codes = [line[:3] for line in heard[GREETING + 2 :]]
        assert codes == ["250"] * 100 + ["452"] * 20 + ["354"] + ["250"] * 100 + ["221"]
        assert len(place.got[0][1]) == 100

    run(tmp_path, test)


def test_what_cannot_be_stored_comes_again(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        for error in (UnstoredError("full"), RuntimeError("broken")):
            place.fail = error
            assert (await place.talk(START + b"x\r\n.\r\nQUIT\r\n"))[-2].startswith("451 4.3.0")

    run(tmp_path, test)


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp, "SIZE", 300_000)

    async def test(place: Place) -> None:
        heard = await place.talk(START + b"x" * 299_998 + b"\r\n.\r\n" + START[9:] + b"x" * 400_000 + b"\r\n.\r\nQUIT\r\n")
        assert [line[:3] for line in heard[-6:]] == ["250", "250", "250", "354", "552", "221"]
        assert [len(raw) for raw, _ in place.got] == [300_000]
        assert (await place.talk(b"LHLO me\r\nMAIL FROM:<> SIZE=300001\r\nQUIT\r\n"))[-2].startswith("552 5.3.4")

    run(tmp_path, test)


def test_one_connection_too_many_is_told_to_come_again(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        held = [await asyncio.open_unix_connection(place.path) for _ in range(3)]
        for reader, _ in held:
            assert (await reader.readline()).startswith(b"220")
        assert await place.talk(b"", end=False) == ["421 4.3.2 too many connections, come again"]
        held[0][1].close()
        await asyncio.sleep(0.05)
        assert (await place.talk(b"QUIT\r\n"))[0].startswith("220")
        for _, writer in held:
            writer.close()

    run(tmp_path, test, connections=3)


def test_silence_ends(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        assert (await place.talk(b"", end=False))[-1].startswith("421 4.4.2")
        assert (await place.talk(START + b"half a mess", end=False))[-1].startswith("354")
        assert place.got == []

    run(tmp_path, test, idle=0.2)


def test_half_a_message_is_none(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.talk(START + b"From: a\r\n\r\nhalf\r\n")
        await place.talk(START + b"From: a\r\n\r\nhalf\r\n.\r")
        assert place.got == []

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"DATA\r\n", "503"),
        (b"MAIL FROM:<>\r\n", "503"),
        (b"RCPT TO:<a@example.org>\r\n", "503"),
        (b"LHLO\r\n", "501"),
        (b"HELO me\r\n", "500"),
        (b"EHLO me\r\n", "500"),
        (b"STARTTLS\r\n", "500"),
        (b"LHLO me\nDATA\r\n", "500"),
        (b"NOOP " + b"x" * 3_000 + b"\r\n", "500"),
        (b"NOOP\0\r\n", "500"),
        (b"x" * 100_000, "421"),
        (b"junk\r\n" * 30, "421"),
        (b"LHLO me\r\nMAIL FROM:a\r\n", "501"),
        (b"LHLO me\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n", "503"),
        (b"LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\n", "501"),
        (b"LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<" + b"a" * 400 + b"@example.org>\r\n", "501"),
        (b"LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRSET\r\nDATA\r\n", "503"),
        (b"LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA now\r\n", "501"),
    ],
)
def test_what_is_no_command(tmp_path: Path, said: bytes, code: str) -> None:
    async def test(place: Place) -> None:
        assert (await place.talk(said))[-1].startswith(code)

    run(tmp_path, test)


def test_junk_does_no_harm(tmp_path: Path) -> None:
    chance = random.Random(7)
    words = [b"LHLO a\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<a@b>\r\n", b"DATA\r\n", b"RSET\r\n", b".\r\n", b"\r", b"\n", b"\0\xff", b"x" * 70_000]

    async def test(place: Place) -> None:
        for _ in range(60):
            heard = await place.talk(b"".join(chance.choices(words, k=chance.randrange(12))))
            assert not heard or heard[0].startswith("220")
        assert (await place.talk(START + b"x\r\n.\r\nQUIT\r\n"))[-1].startswith("221"), "still there"

    run(tmp_path, test)


def test_stopping_waits_for_a_message_and_not_for_the_idle(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        place.wait.clear()
        idle = asyncio.create_task(place.talk(b"LHLO me\r\n", end=False))
        busy = asyncio.create_task(place.talk(START + b"x\r\n.\r\n", end=False))
        await asyncio.sleep(0.1)
        stop = asyncio.create_task(place.server.stop())
        assert (await idle)[-1] == "421 4.3.2 stopping, come again"
        assert not stop.done()
        place.wait.set()
        assert [line[:3] for line in (await busy)[-2:]] == ["250", "421"]
        await stop
        assert len(place.got) == 1

    run(tmp_path, test)


def test_addresses() -> None:
    assert read_address("/run/s") == read_address("unix:/run/s") == Address("/run/s")
    assert read_address("24") == read_address("inet:127.0.0.1:24") == Address(host="127.0.0.1", port=24)
    assert str(read_address("[::1]:24")) == "[::1]:24"
    assert read_address("0.0.0.0:24", remote=True).host == "0.0.0.0"
    for wrong in ("", "0.0.0.0:24", "192.0.2.1:24", "mail.example.org:24", "localhost", "localhost:x", "localhost:70000", "/" + "x" * 200):
        with pytest.raises(AddressError):
            read_address(wrong)


def test_a_dead_socket_makes_room_and_a_living_one_does_not(tmp_path: Path) -> None:
    address = Address(str(tmp_path / "s"))
    open_socket(address).close()
    with open_socket(address, 0o600), pytest.raises(AddressError, match="somebody listens"):
        open_socket(address)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    (tmp_path / "f").write_text("")
    with pytest.raises(AddressError, match="no socket"):
        open_socket(Address(str(tmp_path / "f")))
    with open_socket(Address(host="127.0.0.1")) as opened:
        assert opened.getsockname()[1] > 0


def test_the_log_has_one_line_for_each_event(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as stream:
        Log(stream=stream)("recorded", why="a\nb\x1b[2J “c”", ms=5, origin="")
        Log("json", stream)("recorded", why="a\nb", ms=5)
        stream.seek(0)
        text, line = stream.read().splitlines()
    assert text.endswith('Z recorded why="a b [2J “c”" ms=5 origin=""')
    assert line.endswith('"event": "recorded", "why": "a b", "ms": 5}')
