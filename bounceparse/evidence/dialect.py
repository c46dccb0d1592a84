"""Dialects: which software wrote the notice, and how its report is to be read (design of the tables: dialects/*.toml).

A dialect's line templates are compiled here, in one place, to bounded possessive patterns that match at the start of a line; there is no other way
for a table to bring a pattern in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from typing import Final

from bounceparse import limits
from bounceparse.dialects.hooks import run_hook
from bounceparse.evidence.notice import complete_reason
from bounceparse.evidence.transcript import read_transcript
from bounceparse.evidence.wording import Wording
from bounceparse.model import Claim
from bounceparse.replies import read_reply
from bounceparse.tables import Dialect
from bounceparse.text import clip
from bounceparse.wire.address import check_address, without_addresses

_CAPTURES: Final = {
    "address": r"(?:mailto:|smtp:)?([^\s<>\"(),;\[\]]{1,320}?)",
    "host": r"[^\s<>()\[\],;:]{1,255}+",
    "ip": r"[0-9A-Fa-f.:]{3,45}+",
    "code": r"[245]\d\d",
    "status": r"#?[245]\.\d{1,3}\.\d{1,3}",
    "id": r"[^\s<>]{1,255}+",
    "date": r"[^\n]{6,60}?",
    "text": r"[^\n]{0,300}?",
    "diagnostic": r"([^\n]{0,2000})",
}
_LOCAL: Final = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}", re.A)
_WORD: Final = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=1024)
def compile_template(template: str) -> tuple[re.Pattern[str], int, int]:
    """Return the pattern of a line template, and the numbers of its address and diagnostic groups (0 when it has none)."""
    pieces, groups, place = [], {"address": 0, "diagnostic": 0}, 0
    number = 0
    for match in _WORD.finditer(template):
        pieces.append(_literal(template[place : match.start()]))
        word = match[1]
        if word in groups:
            number += 1
            groups[word] = number
        pieces.append(_CAPTURES[word])
        place = match.end()
    pieces.append(_literal(template[place:]))
    return re.compile(r"[ \t>|]{0,20}" + "".join(pieces) + r"[ \t]*$", re.I), groups["address"], groups["diagnostic"]


def _literal(text: str) -> str:
    """Return a pattern of the literal pieces of a template: any run of blanks matches any other."""
    return r"[ \t]{1,40}".join(re.escape(piece) for piece in re.split(r"[ \t]+", text)) if text.strip() else ("[ \\t]{1,40}" if text else "")


def read_dialect(dialect: Dialect, text: str, offset: int, ignored: frozenset[str], wording: Wording, domain: str = "") -> list[Claim]:
    """Return the claims that a dialect's templates find in a notice.

    The templates are tried from the line that holds a `begin` literal (the first line when it has none) to the one that holds an `end` literal.
    What follows an address belongs to it as `more` says. `domain` completes bare local parts (AOL, GroupWise) when no line has a whole address.
    """
    if dialect.hook:
        return [claim for claim in run_hook(dialect.hook, text) if claim.address]
    if not dialect.recipient:
        return []
    lines = text.split("\n", 3_000)[:3_000]
    first, last, position = _section(dialect, text, lines)
    templates = [compile_template(template) for template in dialect.recipient]
    found = _find(templates, lines, first, last, "")
    if not found and domain:
        found = _find(templates, lines, first, last, domain)
    found = [(number, address, words) for number, address, words in found if address.lower() not in ignored]
    begins = list(accumulate(map(len, lines[first:last]), initial=position)) if offset >= 0 else []  # line ends not counted
    claims: list[Claim] = []
    for index, (number, address, words) in enumerate(found):
        if dialect.more == "above":
            more = _between(lines, found[index - 1][0] + 1 if index else first, number) or (claims[-1].diagnostic if claims else "")
        else:
            more = _MORE[dialect.more](lines, number + 1, found[index + 1][0] if index + 1 < len(found) else last)
        beside = words or without_addresses(lines[number]).strip(" \t<>:;,.-*\"'[]()")
        words = " ".join(word for word in (beside, more) if word)
        claim = Claim("dialect", dialect.name, address, diagnostic=clip(words, limits.DIAGNOSTIC))
        if begins:
            begin = offset + begins[number - first] + number - first
            claim.spans["text"] = (begin, begin + len(lines[number]))
        claims.append(claim)
    if claims:
        _add_replies(claims, lines, wording)
    return claims


def cut_section(dialect: Dialect, text: str) -> tuple[int, int]:
    """Return where the section with the recipients begins and ends in a notice: all of it unless both its heading and what ends it are there."""
    if not (dialect.begin and dialect.end):
        return 0, len(text)
    lowered = _lower(text)
    begin = min((at for word in dialect.begin if (at := lowered.find(word)) >= 0), default=-1)
    end = min((at for word in dialect.end if (at := lowered.find(word, begin)) >= 0), default=-1) if begin >= 0 else -1
    return (begin, end) if end >= 0 else (0, len(text))


def _lower(text: str) -> str:
    """Return `text` in lower case and of the same length."""
    lowered = text.lower()  # of one letter never fewer
    return lowered if len(lowered) == len(text) else "".join([char.lower() if len(char.lower()) == 1 else char for char in text])


def _find(templates: list[tuple[re.Pattern[str], int, int]], lines: list[str], first: int, last: int, domain: str) -> list[tuple[int, str, str]]:
    """Return line number, address and diagnostic of each line of the section that a template fits."""
    found = []
    for number in range(first, last):
        line = lines[number]
        if ("@" in line) != bool(domain):
            match = _match(templates, line[: limits.LINE], domain)
            if match is not None:
                found.append((number, match[0], match[1].strip()))
                if len(found) >= limits.RECIPIENTS:
                    break
    return found


def _section(dialect: Dialect, text: str, lines: list[str]) -> tuple[int, int, int]:
    """Return the numbers of the first line of the section with the recipients and of the line after it, and where the first begins in the text."""
    lowered = _lower(text)
    begin, end = 0, len(text)
    begins = [at for word in dialect.begin if (at := lowered.find(word)) >= 0]
    if begins:
        begin = text.rfind("\n", 0, min(begins)) + 1
    for word in dialect.end:
        at = lowered.find(word, begin)
        if 0 <= at < end:
            end = at
    first = text.count("\n", 0, begin)
    last = min(len(lines), first + text.count("\n", begin, end) + (1 if end == len(text) else 0))
    return first, last, begin


def _match(templates: list[tuple[re.Pattern[str], int, int]], line: str, domain: str) -> tuple[str, str] | None:
    """Return the address and the diagnostic that the first fitting template finds in a line."""
    for pattern, address_group, diagnostic_group in templates:
        match = pattern.match(line)
        if match is None or not address_group:
            continue
        value = match[address_group].strip("'\"")
        if domain and _LOCAL.fullmatch(value) is not None:
            value = f"{value}@{domain}"
        address = check_address(value)
        if address:
            return address, match[diagnostic_group] if diagnostic_group else ""
    return None


def _indented(lines: list[str], start: int, stop: int) -> str:
    words = []
    for line in lines[start:stop]:
        if not line.strip() or line[:1] not in " \t":
            break
        words.append(line.strip())
    return " ".join(words)


def _until_blank(lines: list[str], start: int, stop: int) -> str:
    words: list[str] = []
    for line in lines[start:stop]:
        if not line.strip():
            if words:
                break
        else:
            words.append(line.strip())
    return " ".join(words)


def _between(lines: list[str], start: int, stop: int) -> str:
    """Return the words between the previous address, or the heading, and this one (Notes, Netscape); addresses without words share those above."""
    return " ".join(line.strip() for line in lines[start:stop] if line.strip(" -=*_\t"))


def _nothing(lines: list[str], start: int, stop: int) -> str:
    return ""


_MORE: Final[dict[str, Callable[[list[str], int, int], str]]] = {"indented": _indented, "until-blank": _until_blank, "none": _nothing, "": _nothing}


def _add_replies(claims: list[Claim], lines: list[str], wording: Wording) -> None:
    """Complete the claims from the quoted dialogue, and read their codes."""
    replies = None
    for claim in claims:
        claim.reply_code, claim.status = read_reply(claim.diagnostic)[:2] if claim.diagnostic else ("", "")
        if not claim.reply_code and not claim.status:
            replies = read_transcript(lines) if replies is None else replies
            words = complete_reason(claim.address, replies, lines, len(claims) == 1, claim.diagnostic, wording)
            if words:
                claim.diagnostic = clip(words, limits.DIAGNOSTIC)
                claim.reply_code, claim.status = read_reply(claim.diagnostic)[:2]
