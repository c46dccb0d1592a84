"""serve: listens until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, Unpack

import click

from bounceparse.cli.exits import BAD_CONFIG, CANNOT_CREATE, DONE, USAGE, Stop
from bounceparse.cli.options import FILE
from bounceparse.cli.state import State, state_of
from bounceparse.cli.storing import Storing, need_ledger, open_pipeline, others_options, storing_options

if TYPE_CHECKING:
    import socket

    from bounceparse.integrations.post import Post
    from bounceparse.server.log import Log
    from bounceparse.server.serving import HttpServer
    from bounceparse.server.workers import Workers

COME_AGAIN: Final = 75


@click.command()
@click.option("--lmtp", metavar="ADDR", envvar="BOUNCEPARSE_LMTP", help="Listen for LMTP: /run/bounceparse/lmtp.sock, or 127.0.0.1:24.")
@click.option("--http", metavar="ADDR", envvar="BOUNCEPARSE_HTTP", help="Serve the HTTP API: 127.0.0.1:8025, or /run/bounceparse/http.sock.")
@click.option("--access", type=FILE, metavar="FILE", envvar="BOUNCEPARSE_ACCESS", help="Tokens of the API and keys of mail services (TOML).")
@click.option("--post", "receiver", metavar="URL", envvar="BOUNCEPARSE_POST", help="Tell this address of every decision, as bounceparse post does.")
@click.option("--post-as", type=click.Choice(("decisions", "listmonk")), default="decisions", help="In which format.", show_default=True)
@click.option("--post-auth", type=FILE, metavar="FILE", help="user:password, or a bearer token, for that address.")
@click.option("--socket-mode", metavar="OCTAL", default="660", help="Who may connect to a socket in the file system.", show_default=True)
@click.option("--allow-remote", is_flag=True, help="Take LMTP on addresses that other machines can reach.")
@click.option("--log", "form", type=click.Choice(("text", "json")), default="text", envvar="BOUNCEPARSE_LOG", help="How to log.", show_default=True)
@storing_options
@others_options
@click.pass_context
def command(
    ctx: click.Context,
    lmtp: str | None,
    http: str | None,
    access: str | None,
    receiver: str | None,
    post_as: str,
    post_auth: str | None,
    socket_mode: str,
    allow_remote: bool,
    form: str,
    **asked: Unpack[Storing],
) -> None:
    """Listen for bounces and record them, until SIGTERM or Ctrl-C.

    LMTP: a mail server is told 250 when a message is safe: recorded, or in quarantine. Messages up to 25 MiB, 100 recipients, 20 connections at a
    time, 60 seconds of silence.

    HTTP: mail, replies and suppressions for programs, events of mail services, /openapi.json, /metrics. Without --access it serves this machine
    alone.

    \b
    bounceparse serve --lmtp /run/bounceparse/lmtp.sock --ledger bounces.db
    bounceparse serve --http 127.0.0.1:8025 --ledger bounces.db
    """
    from bounceparse.server.log import Log

    if not lmtp and not http:
        raise click.UsageError("nothing to listen for; add --lmtp /run/bounceparse/lmtp.sock, or --http 127.0.0.1:8025")
    if not socket_mode.isdigit() or set(socket_mode) - set("01234567"):
        raise click.BadParameter(f"{socket_mode!r} is no mode; write 660", param_hint="'--socket-mode'")
    state = state_of(ctx)
    log = Log("json" if form == "json" else "text")
    serving: list[Running] = []
    try:
        if http:
            from bounceparse.cli.api import open_api

            serving.append(Http(*open_api(state, asked, http, access, int(socket_mode, 8), log)))
        if lmtp:
            serving.append(_open_lmtp(state, asked, lmtp, allow_remote, int(socket_mode, 8), log))
        if receiver:
            from bounceparse.cli.post import open_post

            heard = partial(log, "post")
            serving.append(Posting(open_post(lambda why: heard(remark=why), receiver, asked["ledger"], post_as, None, post_auth, None), receiver))
        asyncio.run(_serve(serving, log, asked["ledger"] or ""))
    finally:
        for one in serving:
            one.close()
    ctx.exit(DONE)


def _open_lmtp(state: State, asked: Storing, where: str, remote: bool, mode: int, log: Log) -> LmtpServing:
    need_ledger()
    from bounceparse.ledger import LedgerError, SetUpError
    from bounceparse.pipeline import UnstoredError
    from bounceparse.server.listen import AddressError, open_socket, read_address
    from bounceparse.server.workers import Workers

    try:
        address = read_address(where, remote=remote)
        workers = Workers(lambda fence: open_pipeline(state, asked, fence, sync=False), log)
        workers.recover()
        return LmtpServing(open_socket(address, mode), workers, log)
    except SetUpError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    except (LedgerError, UnstoredError) as error:
        raise Stop(COME_AGAIN, str(error)) from None
    except AddressError as error:
        raise Stop(USAGE, str(error)) from None
    except OSError as error:
        raise Stop(CANNOT_CREATE, f"cannot listen on {where}: {(error.strerror or str(error)).lower()}") from None


class Running(Protocol):
    """One thing that goes on until it is told to stop."""

    kind: str

    @property
    def where(self) -> str:
        """The address."""

    async def run(self, told: asyncio.Event) -> None:
        """Go on until `told` is set; finish what was begun."""

    def close(self) -> None:
        """Let go of everything."""


class Posting:
    """Tells another system what was decided."""

    kind = "post"

    def __init__(self, post: Post, receiver: str) -> None:
        self._post = post
        self.where = receiver.partition("?")[0]

    async def run(self, told: asyncio.Event) -> None:
        following = asyncio.create_task(asyncio.to_thread(self._post.follow))
        waiting = asyncio.create_task(told.wait())
        await asyncio.wait((following, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self._post.stop()
        await following

    def close(self) -> None:
        self._post.stop()


class Serving:
    """One thing that listens."""

    kind = ""

    def __init__(self, opened: socket.socket) -> None:
        self.opened = opened
        self.name = opened.getsockname()

    @property
    def where(self) -> str:
        return self.name if isinstance(self.name, str) else f"{self.name[0]}:{self.name[1]}"

    async def run(self, told: asyncio.Event) -> None:
        """Serve until `told` is set; finish what was begun."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the socket."""
        if self.opened.fileno() >= 0:
            self.opened.close()
        if isinstance(self.name, str):
            from pathlib import Path

            Path(self.name).unlink(missing_ok=True)


