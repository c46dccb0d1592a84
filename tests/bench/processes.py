"""What a run of the program costs, all its processes together: seconds of the wall and of the processors, and the most memory each had."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

PROGRAM = (sys.executable, "-m", "bounceparse")
EVERY = 0.02  # seconds between two looks at the memory


class Cost(NamedTuple):
    """Seconds, and MiB: of the process itself, and of the largest of those it started."""

    wall: float
    cpu: float
    memory: float
    worker: float


def cost_of(*command: str) -> Cost:
    """Run the program to its end, its output thrown away."""
    before, start = os.times(), time.perf_counter()
    process = subprocess.Popen([*PROGRAM, *command], stdout=subprocess.DEVNULL)
    own = worker = 0
    while process.poll() is None:
        own = max(own, _most(process.pid))
        worker = max([worker, *(_most(child) for child in _children(process.pid))])
        time.sleep(EVERY)
    wall, after = time.perf_counter() - start, os.times()
    assert process.returncode == 0, command
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(wall, cpu, own / 1024, worker / 1024)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


def _most(pid: int) -> int:
    """The most memory that a process had so far, in KiB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


_SPIN = "from time import perf_counter as t\ns = t(); n = 0\nwhile t() - s < 1: n += 1\nprint(n)"


def two_at_once() -> float:
    """How much more two processes get done at once than one alone, now: 2 on two free processors, 1 on one, or when others have them."""

    def spin(count: int) -> int:
        running = [subprocess.Popen([sys.executable, "-c", _SPIN], stdout=subprocess.PIPE, text=True) for _ in range(count)]
        return sum(int(process.communicate()[0]) for process in running)

    return spin(2) / spin(1)
