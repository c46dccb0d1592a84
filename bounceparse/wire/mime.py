"""The MIME tree as a flat tuple of parts with offsets.

The rules that keep this file honest: bytes are decoded once, as Latin-1, so that offsets into the text are offsets into the bytes; delimiters are
found with `str.find`; containers wait on a list instead of a call stack; a part's parent always stands before it; attached messages are leaves,
opened only by whoever asks (`open_message`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from bounceparse import flaws, limits
from bounceparse.model import Message, Part
from bounceparse.wire.charset import decode_text
from bounceparse.wire.decode import decode_body, decode_params
from bounceparse.wire.headers import read_fields
from bounceparse.wire.html import html_to_text

_CONTENT: Final = re.compile(r"^content-(type|transfer-encoding)[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", re.M | re.I)
_BOUNDARY: Final = re.compile(r"\bboundary[ \t]*=[ \t]*(?:\"([^\"\n]{1,200})\"|'?([^\s;\"']{1,200}))", re.I)
_MBOX: Final = re.compile(r"(?:\ufeff|\xef\xbb\xbf|>?From [^\n]*\n|[ \t]*\n)+")
_DASHES: Final = re.compile(r"^--([^\s-][^\n]{0,198}?)[ \t]*\n(?=content-|\n)", re.M | re.I)
_FIELD_START: Final = re.compile(r"[!-9;-~]+[ \t]*:")
_CHARSET: Final = re.compile(r"charset[ \t]*=[ \t]*[\"']?([\w.:+-]+)", re.I)
_CRLF: Final = re.compile(rb"\r\n")


def read_message(raw: bytes) -> Message:
    """Return the MIME structure of `raw`; total: what is broken or cut becomes a flaw (RFC 2045, 2046, 5322)."""
    found: list[str] = []
    if len(raw) > limits.MESSAGE:
        raw = raw[: limits.MESSAGE]
        found.append(flaws.CUT_MESSAGE)
    data = raw
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
        if b"\r" in data:
            data = data.replace(b"\r", b" " if b"\n" in data else b"\n")
    text = data.decode("latin-1")
    end = len(text)
    if end and text[-1] != "\n":
        start = text.rfind("\n") + 1
        if not text.startswith("--", start):  # a cut address would be another address
            found.append(flaws.CUT_LINE)
            end = start
    return read_tree(raw, text, 0, end, found)


def read_tree(raw: bytes, text: str, start: int, end: int, found: list[str]) -> Message:
    """Return the tree of the message that stands in text[start:end]."""
    if not text:
        found.append(flaws.EMPTY)
    if text[start : start + 1] in ("\n", " ", "\t", ">", "F", "\xef"):
        match = _MBOX.match(text, start)
        if match is not None:
            start = min(match.end(), end)
    block_end, body = _split_header(text, start, end, found)
    headers = read_fields(text[start:block_end])
    if not headers and text:
        found.append(flaws.NO_HEADERS)
    content_type = headers.get("content-type", "")
    parts = [_part(content_type, headers.get("content-transfer-encoding", ""), -1, 0, start, body, end)]
    waiting = [0] if parts[0].type[:10] == "multipart/" else []
    while waiting:
        index = waiting.pop(0)
        _read_children(text, parts, index, waiting, found)
    return Message(raw, text, tuple(parts), headers, tuple(found))


def open_message(message: Message, part: Part) -> Message:
    """Return the message that a message/rfc822 part holds, its offsets still those of the outer message when the part is not encoded."""
    if part.encoding in ("", "7bit", "8bit", "binary"):
        return read_tree(message.raw, message.text, part.body, part.end, [])
    data = decode_body(message.text[part.body : part.end].encode("latin-1"), part.encoding)[0]
    return read_message(data)


def _split_header(text: str, start: int, end: int, found: list[str]) -> tuple[int, int]:
    """Return where the header block ends and the body begins; a block without any field is a body without a header."""
    if text[start : start + 1] == "\n":
        return start, start + 1
    stop = text.find("\n\n", start, min(end, start + limits.HEADER_BLOCK))
    if stop >= 0:
        return stop + 1, stop + 2
    if end - start > limits.HEADER_BLOCK:
        found.append(flaws.CUT_HEADERS)
        return start + limits.HEADER_BLOCK, start + limits.HEADER_BLOCK
    return end, end


def _part(content_type: str, encoding: str, parent: int, depth: int, start: int, body: int, end: int) -> Part:
    media = content_type.partition(";")[0].strip().lower() if content_type else "text/plain"
    if " " in media or "\n" in media or "(" in media:
        media = media.partition("(")[0].split()[0] if media.partition("(")[0].split() else "text/plain"
    if media == "text":
        media = "text/plain"
    if encoding:
        encoding = encoding.partition(";")[0].partition("(")[0].strip().lower()
    return Part(media, parent, depth, start, body, end, content_type, encoding)


def _read_children(text: str, parts: list[Part], index: int, waiting: list[int], found: list[str]) -> None:
    """Append the children of the multipart at `index`."""
    part = parts[index]
    if part.depth >= limits.DEPTH:
        found.append(flaws.CUT_DEPTH)
        return
    boundary = _boundary(part)
    spans, closed = _cut(text, boundary, part.body, part.end) if boundary else ([], True)
    if not spans:
        found.append(flaws.NO_BOUNDARY)
        match = _DASHES.search(text, part.body, min(part.end, part.body + limits.TEXT))
        if match is None:
            parts.append(_part("", "", index, part.depth + 1, part.body, part.body, part.end))
            return
        spans, closed = _cut(text, match[1], part.body, part.end)
    if not closed and flaws.UNCLOSED not in found:
        found.append(flaws.UNCLOSED)
    default = "message/rfc822" if part.type == "multipart/digest" else ""
    for start, end in spans:
        if len(parts) >= limits.PARTS:
            found.append(flaws.CUT_PARTS)
            return
        content_type, encoding = default, ""
        if text[start : start + 1] == "\n":
            stop, body = start, start + 1
        else:
            stop = text.find("\n\n", start, min(end, start + limits.HEADER_BLOCK))
            stop, body = (stop + 1, stop + 2) if stop >= 0 else (end, end)
            if _FIELD_START.match(text, start) is None:
                stop, body = start, start  # no header at all: text begins at once
            for name, value in _CONTENT.findall(text[start:stop]):
                if len(name) == 4:
                    content_type = value
                else:
                    encoding = value
        parts.append(_part(content_type, encoding, index, part.depth + 1, start, body, max(body, end)))
        if parts[-1].type[:10] == "multipart/":
            waiting.append(len(parts) - 1)


def _boundary(part: Part) -> str:
    """Return the boundary parameter of a multipart, "" when it has none."""
    match = _BOUNDARY.search(part.content_type)
    if match is not None:
        return (match[1] or match[2]).rstrip()
    return decode_params(part.content_type).get("boundary", "")[: limits.BOUNDARY].rstrip() if "*" in part.content_type else ""


def _cut(text: str, boundary: str, start: int, end: int) -> tuple[list[tuple[int, int]], bool]:
    """Return the spans between the delimiter lines of `boundary`, and whether the closing one was there (RFC 2046 5.1.1)."""
    delimiter = "\n--" + boundary
    width = len(delimiter)
    spans: list[tuple[int, int]] = []
    opened = -1
    at = start if text.startswith(delimiter[1:], start, end) else -1
    at = at - 1 if at >= 0 else text.find(delimiter, max(start - 1, 0), end)
    while at >= 0:
        after = at + width
        closing = text.startswith("--", after)
        line = text.find("\n", after, end)
        tail = text[after + 2 if closing else after : line if line >= 0 else end]
        if not tail or tail.isspace():
            if opened >= 0:
                spans.append((opened, max(at, opened)))
                if len(spans) > limits.PARTS:
                    return spans, True
            if closing:
                return spans, True
            opened = line + 1 if line >= 0 else end
        at = text.find(delimiter, after - 1, end)
    if opened >= 0:
        spans.append((opened, end))
    return spans, False


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
    if part.type == "text/html" or (text[:200].lstrip()[:1] == "<" and "<html" in text[:2000].lower()):
        text, clean = html_to_text(text)
        if not clean:
            found.append(flaws.HTML)
    return text


class RawOffsets:
    """Turns offsets in `Message.text`, which has one character for each CRLF, into offsets in `Message.raw`.

    It keeps its last answer and counts lines from there, so that many offsets close together cost little (10,000 recipients in one report).
    """

    __slots__ = ("_breaks", "_last", "_same", "_shift", "_text")

    def __init__(self, message: Message) -> None:
        self._text = message.text
        lost = len(message.raw) - len(message.text)
        self._same = not lost
        self._last = self._shift = 0
        self._breaks: list[int] = []  # with mixed line ends: where in the text each CRLF was
        if lost and lost != message.text.count("\n"):
            self._breaks = [match.start() - number for number, match in enumerate(_CRLF.finditer(message.raw))]

    def __call__(self, position: int) -> int:
        if self._same:
            return position
        if self._breaks:
            return position + bisect_left(self._breaks, position)
        if position >= self._last:
            self._shift += self._text.count("\n", self._last, position)
        else:
            self._shift -= self._text.count("\n", position, self._last)
        self._last = position
        return position + self._shift
