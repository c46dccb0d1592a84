"""Where messages come from: files, standard input, directories, mailboxes and archives, one at a time and never all at once.

What a file holds is told by its content, never by its name. Input is only ever read. What cannot be read is a `Failure`, handed to the caller's
`on_failure`; the rest goes on.
"""

from __future__ import annotations

from bounceparse.intake.failure import Failure, MissingError, OnFailure, UnreadableError, raise_failure
from bounceparse.intake.files import read, read_file, read_slice, read_stream
from bounceparse.intake.units import Slice, Unit, read_unit, units
from bounceparse.intake.walk import Entry, walk, weigh

__all__ = [
    "Entry",
    "Failure",
    "MissingError",
    "OnFailure",
    "Slice",
    "Unit",
    "UnreadableError",
    "raise_failure",
    "read",
    "read_file",
    "read_slice",
    "read_stream",
    "read_unit",
    "units",
    "walk",
    "weigh",
]
