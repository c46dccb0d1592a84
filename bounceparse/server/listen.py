"""Where a server listens: a socket in the file system, or an address and a port, of this machine unless it is asked otherwise."""

from __future__ import annotations

import ipaddress
import socket
import stat
from pathlib import Path

from msgspec import Struct

PATH = 100  # bytes of the path of a socket; 107 is what Linux has room for


class AddressError(ValueError):
    """An address that nobody can or should listen on, and how to mend it."""


class Address(Struct, frozen=True):
    """A path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return self.path or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")


def read_address(text: str, *, remote: bool = False) -> Address:
    """Return what `unix:/path`, `/path`, `host:port`, `[::1]:port` or a port alone stand for; raises AddressError.

    With `remote`, other machines may be let in.
    """
    path = text.removeprefix("unix:")
    if text.startswith("unix:") or "/" in text:
        if not path or len(path.encode()) > PATH:
            raise AddressError(f"{text!r} is no path of a socket, or longer than {PATH} bytes")
        return Address(path)
    host, _, port = text.removeprefix("inet:").rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or not 0 <= int(port) < 65_536:
        raise AddressError(f"{text!r} has no port; write 127.0.0.1:24, or /run/bounceparse/lmtp.sock")
    if not remote and host != "localhost":
        try:
            local = ipaddress.ip_address(host).is_loopback
        except ValueError:
            local = False
        if not local:
            raise AddressError(f"{host} can be reached by other machines, and whoever can reach it is believed; add --allow-remote if that is wanted")
    return Address(host=host, port=int(port))


def open_socket(address: Address, mode: int = 0o660) -> socket.socket:
    """Return a socket that listens there, in place of a dead one; raises AddressError when somebody does already, OSError when it cannot be."""
    if not address.path:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(found[0], socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(found[4])
            opened.listen()
        except BaseException:
            opened.close()
            raise
        return opened
    path = Path(address.path)
    if path.exists():
        _clear(path)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        opened.bind(address.path)
        path.chmod(mode)
        opened.listen()
    except BaseException:
        opened.close()
        raise
    return opened


def _clear(path: Path) -> None:
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise AddressError(f"{path} is there and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise AddressError(f"somebody listens on {path} already")
