"""Replies that are no mail: one a line, in the logs of Postfix and Exim, or in a column of a CSV file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

Format = Literal["lines", "postfix", "exim", "csv"]


class Said(NamedTuple):
    """One reply and what stands around it. `action` is that of a delivery report (RFC 3464 2.3.3), `arrived` an RFC 3339 time in UTC or empty."""

    number: int  # of the line, from 1
    text: str
    recipient: str = ""
    original: str = ""
    status: str = ""
    action: str = ""
    remote: str = ""
    arrived: str = ""


class ColumnError(ValueError):
    """A CSV file without a column of replies."""


TEXTS: Final = ("diagnostic", "diagnostic_code", "reply", "response", "smtp_response", "message", "text", "error", "description", "reason")
RECIPIENTS: Final = ("recipient", "email", "address", "to", "rcpt", "email_address", "recipient_email")
STATUSES: Final = ("status", "enhanced_status", "dsn", "dsn_status", "enhanced_status_code")

_POSTFIX: Final = re.compile(
    r"postfix(?:-[\w.-]{1,64})?/[\w/-]{1,64}\[\d+\]: [0-9A-Za-z]{5,32}: to=<([^>]{0,320})>,"
    r"(?: orig_to=<([^>]{0,320})>,)?(?: relay=([^,]{0,512}),)?.{0,400}? dsn=(\d\.\d{1,3}\.\d{1,3}), status=(\w+) \((.*)\)\s*\Z"
)
_POSTFIX_ACTIONS: Final = {
    "sent": "delivered", "bounced": "failed", "undeliverable": "failed", "expired": "failed", "deferred": "delayed", "deliverable": "delivered",
}  # fmt: skip
_EXIM: Final = re.compile(
    r"(?:\[\d+\] )?[0-9A-Za-z]{6,11}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} (\*\*|==|=>|->|>>) (\S{1,320}|<[^>]{0,320}>)"
    r"(?: \(([^)]{1,320})\))?(?: <([^>]{0,320})>)?(.*)\Z"
)
_EXIM_ACTIONS: Final = {"**": "failed", "==": "delayed", "=>": "delivered", "->": "delivered", ">>": "delivered"}
_EXIM_FIELD: Final = re.compile(r"\s*(?:[A-Z]{1,3}=(?:\"[^\"]{0,512}\"|\[[^\]]{0,64}\]|\S{1,512})(?: \[[^\]]{1,64}\](?::\d+)?)?|defer \(-?\d+\)):?")
_EXIM_HOST: Final = re.compile(r" H=(\S{1,255})")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d{1,9})?(?: ?(Z|[+-]\d\d:?\d\d))?")


def read_replies(lines: Iterable[bytes], form: Format) -> Iterator[Said]:
    """Yield each reply of `lines`. For "lines" every line is one, also an empty one; in a log, lines about no delivery are passed over.

    Raises ColumnError for "csv" when no column looks like replies.
    """
    if form == "csv":
        yield from _read_csv(lines)
        return
    reader = {"lines": _read_line, "postfix": _read_postfix, "exim": _read_exim}[form]
    for number, line in enumerate(lines, 1):
        said = reader(number, line.decode("utf-8", "replace").rstrip("\r\n"))
        if said is not None:
            yield said


def _read_line(number: int, line: str) -> Said:
    return Said(number, line)


def _read_postfix(number: int, line: str) -> Said | None:
    found = _POSTFIX.search(line)
    if found is None:
        return None
    recipient, original, relay, status, word, text = found.groups()
    remote = (relay or "").partition("[")[0]
    if remote in ("none", "local", "virtual"):
        remote = ""
    return Said(number, text, recipient, original or "", status, _POSTFIX_ACTIONS.get(word, ""), remote, _time(line))


def _read_exim(number: int, line: str) -> Said | None:
    found = _EXIM.search(line)
    if found is None:
        return None
    mark, address, inner, original, rest = found.groups()
    if "@" not in address and original and "@" in original:
        address, original = original, ""
    host = _EXIM_HOST.search(rest)
    at = 0
    while (field := _EXIM_FIELD.match(rest, at)) is not None:
        at = field.end()
    text = rest[at:].lstrip(": ")
    confirmed = re.search(r' C="([^"]{1,2000})"', rest)
    if mark not in ("**", "=="):
        text = confirmed[1] if confirmed else ""
    return Said(number, text, (inner or address).strip("<>:"), original or "", "", _EXIM_ACTIONS[mark], host[1] if host else "", _time(line))


def _read_csv(lines: Iterable[bytes]) -> Iterator[Said]:
    import csv

    csv.field_size_limit(1 << 20)
    reader = csv.reader(line.decode("utf-8-sig" if not number else "utf-8", "replace").replace("\0", " ") for number, line in enumerate(lines))
    names = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in next(reader, [])]

    def column(known: tuple[str, ...]) -> int:
        return next((names.index(name) for name in known if name in names), -1)

    text, recipient, status = column(TEXTS), column(RECIPIENTS), column(STATUSES)
    if text < 0:
        raise ColumnError(f"no column of replies among {', '.join(names) or 'no columns'}; name one of them {TEXTS[0]}")
    for row in reader:
        if row:
            cells = [row[at].strip() if 0 <= at < len(row) else "" for at in (text, recipient, status)]
            yield Said(reader.line_num, cells[0], cells[1], "", cells[2] if _STATUS.fullmatch(cells[2]) else "")


def _time(line: str) -> str:
    """Return the time at the start of a line in UTC; empty where the line does not say the year or the zone."""
    found = _TIME.match(line)
    if found is None or not found[3]:
        return ""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3]}")
    except ValueError:
        return ""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
