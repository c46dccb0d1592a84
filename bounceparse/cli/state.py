"""What every command knows: how much to say, and whether in colour. Everything that is no data goes to standard error through here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from bounceparse.output.terminal import Tone, look_at, show


class State:
    """The global options, and the voice of the program."""

    def __init__(self) -> None:
        self.verbose = 0
        self.quiet = False
        self.no_colour = False
        self.config: str | None = None
        self.settings: dict[str, Any] = {}
        self.mask: Callable[[str], str] | None = None  # what --redact does to everything that is said
        self._progress = ""
        self.on_clear: Callable[[], None] | None = None  # takes a drawn progress away

    def say(self, text: str, tone: Tone = "") -> None:
        """Write one line to standard error, whatever the text holds."""
        self.clear()
        if self.mask is not None:
            text = self.mask(text)
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
        """Take the progress away."""
        if self.on_clear is not None:
            self.on_clear()
        if self._progress:
            sys.stderr.write("\r" + " " * len(self._progress) + "\r")
            sys.stderr.flush()
            self._progress = ""


def state_of(context: click.Context) -> State:
    """Return the state of a run."""
    return context.ensure_object(State)
