"""Delivery-status parts (RFC 3464, RFC 6533), with the deviations that are seen in the wild.

The fields of a part are read in order; a new recipient begins where a field comes again, or where a recipient field follows a blank line.
So blank lines may be missing between groups, or stand inside them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from bounceparse import limits
from bounceparse.model import Claim, Span
from bounceparse.replies import read_reply
from bounceparse.text import clip, printable
from bounceparse.wire.address import read_address
from bounceparse.wire.decode import decode_words
from bounceparse.wire.headers import end_of_field, skip_blanks, unfold

_NAMES: Final = {
    spelt: name.lower()
    for name in (
        *("Final-Recipient", "Original-Recipient", "Action", "Status", "Diagnostic-Code", "Remote-MTA", "Reporting-MTA", "Arrival-Date"),
        *("Last-Attempt-Date", "Original-Envelope-Id", "Recipient", "X-Actual-Recipient", "X-Display-Name", "X-Supplementary-Info"),
        *("X-Original-Message-ID", "X-PowerMTA-BounceCategory"),
    )
    for spelt in (name, name.lower())
} | {"x-exim-diagnostic": "diagnostic-code"}
"""The fields that are read: as they are usually spelt, which need not be lowered and hashed anew, and in lower case."""
_CARRIES_ON: Final = re.compile(r"[ \t]+(?=\S)|(?![!-9;-~]{3,40}[ \t]*:|--)(?=\S)")
"""How a line begins that carries a diagnostic on: set in, or, as some do not fold, with anything but a field's name or a delimiter."""
_MESSAGE_FIELDS: Final = frozenset({"reporting-mta", "arrival-date", "original-envelope-id", "last-attempt-date", "x-original-message-id"})
_RECIPIENT_FIELDS: Final = frozenset({"final-recipient", "original-recipient", "recipient"})
_ACTIONS: Final = {
    "failed": "failed",
    "failure": "failed",
    "fail": "failed",
    "error": "failed",
    "expired": "failed",
    "undeliverable": "failed",
    "delivery-failed": "failed",
    "delayed": "delayed",
    "delivered": "delivered",
    "deliverable": "delivered",
    "relayed": "relayed",
    "expanded": "expanded",
}
_WORD: Final = re.compile(r"[a-z][a-z-]*")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_TYPE: Final = re.compile(r"[ \t]*([A-Za-z][\w-]{0,40})[ \t]*;\s*")
_FIELD_NAME: Final = re.compile(r"\n(?-i:(?=[ \t>|DdFfOo]))[ \t>|]{0,3}(?:final-recipient|original-recipient|diagnostic-code)[ \t]*:", re.I)
_SOFT_BREAK: Final = re.compile(r"=\n")
_HEX: Final = re.compile(r"=([0-9A-F]{2})")
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")


def has_status_fields(text: str) -> bool:
    """Say whether a text that is not a delivery-status part prints the fields of one."""
    return _FIELD_NAME.search("\n" + text) is not None


def read_delivery_status(text: str, offset: int, fields: dict[str, str], rule: str = "") -> list[Claim]:
    """Return one claim for each recipient group; per-message fields are added to `fields` (lower-case name -> value, the first wins).

    `offset` is where `text` begins in the message, or -1 when it was transfer-encoded and places are not known.
    """
    if "=" in text and "=\n" in text and ("=20" in text or "=3D" in text or "=\n" in text[:200]):
        text, offset = _HEX.sub(lambda m: chr(int(m[1], 16)), _SOFT_BREAK.sub("", text)), -1
    claims: list[Claim] = []
    group: dict[str, str] = {}
    spans: dict[str, Span] = {}
    size = len(text)
    text += "\n\n"  # so that the last line ends too, and something stands behind its end
    start = last = 0
    while start < size:
        line, end = start, text.find("\n", start)
        colon = text.find(":", line, end)
        label = text[line:colon] if colon > line else ""
        name = _NAMES.get(label) or (_read_name(label) if label else "")
        if name == "diagnostic-code":
            while text[end + 1] != "\n" and _CARRIES_ON.match(text, end + 1) is not None:
                end = text.find("\n", end + 1)
        elif name:
            end = end_of_field(text, end)
        start = end + 1
        if not name:
            continue
        begin = skip_blanks(text, colon + 1)
        value = text[begin:end]
        if name in _MESSAGE_FIELDS:
            fields.setdefault(name, value)
            continue
        if name == "diagnostic-code":
            if len(value) > len(group.get(name, "")):
                group[name] = value
        else:
            if name in group or (group and name in _RECIPIENT_FIELDS and _is_full(group) and text.find("\n\n", last, line) >= 0):
                claims.append(_claim(group, spans, rule))
                if len(claims) >= limits.RECIPIENTS:
                    return claims
                group, spans = {}, {}
            group[name] = value
        last = end
        if offset >= 0:
            spans[name] = (offset + begin, offset + end)
    if group:
        claims.append(_claim(group, spans, rule))
    return claims


