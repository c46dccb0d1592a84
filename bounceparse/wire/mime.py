"""The MIME tree as a flat tuple of parts with offsets.

The rules that keep this file honest: bytes are decoded once, as Latin-1, so that offsets into the text are offsets into the bytes; delimiters are
found with `str.find`; containers wait on a list instead of a call stack; a part's parent always stands before it; attached messages are leaves,
opened only by whoever asks (`open_message`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from bounceparse import flaws, limits
from bounceparse.model import Message, Part, Span
from bounceparse.wire.charset import decode_text, fix_mojibake
from bounceparse.wire.decode import decode_body, decode_params
from bounceparse.wire.headers import read_header
from bounceparse.wire.html import html_to_text

_CONTENT: Final = re.compile(r"\ncontent-(type|transfer-encoding)[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", re.I)
_BOUNDARY: Final = re.compile(r"\bboundary[ \t]*=[ \t]*(?:\"([^\"\n]{1,200})\"|'?([^\s;\"']{1,200}))", re.I)
_MBOX: Final = re.compile(r"(?:\ufeff|\xef\xbb\xbf|>?From [^\n]*\n|[ \t]*\n){1,200}+")
_DASHES: Final = re.compile(r"^--([^\s-][^\n]{0,198}?)[ \t]*\n(?=content-|\n)", re.M | re.I)
_FIELD_START: Final = re.compile(r"[!-9;-~]+[ \t]*:")
_CHARSET: Final = re.compile(r"charset[ \t]*=[ \t]*[\"']?([\w.:+-]+)", re.I)
_CRLF: Final = re.compile(rb"\r\n")
_LARGE: Final = 1 << 20  # characters of a message from which its memory counts more than its time


def read_message(raw: bytes) -> Message:
    """Return the MIME structure of `raw`; total: what is broken or cut becomes a flaw (RFC 2045, 2046, 5322)."""
    found: list[str] = []
    crlf = False
    if len(raw) > limits.MESSAGE:
        found.append(flaws.CUT_MESSAGE)
    if len(raw) > _LARGE:
        text = str(memoryview(raw)[: limits.MESSAGE], "latin-1")
        if "\r" in text:
            text, crlf = _unify_large(text)
    elif raw.find(b"\r") >= 0:  # `in` tries to read the byte as a number first, which takes longer than the search
        text, crlf = _unify(raw)
    else:
        text = raw.decode("latin-1")
    end = len(text)
    if end and text[-1] != "\n":
        start = text.rfind("\n") + 1
        if not text.startswith("--", start):  # a cut address would be another address
            found.append(flaws.CUT_LINE)
            end = start
    return read_tree(raw, text, 0, end, found, crlf)


def _unify(raw: bytes) -> tuple[str, bool]:
    """Return a message as text with LF line ends, and whether all were CR LF. A lone CR beside other line ends is none."""
    bare = raw.replace(b"\r", b"")  # memchr finds single bytes: there and back is faster than one pass that looks at each character
    if bare.replace(b"\n", b"\r\n") == raw:
        return bare.decode("latin-1"), True
    text = raw.decode("latin-1").replace("\r\n", "\n")
    return text.replace("\r", " " if "\n" in text else "\n"), False


def _unify_large(text: str) -> tuple[str, bool]:
    """Return the same as `_unify`, with one copy of the text where that makes two."""
    pairs, returns, feeds = text.count("\r\n"), text.count("\r"), text.count("\n")
    text = text.replace("\r\n", "\n")
    if returns > pairs:
        text = text.replace("\r", " " if feeds else "\n")
    return text, pairs == returns == feeds


def read_tree(raw: bytes, text: str, start: int, end: int, found: list[str], crlf: bool) -> Message:
    """Return the tree of the message that stands in text[start:end]."""
    if not text:
        found.append(flaws.EMPTY)
    if text[start : start + 1] in ("\n", " ", "\t", ">", "F", "\xef"):
        match = _MBOX.match(text, start)
        if match is not None:
            start = min(match.end(), end)
    stop = min(end, start + limits.HEADER_BLOCK)
    headers, body = read_header(text if text[-1:] == "\n" else text + "\n", start, stop)
    if body < stop:
        body += 1  # behind the empty line
    elif stop < end:
        found.append(flaws.CUT_HEADERS)
    if not headers and text:
        found.append(flaws.NO_HEADERS)
    content_type = headers.get("content-type", "")
    media, encoding = _read_media(content_type, headers.get("content-transfer-encoding", ""))
    parts = [Part(media, -1, 0, start, body, end, content_type, encoding)]
    waiting = [0] if parts[0].type[:10] == "multipart/" else []
    while waiting:
        index = waiting.pop(0)
        _read_children(text, parts, index, waiting, found)
    return Message(raw, text, tuple(parts), headers, tuple(found), crlf)


def open_message(message: Message, part: Part) -> Message:
    """Return the message that a message/rfc822 part holds, its offsets still those of the outer message when the part is not encoded."""
    if part.encoding in ("", "7bit", "8bit", "binary"):
        return read_tree(message.raw, message.text, part.body, part.end, [], message.crlf)
    data = decode_body(message.text[part.body : part.end].encode("latin-1"), part.encoding)[0]
    return read_message(data)


@lru_cache(maxsize=2_048)  # the same few part headers come back in every report of one program; it saves four patterns a part
def _read_content(block: str) -> tuple[str, str, str] | None:
    """Return media type, transfer encoding and raw Content-Type of a part's header block; None when it begins with no field."""
    if _FIELD_START.match(block) is None:
        return None
    content_type = encoding = ""
    for name, value in _CONTENT.findall("\n" + block):
        if len(name) == 4:
            content_type = value
        else:
            encoding = value
    return (*_read_media(content_type, encoding), content_type)


