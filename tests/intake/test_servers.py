"""Mail servers that lie, dawdle or die: every conversation has an end."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bounceparse import limits
from bounceparse.intake import line
from bounceparse.intake.account import Account, AccountError, read_account, read_secret
from bounceparse.intake.imap import Imap, Letter, _folder
from bounceparse.intake.line import LoginError, ServerError
from bounceparse.intake.pop3 import Pop3

Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve) -> Iterator[int]:
    """Serve one connection after the other in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with near:
                try:
                    serve(near)
                except OSError:
                    continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def scripted(answers: dict[bytes, bytes], greeting: bytes = b"* OK hello\r\n") -> Serve:
    """An IMAP server that answers commands by their name; TAG stands for the tag."""

    def serve(near: socket.socket) -> None:
        near.sendall(greeting)
        with near.makefile("rb") as stream:
            for said in stream:
                tag, _, rest = said.partition(b" ")
                name = rest.split()[0].upper() if rest.split() else b""
                if name == b"UID":
                    name = b" ".join(rest.split()[:2]).upper()
                answer = answers.get(name, b"TAG OK done\r\n")
                if name == b"AUTHENTICATE" and name not in answers:
                    near.sendall(b"+ \r\n")
                    stream.readline()
                near.sendall(answer.replace(b"TAG", tag))

    return serve


SELECTED = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\nTAG OK [READ-WRITE] done\r\n"
USUAL = {b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done\r\n", b"SELECT": SELECTED, b"EXAMINE": SELECTED}


def account(port: int, scheme: str = "imap", **more: object) -> Account:
    return read_account(f"{scheme}://ann@127.0.0.1:{port}", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "greeting",
    [b"", b"HTTP/1.1 400\r\n", b"* BYE go away\r\n", b"x" * 200_000, b"* OK hello\r\n* BYE\r\n", b"* OK\r\n" + b"* JUNK\r\n" * 300_000],
    ids=["nothing", "http", "bye", "endless line", "bye later", "endless lines"],
)
def test_what_is_no_server(greeting: bytes) -> None:
    with server(lambda near: near.sendall(greeting)) as port, pytest.raises(ServerError):
        Imap(account(port), "secret", False)
    with server(lambda near: near.sendall(greeting)) as port, pytest.raises(ServerError):
        Pop3(account(port, "pop3"), "secret", False)


def test_silence_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "SILENCE", 0.2)
    done = threading.Event()
    with server(lambda near: done.wait(5) and None) as port, pytest.raises(ServerError, match="says nothing"):
        Imap(account(port), "secret", False)
    done.set()


def test_dawdling_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bounceparse.intake.imap.COMMAND", 0.5)

    def serve(near: socket.socket) -> None:
        near.sendall(b"* OK hello\r\n")
        while True:
            near.sendall(b"* 1 EXISTS\r\n")
            threading.Event().wait(0.05)

    with server(serve) as port, pytest.raises(ServerError, match="too long"):
        Imap(account(port), "secret", False)


def test_a_mail_of_ten_gigabytes_is_not_begun() -> None:
    answers = USUAL | {b"UID FETCH": b"* 1 FETCH (UID 1 BODY[]<0> {10000000000}\r\n"}
    with server(scripted(answers)) as port, pytest.raises(ServerError, match="wants to send 10,000,000,000 bytes"):
        Imap(account(port), "secret", False).read(Letter("1", 5))


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (b"* 1 FETCH (UID 1 BODY[]<0> {3}\r\nabc)\r\n", b"abc"),
        (b"* 1 FETCH (BODY[]<0> {3}\r\nabc UID 1)\r\n", b"abc"),
        (b"* 1 FETCH (FLAGS (\\Seen))\r\n* 1 FETCH (UID 1 BODY[] {5}\r\n}\r\n{9)\r\n", b"}\r\n{9"),
        (b'* 1 FETCH (UID 1 BODY[]<0> "a\\"b\\\\c")\r\n', b'a"b\\c'),
        (b"* 1 FETCH (UID 1 BODY[]<0> NIL)\r\n", None),
        (b"* 1 FETCH (UID 2 BODY[]<0> {3}\r\nabc)\r\n", None),
        (b"", None),
    ],
)
def test_a_mail_is_read(said: bytes, read: bytes | None) -> None:
    with server(scripted(USUAL | {b"UID FETCH": said + b"TAG OK done\r\n"})) as port:
        assert Imap(account(port), "secret", False).read(Letter("1", 5)) == read


def test_only_mail_after_the_last_is_new() -> None:
    answers = USUAL | {
        b"UID SEARCH": b"* SEARCH 3 9 x 5\r\n* SEARCH\r\nTAG OK done\r\n",
        b"UID FETCH": b"* 1 FETCH (UID 5 RFC822.SIZE 10)\r\n* 2 FETCH (RFC822.SIZE 20 UID 9)\r\n* 3 FETCH (UID 7)\r\nTAG OK done\r\n",
    }
    with server(scripted(answers)) as port:
        assert [*Imap(account(port), "secret", False).news(3)] == [Letter("5", 10), Letter("9", 20)]


