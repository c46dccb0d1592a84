"""The part of a notice that is written for people, whatever software wrote it.

Every line with an address is looked at once and ranked by shape: an entry of a list (`<user@example.com>: reason`), a labelled field
(`Recipient: user@example.com`), a sentence that speaks of delivery, or a mere mention. Only the best rank that occurs counts. The reason is what
stands beside the entry or under it; a quoted SMTP reply that belongs to the address goes before words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import accumulate
from typing import Final, Generic, TypeVar

from bounceparse import limits
from bounceparse.evidence.entries import Entry, find_entries
from bounceparse.evidence.transcript import Answer, read_transcript
from bounceparse.evidence.wording import DELIVERY, Wording
from bounceparse.model import Claim, Span
from bounceparse.replies import goes_on, read_reply
from bounceparse.text import clip
from bounceparse.wire.address import without_addresses

_T = TypeVar("_T")
_LINES: Final = 3_000
_MENTIONS: Final = 4  # of one address that are looked at for a reason
_OWN_REPLY: Final = re.compile(r"\.\.\.[ \t]*[45]\d\d[ -]")
# Patterns that begin with a set of characters are found many times as fast as those that begin by looking back, so these look back behind it.
_REPLY: Final = re.compile(r"[45](?:\d\d[ \t-](?<![\d.]....)|(?=\.)(?<![\d.].)\.\d{1,3}\.\d{1,3}(?![\d.]))", re.A)
_INLINE: Final = re.compile(r"[45](?<![\w.-].)\d\d(?:[ -]{1,2}#?[45]\.\d{1,3}\.\d{1,3}(?![\d.])|(?<=[:'\"] \d\d\d) [A-Za-z<])")
_DIALOGUE: Final = re.compile(r"[<>](?<!\S.) (?i:RCPT|MAIL|[245]\d\d)")
_RCPT: Final = re.compile(r"(?<!after )\bRCPT TO: ?<", re.I)
_DIALOGUE_MARKS: Final = (">>>", "<<<", "-->", "<--")
_NOTHING: Final = re.compile(r"[\W_]*|[ \t]*[*=#~-]{4,}+[^*=#~\n-]{0,60}[*=#~-]{4,}+[ \t]*")
_MAILTO: Final = re.compile(r"<?mailto:?|\(\)|<>")
_HEADING: Final = 60  # characters of words with a colon at their end that are but a heading
_SENTENCE_LEAST: Final = 20  # characters of a line that can be a sentence about an address


def read_notice(text: str, offset: int, ignored: frozenset[str], wording: Wording) -> list[Claim]:
    """Return a claim for each address that a notice says could not be reached, with the reason it gives; for those that were, if it names no other.

    `ignored` are addresses in lower case that cannot be the failed one: the reader of the notice and its sender. `offset` is where the text begins
    in the message, -1 when it was transfer-encoded.
    """
    lines = [line if len(line) <= limits.LINE else line[: limits.LINE] for line in text.split("\n", _LINES)[:_LINES]]
    entries = find_entries(lines, ignored, wording)
    if not entries:
        return []
    replies = _Once(read_transcript, lines)  # most entries have their reply beside them
    failed = [entry for entry in entries if entry.shape != "reached"] or entries
    best = max(entry.rank for entry in failed)
    starts = {entry.line: entry.address.lower() for entry in entries if entry.rank == best}
    entries = [entry for entry in failed if entry.rank == best]
    alone = len({entry.address.lower() for entry in entries}) == 1
    places = _Places(lines, offset)
    claims: dict[str, Claim] = {}
    mentions: dict[str, int] = {}
    inline = _Once(find_inline, lines)
    for entry in entries:
        address = entry.address.lower()
        known = claims.get(address)
        mentions[address] = mentions.get(address, 0) + 1
        if mentions[address] > _MENTIONS:
            continue
        if known is None and len(claims) >= limits.RECIPIENTS:
            break
        if known is None or not known.reply_code:  # of several mentions the first that has a reply
            claim = _claim(entry, lines, starts, replies, inline if alone else None, places, wording)
            if known is None or claim.reply_code or (claim.status and not known.status) or (claim.diagnostic and not known.diagnostic):
                claims[address] = claim
    found = list(claims.values())
    _share(found)
    return found


class _Once(Generic[_T]):
    """What a reader finds in some lines, read when it is first asked for; `functools.cache` takes longer to make than most readers take."""

    __slots__ = ("_found", "_lines", "_read")

    def __init__(self, read: Callable[[list[str]], _T], lines: list[str]) -> None:
        self._read = read
        self._lines = lines
        self._found: _T | None = None

    def __call__(self) -> _T:
        if self._found is None:
            self._found = self._read(self._lines)
        return self._found


class _Places:
    """Where lines begin in the message, counted once."""

    __slots__ = ("_begins", "_known")

    def __init__(self, lines: list[str], offset: int) -> None:
        self._known = offset >= 0
        self._begins = list(accumulate(map(len, lines), initial=offset)) if self._known else []  # line ends not counted

    def span(self, first: int, end: int) -> Span | None:
        return (self._begins[first] + first, self._begins[end] + end - 1) if self._known else None


def _claim(
    entry: Entry,
    lines: list[str],
    starts: dict[int, str],
    replies: Callable[[], list[Answer]],
    inline: Callable[[], str] | None,  # only when the notice names nobody else
    places: _Places,
    wording: Wording,
) -> Claim:
    words, end = _beside(entry, lines, starts, wording)
    answer = _answer_before(entry, replies()) if entry.shape == "transcript" and _OWN_REPLY.search(entry.rest) is None else None
    reply = _REPLY.search(words)
    if answer is None and (reply is None or _quotes_dialogue(words) or goes_on(words[reply.start() :])):
        answer = _answer_for(entry.address, replies(), inline is not None)
    if answer is not None:
        words = answer.text
    elif inline is not None and reply is None:
        if _is_no_reason(words):
            words = inline() or _labelled(lines, wording) or words
        elif entry.rank < 3:  # a sentence: what it says about delivery may be all there is
            own = _MAILTO.sub("", without_addresses(lines[entry.line])).strip(" \t<>:;,-*\"'") if entry.shape == "sentence" else ""
            words = inline() or (f"{own} {words}" if len(own) >= _SENTENCE_LEAST and not words.startswith(own) else words)
    if entry.shape not in ("label", "to"):
        words = words or _MAILTO.sub("", without_addresses(lines[entry.line])).strip(" \t<>:;,.-*\"'")
    if len(words) < _HEADING and words[-1:] == ":":
        words = ""  # what was to follow belongs to another
    code, status = read_reply(words)[:2] if words else ("", "")
    claim = Claim(
        "transcript",
        "notice" if entry.rank > 1 else "to" if entry.rank == 0 else "mention",
        entry.address,
        entry.source,
        entry.address if entry.source else "",
        "delivered" if entry.shape == "reached" or code[:1] == "2" == status[:1] else "",
        reply_code=code,
        status=status,
        diagnostic=clip(words, limits.DIAGNOSTIC),
        command=answer.phase if answer is not None else "",
    )
    span = places.span(entry.line, end)
    if span is not None:
        claim.spans["text"] = span
    return claim


def _quotes_dialogue(words: str) -> bool:
    """Say whether words quote what client and server said."""
    if any(map(words.__contains__, _DIALOGUE_MARKS)) or _DIALOGUE.search(words) is not None:
        return True
    return "rcpt to:" in words.lower() and _RCPT.search(words) is not None


def _is_no_reason(words: str) -> bool:
    """Say whether the words beside an address are none, a mere heading, or a promise to retry."""
    return not words or (words[-1] == ":" and len(words) < _HEADING) or (len(words) < 80 and "retr" in words)


def find_inline(lines: list[str]) -> str:
    """Return the first reply with an enhanced code that stands anywhere in a line, with the lines that carry it on."""
    for number, line in enumerate(lines):
        match = _INLINE.search(line)
        if match is not None:
            words = [line[match.start() :].strip()]
            for following in lines[number + 1 : number + 8]:
                if not following.strip():
                    break
                words.append(following.strip())
            return " ".join(words)
    return ""


def _answer_before(entry: Entry, replies: list[Answer]) -> Answer | None:
    """Return what the remote host answered before Sendmail's own line about it (`<<< 550 …`, then `554 <a@example.com>... Service unavailable`)."""
    answer, address = None, entry.address.lower()
    for reply in replies:
        if reply.quoted and 0 < entry.line - reply.last < 4 and (reply.phase == "MAIL" or all(name.lower() == address for name in reply.addresses)):
            answer = reply
    return answer


