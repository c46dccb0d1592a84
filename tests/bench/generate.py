"""Input of any size, made when it is needed: mailboxes of the fixtures, mails of one size, rules without end."""

from __future__ import annotations

import base64
import random
from itertools import islice
from pathlib import Path

SEPARATOR = b"From MAILER-DAEMON Mon Jan  5 00:00:00 2026\n"
HEAD = (
    b"From: MAILER-DAEMON@mx.example.com (Mail Delivery System)\nTo: list@example.org\nSubject: Undelivered Mail Returned to Sender\n"
    b"Date: Mon, 5 Jan 2026 10:00:00 +0000\nMessage-ID: <1@mx.example.com>\nMIME-Version: 1.0\n"
)
REPORT = b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n'
STATUS = b"\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n"
ONE = b"\nFinal-Recipient: rfc822; user%d@example.net\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\n"
WORDS = (
    "the host answered",
    "that this box",
    "of yours",
    "will never",
    "be looked at",
    "again",
    "by anybody",
    "we know of",
    "unless",
    "somebody asks",
)


def mailbox(path: Path, mails: list[bytes], count: int) -> int:
    """Write a mailbox of `count` messages, the mails over and over; return its size."""
    whole = []
    for mail in mails:
        mail = mail.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ")
        whole.append(SEPARATOR + mail + (b"\n" if mail.endswith(b"\n") else b"\n\n"))
    with path.open("wb") as file:
        for _ in range(count // len(whole)):
            file.write(b"".join(whole))
        file.write(b"".join(islice(whole, count % len(whole))))
    return path.stat().st_size


def text_mail(size: int) -> bytes:
    """A report whose part for people is so many bytes of text."""
    dice = random.Random(size)
    line = (" ".join(dice.choices(WORDS, k=12)) + "\n").encode()
    body = b"Content-Type: text/plain\n\n" + line * max(1, size // len(line)) + STATUS + ONE % 1 + b"\n--b--\n"
    return HEAD + REPORT + body


def base64_mail(size: int) -> bytes:
    """A report that returns so many bytes of an attachment in base64."""
    data = base64.encodebytes(random.Random(size).randbytes(max(1, size * 3 // 4)))
    returned = b"\n--b\nContent-Type: message/rfc822\n\nSubject: hello\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n"
    return HEAD + REPORT + b"Content-Type: text/plain\n\nIt failed.\n" + STATUS + ONE % 1 + returned + data + b"\n--b--\n"


def recipients_mail(count: int) -> bytes:
    """A report about so many recipients."""
    return HEAD + REPORT + b"Content-Type: text/plain\n\nIt failed.\n" + STATUS + b"".join(ONE % n for n in range(count)) + b"\n--b--\n"


def rules(phrases: int, dialects: int) -> str:
    """A rules file with so many phrases and dialects, none of which a mail has."""
    dice = random.Random(1)

    def word() -> str:
        return "".join(dice.choices("bcdfghklmnprstvz", k=3)) + "".join(dice.choices("aeiou", k=2)) + "".join(dice.choices("bcdfgklmnprst", k=3))

    lines = []
    for number in range(phrases):
        lines.append(f'[[phrase]]\nname = "made-{number}"\nreason = "policy"\nwords = ["{word()} {word()} {word()} is {word()}"]\n')
    for number in range(dialects):
        lines.append(
            f'[dialect.made{number}]\ntitle = "Made {number}"\nseen = "2026"\n'
            f'[dialect.made{number}.claims]\nphrase = ["this is the {word()} {word()} at host"]\n'
            f'[dialect.made{number}.report]\nbegin = ["the following {word()} failed"]\nrecipient = ["<{{address}}>: {{diagnostic}}"]\n'
        )
    return "\n".join(lines)
