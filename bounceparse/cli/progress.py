"""How far a run is, on standard error and on a terminal only: messages, bytes, rate, time left, and what was found so far.

With the package rich it is a bar that is drawn again and again, without it one line that is written over. No thread draws it: processes are forked
meanwhile.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from bounceparse.intake import weigh

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from bounceparse.cli.state import State

EVERY: Final = 0.2  # seconds between two looks at the progress
TONES: Final = {"hard": "red", "soft": "yellow", "delay": "yellow", "complaint": "magenta"}


class Progress:
    """Counts what was read, and shows it where it helps: nothing where the records themselves appear on a terminal."""

    def __init__(self, state: State, paths: Iterable[str], tally: Counter[str] | None = None, to_file: bool = False) -> None:
        self._state = state
        self._tally = tally
        self.messages = self.bytes = self.skipped = 0
        self._began = self._last = time.monotonic()
        self.wanted = not state.quiet and sys.stderr.isatty() and (to_file or not sys.stdout.isatty())
        self._total = weigh(paths) if self.wanted else 0
        self._bar = _Bar.open(state) if self.wanted else None

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self._began, 1e-6)

    def update(self, messages: int, size: int) -> None:
        """Take how much was read since the last call; no message but bytes for what was read by an earlier run."""
        self.messages += messages
        self.bytes += size
        if not messages:
            self.skipped += size
        now = time.monotonic()
        if not self.wanted or now - self._last < EVERY:
            return
        self._last = now
        took = self.seconds
        done = self.bytes - self.skipped
        left = -1
        if self._total and done:
            left = max(0, int(took * (self._total - self.bytes) / done))
        rate = f"{self.messages / took:,.0f}/s"
        if self._bar is not None:
            share = self.bytes / self._total if self._total else None
            self._bar.draw(share, [f"{self.messages:,} messages", megabytes(self.bytes), rate], left, self._tally or Counter())
            return
        text = f"{self.messages:,} messages, {rate}"
        self._state.show_progress(text + (f", {clock(left)} left" if left >= 0 else ""))


def clock(seconds: int) -> str:
    """Return a span of time as people write it: 0:07, 12:30, 1:02:03."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def megabytes(size: int) -> str:
    """Return a number of bytes in the unit that fits it."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.1f} {unit}" if isinstance(size, float) else f"{size} {unit}"
        size = size / 1000  # type: ignore[assignment]
    return f"{size:.1f} GB"


class _Bar:
    """The same drawn by rich, in two lines that go away when something else is said."""

    def __init__(self, live: Live) -> None:
        self._live = live

    @classmethod
    def open(cls, state: State) -> _Bar | None:
        """Return a bar; None without rich, or on a terminal that cannot go back."""
        try:
            from rich.console import Console
            from rich.live import Live
        except ImportError:
            return None
        console = Console(stderr=True, no_color=state.no_colour or None, highlight=False)
        if not console.is_terminal or console.is_dumb_terminal:
            return None
        bar = cls(Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False))
        state.on_clear = bar.clear
        return bar

    def draw(self, share: float | None, facts: list[str], left: int, tally: Counter[str]) -> None:
        if not self._live.is_started:
            self._live.start()
        self._live.update(self._lines(share, facts, left, tally), refresh=True)

    def clear(self) -> None:
        if self._live.is_started:
            self._live.stop()

    def _lines(self, share: float | None, facts: list[str], left: int, tally: Counter[str]) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        from bounceparse.cli.reading import plural

        line = Table.grid(padding=(0, 2))
        if share is not None:
            facts = [f"{min(share, 1):4.0%}", *facts]
        if left >= 0:
            facts.append(f"{clock(left)} left")
        cells: list[RenderableType] = [Text(fact, no_wrap=True) for fact in facts]
        if share is not None:
            cells.insert(0, ProgressBar(total=1, completed=min(share, 1), width=20))
        line.add_row(*cells)
        counts = Text(no_wrap=True, overflow="ellipsis")
        for word, number in sorted(tally.items(), key=lambda item: (-item[1], item[0])):
            counts.append(f"{', ' if counts else ''}{number:,} {plural(word, number)}", style=TONES.get(word, ""))
        return Group(line, counts)
