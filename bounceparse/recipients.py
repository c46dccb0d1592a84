"""Claims to recipients: whose word counts for which fact.

The order of belief is the list below; the first source that names somebody decides who failed, later ones only fill gaps (RFC 3464 2.3 and
practice: of several addresses the one that the sender used is reported).
"""

from __future__ import annotations

import re
from typing import Final

from bounceparse import limits
from bounceparse.evidence.words import needs_words, says_nothing
from bounceparse.model import Claim, Evidence, Message, Recipient, Source
from bounceparse.replies import mask, read_masked_reply, read_phase, read_reply
from bounceparse.text import printable
from bounceparse.wire.mime import RawOffsets

ORDER_OF_BELIEF: Final[tuple[Source, ...]] = ("dsn", "feedback", "dialect", "transcript", "header", "second_opinion", "original")

_FINAL: Final = {"failed": 3, "delivered": 2, "relayed": 2, "expanded": 2, "delayed": 1, "": 0}
_REACHED: Final = frozenset({"delivered", "relayed", "expanded"})
_GENERIC: Final = frozenset({"0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0"})
_PHASE_MARKS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("in reply to", ("in reply to",)),
    ("after ", ("after RCPT", "after MAIL", "after DATA", "after end of", "after EHLO")),
    ("]", ("_TO]", "_FROM]")),
    ("[", ("[DATA",)),
    ("(", ("(state ",)),
    ("like recipient", ("like recipient",)),
    ("failed on DATA", ("failed on DATA",)),
)
"""Words of which a notice that names the SMTP phase has one, by what they share: one that is missing saves looking for all of its words."""
_BEHIND_CODE: Final = re.compile(r"(?<!\d)[45]\d\d[- ]{1,2}#?[45]\.\d\.\d{1,3}")
_FIELDS: Final = {
    "final-recipient": ("Final-Recipient", "final_address"),
    "original-recipient": ("Original-Recipient", "original_address"),
    "action": ("Action", "action"),
    "status": ("Status", "status"),
    "diagnostic-code": ("Diagnostic-Code", "diagnostic"),
    "x-supplementary-info": ("X-Supplementary-Info", "diagnostic"),
    "text": ("text", "diagnostic"),
}


def address_of(claim: Claim) -> str:
    """Return the address that a claim is about: the one the sender used where it is known."""
    original = claim.original_address
    return original if original and "@" in original else claim.final_address or claim.address


def merge(message: Message, claims: list[Claim], words: list[Claim], action: str, text: str) -> tuple[Recipient, ...]:
    """Return one recipient for each address that `claims` name, completed from `words`, the claims of lesser sources.

    `action` is what the whole message says where a claim has none; `text` is what is written for people, which alone tells the SMTP phase.
    """
    by_address: dict[str, Claim] = {}
    nameless: list[Claim] = []
    reached = {address_of(claim).lower() for claim in claims if claim.action in _REACHED} if len(claims) > 1 else set()
    for claim in claims:
        address = address_of(claim).lower()
        if address in reached and claim.final_address and claim.action not in _REACHED:
            claim.original_address = ""  # who failed is a member of a list or a second mailbox behind the address, and not the address itself
            address = claim.final_address.lower()
        if not address:
            nameless.append(claim)
            continue
        known = by_address.get(address)
        if known is None:
            by_address[address] = claim
        elif _FINAL[claim.action] > _FINAL[known.action]:
            by_address[address] = _filled(claim, known)
        else:
            _filled(known, claim)
    if words:
        _complete(by_address, nameless, words)
    if not by_address and nameless:
        by_address[""] = nameless[0]
    alone = len(by_address) == 1
    offsets = RawOffsets(message)
    return tuple([_recipient(offsets, claim, action, text if alone else "") for claim in by_address.values()][: limits.RECIPIENTS])