def test_without_uidplus_nothing_else_is_expunged() -> None:
    heard: list[bytes] = []
    usual = scripted(USUAL)

    class Ear:
        def __init__(self, near: socket.socket) -> None:
            self._near = near

        def sendall(self, data: bytes) -> None:
            self._near.sendall(data)

        def makefile(self, mode: str) -> object:
            return self

        def __enter__(self) -> Ear:
            self._stream = self._near.makefile("rb")
            return self

        def __exit__(self, *_: object) -> None:
            self._stream.close()

        def readline(self) -> bytes:
            return self._stream.readline()

        def __iter__(self) -> Iterator[bytes]:
            for said in self._stream:
                heard.append(said)
                yield said

    with server(lambda near: usual(Ear(near))) as port:  # type: ignore[arg-type]
        Imap(account(port, move_to="Done"), "secret", False).settle(Letter("5", 10))
    assert [said.split(b" ", 1)[1] for said in heard[-2:]] == [b'UID COPY 5 "Done"\r\n', b"UID STORE 5 +FLAGS.SILENT (\\Deleted)\r\n"]


def test_no_uidvalidity_no_reading() -> None:
    with server(scripted(USUAL | {b"EXAMINE": b"TAG OK done\r\n"})) as port, pytest.raises(ServerError, match="UIDVALIDITY"):
        Imap(account(port), "secret", False)


def test_a_token_is_shown_to_the_server() -> None:
    shown: list[bytes] = []

    def serve(near: socket.socket) -> None:
        near.sendall(b"* OK hello\r\n")
        with near.makefile("rb") as stream:
            for said in stream:
                tag, _, rest = said.partition(b" ")
                if rest.startswith(b"AUTHENTICATE XOAUTH2"):
                    near.sendall(b"+ \r\n")
                    shown.append(base64.b64decode(stream.readline()))
                    near.sendall(b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n")
                    assert stream.readline() == b"\r\n", "an empty answer to the error"
                    near.sendall(tag + b" NO expired\r\n")
                else:
                    near.sendall(tag + b" OK done\r\n")

    with server(serve) as port, pytest.raises(LoginError, match="does not let ann in"):
        Imap(account(port), *read_secret(account(port, token_command="echo t0ken")))
    assert shown == [b"user=ann\1auth=Bearer t0ken\1\1"]


@pytest.mark.parametrize(
    ("imap", "pop3_", "kind"),
    [
        (b"TAG NO [AUTHENTICATIONFAILED] no\r\n", b"-ERR [AUTH] no\r\n", LoginError),
        (b"TAG NO no\r\n", b"-ERR no\r\n", LoginError),
        (b"TAG NO [UNAVAILABLE] come again\r\n", b"-ERR [SYS/TEMP] come again\r\n", ServerError),
        (b"TAG NO [INUSE] come again\r\n", b"-ERR [IN-USE] come again\r\n", ServerError),
        (b"* BYE stopping\r\n", b"", ServerError),
    ],
    ids=["wrong", "no", "not now", "busy", "lost"],
)
def test_a_login_that_fails_for_now_is_no_wrong_password(imap: bytes, pop3_: bytes, kind: type[ServerError]) -> None:
    def hang_up(near: socket.socket) -> None:
        near.sendall(b"+OK hello\r\n")
        near.recv(1_000)

    with server(scripted(USUAL | {b"AUTHENTICATE": imap})) as port, pytest.raises(ServerError) as told:
        Imap(account(port), "secret", False)
    assert type(told.value) is kind
    with server(pop3(b"", {b"PASS": pop3_}) if pop3_ else hang_up) as port, pytest.raises(ServerError) as told:
        Pop3(account(port, "pop3"), "secret", False)
    assert type(told.value) is kind and "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("searched", "idle", "waits"),
    [
        (b"", b"", True),
        (b"* 1 EXISTS\r\n", b"", True),
        (b"* 1 EXPUNGE\r\n", b"* 0 EXISTS\r\n", True),
        (b"* 2 EXISTS\r\n", b"", False),
        (b"* 1 EXPUNGE\r\n", b"* 1 EXISTS\r\n", False),
    ],
    ids=["nothing", "nothing new", "one that went", "new after the search", "new at the last moment"],
)
def test_mail_that_came_meanwhile_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, searched: bytes, idle: bytes, waits: bool) -> None:
    waited: list[float] = []
    monkeypatch.setattr(line.Line, "waits", lambda self, seconds: waited.append(seconds))
    answers = USUAL | {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE\r\nTAG OK done\r\n",
        b"UID SEARCH": b"* SEARCH 1\r\n" + searched + b"TAG OK done\r\n",
        b"IDLE": idle + b"+ idling\r\nTAG OK done\r\n",
        b"": b"",  # after DONE
    }
    with server(scripted(answers)) as port:
        box = Imap(account(port), "secret", False)
        assert [*box.news(0)] == []
        assert box.wait(5)
    assert bool(waited) is waits