def _read_media(content_type: str, encoding: str) -> tuple[str, str]:
    """Return the lower-case media type, text/plain when there is none, and the lower-case transfer encoding."""
    media = content_type.partition(";")[0].strip().lower() if content_type else "text/plain"
    if " " in media or "\n" in media or "(" in media:
        words = media.partition("(")[0].split()
        media = words[0] if words else "text/plain"
    if media == "text":
        media = "text/plain"
    return media, encoding.partition(";")[0].partition("(")[0].strip().lower() if encoding else ""


def _read_children(text: str, parts: list[Part], index: int, waiting: list[int], found: list[str]) -> None:
    """Append the children of the multipart at `index`."""
    part = parts[index]
    depth = part.depth + 1
    if depth > limits.DEPTH:
        found.append(flaws.CUT_DEPTH)
        return
    boundary = _boundary(part)
    spans, closed = _cut(text, boundary, part.body, part.end) if boundary else ([], True)
    if not spans:
        found.append(flaws.NO_BOUNDARY)
        match = _DASHES.search(text, part.body, min(part.end, part.body + limits.TEXT))
        if match is None and len(parts) >= limits.PARTS:
            found.append(flaws.CUT_PARTS)
            return
        if match is None:
            parts.append(Part("text/plain", index, depth, part.body, part.body, part.end, "", ""))
            return
        spans, closed = _cut(text, match[1], part.body, part.end)
    if not closed and flaws.UNCLOSED not in found:
        found.append(flaws.UNCLOSED)
    for start, end in spans:
        if len(parts) >= limits.PARTS:
            found.append(flaws.CUT_PARTS)
            return
        media, encoding, content_type = "text/plain", "", ""
        if text[start : start + 1] == "\n":
            body = start + 1
        else:
            stop = text.find("\n\n", start, min(end, start + limits.HEADER_BLOCK))
            body = stop + 2 if stop >= 0 else end
            content = _read_content(text[start:body]) if body - start < 512 else _read_content.__wrapped__(text[start:body])
            if content is None:
                body = start  # no header at all: text begins at once
            else:
                media, encoding, content_type = content
        if not content_type and part.type == "multipart/digest":
            media = "message/rfc822"
        parts.append(Part(media, index, depth, start, body, end if end > body else body, content_type, encoding))
        if media[:10] == "multipart/":
            waiting.append(len(parts) - 1)


def _boundary(part: Part) -> str:
    """Return the boundary parameter of a multipart, "" when it has none."""
    _, usual, rest = part.content_type.partition('boundary="')  # spares nearly all of them the pattern
    if usual:
        boundary, closed, _ = rest.partition('"')
        if closed and 0 < len(boundary) <= limits.BOUNDARY and "\n" not in boundary:
            return boundary.rstrip()
    start = part.content_type.lower().find("boundary")  # finding a word is a fifth of the work of a pattern without case
    match = _BOUNDARY.search(part.content_type, start) if start >= 0 else None
    if match is not None:
        return (match[1] or match[2]).rstrip()
    return decode_params(part.content_type).get("boundary", "")[: limits.BOUNDARY].rstrip() if "*" in part.content_type else ""


