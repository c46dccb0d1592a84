"""The returned message: where it begins in a plain text, and what its header says."""

from __future__ import annotations

import re
from typing import Final

from bounceparse import limits
from bounceparse.model import Original
from bounceparse.text import printable
from bounceparse.wire.headers import decode_field, read_fields, unfold

_FIELD: Final = re.compile(
    r"\n(?-i:(?=[MmFfSsDdLl][aeiruAEIRU]))"
    r"((?-i:Message-I[dD]|From|Subject|Date|List-I[dD])|message-id|from|subject|date|list-id)[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)",
    re.I,
)


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
    r"\n(?:return-path|received|message-id|mime-version|dkim-signature|delivered-to|x-[\w-]+|from|subject)[ \t]*:[ \t]*\S.*(?:\n[ \t]+\S.*)*\n"
    r"(?:(?:[!-9;-~]{2,60}:[ \t]?.*|[ \t]+\S.*)\n){3}",
    re.I,
)


def cut_original(text: str) -> tuple[str, str]:
    """Return a plain-text notice in two: what the daemon wrote, and the returned message with its header ("" when there is none)."""
    lines = "\n" + text  # so that every line follows a line end, see wire.headers.FIELD
    match = _SEPARATOR.search(lines)
    if match is None:
        match = _HEADER_RUN.search(lines)
        return (text, "") if match is None else (text[: match.start()], text[match.start() :])
    return text[: match.start()], text[match.end() - 1 :].lstrip("\n")


def read_original(block: str, wanted: tuple[str, ...] = ()) -> Original:
    """Return what the header of a returned message says; `wanted` are the names of further fields to keep, as asked for by the caller."""
    stop = block.find("\n\n", 1)
    block = block[: min(stop, limits.TEXT) + 1 if stop > 0 else limits.TEXT]
    found = _FIELD.findall("\n" + block)
    found.reverse()  # so that the first of several wins
    fields = {name.lower(): value for name, value in found}
    headers = {}
    if wanted:
        every = read_fields(block)
        headers = {name: decode_field(every[name.lower()], limits.FIELD) for name in wanted if name.lower() in every}
    if not fields and not headers:
        return Original()
    get = fields.get
    identity, sender, subject, date, list_id = get("message-id", ""), get("from", ""), get("subject", ""), get("date", ""), get("list-id", "")
    return Original(
        printable(unfold(identity).strip(), limits.FIELD),
        decode_field(sender, limits.FIELD) if sender else "",
        decode_field(subject, limits.FIELD) if subject else "",
        decode_field(date, limits.FIELD) if date else "",
        decode_field(list_id, limits.FIELD) if list_id else "",
        headers,
    )
