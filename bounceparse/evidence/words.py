"""What is asked beside the machine part, when it is missing or says too little: the dialect, the text for people, X-Failed-Recipients, and at last
flufl.bounce and the returned message.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from bounceparse import limits
from bounceparse.evidence.dialect import cut_section, read_dialect
from bounceparse.evidence.gather import RETURNED, Gathered
from bounceparse.evidence.notice import find_reason, read_notice
from bounceparse.evidence.original import cut_original, read_original
from bounceparse.evidence.second_opinion import ask_flufl
from bounceparse.evidence.wording import Wording
from bounceparse.model import Claim, Message
from bounceparse.replies import goes_on
from bounceparse.tables import Dialect
from bounceparse.text import printable
from bounceparse.wire.address import find_addresses, read_address
from bounceparse.wire.headers import decode_field

_EMPTY_WORDS: Final = re.compile(r"[\x00-@\[-`{-\x7f]*+(?i:unknown|x-unix|n/?a|smtp|none|expired)?+[\x00-@\[-`{-\x7f]*+")
_LIST: Final = re.compile(r"^(?:list-(?:id|post)|x-beenthere|x-mailing-list|mailing-list|x-list)[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.M | re.I)
_DOTTED: Final = r"[\w-]{1,63}(?:\.[\w-]{1,63})+"
_SPELT_OUT: Final = re.compile(rf"([\w.+-]{{1,64}})[ \t]?[\[({{]at[\])}}][ \t]?({_DOTTED})", re.I)
_SPELT_ALONE: Final = re.compile(rf"(\n[ \t]*|\(|<)([\w.+-]{{1,64}})[ \t](?:at|à|på)\s({_DOTTED})(?=[)>.,]*[ \t]*(?:\n|$)|[)>])")
"""Addresses as people write them where robots read: `user [at] example.com`, or on a line of their own `user at example.com`."""
_TO: Final = re.compile(r"^to[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.M | re.I)


def says_nothing(text: str) -> bool:
    """Say whether a diagnostic tells no reason."""
    return len(text) <= 40 and _EMPTY_WORDS.fullmatch(text) is not None


def needs_words(claim: Claim) -> bool:
    """Say whether a machine claim is too poor to be judged without the text for people: no address, no diagnostic worth the name, or half of one."""
    if not (claim.final_address or claim.original_address or claim.address):
        return True
    return says_nothing(claim.diagnostic) or goes_on(claim.diagnostic)


def read_words(gathered: Gathered, dialect: Dialect | None, wording: Wording) -> list[Claim]:
    """Return the claims of lesser sources, where the machine part is missing or says too little."""
    claims = gathered.claims
    if claims and not any(map(needs_words, claims)):
        return []
    text = cut_original(gathered.text)[0] if gathered.report == "dsn" else gathered.text
    if not text.strip() or gathered.report == "feedback":
        return []
    headers = gathered.headers
    senders = _senders(headers.get("from", ""))
    ignored = _ignored(headers, senders)
    words: list[Claim] = []
    if dialect is not None:
        words = read_dialect(dialect, text, gathered.offset, ignored, wording, senders[0].rpartition("@")[2] if senders else "")
        if not words and "@" in headers.get("subject", ""):
            words = read_dialect(dialect, decode_field(headers["subject"], limits.FIELD), -1, ignored, wording)
    if not words:
        begin, end = cut_section(dialect, text) if dialect is not None else (0, len(text))
        words = read_notice(text[begin:end], gathered.offset + begin if gathered.offset >= 0 else -1, ignored, wording)
    if not words and (spelt := _spell(text)) != text:
        words = read_notice(spelt, -1, ignored, wording)
    title = decode_field(headers.get("subject", ""), limits.FIELD) if not words else ""
    if "@" in title and (wording.says_failed(title, of_mail=False) or wording.says_delayed(title)):
        words = [Claim("header", "subject", address) for address in find_addresses(title) if address.lower() not in ignored]
        if len(words) == 1:
            words[0].diagnostic = _whole_reason(text, wording)
    if "x-failed-recipients" in headers:
        words = _with_header(words, headers["x-failed-recipients"])
    poor = words if words else claims
    if poor and all(map(needs_words, poor)):
        reason = find_reason(text, wording)
        if reason and (len(poor) == 1 or "@" not in reason):  # one that names an address speaks for that one alone
            for claim in poor:
                claim.diagnostic = reason if claim.diagnostic in reason else f"{reason} ({claim.diagnostic})"
    return words


def _spell(text: str) -> str:
    """Return a text with the addresses that are spelt out in it as addresses."""
    if "at]" in text or "at)" in text:
        text = _SPELT_OUT.sub(r"\1@\2", text)
    return _SPELT_ALONE.sub(r"\1\2@\3", "\n" + text)[1:]


@lru_cache(maxsize=1_024)  # daemons use one From each
def _senders(field: str) -> tuple[str, ...]:
    """Return the addresses in From. The domain of the first completes a bare local part."""
    return tuple(find_addresses(field))


def _ignored(headers: dict[str, str], senders: tuple[str, ...]) -> frozenset[str]:
    """Return the addresses of the mail's own reader and sender: they are never the ones that failed."""
    return _lowered(senders, headers.get("to", ""), headers.get("reply-to", ""))


