"""Dates of reports as RFC 3339 in UTC.

One pattern takes what RFC 5322 writes, the obsolete zones and two-digit years included; a second one the other orders that were seen. No clock, no
calendar module: the shift to UTC is integer arithmetic and never moves more than a day or two.
"""

from __future__ import annotations

import re
from typing import Final

_TIME: Final = r"([0-9]{1,2})[:.-]([0-9]{2})(?:[:.-]([0-9]{2}))?(?:[.,][0-9]{1,9})?"
_ZONE: Final = r"(?:(?:GMT|UTC?)?([+-])([0-9]{2}):?([0-9]{2})\b|\(?([A-Za-z]{1,5}))?"
_MONTH: Final = r"([^\W\d_]{3,9})"
_WEEKDAY: Final = r"\s*(?:[^\W\d_]{2,12}\.?,?\s{1,9})?"
_USUAL: Final = re.compile(rf"{_WEEKDAY}([0-9]{{1,2}})\.?[\s-]{{1,9}}{_MONTH}\.?[\s-]{{1,9}}([0-9]{{2,4}}),?\s{{1,9}}{_TIME}\s{{0,9}}{_ZONE}")
_ISO: Final = re.compile(rf"\s*([0-9]{{4}})[-/]([0-9]{{1,2}})[-/]([0-9]{{1,2}})(?:[T\s]\s{{0,9}}){_TIME}\s{{0,9}}{_ZONE}")
_ASCTIME: Final = re.compile(
    rf"{_WEEKDAY}{_MONTH}\.?\s{{1,9}}([0-9]{{1,2}}),?\s{{1,9}}(?:([0-9]{{4}})\s{{1,9}})?{_TIME}\s{{0,9}}{_ZONE}\s{{0,9}}([0-9]{{4}})?"
)
_DOTTED: Final = re.compile(rf"\s*([0-9]{{1,2}})\.([0-9]{{1,2}})\.([0-9]{{4}}),?\s{{1,9}}{_TIME}\s{{0,9}}{_ZONE}")
_PLAIN: Final = re.compile(
    r"(?:[A-Z][a-z][a-z], )?([0-9]{1,2}) ([A-Z][a-z][a-z]) ([0-9]{4}) ([0-9][0-9]):([0-5][0-9]):([0-5][0-9]) ([+-])([0-9][0-9])([0-9][0-9])\b"
)
"""What nearly everybody writes: no choices and no classes of letters, so it costs a fifth of the pattern that takes all of RFC 5322."""
_COMMENT: Final = re.compile(r"\([^()]{0,200}\)")

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen", "feb fev fév", "mar mär mrz maa", "apr abr avr", "may mai mei mag maj", "jun giu juin", "jul lug juil",
            "aug ago aoû", "sep set", "oct okt ott out", "nov", "dec dez dic déc",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
"""Month by the first three or four letters of its name: English, and what localised senders write."""

_ZONES: Final = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480,
    "pdt": -420, "akst": -540, "akdt": -480, "hst": -600, "brt": -180, "west": 60, "bst": 60, "cet": 60, "met": 60, "mez": 60, "cest": 120,
    "mest": 120, "mesz": 120, "eet": 120, "sast": 120, "eest": 180, "msk": 180, "ist": 330, "hkt": 480, "sgt": 480, "awst": 480, "jst": 540,
    "kst": 540, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780,
}  # fmt: skip
"""Minutes east of UTC. Other names mean nothing that can be known, and are read as UTC (RFC 5322 4.3)."""

_PLAIN_MONTHS: Final = {name.title(): number for name, number in _MONTHS.items()}
_TWO: Final = tuple(f"{number:02d}" for number in range(100))  # a look-up is a tenth of a format
_DAYS: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def read_date(value: str) -> str:
    """Return a date as `2026-11-23T10:00:00Z`, "" when it cannot be read; without a known zone it is taken as UTC.

    Takes RFC 5322 3.3 and 4.3, ISO 8601, asctime and `31.12.2012 23:59`, with `-` or `.` between hours and minutes too.
    """
    match = _PLAIN.match(value)
    if match is not None:
        day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
        number = _PLAIN_MONTHS.get(month)
        if number is not None:
            return _utc(_int(year), number, _int(day), _int(hour), _int(minute), _int(second), _offset(sign, hours, minutes, None))
    match = _USUAL.match(value)
    if match is not None:
        day, month, year, hour, minute, second, sign, hours, minutes, zone = match.groups()
        return _utc(_year(year), _month(month), int(day), int(hour), int(minute), int(second or 0), _offset(sign, hours, minutes, zone))
    return _read_odd(value)


def _read_odd(value: str) -> str:
    value = value[:200]
    match = _ISO.match(value)
    if match is not None:
        year, number, day, hour, minute, second, sign, hours, minutes, zone = match.groups()
        return _utc(int(year), int(number), int(day), int(hour), int(minute), int(second or 0), _offset(sign, hours, minutes, zone))
    match = _ASCTIME.match(value)
    if match is not None:
        month, day, early, hour, minute, second, sign, hours, minutes, zone, late = match.groups()
        year = early or late or "0"
        return _utc(int(year), _month(month), int(day), int(hour), int(minute), int(second or 0), _offset(sign, hours, minutes, zone))
    match = _DOTTED.match(value)
    if match is not None:
        day, number, year, hour, minute, second, sign, hours, minutes, zone = match.groups()
        return _utc(int(year), int(number), int(day), int(hour), int(minute), int(second or 0), _offset(sign, hours, minutes, zone))
    if "(" in value:
        return read_date(_COMMENT.sub(" ", value).replace("(", " "))
    return ""


def _int(digits: str) -> int:
    """Return a number; of what is known to be text it takes half the time."""
    return int(digits)


def _year(text: str) -> int:
    """RFC 5322 4.3: two digits below 50 are of this century, other short years count from 1900."""
    year = int(text)
    return year if len(text) == 4 else year + 2000 if len(text) == 2 and year < 50 else year + 1900


def _month(name: str) -> int:
    return _MONTHS.get(name[:3].lower()) or _MONTHS.get(name[:4].lower()) or 0


def _offset(sign: str | None, hours: str | None, minutes: str | None, zone: str | None) -> int:
    if sign and hours and minutes:
        east = int(hours) * 60 + int(minutes)
        return (east if sign == "+" else -east) if east < 1440 else 0
    return _ZONES.get(zone.lower(), 0) if zone else 0


def _utc(year: int, month: int, day: int, hour: int, minute: int, second: int, offset: int) -> str:
    if not (1 <= month <= 12 and day >= 1 and (day <= 28 or day <= _length(year, month)) and year and hour <= 23 and minute <= 59 and second <= 60):
        return ""
    if second == 60:
        second = 59
    if offset:
        total = hour * 60 + minute - offset
        hour, minute = total // 60 % 24, total % 60
        if total < 0:
            day -= 1
            if day == 0:
                month -= 1
                if month == 0:
                    year, month = year - 1, 12
                day = _length(year, month)
        elif total >= 1440:
            day += 1
            if day > _length(year, month):
                day, month = 1, month + 1
                if month == 13:
                    year, month = year + 1, 1
        if not 1 <= year <= 9999:
            return ""
    two = _TWO
    return "".join([two[year // 100], two[year % 100], "-", two[month], "-", two[day], "T", two[hour], ":", two[minute], ":", two[second], "Z"])


def _length(year: int, month: int) -> int:
    """Days of a month, Gregorian."""
    return 28 if month == 2 and (year % 4 or (year % 100 == 0 and year % 400)) else _DAYS[month]