def _read_name(label: str) -> str:
    """Return the name of the field whose line begins with `label`, "" when it is none that is read; quoted lines have marks before it."""
    name = label.lstrip(" \t>|")
    return _NAMES.get(name.rstrip(" \t.").lower(), "") if len(label) - len(name) <= 3 else ""


def _is_full(group: dict[str, str]) -> bool:
    """Say whether a group has both a recipient and something about it, so that another recipient field may begin the next one."""
    return not group.keys() <= _RECIPIENT_FIELDS and not _RECIPIENT_FIELDS.isdisjoint(group)


def _claim(group: dict[str, str], spans: dict[str, Span], rule: str) -> Claim:
    """Return the claim that a recipient group makes."""
    original, final, other = group.get("original-recipient", ""), group.get("final-recipient", ""), group.get("recipient", "")
    action, status = group.get("action", ""), group.get("status", "")
    diagnostic, remote = group.get("diagnostic-code", ""), group.get("remote-mta", "")
    if original and "+" in original and original != final:
        original = _without_xtext(original, final)
    claim = Claim(
        "dsn",
        rule,
        read_address(other) if other else "",
        read_address(original) if original else "",
        read_address(final) if final else "",
        _ACTIONS.get(action, "") or _read_action(action),
    )
    if diagnostic:
        claim.diagnostic = _read_diagnostic(diagnostic)
    elif "x-supplementary-info" in group:
        claim.diagnostic = clip(unfold(group["x-supplementary-info"]).strip("<> "), limits.DIAGNOSTIC)
    if not claim.diagnostic:
        claim.diagnostic = "expired" if action[:7].lower() == "expired" else unfold(group.get("x-powermta-bouncecategory", ""))[: limits.FIELD]
    if status:
        match = _STATUS.match(status)
        if match is not None:
            claim.status = match[0]
            claim.diagnostic = claim.diagnostic or unfold(status[match.end() :]).strip(" ()")[: limits.FIELD]  # a comment says what nothing else does
        else:
            claim.reply_code, claim.status = read_reply(unfold(status))[:2]  # a reply stands where the status should
            if claim.reply_code and not claim.diagnostic:
                claim.diagnostic = clip(unfold(status), limits.DIAGNOSTIC)
    if remote:
        claim.remote_mta = read_mta(remote)
    claim.spans = spans
    return claim


def _without_xtext(original: str, final: str) -> str:
    """Return an Original-Recipient decoded where that makes it the Final-Recipient: in `a+2Bb@…` a plus sign was written as RFC 3461 4 asks for."""
    decoded = _XTEXT.sub(lambda m: chr(int(m[1], 16)), original)
    return decoded if decoded.lower() == final.lower() else original


def _read_action(value: str) -> str:
    """Return the Action that a value means, comments and odd words for it included; "" when it is none."""
    match = _WORD.match(value.strip().lower())
    word = match[0] if match is not None else ""
    return _ACTIONS.get(word, "failed" if word.startswith("fail") else "")


def _read_diagnostic(value: str) -> str:
    """Return a diagnostic as one line without its type; that of exit statuses (`X-Unix; 67`) stays."""
    if value[:7].lower() == "x-notes":
        value = value.replace("\n ", "").replace("\n\t", "")  # Domino folds inside words
    else:
        value = unfold(value)
    if value[:5].lower() == "smtp;":  # as nearly all begin
        value = value[5:]
    elif (match := _TYPE.match(value)) is not None and match[1].lower() != "x-unix":
        value = value[match.end() :]
    if "=?" in value:
        value = decode_words(value)
    return clip(value.strip(), limits.DIAGNOSTIC)


@lru_cache(maxsize=1_024)  # one host reports all the failures of a day, about a few big ones
def read_mta(value: str) -> str:
    """Return the host name of an MTA-name field in lower case: without its type, comments and brackets (RFC 3464 2.1.2)."""
    name = value.rpartition(";")[2] if ";" in value[:20] else value
    name = name.strip().strip("<>").partition(" ")[0].partition("(")[0].strip("[]<>.\n\t ").lower()
    return printable(name, 255)
