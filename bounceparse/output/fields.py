"""The fields of a record by name, for columns and for --fields: `status`, `original.from`, `original.headers.X-Campaign`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bounceparse.model import Original
from bounceparse.nearest import nearest
from bounceparse.record import Record, RecordDecision, RecordProof

Getter = Callable[[Record], object]

ORIGINAL: Final = {"from" if name == "sender" else name: name for name in Original.__struct_fields__}
PROOF: Final = RecordProof.__struct_fields__
DECISION: Final = RecordDecision.__struct_fields__
HEADERS: Final = "original.headers."

NAMES: Final = (
    *Record.__struct_fields__,
    *(f"original.{name}" for name in ORIGINAL),
    *(f"proof.{name}" for name in PROOF),
    *(f"decision.{name}" for name in DECISION),
    "bounceparse_reason",  # beside the reason in the words of another system
)

FLAT: Final = tuple(
    flat
    for name in Record.__struct_fields__
    if name not in ("schema", "evidence", "decision")
    for flat in (
        [f"original.{inner}" for inner in ORIGINAL if inner != "headers"]
        if name == "original"
        else [f"proof.{inner}" for inner in PROOF]
        if name == "proof"
        else [name]
    )
)
"""The columns of a flat table: every field that is one word or line."""


class FieldError(ValueError):
    """A field name that no record has."""


def check_fields(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return `names` as they are; raises FieldError, with the nearest name, for one that no record has."""
    for name in names:
        if name not in NAMES and not (name.startswith(HEADERS) and len(name) > len(HEADERS)):
            near = nearest(name, NAMES, 0.5)
            raise FieldError(f"no field {name!r}" + (f"; did you mean {near!r}?" if near else f"; there are: {', '.join(NAMES)}"))
    return names


def getter(name: str) -> Getter:
    """Return the function that reads the field `name` from a record."""
    first, _, rest = name.partition(".")
    if name == "bounceparse_reason":
        return lambda row: getattr(row, name, row.reason)
    if not rest:
        return lambda row: getattr(row, name)
    if name.startswith(HEADERS):
        wanted = name[len(HEADERS) :].lower()
        return lambda row: next((value for key, value in row.original.headers.items() if key.lower() == wanted), "")
    if first == "original":
        inner = ORIGINAL[rest]
        return lambda row: getattr(row.original, inner)
    if first == "decision":
        return lambda row: getattr(row.decision, rest, "")
    return lambda row: getattr(row.proof, rest)