@lru_cache(maxsize=1_024)  # where return paths are not told apart, all reports come to one address
def _lowered(senders: tuple[str, ...], to: str, reply_to: str) -> frozenset[str]:
    return frozenset([address.lower() for address in (*senders, *find_addresses(f"{to}\n{reply_to}"))])


def _with_header(words: list[Claim], value: str) -> list[Claim]:
    """Return the claims with those of X-Failed-Recipients: what the text says about its addresses is kept, addresses it does not name are added."""
    addresses = [address for item in value.replace("\n", " ").split(",") if (address := read_address(item))]
    named = {claim.address.lower(): claim for claim in words}
    named |= {claim.final_address.lower(): claim for claim in words if claim.final_address}
    listed = [named.get(address.lower()) or Claim("header", "", address) for address in dict.fromkeys(addresses[: limits.RECIPIENTS])]
    if not listed:
        return words
    strangers = [claim for claim in words if claim is not listed[0]] if len(listed) == 1 else []
    if len(strangers) == 1 and not listed[0].diagnostic:
        listed[0].diagnostic = strangers[0].diagnostic
    return listed


def read_last_resort(message: Message, gathered: Gathered, found: list[str], wording: Wording) -> list[Claim]:
    """Return whom flufl.bounce finds, or else the returned message's To when it holds exactly one address."""
    headers = gathered.headers
    writers = find_addresses(read_original(gathered.original).sender)
    ignored = _ignored(headers, (*_senders(headers.get("from", "")), *writers))
    claims: list[Claim] = []
    if "@" in gathered.text:  # without one there is nobody to find
        claims = [claim for claim in ask_flufl(_without_returned(message).encode("latin-1"), found) if claim.address.lower() not in ignored]
    if not claims:
        match = _TO.search(gathered.original)
        named = find_addresses(match[1]) if match is not None else []
        if len(named) == 1 and not _is_list(named[0], gathered.original):
            claims = [Claim("original", "to", named[0])]
    if claims:
        alone = len(claims) == 1
        for claim in claims:
            claim.diagnostic = _whole_reason(gathered.text, wording) if alone else printable(gathered.text[: limits.DIAGNOSTIC], limits.DIAGNOSTIC)
    return claims


def _whole_reason(text: str, wording: Wording) -> str:
    """Return the reason that a notice gives to its only recipient, or else all that it says."""
    return find_reason(text, wording) or printable(text[: limits.DIAGNOSTIC], limits.DIAGNOSTIC)


def _is_list(address: str, original: str) -> bool:
    """Say whether the returned message calls `address` its list: it went to people whom it does not name."""
    fields = " ".join(_LIST.findall(original)).lower()
    return address.lower() in fields or f"<{address.lower().replace('@', '.')}>" in fields


def _without_returned(message: Message) -> str:
    """Return the text before the returned message: flufl.bounce tries dozens of patterns on every line, and none of its lines names a failure."""
    for part in message.parts:
        if part.type in RETURNED:
            return message.text[: part.body]
    return message.text
