"""One HTTP request of a mail service, and why it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from bounceparse.intake.webhooks.told import Told

BODY: Final = 8 << 20  # bytes of one request; the largest batches that services send stay under 4 MiB
EVENTS: Final = 10_000  # events of one request
SKEW: Final = 300  # seconds that a clock may be ahead of ours


class RefusedError(Exception):
    """A request that is not believed, or cannot be read. `status` is that of the HTTP answer; the text is safe to send and to log."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Request(Struct, frozen=True):
    """What came: the header fields by their lower-case names, and the body as it was sent, byte for byte."""

    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header field, "" when it is not there."""
        return self.headers.get(name, "")


class Batch(Struct, frozen=True):
    """What a believed request tells.

    `once` names the request itself where the service makes each unique, so that its copy is known; `answer` is what the service wants to hear;
    `remark` is for the operator.
    """

    told: tuple[Told, ...] = ()
    once: str = ""
    answer: dict[str, str] = {}
    remark: str = ""
    ignored: int = 0  # events about opens, clicks and the like


class Service(Protocol):
    """One mail service: who may say what."""

    name: str
    age: int  # seconds after which a request or an event is too old

    def read(self, request: Request, now: datetime) -> Batch:
        """Return what a request tells; raises RefusedError when it is not believed."""


class Fields:
    """A JSON object of which nothing is sure: every reader gives a value of the asked kind, empty when there is none."""

    __slots__ = ("_values",)

    def __init__(self, values: object) -> None:
        self._values: dict[Any, Any] = values if isinstance(values, dict) else {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def text(self, *names: str) -> str:
        """Return the first of these fields that is a text or a number, as text."""
        for name in names:
            value = self._values.get(name)
            if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
                return str(value)
        return ""

    def switch(self, name: str) -> bool:
        return self._values.get(name) is True

    def inner(self, name: str) -> Fields:
        return Fields(self._values.get(name))

    def all(self, name: str) -> list[Fields]:
        """Return the objects of a list."""
        value = self._values.get(name)
        return [Fields(item) for item in value[:EVENTS] if isinstance(item, dict)] if isinstance(value, list) else []

    def texts(self, name: str) -> list[str]:
        """Return the texts of a list."""
        value = self._values.get(name)
        return [item for item in value[:EVENTS] if isinstance(item, str)] if isinstance(value, list) else []


def read_json(body: bytes | str, status: int = 400) -> Any:
    """Return what a JSON text holds; raises RefusedError with `status` when it is none: 401 where the signature would be in it."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise RefusedError(status, "the body is no JSON") from None


def read_objects(body: bytes) -> list[Fields]:
    """Return the objects of a body that holds one or a list of them; raises RefusedError for anything else."""
    found = read_json(body)
    items = found if isinstance(found, list) else [found]
    if not all(isinstance(item, dict) for item in items):
        raise RefusedError(400, "the body holds no events")
    if len(items) > EVENTS:
        raise RefusedError(413, f"more than {EVENTS:,} events in one request")
    return [Fields(item) for item in items]
