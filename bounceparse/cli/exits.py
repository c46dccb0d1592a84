"""How a command ends: the exit codes, the one line that says what was wrong, and the quiet ways out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Final

import click

DONE: Final = 0
SOME_UNREAD: Final = 1
USAGE: Final = 2
NOTHING_READ: Final = 65
NO_INPUT: Final = 66
CANNOT_CREATE: Final = 73
NO_PERMISSION: Final = 77
BAD_CONFIG: Final = 78
INTERRUPTED: Final = 130


class Stop(click.ClickException):
    """The end of a command, with one line for the user and an exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


_WORDS: Final = (
    ("Invalid value for", "wrong value for"),
    ("Missing argument", "missing"),
    ("Missing parameter:", "missing"),
    ("requires an argument", "needs a value"),
)


def explain_usage(error: click.UsageError) -> str:
    """Return what is wrong with a command line and how to mend it, in one line."""
    message = " ".join(error.format_message().split()).rstrip(".")
    if isinstance(error, click.NoSuchOption):
        message = f"no such option {error.option_name!r}"
        if error.possibilities:
            message += f"; did you mean {' or '.join(sorted(error.possibilities))}?"
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours)
    path = error.ctx.command_path if error.ctx is not None else "bounceparse"
    return f"{path}: {message[:1].lower()}{message[1:]}; see '{path} --help'"


def hush() -> None:
    """Point standard output at nothing, after its reader went away: the last flush must not complain."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
    except (OSError, ValueError):
        return
    os.close(nothing)


class Whole:
    """Writes blocks of whole records; Ctrl-C waits until the block is out, and a second one does not."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._writing = self._asked = False

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self._writing or self._asked:
            raise KeyboardInterrupt
        self._asked = True

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Take Ctrl-C over, as long as this lasts; where it is ignored, or outside the main thread, which never gets it, do nothing."""
        try:
            before = signal.getsignal(signal.SIGINT)
            if before != signal.SIG_IGN:
                signal.signal(signal.SIGINT, self._interrupt)
        except ValueError:
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def write(self, data: bytes) -> None:
        """Write and flush `data`; raises KeyboardInterrupt after it when Ctrl-C came meanwhile."""
        self._writing = True
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._stream.write(rest) :]
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            hush()
            raise Stop(CANNOT_CREATE, f"cannot write: {(error.strerror or str(error)).lower()}") from None
        finally:
            self._writing = False
        if self._asked:
            self._asked = False
            raise KeyboardInterrupt
