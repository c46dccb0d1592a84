"""One line for each thing that happens, as text or as JSON, without anything that a mail says and without addresses."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

from bounceparse.text import printable

FIELD = 300  # characters of one value


class Log:
    """Writes events to a stream, standard error by default."""

    def __init__(self, form: Literal["text", "json"] = "text", stream: TextIO | None = None) -> None:
        self._json = form == "json"
        self._stream = stream

    def __call__(self, event: str, **fields: object) -> None:
        """Write one event."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        clean = {name: value if isinstance(value, int) else printable(str(value), FIELD) for name, value in fields.items()}
        if self._json:
            line = json.dumps({"time": now, "event": event, **clean}, ensure_ascii=False)
        else:
            line = " ".join((now, event, *(f"{name}={_quoted(value)}" for name, value in clean.items())))
        stream = self._stream or sys.stderr
        stream.write(line + "\n")
        stream.flush()


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and " " not in text and '"' not in text else json.dumps(text, ensure_ascii=False)
