"""The returned message: where it begins in a plain text, and what its header says."""

from __future__ import annotations

import re
from typing import Final

from bounceparse import limits
from bounceparse.model import Original
from bounceparse.text import printable
from bounceparse.wire.headers import decode_field, end_of_field, read_fields, skip_blanks, unfold

_INITIALS: Final = frozenset("MmFfSsDdLl")
_NAMES: Final = {
    spelt: name.lower() for name in ("Message-ID", "Message-Id", "From", "Subject", "Date", "List-Id", "List-ID") for spelt in (name, name.lower())
}
"""What is read of a returned message: the names as they are usually spelt, which need not be lowered and hashed anew, and in lower case."""


def _or_wide(characters: str) -> str:
    """Return a set of these and of all beyond Latin-1, as what it leaves out: named themselves, those take 4 ms to compile."""
    return f"[^{re.escape(''.join(other for other in map(chr, range(256)) if other not in characters))}]"


_FIRST: Final = _or_wide("-=_*+|[aicefobhmtuAICEFOBHMTU")
_SECOND: Final = _or_wide("-=_*+|<hrlontea HRLONTEA")
_SEPARATOR: Final = re.compile(
    rf"\n[ \t>]{{0,4}}(?-i:(?={_FIRST}{_SECOND}))(?:"  # what no line begins with else
    r"[-=_*+|]{2,}+[ \t\[|]{0,4}(?:below (?:this|the next) line|this is a copy|original (?:message|mail)|unsent message|no message was collected|"
    r"message (?:body|header|text)|returned m|copy of|the header (?:of|and)|(?:the )?body of the message|start of returned|mail info|message follows|"
    r"forwarded message|headers? follow|your (?:message|mail)|included is a copy)[^\n]{0,80}|"
    r"(?:the )?original (?:message|mail)(?: headers?)?(?: follows| as follows)?[.:]?|message headers? follows?[.:]?|"
    r"undeliverable message:|old message:|"
    r"(?:below|included|here|attached|following) is (?:a copy of |your |the )[^\n]{0,40}(?:message|header|mail)[^\n]{0,30}:?|"
    r"(?:a )?copy of (?:the|your) (?:original )?(?:message|mail)[^\n]{0,40}|"
    r"\[<05>\][^\n]*|content-type:[ \t]*(?:message/rfc822|text/rfc822-headers)[^\n]*|"
    r"urspr[^\n]{1,3}ngliche nachrichtenkopfzeilen:|originalnachrichtenkopfzeilen:|en-t[^\n]{1,2}tes de message d.origine[^\n]{0,3}:|"
    r"encabezados de mensajes? original(?:es)?:|intestazioni originali del messaggio:|cabe[^\n]{1,2}alhos originais da mensagem:|"
    r"oorspronkelijke berichtkoppen:|元のメッセージ ヘッダー:|原始邮件头:|исходные заголовки сообщения:"
    r")[ \t]{0,99}+(?=\n|$)",  # bounded: what stands before gives way eighty times
    re.I,
)
_HEADER_RUN: Final = re.compile(
    rf"\n(?-i:(?={_or_wide('dfmrsxDFMRSX')}{_or_wide('-eikruEIKRU')}))"  # as above
    r"(?:return-path|received|message-id|mime-version|dkim-signature|delivered-to|x-[\w-]+|from|subject)[ \t]*:[ \t]*\S.*(?:\n[ \t]+\S.*)*\n"
    r"(?:(?:[!-9;-~]{2,60}:[ \t]?.*|[ \t]+\S.*)\n){3}",
    re.I,
)


def cut_original(text: str) -> tuple[str, str]:
    """Return a plain-text notice in two: what the daemon wrote, and the returned message with its header ("" when there is none)."""
    lines = "\n" + text  # so that every line follows a line end, which memchr finds
    match = _SEPARATOR.search(lines)
    if match is None:
        match = _HEADER_RUN.search(lines)
        return (text, "") if match is None else (text[: match.start()], text[match.start() :])
    return text[: match.start()], text[match.end() - 1 :].lstrip("\n")


def read_original(block: str, wanted: tuple[str, ...] = ()) -> Original:
    """Return what the header of a returned message says; `wanted` are the names of further fields to keep, as asked for by the caller."""
    block = block[: limits.TEXT]
    fields = _read_known(block)
    headers = {}
    if wanted:
        stop = block.find("\n\n", 1)
        every = read_fields(block[: stop + 1] if stop > 0 else block)
        headers = {name: decode_field(every[name.lower()], limits.FIELD) for name in wanted if name.lower() in every}
    if not fields and not headers:
        return Original()
    identity, sender, subject = fields.get("message-id", ""), fields.get("from", ""), fields.get("subject", "")
    date, list_id = fields.get("date", ""), fields.get("list-id", "")
    return Original(
        printable(unfold(identity).strip(), limits.FIELD),
        decode_field(sender, limits.FIELD) if sender else "",
        decode_field(subject, limits.FIELD) if subject else "",
        decode_field(date, limits.FIELD) if date else "",
        decode_field(list_id, limits.FIELD) if list_id else "",
        headers,
    )


def _read_known(block: str) -> dict[str, str]:
    """Return the fields of the header at the beginning of a block that _NAMES holds, the first of several, still folded and encoded."""
    fields: dict[str, str] = {}
    size = len(block)
    block += "\n\n"  # so that the last line ends too, and something stands behind its end
    start = 0
    while start < size:
        end = block.find("\n", start)
        if end == start and start > 1:
            break  # the header ends
        colon = block.find(":", start, end) if block[start] in _INITIALS else -1  # which spares most lines the rest
        if colon > 0:
            label = block[start:colon]
            name = _NAMES.get(label) or _NAMES.get(label.rstrip(" \t").lower())
            if name is not None:
                end = end_of_field(block, end)
                fields.setdefault(name, block[skip_blanks(block, colon + 1) : end])
        start = end + 1
    return fields