def test_nothing_is_said_in_plain_to_another_machine() -> None:
    assert not read_account("imap://ann@127.0.0.1").encrypted
    assert read_account("imap://ann@mail.example.org").encrypted
    assert not read_account("pop3://ann@mail.example.org", plain=True).encrypted
    assert read_account("pop3s://ann@localhost", plain=True).encrypted


def test_starttls_that_was_tampered_with_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bounceparse.intake.account.LOCAL", ())
    answers = USUAL | {b"CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK\r\n", b"STARTTLS": b"TAG OK go\r\n* CAPABILITY AUTH=PLAIN\r\n"}
    with server(scripted(answers)) as port, pytest.raises(ServerError, match="between STARTTLS and TLS"):
        Imap(account(port), "secret", False)
    with server(scripted(USUAL)) as port, pytest.raises(ServerError, match="offers no TLS"):
        Imap(account(port), "secret", False)


def pop3(mail: bytes, extra: dict[bytes, bytes] | None = None) -> Serve:
    answers = {b"UIDL": b"+OK\r\n1 id-1\r\n.\r\n", b"LIST": b"+OK\r\n1 5\r\n.\r\n", b"RETR": b"+OK\r\n" + mail} | (extra or {})

    def serve(near: socket.socket) -> None:
        near.sendall(b"+OK hello\r\n")
        with near.makefile("rb") as stream:
            for said in stream:
                near.sendall(answers.get(said.split()[0], b"+OK\r\n"))

    return serve


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (b"a\r\n..\r\n...b\r\n\r\n.\r\n", b"a\r\n.\r\n..b\r\n\r\n"),
        (b".\r\n", b""),
        (b"x" * 100_000 + b"\r\n.\r\n", b"x" * 100_000 + b"\r\n"),
        (b"\n.\n", b"\r\n"),
    ],
)
def test_a_mail_is_read_from_pop3(said: bytes, read: bytes) -> None:
    with server(pop3(said)) as port:
        box = Pop3(account(port, "pop3"), "secret", False)
        assert [*box.news({})] == [Letter("id-1", 5)]
        assert box.read(Letter("id-1", 5)) == read
        assert [*box.news({"id-1"})] == []


def test_a_pop3_mail_that_is_longer_than_it_said_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MESSAGE", 1_000)
    with server(pop3(b"x\r\n" * 5_000 + b".\r\n")) as port:
        assert len(Pop3(account(port, "pop3"), "secret", False).read(Letter("id-1", 5)) or b"") == 1_000


def test_pop3_without_unique_ids_is_refused() -> None:
    with server(pop3(b"", {b"UIDL": b"-ERR unknown\r\n"})) as port, pytest.raises(ServerError, match="does not know UIDL"):
        Pop3(account(port, "pop3"), "secret", False)


def test_folders_in_any_language() -> None:
    assert _folder("INBOX") == '"INBOX"'
    assert _folder('a"b\\c&d') == '"a\\"b\\\\c&-d"'
    assert _folder("Entwürfe/台北") == '"Entw&APw-rfe/&U,BTFw-"'


@pytest.mark.parametrize(
    "url",
    [
        "", "http://ann@example.org", "imaps://example.org", "imaps://ann:secret@example.org", "imaps://ann@example.org:x", "pop3://ann@example.org/Folder",
        "imaps://ann%0d%0a@example.org", "imaps://ann@example.org/a%00b", "imaps://[::1",
    ],
)  # fmt: skip
def test_what_is_no_account(url: str) -> None:
    with pytest.raises(AccountError) as told:
        read_account(url)
    assert "secret" not in str(told.value)


def test_accounts() -> None:
    read = read_account("imaps://ann%40example.org@mail.example.org/Mail%20list/Bounces")
    assert (read.user, read.host, read.port, read.folder) == ("ann@example.org", "mail.example.org", 993, "Mail list/Bounces")
    assert str(read) == "imaps://ann%40example.org@mail.example.org/Mail%20list/Bounces"
    assert str(read_account("pop3s://a@[::1]:1995")) == "pop3s://a@[::1]:1995"
    for wrong in ({"move_to": "INBOX"}, {"move_to": "a", "delete": True}, {"move_to": "a\r\nb"}):
        with pytest.raises(AccountError):
            read_account("imaps://a@example.org", **wrong)  # type: ignore[arg-type]
    with pytest.raises(AccountError):
        read_account("pop3s://a@example.org", move_to="x")


def test_secrets(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOUNCEPARSE_PASSWORD", raising=False)
    with pytest.raises(AccountError, match="no password"):
        read_secret(read_account("imaps://a@example.org"))
    for command in ("false", "/nowhere/at-all", "printf 'a\\nb'", "true", "'"):
        with pytest.raises(AccountError) as told:
            read_secret(read_account("imaps://a@example.org", token_command=command))
        assert "a\nb" not in str(told.value)
    monkeypatch.setenv("BOUNCEPARSE_PASSWORD", "pa ss")
    assert read_secret(read_account("imaps://a@example.org")) == ("pa ss", False)