class Http(Serving):
    """The HTTP API."""

    kind = "http"

    def __init__(self, opened: socket.socket, server: HttpServer) -> None:
        super().__init__(opened)
        self._server = server

    async def run(self, told: asyncio.Event) -> None:
        await self._server.run_on(self.opened, told)


class LmtpServing(Serving):
    """The LMTP listener."""

    kind = "lmtp"

    def __init__(self, opened: socket.socket, workers: Workers, log: Log) -> None:
        super().__init__(opened)
        self._workers = workers
        self._log = log

    async def run(self, told: asyncio.Event) -> None:
        from socket import AF_UNIX, gethostname

        from bounceparse.server.lmtp import BLOCK, Lmtp

        server = Lmtp(self._workers.take, self._log, host=gethostname())
        watch = asyncio.create_task(self._workers.watch())
        start = asyncio.start_unix_server if self.opened.family == AF_UNIX else asyncio.start_server
        listening = await start(server.serve, sock=self.opened, limit=BLOCK)
        await told.wait()
        listening.close()
        await server.stop()
        watch.cancel()

    def close(self) -> None:
        self._workers.close()
        super().close()


async def _serve(serving: Sequence[Running], log: Log, ledger: str) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    running = [asyncio.create_task(one.run(told)) for one in serving]
    for task in running:
        task.add_done_callback(lambda _: told.set())  # when one fails, all stop
    await asyncio.sleep(0)
    log("listening", **{one.kind: one.where for one in serving}, ledger=_shown(ledger))
    await told.wait()
    log("stopping")
    await asyncio.gather(*running)
    log("stopped")


def _shown(ledger: str) -> str:
    """Return the name of a ledger without its password."""
    head, at, host = ledger.rpartition("@")
    return f"{head.partition('://')[0]}://…@{host}" if at and "://" in head else ledger