def _cut(text: str, boundary: str, start: int, end: int) -> tuple[list[tuple[int, int]], bool]:
    """Return the spans between the delimiter lines of `boundary`, and whether the closing one was there (RFC 2046 5.1.1)."""
    delimiter = "\n--" + boundary
    width = len(delimiter)
    spans: list[tuple[int, int]] = []
    if start and text.startswith(delimiter[1:], start, end):
        start -= 1
    opened = -1
    at = text.find(delimiter, start, end)  # finding copies nothing, splitting copies all of the mail
    number = 0
    for number in range(limits.PARTS + 1):  # noqa: B007 (it is the count of delimiters below)
        if at < 0:
            break
        after = at + width
        following = text.find(delimiter, after, end)
        if text[after : after + 1] == "\n" and after != following and after < end:
            line, tail = after, ""
        else:
            line = text.find("\n", after, following if following >= 0 else end)
            tail = text[after : line if line >= 0 else following if following >= 0 else end]
        closing = tail[:2] == "--"
        if not tail or tail.isspace() or (closing and not tail[2:].strip()):
            if opened >= 0:
                spans.append((opened, at))
            if closing:
                return spans, True
            opened = line + 1 if line >= 0 else end
        at = following
    else:
        return [*spans, (opened, end)] if opened >= 0 else spans, True
    if opened >= 0:
        spans.append((opened, end))
    return spans, number >= limits.PARTS


def read_text(message: Message, part: Part, found: list[str], limit: int = limits.TEXT) -> str:
    """Return the decoded text of a text part, HTML turned into plain text, at most `limit` characters; what was wrong is appended to `found`."""
    text = message.text[part.body : part.end]
    if part.encoding and part.encoding not in ("7bit", "8bit", "binary"):
        data, clean = decode_body(text[: limit * 4].encode("latin-1"), part.encoding)
        if not clean:
            found.append(flaws.BAD_ENCODING)
        text = data.decode("latin-1")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if part.end >= len(message.text) - 1 and flaws.UNCLOSED in message.flaws:
            text = text[: text.rfind("\n") + 1]  # cut in the middle: its last line is no evidence
    if len(text) > limit:
        text = text[:limit]
        found.append(flaws.CUT_TEXT)
    if not text.isascii() or "\x1b" in text or "utf-7" in part.content_type or "UTF-7" in part.content_type:
        match = _CHARSET.search(part.content_type)
        text, clean = decode_text(text.encode("latin-1"), match[1] if match is not None else "")
        if not clean:
            found.append(flaws.BAD_CHARSET)
        text = fix_mojibake(text)
    if part.type == "text/html" or (text[:200].lstrip()[:1] == "<" and "<html" in text[:2000].lower()):
        text, clean = html_to_text(text)
        if not clean:
            found.append(flaws.HTML)
    return text


class RawOffsets:
    """Turns offsets in `Message.text`, which has one character for each CRLF, into offsets in `Message.raw`.

    It keeps its last answer and counts lines from there, so that many offsets close together cost little (10,000 recipients in one report).
    """

    __slots__ = ("_breaks", "_last", "_lost", "_shift", "_text")

    def __init__(self, message: Message) -> None:
        self._text = message.text
        self._lost = min(len(message.raw), limits.MESSAGE) - len(message.text)
        self._last = self._shift = 0
        self._breaks: list[int] = []  # with mixed line ends: where in the text each CRLF was
        if self._lost and not message.crlf:
            self._breaks = [match.start() - number for number, match in enumerate(_CRLF.finditer(message.raw, 0, limits.MESSAGE))]

    def spans(self, spans: Iterable[Span]) -> list[Span]:
        """Return where in `Message.raw` spans of `Message.text` stand."""
        if not self._lost:
            return list(spans)
        if self._breaks:
            return [(start + bisect_left(self._breaks, start), end + bisect_left(self._breaks, end)) for start, end in spans]
        text, last, shift = self._text, self._last, self._shift
        found = []
        for start, end in spans:
            if not last and start * 2 > len(text):
                last, shift = len(text), self._lost  # the nearer end
            shift += text.count("\n", last, start) if start >= last else -text.count("\n", start, last)
            begin = start + shift
            shift += text.count("\n", start, end)
            last = end
            found.append((begin, end + shift))
        self._last, self._shift = last, shift
        return found
