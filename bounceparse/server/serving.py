"""Runs the HTTP API on a socket that somebody opened, until it is told to stop; then the requests that are being worked on are finished."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_NODELAY, socket
from typing import Any, Final

import uvicorn

KEPT: Final = 15  # seconds that an idle connection is kept
CONNECTIONS: Final = 200
GRACE: Final = 20  # seconds to finish in
HEADERS: Final = 32_768  # bytes of the header fields of a request


class HttpServer(uvicorn.Server):
    """uvicorn, which leaves signals to the program."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=CONNECTIONS,
                timeout_keep_alive=KEPT,
                timeout_graceful_shutdown=GRACE,
                h11_max_incomplete_event_size=HEADERS,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield

    async def run_on(self, opened: socket, told: asyncio.Event) -> None:
        """Serve until `told` is set."""
        if opened.family in (AF_INET, AF_INET6):
            opened.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)  # connections inherit it; head and body of an answer are two packets, and 40 ms apart else
        serving = asyncio.create_task(self.serve(sockets=[opened]))
        waiting = asyncio.create_task(told.wait())
        await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self.should_exit = True
        await serving
