"""What `serve --http` opens: the socket, who may come, and what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bounceparse.cli.exits import BAD_CONFIG, CANNOT_CREATE, NO_INPUT, USAGE, Stop
from bounceparse.cli.options import build_engine, open_verp
from bounceparse.cli.storing import Storing, open_policy

if TYPE_CHECKING:
    import socket

    from bounceparse.cli.state import State
    from bounceparse.server.access import Access
    from bounceparse.server.listen import Address
    from bounceparse.server.log import Log
    from bounceparse.server.serving import HttpServer


def open_api(state: State, asked: Storing, where: str, file: str | None, mode: int, log: Log) -> tuple[socket.socket, HttpServer]:
    """Return the socket and the server of the HTTP API; raises Stop for what is set wrong.

    Addresses that other machines can reach are refused as long as no token is needed there.
    """
    try:
        from bounceparse.ledger import Ledger, LedgerError
        from bounceparse.server.http import build_app
        from bounceparse.server.listen import AddressError, open_socket
        from bounceparse.server.serving import HttpServer
        from bounceparse.server.work import Work
    except ImportError as error:
        raise Stop(BAD_CONFIG, f"the HTTP API needs more packages: pip install 'bounceparse[server]' ({error})") from None
    access = read_access(file)
    address = _check_address(where, access)
    policy = open_policy(asked["policy"])
    engine = build_engine(asked["rules"], (), open_verp(asked["verp"], asked["secret_file"], state))
    try:
        ledger = Ledger(asked["ledger"]) if asked["ledger"] else None
        if ledger is None and access.services:
            raise Stop(USAGE, "mail services need a ledger to report to; add --ledger bounces.db")
        opened = open_socket(address, mode)
    except LedgerError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    except AddressError as error:
        raise Stop(USAGE, str(error)) from None
    except OSError as error:
        raise Stop(CANNOT_CREATE, f"cannot listen on {where}: {(error.strerror or str(error)).lower()}") from None
    return opened, HttpServer(build_app(Work(engine, policy, ledger, access.services, places=access.places), access, log))


def read_access(file: str | None) -> Access:
    """Return who may come; raises Stop for a file that is missing or wrong."""
    from bounceparse.server.access import Access, load_access
    from bounceparse.tables import TableError

    if not file:
        return Access()
    try:
        access = load_access(file)
    except TableError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    except FileNotFoundError as error:
        raise Stop(NO_INPUT, f"no such file: {error.filename}") from None
    except OSError as error:
        raise Stop(BAD_CONFIG, f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}") from None
    return access


def _check_address(where: str, access: Access) -> Address:
    from bounceparse.server.listen import AddressError, read_address

    try:
        address = read_address(where, remote=True)
    except AddressError as error:
        raise click.BadParameter(str(error), param_hint="'--http'") from None
    if not access.tokens:
        try:
            return read_address(where)
        except AddressError:
            raise Stop(USAGE, f"{address} can be reached by other machines; name tokens in a file, and it with --access") from None
    return address
