"""Mailbox files (RFC 4155 and kin): many messages, each behind a line `From sender date`.

A separator is a line that begins with `From `, ends like an asctime date, and stands after a blank line or at the start of the file. Less strict
readers split a mail in two at a sentence that begins with "From", and then take its second half for a report that nobody sent. LF, CRLF and
bare-CR files are read; `>From` loses one `>`. Memory holds one message and one block, whatever the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from bounceparse.intake.eml import BLOCK, KEEP, Read

LINE: Final = 512  # bytes of a separator line that are looked at
_DATE: Final = re.compile(
    rb"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) +(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2} +\d{1,2}:\d\d(?::\d\d)?"
    rb"(?: +(?:[A-Z]{1,5}|[+-]\d{4})){0,2} +\d{4}(?: +(?:[A-Z]{1,5}|[+-]\d{4}))?(?: remote from \S{1,255})?[ \t]*\Z"
)
_QUOTED: Final = re.compile(rb"(?:(?<=[\r\n])|\A)>(?=>*From )")


def split(read: Read, offset: int = 0) -> Iterator[tuple[int, int, bytes]]:
    """Yield (start, end, message) for each message: where it stands in the file, separator and blank line included, and its own bytes.

    `read` must stand at the first separator or blank lines before it, which is at `offset` of the file. A message longer than the limit is cut
    one byte after it, and the rest is read over without being kept.
    """
    data = read(BLOCK)
    while data and not (stripped := data.lstrip(b"\xef\xbb\xbf \t\r\n")):
        offset += len(data)
        data = read(BLOCK)
    if not data:
        return
    offset += len(data) - len(stripped)
    data = stripped
    while len(data) < LINE and (more := read(BLOCK)):
        data += more
    mark, newline = (b"\rFrom ", b"\r") if _is_bare_cr(data) else (b"\nFrom ", b"\n")
    begin = search = 0  # of the message, and of what was not looked at yet, in `data`; `offset` is where `data` stands in the file
    start = offset  # of the message, in the file
    before: list[bytes] = []  # of a message that is longer than a block: what came before `data`, at most a little more than is kept
    size = 0  # bytes in it
    while True:
        at = data.find(mark, search)
        stop = data.find(newline, at + 6, at + 6 + LINE) if at >= 0 else -1
        if stop >= 0 or 0 <= at <= len(data) - 6 - LINE:
            search = at + 5
            if stop >= 0 and _is_blank(data, at, newline) and _DATE.search(data, at + 6, stop - (data[stop - 1] == 13)):
                end = offset + at + 1
                yield start, end, _message(before, data[begin:at], newline)
                begin, start, before, size = at + 1, end, [], 0
            continue
        search = at if at >= 0 else max(begin, len(data) - 5)
        more = read(BLOCK)
        if not more:
            break
        keep_from = begin
        if len(data) - begin > BLOCK:
            keep_from = max(begin, search - 4)
            if size <= KEEP + LINE:
                before.append(data[begin:keep_from])
                size += keep_from - begin
        data = data[keep_from:] + more
        offset, search, begin = offset + keep_from, search - keep_from, 0
    if at >= 0 and _is_blank(data, at, newline) and _DATE.search(data, at + 6):  # a last separator with nothing behind it, not even a line end
        yield start, offset + at + 1, _message(before, data[begin:at], newline)
        begin, start, before = at + 1, offset + at + 1, []
    yield start, offset + len(data), _message(before, _without_blank_line(data[begin:]), newline)


def scan(read: Read, offset: int = 0, newline: bytes = b"\n") -> Iterator[int]:
    """Yield where in the file each message begins that stands behind a blank line: what `split` finds, but for a first message at the very start.

    `read` stands at `offset`, anywhere in the file; a separator needs the 4 bytes before it to be seen. No message is copied, so that one process can
    cut a mailbox for several. Blocks are read, not mapped: a mailbox that shrinks meanwhile would kill a process that has it mapped, and mapped
    pages count as its memory.
    """
    mark = newline + b"From "
    data = read(BLOCK)
    search = 0
    while True:
        at = data.find(mark, search)
        stop = data.find(newline, at + 6, at + 6 + LINE) if at >= 0 else -1
        if stop >= 0 or 0 <= at <= len(data) - 6 - LINE:
            search = at + 5
            if stop >= 0 and _is_blank(data, at, newline) and _DATE.search(data, at + 6, stop - (data[stop - 1] == 13)):
                yield offset + at + 1
            continue
        search = at if at >= 0 else max(search, len(data) - 5)
        more = read(BLOCK)
        if not more:
            break
        keep_from = max(0, search - 4)
        data = data[keep_from:] + more
        offset, search = offset + keep_from, search - keep_from
    if at >= 0 and _is_blank(data, at, newline) and _DATE.search(data, at + 6):
        yield offset + at + 1


def newline_of(head: bytes) -> bytes:
    """Return the line end that separates the messages of a mailbox that begins with `head`: a bare carriage return, or else a line feed."""
    return b"\r" if _is_bare_cr(head.lstrip(b"\xef\xbb\xbf \t\r\n")) else b"\n"


def _is_bare_cr(data: bytes) -> bool:
    """Whether the first line ends with a carriage return that no line feed follows."""
    first = data.find(b"\r")
    return first >= 0 and data[first + 1 : first + 2] != b"\n" and not 0 <= data.find(b"\n") < first


def _is_blank(data: bytes, at: int, newline: bytes) -> bool:
    """Whether the line end at `at` closes a blank line."""
    if newline == b"\r":
        return data[at - 1 : at] == b"\r"
    return data[at - 1 : at] == b"\n" or data[at - 2 : at] == b"\n\r"


def _without_blank_line(data: bytes) -> bytes:
    """Return `data` without the blank line that closes the last message of a file."""
    for double, single in ((b"\r\n\r\n", 2), (b"\n\n", 1), (b"\r\r", 1)):
        if data.endswith(double):
            return data[:-single]
    return data


def _message(before: list[bytes], last: bytes, newline: bytes) -> bytes:
    """Return the message behind its separator line, `>From` restored. The pieces are joined once: a long one is held twice only for that moment."""
    if last.endswith(b"\r") and newline == b"\n":
        last = last[:-1]  # of the blank line before the next separator
    first = before[0] if before else last
    stop = first.find(newline) + 1
    first = first[stop:] if stop else b""
    if before:
        before[0] = first
        before.append(last)
        data = b"".join(before)
        before.clear()
    else:
        data = first
    if b">From " in data:
        data = _QUOTED.sub(b"", data)
    return data[:KEEP]


def read_mbox(read: Read, origin: str, number: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield (origin, message) for each message of a mailbox; the first is `origin#number`."""
    for _, _, data in split(read):
        yield f"{origin}#{number}", data
        del data  # else it would be held until the next one is whole
        number += 1
