"""Generators of hostile mail: each takes a size in bytes and returns a message of about that size.

Every one stands for an input that made some mail software slow, greedy or fall over: deep or wide MIME trees, endless lines and headers, quadratic
parameter and encoded-word readers, charsets that are code, patterns that backtrack over blanks, brackets, at signs, digits, dots and quotes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

Bomb = Callable[[int], bytes]

DAEMON: Final = (
    b"Return-Path: <>\nFrom: Mail Delivery System <mailer-daemon@example.org>\nTo: sender@example.org\nSubject: Undelivered Mail Returned to Sender\n"
    b"Date: Mon, 2 Mar 2026 10:00:00 +0100\nMIME-Version: 1.0\n"
)
TEXT: Final = DAEMON + b"Content-Type: text/plain; charset=utf-8\n\nYour message could not be delivered.\n\n"
REPORT: Final = (
    DAEMON + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nYour message could not be delivered.\n\n"
    b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
)
RECIPIENT: Final = (
    b"Final-Recipient: rfc822; user%d@example.com\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <user%d@example.com>: unknown\n\n"
)
ATTACHED: Final = b"\n--b\nContent-Type: message/rfc822\n\n"
TAIL: Final = ATTACHED + b"From: sender@example.org\nTo: user1@example.com\nSubject: hello\nMessage-ID: <1@example.org>\n\nhi\n--b--\n"


def fill(unit: bytes, size: int) -> bytes:
    """`unit` as often as it fits into `size`."""
    return unit * max(1, size // len(unit))


def numbered(unit: bytes, size: int) -> bytes:
    """`unit` with a running number in it, as often as it fits into `size`."""
    marks = unit.count(b"%d")
    return b"".join(unit % ((number,) * marks) for number in range(max(1, size // (len(unit) + 2 * marks))))


# Trees


def nested(size: int) -> bytes:
    levels = size // 80
    opening = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(levels))
    return DAEMON + opening + b"\nx\n" + b"".join(b"--b%d--\n" % n for n in reversed(range(levels)))


def nested_unclosed(size: int) -> bytes:
    return DAEMON + numbered(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n', size) + b"\nx\n"


def nested_messages(size: int) -> bytes:
    return DAEMON + fill(b"Content-Type: message/rfc822\n\n", size) + b"\nx\n"


def nested_both(size: int) -> bytes:
    return DAEMON + numbered(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\nContent-Type: message/rfc822\n\n', size) + b"\nx\n"


def nested_reports(size: int) -> bytes:
    return numbered(DAEMON.rstrip(b"\n") + b'\nContent-Type: multipart/report; boundary="b%d"\n\n--b%d\nContent-Type: message/rfc822\n\n', size)


def text_below_levels(size: int) -> bytes:
    opening = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(300))
    return DAEMON + opening + b"\n" + fill(b"the quick brown fox jumps over the lazy dog\n", size)


def parts(size: int) -> bytes:
    return DAEMON + b"Content-Type: multipart/mixed; boundary=b\n\n" + fill(b"--b\nContent-Type: text/plain\n\nx\n", size) + b"--b--\n"


def bare_parts(size: int) -> bytes:
    return DAEMON + b"Content-Type: multipart/mixed; boundary=b\n\n" + fill(b"--b\n\nx\n", size)


def wide_tree(size: int) -> bytes:
    branch = numbered(b'--b\nContent-Type: multipart/mixed; boundary="c%d"\n\n--c%d\n\nx\n', size)
    return DAEMON + b"Content-Type: multipart/mixed; boundary=b\n\n" + branch


def big_parts(size: int) -> bytes:
    part = b"--b\nContent-Type: text/html\n\n" + b"<b>" * 1_000 + b"\n"
    return DAEMON + b"Content-Type: multipart/mixed; boundary=b\n\n" + fill(part, size)


def status_parts(size: int) -> bytes:
    part = b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n" + RECIPIENT + b"\n"
    return DAEMON + b"Content-Type: multipart/report; boundary=b\n\n" + numbered(part, size)


def boundary_prefixes(size: int) -> bytes:
    return DAEMON + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + fill(b"--bx\n", size)


def boundary_and_blanks(size: int) -> bytes:
    return DAEMON + b"Content-Type: multipart/mixed; boundary=b\n\n" + (b"--b" + b" " * (size // 20) + b"x\n") * 20


def boundaries_within_boundaries(size: int) -> bytes:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=%s\n\n--%s\n" % (b"b" * n, b"b" * n) for n in range(1, 68))
    return DAEMON + opening + b"\n" + fill(b"--" + b"b" * 68 + b"\n", size)


def one_boundary_everywhere(size: int) -> bytes:
    return DAEMON + fill(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n", size)


def huge_boundary(size: int) -> bytes:
    name = b"b" * (size // 3)
    return DAEMON + b"Content-Type: multipart/mixed; boundary=" + name + b"\n\n--" + name + b"\n\nx\n--" + name + b"--\n"


def empty_boundary(size: int) -> bytes:
    return DAEMON + b'Content-Type: multipart/mixed; boundary=""\n\n' + fill(b"--\n", size)


def no_boundary(size: int) -> bytes:
    return DAEMON + b"Content-Type: multipart/mixed\n\n" + fill(b"--b \n", size)


# Lines and headers


def long_line(encoding: bytes, unit: bytes) -> Bomb:
    return lambda size: DAEMON + b"Content-Type: text/plain\nContent-Transfer-Encoding: " + encoding + b"\n\n" + fill(unit, size) + b"\n"


def header_lines(unit: bytes) -> Bomb:
    return lambda size: DAEMON + numbered(unit, size) + b"\nYour message could not be delivered.\n"


def folded(start: bytes, unit: bytes) -> Bomb:
    return lambda size: start + fill(unit, size) + b"\n" + DAEMON + b"\nYour message could not be delivered.\n"


def only(unit: bytes) -> Bomb:
    return lambda size: fill(unit, size)


def in_text(unit: bytes, start: bytes = b"") -> Bomb:
    return lambda size: TEXT + start + fill(unit, size) + b"x\n"


def in_html(unit: bytes) -> Bomb:
    return lambda size: TEXT.replace(b"text/plain", b"text/html") + fill(unit, size) + b"\n"


def in_field(name: bytes, unit: bytes, start: bytes = b"") -> Bomb:
    """A report whose only recipient has `unit` again and again in one field."""
    return lambda size: (
        REPORT + b"Final-Recipient: rfc822; user@example.com\n" + name + b": " + start + fill(unit, size) + b"x\nAction: failed\n" + TAIL
    )


def in_content_type(unit: bytes, start: bytes = b"") -> Bomb:
    def made(size: int) -> bytes:
        filled = numbered(unit, size) if b"%d" in unit else fill(unit, size)
        return DAEMON + b"Content-Type: text/plain; charset=x" + start + filled + b"\n\nYour message could not be delivered. \xff\n"

    return made


# Reports


def recipients(size: int) -> bytes:
    return REPORT + numbered(RECIPIENT, size) + TAIL


def recipients_without_blank_lines(size: int) -> bytes:
    return REPORT + numbered(RECIPIENT.replace(b"\n\n", b"\n"), size) + TAIL


def one_recipient_again(size: int) -> bytes:
    return REPORT + fill(RECIPIENT % (1, 1), size) + TAIL


def nameless_recipients(size: int) -> bytes:
    return REPORT + fill(b"Action: failed\nStatus: 5.0.0\n\n", size) + TAIL


def poor_recipients(size: int) -> bytes:
    """Recipients without diagnostic beside a text that names others."""
    half = size // 2
    text = numbered(b"<other%d@example.com>: unknown user\n", half)
    groups = numbered(b"Final-Recipient: rfc822; user%d@example.com\nAction: failed\nStatus: 5.1.1\n\n", half)
    return REPORT.replace(b"delivered.\n\n--b", b"delivered.\n\n" + text + b"\n--b") + groups + TAIL


def encoded_messages(size: int) -> bytes:
    mail = TEXT + b"x"
    while len(mail) < size // 2:
        inner = base64.encodebytes(mail)
        mail = DAEMON + b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + inner
    return mail


def charset(label: bytes, body: bytes) -> Bomb:
    def made(size: int) -> bytes:
        text = base64.encodebytes(fill(body, size * 3 // 4))
        return DAEMON + b"Content-Type: text/plain; charset=" + label + b"\nContent-Transfer-Encoding: base64\n\n" + text + b"\n"

    return made


UNITS: Final = {
    "blanks": b" ",
    "tabs": b"\t",
    "angles": b"<",
    "unclosed addresses": b"<a@example.com ",
    "ats": b"@",
    "address": b"a@b.example ",
    "glued": b"a@b.",
    "digits": b"5",
    "dots": b".",
    "codes": b"550 ",
    "statuses": b"5.1.1 ",
    "replies": b"550 5.1.1 ",
    "quotes": b'"',
    "brackets": b"(",
    "squares": b"[",
    "colons": b":",
    "semicolons": b";",
    "commas": b",",
    "hyphens": b"-",
    "equals": b"=",
    "words": b"=?utf-8?q?=41?= ",
    "half words": b"=?utf-8?b?",
    "escapes": b"\\",
    "slashes": b"http://",
    "letters": b"a",
    "the blanks": b"the" + b" " * 1000 + b"x",
    "high": b"\xc3\xa4",
    "broken": b"\xff",
    "nulls": b"\0",
    "hashes": b"#",
    "plus": b"+41",
    "hex": b"\\x{41}",
    "user": b"user unknown ",
    "said": b"said: ",
    "retry": b"retry in ",
    "list": b"listed by ",
    "pipes": b"|",
    "stars": b"*",
}
"""What is repeated where free text may stand."""
LINES: Final = {
    "quoted": b"> ",
    "address lines": b"<a@b.example>:\n",
    "reply lines": b"550 5.1.1 <a@b.example> no\n",
    "dialogue": b">>> RCPT To:<a@b.example>\n<<< 550 no\n",
    "separators": b"--- Below this line is a copy of the message.\n",
    "field lines": b"Final-Recipient: rfc822; a@b.example\n",
    "indented": b"    a@b.example\n",
    "empty": b"\n",
    "blank": b"  \n",
    "colon lines": b"a:\n",
    "to lines": b"To: a@b.example\n",
    "dashes": b"-----\n",
    "soft": b"=\n",
    "returns": b"\r",
    "forms": b"\f\n",
    "wide replies": b" " * 2_000 + b"550x\n",
    "wide commands": b"rcpt to\n" + b" " * 2_000 + b"x\n",
    "wide marks": b"<<<" + b"\t" * 2_000 + b"550,000 bytes\n",
    "from lines": b"From a@b.example\n",
    "single": b"x\n",
    "reasons": b"Reason: mailbox full\n",
}
"""What is repeated line by line in a notice."""

BOMBS: Final[dict[str, Bomb]] = {
    made.__name__: made
    for made in (
        nested,
        nested_unclosed,
        nested_messages,
        nested_both,
        nested_reports,
        text_below_levels,
        parts,
        bare_parts,
        wide_tree,
        big_parts,
        status_parts,
        boundary_prefixes,
        boundary_and_blanks,
        boundaries_within_boundaries,
        one_boundary_everywhere,
        huge_boundary,
        empty_boundary,
        no_boundary,
        recipients,
        recipients_without_blank_lines,
        one_recipient_again,
        nameless_recipients,
        poor_recipients,
        encoded_messages,
    )
}
BOMBS |= {
    "line of text": long_line(b"7bit", b"a"),
    "line of base64": long_line(b"base64", b"QUJD"),
    "line of quoted-printable": long_line(b"quoted-printable", b"=41"),
    "line of uuencode": long_line(b"x-uuencode", b"begin 644 a\nM"),
    "soft breaks": long_line(b"quoted-printable", b"= \t"),
    "header lines": header_lines(b"X-Field-%d: x\n"),
    "received lines": header_lines(b"Received: from mx%d.example.org by mx.example.org; Mon, 2 Mar 2026 10:00:00 +0100\n"),
    "content lines": header_lines(b"Content-Type: text/html; x=%d\n"),
    "folded subject": folded(b"Subject: a", b"\n b"),
    "folded blanks": folded(b"Subject: a", b"\n  "),
    "folded to": folded(b"To: a", b'"a" <a@b.example>,\n '),
    "folded failed": folded(b"X-Failed-Recipients: ", b"a@b.example,\n "),
    "words in subject": folded(b"Subject: ", b"=?utf-8?q?=41?= "),
    "words in from": folded(b"From: ", b"=?utf-8?b?w?="),
    "brackets in to": folded(b"To: ", b"("),
    "brackets in from": folded(b"From: ", b"<"),
    "brackets in date": folded(b"Date: ", b"(("),
    "returns alone": only(b"\r"),
    "newlines alone": only(b"\n"),
    "blanks alone": only(b" "),
    "letters alone": only(b"a"),
    "colons alone": only(b"a:"),
    "zeros alone": only(b"\0"),
    "mbox alone": only(b"From a\n"),
    "quoted mbox": only(b">From \n"),
    "mixed ends": only(b"a: b\r\nc\rd\n"),
    "semicolons": in_content_type(b";", b'; a="'),
    "bare semicolons": in_content_type(b";", b"; a="),
    "parameters": in_content_type(b"; p%d=1"),
    "sections": in_content_type(b"; n*%d*=%%41"),
    "escaped quotes": in_content_type(b';a="\\"'),
    "comments": in_content_type(b"("),
    "boundaries": lambda size: DAEMON + b"Content-Type: multipart/mixed" + fill(b"; boundary", size) + b"\n\n--b\n\nx\n",
    "punycode": charset(b"punycode", b"a-" + b"b9" * 50),
    "undefined": charset(b"undefined", b"\xff"),
    "null label": charset(b'"a\0b"', b"\xe4"),
    "unicode_escape": charset(b"unicode_escape", b"\\ud800\\x1b[2J\xff"),
    "utf-7": charset(b"utf-7", b"+2AA-"),
    "iso-2022-jp": charset(b"iso-2022-jp", b"\x1b$B!"),
    "mixed bytes": charset(b"gb2312", b"\xc4\xe3\xff "),
}
BOMBS |= {f"{name} in text": in_text(unit) for name, unit in (UNITS | LINES).items()}
BOMBS |= {f"{name} below a recipient": in_text(unit, b"<a@b.example>:\n") for name, unit in (UNITS | LINES).items()}
BOMBS |= {f"{name} behind a reply": in_text(unit, b"<a@b.example>: host mx.b.example said: 550 5.1.1 ") for name, unit in UNITS.items()}
BOMBS |= {f"{name} behind a separator": in_text(unit, b"\n--- this is a copy of the message") for name, unit in UNITS.items()}
BOMBS |= {f"{name} in a diagnostic": in_field(b"Diagnostic-Code", unit, b"smtp; 550 ") for name, unit in UNITS.items()}
BOMBS |= {f"{name} in a recipient": in_field(b"Original-Recipient", unit, b"rfc822;") for name, unit in UNITS.items()}
BOMBS |= {f"{name} in a status": in_field(b"Status", unit) for name, unit in UNITS.items()}
BOMBS |= {f"{name} in a remote": in_field(b"Remote-MTA", unit, b"dns;") for name, unit in UNITS.items()}
BOMBS |= {
    f"{name} in the original": lambda size, unit=unit: REPORT + RECIPIENT % (1, 1) + TAIL[:35] + fill(unit, size) + b"\n"
    for name, unit in (UNITS | LINES).items()
}
BOMBS |= {
    f"{name} in html": in_html(unit)
    for name, unit in {
        "div": b"<div>",
        "b": b"<b>",
        "font": b"<font size=1>",
        "a": b'<a href="mailto:a@b.example">',
        "td": b"<table><tr><td>",
        "open": b"<a ",
        "entity": b"&",
        "script": b"<script>",
        "comment": b"<!--",
        "pre": b"<pre>\n",
        "br": b"<br>",
        "angle": b"<",
    }.items()
}
