"""serve: listens until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final, Unpack

import click

from bounceparse.cli.exits import CANNOT_CREATE, DONE, USAGE, Stop
from bounceparse.cli.state import State, state_of
from bounceparse.cli.storing import Storing, open_pipeline, storing_options

if TYPE_CHECKING:
    import socket

    from bounceparse.server.log import Log
    from bounceparse.server.workers import Workers

COME_AGAIN: Final = 75


@click.command()
@click.option("--lmtp", metavar="ADDR", envvar="BOUNCEPARSE_LMTP", help="Listen for LMTP: /run/bounceparse/lmtp.sock, or 127.0.0.1:24.")
@click.option("--socket-mode", metavar="OCTAL", default="660", help="Who may connect to a socket in the file system.", show_default=True)
@click.option("--allow-remote", is_flag=True, help="Listen on addresses that other machines can reach.")
@click.option("--log", "form", type=click.Choice(("text", "json")), default="text", envvar="BOUNCEPARSE_LOG", help="How to log.", show_default=True)
@storing_options
@click.pass_context
def command(ctx: click.Context, lmtp: str | None, socket_mode: str, allow_remote: bool, form: str, **asked: Unpack[Storing]) -> None:
    """Listen for bounces and record them, until SIGTERM or Ctrl-C.

    A mail server is told 250 when a message is safe: recorded, or in quarantine. Messages up to 25 MiB, 100 recipients, 20 connections at a
    time, 60 seconds of silence.

    \b
    bounceparse serve --lmtp /run/bounceparse/lmtp.sock --ledger bounces.db
    """
    from bounceparse.pipeline import UnstoredError
    from bounceparse.server.listen import AddressError, open_socket, read_address
    from bounceparse.server.log import Log
    from bounceparse.server.workers import Workers

    if not lmtp:
        raise click.UsageError("nothing to listen for; add --lmtp /run/bounceparse/lmtp.sock")
    if not socket_mode.isdigit() or set(socket_mode) - set("01234567"):
        raise click.BadParameter(f"{socket_mode!r} is no mode; write 660", param_hint="'--socket-mode'")
    state = state_of(ctx)
    log = Log("json" if form == "json" else "text")
    try:
        address = read_address(lmtp, remote=allow_remote)
        workers = Workers(lambda fence: open_pipeline(state, asked, fence, sync=False), log)
        workers.recover()
        opened = open_socket(address, int(socket_mode, 8))
    except UnstoredError as error:
        raise Stop(COME_AGAIN, str(error)) from None
    except AddressError as error:
        raise Stop(USAGE, str(error)) from None
    except OSError as error:
        raise Stop(CANNOT_CREATE, f"cannot listen on {lmtp}: {(error.strerror or str(error)).lower()}") from None
    try:
        asyncio.run(_serve(opened, workers, log, state))
    finally:
        workers.close()
        if opened.fileno() >= 0:
            opened.close()
    ctx.exit(DONE)


async def _serve(opened: socket.socket, workers: Workers, log: Log, state: State) -> None:
    from pathlib import Path
    from socket import AF_UNIX, gethostname

    from bounceparse.server.lmtp import BLOCK, Lmtp

    name = opened.getsockname()
    server = Lmtp(workers.take, log, host=gethostname())
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    watch = asyncio.create_task(workers.watch())
    start = asyncio.start_unix_server if opened.family == AF_UNIX else asyncio.start_server
    listening = await start(server.serve, sock=opened, limit=BLOCK)
    log("listening", lmtp=name if isinstance(name, str) else f"{name[0]}:{name[1]}", ledger=workers.pipeline.ledger.name)
    await told.wait()
    log("stopping")
    listening.close()
    await server.stop()
    watch.cancel()
    if isinstance(name, str):
        Path(name).unlink(missing_ok=True)
    log("stopped")
