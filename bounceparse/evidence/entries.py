"""Lines of a notice that name an address, ranked by their shape: an entry of a list, a labelled field, a sentence about delivery, a mere mention."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bounceparse.evidence.wording import DELIVERY, Wording
from bounceparse.wire.address import check_address, find_addresses, without_addresses

_ADDRESSED: Final = (
    r"((?:\"[^\"\n]{1,64}\"|[^\s<>\"(),:;@\[\]]{1,128})@[^\s<>\"(),:;@\[\]/]{1,255})[>\"')\]\u00bb]*(?:<mailto:[^>\s]*>|\(mailto:[^)\s]*\))?[ \t]*+"
    r"(?:\((?:expanded|(?:ultimately )?generated) from:?[ \t]*<?([^>)\s]*)>?\))?"
    r"[ \t]*+(?:$|(?:\.\.\.|:|;|=|\.?,?$|--?[ \t]|(?=[(\[])|(?<=\t)|(?<=[ \t][ \t])|on [A-Z0-9])[ \t]*+(.*)$)"
)
_ENTRY: Final = re.compile(
    r"[ \t>|]*(?:[-*\u2022\u30fb+#]{1,4}[ \t]+|\d{1,3}[.)][ \t]+|(?:smtp|rfc822)[:;][ \t]*)?[\"'(\[<\u00ab]{0,3}?(?:mailto:)?" + _ADDRESSED
)
_NAMED: Final = re.compile(r"[ \t>|*-]*+[^\s<>@:]{1,40}(?:[ \t][^\s<>@:]{1,40}){0,4}[ \t]*<(?:mailto:)?" + _ADDRESSED)
_QSBMF: Final = re.compile(r"^<((?=[^<>\n]*[ @][^<>\n]*@)[^<>\n\"]{1,128}@[^\s<>@]{1,255})>:[ \t]*(.*)$")
_GENERATED: Final = re.compile(r"^[ \t]*\((?:expanded|(?:ultimately )?generated) from:?[ \t]*<?([^>)\s]{3,320})>?\)")
_SENDMAIL: Final = re.compile(
    r"^[ \t]*(?:[245]\d\d[ -])?(?:[245]\.\d{1,3}\.\d{1,3}[ \t]+)?<?([^\s<>\"(),:;]{1,128}@[^\s<>\"(),:;]{1,255}?)>?\.\.\.[ \t]*(.*)$"
)
_FIELD_NAMES: Final = (
    "from:", "von:", "de :", "reply-to", "cc:", "mail from", "return-path", "received", " id ", " id:", "message-id", "http",
)  # fmt: skip
"""Marks of lines whose addresses are somebody else's: names of header fields, links."""
_HEADED: Final = 20  # lines that a heading speaks for
_SIGNATURE: Final = 12  # lines of the longest signature
_DIGITS: Final = re.compile(r"[45](?<![\d.].)(?:\d\d|\.\d{1,3}\.\d{1,3})(?![\d.])")


@dataclass(slots=True)
class Entry:
    """A line that names an address."""

    line: int
    rank: int  # 3 list entry or label, 2 sentence, 1 mention, 0 a To line, -1 a role such as postmaster
    address: str
    source: str  # the address it was expanded from
    rest: str
    shape: str


def find_entries(lines: list[str], ignored: frozenset[str], wording: Wording) -> list[Entry]:
    """Return the lines that name an address which is not among the `ignored`, one entry for each address, in order."""
    entries: list[Entry] = []
    for number, line in enumerate(lines):
        if "@" not in line:
            if entries and line.rstrip() == "--" and len(lines) - number < _SIGNATURE:
                break
            continue
        lowered = line.lower()
        if line[:1] == "<" and (match := _QSBMF.match(line)) is not None:
            local, _, domain = match[1].rpartition("@")
            found = [(3, f'"{local}"@{domain}', "", match[2], "entry")]  # qmail prints quoted local parts without their quotes
        elif "..." in line and (match := _SENDMAIL.match(line)) is not None:
            found = [(3, match[1], "", line.strip(), "transcript")]
        elif (match := _ENTRY.match(line) or ("<" in line and _NAMED.match(line)) or None) is not None:
            found = [(3, match[1], match[2] or "", match[3] or "", "entry")]
        elif (label := wording.announces(line))[0] in ("recipient", "to"):
            rank, shape = (3, "label") if label[0] == "recipient" else (0, "to")
            found = [(rank, address, "", "", shape) for address in find_addresses(label[1])]
        elif "rcpt to" in lowered and "@" in lowered.partition("rcpt to")[2]:
            found = [(2, address, "", "", "rcpt") for address in find_addresses(lowered.partition("rcpt to")[2])]
        elif label[0] == "fields" or any(map(lowered.__contains__, _FIELD_NAMES)):
            continue
        else:
            words = wording.hear(without_addresses(_sentence_of(_carried_on(lines, number) + line)))
            if "others" in words:
                continue
            delivery = not words.isdisjoint(DELIVERY) or (number > 0 and not wording.hear(lines[number - 1]).isdisjoint(DELIVERY))
            rank = 2 if delivery else 1
            before, _, after = line.partition("@")
            after = after.partition(" ")[2]
            first = " " not in before.strip() and not wording.hear(after).isdisjoint(DELIVERY)  # `user@example.com no such user`
            rest = after if first or _DIGITS.search(after) is not None else ""
            found = [(rank, address, "", rest, "sentence") for address in find_addresses(line)]
        if found and (wording.says_reached(found[0][3]) if found[0][3] else found[0][0] == 3 and _stand_below_success(lines, number, wording)):
            found = [(rank, value, source, rest, "reached") for rank, value, source, rest, _ in found]
        if found and found[0][0] == 3 and not found[0][3] and _tells_whom_to_ask(lines, number, wording):
            continue
        for rank, value, source, rest, shape in found:
            address = check_address(value.rstrip(".,:;'"))
            if not source and number + 1 < len(lines) and (below := _GENERATED.match(lines[number + 1])) is not None:
                source = below[1]
            if address and "." in address.rpartition("@")[2] and address.lower() not in ignored:
                if wording.is_role(address) and shape != "label" and not (shape == "entry" and rest):
                    rank = -1
                entries.append(Entry(number, rank, address, check_address(source) if source else "", rest, shape))
    return entries


def _stand_below_success(lines: list[str], number: int, wording: Wording) -> bool:
    """Say whether the heading above an entry says that those below it have got the mail."""
    for above in reversed(lines[max(0, number - _HEADED) : number]):
        if "@" not in above and above.strip():
            words = wording.hear(above)
            return "reached" in words and words.isdisjoint(("undone", "denials"))
    return False


def _carried_on(lines: list[str], number: int) -> str:
    """Return the beginning of the sentence in a line, when it stands in the line above."""
    above = lines[number - 1].strip() if number else ""
    return f"{above} " if above and above[-1] not in ".:!?;" and "@" not in above else ""


def _sentence_of(line: str) -> str:
    """Return the sentences of a line that name an address: what the next one asks for is no matter of theirs."""
    return " ".join([sentence for sentence in line.split(". ") if "@" in sentence]) if ". " in line else line


def _tells_whom_to_ask(lines: list[str], number: int, wording: Wording) -> bool:
    """Say whether the line above a bare address announces whom to ask: `Questions should be directed to the list owner at:`."""
    above = " ".join(lines[max(0, number - 3) : number]).rstrip()
    if above[-1:] not in (":", "\uff1a"):
        return False
    words = wording.hear(_sentence_of(above) if "@" in above else above.rpartition(". ")[2])
    return "others" in words and words.isdisjoint(DELIVERY)
