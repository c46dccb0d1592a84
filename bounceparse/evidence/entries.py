"""Lines of a notice that name an address, ranked by their shape: an entry of a list, a labelled field, a sentence about delivery, a mere mention."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

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
_LABEL: Final = re.compile(
    r"^[ \t>*-]*(?:(?:final|original|failed|intended|invalid|the|e-?mail|envelope|recipient|undeliverable|destination)[ -]?)*"
    r"(?:recipients?|recipient\(s\)|addresse?s?|address\(es\)|rcpt(?: to)?|delivered to|addressed to|sent to|"
    r"mailbox|user|empf[^\s:]{1,6}nger(?:adresse)?|destinataires?|recipient's(?: e?-?mail)?|addresse?s?(?:\(es\))? that failed|"
    r"(?:mail-?)?adresse|adresse (?:e-?mail|du destinataire|mail)|direcci[^\s:]{1,3}n|indirizzo|endere[^\s:]{1,3}o|adres|адрес(?: получателя)?|"
    r"destinatarios?|destinatari|odbiorca|ontvanger|получатель|адресат|宛先|收件人|受信者|받는 사람)"
    r"[^\S\n]*+(?:address|name|\(s\))?[^\S\n]*+[:=\uff1a][^\S\n]*+[\[<\"'(]*(?:smtp:|rfc822;)?[^\S\n]*(.*@.*)$",
    re.I,
)
_TO: Final = re.compile(r"^[ \t>*-]*(?:to|an|a|para|naar|do|кому|à)[ \t]*[:=\uff1a][ \t]*(.*@.*)$", re.I)
_SENTENCE: Final = (
    "deliver", "recipient", "could not", "couldn", "cannot", "can't", "can’t", "unable", "not sent", "was not", "wasn", "fail", "error", "reject",
    "refus", "return", "unknown", "does not exist", "doesn", "no such", "mailbox", "your message", "your mail", "your email", "your e-mail",
    "zustell", "empf", "remis", "distribu", "entreg", "consegn", "bezorg", "dostarcz", "достав", "配信", "送信", "宛", "送达", "投递",
    "退回", "退信", "收件", "전달",
)  # fmt: skip
"""Words of lines that say who could not be reached; literals, since a tuple of them is tried three times as fast as one pattern."""
_CONTACT: Final = (
    "contact", "question", "assistance", "please send", "please forward", "please write", "please email", "please notify", "please call",
    "please visit", "postmaster for", "help", "support", "complain", "whitelist", "reply to", "sender", "from:", "von:", "de :", "mail from",
    "return-path", "reply-to", "cc:", "http", "kontakt", "contacte", "received", " id ", " id:", "message-id",
)  # fmt: skip
"""Words of lines whose addresses are somebody else's: whom to ask, who wrote."""
_ROLES: Final = frozenset(
    {"postmaster", "mailer-daemon", "mailerdaemon", "mdaemon", "abuse", "hostmaster", "noc", "helpdesk", "support", "root", "admin"}
)
_COLON: Final = re.compile("[:=\uff1a]")
_DIGITS: Final = re.compile(r"[45](?<![\d.].)(?:\d\d|\.\d{1,3}\.\d{1,3})(?![\d.])")


@dataclass(slots=True)
class Entry:
    """A line that names an address."""

    line: int
    rank: int  # 3 list entry or label, 2 sentence, 1 mention, 0 a role such as postmaster or a To line
    address: str
    source: str  # the address it was expanded from
    rest: str
    shape: str


def find_entries(lines: list[str], ignored: frozenset[str]) -> list[Entry]:
    """Return the lines that name an address which is not among the `ignored`, one entry for each address, in order."""
    entries: list[Entry] = []
    for number, line in enumerate(lines):
        if "@" not in line:
            continue
        lowered = line.lower()
        if line[:1] == "<" and (match := _QSBMF.match(line)) is not None:
            local, _, domain = match[1].rpartition("@")
            found = [(3, f'"{local}"@{domain}', "", match[2], "entry")]  # qmail prints quoted local parts without their quotes
        elif "..." in line and (match := _SENDMAIL.match(line)) is not None:
            found = [(3, match[1], "", line.strip(), "transcript")]
        elif (match := _ENTRY.match(line) or ("<" in line and _NAMED.match(line)) or None) is not None:
            found = [(3, match[1], match[2] or "", match[3] or "", "entry")]
        elif _COLON.search(line) is not None and (match := _LABEL.match(line)) is not None:
            found = [(3, address, "", "", "label") for address in find_addresses(match[1])]
        elif _COLON.search(line) is not None and (match := _TO.match(line)) is not None:
            found = [(0, address, "", "", "to") for address in find_addresses(match[1])]
        elif "rcpt to" in lowered and "@" in lowered.partition("rcpt to")[2]:
            found = [(2, address, "", "", "rcpt") for address in find_addresses(lowered.partition("rcpt to")[2])]
        else:
            words = without_addresses(_sentence_of(lowered) if ". " in lowered else lowered)
            if any(map(words.__contains__, _CONTACT)):
                continue
            before = lines[number - 1].lower() if number else ""
            rank = 2 if any(map(words.__contains__, _SENTENCE)) or any(map(before.__contains__, _SENTENCE)) else 1
            after = line.partition("@")[2].partition(" ")[2]
            found = [(rank, address, "", after if _DIGITS.search(after) is not None else "", "sentence") for address in find_addresses(line)]
        if found and found[0][0] == 3 and not found[0][3] and _tells_whom_to_ask(lines, number):
            continue
        for rank, value, source, rest, shape in found:
            address = check_address(value.rstrip(".,:;'"))
            if not source and number + 1 < len(lines) and (below := _GENERATED.match(lines[number + 1])) is not None:
                source = below[1]
            if address and "." in address.rpartition("@")[2] and address.lower() not in ignored:
                if _is_role(address) and shape != "label" and not (shape == "entry" and rest):
                    rank = 0
                entries.append(Entry(number, rank, address, check_address(source) if source else "", rest, shape))
    return entries


def _sentence_of(line: str) -> str:
    """Return the sentences of a line that name an address: what the next one asks for is no matter of theirs."""
    return " ".join([sentence for sentence in line.split(". ") if "@" in sentence])


def _is_role(address: str) -> bool:
    """Say whether an address is that of a server or of its keepers."""
    local = address.partition("@")[0].lower()
    return local in _ROLES or local.startswith("microsoftexchange329e")


def _tells_whom_to_ask(lines: list[str], number: int) -> bool:
    """Say whether the line above a bare address announces whom to ask: `Questions should be directed to the list owner at:`."""
    above = " ".join(lines[max(0, number - 3) : number]).lower().rstrip()
    return (
        above[-1:] == ":"
        and any(map(above.__contains__, ("question", "directed to", "contact", "for help", "assistance", "owner at")))
        and "deliver" not in above
    )
