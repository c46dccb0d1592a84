"""Suppression lists as other systems give them: which person, why, since when, and in whose words.

The form is told by the names of the columns, or by the shape of what has none. Nothing is judged here: what an SMTP reply in a list is worth is for
whoever imports it to say.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Any, Final, Literal

from msgspec import Struct

Why = Literal["bounce", "complaint", "unsubscribe", "manual", "own"]
FORMS: Final = ("auto", "own", "ses", "sendgrid", "mailgun", "postmark", "mailchimp", "listmonk", "phplist", "plain")
LONGEST: Final = 1_000_000  # characters of one field; some exports carry a whole mail in one


class Listed(Struct, frozen=True):
    """One line of a list."""

    line: int
    address: str
    why: Why
    reply: str = ""  # the SMTP reply, where there is one
    reason: str = ""  # in our words, in lists of our own
    since: datetime | None = None
    until: datetime | None = None
    scope: str = "everywhere"
    place: str = ""
    said: str = ""  # what the list says beside that


class ListError(ValueError):
    """A list that cannot be read."""


Row = dict[str, str]
Reader = Callable[[int, Row], Listed | None]


def read_list(lines: Iterable[str], form: str = "auto") -> Iterator[Listed]:
    """Yield the persons of a list, those that it says are active left out; raises ListError for one that is not in the form it should be.

    `form` is one of FORMS. Texts are CSV with commas, semicolons or tabs, or JSON.
    """
    source = iter(lines)
    first = next((line for line in source if line.strip("\ufeff \t\r\n")), "").lstrip("\ufeff")
    if first.lstrip().startswith(("{", "[")):
        yield from _read_json(first, source, form)
        return
    csv.field_size_limit(LONGEST)
    rows = csv.reader(chain([first], source), delimiter=_delimiter(first))
    try:
        head = next(rows, [])
        names = tuple(_name(cell) for cell in head)
        read = _reader(form, frozenset(names), head)
        headless = any("@" in cell for cell in head)
        if headless:
            names = ("address", "reason", "since")[: len(head)]
        for number, cells in enumerate(chain([head], rows) if headless else rows, 1 if headless else 2):
            if any(cell.strip() for cell in cells):
                found = read(number, dict(zip(names, (cell.strip() for cell in cells), strict=False)))
                if found is not None:
                    yield found
    except csv.Error as error:
        raise ListError(f"line {rows.line_num}: {error}") from None


def _name(cell: str) -> str:
    return "".join(letter for letter in cell.strip().lower() if letter.isalnum())


def _delimiter(first: str) -> str:
    return max(",;\t", key=first.count)


def _reader(form: str, names: frozenset[str], head: list[str]) -> Reader:
    """Return how to read a row; raises ListError when the columns are not those of the form."""
    if form == "auto":
        form = next((name for name, marks in _MARKS if marks <= names), "")
        if not form and (any("@" in cell for cell in head)):
            form = "ses" if len(head) > 1 and head[1].strip().upper() in _SES else "plain"
        if not form and names & _ADDRESS:
            form = "plain"
        if not form:
            raise ListError(f"no list that is known: its columns are {', '.join(head)[:200] or 'none'}; --from says what it is")
    reader = _READERS[form]
    if not names & _ADDRESS and not any("@" in cell for cell in head):
        raise ListError(f"no column for addresses in a list of the form {form}: {', '.join(head)[:200] or 'none'}")
    return reader


_ADDRESS: Final = frozenset({"address", "email", "emailaddress", "recipient", "recipients", "contactemail"})
_SES: Final[dict[str, Why]] = {"BOUNCE": "bounce", "COMPLAINT": "complaint"}
_POSTMARK: Final[dict[str, Why]] = {"hardbounce": "bounce", "spamcomplaint": "complaint", "manualsuppression": "manual"}
_MARKS: Final = (
    ("own", frozenset({"address", "reason", "scope", "since"})),
    ("listmonk", frozenset({"email", "status", "uuid"})),
    ("sendgrid", frozenset({"email", "reason", "status", "created"})),
    ("sendgrid", frozenset({"email", "created"})),
    ("mailgun", frozenset({"address", "createdat"})),
    ("mailgun", frozenset({"address", "code"})),
    ("postmark", frozenset({"suppressionreason"})),
    ("mailchimp", frozenset({"emailaddress", "cleantime"})),
    ("mailchimp", frozenset({"emailaddress", "unsubtime"})),
    ("phplist", frozenset({"email", "blacklisted"})),
    ("ses", frozenset({"emailaddress", "reason"})),
)


def _address(row: Row) -> str:
    address = next((row[name] for name in ("address", "emailaddress", "email", "recipient", "recipients", "contactemail") if row.get(name)), "")
    return address[1:] if address[:1] == "'" and address[1:2] in "=+-@" else address  # as our own CSV keeps spreadsheets from running it


def _own(line: int, row: Row) -> Listed | None:
    return Listed(
        line,
        _address(row),
        "own",
        reason=row.get("reason", ""),
        since=read_time(row.get("since", "")),
        until=read_time(row.get("until", "")),
        scope=row.get("scope") or "everywhere",
        place=row.get("place", ""),
        said=row.get("why", ""),
    )


def _ses(line: int, row: Row) -> Listed | None:
    why = _SES.get(row.get("reason", "").upper(), "bounce")
    return Listed(line, _address(row), why, since=read_time(row.get("lastupdatetime") or row.get("since", "")))


def _sendgrid(line: int, row: Row) -> Listed | None:
    since = read_time(row.get("created", ""))
    if "reason" in row:
        return Listed(line, _address(row), "bounce", f"{row.get('status', '')} {row['reason']}".strip(), since=since)
    return Listed(line, _address(row), "complaint" if "ip" in row else "unsubscribe", since=since)


def _mailgun(line: int, row: Row) -> Listed | None:
    since = read_time(row.get("createdat", ""))
    if "code" in row or "error" in row:
        return Listed(line, _address(row), "bounce", f"{row.get('code', '')} {row.get('error', '')}".strip(), since=since)
    return Listed(line, _address(row), "unsubscribe" if row.keys() & {"tag", "tags"} else "complaint", since=since)


def _postmark(line: int, row: Row) -> Listed | None:
    why = _POSTMARK.get(_name(row.get("suppressionreason", "")), "bounce")
    if why == "manual" and row.get("origin", "").lower() == "recipient":
        why = "unsubscribe"
    return Listed(line, _address(row), why, since=read_time(row.get("createdat", "")))


def _mailchimp(line: int, row: Row) -> Listed | None:
    if row.get("cleantime"):
        return Listed(line, _address(row), "bounce", since=read_time(row["cleantime"]), said=row.get("cleancampaigntitle", ""))
    if "unsubtime" in row:
        complained = "spam" in row.get("unsubreason", "").lower() or "abuse" in row.get("unsubreason", "").lower()
        return Listed(
            line, _address(row), "complaint" if complained else "unsubscribe", since=read_time(row["unsubtime"]), said=row.get("unsubreason", "")
        )
    return Listed(line, _address(row), "bounce")


def _listmonk(line: int, row: Row) -> Listed | None:
    if row.get("status", "").lower() != "blocklisted":
        return None
    return Listed(line, _address(row), "manual", since=read_time(row.get("updatedat", "")))


def _phplist(line: int, row: Row) -> Listed | None:
    if row.get("blacklisted", "").strip().lower() in ("", "0", "no", "false"):
        return None
    return Listed(line, _address(row), "manual", since=read_time(row.get("modified", "")))


def _plain(line: int, row: Row) -> Listed | None:
    return Listed(line, _address(row), "manual")


_READERS: Final[dict[str, Reader]] = {
    "own": _own,
    "ses": _ses,
    "sendgrid": _sendgrid,
    "mailgun": _mailgun,
    "postmark": _postmark,
    "mailchimp": _mailchimp,
    "listmonk": _listmonk,
    "phplist": _phplist,
    "plain": _plain,
}


def _read_json(first: str, rest: Iterator[str], form: str) -> Iterator[Listed]:
    """Yield the persons of JSON lines, or of a document as the services' interfaces give it."""
    try:
        documents: Iterable[Any] = chain([json.loads(first)], (json.loads(line) for line in rest if line.strip()))
    except (json.JSONDecodeError, RecursionError):
        documents = [_whole(first + "".join(rest))]
    number = 0
    try:
        for document in documents:
            for entry in _entries(document):
                number += 1
                row = {_name(name): "" if value is None else str(value) for name, value in entry.items() if isinstance(value, str | int | None)}
                found = _reader(form, frozenset(row), list(entry))(number, row)
                if found is not None:
                    yield found
    except (json.JSONDecodeError, RecursionError) as error:
        raise ListError(f"entry {number + 1} is no JSON: {error}") from None


def _whole(text: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ListError(f"no JSON: {error}") from None


def _entries(document: Any) -> list[dict[str, Any]]:
    if isinstance(document, dict):
        for name in ("SuppressedDestinationSummaries", "Suppressions", "items", "results"):
            if isinstance(document.get(name), list):
                document = document[name]
                break
        else:
            document = [document]
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise ListError("JSON, but no list of persons")
    return document


def read_time(text: str) -> datetime | None:
    """Return a time as lists write it: ISO 8601, seconds since 1970, or RFC 5322; without a zone it is UTC. None for anything else."""
    text = text.strip().removesuffix(" UTC").strip()
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text) / (1000 if len(text) > 11 else 1), UTC)
        moment = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