def _complete(by_address: dict[str, Claim], nameless: list[Claim], words: list[Claim]) -> None:
    """Fill what the best source lacks from the others: first by address, then, where there is only one of each, by position."""
    left = []
    known: Claim | None
    finals = {claim.final_address.lower(): claim for claim in by_address.values() if claim.final_address}
    for word in words:
        address = address_of(word).lower()
        known = by_address.get(address) or finals.get(address)
        if known is not None:
            _filled(known, word)
        elif word.original_address and word.final_address.lower() in by_address:
            claim = by_address.pop(word.final_address.lower())
            by_address[address] = _filled(claim, word)
            claim.original_address = word.original_address
        else:
            left.append(word)
    if left and not by_address:
        for index, word in enumerate(left):
            group = nameless[index] if len(nameless) == len(left) or (index == 0 and len(nameless) == 1) else None
            if group is None:
                by_address.setdefault(address_of(word).lower(), word)
            else:
                group.address = group.address or address_of(word)
                by_address.setdefault(address_of(word).lower(), _filled(group, word))
    elif len(left) == 1 and len(by_address) == 1:
        only = next(iter(by_address.values()))
        if needs_words(only):
            _filled(only, left[0])


def _filled(claim: Claim, other: Claim) -> Claim:
    """Return `claim` with its gaps filled from `other`."""
    claim.action = claim.action or other.action
    claim.remote_mta = claim.remote_mta or other.remote_mta
    claim.command = claim.command or other.command
    claim.final_address = claim.final_address or other.final_address
    if other.diagnostic and (not claim.diagnostic or says_nothing(claim.diagnostic)):
        mark = claim.diagnostic
        if mark and not claim.reply_code and not other.reply_code:
            claim.reply_code = read_reply(mark).code  # `550 unknown` tells no reason, but a code
        claim.diagnostic = f"{other.diagnostic} ({mark})" if mark[:6].lower() == "x-unix" else other.diagnostic
        claim.spans.update(other.spans)
    elif (
        other.diagnostic
        and len(other.diagnostic) > len(claim.diagnostic) + 20
        and claim.diagnostic.lower().rstrip(" .…")[:200] in other.diagnostic.lower()
    ):
        claim.diagnostic = other.diagnostic
    claim.status = claim.status or other.status
    claim.reply_code = claim.reply_code or other.reply_code
    return claim


def _recipient(offsets: RawOffsets, claim: Claim, action: str, text: str) -> Recipient:
    diagnostic = printable(claim.diagnostic, limits.DIAGNOSTIC)
    code, status, command = claim.reply_code, claim.status, claim.command
    if diagnostic:
        plain = mask(diagnostic)[0]
        said_code, said_status, _ = read_masked_reply(plain)
        code = said_code or code
        status = better_status(status, said_status, diagnostic)
        command = command or read_phase(plain)
    if not command and text:
        command = _phase_in(text)
    return Recipient(
        printable(address_of(claim), limits.ADDRESS),
        claim.original_address,
        claim.final_address,
        claim.action or action,
        status,
        code,
        diagnostic,
        command,
        claim.remote_mta,
        _evidence(offsets, claim, diagnostic),
    )


def _phase_in(text: str) -> str:
    """Return the SMTP phase that a notice names, read only where one of the usual remarks stands."""
    for shared, marks in _PHASE_MARKS:
        if shared in text:
            for mark in marks:
                place = text.find(mark)
                if place >= 0:
                    return read_phase(text[max(0, place - 20) : place + 80])
    return ""


def better_status(field: str, said: str, diagnostic: str) -> str:
    """Return the more telling of a Status field and the enhanced code in the reply.

    The code right behind the reply code is the refusing host's own and wins, unless only the field is specific; one that stands elsewhere in the
    text (qmail's `(#5.7.1)`) yields to a specific field.
    """
    if not said or said == field:
        return field
    if not field:
        return said
    if said[2:] == "0.0":
        return field
    if field[2:] in _GENERIC:
        return said
    if said[2:] in _GENERIC and said[0] == field[0]:
        return field
    return said if _BEHIND_CODE.search(diagnostic) is not None else field


def _evidence(offsets: RawOffsets, claim: Claim, diagnostic: str) -> tuple[Evidence, ...]:
    spans, rule = claim.spans, claim.rule
    if not spans:
        title = "text" if diagnostic else "address"
        return (Evidence(claim.source, title, diagnostic or printable(address_of(claim), limits.ADDRESS), (0, 0), rule),)
    found = []
    places = offsets.spans(spans.values())
    for number, name in enumerate(spans):
        known = _FIELDS.get(name)
        if known is not None:
            title, attribute = known
            value = diagnostic if attribute == "diagnostic" else getattr(claim, attribute)
            source: Source = "transcript" if name == "text" and claim.source == "dsn" else claim.source
            found.append(Evidence(source, title, value, places[number], rule))
    return tuple(found)
