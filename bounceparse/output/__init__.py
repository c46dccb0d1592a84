"""The only writers: each renders records for its own medium, and escapes for it.

A writer gives `head`, then `render(rows)` for each batch of records with `join` between those that are not empty, then `tail`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bounceparse.record import Record


class Writer(Protocol):
    """How records look in one format. Frozen and picklable, so that a worker process can render what it read."""

    @property
    def head(self) -> bytes: ...

    @property
    def join(self) -> bytes: ...

    @property
    def tail(self) -> bytes: ...

    def render(self, rows: list[Record]) -> bytes: ...