def _beside(entry: Entry, lines: list[str], starts: dict[int, str], wording: Wording) -> tuple[str, int]:
    """Return the words beside an entry and on the lines that carry it on, and the number of the line after them."""
    words = [entry.rest.strip()] if entry.rest.strip() else []
    address = entry.address.lower()
    number = entry.line + 1
    blanks = 0
    while number < len(lines) and number - entry.line < 40:
        line = lines[number]
        if _NOTHING.fullmatch(line) is not None:
            blanks += 1
            if words or blanks > 3:
                break
        elif starts.get(number, address) != address or (entry.shape == "transcript" and line[:1] not in " \t"):
            break
        elif not _is_aside(line, wording):
            words.append(line.strip())
        number += 1
    text = " ".join(words)
    if entry.shape == "sentence" and number < len(lines) and _REPLY.search(text) is None:
        return _next_paragraph(text, address, lines, number, starts)
    return text, number


def _is_aside(line: str, wording: Wording) -> bool:
    """Say whether a line beside an entry is no reason: the subject of the returned message, or whom to ask."""
    if wording.announces(line)[0] != "fields" and "@" not in line:
        return False
    words = wording.hear(line)
    return words.isdisjoint(DELIVERY) and ("@" not in line or "others" in words) and _REPLY.search(line) is None


