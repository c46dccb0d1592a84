"""Suppression lists of other systems, in and out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bounceparse.intake.lists import Listed, ListError, read_list, read_time
from bounceparse.model import Suppression
from bounceparse.output.lists import FORMS, write_list

DAY = datetime(2026, 1, 12, 9, 14, 1, tzinfo=UTC)


def read(text: str, form: str = "auto") -> list[Listed]:
    return list(read_list(text.splitlines(keepends=True), form))


def short(text: str, form: str = "auto") -> list[tuple[str, str, str]]:
    return [(found.address, found.why, found.reply) for found in read(text, form)]


A, B, C = "a@example.org", "b@example.org", "c@example.org"

GIVEN = {
    "ses.csv": (f"{A},BOUNCE\r\n{B},COMPLAINT\r\n", [(A, "bounce", ""), (B, "complaint", "")]),
    "ses-console.csv": (f"Email address,Reason,Last update time\n{A},Bounce,2026-01-12T09:14:01Z\n", [(A, "bounce", "")]),
    "ses.json": (
        f'{{\n "SuppressedDestinationSummaries": [\n  {{"EmailAddress": "{A}", "Reason": "COMPLAINT",\n'
        '   "LastUpdateTime": "2026-01-12T09:14:01+00:00"}\n ]\n}\n',
        [(A, "complaint", "")],
    ),
    "ses-import.jsonl": (
        f'{{"emailAddress":"{A}","reason":"BOUNCE"}}\n{{"emailAddress":"{B}","reason":"COMPLAINT"}}\n',
        [(A, "bounce", ""), (B, "complaint", "")],
    ),
    "sendgrid-bounces.csv": (
        f'status,reason,email,created\n5.1.1,"550 5.1.1 The email account that you tried to reach, does not exist",{A},1768209241\n',
        [(A, "bounce", "5.1.1 550 5.1.1 The email account that you tried to reach, does not exist")],
    ),
    "sendgrid-spam.csv": (f"email,ip,created\n{A},192.0.2.1,1768209241\n", [(A, "complaint", "")]),
    "sendgrid-unsubscribes.csv": (f"email,created\n{A},1768209241\n", [(A, "unsubscribe", "")]),
    "mailgun-bounces.csv": (
        f'address,code,error,created_at\n{A},550,"5.1.1 No such user","Mon, 12 Jan 2026 09:14:01 UTC"\n',
        [(A, "bounce", "550 5.1.1 No such user")],
    ),
    "mailgun-complaints.csv": (f'address,created_at\n{A},"Mon, 12 Jan 2026 09:14:01 GMT"\n', [(A, "complaint", "")]),
    "mailgun-unsubscribes.csv": (f"address,tags,created_at\n{A},*,2026-01-12 09:14:01\n", [(A, "unsubscribe", "")]),
    "postmark.csv": (
        f"EmailAddress,SuppressionReason,Origin,CreatedAt\n{A},HardBounce,Recipient,2026-01-12T04:14:01-05:00\n{B},SpamComplaint,Recipient,\n"
        f"{C},ManualSuppression,Recipient,\n",
        [(A, "bounce", ""), (B, "complaint", ""), (C, "unsubscribe", "")],
    ),
    "postmark.json": (
        f'{{"Suppressions":[{{"EmailAddress":"{A}","SuppressionReason":"ManualSuppression","Origin":"Customer","CreatedAt":"2026-01-12T09:14:01Z"}}]}}',
        [(A, "manual", "")],
    ),
    "mailchimp-cleaned.csv": (
        f'"Email Address","First Name","MEMBER_RATING","CLEAN_TIME","CLEAN_CAMPAIGN_TITLE","LEID"\n{A},Ann,2,"2026-01-12 09:14:01","January","1"\n',
        [(A, "bounce", "")],
    ),
    "mailchimp-unsubscribed.csv": (
        f'"Email Address","UNSUB_TIME","UNSUB_REASON"\n{A},"2026-01-12 09:14:01","NORMAL"\n{B},"2026-01-12 09:14:01","ABUSE"\n',
        [(A, "unsubscribe", ""), (B, "complaint", "")],
    ),
    "listmonk.csv": (
        f'uuid,email,name,attributes,status,created_at,updated_at\n1,{A},Ann,"{{}}",blocklisted,x,2026-01-12T09:14:01Z\n2,{B},Bob,"{{}}",enabled,,\n',
        [(A, "manual", "")],
    ),
    "phplist.csv": (f"id\temail\tconfirmed\tblacklisted\tbouncecount\n1\t{A}\t1\t1\t5\n2\t{B}\t1\t0\t0\n", [(A, "manual", "")]),
    "phplist.txt": (f"{A}\n\n{B}\n", [(A, "manual", ""), (B, "manual", "")]),
    "excel.csv": (f"\ufeffName;E-Mail Address;Reason\nAnn;{A};x\n".replace("E-Mail", "Email"), [(A, "bounce", "")]),
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_others_give(name: str) -> None:
    text, expected = GIVEN[name]
    assert short(text) == expected
    times = [found.since for found in read(text) if found.since]
    assert set(times) <= {DAY}
    assert times or name.startswith(("ses", "phplist", "excel"))


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("colour,size\nred,1\n", "auto", "no list that is known: its columns are colour, size"),
        ("colour,size\nred,1\n", "ses", "no column for addresses"),
        ('{"colour": 1', "auto", "no JSON"),
        ('["a"]', "auto", "no list of persons"),
        ("[" * 100_000, "auto", "no JSON"),
        ('{"email":"a@example.org","created":1}\n{"email":\n', "auto", "no JSON"),
        ("", "auto", "none"),
        ('email,created\n"' + "x" * 1_100_000, "auto", "field larger"),
    ],
)
def test_what_is_no_list(text: str, form: str, words: str) -> None:
    with pytest.raises(ListError, match=words):
        read(text, form)


HELD = [
    Suppression(A, "user_unknown", since=DAY, why="=no such user, they say", policy="default/user_unknown", added_by="policy"),
    Suppression(B, "feedback_complaint", "sender", "news@example.com", DAY),
    Suppression(C, "unsubscribe", "list", "news.example.com", DAY),
    Suppression("d@example.org", "mailbox_full", since=DAY, until=DAY.replace(year=2027)),
    Suppression("@example.net", "manual", "domain", since=DAY),
    Suppression("", "manual", since=DAY),
    Suppression("+1@example.org", "manual", since=DAY),
]


def write(form: str) -> tuple[str, int]:
    blocks = list(write_list(HELD, form))
    return b"".join(data for data, _ in blocks).decode(), sum(left for _, left in blocks)


def test_what_others_take() -> None:
    wire = {form: write(form) for form in FORMS}
    assert wire["ses"] == (f"{A},BOUNCE\n{B},COMPLAINT\n{C},BOUNCE\nd@example.org,BOUNCE\n", 3)
    assert wire["sendgrid"][0] == f"email\n{A}\n{B}\n{C}\nd@example.org\n"
    assert wire["mailgun"] == (
        f'address,code,error,created_at\n{A},550,user unknown,"Mon, 12 Jan 2026 09:14:01 GMT"\n'
        'd@example.org,550,mailbox full,"Mon, 12 Jan 2026 09:14:01 GMT"\n',
        5,
    )
    assert wire["mailgun-complaints"] == (f'address,created_at\n{B},"Mon, 12 Jan 2026 09:14:01 GMT"\n', 6)
    assert wire["mailgun-unsubscribes"] == (f'address,tags,created_at\n{C},*,"Mon, 12 Jan 2026 09:14:01 GMT"\n', 6)
    assert f"{B},SpamComplaint,Recipient,2026-01-12T09:14:01Z\n" in wire["postmark"][0]
    assert wire["mailchimp"][0].startswith(f"Email Address\n{A}\n")
    assert wire["listmonk"][0].startswith(f"email,name,attributes\n{A},,{{}}\n")
    assert wire["mautic"] == (f"email,doNotEmail\n{A},1\n{B},1\n{C},1\nd@example.org,1\n", 3)
    assert wire["mailtrain"] == wire["sendgrid"]
    assert wire["phplist"] == wire["plain"] == (f"{A}\n{B}\n{C}\nd@example.org\n", 3)


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("own", "sendgrid", "mailchimp", "listmonk", "mautic", "mailtrain")])
def test_what_is_written_can_be_read(form: str) -> None:
    text, left = write(form)
    found = read(text)
    assert len(found) == len(HELD) - left
    assert {entry.address for entry in found} <= {held.address for held in HELD}


def test_our_own_form_keeps_everything() -> None:
    text, left = write("own")
    assert left == 1, "a forgotten person has no address to give"
    assert "'=no such user" in text
    again = [
        Suppression(found.address, found.reason, found.scope, found.place, found.since, found.until)  # type: ignore[arg-type]
        for found in read(text)
    ]
    wanted = [Suppression(held.address, held.reason, held.scope, held.place, held.since, held.until) for held in HELD if held.address]
    assert again == wanted


@pytest.mark.parametrize("text", ["", "never", "0000", "9" * 30, "Mon, 99 Jan 2026", "2026-13-01", "-1"])
def test_no_times(text: str) -> None:
    assert read_time(text) is None or text == "0000"
