"""SMTP dialogues quoted in a notice: who said what to whom.

Reads the styles of Sendmail, Courier, MDaemon, InterScan, hMailServer and their kin by shape: a client line names the recipient, the server line
after it is the answer. A reply of several lines becomes one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bounceparse import limits
from bounceparse.text import clip
from bounceparse.wire.address import find_addresses

_CLIENT: Final = re.compile(
    r"[ \t]*+(?:>>>|-->|--&gt;|SMTP>>|>(?= ?(?:RCPT|MAIL|DATA|EHLO|HELO))|sent:?(?: <<<)?)[ \t]*+"
    r"(RCPT TO|MAIL FROM|DATA|EHLO|HELO|STARTTLS|QUIT|\.(?=[ \t]*$))[: ]?(.*)",
    re.I,
)
_SENT: Final = re.compile(r"\bsent:[ \t]*+(RCPT TO|MAIL FROM|DATA|EHLO|HELO|STARTTLS|QUIT|\.(?=[ \t]*$))[: ]?(.*)", re.I)
_BARE_CLIENT: Final = re.compile(
    r"^[ \t]*+(?:[A-Z][a-z]{2},?[ \t])?(?:[\d\[][\d:. \[\]-]{0,24}[ \t])?(?:-->|>>>)?[ \t]*+(RCPT TO|MAIL FROM)[ \t]*:[ \t]*(.*)", re.I
)
_SERVER: Final = re.compile(
    r"^[ \t]*+(?:[A-Z][a-z]{2},?[ \t])?(?:[\d\[][\d:. \[\]-]{8,40}[ \t])?"
    r"(?:<<<|<--|&lt;--|SMTP<<|received[: ]+>>>|<(?= ?[245]\d\d)|>>> (?=[245]\d\d)|remote server replied:|"
    r"(?:the )?(?:remote )?(?:host|server|mta)? ?(?:said|replied|responded|answered|says|returned|response)(?: was| with)?:)?"
    r"[ \t]*+[\"'(]?((?:smtp;[ \t]*)?([245]\d\d)(?:[ \t]++|-|[\"'#:]|$)[ \t]*+[\"'#:]?(?![\d,]{3,} (?:bytes|kb|mb)).*)",
    re.I,
)
_CODES: Final = tuple([re.compile(rf"{digit}\d\d(?![\d.])(?<![\d.]...)", re.A) for digit in "245"])
"""Three that begin with one character each, which memchr finds, take a third of the time of one that begins with a set; so they look back last."""
_DIALOGUE: Final = ("rcpt to", "mail from", ">>>", "-->", "sent:")
"""A text without any of them quotes no client, which saves most notices two patterns a line."""
_PHASES: Final = {
    "RCPT TO": "RCPT",
    "MAIL FROM": "MAIL",
    "DATA": "DATA",
    "EHLO": "EHLO",
    "HELO": "EHLO",
    "STARTTLS": "STARTTLS",
    "QUIT": "QUIT",
    ".": "EOD",
}


@dataclass(slots=True)
class Answer:
    """One answer of a server in a quoted dialogue."""

    line: int  # number of its first line
    last: int  # number of its last line
    code: str
    text: str  # the code included, several lines joined
    phase: str  # the client's command before it, "" when not shown
    addresses: tuple[str, ...]  # the recipient of that command and the addresses in the reply
    quoted: bool  # with the mark of a server line before it


def read_transcript(lines: list[str]) -> list[Answer]:
    """Return the 4xx and 5xx replies that stand in `lines`, in order."""
    replies: list[Answer] = []
    phase, recipient = "", ""
    whole = "\n".join(lines).lower()
    dialogue = any(map(whole.__contains__, _DIALOGUE))
    coded = _lines_with_codes(whole)
    if not dialogue and not coded:
        return replies
    lowered = whole.split("\n")
    for number, line in enumerate(lines):
        if dialogue and _may_be_client(lowered[number]):
            client = _client_line(line) or _BARE_CLIENT.match(line)
            if client is not None:
                phase = _PHASES[client[1].upper()]
                named = find_addresses(client[2])
                recipient = named[-1] if phase == "RCPT" and named else ""
                continue
        server = _SERVER.match(line) if number in coded else None
        if server is None:
            continue
        text, code = server[1].strip(), server[2]
        quoted = "<" in line[: server.start(1)]
        last = replies[-1] if replies else None
        if last is not None and last.code == code and last.last == number - 1 and last.quoted == quoted:
            last.text = clip(f"{last.text} {text}", limits.DIAGNOSTIC)
            last.last = number
            last.addresses += tuple(find_addresses(text))
        elif code[0] in "45":
            named = find_addresses(text)
            replies.append(
                Answer(
                    number,
                    number,
                    code,
                    clip(text, limits.DIAGNOSTIC),
                    phase,
                    (recipient, *named) if recipient else tuple(named),
                    quoted,
                )
            )
    for reply in replies:
        _take_continuation(reply, lines)
    return replies


def _may_be_client(lowered: str) -> bool:
    """Say whether a line has one of the marks of a client; the tests are written out, since these few cost less than a loop over them."""
    return ">" in lowered or "sent" in lowered or "rcpt to" in lowered or "mail from" in lowered or "&gt;" in lowered


def _lines_with_codes(text: str) -> set[int]:
    """Return the numbers of the lines with what may be a reply code: one pass over all lines costs less than a search in each."""
    found: set[int] = set()
    for code in _CODES:
        number = last = 0
        for match in code.finditer(text):
            start = match.start()
            number += text.count("\n", last, start)
            last = start
            found.add(number)
    return found


def _client_line(line: str) -> re.Match[str] | None:
    """Return the match of a line that a client said: at its start, or behind `sent:` anywhere."""
    return _CLIENT.match(line) or (_SENT.search(line) if "ent:" in line or "ENT:" in line else None)


def _take_continuation(reply: Answer, lines: list[str]) -> None:
    """Add the lines that carry on a reply: those further in, or, for one that is set in itself, those as far in."""
    indent = len(lines[reply.last]) - len(lines[reply.last].lstrip())
    least = indent if indent >= 3 else indent + 1
    for line in lines[reply.last + 1 : reply.last + 8]:
        text = line.strip()
        if not text or len(line) - len(line.lstrip()) < least or _SERVER.match(line) is not None or _client_line(line) is not None:
            return
        reply.text = clip(f"{reply.text} {text}", limits.DIAGNOSTIC)
        reply.last += 1
