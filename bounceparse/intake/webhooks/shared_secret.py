"""What the services that bring a shared secret have in common; the file of each says what its events are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar

from bounceparse.intake.webhooks.request import Batch, Fields, Request, read_objects
from bounceparse.intake.webhooks.told import Told
from bounceparse.intake.webhooks.verify import check_secret, keep_recent


class SharedSecret(ABC):
    """Believes requests that bring the secret."""

    name: str
    age = 3 * 86_400  # seconds; they try again for a day at most, and may hold batches back
    once: ClassVar[str] = ""  # the header field that names a request, where the service has one

    def __init__(self, secret: str, *, age: int | None = None) -> None:
        if not secret:
            raise ValueError("no secret")
        self.age = self.age if age is None else age
        self._secret = secret

    def read(self, request: Request, now: datetime) -> Batch:
        """Return the events of one request: one of them, or a list."""
        check_secret(request, self._secret)
        return self.sort(read_objects(request.body), now, request.header(self.once))

    def sort(self, events: list[Fields], now: datetime, once: str = "") -> Batch:
        """Return the events that say something and are not too old."""
        told = [one for one in map(self.tell, events) if one is not None]
        return Batch(keep_recent(told, now, self.age), once, ignored=len(events) - len(told))

    @abstractmethod
    def tell(self, event: Fields) -> Told | None:
        """Return what one event tells, None when it says nothing about delivery."""
