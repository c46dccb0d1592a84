"""What happens elsewhere or at once, and ports for servers of our own."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def wait_for(what: Callable[[], object], seconds: float = 30, say: Callable[[], str] = str) -> None:
    """Return when something is so; fail after some seconds, and say why."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, say()
        time.sleep(0.05)


def at_once(work: Callable[[T], U], items: Collection[T]) -> list[U]:
    """Return what `work` gives for each item, all begun at one time in threads of their own; raises what one of them raises."""
    barrier = Barrier(len(items))

    def begin(item: T) -> U:
        barrier.wait()
        return work(item)

    with ThreadPoolExecutor(len(items)) as threads:
        return list(threads.map(begin, items))


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on, below those that systems give to connections: none of them is taken meanwhile."""
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = random.SystemRandom().randrange(15_000, 32_000)
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
        return ports
