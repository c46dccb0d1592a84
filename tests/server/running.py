"""A real server on the loopback interface, in a thread, and a small client for it."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from bounceparse.server.access import Access
from bounceparse.server.http import build_app
from bounceparse.server.log import Log
from bounceparse.server.serving import HttpServer
from bounceparse.server.work import Work


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """One server: `api("GET", "/healthz")`."""

    def __init__(self, port: int, log: io.StringIO) -> None:
        self.port = port
        self.log = log

    def __call__(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, token: str = "") -> Reply:
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        elif body is not None:
            sent.setdefault("Content-Type", "message/rfc822")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def raw(self, data: bytes, wait: float = 30.0) -> bytes:
        """Send bytes as they are and return what comes until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as stream:
            stream.sendall(data)
            found = b""
            while chunk := stream.recv(65_536):
                found += chunk
            return found


@contextmanager
def running(work: Work, access: Access | None = None, **limits: Any) -> Iterator[Api]:
    opened = socket.create_server(("127.0.0.1", 0))
    log = io.StringIO()
    app = build_app(work, access, Log(stream=log), **limits)
    loop = asyncio.new_event_loop()
    told = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(HttpServer(app).run_on(opened, told)), daemon=True)
    thread.start()
    try:
        yield Api(opened.getsockname()[1], log)
    finally:
        loop.call_soon_threadsafe(told.set)
        thread.join(30)
        assert not thread.is_alive()
        loop.close()
