"""What could not be read, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

Trouble = Literal["missing", "permission", "unreadable", "lost"]


class Failure(NamedTuple):
    """One input, or one message of it, that could not be read. `why` is half a sentence for a person and says how to mend it where that is known.

    `data` is the message where it was read and then lost, so that it can be put aside.
    """

    origin: str
    trouble: Trouble
    why: str
    data: bytes = b""

    def __str__(self) -> str:
        return f"{'standard input' if self.origin == '-' else self.origin}: {self.why}"


OnFailure = Callable[[Failure], None]


class UnreadableError(OSError):
    """An input that is there but cannot be read as mail."""


class MissingError(UnreadableError, FileNotFoundError):
    """An input that is not there."""


def raise_failure(failure: Failure) -> None:
    """Raise `failure` as the OSError that fits it: FileNotFoundError, PermissionError or UnreadableError."""
    kinds: dict[Trouble, type[OSError]] = {"missing": MissingError, "permission": PermissionError}
    raise kinds.get(failure.trouble, UnreadableError)(str(failure))


def failed(origin: str, error: BaseException) -> Failure:
    """Return the failure that an exception of the operating system or of an unpacker stands for."""
    if isinstance(error, FileNotFoundError):
        return Failure(origin, "missing", "no such file or directory")
    if isinstance(error, PermissionError):
        return Failure(origin, "permission", "no permission to read it")
    if isinstance(error, OSError) and error.strerror:
        return Failure(origin, "unreadable", error.strerror[0].lower() + error.strerror[1:])
    return Failure(origin, "unreadable", str(error) or type(error).__name__)
