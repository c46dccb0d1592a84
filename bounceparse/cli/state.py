"""What every command knows: how much to say, and whether in colour. Everything that is no data goes to standard error through here."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any, Final

import click

from bounceparse.intake import weigh
from bounceparse.output.terminal import Tone, look_at, show

EVERY: Final = 0.2  # seconds between two looks at the progress


class State:
    """The global options, and the voice of the program."""

    def __init__(self) -> None:
        self.verbose = 0
        self.quiet = False
        self.no_colour = False
        self.config: str | None = None
        self.settings: dict[str, Any] = {}
        self._progress = ""

    def say(self, text: str, tone: Tone = "") -> None:
        """Write one line to standard error, whatever the text holds."""
        self.clear()
        click.echo(look_at(sys.stderr, self.no_colour).paint(show(text), tone), err=True, color=True)

    def remark(self, text: str) -> None:
        """Say something that is good to know, unless -q was given."""
        if not self.quiet:
            self.say(text)

    def detail(self, text: str) -> None:
        """Say something that only -v wants to know."""
        if self.verbose:
            self.say(text, "dim")

    def show_progress(self, text: str) -> None:
        """Write over the last progress line."""
        self.clear()
        sys.stderr.write(text)
        sys.stderr.flush()
        self._progress = text

    def clear(self) -> None:
        """Take the progress line away."""
        if self._progress:
            sys.stderr.write("\r" + " " * len(self._progress) + "\r")
            sys.stderr.flush()
            self._progress = ""


class Progress:
    """Count, rate and time left, on standard error and on a terminal only; nothing where the records themselves appear on a terminal."""

    def __init__(self, state: State, paths: Iterable[str]) -> None:
        self._state = state
        self._messages = self._bytes = 0
        self._began = self._last = time.monotonic()
        self._wanted = not state.quiet and sys.stderr.isatty() and not sys.stdout.isatty()
        self._total = weigh(paths) if self._wanted else 0

    @property
    def wanted(self) -> bool:
        return self._wanted

    def update(self, messages: int, size: int) -> None:
        self._messages += messages
        self._bytes += size
        now = time.monotonic()
        if now - self._last < EVERY:
            return
        self._last = now
        took = now - self._began
        text = f"{self._messages:,} messages, {self._messages / took:,.0f}/s"
        if self._total and self._bytes:
            left = max(0, int(took * (self._total - self._bytes) / self._bytes))
            text += f", {left // 60}:{left % 60:02} left"
        self._state.show_progress(text)


def state_of(context: click.Context) -> State:
    """Return the state of a run."""
    return context.ensure_object(State)
