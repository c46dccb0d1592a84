"""Dates as RFC 5322 writes them agree with the standard library; those of the wild are read too."""

from __future__ import annotations

import datetime
import email.utils
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceparse.wire.dates import read_date

START = datetime.datetime.fromisoformat("1950-01-02")
END = datetime.datetime.fromisoformat("9999-12-30")
SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 23 Nov 2026 11:00:00 +0100 (CET)", "2026-11-23T10:00:00Z"),
        ("Mon, 23 Nov 2026 11:00:00 +0100", "2026-11-23T10:00:00Z"),
        ("23 Nov 26 10:00 GMT", "2026-11-23T10:00:00Z"),
        ("23 Nov 99 10:00 GMT", "1999-11-23T10:00:00Z"),
        ("2 Mar 126 10:00:00", "2026-03-02T10:00:00Z"),
        ("2012-12-31 23-59-59", "2012-12-31T23:59:59Z"),
        ("2026-03-02T10:00:00.123+01:00", "2026-03-02T09:00:00Z"),
        ("2026-03-02 10:00:00Z", "2026-03-02T10:00:00Z"),
        ("Sat, 08 Feb 2025 11:22:21 GMT", "2025-02-08T11:22:21Z"),
        ("Sat, 8 Feb 2025 11:22:21 -0000", "2025-02-08T11:22:21Z"),
        ("Mo, 02 Mär 2026 10:00:00 +0100", "2026-03-02T09:00:00Z"),
        ("lundi 5 juin 2026 10:00:00", "2026-06-05T10:00:00Z"),
        ("5 juil. 2026 10:00", "2026-07-05T10:00:00Z"),
        ("Mon Mar  2 10:00:00 CET 2026", "2026-03-02T09:00:00Z"),
        ("Mon Mar  2 10:00:00 2026", "2026-03-02T10:00:00Z"),
        ("Mar 2, 2026 10:00:00", "2026-03-02T10:00:00Z"),
        ("31.12.2012 23:59", "2012-12-31T23:59:00Z"),
        ("Sun, 1 Jan 2026 10.00.00 +0000", "2026-01-01T10:00:00Z"),
        ("Mon, 5 Jan 2026 10:00:00 GMT+0200", "2026-01-05T08:00:00Z"),
        ("Mon, 2 Mar 2026 10:00:00 PST8PDT", "2026-03-02T18:00:00Z"),
        ("Mon, (really) 5 Jan 2026 10:00:00", "2026-01-05T10:00:00Z"),
        ("Mon,\n\t5 Jan 2026\n 10:00:00 EST", "2026-01-05T15:00:00Z"),
        ("Tue, 31 Dec 1999 23:30:00 -0100", "2000-01-01T00:30:00Z"),
        ("Wed, 1 Mar 2000 00:30:00 +0100", "2000-02-29T23:30:00Z"),
        ("Thu, 1 Mar 1900 00:30:00 +0100", "1900-02-28T23:30:00Z"),
        ("Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59Z"),
        ("Mon, 5 Jan 2026 10:00:00 XYZ", "2026-01-05T10:00:00Z"),
        ("Mon, 5 Jan 2026 10:00:00 +9999", "2026-01-05T10:00:00Z"),
    ],
)
def test_seen_forms(value: str, expected: str) -> None:
    assert read_date(value) == expected


@pytest.mark.parametrize(
    "value",
    ["", "soon", "29 Feb 2023 10:00", "31 Apr 2026 10:00:00", "0 Jan 2026 10:00", "1 Foo 2026 10:00", "1 Jan 2026 24:00", "1 Jan 2026 10:60",
     "1 Jan 2026 10:00:61", "2026-13-01 10:00", "1 Jan 0001 00:00:00 +0100", "31 Dec 9999 23:59:00 -0100", "2026-03-02", "((((((", "()" * 500,
     "٣ Jan 2026 10:00"],
)  # fmt: skip
def test_what_cannot_be_read_is_empty(value: str) -> None:
    assert read_date(value) == ""


@given(
    st.datetimes(min_value=START, max_value=END),
    st.integers(-1439, 1439),
    st.sampled_from(["%a, %d %b %Y %H:%M:%S %z", "%d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M %z", "%a,  %d  %b  %Y  %H:%M:%S  %z (XYZ)"]),
)
def test_agrees_with_the_standard_library(moment: datetime.datetime, offset: int, form: str) -> None:
    value = moment.replace(tzinfo=datetime.timezone(datetime.timedelta(minutes=offset))).strftime(form)
    oracle = email.utils.parsedate_to_datetime(value).astimezone(datetime.UTC)
    assert read_date(value) == oracle.strftime("%Y-%m-%dT%H:%M:%SZ")


@given(st.text(max_size=80) | st.text("0123456789 :-+,./TZJanFebMr()", max_size=60))
def test_any_text_is_read_or_empty(value: str) -> None:
    read = read_date(value)
    assert read == "" or (SHAPE.fullmatch(read) and read_date(read) == read)
