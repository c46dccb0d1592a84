"""When a reply asks to come again: "try again in 5 minutes", "retry after 00:10:00", "再试 60 秒"."""

from __future__ import annotations

import re
from typing import Final

_WAIT: Final = re.compile(
    r"(?:in|after|for|within|wait|dans|en|em|tra|fra|over|za|через|about|another|noch) "
    r"(\d{1,6}) ?(s|sec|secs|seconds?|m|min|mins|minutes?|h|hrs?|hours?|"
    r"sekunden?|minuten?|stunden?|secondes?|heures?|segundos?|minutos?|horas?|secondi|minuti|ore|sekund|minut|godzin|секунд|минут|часов)\b"
    r"|(?:retry|again|back|delay|wait)(?: later)?(?: in| after| for)? (\d{1,2}) (\d\d) (\d\d)\b"
    r"|(?:retry after|retry in|again in|again after) (\d{1,6}) (?![smhгчм]|час)"
    r"|(\d{1,4}) ?(秒|分|分钟|分後|分以)"
)
_WAITING: Final = (
    " sec", " min", " hour", " h ", " m ", " s ", " hr", "retry", "again", "wait", "delay", "back", "minut", "sekund", "second", "segund", "stund",
    "heure", "hora", " ore ", "godzin", "минут", "секунд", "час", "秒", "分",
)  # fmt: skip
"""A text without any of them names no time: looking for them first is ten times as fast as the pattern."""


def read_wait(words: str) -> int | None:
    """Return the seconds after which the reply asks to be tried again, None when it names no time."""
    match = _WAIT.search(words) if any(map(words.__contains__, _WAITING)) else None
    if match is None:
        return None
    number, unit, hours, minutes, seconds, plain, eastern, eastern_unit = match.groups()
    if hours is not None:
        return int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    if plain is not None:
        return int(plain)
    if eastern is not None:
        return int(eastern) * (1 if eastern_unit == "秒" else 60)
    letter = unit[0]
    if letter in "mм":
        return int(number) * 60
    if letter in "hгч" or unit.startswith(("stund", "or", "godz")):
        return int(number) * 3600
    return int(number)
