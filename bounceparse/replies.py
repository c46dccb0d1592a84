"""Read SMTP replies as they are quoted in reports: the reply code, the enhanced status code and the phase of the dialogue.

The rule that keeps this file honest: a number is a code only where a reply can stand. Addresses and links are taken out first, so that neither
`5.1.1-user@example.com` nor `?c=550` is ever read as a code (RFC 5321 4.2, RFC 2034, RFC 3463).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from ahocorasick_rs import AhoCorasick

_LOCAL: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+/=?^_`{|}~-"
_DOMAIN: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
_WIDE_ADDRESS: Final = re.compile(r"(?<![\w.+=/-])[\w.!#$%&'*+/=?^{|}~-]++@[\w.-]*")
_URL: Final = re.compile(r"([hHwW](?:(?<=[hH])[tT]{2}[pP][sS]?:/{1,2}|(?<=\b[wW])[wW]{2}\.)[^\s<>\"'|]+)")  # begins with a set, so it is found fast

# A reply code where a reply can stand: at the start, after a mark that ends an introduction, or right before an enhanced status code of its class.
_CODE: Final = re.compile(
    r"(?:(?<!\S)|(?<=[;:,<>(\"'`\[=|_#\uff1a\uff08\u300c]))([245]\d\d)"
    r"(?:[ \-(#:'\"_,;<\[.]{1,4}(?:smtp;[ ]*)?(?:\d\d\d[ -])?[#(]{0,2}([245]\.\d\.\d{1,3})(?![\d\w]|\.\d)|"
    r"(?=[ \-#,;:<>)\"'\]\uff09\uff1a\u3001\u3002]|\. |\.?$))"
)
_USUAL: Final = re.compile(r"([245]\d\d)[ -](?:#?([245]\.\d\.\d{1,3})[ :]+|(?=[A-Za-z<]))")
_DIGITS: Final = re.compile(r"\d\d\d|\d\.\d\.\d")
_STATUS: Final = re.compile(r"(?<![\w./=@])(?<![\d.]-)([245]\.\d\.\d{1,3})(?!\d|\.\d|-?[A-Za-z]{2,}@)")
_SECTION: Final = re.compile(r"(?:\brfc[ -]?\d{3,4}|\bsection|\bsect?\.|§)[ ,:(]{0,3}(?:section |sect?\. ?|§ ?)?\Z", re.I)
_START: Final = re.compile(
    r"[\s<>*.:\"'(|-]*(?:(?:smtp|x-?smtp|lmtp|esmtp)[;:]\s*)?(?:error[ _-]?(?:code)?[ :=]*|code[ :=]*|status[ :=]*|#<?\s?#?)?\Z", re.I
)
_INTRODUCES: Final = re.compile(
    r"(?:said|says|saying|returned|responded(?: with)?|response|replied(?: with)?|reply|replies|was|error|code|status|command|smtp|lmtp|server|with|"
    r"answer|answered|reason|diagnostic|following|because|failed|closing|data|rcpt|greeting|message|host|got|dit|sagte|antwortete|repondu|risposta|"
    r"respuesta|resposta|to|c[oó]digo|codice|kode?|koodi|fehler(?:code)?|erreur|errore|erro|fout|fejl|feil|virhe|hiba|hata|chyba|b[lł][aą]d|"
    r"ошибка|код|エラー|错误|錯誤|代码|代碼)\s*\Z",
    re.I,
)
_PLAIN: Final = re.compile(
    r"(?<=\s)(4[2-5]\d|47[1-2]|5[0-5]\d|57\d)\s(?!\s*(?:seconds?|secs?|minutes?|mins?|hours?|days?|bytes|[kmg]i?b|messages|emails|mails|recipients|"
    r"connections|times|characters|lines|users|attempts)\b)(?=\s*[A-Za-z<])"
)
_OUTRANKED: Final = frozenset({"503", "354", "334"})
_SUCCESSES: Final = frozenset({"211", "214", "220", "221", "235", "250", "251", "252"})
"""Other numbers with a 2 are no replies: `unknown mailer error 255`."""

# Each pattern is tried only on texts that hold one of its literals.
_PHASE_MARKS: Final = (
    (("reply to", "response to"), re.compile(r"in (?:reply|response) to (?:the |sending |pipelined |a |our )?(end of data|\.|[a-z]{4,8})")),
    (
        ("after", " in ", "our ", "during"),
        re.compile(
            r"\b(?:after|in|during|to our|like our)(?: smtp| pipelined| the| my| final| our){0,3} "
            r"(rcpt|mail from|mail(?= command)|ehlo|helo|starttls|auth(?= command)|lhlo|end of (?:data|message)|end-of-data|data(?! ?base)\b|"
            r"initial connection|greeting|banner)"
        ),
    ),
    (("_to]", "_from]", "[data", "[init]", "lo]", "[connect]"), re.compile(r"\[(rcpt_to|mail_from|data_close|data|init|ehlo|helo|connect)\]")),
    (("(state ",), re.compile(r"\(state (\d{1,2})\)")),
    (
        (
            *("talk to me", "handshake", "greeting", "my name", "like recipient", "sender was", "data command", "the message", "while sending"),
            *("mail+rcpt", "data closing", "data sending"),
        ),
        re.compile(
            r"(refused to talk to me|performing the (?:ehlo|helo|lhlo) handshake|receiving the initial server greeting|my name was rejected|"
            r"greeting failed|does not like recipient|sender was rejected|failed on data command|failed after i sent the message|"
            r"after sending the message|"
            r"while sending (?:rcpt to|mail from|end of data|message body|data|ehlo|helo)|mail\+rcpt|data closing|data sending)"
        ),
    ),
    ((" command",), re.compile(r"\b(rcpt|mail|data|ehlo|helo|starttls)(?: to| from)? ?:?(?:<[^>]{0,320}>)? command\b")),
    (("rcpt to:", "mail from:"), re.compile(r"\b(rcpt to|mail from):\s?<")),
)
_VERBS: Final = (
    *("rcpt", "mail from", "mail command", "mail_from", "mail+", "ehlo", "helo", "lhlo", "starttls", "auth command", "auth smtp", "data"),
    *("end of", "end-of"),
    *("initial connection", "greeting", "banner", "connect]", "init]", "(state ", "talk to me", "my name", "like recipient", "sender was"),
    *("the message", " .)"),
)
_NAMES_PHASE: Final = AhoCorasick(_VERBS).find_matches_as_indexes
"""One pass that tells that a text names no phase at all, as most do."""
_PHASES: Final = {
    "rcpt": "RCPT",
    "rcpt to": "RCPT",
    "rcpt_to": "RCPT",
    "mail": "MAIL",
    "mail from": "MAIL",
    "mail_from": "MAIL",
    "data": "DATA",
    "data_close": "EOD",
    ".": "EOD",
    "end of data": "EOD",
    "end-of-data": "EOD",
    "end of message": "EOD",
    "ehlo": "EHLO",
    "helo": "EHLO",
    "lhlo": "EHLO",
    "starttls": "STARTTLS",
    "auth": "AUTH",
    "init": "CONNECT",
    "connect": "CONNECT",
    "banner": "CONNECT",
    "greeting": "CONNECT",
    "initial connection": "CONNECT",
    "refused to talk to me": "CONNECT",
    "performing the ehlo handshake": "EHLO",
    "performing the helo handshake": "EHLO",
    "performing the lhlo handshake": "EHLO",
    "receiving the initial server greeting": "CONNECT",
    "my name was rejected": "EHLO",
    "greeting failed": "CONNECT",
    "does not like recipient": "RCPT",
    "sender was rejected": "MAIL",
    "failed on data command": "DATA",
    "failed after i sent the message": "EOD",
    "after sending the message": "EOD",
    "while sending rcpt to": "RCPT",
    "while sending mail from": "MAIL",
    "while sending end of data": "EOD",
    "while sending message body": "EOD",
    "while sending data": "DATA",
    "while sending ehlo": "EHLO",
    "while sending helo": "EHLO",
    "mail+rcpt": "RCPT",
    "data closing": "EOD",
    "data sending": "EOD",
}
_STATES: Final = {"6": "MAIL", "9": "AUTH", "12": "AUTH", "13": "EHLO", "14": "RCPT", "15": "DATA", "17": "EOD", "18": "EOD"}


class Reply(NamedTuple):
    """A quoted reply: `code` is three digits or "", `status` an enhanced status code or "", `rest` the words after them."""

    code: str
    status: str
    rest: str


def goes_on(reply: str) -> bool:
    """Say whether a reply is but the first line of several (`550-5.7.1 …`): Sendmail gives no more in Diagnostic-Code, and the cause may follow."""
    code = reply[:3]
    return reply[3:4] == "-" and code.isdigit() and f"{code} " not in reply[4:] and f"{code}-" not in reply[4:]


@lru_cache(maxsize=256)  # asked for the same text by whoever reads it and by whoever judges it
def mask(text: str) -> tuple[str, str]:
    """Return `text` without addresses and links, and the links alone, so that words inside either are never taken for words of the reply."""
    if "@" in text:
        text = _without_addresses(text)
    if "//" in text or "ww." in text:
        pieces = _URL.split(text)
        if len(pieces) > 1:
            return " ".join(pieces[::2]), " ".join(pieces[1::2])
    return text, ""


def _without_addresses(text: str) -> str:
    """Return `text` with a blank for each address; a reply code glued to one by a hyphen stays."""
    if not text.isascii():
        text = _WIDE_ADDRESS.sub(" ", text)
    pieces = text.replace("...", " ...").split("@") if "..." in text else text.split("@")
    kept: list[str] = []
    for piece in pieces[:-1]:
        head = piece.rstrip(_LOCAL)
        local = piece[len(head) :]
        if local[:1] in "45" and local[3:4] == "-" and local[:3].isdigit() and head[-1:] in ";: " and not kept:
            head += local[:4]
        kept.append(head.lstrip(_DOMAIN) if kept else head)
    kept.append(pieces[-1].lstrip(_DOMAIN) if kept else pieces[-1])
    return " ".join(kept)


def read_reply(text: str) -> Reply:
    """Return the reply that `text` quotes; of several, the innermost one, since the host that refused knows why (RFC 3463, RFC 5321 4.2.1).

    `550 host b said: 550 5.1.1 no such user` gives 550, 5.1.1; a trailing 503 of the same dialogue is passed over. Codes are found with `#`, `-`, `(`
    and quotes around them. Numbers inside addresses, links, versions, dates, IP addresses and longer numbers are no codes.
    """
    if "@" in text or "//" in text:
        text = mask(text)[0]
    return read_masked_reply(text)


@lru_cache(maxsize=4_096)  # a few hundred wordings make up most of a day's replies
def read_masked_reply(text: str) -> Reply:
    """Return the same as `read_reply` for a text that `mask` has gone over."""
    usual = _USUAL.match(text)
    if usual is not None and _DIGITS.search(text, usual.end()) is None:  # one reply and no other number that could be one
        return Reply(usual[1], usual[2] or "", text[usual.end() :])
    code = status = ""
    end = 0
    if text[:6].lower() == "x-unix":
        return Reply("", "", text)
    for match in _CODE.finditer(text):
        found, inner = match.groups()
        if (code and (found in _OUTRANKED or found[0] == "2")) or (found[0] == "2" and found not in _SUCCESSES):
            continue
        if inner is None:
            if (code and found == code) or not (text[match.end(1) : match.end(1) + 2] == "-'" or _stands(text, match.start(1), code != "")):
                continue
        elif inner[0] != found[0] and not _stands(text, match.start(1), code != ""):
            continue
        elif code in _OUTRANKED or not code or found != code or not status or not status.endswith(inner[1:]):
            status = inner
        if inner is None and found != code:
            status = ""
        code, end = found, match.end()
    if not code:
        plain = _PLAIN.search(text)
        if plain is not None:
            code, end = plain[1], plain.end()
    if status[2:] == "0.0":  # says nothing; qmail and its kin put the real one at the end
        better = _find_status(text, end)
        if better is not None and better[1][0] == status[0]:
            status = better[1]
    if not status:
        later = _find_status(text, end) or (_find_status(text, 0) if end else None)
        if later is not None:
            status = later[1]
            if later.start() >= end and later.start() - end < 4:
                end = later.end()
    return Reply(code, status, text[end:].lstrip(" -#):;,.'\""))


def _find_status(text: str, start: int) -> re.Match[str] | None:
    """Return where an enhanced status code stands from `start` on; a section of a standard, as in "RFC 5321 4.1.3", is none."""
    for match in _STATUS.finditer(text, start):
        if _SECTION.search(text, max(0, match.start() - 24), match.start()) is None:
            return match
    return None


def _stands(text: str, start: int, inner: bool) -> bool:
    """Say whether a reply can begin at `start`: at the very start, or after words or marks that introduce one."""
    before = text[max(0, start - 40) : start]
    if start < 40 and _START.match(before) is not None:
        return True
    stripped = before.rstrip(" \t\n")
    if not stripped:
        return not inner
    last = stripped[-1]
    if last in ":;<\"'=|>\uff1a\uff08\u300c" or stripped.endswith(("...", "(", "--")):
        return not (inner and last in "(")
    return _INTRODUCES.search(stripped) is not None


def read_status(text: str) -> tuple[str, str]:
    """Return the reply code and the enhanced status code of a Status field, "" for what it does not hold (RFC 3464 2.3.4)."""
    match = _STATUS.match(text)
    if match is not None:
        return "", match[1]
    reply = read_reply(text)
    return reply.code, reply.status


@lru_cache(maxsize=4_096)  # asked for masked texts most of the time
def read_phase(text: str) -> str:
    """Return the phase of the SMTP dialogue that `text` names: CONNECT EHLO STARTTLS AUTH MAIL RCPT DATA EOD (end of data), or "".

    Reads the remarks that sending hosts add: Postfix `(in reply to RCPT TO command)`, Exim `after RCPT TO:<…>:`, qmail's sentences, Yahoo's
    `[RCPT_TO]`, Gmail's `(state 14)`, SendGrid's `in RCPT TO`.
    """
    text = text.lower()
    if not _NAMES_PHASE(text):
        return ""
    for literals, pattern in _PHASE_MARKS:
        for literal in literals:
            if literal in text:
                found = pattern.findall(text)
                if found:
                    word = found[-1]
                    return _STATES.get(word, "") if word.isdigit() else _PHASES.get(word, "")
                break
    return ""
