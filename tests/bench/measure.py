"""Times many readers over the same mails in one process, in turns, so that a busy machine slows all of them alike.

What is counted is CPU time of the process, which does not grow while others have the processor.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

ROUNDS = 7
BLOCK = 64  # items after which the next reader has its turn
ROOT = Path(__file__).parent.parent.parent
FIXTURES = ROOT / "fixtures" / "bounces"

Reader = Callable[[Any], object]


class Line(NamedTuple):
    """One reader on one set: the median over the rounds, in microseconds for one item, and its ratio to the yardstick (above 1: faster)."""

    reader: str
    microseconds: float
    ratio: float


def corpus() -> Path | None:
    """A folder of mail to measure on: $BOUNCEPARSE_CORPUS, or ../shared/corpus/mail, or none."""
    named = os.environ.get("BOUNCEPARSE_CORPUS")
    folder = Path(named) if named else ROOT.parent / "shared" / "corpus" / "mail"
    return folder if folder.is_dir() else None


def mails(folder: Path) -> list[bytes]:
    """Every message file below `folder`, in a fixed order."""
    return [path.read_bytes() for path in sorted(folder.rglob("*.eml"))]


def interleaved(readers: dict[str, Reader], items: Sequence[Any], yardstick: str, rounds: int = ROUNDS) -> list[Line]:
    """The readers' medians over `rounds`, after one that is not counted; the readers have their turns at each block of items."""
    times: dict[str, list[float]] = {name: [] for name in readers}
    names = list(readers)
    for turn in range(rounds + 1):
        taken = dict.fromkeys(names, 0.0)
        for at in range(0, len(items), BLOCK):
            block = items[at : at + BLOCK]
            names.append(names.pop(0))
            for name in names:
                read = readers[name]
                start = process_time()
                for item in block:
                    read(item)
                taken[name] += process_time() - start
        if turn:
            for name, seconds in taken.items():
                times[name].append(seconds * 1e6 / len(items))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return [Line(name, medians[name], medians[yardstick] / medians[name]) for name in readers]


def import_times(statements: Sequence[str], yardstick: str, rounds: int = 11) -> list[Line]:
    """What each import takes in a fresh interpreter, the interpreter's own start not counted."""
    times: dict[str, list[float]] = {statement: [] for statement in statements}
    for turn in range(rounds + 1):
        for statement in statements:
            code = f"from time import process_time as t; s = t(); {statement}; print(t() - s)"
            taken = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
            if turn:
                times[statement].append(taken * 1e6)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return [Line(name, medians[name], medians[yardstick] / medians[name]) for name in statements]


def table(title: str, lines: Sequence[Line]) -> str:
    """The lines as text, for a terminal."""
    width = max(len(line.reader) for line in lines)
    rows = [f"  {line.reader:<{width}}  {line.microseconds:>10,.1f} µs  {line.ratio:>7.2f}×" for line in lines]
    return "\n".join([title, *rows])
