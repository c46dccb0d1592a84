"""Gather the evidence of a message: which part is for people, which for machines, which is the returned message, and what each of them claims."""

from __future__ import annotations

import re
from typing import Final

from bounceparse import limits
from bounceparse.evidence.disposition import read_disposition
from bounceparse.evidence.dsn import has_status_fields, read_delivery_status
from bounceparse.evidence.feedback import read_feedback
from bounceparse.evidence.original import cut_original
from bounceparse.model import Claim, Message, Part
from bounceparse.wire.charset import decode_text
from bounceparse.wire.decode import decode_body
from bounceparse.wire.mime import open_message, read_text

_STATUS: Final = frozenset({"message/delivery-status", "message/global-delivery-status", "message/xdelivery-status"})
_DISPOSITION: Final = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
RETURNED: Final = frozenset(
    {"message/rfc822", "message/global", "message/rfc822-headers", "message/partial", "text/rfc822-headers", "message/global-headers"}
)
_BESIDE: Final = 8_192  # characters of text that are read beside a complete machine part
_UNTYPED: Final = frozenset({"application/octet-stream", "application/x-delivery-status"})
_TEXT: Final = frozenset({"text/plain", "text/html", "text/enriched"})
_PLAIN_ENCODINGS: Final = frozenset({"", "7bit", "8bit", "binary"})
_OF_A_REPORT: Final = (
    r"content-type:[ \t]*multipart/report|from:[^\n]*(?:mailer-daemon|postmaster|mail delivery|microsoftexchange329)|x-failed-recipients:"
)
_FORWARDED_REPORT: Final = re.compile(rf"\n(?:{_OF_A_REPORT})", re.I)
_UNCAUGHT: Final = re.compile(rf"\n(?:return-path:[ \t]*<>|{_OF_A_REPORT})", re.I)


class Gathered:
    """What one message says, before it is judged; no dataclass, since that would bring a constructor that is not compiled."""

    __slots__ = ("claims", "feedback", "fields", "forwarded", "headers", "offset", "original", "printed", "refused", "report", "text")

    def __init__(self, headers: dict[str, str]) -> None:
        self.report = ""  # "dsn", "feedback" or "disposition" when it has such a machine part
        self.claims: list[Claim] = []  # of the machine part
        self.fields: dict[str, str] = {}  # per-message fields of the machine part
        self.text = ""  # what is written for people, the returned message not cut off yet
        self.offset = -1  # where `text` begins in the message; -1 when it was encoded
        self.original = ""  # the returned message, at least its header
        self.feedback = ""  # the feedback type of a complaint
        self.refused = False  # a disposition notification that says: rejected
        self.printed = False  # the fields of the machine part stand in the text for people, which anybody can quote
        self.forwarded = False  # the report stood in an attached message
        self.headers = headers  # of the message that is the report