def _next_paragraph(text: str, address: str, lines: list[str], number: int, starts: dict[int, str]) -> tuple[str, int]:
    """Return the paragraph below a sentence when it holds a reply, else the text as it was."""
    first = number
    while number < len(lines) and number - first < 40:
        if number in starts and starts[number] != address:
            break
        if _REPLY.search(lines[number]) is not None:
            end = number + 1
            while end < len(lines) and lines[end].strip() and end - number < 20:
                end += 1
            begin = number
            while begin > first and lines[begin - 1].strip():
                begin -= 1
            return " ".join(line.strip() for line in lines[begin:end]), end
        number += 1
    return text, first


def find_reason(text: str, wording: Wording) -> str:
    """Return the reason that a notice gives to its only recipient: a quoted reply, or what stands behind a label such as `Reason:`, else ""."""
    lines = text.split("\n", _LINES)[:_LINES]
    answer = _answer_for("", read_transcript(lines), True)
    return answer.text if answer is not None else find_inline(lines) or _labelled(lines, wording)


def complete_reason(address: str, replies: list[Answer], lines: list[str], alone: bool, words: str, wording: Wording) -> str:
    """Return the quoted reply that belongs to an address, or else its own words, or else what stands behind a label such as `Reason:`."""
    answer = _answer_for(address, replies, alone)
    if answer is not None:
        return answer.text
    return (find_inline(lines) if alone else "") or words or (_labelled(lines, wording) if alone else "")


def _answer_for(address: str, replies: list[Answer], alone: bool) -> Answer | None:
    """Return the reply that belongs to an address: the one to its RCPT or that names it, else, for the only recipient, the first final one."""
    address = address.lower()
    mine = [reply for reply in replies if any(name.lower() == address for name in reply.addresses)]
    if not mine and alone:
        mine = [reply for reply in replies if reply.phase == "RCPT"] or replies
    for wanted in "54":
        for reply in mine:
            if reply.code[0] == wanted:
                return reply
    return None


def _labelled(lines: list[str], wording: Wording) -> str:
    """Return what follows the first label that announces a reason."""
    for number, line in enumerate(lines):
        label, value = wording.announces(line)
        if label == "reason":
            words = [value.strip()]
            for following in lines[number + 1 : number + 12]:
                if not following.strip():
                    if any(words):
                        break
                else:
                    words.append(following.strip())
            found = " ".join(word for word in words if word)
            if found:
                return found
    return ""


def _share(claims: list[Claim]) -> None:
    """Give a reason that stands under a list of addresses to all of them (Exim, InterScan, Exchange 5.5)."""
    shared = ""
    for claim in reversed(claims):
        if claim.diagnostic:
            shared = claim.diagnostic
        elif shared:
            claim.diagnostic = shared
            claim.reply_code, claim.status = read_reply(shared)[:2]