def gather(message: Message, found: list[str]) -> Gathered:
    """Return the evidence of a message; an attached report is opened when the message itself is none, at most three deep."""
    gathered = _gather(message, found)
    for _ in range(3):
        if gathered.report or not gathered.original:
            break
        inner = next((part for part in message.parts if part.type in RETURNED), None)
        # Mailman hands on to the owner of a list what it cannot read; posts to the list have another precedence.
        uncaught = "x-mailman-version" in message.headers and message.headers.get("precedence", "") == "bulk"
        report = _UNCAUGHT if uncaught else _FORWARDED_REPORT
        if inner is None or report.search(message.text, inner.body - 1, min(inner.end, inner.body + limits.HEADER_BLOCK // 4)) is None:
            break
        message = open_message(message, inner)
        found += message.flaws
        deeper = _gather(message, found)
        deeper.forwarded = True
        if uncaught or deeper.report or has_status_fields(deeper.text) or "mailer-daemon" in message.headers.get("from", "").lower():
            gathered = deeper
        else:
            break
    return gathered


def _gather(message: Message, found: list[str]) -> Gathered:
    gathered = Gathered(message.headers)
    parts = message.parts
    if len(parts) == 1 and parts[0].type[:10] != "multipart/":
        _read_leaf(message, parts[0], gathered, found)
        return gathered
    texts: list[Part] = []
    for part in sorted(parts, key=_start) if len(parts) > 4 else parts:
        kind = part.type
        if kind in _TEXT:
            if not gathered.original or not texts:
                texts.append(part)
        elif kind in _STATUS:
            _read_status(message, part, gathered)
        elif kind in RETURNED:
            if not gathered.original and parts[part.parent].type != "multipart/digest":  # its parts are posts to a list
                gathered.original = _attached(message, part)
        elif kind == "message/feedback-report":
            gathered.report = "feedback"
            gathered.fields["\0feedback"] = _attached(message, part)
        elif kind in _DISPOSITION:
            gathered.report = gathered.report or "disposition"
            gathered.fields["\0disposition"] = _attached(message, part)
        elif kind in _UNTYPED and part.end - part.body < limits.TEXT and has_status_fields(message.text[part.body : part.end]):
            _read_status(message, part, gathered)
    _read_texts(message, texts, gathered, found)
    if "\0feedback" in gathered.fields:
        gathered.feedback, gathered.claims = read_feedback(gathered.fields.pop("\0feedback"), gathered.original, gathered.fields)
    elif not gathered.report and "x-hmxmroriginalrecipient:" in gathered.original[:8_000].lower():
        gathered.report = "feedback"  # Microsoft's complaints have no machine part
        gathered.feedback, gathered.claims = read_feedback("", gathered.original, gathered.fields)
    if "\0disposition" in gathered.fields:
        gathered.refused, claim = read_disposition(gathered.fields.pop("\0disposition"), message.headers)
        gathered.claims.append(claim)
    if not gathered.report and gathered.text and not gathered.original:
        _look_inside(gathered)
    elif not gathered.report and has_status_fields(gathered.text):
        gathered.claims = read_delivery_status(gathered.text, gathered.offset, gathered.fields)
        gathered.report = "dsn" if gathered.claims else ""
        gathered.printed = True
    return gathered


def _start(part: Part) -> int:
    return part.start


def _attached(message: Message, part: Part) -> str:
    """Return the decoded content of a message part, at most limits.TEXT of it: of returned messages only the header is ever read."""
    text = message.text[part.body : min(part.end, part.body + limits.TEXT)]
    if part.encoding in _PLAIN_ENCODINGS:
        return text
    return decode_body(text.encode("latin-1"), part.encoding)[0].decode("latin-1").replace("\r\n", "\n")


def _read_status(message: Message, part: Part, gathered: Gathered) -> None:
    text, offset = message.text[part.body : min(part.end, part.body + limits.STATUS_PART)], part.body
    if part.encoding not in _PLAIN_ENCODINGS:
        text, offset = decode_body(text.encode("latin-1"), part.encoding)[0].decode("latin-1").replace("\r\n", "\n"), -1
    if "\x1b" in text:
        text, offset = decode_text(text.encode("latin-1"), "iso-2022-jp")[0], -1
    elif not text.isascii():
        decoded = text.encode("latin-1").decode("utf-8", "replace")
        if len(decoded) != len(text):
            offset = -1
        text = decoded
    claims = read_delivery_status(text, offset, gathered.fields)
    if claims or gathered.fields:
        gathered.report = "dsn"
    gathered.claims += claims


def _read_texts(message: Message, texts: list[Part], gathered: Gathered, found: list[str]) -> None:
    """Fill in the text for people: all plain parts, or else the HTML ones."""
    plain = [part for part in texts if part.type == "text/plain" and part.end > part.body] or texts
    pieces: list[str] = []
    size = 0
    limit = limits.TEXT
    if gathered.report == "dsn" and all(claim.diagnostic for claim in gathered.claims):
        limit, found = _BESIDE, []  # the machine part says it all; the words only tell who wrote it
    for part in plain:
        piece = read_text(message, part, found, limit)
        if not piece or piece.isspace():
            continue
        known = part.encoding in _PLAIN_ENCODINGS and part.type == "text/plain" and len(piece) == min(part.end - part.body, limit)
        if not pieces and known:
            gathered.offset = part.body
        pieces.append(piece)
        size += len(piece)
        if size > limit or len(pieces) > 8:
            break
    if not pieces and plain is not texts:
        pieces = [read_text(message, part, found, limit) for part in texts if part.type == "text/html"][:1]
    gathered.text = pieces[0] if len(pieces) == 1 else "\n\n".join(pieces)
    if len(pieces) > 1:
        gathered.offset = -1  # what stands in the second piece would be looked for behind the first


def _read_leaf(message: Message, part: Part, gathered: Gathered, found: list[str]) -> None:
    """Read a message of one part: plain text, HTML, or a bare machine part."""
    if part.type in _STATUS:
        _read_status(message, part, gathered)
        gathered.text = message.text[part.body : part.end]
        return
    if part.type[:5] != "text/" and part.type[:12] != "application/" and part.type[:8] != "message/":
        return
    gathered.text = read_text(message, part, found)
    if part.type == "text/plain" and part.encoding in _PLAIN_ENCODINGS and len(gathered.text) == part.end - part.body:
        gathered.offset = part.body
    _look_inside(gathered)


def _look_inside(gathered: Gathered) -> None:
    """Cut the returned message off a plain text, and read the delivery-status fields that are printed in what is left."""
    gathered.text, gathered.original = cut_original(gathered.text)
    if has_status_fields(gathered.text):
        gathered.claims = read_delivery_status(gathered.text, gathered.offset, gathered.fields)
        gathered.report = "dsn" if any(claim.final_address or claim.original_address or claim.diagnostic for claim in gathered.claims) else ""
        gathered.printed = True
